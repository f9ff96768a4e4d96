"""Unbiased estimates: exactly unbiased in fractions, least error against independent formulas, draws."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.pruning import mvue, mvue_kernels
from workloads.pruning.mvue import ONE_OF_TWO, TWO_OF_FOUR
from workloads.pruning.n_of_m import NOfM

PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
BOTH = pytest.mark.parametrize("pattern", [ONE_OF_TWO, TWO_OF_FOUR], ids=str)
ASCENDING = st.lists(st.integers(0, 12), min_size=4, max_size=4).map(sorted)


def gradients(pattern: NOfM, n_blocks: int = 2000) -> np.ndarray:
    """Normal, heavy-tailed and whole numbers with zeros and equal ones, in equal parts."""
    rng = np.random.default_rng(1)
    shape = n_blocks, pattern.m
    return np.concatenate([rng.standard_normal(shape), rng.lognormal(sigma=4, size=shape), rng.integers(-2, 3, shape)])


def least_inclusions(magnitudes: list[Fraction], n: int) -> list[Fraction]:
    """min(1, c * magnitude) that add up to n: what has the least error of all chances to be kept (Lagrange), exactly."""
    certain: set[int] = set()
    while True:
        free = [a for i, a in enumerate(magnitudes) if i not in certain]
        factor = Fraction(n - len(certain)) / sum(free)
        over = {i for i, a in enumerate(magnitudes) if i not in certain and a * factor > 1}
        if not over:
            return [Fraction(1) if i in certain else a * factor for i, a in enumerate(magnitudes)]
        certain |= over


@settings(max_examples=300, deadline=None)
@given(ASCENDING)
def test_pairs_have_exactly_the_chances_of_least_error(values: list[int]) -> None:
    magnitudes = [Fraction(value) for value in values]
    chances = [Fraction(0)] * 6
    mvue_kernels.pair_chances.py_func(magnitudes, chances)
    assert sum(chances) == 1 and min(chances) >= 0 and chances[0] == 0
    if sum(value > 0 for value in values) < 2:  # one value or none: it is kept for certain, with whatever else
        assert chances[5] + chances[4] + chances[2] == 1
        return
    kept = [sum(chance for pair, chance in zip(PAIRS, chances, strict=True) if i in pair) for i in range(4)]
    expected = least_inclusions(magnitudes, 2)
    for i in range(4):
        assert kept[i] == expected[i]


@settings(max_examples=200, deadline=None)
@given(ASCENDING)
def test_closed_form_is_the_sum_of_the_four_errors(values: list[int]) -> None:
    magnitudes = [Fraction(value) for value in values]
    block = np.array([values], float)
    if sum(value > 0 for value in values) < 2:
        assert mvue.least_error(block, TWO_OF_FOUR).tolist() == [0.0]
        return
    inclusions = least_inclusions(magnitudes, 2)
    error = sum(a * a * (1 / q - 1) for a, q in zip(magnitudes, inclusions, strict=True) if a)
    assert mvue.least_error(block, TWO_OF_FOUR)[0] == pytest.approx(float(error), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("block", "chances"),
    [
        # (i) S = 10, 2 a1 + a3 > a4: (2+3-4)/20, (2-3+4)/20, (4+3-4)/20, (4-3+4)/20, (3+4-1-2)/10
        ([1, 2, 3, 4], [0, 1 / 20, 3 / 20, 3 / 20, 5 / 20, 4 / 10]),
        # (ii) S = 18, 2 + 5 < 8 < 1 + 4 + 5: 2 a1, a1+a2+a3-a4, a2+a4-a1-a3, a3+a4-a1-a2, all over S
        ([1, 5, 4, 8], [0, 0, 2 / 18, 2 / 18, 6 / 18, 8 / 18]),
        # (iii) 7 > 1 + 2 + 3: the largest always, the others 1, 2, 3 of 6
        ([1, 2, 3, 7], [0, 0, 1 / 6, 0, 2 / 6, 3 / 6]),
        ([0, 0, 0, 0], [0, 0, 0, 0, 0, 1]),
        ([0, 0, 0, 5], [0, 0, 0, 0, 0, 1]),
    ],
)
def test_two_of_four_by_hand(block: list[int], chances: list[float]) -> None:
    probabilities, _ = mvue.distribution(np.array([block]), TWO_OF_FOUR)
    assert probabilities[0].tolist() == pytest.approx(chances, abs=1e-15)


def test_values_of_two_of_four_by_hand() -> None:
    # (iii): the largest, -7, is kept as it is, one of the others with the sum 6 of all three
    _, values = mvue.distribution(np.array([[2, -7, -1, 3]]), TWO_OF_FOUR)
    assert values[0].tolist()[2] == [0, -7, -6, 0]  # ranks 1 and 4
    assert values[0].tolist()[4] == [6, -7, 0, 0]  # ranks 2 and 4
    assert values[0].tolist()[5] == [0, -7, 0, 6]  # ranks 3 and 4


def test_one_of_two_by_hand() -> None:
    probabilities, values = mvue.distribution(np.array([[-3, 1]]), ONE_OF_TWO)
    assert probabilities.tolist() == [[0.25, 0.75]]
    assert values.tolist() == [[[0, 4], [-4, 0]]]
    assert mvue.least_error(np.array([[-3, 1]]), ONE_OF_TWO).tolist() == [6.0]


@BOTH
def test_unbiased_in_exact_expectation(pattern: NOfM) -> None:
    blocks = gradients(pattern)
    largest = np.abs(blocks).max(axis=1, keepdims=True)
    assert (np.abs(mvue.expectation(blocks, pattern) - blocks) <= 1e-12 * largest).all()


@BOTH
def test_error_equals_the_closed_form(pattern: NOfM) -> None:
    blocks = gradients(pattern)
    difference = np.abs(mvue.expected_error(blocks, pattern) - mvue.least_error(blocks, pattern))
    assert (difference <= 1e-12 * np.square(blocks).sum(axis=1)).all()


@BOTH
def test_outcomes_are_sparse_and_their_probabilities_a_distribution(pattern: NOfM) -> None:
    probabilities, values = mvue.distribution(gradients(pattern), pattern)
    assert probabilities.min() >= 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-15)
    assert ((values != 0).sum(axis=2) <= pattern.n).all()


@BOTH
def test_sums_over_outcomes_are_those_of_the_distribution(pattern: NOfM) -> None:
    blocks = gradients(pattern)
    probabilities, values = mvue.distribution(blocks, pattern)
    scale = np.abs(blocks).max(axis=1) + 1e-300
    mean = np.einsum("bo,bom->bm", probabilities, values)
    error = np.einsum("bo,bom->b", probabilities, np.square(values - blocks[:, None]))
    assert (np.abs(mean - mvue.expectation(blocks, pattern)) <= 1e-14 * scale[:, None]).all()
    assert (np.abs(error - mvue.expected_error(blocks, pattern)) <= 1e-13 * scale**2).all()


@BOTH
def test_draws_invert_the_cumulative_distribution(pattern: NOfM) -> None:
    blocks = gradients(pattern)
    probabilities, values = mvue.distribution(blocks, pattern)
    uniforms = np.random.default_rng(11).random(len(blocks))
    outcomes = (uniforms[:, None] >= np.cumsum(probabilities, axis=1)[:, :-1]).sum(axis=1)
    drawn = mvue.estimate(blocks, pattern, np.random.default_rng(11))
    np.testing.assert_array_equal(drawn, values[np.arange(len(blocks)), outcomes])


@BOTH
def test_draws_are_outcomes_as_often_as_their_probability_says(pattern: NOfM) -> None:
    block = np.array([1.0, -2.0, 3.0, 3.5])[-pattern.m :]
    n_draws = 40_000
    draws = mvue.estimate(np.tile(block, n_draws), pattern, np.random.default_rng(7)).reshape(n_draws, pattern.m)
    probabilities, values = (part[0] for part in mvue.distribution(block[None], pattern))
    shares = (draws[:, None] == values).all(axis=2).mean(axis=0)
    assert shares.sum() == pytest.approx(1)
    deviation = np.sqrt(probabilities * (1 - probabilities) / n_draws)
    assert (np.abs(shares - probabilities) <= 5 * deviation).all()


def test_a_seed_fixes_the_draw_and_an_axis_turns_it() -> None:
    gradient = np.random.default_rng(2).standard_normal((6, 7))
    first = mvue.estimate(gradient, TWO_OF_FOUR, np.random.default_rng(3))
    assert np.array_equal(first, mvue.estimate(gradient, TWO_OF_FOUR, np.random.default_rng(3)))
    assert not np.array_equal(first, mvue.estimate(gradient, TWO_OF_FOUR, np.random.default_rng(4)))
    assert np.array_equal(first.T, mvue.estimate(gradient.T, TWO_OF_FOUR, np.random.default_rng(3), axis=0))
    assert ((first[:, :4] != 0).sum(axis=1) == 2).all() and ((first[:, 4:] != 0).sum(axis=1) == 2).all()


def test_zeros_stay_zeros() -> None:
    assert not mvue.estimate(np.zeros((3, 8)), TWO_OF_FOUR, np.random.default_rng(0)).any()
    assert not mvue.estimate(np.zeros((3, 8)), ONE_OF_TWO, np.random.default_rng(0)).any()


@settings(max_examples=200, deadline=None)
@given(ASCENDING)
def test_approximate_error_is_that_of_drawing_one_after_the_other(values: list[int]) -> None:
    magnitudes = [Fraction(value) for value in values]
    total = sum(magnitudes)
    error = Fraction(0)
    for i, a in enumerate(magnitudes):
        if a and a < total:
            after = sum(b / total * a / (total - b) for j, b in enumerate(magnitudes) if j != i and b < total)
            error += a * a * (1 / (a / total + after) - 1)
    found = mvue.approximate_error(np.array([values], float))
    assert found[0] == pytest.approx(float(error), rel=1e-12, abs=1e-12)
    assert mvue.least_error(np.array([values]), TWO_OF_FOUR)[0] <= found[0] + 1e-9


def test_greedy_and_uniform_errors_by_hand() -> None:
    block = np.array([[4, -1, 2, 3]])
    assert mvue.greedy_error(block, TWO_OF_FOUR).tolist() == [1 + 4]
    assert mvue.uniform_error(block, TWO_OF_FOUR).tolist() == [30]


@pytest.mark.parametrize("pattern", [NOfM(1, 4), NOfM(4, 8)])
def test_other_patterns_are_refused(pattern: NOfM) -> None:
    with pytest.raises(InputError) as caught:
        mvue.estimate(np.zeros(8), pattern, np.random.default_rng(0))
    assert str(caught.value) == f"pattern: wanted 1:2 or 2:4 for an unbiased estimate, got {pattern}; take one of them"


def test_blocks_of_another_width_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        mvue.expectation(np.zeros((3, 2)), TWO_OF_FOUR)
    assert str(caught.value) == "blocks: wanted shape (n_blocks, 4), got [3, 2]; reshape them first"
