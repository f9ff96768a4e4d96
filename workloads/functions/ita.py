"""The streaming softmax of ITA (Islamoglu et al., ISLPED 2023, and its released model) in integers.

Powers of two take the place of powers of e, so an exponential is a shift. A row comes in blocks, and the sum so far is
shifted when the maximum moves: one pass finds maximum and sum, a second one the outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from workloads.functions.arithmetic import check_scale
from workloads.requantize import fixed_multiplier

BLOCK = 16  # columns of a published block
FRACTION_BITS = 16  # of the terms inside a block's sum
MAX_SHIFT = 63
MULTIPLIER_BITS = 16
_NO_MAXIMUM = -(1 << 31)


@dataclass(frozen=True, kw_only=True)
class ItaNumbers:
    """Registers of `softmax_ita`: a difference d (17 bits) halves `(d * multiplier + half) >> shift` times."""

    multiplier: int  # 16 bits: log2(e) * scale = multiplier / 2**shift
    shift: int  # 6 bits


def ita_numbers(scale: float) -> ItaNumbers:
    """Registers for inputs of this scale. Published: 8 bits, log2(e) * scale = R * 8 / 256 (R = 32 in the code: 1).

    InputError for scales outside 2**-15 .. 2**8.
    """
    scale = check_scale("softmax", scale, 15)
    m, shift = fixed_multiplier(np.asarray([scale * math.log2(math.e)]), MULTIPLIER_BITS)
    return ItaNumbers(multiplier=int(m[0]), shift=int(shift[0]))


def softmax_ita(
    x: np.ndarray, numbers: ItaNumbers, valid: np.ndarray, out_bits: int, block: int = BLOCK
) -> np.ndarray:
    """Softmax of the rows of x (..., n), int64 in 0 .. 2**out_bits - 1; valid as in `softmax_ibert`.

    With halvings(d) = min((d * multiplier + half) >> shift, 63), for each block of `block` columns: maximum' = max of
    the maximum so far and the block's; sum' = (sum >> halvings(maximum' - maximum)) + floor(t / 2**16), where t adds
    2**(out_bits + 16) >> halvings(maximum' - x) over the entries of the block that take part. Then inverse =
    floor((2**out_bits - 1) * 2**out_bits / sum) and out = inverse >> halvings(maximum - x). The published model sums a
    block's terms as real numbers and floors that: the 16 bits of fraction stand for it. Before the first block the sum
    is 0 and nothing is shifted. Widths: sum out_bits + 17 (rows of 2**16 entries), inverse out_bits.
    """
    x = np.asarray(x, np.int64)
    n = x.shape[-1]
    taking = np.broadcast_to(np.arange(n) < np.asarray(valid, np.int64)[..., None], x.shape)
    seen = np.where(taking, x, _NO_MAXIMUM)
    largest = np.full(x.shape[:-1], _NO_MAXIMUM, np.int64)
    total = np.zeros(x.shape[:-1], np.int64)
    for first in range(0, n, block):
        part = seen[..., first : first + block]
        moved = np.maximum(largest, part.max(axis=-1))
        halvings = _halvings(moved[..., None] - part, numbers)
        terms = (1 << (out_bits + FRACTION_BITS)) >> halvings
        terms = np.where(taking[..., first : first + block], terms, 0)
        total = (total >> _halvings(moved - largest, numbers)) + (terms.sum(axis=-1) >> FRACTION_BITS)
        largest = moved
    inverse = (((1 << out_bits) - 1) << out_bits) // np.maximum(total, 1)
    out = inverse[..., None] >> _halvings(largest[..., None] - seen, numbers)
    return np.where(taking, out, 0)


def _halvings(difference: np.ndarray, numbers: ItaNumbers) -> np.ndarray:
    half = (1 << numbers.shift) >> 1
    return np.minimum((difference * numbers.multiplier + half) >> numbers.shift, MAX_SHIFT)
