"""From an exact sum to a stored integer: the rounding modes, each exact in its own right.

- `float32`: `round_half_even(float32(t) * scale)`, ONNX Runtime's rule for integer operators.
- `multiplier_shift`: `(t * m + half) >> shift` with a fixed-point multiplier, as the tensor machine's output path.
- `shift`: the same with the scale rounded to the nearest power of two.

Then the zero point is added and the sum is clipped.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from designs.errors import InputError

Rounding = Literal["float32", "multiplier_shift", "shift"]
MAX_SHIFT = 63


def check_rounding(rounding: str) -> None:
    """Raise InputError where `rounding` is not the name of a rounding mode."""
    if rounding not in get_args(Rounding):
        raise InputError(f"rounding: wanted one of {', '.join(get_args(Rounding))}, got {rounding!r}")


def fixed_multiplier(scale: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(m, shift), int64 and of the shape of `scale`, with m / 2**shift nearest to each positive scale.

    m is normalized, 2**(bits-1) <= m < 2**bits, and rounded half up. A scale too small for that keeps a shift
    of 63 and a smaller m, down to 0. A scale of 2**bits or more would need a negative shift: InputError.
    """
    mantissa, exponent = np.frexp(_positive(scale))
    m = np.floor(np.ldexp(mantissa, bits) + 0.5).astype(np.int64)
    carry = m == 1 << bits
    m = np.where(carry, m >> 1, m)
    shift = bits - (exponent.astype(np.int64) + carry)
    if np.any(shift < 0):
        raise InputError(f"scale: wanted below 2**{bits} for a {bits}-bit multiplier, got {float(np.max(scale)):g}")
    tiny = shift > MAX_SHIFT
    smaller = np.floor(np.ldexp(np.where(tiny, _positive(scale), 0.0), MAX_SHIFT) + 0.5).astype(np.int64)
    m = np.where(tiny, smaller, m)
    return m, np.where(tiny, MAX_SHIFT, shift)


def power_of_two_shift(scale: np.ndarray) -> np.ndarray:
    """Shift, int64, with 2**-shift nearest to each positive scale in log2; at most 63.

    A scale whose nearest power of two is above 1 would need a negative shift: InputError.
    """
    shift = _nearest_exponent(scale)
    if np.any(shift < 0):
        raise InputError(f"scale: wanted at most 1 (to the nearest power of two) to shift right, got {np.max(scale):g}")
    return np.minimum(shift, MAX_SHIFT)


def fixed_multiplier_pair(
    scales: tuple[float, float], bits: int, rounding: Literal["multiplier_shift", "shift"] = "multiplier_shift"
) -> tuple[int, int, int]:
    """(m1, m2, s) of an addition: m1 / 2**s and m2 / 2**s are nearest to the two positive scales.

    s is shared: the larger multiplier is normalized to `bits` bits, the other rounded half up (it may be 0). With
    rounding "shift" both are powers of two of at most 2**(bits-1), or 0 where the scales differ by more than that.
    """
    values = _positive(np.asarray(scales, dtype=np.float64))
    if rounding == "shift":
        shifts = [int(v) for v in _nearest_exponent(values)]
        shared = min(bits - 1 + min(shifts), MAX_SHIFT)
        if shared < 0:
            raise InputError(f"residual scale: wanted below 2**{bits}, got {values.max():g}")
        first, second = (1 << (shared - s) if s <= shared else 0 for s in shifts)
        return first, second, shared
    _, shift = fixed_multiplier(np.asarray([values.max()]), bits)
    shared = int(shift[0])
    first, second = (int(np.floor(np.ldexp(v, shared) + 0.5)) for v in values)
    return first, second, shared


def requantize(
    t: np.ndarray, m: np.ndarray | int, shift: np.ndarray | int, zero: int, low: int, high: int
) -> np.ndarray:
    """`clip(((t * m + half) >> shift) + zero, low, high)`, int64, exact; half is 2**(shift-1), or 0 where shift is 0.

    t is an integer array with |t| < 2**49, 0 <= m < 2**31, 0 <= shift <= 63; m and shift broadcast against t.
    """
    t = np.asarray(t, dtype=np.int64)
    m = np.asarray(m, dtype=np.int64)
    shift = np.asarray(shift, dtype=np.int64)
    if t.size == 0:
        return t
    if int(np.abs(t).max()) * int(m.max()) < 1 << 62:
        half = np.where(shift > 0, np.left_shift(1, np.maximum(shift - 1, 0)), 0)
        y = (t * m + half) >> shift
        return np.clip(y, low - zero, high - zero) + zero
    wide = t.astype(object) * m.astype(object)  # beyond 63 bits: Python's integers
    half = np.frompyfunc(lambda s: (1 << int(s)) >> 1, 1, 1)(shift)
    y = np.frompyfunc(lambda p, s: int(p) >> int(s), 2, 1)(wide + half, shift)
    return np.clip(y, low - zero, high - zero).astype(np.int64) + zero


def requantize_float32(t: np.ndarray, scale: np.ndarray, zero: int, low: int, high: int) -> np.ndarray:
    """`clip(round_half_even(float32(t) * scale) + zero, low, high)`, int64, the product in float32."""
    y = np.rint(np.asarray(t).astype(np.float32) * np.asarray(scale, dtype=np.float32))
    return np.clip(y.astype(np.float64), low - zero, high - zero).astype(np.int64) + zero


def apply_scale(
    t: np.ndarray, scale: np.ndarray, zero: int, low: int, high: int, *, rounding: str, multiplier_bits: int = 16
) -> np.ndarray:
    """`t` times the float32 `scale` (broadcasts against t) in the named rounding mode, plus `zero`, clipped; int64."""
    if rounding == "float32":
        return requantize_float32(t, scale, zero, low, high)
    if rounding == "shift":
        return requantize(t, 1, power_of_two_shift(scale), zero, low, high)
    check_rounding(rounding)
    m, shift = fixed_multiplier(scale, multiplier_bits)
    return requantize(t, m, shift, zero, low, high)


def _positive(scale: np.ndarray) -> np.ndarray:
    """The scales as float64; InputError where one is not a positive finite number."""
    values = np.asarray(scale, dtype=np.float64)
    if not np.all(np.isfinite(values) & (values > 0)):
        raise InputError(f"scale: wanted positive finite numbers, got {np.asarray(scale).tolist()}")
    return values


def _nearest_exponent(scale: np.ndarray) -> np.ndarray:
    """-log2 of the power of two nearest to each scale in log2."""
    mantissa, exponent = np.frexp(_positive(scale))
    # mantissa in [0.5, 1): at least sqrt(1/2) is nearer to 1; the square is compared so that no root is rounded
    return np.where(mantissa * mantissa >= 0.5, -exponent, 1 - exponent).astype(np.int64)
