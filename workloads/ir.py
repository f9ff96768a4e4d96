"""The quantized graph: integer tensors with scales, and the few ops that act on them.

A stored integer q of a tensor means `(q - zero_point) * scale`. Constants (weights, biases) have their zero point
already subtracted. What each op computes is defined by `workloads.reference`, what is legal by `check_graph` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from designs.errors import InputError
from workloads.ir_vector import SAME_VALUE_INPUTS, VECTOR_OPS, check_vector_op, vector_shape

# op kind -> (fewest inputs, most inputs, attributes with their lengths: 0 is one int)
OPS: dict[str, tuple[int, int, dict[str, int]]] = {
    "conv": (2, 3, {"strides": 2, "pads": 4, "groups": 0}),  # x (N,C,H,W), weights (M,C/groups,kh,kw), bias (M,)
    "matmul": (2, 3, {}),  # x (...,K), weights (K,N) or tensor (...,K,N), bias (N,)
    "add": (2, 2, {}),  # two tensors of one shape
    "max_pool": (1, 1, {"kernel": 2, "strides": 2, "pads": 4}),
    "average_pool": (1, 1, {"kernel": 2, "strides": 2, "pads": 4}),  # padding counts as pixels
    "requantize": (1, 1, {}),  # another scale; with bounds it is ReLU and clip
    "concat": (1, 64, {"axis": 0}),
    "reshape": (1, 1, {}),
    "transpose": (1, 1, {"order": -1}),
    **VECTOR_OPS,
}
# the output has an input's stored integers: same scale, same zero
SAME_VALUES = ("max_pool", "reshape", "transpose", *SAME_VALUE_INPUTS)
MAX_BITS = 32


def _ones() -> np.ndarray:
    return np.ones(1, np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """A stored-integer tensor; `data` is given for constants only.

    `scale` is float32 of shape (1,), or one entry for each index of `axis`. One signed bit means the values -1 and +1.
    """

    name: str
    shape: tuple[int, ...]
    bits: int
    signed: bool
    scale: np.ndarray = field(default_factory=_ones)
    axis: int | None = None
    zero_point: int = 0
    data: np.ndarray | None = None

    @property
    def low(self) -> int:
        """Smallest storable integer."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest storable integer."""
        if not self.signed:
            return (1 << self.bits) - 1
        return max((1 << (self.bits - 1)) - 1, 1)

    def same_quantization(self, other: Tensor) -> bool:
        """Whether a stored integer means the same number in both."""
        return self.zero_point == other.zero_point and np.array_equal(self.scale, other.scale)

    def quantize(self, values: np.ndarray) -> np.ndarray:
        """Real numbers to stored integers: `clip(round_half_even(values / scale) + zero_point)` in float32, int64."""
        q = np.rint(np.asarray(values, np.float32) / self._scale_along(np.ndim(values))) + self.zero_point
        return np.clip(q.astype(np.float64), self.low, self.high).astype(np.int64)  # float32 has no 2**31 - 1

    def dequantize(self, stored: np.ndarray) -> np.ndarray:
        """Stored integers to the float32 numbers they mean."""
        return (np.asarray(stored) - self.zero_point).astype(np.float32) * self._scale_along(np.ndim(stored))

    def constant_values(self) -> np.ndarray:
        """What a constant vector means, in float64, which no rounding touches."""
        assert self.data is not None
        return self.data * self.scale.astype(np.float64)

    def _scale_along(self, rank: int) -> np.ndarray:
        if self.axis is None:
            return self.scale
        return self.scale.reshape([-1 if i == self.axis % rank else 1 for i in range(rank)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Op:
    """One operation; `low` and `high` clip the stored output after rounding (a ReLU is a bound)."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    low: int
    high: int
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Tensors by name, and the ops in an order in which each tensor is computed before it is read.

    `states` are pairs (input, computed tensor): what a step computes there is the input of the step after it (caches).
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    states: tuple[tuple[str, str], ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Tensor]:
        """Tensors by their names."""
        return {tensor.name: tensor for tensor in self.tensors}

    @property
    def kept(self) -> frozenset[str]:
        """Tensors that are read after the ops have run: outputs, and what the states carry to the next step."""
        return frozenset(self.outputs) | {following for _, following in self.states}

    def consumers(self, name: str) -> list[Op]:
        """Ops that read the tensor."""
        return [op for op in self.ops if name in op.inputs]


def check_graph(graph: Graph) -> Graph:
    """The graph itself, or InputError naming the tensor or op that is not legal and what would be."""
    if len(graph.by_name) != len(graph.tensors):
        raise InputError(f"{graph.name}: wanted tensor names that differ, got one twice")
    for tensor in graph.tensors:
        _check_tensor(tensor)
    known = {t.name for t in graph.tensors if t.data is not None}
    for name in graph.inputs:
        if name not in graph.by_name or name in known:
            raise InputError(f"{graph.name}: wanted inputs that are tensors without data, got {name!r}")
        known.add(name)
    for op in graph.ops:
        _check_op(op, graph, known)
        known.add(op.output)
    for name in graph.outputs:
        if name not in known:
            raise InputError(f"{graph.name}: wanted outputs that are computed, got {name!r}")
    _check_states(graph, known)
    return graph


def _check_states(graph: Graph, known: set[str]) -> None:
    if len({name for name, _ in graph.states}) != len(graph.states):
        raise InputError(f"{graph.name}: wanted states of inputs that differ, got one twice")
    for name, following in graph.states:
        if name not in graph.inputs or following not in known or graph.by_name[following].data is not None:
            raise InputError(f"{graph.name}: wanted states (input, computed tensor), got ({name!r}, {following!r})")
        a, b = graph.by_name[name], graph.by_name[following]
        if (a.shape, a.bits, a.signed) != (b.shape, b.bits, b.signed) or not a.same_quantization(b):
            raise InputError(f"{graph.name}: wanted a state of one shape and type, got {name!r} unlike {following!r}")


def _check_tensor(tensor: Tensor) -> None:
    where = f"tensor {tensor.name}"
    if not 1 <= tensor.bits <= MAX_BITS:
        raise InputError(f"{where}: wanted 1 to {MAX_BITS} bits, got {tensor.bits}")
    if any(size < 1 for size in tensor.shape):
        raise InputError(f"{where}: wanted sizes of at least 1, got {list(tensor.shape)}")
    if tensor.scale.dtype != np.float32 or tensor.scale.ndim != 1:
        raise InputError(f"{where}: wanted a vector of float32 scales, got {tensor.scale.dtype} {tensor.scale.shape}")
    if not np.all(np.isfinite(tensor.scale) & (tensor.scale > 0)):
        raise InputError(f"{where}: wanted positive finite scales, got {tensor.scale.tolist()}")
    if tensor.axis is None:
        wanted = 1
    elif -len(tensor.shape) <= tensor.axis < len(tensor.shape):
        wanted = tensor.shape[tensor.axis]
    else:
        raise InputError(f"{where}: wanted an axis of shape {list(tensor.shape)}, got {tensor.axis}")
    if tensor.scale.size != wanted:
        raise InputError(f"{where}: wanted {wanted} scales, got {tensor.scale.size}")
    if tensor.data is None:
        if not tensor.low <= tensor.zero_point <= tensor.high:
            raise InputError(
                f"{where}: wanted a zero point from {tensor.low} to {tensor.high}, got {tensor.zero_point}"
            )
        return
    if tensor.zero_point:
        raise InputError(f"{where}: wanted zero point 0 (subtracted from the data), got {tensor.zero_point}")
    if tensor.data.dtype != np.int64 or tensor.data.shape != tensor.shape:
        raise InputError(
            f"{where}: wanted int64 data of shape {list(tensor.shape)}, "
            f"got {tensor.data.dtype} {list(tensor.data.shape)}"
        )
    if tensor.data.min() < tensor.low or tensor.data.max() > tensor.high:
        raise InputError(
            f"{where}: wanted data from {tensor.low} to {tensor.high}, got {tensor.data.min()} to {tensor.data.max()}"
        )
    if tensor.signed and tensor.bits == 1 and not tensor.data.all():
        raise InputError(f"{where}: wanted -1 and +1 in one bit, got 0")


def _check_op(op: Op, graph: Graph, known: set[str]) -> None:
    where = f"op {op.name} ({op.kind})"
    if op.kind not in OPS:
        raise InputError(f"op {op.name}: wanted one of {', '.join(OPS)}, got {op.kind!r}")
    fewest, most, attrs = OPS[op.kind]
    if not fewest <= len(op.inputs) <= most:
        raise InputError(f"{where}: wanted {fewest} to {most} inputs, got {len(op.inputs)}")
    for name in op.inputs:
        if name not in known:
            raise InputError(f"{where}: wanted inputs computed before, got {name!r}")
    if op.output in known or op.output not in graph.by_name:
        raise InputError(f"{where}: wanted an output not computed before, got {op.output!r}")
    _check_attrs(where, op, attrs)
    tensors = [graph.by_name[name] for name in op.inputs]
    out = graph.by_name[op.output]
    wanted = output_shape(op, tensors)
    if op.kind == "reshape":
        if np.prod(out.shape, dtype=object) != np.prod(tensors[0].shape, dtype=object):
            raise InputError(f"{where}: wanted as many elements as {list(tensors[0].shape)}, got {list(out.shape)}")
    elif wanted != out.shape:
        raise InputError(f"{where}: wanted an output of shape {list(wanted)}, got {list(out.shape)}")
    if not out.low <= op.low <= op.high <= out.high:
        raise InputError(f"{where}: wanted bounds from {out.low} to {out.high}, got {op.low} to {op.high}")
    if op.kind in SAME_VALUES:
        _check_same_values(where, op, [tensors[i] for i in SAME_VALUE_INPUTS.get(op.kind, (0,))], out)
    if op.kind in VECTOR_OPS:
        check_vector_op(op, tensors, out)
    if out.axis is not None and out.bits < MAX_BITS:
        raise InputError(f"{where}: wanted one scale at an output of fewer than {MAX_BITS} bits")


def _check_same_values(where: str, op: Op, sources: list[Tensor], out: Tensor) -> None:
    for x in sources:
        if not x.same_quantization(out):
            raise InputError(f"{where}: wanted the scale and zero point of its input at the output")
        if (x.bits, x.signed) != (out.bits, out.signed):
            raise InputError(f"{where}: wanted the bits and the sign of its input at the output")
    if (op.low, op.high) != (out.low, out.high):
        raise InputError(f"{where}: wanted the bounds of its output's type, got {op.low} to {op.high}")


def _check_attrs(where: str, op: Op, attrs: Mapping[str, int]) -> None:
    if set(op.attrs) != set(attrs):
        raise InputError(f"{where}: wanted attributes {sorted(attrs)}, got {sorted(op.attrs)}")
    for key, length in attrs.items():
        value = op.attrs[key]
        if length == 0:
            good = type(value) is int and value >= 0
        else:
            good = isinstance(value, (tuple, list)) and length in (-1, len(value))
            good = good and all(type(v) is int and v >= 0 for v in value)
        if good and key in ("strides", "kernel"):
            good = min(value) >= 1
        if good and key == "groups":
            good = value >= 1
        if not good:
            raise InputError(f"{where}: {key}: wanted integers of a legal size, got {value!r}")


def output_shape(op: Op, tensors: list[Tensor]) -> tuple[int, ...]:
    """Shape of the op's output (of a reshape: its input's), or InputError where the inputs do not go together."""
    where = f"op {op.name} ({op.kind})"
    x = tensors[0].shape
    if op.kind in VECTOR_OPS:
        return vector_shape(op, tensors)

    def refuse(wanted: str) -> InputError:
        return InputError(f"{where}: wanted {wanted}, got {', '.join(str(list(t.shape)) for t in tensors)}")

    if op.kind == "conv":
        w = tensors[1].shape
        if len(x) != 4 or len(w) != 4 or x[1] != w[1] * op.attrs["groups"] or w[0] % op.attrs["groups"]:
            raise refuse(f"x (N,C,H,W) and weights (M,C/{op.attrs['groups']},kh,kw)")
        if any(t.data is None for t in tensors[1:]):
            raise InputError(f"{where}: wanted constant weights and bias, got a computed tensor")
        if len(tensors) == 3 and tensors[2].shape != w[:1]:
            raise refuse("a bias of one entry an output channel")
        if tensors[1].axis not in (None, 0):
            raise InputError(f"{where}: wanted weight scales along axis 0, got {tensors[1].axis}")
        return (x[0], w[0], *_window(where, x, w[2:], op))
    if op.kind in ("max_pool", "average_pool"):
        if len(x) != 4:
            raise refuse("x (N,C,H,W)")
        return (*x[:2], *_window(where, x, op.attrs["kernel"], op))
    if op.kind == "matmul":
        w = tensors[1].shape
        if len(x) < 2 or len(w) < 2 or x[-1] != w[-2] or (len(w) > 2 and w[:-2] != x[:-2]):
            raise refuse("x (...,K) and (K,N) or (...,K,N)")
        if len(tensors) == 3 and (tensors[2].shape != w[-1:] or tensors[2].data is None):
            raise refuse("a constant bias of one entry a column")
        if tensors[1].axis is not None and (len(w) != 2 or tensors[1].axis % 2 != 1):
            raise InputError(f"{where}: wanted weight scales along the last axis, got {tensors[1].axis}")
        return (*x[:-1], w[-1])
    if op.kind == "add":
        if tensors[1].shape != x:
            raise refuse("two tensors of one shape")
        return x
    if op.kind == "transpose":
        order = op.attrs["order"]
        if sorted(order) != list(range(len(x))):
            raise InputError(f"{where}: wanted a permutation of {len(x)} axes, got {list(order)}")
        return tuple(x[i] for i in order)
    if op.kind == "concat":
        axis = op.attrs["axis"]
        if axis >= len(x) or any(t.shape[:axis] + t.shape[axis + 1 :] != x[:axis] + x[axis + 1 :] for t in tensors):
            raise refuse(f"shapes that differ along axis {axis} only")
        return (*x[:axis], sum(t.shape[axis] for t in tensors), *x[axis + 1 :])
    return x


def _window(where: str, x: tuple[int, ...], kernel: Any, op: Op) -> tuple[int, int]:
    """(height, width) of the output of a sliding window."""
    top, left, bottom, right = op.attrs["pads"]
    sizes = []
    for size, before, after, k, stride in zip(
        x[2:], (top, left), (bottom, right), kernel, op.attrs["strides"], strict=True
    ):
        if before >= k or after >= k:
            raise InputError(f"{where}: wanted padding smaller than the kernel ({k}), got {before} and {after}")
        if size + before + after < k:
            raise InputError(f"{where}: wanted a kernel of at most {size + before + after}, got {k}")
        sizes.append((size + before + after - k) // stride + 1)
    return sizes[0], sizes[1]
