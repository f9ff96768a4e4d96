"""The output stage: the rule by hand, folded gains and offsets, and what does not fit."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.functions.output import OutputNumbers, output_numbers, requantize_wide


def test_the_rule_by_hand() -> None:
    numbers = OutputNumbers(bias=(1, -2), multiplier=(3, -3), shift=(2, 2), zero=5, low=0, high=9)
    v = np.asarray([[0, 0], [3, 3], [-9, 9]])
    # (1 * 3 + 2) >> 2 = 1; (-2 * -3 + 2) >> 2 = 2; (4 * 3 + 2) >> 2 = 3; (1 * -3 + 2) >> 2 = -1; clipped; clipped
    np.testing.assert_array_equal(requantize_wide(v, numbers), [[6, 7], [8, 4], [0, 0]])


@given(
    v=st.integers(-(1 << 39), (1 << 39) - 1), bias=st.integers(-(1 << 39) + 1, (1 << 39) - 1),
    bits=st.sampled_from([16, 31]), fraction=st.floats(0, 1), sign=st.sampled_from([-1, 1]), shift=st.integers(0, 63),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_the_widest_values_are_exact(v: int, bias: int, bits: int, fraction: float, sign: int, shift: int) -> None:
    m = sign * int(fraction * ((1 << bits) - 1))
    numbers = OutputNumbers(
        bias=(bias,), multiplier=(m,), shift=(shift,), zero=-3, low=-(1 << 31), high=(1 << 31) - 1
    )
    half = (1 << shift) >> 1
    wanted = min(max((((v + bias) * m + half) >> shift) - 3, numbers.low), numbers.high)
    assert int(requantize_wide(np.asarray([v]), numbers)[0]) == wanted


@given(
    gain=st.floats(-4, 4).filter(lambda g: abs(g) > 1e-3), offset=st.floats(-4, 4), out_scale=st.floats(0.001, 0.1),
    seed=st.integers(0, 1 << 32),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_gain_and_offset(gain: float, offset: float, out_scale: float, seed: int) -> None:
    scale = 20.0 / 2**30
    numbers = output_numbers(
        scale, out_scale, zero=7, low=-(1 << 15), high=(1 << 15) - 1, gain=np.asarray([gain]), offset=np.asarray([offset])
    )
    v = np.random.default_rng(seed).integers(-(1 << 28), 1 << 28, (50, 1))
    exact = np.clip((v * scale * gain + offset) / out_scale + 7, -(1 << 15), (1 << 15) - 1)
    # rounding 1/2, the multiplier 2**-16 of the value, the floored bias one unit of v
    bound = 0.5 + 2.0**-16 * np.abs(exact - 7) + scale * abs(gain) / out_scale + 1e-6
    assert np.all(np.abs(requantize_wide(v, numbers) - exact) <= bound)


@pytest.mark.parametrize("gain", [0.0, 1e-30, -1e-7])
def test_an_offset_survives_a_gain_of_almost_zero(gain: float) -> None:
    numbers = output_numbers(
        20.0 / 2**30, 0.01, zero=0, low=-128, high=127, gain=np.asarray([gain]), offset=np.asarray([-0.8])
    )
    assert abs(numbers.bias[0]) < 1 << 39 and 0 < abs(numbers.multiplier[0]) < 1 << 16
    out = requantize_wide(np.asarray([[-(1 << 30)], [0], [1 << 30]]), numbers)
    assert np.abs(out + 80).max() <= 1


def test_nothing_at_all_is_the_zero_point() -> None:
    numbers = output_numbers(1.0, 1.0, zero=4, low=0, high=9, gain=np.zeros(2), offset=np.zeros(2))
    assert requantize_wide(np.asarray([[5, -5]]), numbers).tolist() == [[4, 4]]


def test_bias_is_the_published_floor() -> None:
    numbers = output_numbers(0.5, 1.0, zero=0, low=-9, high=9, gain=np.asarray([1.0, -1.0]), offset=np.asarray([0.7, 0.7]))
    assert numbers.bias == (floor(Fraction(7, 5)), floor(Fraction(-7, 5)))


def test_what_does_not_fit_is_refused() -> None:
    numbers = output_numbers(1.0, 2.0, zero=0, low=0, high=9)
    with pytest.raises(InputError, match="vector output: wanted values of 40 bits"):
        requantize_wide(np.asarray([1 << 39]), numbers)
    with pytest.raises(InputError, match="multiplier_bits: wanted 1 to 31, got 32"):
        output_numbers(1.0, 2.0, zero=0, low=0, high=9, multiplier_bits=32)
