"""Range normalization (Banner et al., NeurIPS 2018) as a row operation: the range in place of the deviation.

`(x - mean) / (C(n) * (max - min))`, C(n) = 1 / sqrt(2 ln n): no squares, no root, one division a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.functions.arithmetic import INPUT_BITS, divide_half_even
from workloads.functions.ibert import NORM_BITS


@dataclass(frozen=True, kw_only=True)
class RangeNormNumbers:
    """Registers of `range_norm`."""

    n: int  # entries of a row, 2 to 2**16
    left_shift: int  # x is shifted left to 16 bits: the mean is rounded on the finer grid


def range_norm_numbers(n: int, in_bits: int, left_shift: int | None = None) -> RangeNormNumbers:
    """Registers for rows of n entries of `in_bits` bits; `left_shift=None` fills up 16 bits."""
    left = INPUT_BITS - in_bits if left_shift is None else left_shift
    if not 2 <= n <= 1 << 16 or not 1 <= in_bits <= INPUT_BITS or not 0 <= left:
        raise InputError(f"range norm: wanted rows of 2 to 65536 entries of 1 to 16 bits, got {n} of {in_bits} bits")
    return RangeNormNumbers(n=n, left_shift=left)


def range_constant(n: int) -> float:
    """C(n) = 1 / sqrt(2 ln n) of rows of n >= 2 entries."""
    return 1.0 / math.sqrt(2.0 * math.log(n))


def range_norm_scale(n: int) -> float:
    """What one unit of `range_norm` means: 1 / (C(n) * 2**30); gain and offset are folded into the output stage."""
    return 1.0 / (range_constant(n) * (1 << (NORM_BITS - 1)))


def range_norm(x: np.ndarray, numbers: RangeNormNumbers) -> np.ndarray:
    """`floor((x - mean) * factor / 2)` of the rows of x (..., n), int64, below 2**30 in magnitude or equal.

    x << left_shift has 17 bits signed, its row sum 33; mean is sum / n to the nearest, ties to even; factor =
    floor(2**31 / (max - min)), 32 bits, the range (17 bits) of a constant row counting as 1: such a row gives 0.
    """
    x = np.asarray(x, np.int64) << numbers.left_shift
    mean = divide_half_even(x.sum(axis=-1, keepdims=True), numbers.n)
    width = np.maximum(x.max(axis=-1, keepdims=True) - x.min(axis=-1, keepdims=True), 1)
    return ((x - mean) * ((1 << NORM_BITS) // width)) >> 1


def range_norm_float(x: np.ndarray) -> np.ndarray:
    """The definition in float64; rows are the last axis and not constant."""
    x = np.asarray(x, np.float64)
    width = x.max(axis=-1, keepdims=True) - x.min(axis=-1, keepdims=True)
    return (x - x.mean(axis=-1, keepdims=True)) / (range_constant(x.shape[-1]) * width)


def chunked_scale(x: np.ndarray, n_chunks: int = 16) -> np.ndarray:
    """The released code's estimate of the deviation of each row: the ranges of `n_chunks` equal chunks, averaged.

    `(mean of the chunks' maxima - mean of their minima) * .175 * (1 + sqrt(pi ln 4)) / sqrt(2 ln n_chunk)`; n_chunk
    is the length of a chunk. InputError where the row does not divide.
    """
    x = np.asarray(x, np.float64)
    if x.shape[-1] % n_chunks or x.shape[-1] < 2 * n_chunks:
        raise InputError(f"range norm: wanted rows of {n_chunks} equal chunks of 2 or more, got {x.shape[-1]} entries")
    chunks = x.reshape(*x.shape[:-1], n_chunks, -1)
    fix = 0.175 * (1 + math.sqrt(math.pi * math.log(4))) * range_constant(chunks.shape[-1])
    return (chunks.max(axis=-1).mean(axis=-1) - chunks.min(axis=-1).mean(axis=-1)) * fix
