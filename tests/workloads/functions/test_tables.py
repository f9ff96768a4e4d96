"""Tables of 256 entries: what they hold, how they are indexed, and how near the result is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from workloads.functions.tables import (
    TableNumbers,
    exp_table_numbers,
    gelu_table,
    gelu_table_numbers,
    gelu_table_scale,
    look_up,
    softmax_table,
)


def test_indices_round_and_saturate() -> None:
    numbers = TableNumbers(multiplier=1, shift=1, entries=tuple(range(256)), left_shift=0)
    np.testing.assert_array_equal(look_up(np.asarray([0, 1, 2, 3, 509, 510, 9999]), numbers), [0, 1, 1, 2, 255, 255, 255])


@given(st.floats(2.0**-14, 256.0))
@settings(max_examples=60, deadline=None)
def test_gelu_is_near_gelu_and_large_values_pass(scale: float) -> None:
    numbers = gelu_table_numbers(scale)
    assert len(numbers.entries) == 256 and numbers.entries[0] == 0 == numbers.entries[-1]
    assert -(1 << 12) <= min(numbers.entries) and numbers.multiplier < 1 << 16
    q = np.arange(-65535, 65536)
    x = q * scale
    v = gelu_table(q, numbers)
    assert np.abs(v).max() < 1 << 36
    error = np.abs(v * gelu_table_scale(scale) - x * (1 + erf(x / math.sqrt(2))) / 2)
    assert error.max() < 4 / 255 / 2 * 0.5 + 2.0**-12  # half a step at the steepest point, and the entry's rounding
    far = np.abs(x) > 4.2  # there |x| * Phi(-|x|) is below half a unit, 2**-14, at the finest scale
    np.testing.assert_array_equal(v[far], np.maximum(q[far], 0) << numbers.left_shift)


@given(scale=st.floats(2.0**-15, 4.0), n=st.integers(1, 300), seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_softmax_is_near_softmax(scale: float, n: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-128, 128, (4, n))
    e = np.exp((x - x.max(axis=-1, keepdims=True)) * scale)
    p = e / e.sum(axis=-1, keepdims=True)
    out = softmax_table(x, exp_table_numbers(scale), np.full(4, n), 16)
    # each exponential is off by half a step of ln(65534) / 255, each sum too
    assert np.all(np.abs(out / 65536 - p) <= p * (math.exp(0.0435) - 1) + 1e-4)


def test_coarse_grids_are_exact() -> None:
    numbers = exp_table_numbers(0.25)
    d = np.arange(80)
    np.testing.assert_array_equal(look_up(d, numbers), np.floor(32767 * np.exp(-0.25 * d) + 0.5))


def test_masked_entries_give_zero() -> None:
    out = softmax_table(np.asarray([[5, 90, 3]]), exp_table_numbers(0.1), np.asarray([1]), 8)
    assert out.tolist() == [[255, 0, 0]]


@pytest.mark.parametrize("scale", [2.0**-14, 0.03, 1.0])
def test_exp_falls_from_one(scale: float) -> None:
    entries = np.asarray(exp_table_numbers(scale).entries)
    assert entries[0] == 32767 and np.all(np.diff(entries) <= 0) and entries[-1] <= 1
