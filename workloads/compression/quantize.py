"""Weights at other widths: symmetric, one scale a tensor or one an output channel, biases at the new scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from designs.errors import InputError
from workloads.compression.layers import Weighted, by_layer, chosen_layers, with_tensors
from workloads.ir import Graph, Tensor

Granularity = Literal["tensor", "channel"]
Scales = Literal["largest", "least_squares"]
MOST_BITS = 20
FLOAT_BITS = 20  # of weights that stand for real numbers: errors below 2**-19 of the largest, and biases fit 32 bits
_MOST_BIAS = (1 << 31) - 1
_SHARES = np.arange(4, 21) / 20  # of the largest weight, where a scale of least squares is looked for


class Reals(NamedTuple):
    """The real numbers of a layer, float64."""

    weights: np.ndarray  # in the shape of its weights
    bias: np.ndarray | None  # (out_channels,)


@dataclass(frozen=True, kw_only=True)
class Quantize:
    """The scheme of `quantize_weights`."""

    bits: int | Mapping[str, int]
    granularity: Granularity = "channel"
    scales: Scales = "largest"

    def __call__(self, graph: Graph) -> Graph:
        return quantize_weights(graph, self.bits, granularity=self.granularity, scales=self.scales)


def quantize_weights(
    graph: Graph,
    bits: int | Mapping[str, int],
    *,
    granularity: Granularity = "channel",
    scales: Scales = "largest",
) -> Graph:
    """The graph with weights of `bits` bits (2 to 20), of all layers or of those named; a new graph.

    `q = clip(round_half_even(w / s), -h, h)` with `h = 2**(bits-1) - 1`. `largest`: s = max |w| / h; `least_squares`:
    the share of that, in steps of a twentieth down to a fifth, with the least sum of squared errors, of equals the
    largest. Weights of zero stay zero. A scale is never so small that the bias would not fit 32 bits; where all weights
    are zero it stays what it was. InputError for a layer without weights, or other bits.

    The weights are what the graph's integers mean: those of a traced 8-bit network, or real ones that `with_reals`
    stored in 20 bits.
    """
    return with_tensors(
        graph,
        [
            tensor
            for layer, n_bits in by_layer(graph, bits)
            for tensor in stored(layer, reals_of(layer), n_bits, granularity=granularity, scales=scales)
        ],
    )


def reals(graph: Graph) -> dict[str, Reals]:
    """What the weights and biases of each layer mean, by its name."""
    return {layer.name: reals_of(layer) for layer in chosen_layers(graph)}


def with_reals(graph: Graph, values: Mapping[str, Reals]) -> Graph:
    """The graph with these real weights and biases, stored in 20 bits, one scale a tensor."""
    return with_tensors(
        graph,
        [
            tensor
            for layer in chosen_layers(graph, values)
            for tensor in stored(layer, values[layer.name], FLOAT_BITS, granularity="tensor")
        ],
    )


def reals_of(layer: Weighted) -> Reals:
    """What a layer's integers mean."""
    return Reals(layer.real_weights, layer.real_bias)


def stored(
    layer: Weighted, values: Reals, bits: int, *, granularity: Granularity = "channel", scales: Scales = "largest"
) -> list[Tensor]:
    """The tensors, weights and then the bias if any, that store real numbers in `bits` bits."""
    if type(bits) is not int or not 2 <= bits <= MOST_BITS:
        raise InputError(f"{layer.name}: bits: wanted 2 to {MOST_BITS} for a weight, got {bits!r}")
    high = (1 << (bits - 1)) - 1
    scale = _scale(layer, values, high, granularity, scales)
    along = layer.scale_along(scale)
    weights = replace(
        layer.weights, bits=bits, signed=True, scale=scale, axis=None if scale.size == 1 else layer.out_axis,
        data=np.clip(np.rint(values.weights / along), -high, high).astype(np.int64),
    )  # fmt: skip
    if layer.bias is None or values.bias is None:
        return [weights]
    steps = np.rint(values.bias / (float(layer.x.scale[0]) * scale.astype(np.float64)))
    return [weights, replace(layer.bias, data=np.clip(steps, -_MOST_BIAS, _MOST_BIAS).astype(np.int64))]


def _scale(layer: Weighted, values: Reals, high: int, granularity: Granularity, scales: Scales) -> np.ndarray:
    """float32 (1,) or (out_channels,)."""
    rows = np.moveaxis(values.weights, layer.out_axis, 0)
    rows = rows.reshape(1, -1) if granularity == "tensor" else rows.reshape(len(rows), -1)
    largest = np.abs(rows).max(axis=1)
    found = largest / high
    if scales == "least_squares":
        found = found * _best_shares(rows, largest, high)
    before = layer.weights.scale.astype(np.float64)
    found = np.where(largest > 0, found, before.max() if granularity == "tensor" else before)
    if values.bias is not None:
        biases = np.abs(values.bias)
        least = biases.max(initial=0.0) if granularity == "tensor" else biases
        found = np.maximum(found, least / (float(layer.x.scale[0]) * _MOST_BIAS))
    return np.maximum(found, np.finfo(np.float32).tiny).astype(np.float32)


def _best_shares(rows: np.ndarray, largest: np.ndarray, high: int) -> np.ndarray:
    """Of each row, the share of the largest magnitude that as the scale of `high` has the least squared error."""
    best = np.ones(len(rows))
    least = np.full(len(rows), np.inf)
    step = np.where(largest > 0, largest, 1.0) / high
    for share in _SHARES[::-1]:
        scaled = rows / (step * share)[:, None]
        error = ((np.clip(np.rint(scaled), -high, high) - scaled) ** 2).sum(axis=1) * (step * share) ** 2
        better = error < least
        best, least = np.where(better, share, best), np.where(better, error, least)
    return best
