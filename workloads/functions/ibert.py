"""Softmax, GELU and layer norm in integers, as I-BERT publishes them (Kim et al., ICML 2021, and its released code).

Registers follow from the scale in float64 as in the released code. Inputs are integers q that mean q * scale. Where a
grid is too coarse for the polynomials, `left_shift` refines it first: q << left_shift at scale / 2**left_shift is the
same number, so the published function is applied as it stands. `left_shift=0` is the published code itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.functions.arithmetic import (
    INPUT_BITS,
    check_scale,
    divide_half_even,
    exact_reciprocal,
    fine_left_shift,
    integer_sqrt,
)
from workloads.requantize import fixed_multiplier

EXP_A, EXP_B, EXP_C = 0.35815147, 0.96963238, 1.0  # exp(p) ~ a p^2 + b p + c on (-ln 2, 0]: released code
LN2 = 0.6931  # as released
EXP_MAX_HALVINGS = 30
EXP_ONE = 32767  # 16 bits signed: exp(0)
EXP_FINEST_BITS = 11
EXP_MULTIPLIER_BITS = 16  # then c becomes 32767 exactly: the rounding of the multiplier moves it by less than 1/2
GELU_A, GELU_B = -0.2888, -1.769
GELU_SQRT2 = 1.4142
GELU_SHIFT = 14
GELU_FINEST_BITS = 12
SUM_BITS = 32  # of a softmax row's sum, and of 2**32 / sum
NORM_BITS = 31  # factor = floor(2**31 / std)
VARIANCE_BITS = 32


@dataclass(frozen=True, kw_only=True)
class SoftmaxNumbers:
    """Registers of `exp_ibert`. Bounds for scales of at least 2**-15 and rows of at most 2**16 entries."""

    left_shift: int  # 5 bits
    ln2: int  # ceil(.6931 / s), 15 bits
    clip: int  # 30 * ln2: -q is cut off here, so that at most 30 halvings follow
    reciprocal: int  # -q // ln2 == (-q * reciprocal) >> reciprocal_shift for every -q <= min(clip, 2**17 - 1)
    reciprocal_shift: int
    b: int  # floor(b / a / s), 17 bits
    c: int  # floor(c / a / s^2), 32 bits: the largest value of the polynomial
    multiplier: int  # 32767 / c = multiplier / 2**shift: 16 bits
    shift: int  # 6 bits


def softmax_numbers(scale: float, left_shift: int | None = None) -> SoftmaxNumbers:
    """Registers for inputs of this scale; `left_shift=None` takes the smallest that makes the scale at most 2**-11.

    InputError for scales below 2**-15 and, with a left shift that is given, too coarse for the polynomial.
    """
    scale = check_scale("softmax", scale, 15)
    left = fine_left_shift(scale, EXP_FINEST_BITS) if left_shift is None else left_shift
    s = math.ldexp(scale, -left)
    ln2 = -math.floor(-LN2 / s)
    b, c = math.floor(EXP_B / EXP_A / s), math.floor(EXP_C / EXP_A / s**2)
    if c < 1:
        raise InputError(f"softmax: wanted a scale of at most 1.67 after the left shift, got {s:g}; shift by more")
    clip = EXP_MAX_HALVINGS * ln2
    reciprocal, reciprocal_shift = exact_reciprocal(ln2, min(clip, (1 << (INPUT_BITS + 1)) - 1))
    m, shift = fixed_multiplier(np.asarray([EXP_ONE / c]), EXP_MULTIPLIER_BITS)
    return SoftmaxNumbers(
        left_shift=left, ln2=ln2, clip=clip, reciprocal=reciprocal, reciprocal_shift=reciprocal_shift,
        b=b, c=c, multiplier=int(m[0]), shift=int(shift[0]),
    )  # fmt: skip


def exp_ibert(q: np.ndarray, numbers: SoftmaxNumbers) -> np.ndarray:
    """exp of q <= 0 (already shifted left), int64 from 0 to 32767, where 32767 means 1.

    n = min(-q, clip) (17 bits), z = n // ln2 (0 to 30) by the reciprocal (product 36 bits), r = z * ln2 - n in
    (-ln2, 0], p = r * (r + b) + c (32 bits unsigned), then `(p * multiplier + half) >> (shift + z)` with half =
    2**(shift + z - 1), or 0 where both are 0: the product has 48 bits, the sum 63 or fewer.

    The published code forms p * 2**(30-z) and requantises that to 16 bits signed, its calibrated maximum (exp(0), p =
    c) becoming 32767, by a dyadic number: this is that number, 2**30 left out, rounded half up once. The published
    test vector holds with it; it would hold as well with 32768 to 65536 in place of 32767, with floor, and with p >> z
    before the multiplication.
    """
    n = np.minimum(-np.asarray(q, np.int64), numbers.clip)
    z = (n * numbers.reciprocal) >> numbers.reciprocal_shift
    r = z * numbers.ln2 - n
    p = np.maximum(r * (r + numbers.b) + numbers.c, 0)
    shift = numbers.shift + z
    half = np.where(shift > 0, np.left_shift(1, np.maximum(shift - 1, 0)), 0)
    return (p * numbers.multiplier + half) >> shift


def softmax_ibert(x: np.ndarray, numbers: SoftmaxNumbers, valid: np.ndarray, out_bits: int) -> np.ndarray:
    """Softmax of the rows of x (..., n), int64 in 0 .. 2**out_bits - 1 with scale 2**-out_bits.

    valid (...) is how many leading entries of each row take part (0 to n); the others give 0, a row of 0 entries zeros.
    e = exp((x - max) << left_shift), then `normalize_rows`.
    """
    taking, difference = below_maximum(x, valid)
    q = -np.minimum(difference << numbers.left_shift, numbers.clip)
    return normalize_rows(np.where(taking, exp_ibert(q, numbers), 0), out_bits)


def below_maximum(x: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(which entries take part, bool; row maximum - x, int64 >= 0, 0 where they do not), both of the shape of x."""
    x = np.asarray(x, np.int64)
    taking = np.arange(x.shape[-1]) < np.asarray(valid, np.int64)[..., None]
    taking = np.broadcast_to(taking, x.shape)
    largest = np.where(taking, x, np.iinfo(np.int64).min).max(axis=-1, keepdims=True)
    return taking, np.where(taking, largest - np.where(taking, x, largest), 0)


def normalize_rows(e: np.ndarray, out_bits: int) -> np.ndarray:
    """`floor(e * factor / 2**(32 - out_bits))`, factor = floor(2**32 / sum of the row), or 0 where the sum is 0.

    e has 15 bits, rows at most 2**16 entries: the sum has 31 bits. A row that takes part holds 32767 (its maximum), so
    factor <= 131076 (18 bits), the product is below 2**32 and the result below 2**out_bits.
    """
    total = e.sum(axis=-1, keepdims=True)
    factor = np.where(total > 0, (1 << SUM_BITS) // np.maximum(total, 1), 0)
    return (e * factor) >> (SUM_BITS - out_bits)


@dataclass(frozen=True, kw_only=True)
class GeluNumbers:
    """Registers of `gelu_ibert`, signs as published. Bounds for scales of at least 2**-14."""

    left_shift: int  # 5 bits
    b: int  # floor(-1.769 / s), s = scale / 2**left_shift / 1.4142; negative, 17 bits signed
    c: int  # floor(1 / (-.2888 s^2)); negative, 32 bits signed
    shift: int  # 14
    one: int  # floor(1 / (-.2888 s^2 2**14)), what 1 is beside erf; negative, 18 bits signed


def gelu_numbers(scale: float, left_shift: int | None = None) -> GeluNumbers:
    """Registers for inputs of this scale; `left_shift=None` takes the smallest that makes the scale at most 2**-12.

    InputError for scales below 2**-14.
    """
    scale = check_scale("gelu", scale, 14)
    left = fine_left_shift(scale, GELU_FINEST_BITS) if left_shift is None else left_shift
    s = math.ldexp(scale, -left) / GELU_SQRT2
    return GeluNumbers(
        left_shift=left, b=math.floor(GELU_B / s), c=math.floor(1.0 / GELU_A / s**2), shift=GELU_SHIFT,
        one=math.floor(1.0 / (s**2 * GELU_A * 2**GELU_SHIFT)),
    )  # fmt: skip


def gelu_scale(scale: float, left_shift: int | None = None) -> float:
    """What one unit of `gelu_ibert` means, for the same arguments as `gelu_numbers`."""
    left = fine_left_shift(float(scale), GELU_FINEST_BITS) if left_shift is None else left_shift
    s = math.ldexp(float(scale), -left) / GELU_SQRT2
    return float(scale) * s**2 * -GELU_A * 2**GELU_SHIFT / 2


def gelu_ibert(q: np.ndarray, numbers: GeluNumbers) -> np.ndarray:
    """GELU of q, int64 at `gelu_scale`: `-q * (erf + one)`, at most 36 bits signed.

    t = min(|q| << left_shift, -b) + b (17 bits signed, <= 0), erf = (sign(q) * (t^2 + c)) >> 14 (t^2 + c: 32 bits
    signed, <= 0; erf: 18 bits). The published product is q << left_shift times the sum, at a negative scale: the shift
    is left to the scale here and the sign turned.
    """
    q = np.asarray(q, np.int64)
    t = np.minimum(np.abs(q) << numbers.left_shift, -numbers.b) + numbers.b
    erf = (np.sign(q) * (t * t + numbers.c)) >> numbers.shift
    return -q * (erf + numbers.one)


@dataclass(frozen=True, kw_only=True)
class LayerNormNumbers:
    """Registers of `layer_norm_ibert`."""

    n: int  # entries of a row, at most 2**16
    left_shift: int  # x is shifted left to 16 bits: the mean is rounded on the finer grid
    shift: int  # pre-shift of x - mean before it is squared
    variance_bits: int  # the sum of squares is below 2**variance_bits (even)


def layer_norm_numbers(
    n: int, in_bits: int, left_shift: int | None = None, variance_bits: int = VARIANCE_BITS
) -> LayerNormNumbers:
    """Registers for rows of n entries of `in_bits` bits; `left_shift=None` fills up 16 bits.

    shift is the smallest with which no row can overflow `variance_bits`: with x in an interval of width w, the squares
    of x - mean sum to at most n * ((w + 1) / 2)^2, and floor after the shift moves each root by less than 1. (I-BERT
    calibrates its shift in training; its register has 32 bits too.)
    """
    left = INPUT_BITS - in_bits if left_shift is None else left_shift
    if not 1 <= n <= 1 << 16 or not 1 <= in_bits <= INPUT_BITS or not 0 <= left:
        raise InputError(f"layer norm: wanted rows of 1 to 65536 entries of 1 to 16 bits, got {n} of {in_bits} bits")
    if variance_bits % 2 or variance_bits > 62 or 4 * n >= 1 << max(variance_bits, 0):  # no shift brings less than 4 n
        raise InputError(
            f"variance_bits: wanted an even number up to 62 whose power of 2 is above {4 * n}, got {variance_bits}"
        )
    width = ((1 << in_bits) - 1) << left  # largest minus smallest
    shift = 0
    while n * (-(-(width + 1) >> (shift + 1)) + (shift > 0)) ** 2 >= 1 << variance_bits:
        shift += 1
    return LayerNormNumbers(n=n, left_shift=left, shift=shift, variance_bits=variance_bits)


def layer_norm_scale(n: int) -> float:
    """What one unit of `layer_norm_ibert` means: sqrt(n) / 2**30; gamma and beta are folded into the output stage."""
    return math.sqrt(n) / (1 << (NORM_BITS - 1))


def layer_norm_ibert(x: np.ndarray, numbers: LayerNormNumbers) -> np.ndarray:
    """`floor((x - mean) * factor / 2)` of the rows of x (..., n), int64, 32 bits signed.

    x << left_shift has 17 bits signed, its row sum 33; mean is sum / n to the nearest integer, ties to even (the
    published round); y = x - mean 17 bits; sum of (y >> shift)^2 below 2**variance_bits; std = floor(sqrt(sum)) <<
    shift, where a root of 0 counts as 1 (a constant row gives 0; the published code divides by zero); factor =
    floor(2**31 / std), 32 bits; the product 33 bits signed (|y| < 2 * std). There is no epsilon.
    """
    x = np.asarray(x, np.int64) << numbers.left_shift
    mean = divide_half_even(x.sum(axis=-1, keepdims=True), numbers.n)
    y = x - mean
    shifted = y >> numbers.shift
    squares = (shifted * shifted).sum(axis=-1, keepdims=True)
    std = np.maximum(integer_sqrt(squares, numbers.variance_bits), 1) << numbers.shift
    return (y * ((1 << NORM_BITS) // std)) >> 1
