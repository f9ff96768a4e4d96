"""Which items stand for all: by hand, and what must hold of any list."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.parts.strata import choose


@dataclass(frozen=True)
class Block:
    """`size` units of work, of which each is cut as a whole; counts `repeat` times in a list of `total`."""

    name: int
    size: int
    repeat: int
    total: int  # of all sizes, each once
    whole: int  # with repeats

    @property
    def weight(self) -> Fraction:
        return Fraction(self.size * self.repeat, self.whole)

    @property
    def work(self) -> tuple[Fraction, ...]:
        return (Fraction(self.size, self.total),)

    def cut(self, share: Fraction) -> Block:
        return replace(self, size=max(1, math.floor(self.size * share)))

    def least(self) -> Block:
        return replace(self, size=1, repeat=1)

    def repeated(self, n: Fraction) -> Block:
        return replace(self, repeat=max(1, round(self.repeat * n)))


def blocks(sizes: list[tuple[int, int]]) -> list[Block]:
    total = sum(size for size, _ in sizes)
    whole = sum(size * repeat for size, repeat in sizes)
    return [Block(i, size, repeat, total, whole) for i, (size, repeat) in enumerate(sizes)]


def test_by_hand() -> None:
    """Eight equal items, half of the work: the middles 1/8, 3/8, 5/8, 7/8 lie where an item begins: that one is kept."""
    chosen = choose(blocks([(10, 1)] * 8), Fraction(1, 2))
    assert chosen is not None
    assert [(item.name, item.size) for item in chosen.items] == [(1, 10), (3, 10), (5, 10), (7, 10)]
    assert chosen.work == (Fraction(1, 2),)
    # Item 0 is nearest to 1; 2 is as near to 1 as to 3 and goes to the first; and so on; 7 has itself.
    assert [item.repeat for item in chosen.items] == [3, 2, 2, 1]


def test_four_at_least_are_kept_and_cut() -> None:
    """An eighth of eight is one item; four are kept, a quarter of each, with four times the repeats."""
    chosen = choose(blocks([(100, 1)] * 8), Fraction(1, 8))
    assert chosen is not None
    assert [(item.size, item.repeat) for item in chosen.items] == [(25, 12), (25, 8), (25, 8), (25, 4)]


def test_what_weighs_more_is_kept_more_often() -> None:
    chosen = choose(blocks([(1, 1), (1, 1), (1, 97), (1, 1)]), Fraction(1, 4))
    assert chosen is not None
    assert [(item.name, item.repeat) for item in chosen.items] == [(2, 100)]


def test_always_is_there_once_and_small() -> None:
    chosen = choose(blocks([(100, 1)] * 8), Fraction(1, 8), always=0)
    assert chosen is not None
    assert [(item.name, item.size) for item in chosen.items] == [(0, 1), (1, 24), (3, 24), (5, 24), (7, 24)]
    assert chosen.items[0].repeat == 1
    whole = choose(blocks([(100, 1)] * 8), Fraction(1, 8), always=3)  # kept anyway
    assert whole is not None and [item.name for item in whole.items] == [1, 3, 5, 7]


def test_no_part_is_too_large() -> None:
    assert choose(blocks([(1, 5)]), Fraction(1, 2)) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 20)), min_size=1, max_size=30),
    st.fractions(Fraction(1, 64), Fraction(63, 64)),
    st.booleans(),
)
def test_at_most_the_share_and_as_much_weight(sizes: list[tuple[int, int]], share: Fraction, with_always: bool) -> None:
    items = blocks(sizes)
    always = 0 if with_always else None
    chosen = choose(items, share, always)
    if chosen is None:
        return
    assert chosen.work[0] == sum(item.work[0] for item in chosen.items) <= share
    names = [item.name for item in chosen.items]
    assert names == sorted(set(names)) and (always is None or always in names)
    # Repeats are rounded: of each item by half of what it counts once.
    weight = sum(item.weight for item in chosen.items)
    assert abs(weight - 1) <= sum(item.weight / item.repeat for item in chosen.items)
