"""ONNX integer operators (QOperator format, with those of com.microsoft): inputs and outputs are stored integers."""

from __future__ import annotations

import numpy as np

from designs.errors import InputError
from workloads.importers.onnx_moves import transposed
from workloads.importers.onnx_nodes import Node
from workloads.importers.onnx_quantize import dequantized
from workloads.importers.onnx_real import check_gemm, pending_average, pending_concat, pending_conv, pending_global
from workloads.importers.onnx_tracer import Tracer
from workloads.importers.onnx_values import Constant, Pending, Quantization, Stored, fold_zero_point
from workloads.ir import MAX_BITS, Tensor


def _tensor(t: Tracer, node: Node, first: int) -> Tensor:
    """The computed input whose integers, scale and zero point are inputs first, first + 1 and first + 2."""
    q = t.quantization(node.input(first + 1), node.optional(first + 2))
    return t.draft.tensors[dequantized(t, node.input(first), q).tensor]


def _weights(t: Tracer, node: Node, first: int, axis: int) -> Tensor | None:
    """The constant input at `first`, its zero point folded in; None where it is computed."""
    value = t.value(node.input(first))
    if not isinstance(value, Constant):
        return None
    if value.bits > 32:
        raise InputError(f"wanted integer weights, got {value.array.dtype} in {node.input(first)!r}")
    zero = t.zero_points(node.optional(first + 2))
    return fold_zero_point(node.input(first), value, zero, t.scales(node.input(first + 1)), axis).tensor


def _store(t: Tracer, node: Node, pending: Pending, scale_index: int) -> None:
    q = t.quantization(node.input(scale_index), node.optional(scale_index + 1))
    t.values[node.output] = Stored(t.draft.store(pending, node.output, q))


def _conv(t: Tracer, node: Node) -> None:
    x, w = _tensor(t, node, 0), _weights(t, node, 3, 0)
    if w is None or len(w.shape) != 4:
        raise InputError(f"wanted constant weights (M, C, kh, kw), got {node.input(3)!r}")
    _store(t, node, pending_conv(t, node, x, w, node.optional(8)), 6)


def _matmul(t: Tracer, node: Node) -> None:
    x, w = _tensor(t, node, 0), _weights(t, node, 3, 1)
    right = t.draft.add_constant(w) if w is not None else _tensor(t, node, 3).name
    _store(t, node, t.draft.pending(node.name, "matmul", (x.name, right)), 6)


def _gemm(t: Tracer, node: Node) -> None:
    check_gemm(node)
    x, w = _tensor(t, node, 0), _weights(t, node, 3, 0 if node.integer("transB", 0) else 1)
    if w is None or len(w.shape) != 2:
        raise InputError(f"wanted constant weights (K, N), got {node.input(3)!r}")
    w = transposed(w, (1, 0)) if node.integer("transB", 0) else w
    inputs = [x.name, t.draft.add_constant(w)]
    if node.optional(6):
        inputs.append(t.draft.add_constant(t.bias(node.input(6), x.scale * w.scale)))
    pending = t.draft.pending(node.name, "matmul", tuple(inputs))
    if node.optional(7):
        _store(t, node, pending, 7)
    else:
        t.values[node.output] = pending


def _add(t: Tracer, node: Node) -> None:
    names = (_tensor(t, node, 0).name, _tensor(t, node, 3).name)
    _store(t, node, t.draft.pending(node.name, "add", names), 6)


def _global_average(t: Tracer, node: Node) -> None:
    node.wanted("channels_last", 0)
    _store(t, node, pending_global(t, node, _tensor(t, node, 0)), 3)


def _average(t: Tracer, node: Node) -> None:
    node.wanted("channels_last", 0)
    _store(t, node, pending_average(t, node, _tensor(t, node, 0)), 3)


def _concat(t: Tracer, node: Node) -> None:
    n_inputs = len(node.proto.input)
    if n_inputs < 5 or n_inputs % 3 != 2:
        raise InputError(f"wanted scale, zero point and three inputs a part, got {n_inputs} inputs")
    names = tuple(_tensor(t, node, first).name for first in range(2, n_inputs, 3))
    _store(t, node, pending_concat(t, node, names), 0)


def _sums(t: Tracer, node: Node) -> None:
    """MatMulInteger and ConvInteger: the 32-bit sums of integers without scales."""
    x_name, w_name = node.input(0), node.input(1)
    zero = t.zero_points(node.optional(2))[0]
    x_value, w_value = t.value(x_name), t.value(w_name)
    if not isinstance(x_value, Stored) or not isinstance(w_value, Constant):
        raise InputError(f"wanted quantized numbers and constant weights, got {x_name!r} and {w_name!r}")
    x = t.draft.tensors[x_value.tensor]
    if x.zero_point != zero:
        raise InputError(f"wanted the zero point {x.zero_point} of {x_name!r}, got {zero}")
    w_zero = t.zero_points(node.optional(3))
    w = fold_zero_point(
        w_name, w_value, w_zero, np.ones(1, np.float32), 1 if node.op_type == "MatMulInteger" else 0
    ).tensor
    if node.op_type == "ConvInteger":
        pending = pending_conv(t, node, x, w, "")
    else:
        pending = t.draft.pending(node.name, "matmul", (x.name, t.draft.add_constant(w)))
    t.values[node.output] = Stored(t.draft.store(pending, node.output, Quantization(x.scale, 0, MAX_BITS, True)))


HANDLERS = {
    "QLinearConv": _conv,
    "QLinearMatMul": _matmul,
    "QGemm": _gemm,
    "QLinearAdd": _add,
    "QLinearGlobalAveragePool": _global_average,
    "QLinearAveragePool": _average,
    "QLinearConcat": _concat,
    "MatMulInteger": _sums,
    "ConvInteger": _sums,
}
