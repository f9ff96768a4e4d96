"""ONNX ops that move or select numbers and compute none: they act on stored integers and on real numbers alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import onnx

from designs.errors import InputError
from workloads.importers.onnx_nodes import INTEGER_TYPES, Node, window
from workloads.importers.onnx_tracer import Tracer, describe
from workloads.importers.onnx_values import Constant, Pending, Quantization, Real, Source, Stored, Weights
from workloads.ir import Op, Tensor, output_shape


def transposed(w: Tensor, order: tuple[int, ...]) -> Tensor:
    """Constant weights with their axes in another order."""
    assert w.data is not None
    data = np.ascontiguousarray(w.data.transpose(order))
    axis = None if w.axis is None else order.index(w.axis % len(order))
    return replace(w, data=data, shape=data.shape, axis=axis)


def then(pending: Pending, node: Node, kind: str, attrs: Mapping[str, Any]) -> Pending:
    """A pending op followed by a move of its result, once that is stored; a reshape's attribute is its `shape`."""
    shape = tuple(attrs["shape"]) if kind == "reshape" else None
    op = Op(name=node.name, kind=kind, inputs=(), output=node.output, low=0, high=0, attrs=attrs)
    if shape is None:
        shape = output_shape(op, [Tensor(name="", shape=pending.last_shape, bits=1, signed=False)])
    return replace(pending, then=(*pending.then, op), last_shape=shape)


def _move(t: Tracer, node: Node, kind: str, attrs: Mapping[str, Any], shape: tuple[int, ...] | None = None) -> None:
    value = t.value(node.input(0))
    if isinstance(value, Pending):
        t.values[node.output] = then(value, node, kind, attrs if shape is None else {"shape": shape})
    elif isinstance(value, (Real, Stored)):
        t.values[node.output] = type(value)(t.draft.move(node.output, node.name, kind, value.tensor, shape, attrs))
    elif isinstance(value, Weights) and kind == "transpose":
        t.values[node.output] = Weights(transposed(value.tensor, attrs["order"]))
    elif isinstance(value, Weights) and kind == "reshape" and shape is not None:
        t.values[node.output] = Weights(_with_data(value.tensor, _numbers(value.tensor).reshape(shape)))
    else:
        raise InputError(f"wanted quantized numbers to move, got {describe(value)} {node.input(0)!r}")


def _max_pool(t: Tracer, node: Node) -> None:
    kernel = node.ints("kernel_shape", [])
    attrs: dict[str, Any] = window(node, t.shape(node.input(0))[2:], kernel)
    node.wanted("storage_order", 0)
    _move(t, node, "max_pool", {**attrs, "kernel": tuple(kernel)})


def _flatten(t: Tracer, node: Node) -> None:
    shape = t.shape(node.input(0))
    axis = node.integer("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise InputError(f"axis: wanted one of {len(shape)} axes, got {axis}")
    axis = axis + len(shape) if axis < 0 else axis
    _move(t, node, "reshape", {}, (prod(shape[:axis]), prod(shape[axis:])))


def _reshape(t: Tracer, node: Node) -> None:
    old, new = t.shape(node.input(0)), t.integers(node.input(1))
    if not node.integer("allowzero", 0):
        if any(size == 0 and i >= len(old) for i, size in enumerate(new)):
            raise InputError(f"wanted zeros where the input {list(old)} has an axis, got {new}")
        new = [old[i] if size == 0 else size for i, size in enumerate(new)]
    if new.count(-1) == 1:
        known = prod(size for size in new if size != -1)
        new = [prod(old) // known if size == -1 and known > 0 else size for size in new]
    if any(size < 1 for size in new) or prod(new) != prod(old):
        raise InputError(f"wanted a shape of {prod(old)} elements, got {new}")
    _move(t, node, "reshape", {}, tuple(new))


def _squeeze(t: Tracer, node: Node) -> None:
    shape = t.shape(node.input(0))
    axes = _axes(t, node, len(shape)) or {i for i, size in enumerate(shape) if size == 1}
    if any(shape[i] != 1 for i in axes):
        raise InputError(f"wanted axes of size 1 in {list(shape)}, got {sorted(axes)}")
    _move(t, node, "reshape", {}, tuple(size for i, size in enumerate(shape) if i not in axes))


def _unsqueeze(t: Tracer, node: Node) -> None:
    shape = list(t.shape(node.input(0)))
    n_given = len(t.integers(node.optional(1)) if node.optional(1) else node.ints("axes", []))
    for axis in sorted(_axes(t, node, len(shape) + n_given)):
        shape.insert(axis, 1)
    _move(t, node, "reshape", {}, tuple(shape))


def _axes(t: Tracer, node: Node, rank: int) -> set[int]:
    axes = t.integers(node.optional(1)) if node.optional(1) else node.ints("axes", [])
    if any(not -rank <= axis < rank for axis in axes):
        raise InputError(f"axes: wanted some of {rank} axes, got {axes}")
    return {axis % rank for axis in axes}


def _transpose(t: Tracer, node: Node) -> None:
    rank = len(t.shape(node.input(0)))
    order = node.ints("perm", []) or list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise InputError(f"perm: wanted a permutation of {rank} axes, got {order}")
    _move(t, node, "transpose", {"order": tuple(order)})


def _same(t: Tracer, node: Node) -> None:
    t.values[node.output] = t.value(node.input(0))


def _shape(t: Tracer, node: Node) -> None:
    shape = t.shape(node.input(0))
    t.values[node.output] = Constant(
        np.asarray(shape[node.integer("start", 0) : node.integer("end", len(shape))], np.int64)
    )


def _slice(t: Tracer, node: Node) -> None:
    """Of constants any, of computed tensors one axis in steps of 1."""
    shape = t.shape(node.input(0))
    starts, stops = t.integers(node.input(1)), t.integers(node.input(2))
    axes = t.integers(node.optional(3)) if node.optional(3) else list(range(len(starts)))
    steps = t.integers(node.optional(4)) if node.optional(4) else [1] * len(starts)
    if not len(starts) == len(stops) == len(axes) == len(steps):
        raise InputError(f"wanted as many starts as stops, axes and steps, got {starts}, {stops}, {axes} and {steps}")
    if any(not -len(shape) <= axis < len(shape) for axis in axes) or 0 in steps:
        raise InputError(f"wanted axes of {list(shape)} and steps that are not 0, got {axes} and {steps}")
    parts = [slice(None)] * len(shape)
    for start, stop, axis, step in zip(starts, stops, axes, steps, strict=True):
        if step < 0:
            raise InputError(f"wanted steps of 1 or more, got {step}")
        parts[axis] = slice(*slice(start, stop, step).indices(shape[axis]))
    value = t.value(node.input(0))
    if isinstance(value, Weights):
        t.values[node.output] = Weights(_with_data(value.tensor, _numbers(value.tensor)[tuple(parts)]))
        return
    cut = [(axis, part) for axis, part in enumerate(parts) if part not in (slice(None), slice(0, shape[axis], 1))]
    if len(cut) > 1 or any(part.step != 1 for _, part in cut):
        raise InputError(f"wanted a slice of one axis in steps of 1, got {len(cut)} axes in steps of {steps}")
    if cut:
        axis, part = cut[0]
        _move(t, node, "slice", {"axis": axis, "start": part.start, "stop": part.stop})
    else:
        t.values[node.output] = value


def _gather(t: Tracer, node: Node) -> None:
    """Rows of a constant table: by constant numbers another constant, by computed ones a lookup."""
    table, ids = t.weights(node.input(0)), t.value(node.input(1))
    axis = node.integer("axis", 0)
    if axis not in (0, -len(table.shape)):
        raise InputError(f"axis: wanted rows of a table (axis 0), got axis {axis}")
    if isinstance(ids, Constant):
        if ids.array.size == 0 or not np.issubdtype(ids.array.dtype, np.integer):
            raise InputError(f"wanted integers that number rows, got {ids.array.dtype} {node.input(1)!r}")
        if ids.array.min() < -table.shape[0] or ids.array.max() >= table.shape[0]:
            raise InputError(f"wanted rows below {table.shape[0]}, got {ids.array.min()} to {ids.array.max()}")
        t.values[node.output] = Weights(_with_data(table, _numbers(table)[ids.array]))
        return
    if isinstance(ids, Source):
        counts = Quantization(np.ones(1, np.float32), 0, max((table.shape[0] - 1).bit_length(), 1), False)
        ids = t.values[node.input(1)] = Stored(t.draft.add_input(ids, ids.name, counts))
    if not isinstance(ids, Stored):
        raise InputError(f"wanted integers that number rows, got {describe(ids)} {node.input(1)!r}")
    t.values[node.output] = Real(t.draft.look_up(node.output, node.name, ids.tensor, table))


def _numbers(w: Tensor) -> np.ndarray:
    """Constant integers that may be moved: those with one scale."""
    if w.axis is not None or w.data is None:
        raise InputError(f"wanted one scale for the constant {w.name!r} that is moved, got {w.scale.size}")
    return w.data


def _with_data(w: Tensor, data: np.ndarray) -> Tensor:
    """Constant integers of one scale with others in their place."""
    if data.size == 0:
        raise InputError(f"wanted at least one number of {w.name!r}, got none")
    return replace(w, data=np.ascontiguousarray(data), shape=data.shape)


def _constant(t: Tracer, node: Node) -> None:
    attribute = node.proto.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "value":
        bits, signed = INTEGER_TYPES.get(value.data_type, (64, True))
        t.values[node.output] = Constant(onnx.numpy_helper.to_array(value), bits, signed)
    elif attribute.name in _CONSTANTS:
        t.values[node.output] = Constant(np.asarray(value, _CONSTANTS[attribute.name]))
    else:
        raise InputError(f"wanted one of value, {', '.join(_CONSTANTS)}, got {attribute.name}")


_CONSTANTS = {
    "value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64,
}  # fmt: skip


HANDLERS = {
    "Constant": _constant,
    "Gather": _gather,
    "Slice": _slice,
    "MaxPool": _max_pool,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "Identity": _same,
    "Dropout": _same,
    "Shape": _shape,
}
