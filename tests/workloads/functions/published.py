"""The released code of I-BERT (quant_modules.py) and ITA's released model, in float64: what the integers are held to."""

from __future__ import annotations

import numpy as np


def exp(q: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """(integers, their scale) of IntSoftmax.int_exp for q <= 0."""
    x0 = np.floor(-0.6931 / scale)
    q = np.maximum(q, 30 * x0)
    z = np.floor(q / x0)
    r = q - x0 * z
    b, c = np.floor(0.96963238 / 0.35815147 / scale), np.floor(1 / 0.35815147 / scale**2)
    poly = r * (r + b) + c
    return np.maximum(np.floor(poly * 2.0 ** (30 - z)), 0), 0.35815147 * scale**2 / 2.0**30


def softmax(x: np.ndarray, scale: float, out_bits: int) -> np.ndarray:
    """IntSoftmax.forward of whole rows; QuantAct(16) has seen exp(0) as its largest value."""
    integers, exp_scale = exp(x - x.max(axis=-1, keepdims=True), scale)
    largest, _ = exp(np.zeros(1), scale)
    act_scale = largest[0] * exp_scale / 32767
    mantissa, exponent = np.frexp(exp_scale / act_scale)
    m = np.floor(mantissa * 2.0**31 + 0.5)
    e = np.clip(np.rint(integers * m / 2.0 ** (31 - exponent)), -32768, 32767)
    factor = np.floor(2.0**32 / e.sum(axis=-1, keepdims=True))
    return np.floor(e * factor / 2.0 ** (32 - out_bits))


def gelu(x: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """(integers, their scale, which is negative) of IntGELU."""
    s = scale / 1.4142
    b, c = np.floor(-1.769 / s), np.floor(1 / -0.2888 / s**2)
    erf = np.floor(np.sign(x) * ((np.minimum(np.abs(x), -b) + b) ** 2 + c) / 2**14)
    erf_scale = s**2 * -0.2888 * 2**14
    return x * (erf + np.floor(1 / erf_scale)), scale * erf_scale / 2


def layer_norm(x: np.ndarray, shift: int) -> np.ndarray:
    """IntLayerNorm without weight and bias, at scale sqrt(n) / 2**30."""
    y = x - np.rint(x.mean(axis=-1, keepdims=True))
    variance = (np.floor(y / 2.0**shift) ** 2).sum(axis=-1, keepdims=True)
    std = np.floor(np.sqrt(variance)) * 2**shift
    return np.floor(y * np.floor(2.0**31 / std) / 2)


def ita(x: np.ndarray) -> np.ndarray:
    """ITA's streaming partial softmax of 8-bit rows (whole blocks of 16), R = 32."""
    eps = 32 * 8 / 256
    largest = np.full(x.shape[:-1], -128.0)
    total = np.zeros(x.shape[:-1])
    for first in range(0, x.shape[-1], 16):
        part = x[..., first : first + 16]
        moved = np.maximum(largest, part.max(axis=-1))
        shift = np.floor((moved[..., None] - part) * eps + 0.5)
        terms = np.floor((256 / 2.0**shift).sum(axis=-1))
        total = np.floor(total / 2.0 ** np.floor((moved - largest) * eps + 0.5)) + terms
        largest = moved
    inverse = np.floor(255 * 256 / total)
    return np.floor(inverse[..., None] / 2.0 ** np.floor((largest[..., None] - x) * eps + 0.5))
