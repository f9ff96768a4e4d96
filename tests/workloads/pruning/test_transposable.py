"""Transposable masks: best ones against all masks, an assignment problem and the linear program; greedy ones by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from designs.errors import InputError
from tests.workloads.pruning.masks import all_masks
from workloads.pruning import linear_program
from workloads.pruning.n_of_m import NOfM
from workloads.pruning.transposable import greedy_blocks, greedy_mask, optimal_blocks, optimal_mask

PATTERNS = st.integers(1, 8).flatmap(lambda m: st.tuples(st.integers(1, m), st.just(m)))


def integer_blocks(seed: int, n_blocks: int, m: int, largest: int) -> np.ndarray:
    """Small ranges have many equal entries and zeros."""
    return np.random.default_rng(seed).integers(-largest, largest + 1, (n_blocks, m, m))


def sums(blocks: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return (np.abs(blocks) * kept).sum(axis=(1, 2))


def assignment_sum(block: np.ndarray, n: int) -> float:
    """The largest sum as an assignment of all m * m entries: n to each row (kept), m - n to each column (dropped)."""
    m = len(block)
    row, column = np.divmod(np.arange(m * m), m)
    keeps = np.where(np.repeat(np.arange(m), n)[:, None] == row, -np.abs(block).ravel().astype(float), np.inf)
    drops = np.where(np.repeat(np.arange(m), m - n)[:, None] == column, 0.0, np.inf)
    cost = np.concatenate([keeps, drops])
    return -cost[linear_sum_assignment(cost)].sum()


def plain_greedy(block: np.ndarray, n: int) -> np.ndarray:
    m = len(block)
    kept = np.zeros((m, m), bool)
    for i, j in sorted(np.ndindex(m, m), key=lambda place: (-abs(block[place]), place)):
        kept[i, j] = kept[i].sum() < n and kept[:, j].sum() < n
    return kept


def test_best_and_greedy_by_hand() -> None:
    # 1:2: greedy takes 5 and is left with 0; the other diagonal has 4 + 4
    block = np.array([[[5, 4], [-4, 0]]])
    assert optimal_blocks(block, 1).tolist() == [[[False, True], [True, False]]]
    assert greedy_blocks(block, 1).tolist() == [[[True, False], [False, True]]]


def test_greedy_stops_short_where_its_choices_block_each_other() -> None:
    # 2:3: the four of 9 fill columns 0 and 1, so that row 2 has column 2 only
    short = np.array([[9, 9, 0], [9, 9, 0], [1, 1, 1]])
    kept = greedy_blocks(short[None], 2)[0]
    assert kept.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    assert optimal_blocks(short[None], 2)[0].sum() == 6


@pytest.mark.parametrize(("n", "m"), [(1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4), (4, 4)])
@pytest.mark.parametrize("largest", [1, 5, 2**50])
def test_best_of_all_masks(n: int, m: int, largest: int) -> None:
    blocks = integer_blocks(m, 300, m, largest)
    masks = all_masks(n, m)
    best = np.einsum("bij,kij->bk", np.abs(blocks), masks.astype(np.int64)).max(axis=1)
    found = optimal_blocks(blocks, n)
    assert (found.sum(axis=1) == n).all() and (found.sum(axis=2) == n).all()
    assert sums(blocks, found).tolist() == best.tolist()


@settings(max_examples=60, deadline=None)
@given(PATTERNS, st.integers(0, 999), st.sampled_from([1, 3, 1000]))
def test_best_equals_the_assignment_problem(pattern: tuple[int, int], seed: int, largest: int) -> None:
    n, m = pattern
    blocks = integer_blocks(seed, 3, m, largest)
    found = optimal_blocks(blocks, n)
    assert (found.sum(axis=1) == n).all() and (found.sum(axis=2) == n).all()
    assert sums(blocks, found).tolist() == [assignment_sum(block, n) for block in blocks]


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e140])
def test_best_of_floats_of_any_size(scale: float) -> None:
    blocks = np.random.default_rng(5).lognormal(sigma=3, size=(200, 4, 4)) * scale
    masks = all_masks(2, 4)
    best = np.einsum("bij,kij->bk", blocks, masks.astype(float)).max(axis=1)
    np.testing.assert_allclose(sums(blocks, optimal_blocks(blocks, 2)), best, rtol=1e-15, atol=0)


@settings(max_examples=60, deadline=None)
@given(PATTERNS, st.integers(0, 999), st.sampled_from([1, 3, 1000]))
def test_greedy_equals_its_definition_and_keeps_half(pattern: tuple[int, int], seed: int, largest: int) -> None:
    n, m = pattern
    blocks = integer_blocks(seed, 3, m, largest)
    found = greedy_blocks(blocks, n)
    np.testing.assert_array_equal(found, [plain_greedy(block, n) for block in blocks])
    assert (2 * sums(blocks, found) >= sums(blocks, optimal_blocks(blocks, n))).all()


def test_constraints_are_totally_unimodular() -> None:
    # every square submatrix of the 3 x 3 block's constraints has determinant -1, 0 or 1
    matrix = linear_program.constraint_matrix(3).toarray()
    assert matrix.shape == (6, 9) and (matrix.sum(axis=0) == 2).all()
    for size in range(1, 7):
        rows = np.array(list(combinations(range(6), size)))
        columns = np.array(list(combinations(range(9), size)))
        minors = np.linalg.det(matrix[rows[:, None, :, None], columns[None, :, None, :]])
        assert np.abs(minors - np.clip(np.rint(minors), -1, 1)).max() < 1e-9


@pytest.mark.parametrize(("n", "m", "n_blocks"), [(1, 2, 60), (2, 4, 120), (3, 5, 30), (4, 8, 20), (8, 16, 2)])
def test_linear_program_is_integral_and_agrees(n: int, m: int, n_blocks: int) -> None:
    blocks = np.random.default_rng(n).standard_normal((n_blocks, m, m))
    solved = linear_program.solve(blocks, n)
    assert np.abs(solved - np.rint(solved)).max() < 1e-9
    np.testing.assert_array_equal(np.rint(solved).astype(bool), optimal_blocks(blocks, n))


def test_linear_program_of_zeros_is_a_mask() -> None:
    solved = np.rint(linear_program.solve(np.zeros((2, 4, 4)), 2))
    assert (solved.sum(axis=1) == 2).all() and (solved.sum(axis=2) == 2).all()


@pytest.mark.parametrize("find", [optimal_mask, greedy_mask])
def test_matrices_are_cut_into_blocks_and_the_edge_is_filled_with_zeros(find: object) -> None:
    weights = np.random.default_rng(3).standard_normal((2, 6, 9))
    found = find(weights, NOfM(2, 4))  # type: ignore[operator]
    padded = np.zeros((2, 8, 12))
    padded[:, :6, :9] = weights
    one = optimal_blocks if find is optimal_mask else greedy_blocks
    expected = np.zeros(padded.shape, bool)
    for which, i, j in np.ndindex(2, 2, 3):
        place = which, slice(4 * i, 4 * i + 4), slice(4 * j, 4 * j + 4)
        expected[place] = one(padded[place][None], 2)[0]
    np.testing.assert_array_equal(found, expected[:, :6, :9])


def test_the_mask_of_the_transpose_keeps_as_much() -> None:
    weights = np.random.default_rng(4).standard_normal((8, 8))
    np.testing.assert_array_equal(optimal_mask(weights.T, NOfM(2, 4)), optimal_mask(weights, NOfM(2, 4)).T)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 4, 4)])
def test_nothing_has_an_empty_mask(shape: tuple[int, ...]) -> None:
    assert optimal_mask(np.zeros(shape), NOfM(2, 4)).shape == shape
    assert greedy_mask(np.zeros(shape), NOfM(2, 4)).shape == shape


def test_what_cannot_be_masked_is_told() -> None:
    with pytest.raises(InputError) as caught:
        optimal_mask(np.zeros(4), NOfM(2, 4))
    assert str(caught.value) == "weights: wanted 2 axes or more, got shape [4]; reshape them first"
    with pytest.raises(InputError) as caught:
        optimal_blocks(np.zeros((1, 4, 3)), 2)
    assert str(caught.value) == "blocks: wanted shape (n_blocks, m, m), got [1, 4, 3]; to_blocks cuts a matrix"
    with pytest.raises(InputError) as caught:
        linear_program.solve(np.zeros((1, 4, 4)), 5)
    assert str(caught.value) == "pattern 5:4: wanted 1 <= n <= m, got n = 5 and m = 4; 2:4 is one"
