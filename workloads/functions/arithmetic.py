"""What the integer functions share: exact divisions and roots as circuits do them, and the grid they work on."""

from __future__ import annotations

import math

import numpy as np

from designs.errors import InputError

INPUT_BITS = 16  # widest stored input of a vector function
COARSEST_BITS = 8


def fine_left_shift(scale: float, finest_bits: int) -> int:
    """Smallest shift >= 0 with `scale / 2**shift <= 2**-finest_bits`: x << shift at the finer scale is the same number.

    I-BERT's polynomials round their coefficients to the grid of x; on a coarse grid (8-bit edges) that costs more
    than the polynomial itself.
    """
    mantissa, exponent = math.frexp(scale)  # scale = mantissa * 2**exponent, mantissa in [1/2, 1)
    return max(0, exponent + finest_bits - (mantissa == 0.5))


def exact_reciprocal(divisor: int, most: int) -> tuple[int, int]:
    """(multiplier, shift) with `(n * multiplier) >> shift == n // divisor` for every 0 <= n <= most; shift is minimal.

    multiplier = ceil(2**shift / divisor) = (2**shift + e) / divisor is exact for all n <= most once e * most < 2**shift
    (Granlund and Montgomery 1994): the error n * e / (divisor * 2**shift) stays below 1 / divisor.
    """
    if divisor < 1 or most < 0:
        raise InputError(f"reciprocal: wanted a divisor of at least 1 and most >= 0, got {divisor} and {most}")
    shift = 0
    while True:
        multiplier = -(-(1 << shift) // divisor)
        if (multiplier * divisor - (1 << shift)) * most < 1 << shift:
            return multiplier, shift
        shift += 1


def divide_half_even(total: np.ndarray, n: int) -> np.ndarray:
    """total / n rounded to the nearest integer, ties to even: floor division, then the remainder decides."""
    quotient = total // n
    twice = 2 * (total - quotient * n)
    return quotient + ((twice > n) | ((twice == n) & (quotient & 1 == 1)))


def integer_sqrt(values: np.ndarray, bits: int) -> np.ndarray:
    """floor(sqrt(values)) of int64 values below 2**bits, one bit of the root a step (bits even, at most 62)."""
    rest = np.asarray(values, np.int64).copy()
    root = np.zeros_like(rest)
    bit = 1 << (bits - 2)
    while bit:
        take = rest >= root + bit
        rest = np.where(take, rest - root - bit, rest)
        root = (root >> 1) + np.where(take, bit, 0)
        bit >>= 2
    return root


def integer_sqrt_newton(value: int) -> tuple[int, int]:
    """(floor(sqrt(value)), iterations) by I-BERT's Algorithm 4: Newton from 2**ceil(bits/2) until it stops falling."""
    if value == 0:
        return 0, 0
    root = 1 << -(-value.bit_length() // 2)
    n_iterations = 0
    while True:
        n_iterations += 1
        following = (root + value // root) >> 1
        if following >= root:
            return root, n_iterations
        root = following


def check_scale(what: str, scale: float, finest_bits: int) -> float:
    """The scale as a float64; InputError where it is not from 2**-finest_bits to 2**8 (registers have their widths)."""
    value = float(scale)
    if not math.ldexp(1.0, -finest_bits) <= value <= 1 << COARSEST_BITS:
        raise InputError(
            f"{what}: wanted an input scale from 2**-{finest_bits} to 2**{COARSEST_BITS}, got {value:g}; "
            "quantize the input with another one"
        )
    return value
