"""Real-valued ONNX ops, between DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from designs.errors import InputError
from workloads.importers.onnx_moves import then, transposed
from workloads.importers.onnx_nodes import Node, window
from workloads.importers.onnx_tracer import Tracer
from workloads.importers.onnx_values import Constant, Pending, Stored, Weights, fold_zero_point
from workloads.ir import Tensor


def _conv(t: Tracer, node: Node) -> None:
    x, w = t.tensor(node.input(0)), t.weights(node.input(1))
    if len(w.shape) != 4 or node.ints("kernel_shape", list(w.shape[2:])) != list(w.shape[2:]):
        raise InputError(f"wanted weights (M, C, kh, kw) as kernel_shape says, got {list(w.shape)}")
    t.values[node.output] = pending_conv(t, node, x, w, node.optional(2))


def pending_conv(t: Tracer, node: Node, x: Tensor, w: Tensor, bias: str) -> Pending:
    attrs: dict[str, Any] = window(node, x.shape[2:], list(w.shape[2:]))
    attrs["groups"] = node.integer("group", 1)
    if attrs["groups"] < 1:
        raise InputError(f"group: wanted at least 1, got {attrs['groups']}")
    inputs = [x.name, t.draft.add_constant(w)]
    if bias:
        inputs.append(t.draft.add_constant(t.bias(bias, x.scale * w.scale)))
    return t.draft.pending(node.name, "conv", tuple(inputs), attrs)


def _gemm(t: Tracer, node: Node) -> None:
    check_gemm(node)
    t.values[node.output] = pending_product(t, node, node.input(0), right_factor(t, node), node.optional(2))


def check_gemm(node: Node) -> None:
    node.wanted("transA", 0)
    for name in ("alpha", "beta"):
        if node.number(name, 1.0) != 1.0:
            raise InputError(f"{name}: wanted 1, got {node.number(name, 1.0):g}")


def right_factor(t: Tracer, node: Node) -> str | Tensor:
    """The right factor of a Gemm: weights, transposed as asked, or the name of computed numbers."""
    name = node.input(1)
    if isinstance(t.value(name), Weights):
        w = t.weights(name)
        return transposed(w, (1, 0)) if node.integer("transB", 0) and len(w.shape) == 2 else w
    node.wanted("transB", 0)
    return name


def _matmul(t: Tracer, node: Node) -> None:
    name = node.input(1)
    right = t.weights(name) if isinstance(t.value(name), Weights) else name
    t.values[node.output] = pending_product(t, node, node.input(0), right, "")


def pending_product(t: Tracer, node: Node, left: str, right: str | Tensor, bias: str) -> Pending:
    x, gain = _factor(t, left)
    w, other_gain = _factor(t, right) if isinstance(right, str) else (right, 1.0)
    inputs = [x.name, w.name if isinstance(right, str) else t.draft.add_constant(w)]
    gain *= other_gain
    if bias and gain != 1:
        raise InputError(f"wanted the factor {gain:g} after the bias {bias!r}, got it before")
    if bias:
        inputs.append(t.draft.add_constant(t.bias(bias, x.scale * w.scale)))
    return replace(t.draft.pending(node.name, "matmul", tuple(inputs)), gain=gain)


def _factor(t: Tracer, name: str) -> tuple[Tensor, float]:
    """An operand of a product as a tensor times a constant: the constant is left to the product's result."""
    value = t.value(name)
    if isinstance(value, Pending) and value.op.kind == "requantize" and value.gain != 1 and not value.then:
        if value.low == -np.inf and value.high == np.inf:
            return t.draft.tensors[value.op.inputs[0]], value.gain
    return t.tensor(name), 1.0


def _add(t: Tracer, node: Node) -> None:
    a, b = node.input(0), node.input(1)
    for product, other in ((a, b), (b, a)):
        value = t.value(product)
        if isinstance(value, Pending) and isinstance(t.value(other), (Weights, Constant)):
            t.values[node.output] = _with_bias(t, value, other)
            return
    names = [t.real(name).tensor if not isinstance(t.value(name), Weights) else "" for name in (a, b)]
    if not any(names):
        raise InputError(f"wanted a computed operand, got the constants {a!r} and {b!r}")
    shape = t.shape(b if not names[0] else a)
    names = [known or _constant_term(t, name, shape) for known, name in zip(names, (a, b), strict=True)]
    t.values[node.output] = t.draft.pending(node.name, "add", (names[0], names[1]))


def _constant_term(t: Tracer, name: str, shape: tuple[int, ...]) -> str:
    """A quantized constant as a tensor of the shape of what it is added to."""
    w = t.weights(name)
    if w.axis is not None or w.data is None:
        raise InputError(f"wanted one scale for the constant {name!r} that is added, got {w.scale.size}")
    try:
        data = np.ascontiguousarray(np.broadcast_to(w.data, shape))
    except ValueError as error:
        raise InputError(f"wanted a constant that goes with {list(shape)}, got {list(w.shape)}") from error
    return t.draft.add_constant(replace(w, data=data, shape=shape))


def _with_bias(t: Tracer, value: Pending, name: str) -> Pending:
    """A matrix product with the constant that is added to it as its bias."""
    op = value.op
    if (
        op.kind not in ("matmul", "conv")
        or len(op.inputs) > 2
        or value.then
        or value.gain != 1
        or value.low > -np.inf
        or value.high < np.inf
    ):
        raise InputError(f"wanted a product without a bias to add the constant {name!r} to, got {op.kind} {op.name}")
    x, w = (t.draft.tensors[i] for i in op.inputs)
    shape = t.shape(name)
    along = (w.shape[0], 1, 1) if op.kind == "conv" else (w.shape[-1],)
    if tuple(s for s in shape if s > 1) != tuple(s for s in along if s > 1) or shape[-1] != along[-1]:
        raise InputError(f"wanted a bias of shape {list(along)}, got {list(shape)}")
    bias = t.draft.add_constant(t.bias(name, x.scale * w.scale))
    return replace(value, op=replace(op, inputs=(*op.inputs, bias)))


def _mul(t: Tracer, node: Node) -> None:
    a, b = node.input(0), node.input(1)
    number, other = (a, b) if isinstance(t.value(a), (Constant, Weights)) else (b, a)
    t.values[node.output] = _times(t, node, other, _number(t, number))


def _div(t: Tracer, node: Node) -> None:
    divisor = _number(t, node.input(1))
    if divisor == 0:
        raise InputError(f"wanted a divisor that is not 0, got {node.input(1)!r}")
    t.values[node.output] = _times(t, node, node.input(0), 1 / divisor)


def _times(t: Tracer, node: Node, name: str, factor: float) -> Pending:
    """Real numbers times a constant: a factor of the scale, never an op of its own."""
    if not factor > 0:
        raise InputError(f"wanted a positive factor, which a scale can take, got {factor:g}")
    value = t.value(name)
    if not isinstance(value, Pending):
        value = t.draft.pending(node.name, "requantize", (t.real(name).tensor,))
    if value.op.kind not in ("matmul", "requantize") or value.low > -np.inf or value.high < np.inf:
        raise InputError(f"wanted a product or quantized numbers to scale, got {value.op.kind} {value.op.name}")
    return replace(value, gain=value.gain * factor)


def _number(t: Tracer, name: str) -> float:
    """A constant of one number, quantized or not."""
    value = t.value(name)
    if isinstance(value, Weights) and value.tensor.data is not None:
        numbers = value.tensor.dequantize(value.tensor.data).reshape(-1)
    elif isinstance(value, Constant):
        numbers = t.numbers(name)
    else:
        raise InputError(f"wanted a constant factor, got the computed {name!r} (a product of two tensors)")
    if numbers.size != 1:
        raise InputError(f"wanted one constant factor, got {numbers.size} in {name!r}")
    return float(numbers[0])


def _relu(t: Tracer, node: Node) -> None:
    _bound(t, node, 0.0, np.inf)


def _clip(t: Tracer, node: Node) -> None:
    low = float(t.numbers(node.optional(1))[0]) if node.optional(1) else node.number("min", -np.inf)
    high = float(t.numbers(node.optional(2))[0]) if node.optional(2) else node.number("max", np.inf)
    if not low <= high:
        raise InputError(f"wanted min up to max, got {low:g} and {high:g}")
    value = t.value(node.input(0))
    if isinstance(value, Stored):  # between QuantizeLinear and DequantizeLinear: fewer bits in a wider type
        x = t.draft.tensors[value.tensor]
        bounds = (int(max(low, x.low)), int(min(high, x.high)))
        t.values[node.output] = Stored(t.draft.clip(node.output, x.name, *bounds))
    elif isinstance(value, Constant) and value.bits <= 32:
        array = np.clip(value.array.astype(np.int64), int(max(low, -(1 << 40))), int(min(high, 1 << 40)))
        bits = fold_zero_point("", Constant(array, 1), np.zeros(1, np.int64), np.ones(1, np.float32), None).tensor.bits
        t.values[node.output] = Constant(array, min(bits, value.bits), value.signed)
    else:
        _bound(t, node, low, high)


def _bound(t: Tracer, node: Node, low: float, high: float) -> None:
    value = t.value(node.input(0))
    if not isinstance(value, Pending):
        value = t.draft.pending(node.name, "requantize", (t.real(node.input(0)).tensor,))
    t.values[node.output] = replace(value, low=min(max(value.low, low), high), high=max(min(value.high, high), low))


def _average_pool(t: Tracer, node: Node) -> None:
    t.values[node.output] = pending_average(t, node, t.tensor(node.input(0)))


def pending_average(t: Tracer, node: Node, x: Tensor) -> Pending:
    """Average pooling of a tensor, not stored yet."""
    kernel = node.ints("kernel_shape", [])
    attrs: dict[str, Any] = window(node, x.shape[2:], kernel)
    attrs["kernel"] = tuple(kernel)
    _check_average(node, attrs)
    return t.draft.pending(node.name, "average_pool", (x.name,), attrs)


def _check_average(node: Node, attrs: Mapping[str, Any]) -> None:
    if any(attrs["pads"]) and (not node.integer("count_include_pad", 0) or node.integer("ceil_mode", 0)):
        raise InputError("wanted an average over the same number of pixels everywhere, got padding that is not counted")


def _global_average(t: Tracer, node: Node) -> None:
    t.values[node.output] = pending_global(t, node, t.tensor(node.input(0)))


def pending_global(t: Tracer, node: Node, x: Tensor) -> Pending:
    if len(x.shape) != 4:
        raise InputError(f"wanted an image (N, C, H, W), got {list(x.shape)}")
    attrs = {"kernel": x.shape[2:], "strides": (1, 1), "pads": (0, 0, 0, 0)}
    return t.draft.pending(node.name, "average_pool", (x.name,), attrs)


def _reduce_mean(t: Tracer, node: Node) -> None:
    x = t.tensor(node.input(0))
    axes = t.integers(node.optional(1)) if node.optional(1) else node.ints("axes", [])
    if len(x.shape) == 3 and [a % 3 for a in axes] == [1]:
        t.values[node.output] = _mean_of_tokens(t, node, x)
        return
    if len(x.shape) != 4 or sorted(a % 4 for a in axes) != [2, 3]:
        raise InputError(f"wanted the mean over height and width (axes 2 and 3), got {axes} of {list(x.shape)}")
    pending = pending_global(t, node, x)
    if not node.integer("keepdims", 1):
        pending = then(pending, node, "reshape", {"shape": x.shape[:2]})
    t.values[node.output] = pending


def _mean_of_tokens(t: Tracer, node: Node, x: Tensor) -> Pending:
    """The mean of (N, tokens, channels) over the tokens: the average of an image of one line, a token a pixel."""
    n, n_tokens, channels = x.shape
    draft, first, second = t.draft, f"{node.name}.turned", f"{node.name}.line"
    turned = draft.move(first, first, "transpose", x.name, None, {"order": (0, 2, 1)})
    line = draft.move(second, second, "reshape", turned, (n, channels, 1, n_tokens), {})
    pending = pending_global(t, node, t.draft.tensors[line])
    shape = (n, 1, channels) if node.integer("keepdims", 1) else (n, channels)
    return then(pending, node, "reshape", {"shape": shape})


def _concat(t: Tracer, node: Node) -> None:
    names = tuple(t.real(name).tensor for name in node.proto.input)
    t.values[node.output] = pending_concat(t, node, names)


def pending_concat(t: Tracer, node: Node, names: tuple[str, ...]) -> Pending:
    rank = len(t.draft.tensors[names[0]].shape)
    axis = node.integer("axis", 1)
    if not -rank <= axis < rank:
        raise InputError(f"axis: wanted one of {rank} axes, got {axis}")
    return t.draft.pending(node.name, "concat", names, {"axis": axis % rank})


HANDLERS = {
    "Conv": _conv,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _add,
    "Mul": _mul,
    "Div": _div,
    "Relu": _relu,
    "Clip": _clip,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average,
    "ReduceMean": _reduce_mean,
    "Concat": _concat,
}
