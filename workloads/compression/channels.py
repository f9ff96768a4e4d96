"""Channels that are removed: a graph with fewer of them, so that every machine has less to do.

Channels of several tensors belong together where they are added, pooled or filtered one by one: they go together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from designs.errors import InputError
from workloads.compression.layers import Weighted, chosen_layers, smallest, weighted_layers, with_tensors
from workloads.ir import Graph, Op, Tensor, check_graph


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can only be removed together from all tensors that have them."""

    n_channels: int
    producers: tuple[str, ...]  # layers whose output channels they are
    consumers: tuple[str, ...]  # layers that read them
    tensors: tuple[str, ...]  # computed tensors that hold them


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Removes the channels whose filters have the smallest norms: filters of convolutions, neurons of products.

    `sparsity` is the share that goes, of all groups or of those named by one of their layers:
    `round_half_up(share * n)` channels, but one stays always. A channel's norm is the sum, over the layers that produce
    it, of its squared weights as a share of the layer's; of equal ones the first stays. `remove` False sets the same
    channels to zero, and what reads them: the same outputs, bit for bit, at the old shapes.
    """

    sparsity: float | Mapping[str, float]
    remove: bool = True

    def __call__(self, graph: Graph) -> Graph:
        found = channel_groups(graph)
        for group, share in self._shares(graph, found):
            kept = np.flatnonzero(~smallest(_norms(graph, group), share, most=group.n_channels - 1))
            graph = _removed(graph, group, kept) if self.remove else _zeroed(graph, group, kept)
        return graph

    def _shares(self, graph: Graph, groups: tuple[ChannelGroup, ...]) -> list[tuple[ChannelGroup, float]]:
        if not isinstance(self.sparsity, Mapping):
            return [(group, _share("filters", self.sparsity)) for group in groups]
        chosen_layers(graph, self.sparsity)
        shares: dict[ChannelGroup, float] = {}
        for name, share in self.sparsity.items():
            group = next((group for group in groups if name in group.producers), None)
            if group is None:
                free = ", ".join(layer for found in groups for layer in found.producers) or "none"
                raise InputError(
                    f"{name}: wanted a layer whose channels can be removed ({free}), got one that is fixed"
                )
            if shares.setdefault(group, _share(name, share)) != share:
                raise InputError(
                    f"{name}: wanted one share for layers whose channels go together ({', '.join(group.producers)}), "
                    f"got {shares[group]} and {share}"
                )
        return list(shares.items())


def channel_groups(graph: Graph) -> tuple[ChannelGroup, ...]:
    """The channels that can be removed, in the order of their first layers.

    Fixed are those of inputs and outputs, of states, and whatever an op looks at by place: concatenation,
    transposition, vector ops, convolutions of groups that are not depthwise, bounds that exclude zero.
    """
    spaces = _Spaces(graph)
    layers = {layer.name: layer for layer in weighted_layers(graph)}
    found = []
    for space, tensors in spaces.free().items():
        producers = tuple(n for n, layer in layers.items() if spaces.space(layer.op.output) == space)
        consumers = tuple(
            n for n, layer in layers.items() if spaces.space(layer.x.name) == space and not _is_depthwise(layer)
        )
        place = spaces.places[tensors[0]]
        n_channels = graph.by_name[tensors[0]].shape[place.axis] // place.repeat
        found.append(ChannelGroup(n_channels, producers, consumers, tensors))
    return tuple(group for group in found if group.producers)


def pixels_a_channel(graph: Graph, name: str) -> int:
    """Neighbours along the channels of a tensor that belong to one channel: pixels of an image that was flattened."""
    return _Spaces(graph).places[name].repeat


class _Place(NamedTuple):
    """Where the channels of a tensor lie."""

    space: int
    axis: int
    repeat: int  # entries of the axis a channel


class _Spaces:
    """Which tensors have the same channels."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.places: dict[str, _Place] = {}
        self._parent: list[int] = []
        self._locked: set[int] = set()
        self._weighted = {layer.name: layer for layer in weighted_layers(graph)}
        for name in graph.inputs:
            self._lock(self._new(name))
        for op in graph.ops:
            self._take(op)
            out = graph.by_name[op.output]
            if out.axis is not None or not op.low <= out.zero_point <= op.high:
                self._lock(self.places[op.output])
        for name in (*graph.kept, *(name for pair in graph.states for name in pair)):
            self._lock(self.places[name])

    def space(self, name: str) -> int:
        return self._root(self.places[name].space)

    def free(self) -> dict[int, tuple[str, ...]]:
        """Tensors of each space that is not locked."""
        locked = {self._root(space) for space in self._locked}
        found: dict[int, list[str]] = {}
        for name in self.places:
            if self.space(name) not in locked:
                found.setdefault(self.space(name), []).append(name)
        return {space: tuple(names) for space, names in found.items()}

    def _take(self, op: Op) -> None:
        """The channels of an op's output, from those of its inputs."""
        if op.name in self._weighted:
            self._take_weighted(self._weighted[op.name])
        elif op.kind in ("max_pool", "average_pool", "requantize") and op.inputs[0] in self.places:
            self.places[op.output] = self.places[op.inputs[0]]
        elif op.kind == "add" and len(self.graph.by_name[op.output].shape) > 1 and self._joins(op):
            a, b = (self.places[name] for name in op.inputs)
            self._parent[self._root(b.space)] = self._root(a.space)
            self.places[op.output] = a
        elif op.kind == "reshape" and op.inputs[0] in self.places and (place := self._flattened(op)) is not None:
            self.places[op.output] = place
        else:
            for name in op.inputs:
                if name in self.places:
                    self._lock(self.places[name])
            self._lock(self._new(op.output))

    def _take_weighted(self, layer: Weighted) -> None:
        place = self.places[layer.x.name]
        if _is_depthwise(layer):
            self.places[layer.op.output] = place
            return
        new = self._new(layer.op.output)
        grouped = layer.op.kind == "conv" and layer.op.attrs["groups"] != 1
        if grouped or place.axis != (1 if layer.op.kind == "conv" else len(layer.x.shape) - 1):
            self._lock(place)
        if grouped:
            self._lock(new)

    def _joins(self, op: Op) -> bool:
        if any(name not in self.places for name in op.inputs):
            return False  # a constant
        a, b = (self.places[name] for name in op.inputs)
        return (a.axis, a.repeat) == (b.axis, b.repeat)

    def _flattened(self, op: Op) -> _Place | None:
        """The place of channels whose pixels are laid side by side."""
        before, after = self.graph.by_name[op.inputs[0]].shape, self.graph.by_name[op.output].shape
        place = self.places[op.inputs[0]]
        if before == after:
            return place
        if len(before) == 4 and after == (before[0], int(np.prod(before[1:]))) and place.axis == 1:
            return place._replace(repeat=place.repeat * before[2] * before[3])
        return None

    def _new(self, name: str) -> _Place:
        shape = self.graph.by_name[name].shape
        self._parent.append(len(self._parent))
        self.places[name] = _Place(len(self._parent) - 1, 1 if len(shape) == 4 else len(shape) - 1, 1)
        return self.places[name]

    def _root(self, space: int) -> int:
        while self._parent[space] != space:
            space = self._parent[space]
        return space

    def _lock(self, place: _Place) -> None:
        self._locked.add(place.space)


def _is_depthwise(layer: Weighted) -> bool:
    groups = layer.op.attrs.get("groups", 1)
    return layer.op.kind == "conv" and groups > 1 and layer.weights.shape[:2] == (groups, 1)


def _share(name: str, share: float) -> float:
    if not 0 <= share < 1:
        raise InputError(f"{name}: wanted a share of channels to remove from 0 to below 1, got {share}")
    return share


def _norms(graph: Graph, group: ChannelGroup) -> np.ndarray:
    norms = np.zeros(group.n_channels)
    for layer in chosen_layers(graph, group.producers):
        squares = (np.moveaxis(layer.real_weights, layer.out_axis, 0).reshape(group.n_channels, -1) ** 2).sum(axis=1)
        norms += squares / (squares.sum() or 1.0)
    return norms


def _zeroed(graph: Graph, group: ChannelGroup, kept: np.ndarray) -> Graph:
    gone = np.ones(group.n_channels, bool)
    gone[kept] = False
    new = []
    for layer in chosen_layers(graph, {*group.producers, *group.consumers}):
        assert layer.weights.data is not None
        data = layer.weights.data.copy()
        if layer.name in group.producers:
            np.moveaxis(data, layer.out_axis, 0)[gone] = 0
            if layer.bias is not None and layer.bias.data is not None:
                new.append(replace(layer.bias, data=np.where(gone, 0, layer.bias.data)))
        if layer.name in group.consumers:
            np.moveaxis(data, 1 - layer.out_axis, 0)[_entries(graph, layer, gone)] = 0
        new.append(replace(layer.weights, data=data))
    return with_tensors(graph, new)


def _removed(graph: Graph, group: ChannelGroup, kept: np.ndarray) -> Graph:
    stays = np.zeros(group.n_channels, bool)
    stays[kept] = True
    new: dict[str, Tensor] = {}
    depthwise = set()
    for layer in chosen_layers(graph, {*group.producers, *group.consumers}):
        weights = layer.weights
        if layer.name in group.producers:
            weights = _cut(weights, layer.out_axis, stays)
            if layer.bias is not None:
                new[layer.bias.name] = _cut(layer.bias, 0, stays)
            if _is_depthwise(layer):
                depthwise.add(layer.name)
        if layer.name in group.consumers:
            weights = _cut(weights, 1 - layer.out_axis, _entries(graph, layer, stays))
        new[weights.name] = weights
    places = _Spaces(graph).places
    for name in group.tensors:
        tensor, place = graph.by_name[name], places[name]
        sizes = [len(kept) * place.repeat if i == place.axis else size for i, size in enumerate(tensor.shape)]
        new[name] = replace(tensor, shape=tuple(sizes))
    ops = tuple(
        replace(op, attrs={**op.attrs, "groups": len(kept)}) if op.name in depthwise else op for op in graph.ops
    )
    tensors = tuple(new.get(tensor.name, tensor) for tensor in graph.tensors)
    return check_graph(replace(graph, tensors=tensors, ops=ops))


def _entries(graph: Graph, layer: Weighted, channels: np.ndarray) -> np.ndarray:
    """Of each entry along the inputs of a consumer, what `channels` says of its channel."""
    return np.repeat(channels, pixels_a_channel(graph, layer.x.name))


def _cut(tensor: Tensor, axis: int, stays: np.ndarray) -> Tensor:
    assert tensor.data is not None
    data = np.compress(stays, tensor.data, axis=axis)
    own_scales = tensor.axis is not None and tensor.axis % len(tensor.shape) == axis
    scale = tensor.scale[stays] if own_scales else tensor.scale
    return replace(tensor, data=data, shape=data.shape, scale=scale)
