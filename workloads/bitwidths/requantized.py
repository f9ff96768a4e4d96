"""A graph whose tensors are stored in other widths, as an answer says: same meaning, coarser integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from designs.errors import InputError
from workloads.compression.layers import chosen_layers, with_tensors
from workloads.compression.quantize import Granularity, Reals, Scales, reals, stored
from workloads.encoders.calibrate import N_BINS, Distribution, quantization
from workloads.encoders.widths import Width
from workloads.ir import SAME_VALUES, Graph, Op, Tensor, check_graph
from workloads.reference import run_graph

_AT_ONCE = 128  # samples: what their tensors take stays some MB


def batched(graph: Graph, n_samples: int) -> Graph:
    """The graph of one sample as that of `n_samples`, which lie along the first axis of every computed tensor.

    InputError where an axis other than the first tells samples apart.
    """
    for op in graph.ops:
        if op.kind == "transpose" and op.attrs["order"][0] != 0 or op.kind == "concat" and op.attrs["axis"] == 0:
            raise InputError(f"op {op.name}: wanted samples along the first axis, got a {op.kind} that moves it")
    for tensor in graph.tensors:
        if tensor.data is None and (not tensor.shape or tensor.shape[0] != 1):
            raise InputError(f"tensor {tensor.name}: wanted one sample along the first axis, got {list(tensor.shape)}")
    tensors = [t if t.data is not None else replace(t, shape=(n_samples, *t.shape[1:])) for t in graph.tensors]
    return replace(graph, tensors=tuple(tensors))


def run_samples(graph: Graph, samples: np.ndarray, rounding: str = "multiplier_shift") -> dict[str, np.ndarray]:
    """Stored integers of every computed tensor for samples (n, ...) of the one input, n along the first axis."""
    (name,) = graph.inputs
    parts = []
    for first in range(0, len(samples), _AT_ONCE):
        some = samples[first : first + _AT_ONCE]
        parts.append(run_graph(batched(graph, len(some)), {name: some}, rounding))
    return {tensor: np.concatenate([part[tensor] for part in parts]) for tensor in parts[0]}


def seen_distributions(graph: Graph, samples: np.ndarray) -> dict[str, Distribution]:
    """The numbers that each computed tensor takes on samples of the input: what `with_bits` fits its scales to."""
    found = {}
    for name, integers in run_samples(graph, samples).items():
        values = graph.by_name[name].dequantize(integers)
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        counts = np.histogram(values, N_BINS, (low, high) if low < high else (0.0, 1.0))[0]
        found[name] = Distribution(low, high, counts)
    return found


def with_bits(
    graph: Graph, bits: Mapping[str, int], seen: Mapping[str, Distribution], *,
    granularity: Granularity = "channel", scales: Scales = "least_squares",
) -> Graph:  # fmt: skip
    """The graph with the named tensors, weights and activations, in these widths; those not named stay as they are.

    A tensor that has the width already stays bit for bit; one that holds another's integers (pooling) takes the other's
    width. Weights: `workloads.compression.quantize`. Activations: the scale and zero point with the least squared error
    on what was `seen`, clipping included; bounds of ops (ReLU) keep their meaning. Biases are stored again at the new
    scales. InputError where another width is wanted of an input, of an output (who reads it knows its scale), of a
    constant that is no layer's own weights, or of nothing.
    """
    own_weights = {layer.weights.name for layer in chosen_layers(graph)}
    for name, width in bits.items():
        tensor = graph.by_name.get(name)
        if tensor is None:
            raise InputError(f"bits: wanted tensors of {graph.name}, got {name!r}")
        if name in (*graph.inputs, *graph.outputs) and width != tensor.bits:
            raise InputError(f"tensor {name}: wanted its {tensor.bits} bits, for it is read outside, got {width}")
        if width != tensor.bits and tensor.data is not None and name not in own_weights:
            raise InputError(f"tensor {name}: wanted weights of one layer alone, got a constant of another use")
    values = reals(graph)
    activations = _activations(graph, bits, seen)
    ops = tuple(rebounded(op, graph.by_name[op.output], activations.get(op.output)) for op in graph.ops)
    tensors = tuple(activations.get(tensor.name, tensor) for tensor in graph.tensors)
    moved = replace(graph, tensors=tensors, ops=ops)
    changed = []
    for layer in chosen_layers(moved):
        width = bits.get(layer.weights.name, layer.weights.bits)
        if width != layer.weights.bits:
            changed += stored(layer, values[layer.name], width, granularity=granularity, scales=scales)
        elif layer.x.name in activations and layer.bias is not None:
            changed.append(_rebiased(layer.bias, values[layer.name], layer.x, layer.weights))
    return check_graph(with_tensors(moved, changed))


def _activations(graph: Graph, bits: Mapping[str, int], seen: Mapping[str, Distribution]) -> dict[str, Tensor]:
    """Computed tensors with another width or other scales than before, by name."""
    found: dict[str, Tensor] = {}
    for op in graph.ops:
        tensor = graph.by_name[op.output]
        if op.kind in SAME_VALUES:
            source = found.get(op.inputs[0])
            if source is not None:
                found[tensor.name] = replace(tensor, bits=source.bits, scale=source.scale, zero_point=source.zero_point)
            continue
        width = bits.get(tensor.name, tensor.bits)
        if width != tensor.bits:
            scale, zero = quantization(seen[tensor.name], Width(width, tensor.signed))
            zero = min(max(zero, 0), (1 << width) - 1) if not tensor.signed else 0
            found[tensor.name] = replace(tensor, bits=width, scale=np.array([scale], np.float32), zero_point=zero)
    return found


def rebounded(op: Op, before: Tensor, after: Tensor | None) -> Op:
    """The op with bounds that mean what they meant; a bound at the end of the tensor's range is at its new end."""
    if after is None:
        return op
    low, high = after.quantize(before.dequantize(np.array([op.low, op.high]))).tolist()
    return replace(
        op,
        low=after.low if op.low == before.low else low,
        high=after.high if op.high == before.high else high,
    )


def _rebiased(bias: Tensor, values: Reals, x: Tensor, weights: Tensor) -> Tensor:
    assert values.bias is not None
    steps = np.rint(values.bias / (float(x.scale[0]) * weights.scale.astype(np.float64)))
    return replace(bias, data=np.clip(steps, bias.low, bias.high).astype(np.int64))
