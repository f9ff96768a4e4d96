"""What a value of an ONNX graph is while it is read, and the graph that grows out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from designs.errors import InputError
from workloads.importers.onnx_gains import fold_gains
from workloads.ir import MAX_BITS, Graph, Op, Tensor, output_shape
from workloads.simplify import fuse_clips

SOFTMAX_BITS = 16  # of a softmax that is stored at another scale than integer softmaxes have


@dataclass(frozen=True)
class Quantization:
    """How real numbers become stored integers."""

    scale: np.ndarray  # float32, 1-D
    zero_point: int
    bits: int
    signed: bool
    axis: int | None = None


@dataclass(frozen=True)
class Constant:
    """An initializer or what was computed from initializers; `bits` and `signed` are those of its integer type."""

    array: np.ndarray
    bits: int = 64
    signed: bool = True


@dataclass(frozen=True)
class Source:
    """An input of the graph that nothing has quantized yet."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Stored:
    """The integers of a tensor."""

    tensor: str


@dataclass(frozen=True)
class Real:
    """The real numbers that the integers of a tensor mean: the output of DequantizeLinear."""

    tensor: str


@dataclass(frozen=True)
class Weights:
    """Real numbers given by constant integers: a dequantized initializer, zero point folded in."""

    tensor: Tensor


@dataclass(frozen=True)
class Pending:
    """Real numbers computed from tensors, waiting for the QuantizeLinear that says how they are stored.

    `then` holds ops that only move or select numbers (`SAME_VALUES`), to be applied to the stored integers.
    """

    op: Op
    shape: tuple[int, ...]  # of the op's result
    last_shape: tuple[int, ...]  # after the ops in `then`
    low: float = -np.inf  # bounds of Relu and Clip
    high: float = np.inf
    gain: float = 1.0  # a constant factor of the op's result, before the bounds
    then: tuple[Op, ...] = ()


Value = Constant | Source | Stored | Real | Weights | Pending


@dataclass
class Draft:
    """A graph under construction."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    gains: dict[str, float] = field(default_factory=dict)  # output of an op -> constant factor of its result

    def add_input(self, source: Source, name: str, q: Quantization) -> str:
        """A graph input whose real numbers (or whose integers) are stored by `q`."""
        if source.name in self.inputs:
            raise InputError(f"input {source.name}: wanted one quantization, got another one here")
        if q.scale.size != 1:
            raise InputError(f"input {source.name}: wanted one scale, got {q.scale.size}")
        self._add(Tensor(name=name, shape=source.shape, **_fields(q)))
        self.inputs.append(name)
        return name

    def add_constant(self, tensor: Tensor) -> str:
        """A constant; the same one may be added again, another under its name gets a name of its own."""
        name = tensor.name
        while name in self.tensors:
            known = self.tensors[name]
            if known.data is not None and tensor.data is not None and np.array_equal(known.data, tensor.data):
                if known.same_quantization(tensor) and known.axis == tensor.axis:
                    return name
            name += "'"
        self._add(replace(tensor, name=name))
        return name

    def pending(self, name: str, kind: str, inputs: tuple[str, ...], attrs: Mapping[str, Any] | None = None) -> Pending:
        """An op on tensors of the draft whose result is not stored yet."""
        op = Op(name=name, kind=kind, inputs=inputs, output=name, low=0, high=0, attrs=attrs or {})
        shape = output_shape(op, [self.tensors[i] for i in inputs])
        return Pending(op, shape, shape)

    def move(
        self, name: str, op_name: str, kind: str, source: str, shape: tuple[int, ...] | None, attrs: Mapping[str, Any]
    ) -> str:
        """An op that only moves or selects stored integers; answers the new tensor's name."""
        x = self.tensors[source]
        op = Op(name=op_name, kind=kind, inputs=(source,), output=name, low=x.low, high=x.high, attrs=attrs)
        self._emit(op, replace(x, name=name, shape=output_shape(op, [x]) if shape is None else shape))
        return name

    def store(self, pending: Pending, name: str, q: Quantization) -> str:
        """Emit a pending op with its result stored by `q`, then what follows it; answers the last tensor's name."""
        if q.scale.size != 1 and q.bits < MAX_BITS:
            raise InputError(f"wanted one scale for the computed tensor {name}, got {q.scale.size}")
        if pending.op.kind == "softmax" and not _is_softmax_output(q):
            pending = self._stored_softmax(pending, name)
        low, high = (_bound(value, q) for value in (pending.low, pending.high))
        last = f"{name}.before" if pending.then else name
        tensor = Tensor(name=last, shape=pending.shape, **_fields(q))
        low, high = max(low, tensor.low), min(high, tensor.high)
        if pending.gain != 1:
            self.gains[last] = pending.gain
        self._emit(replace(pending.op, output=last, low=min(low, tensor.high), high=max(high, tensor.low)), tensor)
        for i, op in enumerate(pending.then):
            output = name if op is pending.then[-1] else f"{name}.before{i}"
            shape = tuple(op.attrs["shape"]) if op.kind == "reshape" else None
            last = self.move(output, op.name, op.kind, last, shape, {} if op.kind == "reshape" else op.attrs)
        return last

    def look_up(self, name: str, op_name: str, ids: str, table: Tensor) -> str:
        """Rows of a constant table by their numbers; answers the new tensor's name."""
        if table.axis is not None:
            raise InputError(f"wanted a table {table.name!r} of one scale, got {table.scale.size}")
        inputs = (ids, self.add_constant(table))
        op = Op(name=op_name, kind="gather", inputs=inputs, output=name, low=table.low, high=table.high)
        shape = output_shape(op, [self.tensors[i] for i in inputs])
        self._emit(op, replace(table, name=name, shape=shape, data=None))
        return name

    def _stored_softmax(self, pending: Pending, name: str) -> Pending:
        """A softmax stored as integer softmaxes are, in 16 bits, and the requantization of that, not stored yet."""
        q = Quantization(np.asarray([2.0**-SOFTMAX_BITS], np.float32), 0, SOFTMAX_BITS, False)
        bare = replace(pending, low=-np.inf, high=np.inf, then=(), last_shape=pending.shape)
        stored = self.store(bare, f"{name}.softmax", q)
        op = Op(name=f"{name}.requantize", kind="requantize", inputs=(stored,), output=name, low=0, high=0)
        return replace(pending, op=op)

    def clip(self, name: str, source: str, low: int, high: int) -> str:
        """The integers of a tensor clipped, in as few bits as hold the bounds; answers the new tensor's name."""
        x = self.tensors[source]
        low, high = max(low, x.low), min(high, x.high)
        if low > high:
            raise InputError(f"wanted bounds within {x.low} to {x.high}, got {low} to {high}")
        bits = _bits(low, high, x.signed)
        out = replace(x, name=name, bits=bits)
        if (
            source in self.inputs
            and (out.low, out.high) == (low, high)
            and not any(source in o.inputs for o in self.ops)
        ):
            self.tensors[source] = replace(x, bits=bits)  # quantizing into the narrow range is the same
            return source
        self._emit(Op(name=name, kind="requantize", inputs=(source,), output=name, low=low, high=high), out)
        return name

    def graph(self, name: str, outputs: tuple[str, ...]) -> Graph:
        """The finished graph: factors folded into weights, clips fused into the ops before them, nothing unread."""
        fold_gains(self.tensors, self.ops, self.gains, outputs)
        read = {i for op in self.ops for i in op.inputs} | {op.output for op in self.ops} | set(self.inputs)
        tensors = tuple(t for t in self.tensors.values() if t.name in read)
        return fuse_clips(
            Graph(name=name, inputs=tuple(self.inputs), outputs=outputs, tensors=tensors, ops=tuple(self.ops))
        )

    def _add(self, tensor: Tensor) -> None:
        if tensor.name in self.tensors:
            raise InputError(f"wanted tensor names that differ, got {tensor.name!r} twice")
        self.tensors[tensor.name] = tensor

    def _emit(self, op: Op, tensor: Tensor) -> None:
        self._add(tensor)
        self.ops.append(op)


def fold_zero_point(name: str, constant: Constant, zero: np.ndarray, scale: np.ndarray, axis: int | None) -> Weights:
    """Constant integers minus their zero point, as signed weights in as many bits as their type, or as they need."""
    data = constant.array.astype(np.int64)
    if scale.size > 1 or zero.size > 1:
        axis = 0 if axis is None else axis
        if not -data.ndim <= axis < data.ndim or not {scale.size, zero.size} <= {1, data.shape[axis]}:
            raise InputError(
                f"{name}: wanted a scale and a zero point for each index of axis {axis} of {list(data.shape)}, "
                f"got {scale.size} and {zero.size}"
            )
        axis %= data.ndim
        along = [-1 if i == axis else 1 for i in range(data.ndim)]
        data = data - (zero.reshape(along) if zero.size > 1 else zero[0])
        scale = np.broadcast_to(scale, data.shape[axis]).copy()
    else:
        axis = None
        data = data - zero[0]
    bits = max(constant.bits, _bits(int(data.min(initial=0)), int(data.max(initial=0)), True))
    return Weights(Tensor(name=name, shape=data.shape, bits=bits, signed=True, scale=scale, axis=axis, data=data))


def _bits(low: int, high: int, signed: bool) -> int:
    """Bits that hold low to high."""
    if not signed:
        return max(high.bit_length(), 1)
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


def _bound(value: float, q: Quantization) -> int:
    """The stored integer of a real bound; far outside where there is none."""
    if np.isinf(value):
        return -(1 << 62) if value < 0 else 1 << 62
    if value == 0:
        return q.zero_point
    if q.scale.size != 1:
        raise InputError(f"wanted one scale where a Clip at {value:g} is, got {q.scale.size}")
    return int(np.clip(np.rint(np.float32(value) / q.scale[0]), -(1 << 40), 1 << 40)) + q.zero_point


def _is_softmax_output(q: Quantization) -> bool:
    """Whether an integer softmax stores its result so by itself: unsigned, one is 2**bits."""
    return not q.signed and q.zero_point == 0 and bool(np.all(q.scale == np.float32(2.0**-q.bits)))


def _fields(q: Quantization) -> dict[str, Any]:
    return {"scale": q.scale, "zero_point": q.zero_point, "bits": q.bits, "signed": q.signed, "axis": q.axis}
