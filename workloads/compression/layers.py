"""The layers of a graph that have weights of their own: what a compression scheme works on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.ir import Graph, Op, Tensor, check_graph

V = TypeVar("V")


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted:
    """A convolution or a matrix product with constant weights, and its bias where it has one."""

    op: Op
    x: Tensor  # what it reads
    weights: Tensor  # (out_channels, in_channels / groups, kernel_h, kernel_w), or (in, out)
    bias: Tensor | None

    @property
    def name(self) -> str:
        return self.op.name

    @property
    def out_axis(self) -> int:
        """Axis of `weights` along which output channels lie."""
        return 0 if self.op.kind == "conv" else 1

    @property
    def real_weights(self) -> np.ndarray:
        """The numbers that the stored weights mean: float64, in their shape."""
        assert self.weights.data is not None
        return self.weights.data * self.scale_along(self.weights.scale)

    @property
    def real_bias(self) -> np.ndarray | None:
        """What the stored bias means, at the scale `s_x * s_w[channel]`: float64 (out_channels,)."""
        if self.bias is None:
            return None
        assert self.bias.data is not None
        return self.bias.data * (float(self.x.scale[0]) * self.weights.scale.astype(np.float64))

    def scale_along(self, scale: np.ndarray) -> np.ndarray:
        """A scale a tensor (1,), or one an output channel, as float64 that broadcasts against the weights."""
        wide = scale.astype(np.float64)
        if wide.size == 1:
            return wide.reshape([1] * len(self.weights.shape))
        return wide.reshape([-1 if axis == self.out_axis else 1 for axis in range(len(self.weights.shape))])


def weighted_layers(graph: Graph) -> tuple[Weighted, ...]:
    """The layers with weights, in order; those that share weights or a bias with another op are left as they are."""
    uses: dict[str, int] = {}
    for op in graph.ops:
        for name in op.inputs:
            uses[name] = uses.get(name, 0) + 1
    found = []
    for op in graph.ops:
        if op.kind not in ("conv", "matmul"):
            continue
        x, weights, *rest = (graph.by_name[name] for name in op.inputs)
        plain = x.data is None and weights.data is not None and len(weights.shape) == (4 if op.kind == "conv" else 2)
        if plain and all(uses[tensor.name] == 1 for tensor in (weights, *rest)):
            found.append(Weighted(op=op, x=x, weights=weights, bias=rest[0] if rest else None))
    return tuple(found)


def chosen_layers(graph: Graph, names: Iterable[str] | None = None) -> tuple[Weighted, ...]:
    """The layers of these names in the graph's order, all where None; InputError for a name that no layer has."""
    layers = weighted_layers(graph)
    if names is None:
        return layers
    wanted, known = set(names), [layer.name for layer in layers]
    for name in wanted:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"layer: wanted one with weights ({listed}), got {shown(name)}{nearest(name, known)}")
    return tuple(layer for layer in layers if layer.name in wanted)


def by_layer(graph: Graph, value: V | Mapping[str, V]) -> list[tuple[Weighted, V]]:
    """(layer, value) of each layer that is named; of every layer where the value is one for all."""
    if isinstance(value, Mapping):
        return [(layer, value[layer.name]) for layer in chosen_layers(graph, value)]
    return [(layer, value) for layer in weighted_layers(graph)]


def with_tensors(graph: Graph, tensors: Iterable[Tensor]) -> Graph:
    """The graph with these tensors in the place of those of their names, checked."""
    new = {tensor.name: tensor for tensor in tensors}
    return check_graph(replace(graph, tensors=tuple(new.get(tensor.name, tensor) for tensor in graph.tensors)))


def smallest(sizes: np.ndarray, share: float, *, most: int | None = None) -> np.ndarray:
    """True for the `round_half_up(share * n)` smallest of (n,) sizes, `most` at most; of equal ones the last count as
    the smallest.
    """
    n = min(int(np.floor(share * len(sizes) + 0.5)), len(sizes) if most is None else most)
    found = np.zeros(len(sizes), bool)
    found[np.lexsort((-np.arange(len(sizes)), sizes))[:n]] = True
    return found
