"""Softmax, GELU and layer norm: the released code, its published figures, and every promised width."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from designs.errors import InputError
from tests.workloads.functions import published
from workloads.functions import ibert
from workloads.functions.ibert import (
    exp_ibert,
    gelu_ibert,
    gelu_numbers,
    gelu_scale,
    layer_norm_ibert,
    layer_norm_numbers,
    layer_norm_scale,
    softmax_ibert,
    softmax_numbers,
)

VECTOR = np.array([100, 90, 64, 0, -50, 127, 120, 3])
SCALES = st.floats(2.0**-15, 4.0)


def float_softmax(x: np.ndarray, scale: float) -> np.ndarray:
    e = np.exp((x - x.max(axis=-1, keepdims=True)) * scale)
    return e / e.sum(axis=-1, keepdims=True)


def float_gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + erf(x / math.sqrt(2))) / 2


def test_the_published_vector() -> None:
    numbers = softmax_numbers(0.05, left_shift=0)
    assert (numbers.ln2, numbers.b, numbers.c, numbers.clip) == (14, 54, 1116, 420)
    out = softmax_ibert(VECTOR, numbers, np.asarray(8), 8)
    np.testing.assert_array_equal(out, [30, 18, 5, 0, 0, 117, 83, 0])
    np.testing.assert_array_equal(out, published.softmax(VECTOR, 0.05, 8))


@given(scale=st.floats(2.0**-15, 0.4), seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_exp_is_the_released_code_but_for_one_rounding(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    q = -rng.integers(0, 1 << 16, 500)
    integers, exp_scale = published.exp(q, scale)
    largest, _ = published.exp(np.zeros(1), scale)
    e = exp_ibert(q, softmax_numbers(scale, left_shift=0))
    # at most 1/2 of its rounding and 32767 * 2**-16 of the multiplier's
    assert np.abs(e - integers / largest * 32767).max() <= 1.0
    x = rng.integers(-(1 << 12), 1 << 12, (5, 40))
    ours = softmax_ibert(x, softmax_numbers(scale, left_shift=0), np.full(5, 40), 8)
    assert np.abs(ours - published.softmax(x, scale, 8)).max() <= 1


@given(SCALES)
@settings(max_examples=60, deadline=None)
def test_halvings_are_exact_and_registers_have_their_widths(scale: float) -> None:
    numbers = softmax_numbers(scale)
    n = np.arange(min(numbers.clip, (1 << 17) - 1) + 1)
    z = (n * numbers.reciprocal) >> numbers.reciprocal_shift
    np.testing.assert_array_equal(z, n // numbers.ln2)
    assert z.max() <= 30 and int(n[-1]) * numbers.reciprocal < 1 << 36
    assert numbers.left_shift == 0 or numbers.clip < 1 << 17
    for value, bits in ((numbers.ln2, 15), (numbers.b, 17), (numbers.c, 32), (numbers.multiplier, 16)):
        assert 0 < value < 1 << bits
    assert numbers.shift + 30 <= 63
    e = exp_ibert(-n, numbers)
    assert e[0] == 32767 and 0 <= e.min() and e.max() == 32767


def test_exp_has_the_published_error() -> None:
    p = np.linspace(-math.log(2), 0, 100001)
    error = ibert.EXP_A * p**2 + ibert.EXP_B * p + ibert.EXP_C - np.exp(p)
    assert round(np.abs(error).max(), 5) == 0.00191
    q = -np.arange(1 << 16)
    ours = exp_ibert(q, softmax_numbers(2.0**-13)) / 32767
    assert np.abs(ours - np.exp(q * 2.0**-13)).max() < 0.00191 + 2.0**-13  # floors of the coefficients


@given(bits=st.sampled_from([8, 16]), scale=st.floats(1e-4, 0.2), n=st.integers(1, 200), seed=st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_softmax_is_near_softmax(bits: int, scale: float, n: int, seed: int) -> None:
    x = np.random.default_rng(seed).integers(-128, 128, (4, n))
    out = softmax_ibert(x, softmax_numbers(scale), np.full(4, n), bits)
    assert 0 <= out.min() and out.max() < 1 << bits
    assert np.abs(out / (1 << bits) - float_softmax(x, scale)).max() < 0.004 + 2.0**-bits


@given(valid=st.lists(st.integers(0, 9), min_size=3, max_size=3), seed=st.integers(0, 1 << 32))
@settings(max_examples=30, deadline=None)
def test_masked_entries_are_as_if_they_were_not_there(valid: list[int], seed: int) -> None:
    x = np.random.default_rng(seed).integers(-32768, 32768, (3, 9))
    numbers = softmax_numbers(0.001)
    out = softmax_ibert(x, numbers, np.asarray(valid), 8)
    for row, part, count in zip(x, out, valid, strict=True):
        assert not part[count:].any()
        if count:
            np.testing.assert_array_equal(part[:count], softmax_ibert(row[:count], numbers, np.asarray(count), 8))


def test_a_single_entry_is_255_of_256_and_coarse_grids_are_refused() -> None:
    assert softmax_ibert(np.asarray([-7]), softmax_numbers(0.1), np.asarray(1), 8).tolist() == [255]
    with pytest.raises(InputError, match="wanted a scale of at most 1.67 after the left shift, got 3"):
        softmax_numbers(3.0, left_shift=0)


def test_gelu_has_the_published_error() -> None:
    x = np.linspace(-4, 4, 200001)
    t = np.minimum(np.abs(x / math.sqrt(2)), 1.769)
    polynomial = x / 2 * (1 + np.sign(x) * (ibert.GELU_A * (t + ibert.GELU_B) ** 2 + 1))
    error = polynomial - float_gelu(x)
    assert round(math.sqrt((error**2).mean()), 5) == 0.00819 and round(np.abs(error).max(), 5) == 0.01815
    scale = 2.0**-13
    q = np.arange(-4 << 13, (4 << 13) + 1)
    error = gelu_ibert(q, gelu_numbers(scale)) * gelu_scale(scale) - float_gelu(q * scale)
    assert abs(math.sqrt((error**2).mean()) - 0.00819) < 1e-4 and abs(np.abs(error).max() - 0.01815) < 3e-4


@given(st.floats(2.0**-14, 0.01), st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_gelu_is_the_released_code(scale: float, seed: int) -> None:
    q = np.random.default_rng(seed).integers(-65535, 65536, 500)
    theirs, negative_scale = published.gelu(q, scale)
    np.testing.assert_array_equal(gelu_ibert(q, gelu_numbers(scale, left_shift=0)), -theirs)
    assert gelu_scale(scale, left_shift=0) == pytest.approx(-negative_scale, rel=1e-12)


@given(scale=st.floats(2.0**-14, 256.0))
@settings(max_examples=60, deadline=None)
def test_gelu_registers_have_their_widths_and_the_error_stays(scale: float) -> None:
    numbers = gelu_numbers(scale)
    assert -(1 << 16) <= numbers.b < 0 and -(1 << 31) <= numbers.c < 0 and -(1 << 17) <= numbers.one < 0
    q = np.arange(-65535, 65536)
    v = gelu_ibert(q, numbers)
    assert -(1 << 35) <= v.min() and v.max() < 1 << 35
    x = q * scale
    assert (np.abs(v * gelu_scale(scale) - float_gelu(x)) / np.maximum(np.abs(x), 4)).max() < 0.0185 / 4 + 2.0**-11


@given(
    n=st.integers(2, 300), bits=st.sampled_from([4, 8, 16]), spread=st.integers(1, 1 << 15), shift=st.integers(0, 3),
    seed=st.integers(0, 1 << 32),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_layer_norm_is_the_released_code(n: int, bits: int, spread: int, shift: int, seed: int) -> None:
    spread = min(spread, 1 << (bits - 1))
    x = np.random.default_rng(seed).integers(-spread, spread, (5, n))
    x[0] = np.arange(n) % 2  # halves in the mean
    numbers = ibert.LayerNormNumbers(n=n, left_shift=0, shift=shift, variance_bits=62)
    ours = layer_norm_ibert(x, numbers)
    y = x - np.rint(x.mean(axis=-1, keepdims=True))
    divides = (np.floor(y / 2**shift) ** 2).sum(axis=-1) > 0  # the released code divides by zero elsewhere
    np.testing.assert_array_equal(ours[divides], published.layer_norm(x[divides], shift))


@given(
    n=st.integers(2, 400), bits=st.sampled_from([4, 8, 16]), spread=st.integers(2, 1 << 15), outlier=st.booleans(),
    seed=st.integers(0, 1 << 32),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_layer_norm_is_within_its_bound(n: int, bits: int, spread: int, outlier: bool, seed: int) -> None:
    """The mean moves by 1/2, each root by 1 at the pre-shift, the root of the sum by 1, the factor by std / 2**31."""
    spread = min(spread, 1 << (bits - 1))
    x = np.random.default_rng(seed).integers(-spread, spread, (3, n))
    if outlier:
        x[1:, 0] = (1 << (bits - 1)) - 1
    x[:, -1] = x[:, 0] - np.where(x[:, 0] > 0, 1, -1)  # no constant row
    numbers = layer_norm_numbers(n, bits)
    v = layer_norm_ibert(x, numbers)
    assert -(1 << 31) <= v.min() and v.max() < 1 << 31
    deviation = x.std(axis=-1, keepdims=True) * 2.0**numbers.left_shift
    exact = (x - x.mean(axis=-1, keepdims=True)) * 2.0**numbers.left_shift / deviation
    step = 2.0**numbers.shift
    relative = ((numbers.shift > 0) * step + step / math.sqrt(n) + 0.5) / deviation
    relative += deviation * math.sqrt(n) / 2**31
    bound = (np.abs(exact) * relative + 0.5 / deviation) / (1 - relative) + layer_norm_scale(n)
    assert np.all((relative >= 1) | (np.abs(v * layer_norm_scale(n) - exact) <= bound))


def test_layer_norm_of_rows_that_fill_their_bits() -> None:
    x = np.random.default_rng(0).integers(-128, 128, (20, 384))
    exact = (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True)
    assert np.abs(layer_norm_ibert(x, layer_norm_numbers(384, 8)) * layer_norm_scale(384) - exact).max() < 2e-3
    published_grid = layer_norm_ibert(x, layer_norm_numbers(384, 8, left_shift=0)) * layer_norm_scale(384)
    assert 2e-3 < np.abs(published_grid - exact).max() < 2e-2


@pytest.mark.parametrize("n", [2, 3, 48, 384, 4096, 65536])
@pytest.mark.parametrize("bits", [8, 16])
def test_no_row_overflows_the_sum_of_squares(n: int, bits: int) -> None:
    numbers = layer_norm_numbers(n, bits)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    for n_high in {1, n // 3 or 1, n // 2, n - 1}:  # two values far apart: the largest variance
        x = (np.where(np.arange(n) < n_high, high, low)) << numbers.left_shift
        y = x - np.rint(x.mean())
        assert (np.floor(y / 2.0**numbers.shift) ** 2).sum() < 2.0**numbers.variance_bits
    assert numbers.shift == 0 or layer_norm_numbers(n, bits, variance_bits=62).shift < numbers.shift


@pytest.mark.parametrize("variance_bits", range(8, 26, 2))
@pytest.mark.parametrize("n", [2, 3, 4, 7, 16])
def test_narrow_registers_hold_the_sum_too(n: int, variance_bits: int) -> None:
    numbers = layer_norm_numbers(n, 8, left_shift=0, variance_bits=variance_bits)
    for high in range(1, 256):
        x = np.where(np.arange(n) < n // 2, high, 0)
        squares = ((x - int(np.rint(x.mean()))) >> numbers.shift) ** 2
        assert squares.sum() < 1 << variance_bits


def test_constant_rows_and_shifts() -> None:
    assert not layer_norm_ibert(np.full((2, 5), -3), layer_norm_numbers(5, 8)).any()
    assert layer_norm_numbers(384, 16).shift == 4 and layer_norm_numbers(384, 8, left_shift=0).shift == 0
    with pytest.raises(InputError, match="layer norm: wanted rows of 1 to 65536 entries of 1 to 16 bits, got 4 of 17"):
        layer_norm_numbers(4, 17)
    for variance_bits in (31, 64, -2, 4):
        with pytest.raises(InputError, match="variance_bits: wanted an even number up to 62 whose power of 2 is above 16"):
            layer_norm_numbers(4, 8, variance_bits=variance_bits)
