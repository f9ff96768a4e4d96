"""The rounding modes against exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.requantize import (
    apply_scale,
    fixed_multiplier,
    fixed_multiplier_pair,
    power_of_two_shift,
    requantize,
    requantize_float32,
)

SCALES = st.floats(2.0**-40, 100, width=32)


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def test_fixed_multiplier_by_hand() -> None:
    m, shift = fixed_multiplier(np.float32([1.0, 0.5, 0.75, 3.0]), 8)
    assert m.tolist() == [128, 128, 192, 192]
    assert shift.tolist() == [7, 8, 8, 6]


def test_fixed_multiplier_carries_into_the_next_power() -> None:
    m, shift = fixed_multiplier(np.float32([0.9999]), 8)  # 255.97 rounds to 256
    assert (m[0], shift[0]) == (128, 7)


@given(SCALES, st.integers(8, 31))
def test_fixed_multiplier_is_normalized_and_nearest(scale: float, bits: int) -> None:
    (m,), (shift,) = fixed_multiplier(np.float32([scale]), bits)
    assert m < 1 << bits
    assert m >= 1 << (bits - 1) or shift == 63  # a scale of 2**-40 and 25 bits would need a shift of 64
    assert abs(Fraction(int(m), 1 << int(shift)) - Fraction(scale)) <= Fraction(1, 2 << int(shift))


def test_tiny_scale_keeps_shift_63_and_a_smaller_multiplier() -> None:
    m, shift = fixed_multiplier(np.float32([2.0**-60, 2.0**-64, 2.0**-70, 0.5]), 16)
    assert m.tolist() == [8, 1, 0, 32768]  # 2**-64 is half a step, rounded up
    assert shift.tolist() == [63, 63, 63, 16]


def test_large_scale_is_refused() -> None:
    assert fixed_multiplier(np.float32([255]), 8)[1].tolist() == [0]
    with pytest.raises(InputError, match=r"scale: wanted below 2\*\*8 for a 8-bit multiplier, got 256"):
        fixed_multiplier(np.float32([256]), 8)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(InputError, match="wanted positive finite"):
        fixed_multiplier(np.float32([scale]), 16)


def test_power_of_two_shift_is_nearest_in_log2() -> None:
    below, above = np.nextafter(np.float32(2**-2.5), [0, 1], dtype=np.float32)
    assert power_of_two_shift(np.float32([1, 0.5, below, above, 2.0**-80])).tolist() == [0, 1, 3, 2, 63]
    assert power_of_two_shift(np.float32([1.4])).tolist() == [0]
    with pytest.raises(InputError, match="wanted at most 1"):
        power_of_two_shift(np.float32([1.5]))


@given(
    st.integers(-(2**49) + 1, 2**49 - 1), st.integers(0, 2**31 - 1), st.integers(0, 63), st.integers(-300, 300),
    st.integers(1, 17),
)  # fmt: skip
def test_requantize_is_exact(t: int, m: int, shift: int, zero: int, bits: int) -> None:
    low, high = -(1 << bits), (1 << bits) - 1
    rounded = t * m if shift == 0 else (t * m + (1 << (shift - 1))) >> shift
    assert requantize(np.asarray([t]), m, shift, zero, low, high).tolist() == [min(max(rounded + zero, low), high)]


def test_requantize_by_channel() -> None:
    y = requantize(np.asarray([[5, 5], [6, 6]]), np.asarray([1, 3]), np.asarray([1, 2]), 10, 0, 255)
    assert y.tolist() == [[13, 14], [13, 15]]  # 5/2 = 2.5 up, 15/4 = 3.75, 6/2 = 3, 18/4 = 4.5 up


def test_float32_rounds_half_to_even_in_float32() -> None:
    y = requantize_float32(np.asarray([1, 3, 5, -1, -3]), np.float32([0.5]), 0, -128, 127)
    assert y.tolist() == [0, 2, 2, 0, -2]
    # 2**24 + 1 is no float32: it becomes 2**24
    assert requantize_float32(np.asarray([(1 << 24) + 1]), np.float32([1.0]), 0, 0, 1 << 30).tolist() == [1 << 24]


@given(st.floats(2.0**-20, 4, width=32), st.floats(2.0**-20, 4, width=32), st.integers(8, 31))
def test_pair_shares_the_shift_of_the_larger(a: float, b: float, bits: int) -> None:
    m1, m2, shift = fixed_multiplier_pair((a, b), bits)
    assert 1 << (bits - 1) <= max(m1, m2) < 1 << bits
    unit = Fraction(1, 1 << shift)
    assert abs(m1 * unit - Fraction(a)) <= unit / 2
    assert abs(m2 * unit - Fraction(b)) <= unit / 2


def test_pair_of_powers_of_two() -> None:
    assert fixed_multiplier_pair((1.0, 0.26), 8, "shift") == (128, 32, 7)
    assert fixed_multiplier_pair((2.0**-9, 1.0), 8, "shift") == (0, 128, 7)  # beyond what 8 bits hold
    assert fixed_multiplier_pair((2.0**-60, 2.0**-61), 8, "shift") == (8, 4, 63)


def test_apply_scale_names_the_modes() -> None:
    t = np.asarray([10])
    assert apply_scale(t, np.float32([0.25]), 0, -9, 9, rounding="float32").tolist() == [2]  # 2.5 to even
    assert apply_scale(t, np.float32([0.25]), 0, -9, 9, rounding="multiplier_shift").tolist() == [3]  # 2.5 up
    assert apply_scale(t, np.float32([0.3]), 0, -9, 9, rounding="shift").tolist() == [3]  # as 0.25
    with pytest.raises(InputError, match="rounding: wanted one of float32, multiplier_shift, shift, got 'floor'"):
        apply_scale(t, np.float32([0.25]), 0, -9, 9, rounding="floor")


@given(SCALES.filter(lambda s: s < 1), st.lists(st.integers(-(2**26), 2**26), min_size=1, max_size=20))
def test_31_bits_and_float32_differ_by_one_at_most(scale: float, t: list[int]) -> None:
    s, sums = np.float32([scale]), np.asarray(t)
    by_float = apply_scale(sums, s, 0, -(2**17), 2**17, rounding="float32")
    by_shift = apply_scale(sums, s, 0, -(2**17), 2**17, rounding="multiplier_shift", multiplier_bits=31)
    assert np.abs(by_float - by_shift).max() <= 1
    assert [half_up(Fraction(v) * Fraction(float(s[0]))) for v in t if abs(v * scale) < 2**17] == [
        y for v, y in zip(t, by_shift.tolist(), strict=True) if abs(v * scale) < 2**17
    ]
