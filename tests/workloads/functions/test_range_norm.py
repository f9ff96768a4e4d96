"""Range normalization: the definition, its integers, and the figures of the scale for Gaussian data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from designs.errors import InputError
from workloads.functions.range_norm import (
    chunked_scale,
    range_constant,
    range_norm,
    range_norm_float,
    range_norm_numbers,
    range_norm_scale,
)


def expected_range(n: int) -> float:
    """Of n standard normal numbers (Tippett): integral of 1 - F^n - (1 - F)^n."""
    return float(quad(lambda x: 1 - norm.cdf(x) ** n - norm.sf(x) ** n, -9, 9, limit=200)[0])


@pytest.mark.parametrize(("n", "figure"), [(64, 1.63), (256, 1.70), (1024, 1.74), (4096, 1.78), (65536, 1.82)])
def test_the_range_of_gaussian_data(n: int, figure: float) -> None:
    assert round(range_constant(n) * expected_range(n), 2) == figure


@pytest.mark.parametrize(("n", "figure"), [(64, 0.882), (256, 0.919), (1024, 0.941), (4096, 0.961), (65536, 0.983)])
def test_the_released_scale_of_gaussian_data(n: int, figure: float) -> None:
    """n is the length of a chunk. The figures are of samples; the expectation lies within 0.4 % of them."""
    fix = 0.175 * (1 + math.sqrt(math.pi * math.log(4)))
    assert fix * range_constant(n) * expected_range(n) == pytest.approx(figure, abs=0.0045)
    if n <= 1024:
        x = np.random.default_rng(0).standard_normal((200, 16 * n))
        assert chunked_scale(x).mean() == pytest.approx(figure, abs=0.0055)


def test_chunks_by_hand() -> None:
    x = np.asarray([0.0, 2.0, 1.0, 5.0])
    fix = 0.175 * (1 + math.sqrt(math.pi * math.log(4))) / math.sqrt(2 * math.log(2))
    assert float(chunked_scale(x, n_chunks=2)) == pytest.approx((3.5 - 0.5) * fix)
    with pytest.raises(InputError, match="wanted rows of 3 equal chunks of 2 or more, got 4 entries"):
        chunked_scale(x, n_chunks=3)


@given(
    n=st.integers(2, 300), bits=st.sampled_from([4, 8, 16]), spread=st.integers(2, 1 << 15), seed=st.integers(0, 1 << 32)
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_integers_are_within_their_bound(n: int, bits: int, spread: int, seed: int) -> None:
    """The mean is off by 1/2 of the finer grid, the factor by range / 2**31 of itself, the result by one unit."""
    spread = min(spread, 1 << (bits - 1))
    x = np.random.default_rng(seed).integers(-spread, spread, (3, n))
    x[:, -1] = x[:, 0] - np.where(x[:, 0] > 0, 1, -1)  # no constant row
    numbers = range_norm_numbers(n, bits)
    v = range_norm(x, numbers)
    assert np.abs(v).max() <= 1 << 30
    width = np.ptp(x, axis=-1, keepdims=True) << numbers.left_shift
    exact = range_norm_float(x)
    bound = 0.5 / width / range_constant(n) + np.abs(exact) * width / 2**31 + 2 * range_norm_scale(n)
    assert np.all(np.abs(v * range_norm_scale(n) - exact) <= bound)


def test_constant_rows_and_short_rows() -> None:
    assert not range_norm(np.full((2, 5), 100), range_norm_numbers(5, 8)).any()
    with pytest.raises(InputError, match="range norm: wanted rows of 2 to 65536 entries"):
        range_norm_numbers(1, 8)
