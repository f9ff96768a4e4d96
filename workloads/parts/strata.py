"""Which items of a list stand for all of it: those in the middle of equal strata of its weight, cut to what is left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np

FEWEST = 4  # items kept where there are as many: fewer are no mix


class Item(Protocol):
    """Something that is simulated once and counts `repeat` times, such as a layer."""

    @property
    def weight(self) -> Fraction:
        """What it stands for in the whole, its repeats counted."""

    @property
    def work(self) -> tuple[Fraction, ...]:
        """Shares of the whole's work that simulating it takes, one a measure."""

    def cut(self, share: Fraction) -> Self:
        """The same with at most that share of its work, or the least that it can have, whichever is more."""

    def least(self) -> Self:
        """A sample of it that is as hard to fit on a machine, once."""

    def repeated(self, n: Fraction) -> Self:
        """The same, its repeats times `n` and rounded, once at least."""


AnyItem = TypeVar("AnyItem", bound=Item)


class Chosen(NamedTuple, Generic[AnyItem]):
    """What is kept, in order, and its work by each measure."""

    items: list[AnyItem]
    work: tuple[Fraction, ...]


def choose(items: Sequence[AnyItem], share: Fraction, always: int | None = None) -> Chosen[AnyItem] | None:
    """Items that have at most `share` of the work by every measure; None where that cannot be.

    As many as the share of their number, four at least, lie in the middle of strata of equal weight along the list; all
    of them are cut alike to what the share leaves, and repeated so that each weighs as much as the items that are
    nearest to it. Item `always`, where it is not one of them, is there beside them as its least sample.
    """
    weights = [item.weight for item in items]
    for n_kept in range(min(len(items), max(int(share * len(items)), FEWEST)), 0, -1):
        kept = _middles(weights, n_kept)
        beside = {always: items[always].least()} if always is not None and always not in kept else {}
        left = [share - one for one in _total(beside.values())] or [share] * len(items[0].work)
        whole = _total(items[i] for i in kept)
        fraction = min((of / total for of, total in zip(left, whole, strict=True) if total), default=Fraction(1))
        if fraction <= 0:
            continue
        cut = {i: items[i].cut(min(fraction, Fraction(1))) for i in kept}
        standing = _standing_for(weights, kept)
        found = beside | {i: item.repeated(standing[i] / item.weight) for i, item in cut.items()}
        chosen = [found[i] for i in sorted(found)]
        work = _total(chosen)
        if max(work) <= share:
            return Chosen(chosen, work)
    return None


def _total(items: Iterable[Item]) -> tuple[Fraction, ...]:
    return tuple(sum(of_measure, Fraction(0)) for of_measure in zip(*(item.work for item in items), strict=True))


def _middles(weights: Sequence[Fraction], n: int) -> list[int]:
    """The items that hold the middles of `n` equal strata, each once."""
    kept: list[int] = []
    total, end, index = sum(weights), Fraction(0), -1
    for stratum in range(n):
        middle = total * Fraction(2 * stratum + 1, 2 * n)
        while end <= middle and index < len(weights) - 1:
            index += 1
            end += weights[index]
        if not kept or kept[-1] != index:
            kept.append(index)
    return kept


def _standing_for(weights: Sequence[Fraction], kept: Sequence[int]) -> dict[int, Fraction]:
    """The weight of all items, each counted to the kept one whose middle is nearest, the first of equals."""
    middles, end = [], Fraction(0)
    for weight in weights:
        middles.append(end + weight / 2)
        end += weight
    found = dict.fromkeys(kept, Fraction(0))
    nearest = 0
    for middle, weight in zip(middles, weights, strict=True):
        while nearest + 1 < len(kept) and abs(middles[kept[nearest + 1]] - middle) < abs(
            middles[kept[nearest]] - middle
        ):
            nearest += 1
        found[kept[nearest]] += weight
    return found


def middles(n: int, n_kept: int) -> np.ndarray:
    """(n_kept,) of n positions: those in the middles of equal stretches."""
    return (2 * np.arange(n_kept) + 1) * n // (2 * n_kept)
