"""The problem of a network: its tensors and steps, from a graph with numbers or from layers that are shapes only.

Flash holds weights and, for each output channel, what turns a sum into a stored integer. Bytes of these constants are
those of Rusci et al. 2020 (memory-driven mixed low precision), for a layer of c output channels:

- `per_layer`: one weight scale a layer. 4 c + 20 where weights and output have 8 bits (normalization is folded into the
  weights: a bias a channel, and five words), 9 c + 12 otherwise (bias, multiplier and shift a channel); the last layer
  4 c + 20;
- `per_channel`: a weight scale and zero a channel, always 10 c + 8; the last layer 7 c + 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Literal

from designs.errors import InputError
from workloads.bitwidths.problem import WIDTHS, Problem, Step, TensorChoice
from workloads.builders.shapes import AVERAGE_POOL
from workloads.ir import Graph, Op
from workloads.layer import Layer
from workloads.vector_layer import Job

Normalization = Literal["per_layer", "per_channel"]
COMPUTES = ("conv", "matmul", "add", "max_pool", "average_pool", "requantize", "concat", "transpose")
KEEPS_WIDTH = ("max_pool", "transpose")  # ops whose output holds integers of their input
INPUT = "input"  # the image that shape-only layers begin with


def constant_bytes(n_channels: int, normalization: Normalization, *, last: bool) -> tuple[int, int]:
    """(folded_bytes, narrow_bytes) of a step with weights."""
    if normalization == "per_layer":
        folded = 4 * n_channels + 20
        return folded, folded if last else 9 * n_channels + 12
    always = 7 * n_channels + 4 if last else 10 * n_channels + 8
    return always, always


def problem_of_graph(
    graph: Graph, widths: Sequence[int] = WIDTHS, normalization: Normalization = "per_layer"
) -> Problem:
    """The problem, without limits and losses, of a convolutional network with numbers.

    A tensor may have its own width or a smaller one of `widths`; inputs and outputs of the graph keep theirs. Each op
    is a step, additions too; a reshape is none. InputError for an op of another kind of network.
    """
    stored = _stored_as(graph)
    uses = {name: i for i, op in enumerate(graph.ops) for name in (stored.get(n, n) for n in op.inputs)}
    uses |= {stored[name]: len(graph.ops) for name in graph.outputs}
    fixed = {stored[name] for name in (*graph.inputs, *graph.outputs)}
    tensors = {
        name: TensorChoice(
            name=name, role="activations", n_elements=prod(graph.by_name[name].shape),
            bits=_allowed(graph.by_name[name].bits, () if name in fixed else widths),
        )
        for name in graph.inputs
    }  # fmt: skip
    steps: list[Step] = []
    for i, op in enumerate(graph.ops):
        if op.kind == "reshape":
            continue
        live = [name for name in tensors if tensors[name].role == "activations" and uses.get(name, -1) >= i]
        out = graph.by_name[op.output]
        choice = TensorChoice(
            name=out.name, role="activations", n_elements=prod(out.shape),
            bits=_allowed(out.bits, () if out.name in fixed else widths),
        )  # fmt: skip
        if op.kind in KEEPS_WIDTH:
            source = tensors[stored[op.inputs[0]]]
            choice = replace(choice, same_as=source.same_as or source.name)
        weights = ""
        if op.kind in ("conv", "matmul"):
            weights = _weights(graph, op)
            tensors[weights] = TensorChoice(
                name=weights, role="weights", n_elements=prod(graph.by_name[weights].shape),
                bits=_allowed(graph.by_name[weights].bits, widths),
            )  # fmt: skip
        tensors[out.name] = choice
        steps.append(Step(name=op.name, output=out.name, held=tuple(live), weights=weights))
    channels = {op.name: graph.by_name[op.output].shape[1 if op.kind == "conv" else -1] for op in graph.ops}
    timed = _with_constants(steps, channels, normalization)
    return Problem(name=graph.name, tensors=_without_fixed_pools(tensors, fixed), steps=timed)


def problem_of_layers(
    layers: Sequence[Job], name: str, widths: Sequence[int] = WIDTHS, normalization: Normalization = "per_layer"
) -> Problem:
    """The problem, without limits and losses, of layers that each read what the layer before wrote.

    Tensors are called after their layers: `conv1` what it writes, `conv1.weights` its weights; the image is `input`.
    The image and the last output have 8 bits. InputError where a layer reads something else (a branch, a residual).
    """
    if not layers:
        raise InputError(f"{name}: wanted layers, got none")
    tensors: list[TensorChoice] = []
    steps: list[Step] = []
    before, n_before = INPUT, 0
    for i, layer in enumerate(layers):
        if not isinstance(layer, Layer) or layer.residual or layer.repeat != 1:
            raise InputError(f"{name}: wanted layers in a row, each listed once, got {layer.name}; trace the network")
        n_in = layer.n_images * layer.in_channels * layer.in_h * layer.in_w
        if i == 0:
            tensors.append(TensorChoice(name=INPUT, role="activations", n_elements=n_in, bits=(WIDTHS[-1],)))
        elif n_in != n_before:
            raise InputError(
                f"{name}: wanted {layer.name} to read the {n_before:,} elements that {before} writes, got {n_in:,}; "
                "trace the network for one with branches"
            )
        weights = ""
        if layer.kind == "conv" and not layer.shared_weights:
            weights = f"{layer.name}.weights"
            tensors.append(TensorChoice(name=weights, role="weights", n_elements=layer.n_weights, bits=tuple(widths)))
        n_before = layer.n_images * layer.out_channels * layer.out_h * layer.out_w
        tensors.append(
            TensorChoice(
                name=layer.name, role="activations", n_elements=n_before,
                bits=(WIDTHS[-1],) if i == len(layers) - 1 else tuple(widths),
                same_as=_origin(tensors, before) if layer.kind == "max_pool" else "",
            )
        )  # fmt: skip
        steps.append(Step(name=layer.name, output=layer.name, held=(before,), weights=weights))
        before = layer.name
    channels = {layer.name: layer.out_channels for layer in layers if isinstance(layer, Layer)}
    return Problem(name=name, tensors=tuple(tensors), steps=_with_constants(steps, channels, normalization))


def is_average_pool(step: Step) -> bool:
    """Whether the step is the mean of each channel of a shape-only network."""
    return step.name.startswith(AVERAGE_POOL)


def _origin(tensors: Sequence[TensorChoice], name: str) -> str:
    found = next(tensor for tensor in tensors if tensor.name == name)
    return found.same_as or found.name


def _with_constants(
    steps: Sequence[Step], channels: Mapping[str, int], normalization: Normalization
) -> tuple[Step, ...]:
    last = max((i for i, step in enumerate(steps) if step.weights), default=-1)
    found = []
    for i, step in enumerate(steps):
        if step.weights:
            folded, narrow = constant_bytes(channels[step.name], normalization, last=i == last)
            step = replace(step, folded_bytes=folded, narrow_bytes=narrow)
        found.append(step)
    return tuple(found)


def _stored_as(graph: Graph) -> dict[str, str]:
    """Each computed tensor -> the one in whose memory it lies: itself, or what a reshape reads."""
    stored = {name: name for name in graph.inputs}
    for op in graph.ops:
        if op.kind not in (*COMPUTES, "reshape"):
            raise InputError(
                f"op {op.name}: wanted an op of a convolutional network ({', '.join((*COMPUTES, 'reshape'))}), "
                f"got {op.kind}"
            )
        stored[op.output] = stored[op.inputs[0]] if op.kind == "reshape" else op.output
    return stored


def _weights(graph: Graph, op: Op) -> str:
    if graph.by_name[op.inputs[1]].data is None:
        raise InputError(f"op {op.name}: wanted constant weights, got the activation {op.inputs[1]}")
    if any(op.inputs[1] in other.inputs for other in graph.ops if other is not op):
        raise InputError(f"op {op.name}: wanted weights of its own, got {op.inputs[1]}, which another op reads too")
    return op.inputs[1]


def _allowed(own: int, widths: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted({bits for bits in widths if bits < own} | {own}))


def _without_fixed_pools(tensors: Mapping[str, TensorChoice], fixed: set[str]) -> tuple[TensorChoice, ...]:
    """Where a fixed tensor holds another's integers (an output behind a pooling), the other is fixed with it."""
    bound = {tensor.same_as for name, tensor in tensors.items() if name in fixed and tensor.same_as}
    return tuple(replace(t, bits=t.bits[-1:]) if t.name in bound else t for t in tensors.values())
