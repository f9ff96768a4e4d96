"""ONNX ops that move or select numbers and compute none: they act on stored integers and on real numbers alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from designs.errors import InputError
from workloads.importers.onnx_nodes import Node, window
from workloads.importers.onnx_tracer import Tracer, describe
from workloads.importers.onnx_values import Constant, Pending, Real, Stored, Weights
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


HANDLERS = {
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
