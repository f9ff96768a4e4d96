"""A design space as samplers see it: one number an axis, its place among the axis's values."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from designs.axes import Axis
from designs.fields import Value
from designs.space import Point, Space

Choice: TypeAlias = tuple[int, ...]  # of each open axis the place of its value; 0 where the axis is not active


class Domain:
    """The axes of a space that are to be chosen, those with more than one value, in file order.

    An axis whose values are numbers in rising or falling order is `ordered`: values that are near are alike. Others
    are categorical. A choice and a point say the same: where an axis is not active its place is 0.
    """

    def __init__(self, space: Space) -> None:
        self._defaults: Point = {name: field.default for name, field in space.fields.items()}
        self._all = space.axes
        self.axes: tuple[Axis, ...] = tuple(axis for axis in space.axes if len(axis.values) > 1)
        self.sizes: tuple[int, ...] = tuple(len(axis.values) for axis in self.axes)
        self.ordered: tuple[bool, ...] = tuple(is_ordered(axis.values) for axis in self.axes)
        self.n_points: int = space.n_points

    def point(self, places: Sequence[int]) -> Point:
        """Every field of the design; the place of an axis that is not active has no influence."""
        return self._walk(places)[0]

    def canonical(self, places: Sequence[int]) -> Choice:
        """The one choice of the point: 0 where an axis is not active."""
        active = self._walk(places)[1]
        return tuple(place if is_active else 0 for place, is_active in zip(places, active, strict=True))

    def active(self, places: Sequence[int]) -> tuple[bool, ...]:
        """Which axes are active, one a place."""
        return tuple(self._walk(places)[1])

    def draw(self, generator: random.Random) -> Choice:
        """A choice, each active axis drawn uniformly."""
        return self.canonical([generator.randrange(size) for size in self.sizes])

    def neighbours(self, choice: Choice) -> list[Choice]:
        """All choices that differ in one active axis: of an ordered one by a step up or down, of others by any value.

        Axes that become active by the move take their first value.
        """
        active = self.active(choice)
        found = (
            self.canonical((*choice[:axis], place, *choice[axis + 1 :]))
            for axis, is_active in enumerate(active)
            if is_active
            for place in self._moves(axis, choice[axis])
        )
        return [near for near in dict.fromkeys(found) if near != choice]

    def choices(self) -> Iterator[Choice]:
        """Every choice once, in file order."""
        return self._choices(())

    def _choices(self, head: Choice) -> Iterator[Choice]:
        if len(head) == len(self.axes):
            yield head
            return
        rest = (0,) * (len(self.axes) - len(head))
        is_active = self._walk((*head, *rest))[1][len(head)]
        for place in range(self.sizes[len(head)] if is_active else 1):
            yield from self._choices((*head, place))

    def _moves(self, axis: int, place: int) -> Iterator[int]:
        near = (place - 1, place + 1) if self.ordered[axis] else range(self.sizes[axis])
        return (other for other in near if 0 <= other < self.sizes[axis] and other != place)

    def _walk(self, places: Sequence[int]) -> tuple[Point, list[bool]]:
        """The point, and of each open axis whether it is active."""
        point = dict(self._defaults)
        active = []
        left = iter(places)
        for axis in self._all:
            is_open = len(axis.values) > 1
            place = next(left) if is_open else 0
            is_active = axis.is_active(point)
            if is_active:
                point[axis.name] = axis.values[place]
            if is_open:
                active.append(is_active)
        return point, active


def is_ordered(values: Sequence[Value]) -> bool:
    """Whether values are numbers, each larger, or each smaller, than the one before."""
    if isinstance(values, range):
        return True
    if any(isinstance(value, bool | str) for value in values):
        return False
    steps = [float(after) - float(before) for before, after in zip(values, values[1:], strict=False)]
    return all(step > 0 for step in steps) or all(step < 0 for step in steps)
