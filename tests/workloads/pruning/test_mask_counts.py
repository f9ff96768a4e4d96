"""How many masks there are: against enumeration, and the published table."""

from __future__ import annotations

from itertools import combinations
from math import comb, factorial

import pytest

from designs.errors import InputError
from tests.workloads.pruning.masks import all_masks
from workloads.pruning.mask_counts import count_masks, transposable_masks, transposable_masks_closed_form
from workloads.pruning.n_of_m import NOfM


@pytest.mark.parametrize(("n", "m"), [(n, m) for m in range(1, 6) for n in range(1, m + 1)])
def test_transposable_masks_are_all_that_enumeration_finds(n: int, m: int) -> None:
    assert transposable_masks(NOfM(n, m)) == len(all_masks(n, m))


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("1:2", 2), ("2:4", 90), ("4:8", 116_963_796_250), ("1:4", 24), ("2:8", 187_530_840)],
)
def test_transposable_masks_as_published(pattern: str, count: int) -> None:
    assert transposable_masks(NOfM.parse(pattern)) == count


@pytest.mark.parametrize(("n", "m"), [(3, 7), (2, 9), (5, 9)])
def test_as_many_keep_n_as_drop_n(n: int, m: int) -> None:
    assert transposable_masks(NOfM(n, m)) == transposable_masks(NOfM(m - n, m))


@pytest.mark.parametrize("m", [1, 2, 6, 11])
def test_one_of_m_are_permutations_and_the_closed_form_is_exact(m: int) -> None:
    assert transposable_masks(NOfM(1, m)) == factorial(m) == transposable_masks_closed_form(NOfM(1, m))


@pytest.mark.parametrize(("pattern", "count"), [("1:2", 2), ("2:4", 144), ("4:8", 17_557_585_920_000)])
def test_closed_form_of_the_paper(pattern: str, count: int) -> None:
    assert transposable_masks_closed_form(NOfM.parse(pattern)) == count


def test_a_block_of_two_by_two_by_hand() -> None:
    # 1:2: one of each row in 2 * 2 ways, a permutation in 2, two of four entries in 6
    counts = count_masks(NOfM(1, 2), 2)
    assert (counts.unstructured, counts.structured, counts.transposable, counts.closed_form) == (6, 4, 2, 2)
    assert counts.unstructured == len(list(combinations(range(4), 2)))


@pytest.mark.parametrize(
    ("pattern", "structured", "transposable", "closed_form"),
    [
        ("1:2", 2**32, 65_536, 65_536),
        ("2:4", 2_821_109_907_456, 65_610_000, 429_981_696),
        ("4:8", 576_480_100_000_000, 116_963_796_250, 17_557_585_920_000),
    ],
)
def test_masks_of_8_x_8_as_published(pattern: str, structured: int, transposable: int, closed_form: int) -> None:
    counts = count_masks(NOfM.parse(pattern), 8)
    assert counts.unstructured == comb(64, 32) == 1_832_624_140_942_590_534
    assert (counts.structured, counts.transposable, counts.closed_form) == (structured, transposable, closed_form)


def test_a_side_that_blocks_do_not_fill_is_told() -> None:
    with pytest.raises(InputError) as caught:
        count_masks(NOfM(4, 8), 12)
    assert str(caught.value) == "side: wanted a multiple of 8 for 4:8, got 12; try 8"
