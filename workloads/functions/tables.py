"""GELU and exp by tables of 256 entries, indexed by a distance of 0 or more requantised to 8 bits.

exp is looked up at max - x. GELU is max(x, 0) plus a small even function, -|x| * Phi(-|x|), that is 0 beyond |x| = 4:
that is what its table holds, so large x pass through exactly and 256 entries are enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from workloads.functions.arithmetic import check_scale, fine_left_shift
from workloads.functions.ibert import EXP_ONE, GELU_FINEST_BITS, below_maximum, normalize_rows
from workloads.requantize import fixed_multiplier

N_ENTRIES = 256
EXP_REACH = math.log(2 * EXP_ONE)  # beyond it exp rounds to 0
GELU_REACH = 4.0
MULTIPLIER_BITS = 16


@dataclass(frozen=True, kw_only=True)
class TableNumbers:
    """A table of 256 entries, read at `min((d * multiplier + half) >> shift, 255)` of a distance d >= 0 (17 bits)."""

    multiplier: int  # 16 bits; the product has 33
    shift: int  # 6 bits
    entries: tuple[int, ...]  # exp: 0 to 32767 (15 bits); GELU: -2786 to 0 (13 bits signed)
    left_shift: int  # GELU: max(q, 0) is shifted left to the grid of the entries; exp: 0


def exp_table_numbers(scale: float) -> TableNumbers:
    """exp(-d * scale) at 32767 = 1. The step is ln(65534) / 255, or the scale where it is coarser (then exact)."""
    scale = check_scale("softmax", scale, 15)
    step = max(scale, EXP_REACH / (N_ENTRIES - 1))
    m, shift = fixed_multiplier(np.asarray([scale / step]), MULTIPLIER_BITS)
    entries = np.floor(EXP_ONE * np.exp(-step * np.arange(N_ENTRIES)) + 0.5)
    return TableNumbers(
        multiplier=int(m[0]), shift=int(shift[0]), entries=tuple(int(e) for e in entries), left_shift=0
    )


def gelu_table_numbers(scale: float) -> TableNumbers:
    """GELU at `gelu_table_scale`; the step is 4 / 255, or the scale where it is coarser. The last entry is 0."""
    scale = check_scale("gelu", scale, 14)
    step = max(scale, GELU_REACH / (N_ENTRIES - 1))
    m, shift = fixed_multiplier(np.asarray([scale / step]), MULTIPLIER_BITS)
    distances = step * np.arange(N_ENTRIES - 1)
    below = np.asarray([-d * math.erfc(d / math.sqrt(2)) / 2 for d in distances])
    entries = np.floor(below / gelu_table_scale(scale) + 0.5)
    return TableNumbers(
        multiplier=int(m[0]), shift=int(shift[0]), entries=(*(int(e) for e in entries), 0),
        left_shift=fine_left_shift(scale, GELU_FINEST_BITS),
    )  # fmt: skip


def gelu_table_scale(scale: float) -> float:
    """What one unit of `gelu_table` means: the input's scale, halved until it is at most 2**-12."""
    return math.ldexp(float(scale), -fine_left_shift(float(scale), GELU_FINEST_BITS))


def gelu_table(q: np.ndarray, numbers: TableNumbers) -> np.ndarray:
    """`(max(q, 0) << left_shift) + entry(|q|)`, int64 at `gelu_table_scale`; at most 37 bits signed."""
    q = np.asarray(q, np.int64)
    return (np.maximum(q, 0) << numbers.left_shift) + look_up(np.abs(q), numbers)


def softmax_table(x: np.ndarray, numbers: TableNumbers, valid: np.ndarray, out_bits: int) -> np.ndarray:
    """As `softmax_ibert`, e = entry(max - x) of `exp_table_numbers` in place of the polynomial."""
    taking, difference = below_maximum(x, valid)
    return normalize_rows(np.where(taking, look_up(difference, numbers), 0), out_bits)


def look_up(distance: np.ndarray, numbers: TableNumbers) -> np.ndarray:
    """The entry (int64) at each distance >= 0."""
    half = (1 << numbers.shift) >> 1
    index = np.minimum((distance * numbers.multiplier + half) >> numbers.shift, N_ENTRIES - 1)
    return np.asarray(numbers.entries, np.int64)[index]
