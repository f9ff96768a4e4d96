"""What the vector ops compute, bit for bit, and the registers with which a machine computes the same.

The functions are those of `workloads.functions`; the `..._registers` here are the one place where tensors become
`...Numbers`. The output stage is fixed point with `multiplier_bits` in every rounding mode of the interpreter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from designs.errors import InputError
from workloads.functions.choice import FunctionChoice
from workloads.functions.ibert import (
    GeluNumbers,
    LayerNormNumbers,
    SoftmaxNumbers,
    gelu_ibert,
    gelu_numbers,
    gelu_scale,
    layer_norm_ibert,
    layer_norm_numbers,
    layer_norm_scale,
    softmax_ibert,
    softmax_numbers,
)
from workloads.functions.ita import ItaNumbers, ita_numbers, softmax_ita
from workloads.functions.output import OutputNumbers, output_numbers, requantize_wide
from workloads.functions.range_norm import RangeNormNumbers, range_norm, range_norm_numbers, range_norm_scale
from workloads.functions.tables import (
    TableNumbers,
    exp_table_numbers,
    gelu_table,
    gelu_table_numbers,
    gelu_table_scale,
    softmax_table,
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
        valid = valid_counts(op, inputs[0].shape, inputs[1] if len(inputs) == 2 else None)
        y = _softmax(q, softmax_registers(tensors[0], functions), valid, out.bits, functions)
        return np.clip(y, op.low, op.high)
    if op.kind == "gelu":
        numbers, output = gelu_registers(op, tensors[0], out, functions, multiplier_bits)
        v = gelu_table(q, numbers) if isinstance(numbers, TableNumbers) else gelu_ibert(q, numbers)
        return requantize_wide(v, output)
    if op.kind == "layer_norm":
        norm, output = layer_norm_registers(op, tensors, out, multiplier_bits)
        return requantize_wide(layer_norm_ibert(q, norm), output)
    ranges, output = range_norm_registers(op, tensors, out, multiplier_bits)
    return requantize_wide(range_norm(q, ranges), output)


def softmax_registers(x: Tensor, functions: FunctionChoice) -> SoftmaxNumbers | ItaNumbers | TableNumbers:
    """Registers of a softmax of x."""
    scale = float(x.scale[0])
    if functions.softmax == "ita":
        return ita_numbers(scale)
    return exp_table_numbers(scale) if functions.softmax == "table" else softmax_numbers(scale)


def gelu_registers(
    op: Op, x: Tensor, out: Tensor, functions: FunctionChoice, multiplier_bits: int = 16
) -> tuple[GeluNumbers | TableNumbers, OutputNumbers]:
    """Registers of the GELU of x, and of its output stage."""
    scale = float(x.scale[0])
    if functions.gelu == "table":
        return gelu_table_numbers(scale), _output(op, out, gelu_table_scale(scale), multiplier_bits)
    return gelu_numbers(scale), _output(op, out, gelu_scale(scale), multiplier_bits)


def layer_norm_registers(
    op: Op, tensors: Sequence[Tensor], out: Tensor, multiplier_bits: int = 16
) -> tuple[LayerNormNumbers, OutputNumbers]:
    """Registers of the layer norm of (x, gamma, beta), and of its output stage, one entry a channel."""
    n = tensors[0].shape[-1]
    return layer_norm_numbers(n, tensors[0].bits), _norm_output(op, tensors, out, layer_norm_scale(n), multiplier_bits)


def range_norm_registers(
    op: Op, tensors: Sequence[Tensor], out: Tensor, multiplier_bits: int = 16
) -> tuple[RangeNormNumbers, OutputNumbers]:
    """Registers of the range norm of (x, gamma, beta), and of its output stage, one entry a channel."""
    n = tensors[0].shape[-1]
    return range_norm_numbers(n, tensors[0].bits), _norm_output(op, tensors, out, range_norm_scale(n), multiplier_bits)


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


def _softmax(
    q: np.ndarray, numbers: SoftmaxNumbers | ItaNumbers | TableNumbers, valid: np.ndarray, bits: int,
    functions: FunctionChoice,
) -> np.ndarray:  # fmt: skip
    if isinstance(numbers, ItaNumbers):
        return softmax_ita(q, numbers, valid, bits, functions.ita_block)
    if isinstance(numbers, TableNumbers):
        return softmax_table(q, numbers, valid, bits)
    return softmax_ibert(q, numbers, valid, bits)


def _output(op: Op, out: Tensor, scale: float, multiplier_bits: int) -> OutputNumbers:
    return output_numbers(
        scale, float(out.scale[0]), zero=out.zero_point, low=op.low, high=op.high, multiplier_bits=multiplier_bits
    )


def _norm_output(
    op: Op, tensors: Sequence[Tensor], out: Tensor, scale: float, multiplier_bits: int
) -> OutputNumbers:
    gain, offset = (_real(tensor) for tensor in tensors[1:])
    return output_numbers(
        scale, float(out.scale[0]), zero=out.zero_point, low=op.low, high=op.high,
        gain=gain, offset=offset, multiplier_bits=multiplier_bits,
    )  # fmt: skip


def _real(tensor: Tensor) -> np.ndarray:
    """What a constant vector means, in float64."""
    assert tensor.data is not None
    return tensor.data * tensor.scale.astype(np.float64)


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
