"""ONNX ops of transformers that are no matrix products: softmax, layer normalization, GELU."""

from __future__ import annotations

from designs.errors import InputError
from workloads.importers.onnx_nodes import Node
from workloads.importers.onnx_tracer import Tracer
from workloads.ir import Tensor

LARGEST_EPSILON = 1e-3  # of a layer normalization: the integer one has none


def _softmax(t: Tracer, node: Node) -> None:
    x = t.tensor(node.input(0))
    _check_last(node, x, 1 if t.opsets.get("", 1) < 13 else -1)
    t.values[node.output] = t.draft.pending(node.name, "softmax", (x.name,), {"causal": 0, "offset": 0})


def _gelu(t: Tracer, node: Node) -> None:
    """Both forms: the integer GELU is nearer to neither of them than they are to one another."""
    form = node.text("approximate", "none")
    if form not in ("none", "tanh"):
        raise InputError(f"approximate: wanted none or tanh, got {form!r}")
    t.values[node.output] = t.draft.pending(node.name, "gelu", (t.tensor(node.input(0)).name,))


def _layer_norm(t: Tracer, node: Node) -> None:
    x = t.tensor(node.input(0))
    _check_last(node, x, -1)
    epsilon = node.number("epsilon", 1e-5)
    if not 0 <= epsilon <= LARGEST_EPSILON:
        raise InputError(
            f"epsilon: wanted at most {LARGEST_EPSILON:g} (the integer normalization has none), got {epsilon:g}"
        )
    if not node.optional(2):
        raise InputError("wanted gains and offsets (three inputs), got no offsets; give zeros")
    names = [x.name]
    for index in (1, 2):
        parameter = t.parameter(node.input(index))
        if parameter.shape != x.shape[-1:]:
            raise InputError(f"wanted {x.shape[-1]} numbers in {node.input(index)!r}, got {list(parameter.shape)}")
        names.append(t.draft.add_constant(parameter))
    t.values[node.output] = t.draft.pending(node.name, "layer_norm", tuple(names))


def _check_last(node: Node, x: Tensor, default: int) -> None:
    axis, rank = node.integer("axis", default), len(x.shape)
    if not -rank <= axis < rank or axis % rank != rank - 1:
        raise InputError(f"axis: wanted the last of {rank} axes, got {axis}")


HANDLERS = {"Softmax": _softmax, "Gelu": _gelu, "LayerNormalization": _layer_norm}
