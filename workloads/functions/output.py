"""The output stage of the vector unit: a wide integer to a stored one, with a bias and a multiplier of each channel.

`y = clip((((v + bias) * multiplier + half) >> shift) + zero, low, high)`, half = 2**(shift-1), or 0 where shift is 0:
the fixed-point rule of `workloads.requantize`, with the bias before it and a multiplier that may be negative (gamma
may be). Widths: v 40 bits signed (norms 32, GELU at most 37), bias 40 signed, v + bias 41, multiplier a sign and
`multiplier_bits` (16 by default: the product has 57 bits; 31 at most), shift 6 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.requantize import fixed_multiplier, requantize

VALUE_BITS = 40  # of v and of the bias, signed
MAX_MULTIPLIER_BITS = 31


@dataclass(frozen=True, kw_only=True)
class OutputNumbers:
    """Registers of the output stage; bias, multiplier and shift have one entry, or one for each channel (last axis)."""

    bias: tuple[int, ...]
    multiplier: tuple[int, ...]
    shift: tuple[int, ...]
    zero: int
    low: int
    high: int


def output_numbers(
    scale: float, out_scale: float, *, zero: int, low: int, high: int,
    gain: np.ndarray | None = None, offset: np.ndarray | None = None, multiplier_bits: int = 16,
) -> OutputNumbers:  # fmt: skip
    """Registers for `v * scale * gain + offset`, stored at `out_scale` and `zero`; gain and offset are (n_channels,).

    float64 throughout. bias = floor(offset / (scale * gain)), as I-BERT folds beta; |multiplier| / 2**shift is nearest
    to scale * |gain| / out_scale. Where the bias would need more than 40 bits (in a layer norm: |beta| above
    512 sqrt(n) |gamma|) the gain is raised in magnitude until it fits, which moves the result by at most
    |v * offset| * 2**-39.
    """
    if not 1 <= multiplier_bits <= MAX_MULTIPLIER_BITS:
        raise InputError(f"multiplier_bits: wanted 1 to {MAX_MULTIPLIER_BITS}, got {multiplier_bits}")
    factor = np.atleast_1d(np.asarray(1.0 if gain is None else gain, np.float64)) * float(scale)
    added = np.atleast_1d(np.asarray(0.0 if offset is None else offset, np.float64))
    factor, added = np.broadcast_arrays(factor, added)
    largest = float((1 << (VALUE_BITS - 1)) - 1)
    fits = np.maximum(np.abs(factor), np.abs(added) / largest)
    factor = np.where(factor < 0, -fits, fits)
    used = factor != 0
    quotient = np.divide(added, factor, out=np.zeros(factor.shape), where=used)
    bias = np.clip(np.floor(quotient), -largest, largest)
    m, shift = fixed_multiplier(np.where(used, np.abs(factor) / float(out_scale), 1.0), multiplier_bits)
    m = np.where(used, np.where(factor < 0, -m, m), 0)
    return OutputNumbers(bias=_ints(bias), multiplier=_ints(m), shift=_ints(shift), zero=zero, low=low, high=high)


def requantize_wide(v: np.ndarray, numbers: OutputNumbers) -> np.ndarray:
    """Stored integers (int64) of v (..., n_channels); InputError where v does not fit 40 bits."""
    v = np.asarray(v, np.int64)
    limit = 1 << (VALUE_BITS - 1)
    if v.size and not (-limit <= int(v.min()) and int(v.max()) < limit):
        raise InputError(f"vector output: wanted values of {VALUE_BITS} bits, got {v.min()} to {v.max()}")
    bias, m, shift = (np.asarray(a, np.int64) for a in (numbers.bias, numbers.multiplier, numbers.shift))
    t = np.where(m < 0, -1, 1) * (v + bias)
    return requantize(t, np.abs(m), shift, numbers.zero, numbers.low, numbers.high)


def _ints(values: np.ndarray) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
