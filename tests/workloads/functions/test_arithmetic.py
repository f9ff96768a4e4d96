"""Divisions and roots are exact, and the grid is refined as promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.functions.arithmetic import (
    check_scale,
    divide_half_even,
    exact_reciprocal,
    fine_left_shift,
    integer_sqrt,
    integer_sqrt_newton,
)


@given(divisor=st.integers(1, 1 << 17), most=st.integers(0, (1 << 17) - 1))
@settings(max_examples=60, deadline=None)
def test_a_reciprocal_divides_exactly_over_its_whole_range(divisor: int, most: int) -> None:
    multiplier, shift = exact_reciprocal(divisor, most)
    n = np.arange(most + 1)
    np.testing.assert_array_equal((n * multiplier) >> shift, n // divisor)


def test_a_shift_less_would_not_be_proved() -> None:
    multiplier, shift = exact_reciprocal(14, 420)
    assert (multiplier, shift) == (293, 12)
    shorter = -(-(1 << 11) // 14)
    assert (shorter * 14 - (1 << 11)) * 420 >= 1 << 11


def test_no_reciprocal_of_zero() -> None:
    with pytest.raises(InputError, match="wanted a divisor of at least 1"):
        exact_reciprocal(0, 5)


@given(total=st.integers(-(1 << 32), 1 << 32), n=st.integers(1, 1 << 16))
@settings(max_examples=100, deadline=None)
def test_means_round_half_to_even(total: int, n: int) -> None:
    quotient, rest = divmod(total, n)  # Python's round of a fraction would go through float
    wanted = quotient + (2 * rest > n or (2 * rest == n and quotient % 2 == 1))
    assert int(divide_half_even(np.asarray([total]), n)[0]) == wanted


def test_ties() -> None:
    np.testing.assert_array_equal(divide_half_even(np.asarray([-3, -1, 1, 3, 5]), 2), [-2, 0, 0, 2, 2])


@given(st.integers(0, (1 << 32) - 1))
@settings(max_examples=200, deadline=None)
def test_newton_and_the_bitwise_root_are_the_floor(value: int) -> None:
    root, n_iterations = integer_sqrt_newton(value)
    assert root == math.isqrt(value) == int(integer_sqrt(np.asarray([value]), 32)[0])
    assert n_iterations <= 6


def test_newton_needs_few_iterations() -> None:
    values = np.random.default_rng(0).integers(1, 1 << 32, 2000)
    assert max(integer_sqrt_newton(int(value))[1] for value in values) <= 6  # the last one only confirms


def test_roots_around_squares() -> None:
    squares = np.arange(1 << 16, dtype=np.int64) ** 2
    np.testing.assert_array_equal(integer_sqrt(squares, 32), np.arange(1 << 16))
    np.testing.assert_array_equal(integer_sqrt(squares[1:] - 1, 32), np.arange((1 << 16) - 1))


@pytest.mark.parametrize(("scale", "shift"), [(2.0**-12, 0), (2.0**-11, 0), (2.0**-11 * 1.0001, 1), (0.05, 7), (1, 11)])
def test_the_left_shift_is_the_smallest(scale: float, shift: int) -> None:
    assert fine_left_shift(scale, 11) == shift


@pytest.mark.parametrize("scale", [2.0**-16, 257.0, math.nan, math.inf, -1.0])
def test_scales_outside_are_refused(scale: float) -> None:
    with pytest.raises(InputError, match=r"softmax: wanted an input scale from 2\*\*-15 to 2\*\*8, got"):
        check_scale("softmax", scale, 15)
