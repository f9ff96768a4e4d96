"""Products of two activations, one operand of which takes the place of weights; caches; moves, which are views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from workloads.ir import Op, Tensor
from workloads.layer import Layer
from workloads.lowering.array import emit, layer_numbers
from workloads.lowering.draft import MOST_STORED_BITS, MOVES, Draft, box_of, refusal
from workloads.lowering.vector import copy
from workloads.lowering.view import Axis, Box, Kind, View, along
from workloads.reference import product_scale
from workloads.vector_layer import Role, VectorLayer, VectorNumbers


def move(draft: Draft, op: Op) -> None:
    """reshape, transpose and slice: another view of what is stored."""
    view = draft.view(op, op.inputs[0])
    moved = _moved(op, view, draft.tensor(op.output).shape)
    if moved is None:
        shapes = f"{list(view.sizes)} to {list(draft.tensor(op.output).shape)}"
        raise refusal(op, f"a {op.kind} that leaves rows and channels in one piece as they are stored", shapes)
    draft.views[op.output] = moved


def product(draft: Draft, op: Op) -> None:
    """For each matrix: a vector layer that makes weights of the second operand, and a layer that reads them."""
    x, w = (draft.view(op, name) for name in op.inputs[:2])
    operand = _operand(op, draft.tensor(op.inputs[1]), w)
    n_rows, n_in, n_out = x.sizes[-2], x.sizes[-1], w.sizes[-1]
    if x.axes[-2:] != (along("token", n_rows), along("channel", n_in)):
        raise refusal(op, "a first operand of rows of tokens and columns of channels", f"{op.inputs[0]}, moved")
    result = _result(draft, op, x, w, operand.role)
    draft.views[op.output] = result
    bias = draft.tensor(op.inputs[2]) if len(op.inputs) == 3 else None
    scale = product_scale(*(draft.tensor(name) for name in (*op.inputs[:2], op.output)))
    numbers = layer_numbers(draft, op, n_out, bias=bias, scale=scale)
    several = prod(x.sizes[:-2]) > 1
    for i, index in enumerate(np.ndindex(*x.sizes[:-2])):
        name = f"{op.name}.{i}" if several else op.name
        made = _to_weights(draft, op, operand, w.at(index), name)
        part, written = x.at(index), result.at(index)
        box, to = box_of(op, part), box_of(op, written)
        emit(
            draft, op, numbers, (1, n_in, box.lines, x.shape[3]), (1, n_out, to.lines, x.shape[3]), name=name,
            weight_bits=operand.bits, weights_from=made, places=(part.place(box), written.place(to)),
        )  # fmt: skip


def append(draft: Draft, op: Op) -> None:
    """New rows of a cache, written to their lines by the job that makes them, or copied there."""
    cache, rows = (draft.view(op, name) for name in op.inputs[:2])
    if len(op.inputs) == 3:
        raise refusal(op, "a fixed position (trace each step on its own)", f"the tensor {op.inputs[2]}")
    name, axis, position = op.inputs[0], op.attrs["axis"], op.attrs["position"]
    if len(draft.graph.consumers(name)) > 1 or name in draft.graph.kept:
        raise refusal(op, "a cache that nothing else reads (it is overwritten)", f"{name}, read elsewhere too")
    new = cache.sliced(axis, position, position + rows.sizes[axis])
    if new is None or new.axes[1:] != rows.axes[1:] or cache.axes[axis] != along("token", cache.sizes[axis]):
        raise refusal(op, "a cache and rows of one layout, appended along its tokens", f"axis {axis} of {name}")
    if cache.shape[3] > 1 or rows.shape[3] > 1:
        raise refusal(op, "a cache and rows with lines of one pixel", f"{cache.shape[3]} and {rows.shape[3]}")
    if not _write_there(draft, op, rows, new):
        one_by_one = [(rows.at((i,)), new.at((i,))) for i in range(rows.sizes[0])]
        moves = [(box_of(op, a), b.place(box_of(op, b))) for a, b in one_by_one]
        copy(draft, op, op.inputs[1], rows, cache.stored, moves)
    before, _ = draft.appended.get(cache.stored, (position, 0))
    draft.appended[cache.stored] = min(before, position), cache.sizes[axis]
    draft.views[op.output] = cache


class _Operand(NamedTuple):
    """The operand of a product that takes the place of weights."""

    tensor: Tensor
    role: Role
    low: int  # bounds of the weights
    high: int

    @property
    def bits(self) -> int:
        """Bits of the weights, signed."""
        return max((-self.low - 1).bit_length() if self.low < 0 else 0, self.high.bit_length()) + 1


def _operand(op: Op, tensor: Tensor, view: View) -> _Operand:
    k, n = view.axes[-2:]
    roles: dict[Role, tuple[Axis, Axis]] = {
        "keys": (along("channel", view.sizes[-2]), along("token", view.sizes[-1])),
        "values": (along("token", view.sizes[-2]), along("channel", view.sizes[-1])),
    }
    role = next((role for role, axes in roles.items() if axes == (k, n)), None)
    if role is None:
        raise refusal(op, "a second operand of tokens and channels", f"{tensor.name} {list(view.sizes)}, moved")
    operand = _Operand(tensor, role, tensor.low - tensor.zero_point, tensor.high - tensor.zero_point)
    if operand.bits > MOST_STORED_BITS:
        raise refusal(
            op, f"a second operand of at most {MOST_STORED_BITS} bits as a weight",
            f"{operand.low} to {operand.high} in {tensor.name} (quantize it symmetrically: signed, zero point 0)",
        )  # fmt: skip
    return operand


def _to_weights(draft: Draft, op: Op, operand: _Operand, view: View, product_name: str) -> str:
    """Append the job that makes the weights of one product; answers the name of these weights."""
    box, tensor = box_of(op, view), operand.tensor
    numbers = VectorNumbers(
        x_zero=tensor.zero_point, x_low=tensor.low, x_high=tensor.high,
        out_zero=0, out_low=operand.low, out_high=operand.high,
    )  # fmt: skip
    made = f"{product_name}.weights"
    cached = view.stored in draft.appended or view.stored in draft.kept
    draft.jobs.append(
        VectorLayer(
            name=made, kind="to_weights", in_h=box.lines, in_w=view.shape[3], channels=box.channels,
            in_bits=tensor.bits, out_bits=operand.bits, role=operand.role, product=product_name,
            n_tokens=box.n_tokens, first_token=_first_new(draft, view.stored, box), cached=cached,
            inputs=(view.stored,), output=made, in_place=view.place(box), numbers=numbers,
        )
    )  # fmt: skip
    return made


def _first_new(draft: Draft, stored: str, box: Box) -> int:
    """First token of the box whose weights are not there from the step before."""
    if stored in draft.kept:
        return box.n_tokens
    if stored not in draft.appended:
        return 0
    position, n_tokens = draft.appended[stored]
    return min(max(position - box.line % n_tokens, 0), box.n_tokens)


def _result(draft: Draft, op: Op, x: View, w: View, role: Role) -> View:
    """Where the products go.

    Heads lie beside each other where something reads rows across them later; else products of values lie as the
    values do, and those of keys (scores) are images, so that a mask counts the tokens of each from 0.
    """
    *lead, n_rows, n_out = draft.tensor(op.output).shape
    lines, pixels = box_of(op, x.at((0,) * len(lead))).lines, x.shape[3]
    every: list[Kind] = ["image"] * len(lead)
    apart = _laid_out(op.output, lead, every, (n_rows, n_out), (lines, pixels))
    if lead and _parts_meet(draft, op.output, apart):
        outer: Kind = "image" if w.shape[0] > 1 else "token"
        return _laid_out(op.output, lead, [outer] * (len(lead) - 1) + ["channel"], (n_rows, n_out), (lines, pixels))
    if role == "keys":
        return apart
    kinds: list[Kind] = [axis[0].kind if axis else "image" for axis in w.axes[:-2]]
    return _laid_out(op.output, lead, kinds, (n_rows, n_out), (lines, pixels))


def _laid_out(
    stored: str, lead: Sequence[int], kinds: Sequence[Kind], rows: tuple[int, int], lines: tuple[int, int]
) -> View:
    """Matrices of (tokens, channels), each of `lines` (lines, pixels), whose leading axes step along `kinds`."""
    (n_rows, n_out), (n_lines, pixels) = rows, lines
    stride = {"image": 1, "channel": n_out, "token": n_lines * pixels}
    axes: list[Axis] = []
    for size, kind in list(zip(lead, kinds, strict=True))[::-1]:
        axes.insert(0, along(kind, size, stride[kind]))
        stride[kind] *= size
    shape = (stride["image"], stride["channel"], stride["token"] // pixels, pixels)
    return View(stored, shape, (*axes, along("token", n_rows), along("channel", n_out)))


def _parts_meet(draft: Draft, name: str, view: View) -> bool:
    """Whether something reads rows across the images of the view."""
    for op in draft.graph.consumers(name):
        if op.kind in MOVES or op.kind in ("requantize", "gelu"):
            moved = _moved(op, view, draft.tensor(op.output).shape) if op.kind in MOVES else view
            if moved is None or _parts_meet(draft, op.output, moved):
                return True
        elif op.kind != "matmul" or op.inputs[0] == name:
            if view.axes[-1] != along("channel", view.shape[1]):
                return True
    return False


def _moved(op: Op, view: View, shape: tuple[int, ...]) -> View | None:
    if op.kind == "transpose":
        return view.transposed(op.attrs["order"])
    if op.kind == "slice":
        return view.sliced(op.attrs["axis"], op.attrs["start"], op.attrs["stop"])
    return view.reshaped(shape)


def _write_there(draft: Draft, op: Op, rows: View, new: View) -> bool:
    """Let the job that makes the rows write them to their place; False where others read them, or it cannot."""
    writers = draft.writers(rows.stored)
    names = [name for name, view in draft.views.items() if view.stored == rows.stored]
    readers = {reader.output for name in names for reader in draft.graph.consumers(name)} - {op.output}
    if len(writers) != 1 or not readers <= set(names) or any(name in draft.graph.kept for name in names):
        return False
    job, box = draft.jobs[writers[0]], new.box()
    if box is None or new.axes != rows.axes or box.n_images > 1:
        return False
    if rows.place(box_of(op, rows)) is not None or job.out_place is not None:
        return False
    if isinstance(job, Layer) and job.residual:
        return False
    draft.jobs[writers[0]] = replace(job, output=new.stored, out_place=new.place(box))
    for name in names:  # they lie in the cache now
        draft.views[name] = View(new.stored, new.shape, draft.views[name].axes, new.start)
    return True
