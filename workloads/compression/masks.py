"""Weights that are set to zero: by magnitude, in blocks, n of m."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from designs.errors import InputError
from workloads.compression.channels import pixels_a_channel
from workloads.compression.layers import Weighted, by_layer, chosen_layers, smallest, with_tensors
from workloads.ir import Graph, Tensor
from workloads.pruning.n_of_m import NOfM, magnitude_mask


@dataclass(frozen=True, kw_only=True)
class Magnitude:
    """Each layer's `round_half_up(sparsity * n)` weights of the smallest magnitudes are zero.

    `sparsity` is one for all layers, or that of each layer named. Of equal magnitudes the later ones go, in row-major
    order. Weights that are zero already are the first of them.
    """

    sparsity: float | Mapping[str, float]

    def __call__(self, graph: Graph) -> Graph:
        new = []
        for layer, share in by_layer(graph, self.sparsity):
            sizes = np.abs(layer.real_weights)
            new.append(_masked(layer, ~smallest(sizes.ravel(), _share(layer.name, share)).reshape(sizes.shape)))
        return with_tensors(graph, new)


@dataclass(frozen=True, kw_only=True)
class GlobalMagnitude:
    """One threshold for all layers, or for those named: the quantile of their real weights' magnitudes."""

    sparsity: float
    layers: tuple[str, ...] | None = None

    def __call__(self, graph: Graph) -> Graph:
        layers = chosen_layers(graph, self.layers)
        sizes = [np.abs(layer.real_weights) for layer in layers]
        kept = ~smallest(np.concatenate([size.ravel() for size in sizes]), _share("magnitude", self.sparsity))
        ends = np.cumsum([size.size for size in sizes])
        parts = np.split(kept, ends[:-1])
        return with_tensors(
            graph,
            [_masked(layer, part.reshape(layer.weights.shape)) for layer, part in zip(layers, parts, strict=True)],
        )


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Blocks of `out_channels` x `in_channels`, all taps of a kernel together, with the least mean squares are zero.

    Blocks begin at multiples of their sizes, those at the ends are smaller. Of each layer,
    `round_half_up(sparsity * n_blocks)` go.
    """

    sparsity: float | Mapping[str, float]
    out_channels: int = 4
    in_channels: int = 4

    def __call__(self, graph: Graph) -> Graph:
        if min(self.out_channels, self.in_channels) < 1:
            raise InputError(f"blocks: wanted sizes of 1 or more, got {self.out_channels} x {self.in_channels}")
        new = []
        for layer, share in by_layer(graph, self.sparsity):
            squares = np.moveaxis(layer.real_weights**2, layer.out_axis, 0)
            rows, columns = (np.arange(0, n, b) for n, b in zip(squares.shape, self._sizes, strict=False))
            blocks = np.add.reduceat(np.add.reduceat(squares, rows, axis=0), columns, axis=1)
            blocks = blocks.reshape(*blocks.shape[:2], -1).sum(axis=2)
            means = blocks / np.outer(np.diff([*rows, squares.shape[0]]), np.diff([*columns, squares.shape[1]]))
            kept = ~smallest(means.ravel(), _share(layer.name, share)).reshape(means.shape)
            spread = kept[np.arange(squares.shape[0]) // self.out_channels][
                :, np.arange(squares.shape[1]) // self.in_channels
            ]
            mask = np.broadcast_to(spread.reshape(*spread.shape, *[1] * (squares.ndim - 2)), squares.shape)
            new.append(_masked(layer, np.moveaxis(mask, 0, layer.out_axis)))
        return with_tensors(graph, new)

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.out_channels, self.in_channels


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Of every m input channels of an output channel at one tap, the n largest magnitudes stay, as n:m machines want.

    `pattern` is "2:4" for all layers, or that of each layer named; "1:1" leaves a layer as it is. Groups begin at
    multiples of m of the layer's input channels, those of a flattened image at each of its pixels.
    """

    pattern: str | Mapping[str, str]

    def __call__(self, graph: Graph) -> Graph:
        return with_tensors(
            graph,
            [_masked(layer, _n_of_m(graph, layer, NOfM.parse(text))) for layer, text in by_layer(graph, self.pattern)],
        )


def _n_of_m(graph: Graph, layer: Weighted, pattern: NOfM) -> np.ndarray:
    sizes = np.abs(layer.real_weights)
    if layer.op.kind == "matmul":
        n_pixels = pixels_a_channel(graph, layer.x.name)
        channels = sizes.reshape(-1, n_pixels, sizes.shape[1])  # (channel, pixel, out)
        return magnitude_mask(channels, pattern, axis=0).reshape(sizes.shape)
    n_groups = layer.op.attrs["groups"]
    out, depth = sizes.shape[0] // n_groups, sizes.shape[1]
    masks = []
    for group in range(n_groups):
        before = group * depth % pattern.m  # channels of the groups before it that share its first m
        padded = np.pad(sizes[group * out : (group + 1) * out], ((0, 0), (before, 0), (0, 0), (0, 0)))
        masks.append(magnitude_mask(padded, pattern, axis=1)[:, before:])
    return np.concatenate(masks)


def _share(name: str, share: float) -> float:
    if not 0 <= share <= 1:
        raise InputError(f"{name}: wanted a share of zeros from 0 to 1, got {share}")
    return share


def _masked(layer: Weighted, kept: np.ndarray) -> Tensor:
    weights = layer.weights
    assert weights.data is not None
    if weights.signed and weights.bits == 1 and not kept.all():
        raise InputError(
            f"{layer.name}: wanted weights of 2 bits or more to set some to zero, got 1; quantize after it"
        )
    return replace(weights, data=np.where(kept, weights.data, 0))
