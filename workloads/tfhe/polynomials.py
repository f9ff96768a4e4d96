"""Exact products of polynomials modulo X^N + 1 and 2^32, by a floating-point FFT whose error is bounded.

Words are cut into two signed halves of 16 bits, factors into pieces of at most 11, so that the FFT sums small numbers.
A cyclic product of x and y by complex FFTs of M = N/2 points in double precision errs by less than ||x|| ||y|| c,
c = 2^-53 (3 log2 M (2 + sqrt 5) + 10): the form of Brent, Percival, Zimmermann, Math. Comp. 76 (2007), theorem 5.1
(recalled), with a unit for each twiddle, folding and sum. `error_bound` is that. Products whose bound is not below 1/4
are refused, and every result is checked to lie within 1/4 of an integer. Tests hold all this to wrapping integers.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

PIECE_BITS = 11
_CHUNK_VALUES = 1 << 21  # complex values at once: 32 MB


def sum_of_products(factors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Sums over r of factors[.., r, :] * words[r, c, :] modulo X^N + 1 and 2^32.

    factors: (batch, r, N) integers of magnitude up to 2^30. words: (r, c, N) uint32. Returns (batch, c, N) uint32.
    """
    n_batch, n_rows, ring_degree = factors.shape
    n_columns = words.shape[1]
    largest = int(max(factors.max(initial=0), -factors.min(initial=0)))
    pieces = _pieces(factors, largest)
    bound = error_bound(n_rows, ring_degree, min(largest, 1 << PIECE_BITS - 1))
    if bound >= 0.25:
        raise ValueError(f"wanted a product whose error is below 1/4, got {bound}: {n_rows} rows of {ring_degree}")
    halves = [_forward(half) for half in _halves(words)]
    result = np.zeros((n_batch, n_columns, ring_degree), np.uint32)
    step = max(1, _CHUNK_VALUES // (max(n_rows, n_columns) * ring_degree))
    for low in range(0, n_batch, step):
        chunk = slice(low, low + step)
        for piece, piece_shift in pieces:
            transformed = _forward(piece[chunk])
            for half, half_shift in zip(halves, (0, 16), strict=True):
                if piece_shift + half_shift < 32:
                    sums = _integers(_inverse(np.einsum("brm,rcm->bcm", transformed, half)))
                    result[chunk] += sums.astype(np.uint32) << np.uint32(piece_shift + half_shift)
    return result


def error_bound(n_rows: int, ring_degree: int, largest: int) -> float:
    """What the FFT may err by in a sum of `n_rows` products of factors up to `largest` with halves of words."""
    stages = max(1, ring_degree.bit_length() - 2)
    return n_rows * ring_degree * largest * 2.0**15 * 2.0**-53 * (3 * stages * (2 + math.sqrt(5)) + 10)


def rotate(polynomials: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """X^exponent times the polynomial, modulo X^N + 1. polynomials: (batch, .., N) uint32; exponents: (batch,), any."""
    ring_degree = polynomials.shape[-1]
    sources = np.arange(ring_degree) - np.asarray(exponents, np.int64).reshape(-1, *[1] * (polynomials.ndim - 1))
    rotated = np.take_along_axis(polynomials, np.broadcast_to(sources % ring_degree, polynomials.shape), axis=-1)
    return np.where(sources % (2 * ring_degree) >= ring_degree, -rotated, rotated)


def _halves(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(low, high), each in -2^15..2^15, with words = low + 2^16 high modulo 2^32."""
    signed = words.view(np.int32).astype(np.int64)
    low = ((signed + (1 << 15)) & 0xFFFF) - (1 << 15)
    return low, (signed - low) >> 16


def _pieces(factors: np.ndarray, largest: int) -> list[tuple[np.ndarray, int]]:
    """(signed piece, shift) whose sum gives the factors back."""
    found, rest, shift = [], factors.astype(np.int64), 0
    while largest > 1 << PIECE_BITS - 1:
        low = ((rest + (1 << PIECE_BITS - 1)) & ((1 << PIECE_BITS) - 1)) - (1 << PIECE_BITS - 1)
        found.append((low, shift))
        rest, shift, largest = (rest - low) >> PIECE_BITS, shift + PIECE_BITS, (largest >> PIECE_BITS) + 1
    return [*found, (rest, shift)]


@lru_cache(maxsize=16)
def _twists(ring_degree: int) -> np.ndarray:
    return np.exp(1j * np.pi * np.arange(ring_degree // 2) / ring_degree)


def _forward(values: np.ndarray) -> np.ndarray:
    """The polynomial at exp(i pi (4 y + 1)/N), y < N/2: of each pair of conjugate roots of X^N + 1 one."""
    half = values.shape[-1] // 2
    return np.fft.ifft((values[..., :half] + 1j * values[..., half:]) * _twists(2 * half), norm="forward")


def _inverse(points: np.ndarray) -> np.ndarray:
    folded = np.fft.fft(points, norm="forward") * _twists(2 * points.shape[-1]).conj()
    return np.concatenate([folded.real, folded.imag], axis=-1)


def _integers(values: np.ndarray) -> np.ndarray:
    rounded = np.rint(values)
    error = float(np.abs(values - rounded).max(initial=0.0))
    if not error < 0.25:
        raise ArithmeticError(f"a product is {error} from an integer, 1/4 or more")
    return rounded.astype(np.int64)
