"""ITA's streaming softmax: its released model, a plain definition, and softmax itself."""

from __future__ import annotations

from fractions import Fraction
from math import floor, log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.functions import published
from workloads.functions.ita import ItaNumbers, ita_numbers, softmax_ita

R32 = ItaNumbers(multiplier=1, shift=0)  # R * 8 / 256 with R = 32


def plain(row: list[int], eps: Fraction, out_bits: int, block: int) -> list[int]:
    """One row with exact fractions."""

    def halvings(difference: int) -> int:
        return min(floor(difference * eps + Fraction(1, 2)), 63)

    total, largest = 0, max(row[:block])
    for first in range(0, len(row), block):
        part = row[first : first + block]
        moved = max(largest, *part)
        total >>= halvings(moved - largest)
        t = sum((1 << (out_bits + 16)) >> halvings(moved - x) for x in part)
        total, largest = total + (t >> 16), moved
    inverse = ((1 << out_bits) - 1) * (1 << out_bits) // total
    return [inverse >> halvings(largest - x) for x in row]


@given(st.integers(0, 1 << 32), st.integers(1, 5), st.integers(1, 127))
@settings(max_examples=60, deadline=None)
def test_the_released_model(seed: int, n_blocks: int, spread: int) -> None:
    x = np.random.default_rng(seed).integers(-spread, spread + 1, (4, 16 * n_blocks))
    out = softmax_ita(x, R32, np.full(4, x.shape[1]), 8)
    np.testing.assert_array_equal(out, published.ita(x))


@given(
    n=st.integers(1, 40), block=st.sampled_from([1, 4, 16]), bits=st.sampled_from([8, 16]), scale=st.floats(1e-3, 1.0),
    valid=st.integers(1, 40), seed=st.integers(0, 1 << 32),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_plain_definition(n: int, block: int, bits: int, scale: float, valid: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-500, 501, n)
    numbers = ita_numbers(scale)
    valid = min(valid, n)
    out = softmax_ita(x, numbers, np.asarray(valid), bits, block)
    eps = Fraction(numbers.multiplier, 1 << numbers.shift)
    assert abs(float(eps) - scale * log2(np.e)) <= 2.0**-16 * float(eps)
    assert out[:valid].tolist() == plain(x[:valid].tolist(), eps, bits, block) and not out[valid:].any()


def test_it_is_near_softmax() -> None:
    """Exponentials are rounded to powers of two: each is off by a factor of at most sqrt(2), so each ratio by 2."""
    x = np.random.default_rng(0).integers(-128, 128, (50, 64))
    scale = 0.03
    e = np.exp((x - x.max(axis=-1, keepdims=True)) * scale)
    p = e / e.sum(axis=-1, keepdims=True)
    out = softmax_ita(x, ita_numbers(scale), np.full(50, 64), 16) / 65536
    assert np.all(out <= 2 * p + 2.0**-16) and np.all(out >= p / 2 * 0.98 - 2.0**-15)
    assert np.abs(out - p).mean() < 0.005


def test_a_row_without_entries_and_scales_outside() -> None:
    assert not softmax_ita(np.asarray([[3, 4]]), R32, np.asarray([0]), 8).any()
    with pytest.raises(InputError, match="softmax: wanted an input scale"):
        ita_numbers(1e-6)
