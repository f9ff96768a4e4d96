"""Masks by magnitude: cases by hand, a plain twin, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.pruning.n_of_m import NOfM, magnitude_mask


def plain_mask(weights: np.ndarray, n: int, m: int, axis: int) -> np.ndarray:
    """As the definition says it: group after group, sorted by falling magnitude and rising index."""
    kept = np.zeros(weights.shape, bool)
    for line, found in zip(np.moveaxis(weights, axis, -1).reshape(-1, weights.shape[axis]), lines(kept, axis), strict=True):
        for start in range(0, len(line), m):
            group = range(start, min(start + m, len(line)))
            for i in sorted(group, key=lambda i: (-abs(float(line[i])), i))[:n]:
                found[i] = True
    return kept


def lines(array: np.ndarray, axis: int) -> list[np.ndarray]:
    """Views of `array` along `axis`."""
    moved = np.moveaxis(array, axis, -1)
    return [moved[index] for index in np.ndindex(moved.shape[:-1])]


def test_two_of_four_by_hand() -> None:
    weights = np.array([[3, -5, 1, 4], [0, 0, -2, 0]])
    assert magnitude_mask(weights, NOfM(2, 4)).tolist() == [[False, True, False, True], [True, False, True, False]]


def test_along_columns_by_hand() -> None:
    weights = np.array([[1.0, -4.0], [-2.0, 3.0], [5.0, 0.5], [6.0, 0.25]])
    assert magnitude_mask(weights, NOfM(1, 2), axis=0).tolist() == [[False, True], [True, False], [False, True], [True, False]]


def test_of_equal_magnitudes_the_lower_index_is_kept() -> None:
    assert magnitude_mask(np.array([2, -2, 2, -2]), NOfM(2, 4)).tolist() == [True, True, False, False]


def test_smallest_int8_is_the_largest_magnitude() -> None:
    assert magnitude_mask(np.array([127, -128], np.int8), NOfM(1, 2)).tolist() == [False, True]


def test_a_short_last_group_keeps_n_of_what_it_has() -> None:
    assert magnitude_mask(np.array([1, 2, 3, 4, 5, 0, 0]), NOfM(2, 4)).tolist() == [False, False, True, True, True, True, False]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equals_the_plain_twin(data: st.DataObject) -> None:
    m = data.draw(st.integers(1, 9))
    n = data.draw(st.integers(1, m))
    shape = data.draw(st.lists(st.integers(0, 7), min_size=1, max_size=3))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    weights = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-4, 5, shape)  # many equal ones
    found = magnitude_mask(weights, NOfM(n, m), axis)
    assert found.dtype == bool and found.shape == weights.shape
    if weights.size:
        np.testing.assert_array_equal(found, plain_mask(weights, n, m, axis))


@pytest.mark.parametrize("text", ["1:2", "2:4", "12:16"])
def test_a_pattern_is_written_as_it_is_read(text: str) -> None:
    assert str(NOfM.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2/4", "pattern '2/4': wanted two numbers n:m, got none; write 2:4 to keep 2 of 4"),
        ("2:4\n", "pattern '2:4\\n': wanted two numbers n:m, got none; write 2:4 to keep 2 of 4"),
        ("5:4", "pattern 5:4: wanted 1 <= n <= m, got n = 5 and m = 4; 2:4 is one"),
        ("0:4", "pattern 0:4: wanted 1 <= n <= m, got n = 0 and m = 4; 2:4 is one"),
    ],
)
def test_what_is_no_pattern_is_told(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        NOfM.parse(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("weights", "axis", "message"),
    [
        (np.array([1.0, np.nan]), -1, "weights: wanted finite numbers below 2**500, got nan; mend or scale them first"),
        (np.array([1.0, -np.inf]), -1, "weights: wanted finite numbers below 2**500, got inf; mend or scale them first"),
        (np.array([1j, 2]), -1, "weights: wanted integers or floats of at most 64 bits, got complex128; convert them first"),
        (np.array([2**53 + 1, 0]), -1, "weights: wanted integers within +-2**53, got 9007199254740993; scale them first"),
        (np.array([-(2**60), 0]), -1, "weights: wanted integers within +-2**53, got -1152921504606846976; scale them first"),
        (np.array(1.0), -1, "weights: wanted 1 axes or more, got shape []; reshape them first"),
        (np.ones((2, 2)), 2, "axis: wanted -2 to 1, got 2; -1 is the last one"),
    ],
)
def test_what_cannot_be_pruned_is_told(weights: np.ndarray, axis: int, message: str) -> None:
    with pytest.raises(InputError) as caught:
        magnitude_mask(weights, NOfM(1, 2), axis)
    assert str(caught.value) == message
