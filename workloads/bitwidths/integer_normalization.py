"""Integer channel normalization (ICN, Rusci et al. 2020): batch normalization, bias and scales as integers a channel.

A layer's integer sum phi (at scale `s_i * s_w`) means the real number that batch normalization takes to
`gamma / sigma * (phi * s_i * s_w + bias - mean) + beta`. In steps of the output's scale `s_o` that is `M * (phi + B)`
with, for each channel,

    M = gamma / sigma * s_i * s_w / s_o = M0 * 2**N0,  0.5 <= |M0| < 1 in 32 bits,
    B = round((bias - mean + beta * sigma / gamma) / (s_i * s_w)),
    y = clip(Z_y + floor(M0 * 2**N0 * (phi + B)), 0, 2**b - 1).

The machine's requantizer (`workloads.requantize`) has multipliers without a sign and rounds to the nearest instead of
down: a negative M turns the signs of the channel's weights, and half an output step in B makes one rounding the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from designs.errors import InputError

FRACTION_BITS = 31  # of M0


@dataclass(frozen=True, kw_only=True)
class ChannelConstants:
    """Integers of each channel: M0 in 31 fraction bits, N0, B. int64 (channels,)."""

    m0: np.ndarray
    n0: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, kw_only=True)
class BatchNorm:
    """`gamma * (x - mean) / sigma + beta`, each (channels,); sigma is the root of variance plus epsilon."""

    gamma: np.ndarray
    sigma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray


def channel_constants(
    norm: BatchNorm, bias: np.ndarray, in_scale: float, weight_scale: np.ndarray, out_scale: float
) -> ChannelConstants:
    """The integers of ICN; `weight_scale` is one or one a channel. InputError where gamma or sigma is 0."""
    if np.any(norm.gamma == 0) or np.any(norm.sigma <= 0):
        raise InputError("batch normalization: wanted gamma other than 0 and sigma above 0 in every channel")
    sum_scale = in_scale * np.asarray(weight_scale, np.float64)
    real = norm.gamma / norm.sigma * sum_scale / out_scale
    mantissa, exponent = np.frexp(real)
    m0 = np.rint(np.ldexp(mantissa, FRACTION_BITS)).astype(np.int64)
    carried = np.abs(m0) == 1 << FRACTION_BITS
    constant = (bias - norm.mean + norm.beta * norm.sigma / norm.gamma) / sum_scale
    n0 = exponent.astype(np.int64) + carried
    return ChannelConstants(m0=np.where(carried, m0 // 2, m0), n0=n0, bias=np.rint(constant).astype(np.int64))


def normalized(sums: np.ndarray, constants: ChannelConstants, zero: int, bits: int) -> np.ndarray:
    """y, int64, of integer sums (..., channels): exact, in Python's integers where 63 bits are too few."""
    product = constants.m0.astype(object) * (sums.astype(object) + constants.bias.astype(object))
    shift = FRACTION_BITS - constants.n0
    floored = np.frompyfunc(lambda p, s: p >> s if s >= 0 else p << -s, 2, 1)(product, shift.astype(object))
    return np.clip(floored + zero, 0, (1 << bits) - 1).astype(np.int64)


def folded(
    norm: BatchNorm, weights: np.ndarray, bias: np.ndarray, in_scale: float, weight_scale: np.ndarray, out_scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(weights, bias, scale) that make a layer of the IR compute the same, within one step: for `conv` and `matmul`.

    weights are stored integers with channels along the first axis, bias the real one; the results are int64 stored
    weights (signs of channels with a negative M turned), int64 stored biases at the sums' scale, and the real scale
    that the requantizer makes a multiplier and a shift of, |M| (channels,).
    """
    constants = channel_constants(norm, bias, in_scale, weight_scale, out_scale)
    sign = np.sign(constants.m0)
    scale = np.abs(norm.gamma / norm.sigma * in_scale * np.asarray(weight_scale, np.float64) / out_scale)
    along = sign.reshape(-1, *[1] * (weights.ndim - 1))
    return weights * along, constants.bias * sign, scale
