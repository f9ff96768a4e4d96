"""The ops of transformers beside matrix products: their inputs, attributes, shapes and what makes them legal.

Normalizations take gamma and beta as constants of integers with a scale, like weights: a tensor stays integers and
what they mean, files and digests need no second kind of data, and 16 bits hold a gain to 1.5e-5 of the largest. The
interpreter folds both into the registers of the output stage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from designs.errors import InputError
from workloads.functions.arithmetic import INPUT_BITS

if TYPE_CHECKING:
    from workloads.ir import Op, Tensor

# op kind -> (fewest inputs, most inputs, attributes with their lengths: 0 is one int), as `workloads.ir.OPS`
VECTOR_OPS: dict[str, tuple[int, int, dict[str, int]]] = {
    "gather": (2, 2, {}),  # ids (...), constant table (V,D): rows of the table, (...,D)
    # x (...,rows,n)[, lengths]: over the last axis. causal 1: row i takes columns 0 .. i + offset; lengths (leading
    # axes of x) limit the columns too
    "softmax": (1, 2, {"causal": 0, "offset": 0}),
    "layer_norm": (3, 3, {}),  # x (...,n), constant gamma (n,), constant beta (n,)
    "range_norm": (3, 3, {}),  # likewise
    "gelu": (1, 1, {}),
    "slice": (1, 1, {"axis": 0, "start": 0, "stop": 0}),  # indices start .. stop - 1 of an axis
    # cache, rows[, position (1,)]: the cache with the rows written over its indices position .. of the axis; a position
    # that is computed or fed is added to the attribute
    "append": (2, 3, {"axis": 0, "position": 0}),
}
SAME_VALUE_INPUTS = {"gather": (1,), "slice": (0,), "append": (0, 1)}  # inputs with the stored integers of the output


def vector_shape(op: Op, tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """Shape of the output of a vector op, or InputError where the inputs do not go together."""
    where = f"op {op.name} ({op.kind})"
    x = tensors[0].shape

    def refuse(wanted: str) -> InputError:
        return InputError(f"{where}: wanted {wanted}, got {', '.join(str(list(t.shape)) for t in tensors)}")

    if op.kind == "gather":
        if len(tensors[1].shape) != 2:
            raise refuse("ids and a table (V,D)")
        return (*x, tensors[1].shape[1])
    if op.kind == "softmax":
        if len(x) < 1 + op.attrs["causal"]:
            raise refuse("x (...,rows,n)")
        if len(tensors) == 2 and (len(tensors[1].shape) >= len(x) or tensors[1].shape != x[: len(tensors[1].shape)]):
            raise refuse("lengths of the shape of leading axes of x")
        return x
    if op.kind in ("layer_norm", "range_norm"):
        if any(t.shape != x[-1:] or not x for t in tensors[1:]):
            raise refuse("x (...,n), gamma (n,) and beta (n,)")
        return x
    if op.kind == "slice":
        axis, start, stop = (op.attrs[key] for key in ("axis", "start", "stop"))
        if axis >= len(x) or not start < stop <= x[axis]:
            raise refuse(f"an axis {axis} with indices {start} to {stop - 1}")
        return (*x[:axis], stop - start, *x[axis + 1 :])
    if op.kind == "append":
        return _append_shape(op, tensors, refuse)
    return x


def _append_shape(op: Op, tensors: Sequence[Tensor], refuse: Callable[[str], InputError]) -> tuple[int, ...]:
    cache, rows, axis = tensors[0].shape, tensors[1].shape, op.attrs["axis"]
    others = [shape[:axis] + shape[axis + 1 :] for shape in (cache, rows)]
    if axis >= len(cache) or len(rows) != len(cache) or others[0] != others[1]:
        raise refuse(f"a cache and rows whose shapes differ along axis {axis} only")
    if op.attrs["position"] + rows[axis] > cache[axis]:
        raise refuse(f"rows that fit the cache from position {op.attrs['position']} on")
    if len(tensors) == 3 and tensors[2].shape != (1,):
        raise refuse("a position of shape [1]")
    return cache


def check_vector_op(op: Op, tensors: Sequence[Tensor], out: Tensor) -> None:
    """Raise InputError where bits, scales or constants of a vector op's tensors are not what it works on."""
    where = f"op {op.name} ({op.kind})"
    if op.kind in ("softmax", "layer_norm", "range_norm", "gelu"):
        if tensors[0].bits > INPUT_BITS or out.bits > INPUT_BITS:
            raise InputError(
                f"{where}: wanted input and output of at most {INPUT_BITS} bits, got {tensors[0].bits} and {out.bits}"
            )
        if tensors[0].scale.size != 1:
            raise InputError(f"{where}: wanted one scale at its input, got {tensors[0].scale.size}")
    if op.kind == "softmax":
        _check_softmax(where, op, tensors, out)
    if op.kind in ("layer_norm", "range_norm"):
        _check_constants(where, tensors[1:])
        n = tensors[0].shape[-1]
        if not (2 if op.kind == "range_norm" else 1) <= n <= 1 << 16:
            raise InputError(f"{where}: wanted rows of 2 to 65536 entries, got {n}")
    if op.kind == "gather":
        _check_counts(where, "ids", tensors[0])
        _check_constants(where, tensors[1:])
    if op.kind == "append" and len(tensors) == 3:
        _check_counts(where, "the position", tensors[2])


def _check_softmax(where: str, op: Op, tensors: Sequence[Tensor], out: Tensor) -> None:
    if op.attrs["causal"] > 1:
        raise InputError(f"{where}: causal: wanted 0 or 1, got {op.attrs['causal']}")
    if out.signed or out.zero_point or out.scale[0] != np.float32(2.0**-out.bits):
        raise InputError(
            f"{where}: wanted an unsigned output of zero point 0 and scale 2**-{out.bits}, got "
            f"{'signed' if out.signed else 'unsigned'}, {out.zero_point} and {out.scale[0]:g}"
        )
    if tensors[0].shape[-1] > 1 << 16:
        raise InputError(f"{where}: wanted rows of at most 65536 entries, got {tensors[0].shape[-1]}")
    if len(tensors) == 2:
        _check_counts(where, "lengths", tensors[1])


def _check_counts(where: str, what: str, tensor: Tensor) -> None:
    if tensor.zero_point or tensor.scale.size != 1 or tensor.scale[0] != 1:
        raise InputError(
            f"{where}: wanted {what} with scale 1 and zero point 0, got {tensor.scale.tolist()} and {tensor.zero_point}"
        )


def _check_constants(where: str, tensors: Sequence[Tensor]) -> None:
    for tensor in tensors:
        if tensor.data is None:
            raise InputError(f"{where}: wanted a constant, got the computed tensor {tensor.name}")
