"""Axes of a design space and their product: how many points it has, and which, listing no more than is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from designs.fields import Value

Condition: TypeAlias = tuple[str, tuple[Value, ...]]  # an axis above, and the values it may have
Scale: TypeAlias = Literal["categorical", "integer", "log2"]


@dataclass(frozen=True)
class Axis:
    """One field and the values it takes, in file order; `values` may be a `range` too wide to list.

    Where a condition of `when` is not met the axis is not active: its field keeps its default. Conditions name axes
    above it. An axis that is not active counts, in the conditions of others, with its default.
    """

    name: str
    values: Sequence[Value]
    when: tuple[Condition, ...] = ()
    scale: Scale = "categorical"  # integer: counts up by one; log2: doubles

    def is_active(self, chosen: Mapping[str, Value]) -> bool:
        """Whether the axis is to be chosen, given the values of all fields that its conditions name."""
        return all(chosen[name] in values for name, values in self.when)


def product(axes: Sequence[Axis], defaults: Mapping[str, Value]) -> Iterator[dict[str, Value]]:
    """Each point once, in file order: the last axis changes fastest. Every point has all keys of `defaults`."""
    point = dict(defaults)
    levels: list[Iterator[Value]] = []
    while True:
        if len(levels) < len(axes):
            axis = axes[len(levels)]
            levels.append(iter(axis.values if axis.is_active(point) else (defaults[axis.name],)))
        else:
            yield dict(point)
        while levels:
            value = next(levels[-1], _END)
            if value is not _END:
                point[axes[len(levels) - 1].name] = value
                break
            levels.pop()
        else:
            return


_END: Value = "<end>"  # compared by identity only


def count(axes: Sequence[Axis], defaults: Mapping[str, Value], active: str | None = None) -> int:
    """How many points `product` has, exact for any size; with `active`, on how many of them that axis is active.

    Axes are walked one after the other. All that matters of those behind is which axes ahead can no longer be active,
    so points are counted by that set.
    """
    counts: Counter[frozenset[str]] = Counter({frozenset(): 1})
    for axis, below in _dependents_first(axes):
        found: Counter[frozenset[str]] = Counter()
        open_ways, closed_ways = _ways(axis, axis.values, below), _ways(axis, (defaults[axis.name],), below)
        for lost, n in counts.items():
            if axis.name in lost and axis.name == active:
                continue
            for newly_lost, n_values in (closed_ways if axis.name in lost else open_ways).items():
                found[(lost - {axis.name}) | newly_lost] += n * n_values
        counts = found
    return counts.total()


def _ways(axis: Axis, values: Sequence[Value], below: Sequence[Axis]) -> Counter[frozenset[str]]:
    """How many of an axis's values make which of the axes `below` impossible. Values that none names are not listed."""
    wanted = {name: set(allowed) for name, allowed in _conditions_on(axis.name, below)}
    named = [value for value in set().union(*wanted.values()) if value in values]
    found = Counter(frozenset(name for name, allowed in wanted.items() if value not in allowed) for value in named)
    found[frozenset(wanted)] += len(values) - len(named)
    return +found


def _conditions_on(name: str, below: Sequence[Axis]) -> Iterator[tuple[str, tuple[Value, ...]]]:
    return ((axis.name, allowed) for axis in below for parent, allowed in axis.when if parent == name)


def _dependents_first(axes: Sequence[Axis]) -> Iterator[tuple[Axis, list[Axis]]]:
    """Axes, each behind all that it depends on and as soon after them as can be, with those that depend on it."""
    done: set[str] = set()
    waiting = list(axes)
    while waiting:
        ready = [axis for axis in waiting if all(name in done for name, _ in axis.when)]
        axis = next((axis for axis in ready if axis.when), ready[0])
        waiting.remove(axis)
        done.add(axis.name)
        yield axis, [other for other in waiting if any(name == axis.name for name, _ in other.when)]
