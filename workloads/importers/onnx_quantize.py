"""ONNX and QONNX ops that quantize and dequantize."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from designs.errors import InputError
from workloads.importers.onnx_nodes import INTEGER_TYPES, Node
from workloads.importers.onnx_tracer import Tracer, describe
from workloads.importers.onnx_values import (
    Constant,
    Pending,
    Quantization,
    Real,
    Source,
    Stored,
    Weights,
    fold_zero_point,
)
from workloads.ir import Tensor


def _quantize(t: Tracer, node: Node) -> None:
    if node.integer("block_size", 0):
        raise InputError("wanted one scale a tensor or a channel, got scales by block")
    x = t.value(node.input(0))
    elem = node.integer("output_dtype", 0)
    q = t.quantization(node.input(1), node.optional(2))
    if elem and not node.optional(2):
        if elem not in INTEGER_TYPES:
            raise InputError(f"output_dtype: wanted an integer type, got {elem}")
        q = replace(q, bits=INTEGER_TYPES[elem][0], signed=INTEGER_TYPES[elem][1])
    if isinstance(x, Constant):
        t.values[node.output] = _quantized_constant(node, x.array, q)
    else:
        t.values[node.output] = Stored(_store(t, node.input(0), node.output, q))


def _quantized_constant(node: Node, array: np.ndarray, q: Quantization, narrow: int = 0) -> Constant:
    bounds = Tensor(name="", shape=(), bits=q.bits, signed=q.signed)
    scale = q.scale
    if scale.size > 1:
        axis = node.integer("axis", 1) % max(array.ndim, 1)
        if scale.size != array.shape[axis]:
            raise InputError(f"wanted {array.shape[axis]} scales along axis {axis}, got {scale.size}")
        scale = scale.reshape([-1 if i == axis else 1 for i in range(array.ndim)])
    values = np.rint(array.astype(np.float32) / scale) + q.zero_point
    return Constant(np.clip(values, bounds.low + narrow, bounds.high).astype(np.int64), q.bits, q.signed)


def _store(t: Tracer, source: str, name: str, q: Quantization) -> str:
    """Name of the tensor that holds the real numbers `source`, stored by `q`."""
    value = t.value(source)
    if isinstance(value, Source):
        return t.draft.add_input(value, name, q)
    if isinstance(value, Pending):
        return t.draft.store(value, name, q)
    x = t.draft.tensors[t.real(source).tensor]
    same = x.same_quantization(
        Tensor(name="", shape=(), bits=q.bits, signed=q.signed, scale=q.scale, zero_point=q.zero_point)
    )
    if same and (x.bits, x.signed) == (q.bits, q.signed):
        return x.name
    return t.draft.store(t.draft.pending(f"{name}.requantize", "requantize", (x.name,)), name, q)


def _dequantize(t: Tracer, node: Node) -> None:
    if node.integer("block_size", 0):
        raise InputError("wanted one scale a tensor or a channel, got scales by block")
    x = t.value(node.input(0))
    if isinstance(x, Constant):
        if x.bits > 32:
            raise InputError(f"wanted a constant of at most 32-bit integers, got {x.array.dtype}")
        zero, scale = t.zero_points(node.optional(2)), t.scales(node.input(1))
        t.values[node.output] = fold_zero_point(node.input(0), x, zero, scale, node.integer("axis", 1))
        return
    t.values[node.output] = dequantized(t, node.input(0), t.quantization(node.input(1), node.optional(2)))


def dequantized(t: Tracer, name: str, q: Quantization) -> Real:
    """Real numbers of the integers `name` under `q`, which must be what they were stored with."""
    x = t.value(name)
    if isinstance(x, Source):
        stored = Stored(t.draft.add_input(x, name, q))
        t.values[name] = stored
        return Real(stored.tensor)
    if not isinstance(x, Stored):
        raise InputError(f"wanted integers to dequantize, got {describe(x)} {name!r}")
    tensor = t.draft.tensors[x.tensor]
    if tensor.zero_point != q.zero_point or not np.array_equal(tensor.scale, q.scale):
        raise InputError(
            f"wanted scale {tensor.scale.tolist()} and zero point {tensor.zero_point}, with which {name!r} is stored, "
            f"got {q.scale.tolist()} and {q.zero_point}"
        )
    return Real(x.tensor)


def _qonnx_quant(t: Tracer, node: Node) -> None:
    """QONNX Quant / IntQuant: quantize and dequantize at once, of any width."""
    width, zero = t.numbers(node.input(3)), t.numbers(node.input(2))
    bits = int(width[0])
    if bits != width[0] or not 1 <= bits <= 16 or width.size != 1:
        raise InputError(f"wanted one bit width, an integer from 1 to 16, got {width.tolist()}")
    signed = bool(node.integer("signed", 1))
    if signed and bits == 1:
        raise InputError("wanted 2 bits or more, or unsigned, got one signed bit; use BipolarQuant for -1 and +1")
    rounding = node.text("rounding_mode", "ROUND").upper()
    if rounding not in ("ROUND", "HALF_EVEN"):
        raise InputError(f"rounding_mode: wanted ROUND, got {rounding}")
    if np.unique(zero).size != 1 or zero[0] != np.rint(zero[0]):
        raise InputError(f"wanted one integer zero point, got {zero.tolist()}")
    narrow = node.integer("narrow", 0)
    if narrow not in (0, 1):
        raise InputError(f"narrow: wanted 0 or 1, got {narrow}")
    q = Quantization(t.scales(node.input(1)), int(zero[0]), bits, signed)
    x = t.value(node.input(0))
    if isinstance(x, Constant):
        stored, axis = _qonnx_constant(x.array, np.asarray(t.constant(node.input(1))), q, narrow)
        zeros = np.asarray([q.zero_point], np.int64)
        t.values[node.output] = fold_zero_point(node.input(0), Constant(stored, bits, signed), zeros, q.scale, axis)
        return
    tensor = _store(t, node.input(0), node.output, q)
    if narrow:
        x_stored = t.draft.tensors[tensor]
        tensor = t.draft.clip(f"{node.output}.narrow", tensor, x_stored.low + 1, x_stored.high)
    t.values[node.output] = Real(tensor)


def _qonnx_constant(
    array: np.ndarray, scale: np.ndarray, q: Quantization, narrow: int
) -> tuple[np.ndarray, int | None]:
    """(stored integers, axis of the scales) of a constant whose scale broadcasts against it."""
    bounds = Tensor(name="", shape=(), bits=q.bits, signed=q.signed)
    try:
        values = np.rint(array.astype(np.float32) / scale.astype(np.float32)) + q.zero_point
    except ValueError as error:
        raise InputError(f"wanted a scale that goes with {list(array.shape)}, got {list(scale.shape)}") from error
    if values.shape != array.shape:
        raise InputError(f"wanted a scale that goes with {list(array.shape)}, got {list(scale.shape)}")
    axes = [array.ndim - scale.ndim + i for i, size in enumerate(scale.shape) if size > 1]
    if len(axes) > 1:
        raise InputError(f"wanted scales along one axis, got {list(scale.shape)}")
    stored = np.clip(values, bounds.low + narrow, bounds.high).astype(np.int64)
    return stored, axes[0] if axes else None


def _bipolar(t: Tracer, node: Node) -> None:
    """QONNX BipolarQuant of weights: their signs, -1 and +1 in one bit."""
    x = t.value(node.input(0))
    if not isinstance(x, Constant):
        raise InputError("wanted constant weights, got activations (one-bit activations are not a rounding to a scale)")
    scale = t.scales(node.input(1))
    signs = np.where(x.array >= 0, 1, -1).astype(np.int64)
    _, axis = _qonnx_constant(x.array, np.asarray(t.constant(node.input(1))), Quantization(scale, 0, 2, True), 0)
    weights = fold_zero_point(node.input(0), Constant(signs, 2, True), np.zeros(1, np.int64), scale, axis)
    t.values[node.output] = Weights(replace(weights.tensor, bits=1))


HANDLERS = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Quant": _qonnx_quant,
    "IntQuant": _qonnx_quant,
    "BipolarQuant": _bipolar,
}
