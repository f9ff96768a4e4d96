"""What the vector ops compute, bit for bit. The integer functions are those of `workloads.functions`.

The output stage is fixed point with `multiplier_bits` in every rounding mode of the interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from designs.errors import InputError
from workloads.functions.choice import FunctionChoice
from workloads.functions.output import OutputNumbers, output_numbers, requantize_wide
from workloads.functions.registers import (
    WideRegisters,
    gelu_registers,
    norm_registers,
    run_softmax,
    run_wide,
    softmax_registers,
)
from workloads.ir import Op, Tensor


def run_vector_op(
    op: Op, tensors: Sequence[Tensor], out: Tensor, inputs: Sequence[np.ndarray],
    functions: FunctionChoice, multiplier_bits: int,
) -> np.ndarray:  # fmt: skip
    """Stored integers (int64) of the output of a vector op; InputError where ids, lengths or a position are outside."""
    if op.kind in ("gather", "slice", "append"):
        return np.clip(_moved(op, inputs), op.low, op.high)
    q = inputs[0] - tensors[0].zero_point
    if op.kind == "softmax":
        valid = valid_counts(op, q.shape, inputs[1] if len(inputs) == 2 else None)
        numbers = softmax_registers(float(tensors[0].scale[0]), functions)
        return np.clip(run_softmax(q, numbers, valid, out.bits, functions), op.low, op.high)
    wide, output = wide_registers(op, tensors, out, functions, multiplier_bits)
    return requantize_wide(run_wide(q, wide), output)


def wide_registers(
    op: Op, tensors: Sequence[Tensor], out: Tensor, functions: FunctionChoice, multiplier_bits: int = 16
) -> tuple[WideRegisters, OutputNumbers]:
    """Registers of a GELU or a normalization, and of its output stage (with one entry a channel for the latter)."""
    x = tensors[0]
    wide: WideRegisters
    if op.kind == "gelu":
        wide, scale = gelu_registers(float(x.scale[0]), functions)
        gain = offset = None
    else:
        wide, scale = norm_registers(op.kind, x.shape[-1], x.bits)
        gain, offset = (tensor.constant_values() for tensor in tensors[1:])
    return wide, output_numbers(
        scale, float(out.scale[0]), zero=out.zero_point, low=op.low, high=op.high,
        gain=gain, offset=offset, multiplier_bits=multiplier_bits,
    )  # fmt: skip


def valid_counts(op: Op, shape: tuple[int, ...], lengths: np.ndarray | None) -> np.ndarray:
    """How many leading columns each row of a softmax takes, int64 of `shape[:-1]`."""
    n = shape[-1]
    valid = np.full(shape[:-1], n, np.int64)
    if op.attrs["causal"]:
        valid = np.minimum(valid, np.arange(shape[-2]) + op.attrs["offset"] + 1)
    if lengths is None:
        return valid
    low, high = int(lengths.min()), int(lengths.max())
    if low < 0 or high > n:
        raise InputError(f"op {op.name} (softmax): wanted lengths from 0 to {n}, got {low} to {high}")
    return np.minimum(valid, lengths.reshape(*lengths.shape, *[1] * (len(shape) - 1 - lengths.ndim)))


def _moved(op: Op, inputs: Sequence[np.ndarray]) -> np.ndarray:
    where, x = f"op {op.name} ({op.kind})", inputs[0]
    if op.kind == "gather":
        n_rows = inputs[1].shape[0]
        if x.min() < 0 or x.max() >= n_rows:
            raise InputError(f"{where}: wanted ids from 0 to {n_rows - 1}, got {x.min()} to {x.max()}")
        return inputs[1][x]
    before = (slice(None),) * op.attrs["axis"]
    if op.kind == "slice":
        return x[(*before, slice(op.attrs["start"], op.attrs["stop"]))]
    rows, size = inputs[1], x.shape[op.attrs["axis"]]
    position = op.attrs["position"] + (int(inputs[2][0]) if len(inputs) == 3 else 0)
    stop = position + rows.shape[op.attrs["axis"]]
    if not 0 <= position or stop > size:
        raise InputError(f"{where}: wanted positions from 0 to {size - 1}, got {position} to {stop - 1}")
    result = x.copy()
    result[(*before, slice(position, stop))] = rows
    return result
