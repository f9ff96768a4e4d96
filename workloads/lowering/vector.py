"""Jobs of the vector unit: what a graph computes beside its products, and changes of width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from workloads.ir import Op, Tensor
from workloads.layer import Place
from workloads.lowering.array import fuse_add
from workloads.lowering.draft import Draft, box_of, image_places, parts, refusal
from workloads.lowering.view import Box, View, along
from workloads.vector_layer import VectorKind, VectorLayer, VectorNumbers


def gather(draft: Draft, op: Op) -> None:
    """Rows of a constant table."""
    ids, table = draft.tensor(op.inputs[0]), draft.tensor(op.inputs[1])
    view = draft.view(op, ids.name)
    box = box_of(op, view)
    if view.place(box) is not None or box.channels > 1:
        raise refusal(op, "ids (sequences, tokens) that are an input of the graph", f"{list(ids.shape)}, a part")
    assert table.data is not None
    numbers = replace(_numbers(op, table, draft.tensor(op.output)), table=table.data)
    n_rows, channels = table.shape
    shape = (box.n_images, channels, box.lines, view.shape[3])
    _append_job(
        draft, op, "gather", shape, numbers, op.inputs[:1], in_bits=table.bits, n_table_rows=n_rows, name=op.name
    )
    axes = (*view.axes, along("channel", channels))
    draft.views[op.output] = View(op.output, shape, axes)


def softmax(draft: Draft, op: Op) -> None:
    """Softmax of rows; causal where rows are the tokens of a matrix."""
    if len(op.inputs) == 2:
        raise refusal(op, "rows of one length (run sequences of one length, unpadded)", f"lengths {op.inputs[1]}")
    out = draft.tensor(op.output)
    if (op.low, op.high) != (out.low, out.high):
        raise refusal(op, f"no bounds but those of {out.bits} bits", f"{op.low} to {op.high}")
    view = draft.view(op, op.inputs[0])
    if op.attrs["causal"] and not _counts_tokens(op, view):
        wanted = "causal rows that are the tokens of a matrix, each matrix an image of its own"
        raise refusal(op, wanted, f"{list(view.sizes)} of {view.stored}; let a product of two activations make them")
    causal = bool(op.attrs["causal"])
    _emit_rows(draft, op, "softmax", causal=causal, causal_offset=op.attrs["offset"] if causal else 0)


def _counts_tokens(op: Op, view: View) -> bool:
    """Whether row i of each matrix is token i of an image: a mask counts tokens from the first line of an image."""
    n_rows = view.sizes[-2]
    return view.axes[-2] == along("token", n_rows) and box_of(op, view).n_tokens == n_rows


def normalization(draft: Draft, op: Op) -> None:
    """layer_norm and range_norm: gamma and beta are constants."""
    gain, offset = (draft.tensor(name).constant_values() for name in op.inputs[1:])
    kind: VectorKind = "layer_norm" if op.kind == "layer_norm" else "range_norm"
    _emit_rows(draft, op, kind, gain=gain, offset=offset)


def elementwise(draft: Draft, op: Op) -> None:
    """gelu and requantize."""
    kind: VectorKind = "gelu" if op.kind == "gelu" else "requantize"
    box = _emit_parts(draft, op, kind, draft.view(op, op.inputs[0]))
    draft.views[op.output] = draft.view(op, op.inputs[0]).on(op.output, box)


def add(draft: Draft, op: Op) -> None:
    """The residual of the product that it reads, where the widths allow it; else an addition of the vector unit."""
    if not any(name in draft.views for name in op.inputs):
        draft.view(op, op.inputs[0])  # refuses two constants
    if fuse_add(draft, op):
        return
    first = next(name for name in op.inputs if name in draft.views)
    views = [draft.like(op, name, draft.view(op, first)) for name in op.inputs]
    views = [_whole(draft, op, name, view) for name, view in zip(op.inputs, views, strict=True)]
    x, z = views
    if x.shape != z.shape or x.axes != z.axes:
        raise refusal(op, "two tensors of one layout", f"{list(x.shape)} and {list(z.shape)}")
    a, b, out = (draft.tensor(name) for name in (*op.inputs, op.output))
    numbers = replace(
        _numbers(op, a, out), z_scale=float(b.scale[0]), z_zero=b.zero_point, z_low=b.low, z_high=b.high
    )
    _append_job(
        draft, op, "add", x.shape, numbers, (x.stored, z.stored), in_bits=a.bits, z_bits=b.bits, name=op.name
    )
    draft.views[op.output] = replace(x, stored=op.output)


def copy(
    draft: Draft, op: Op, name: str, view: View, output: str, moves: Sequence[tuple[Box, Place | None]]
) -> None:
    """Requantizations with factor 1 that bring boxes of a view of the tensor `name` to places of `output`."""
    x = draft.tensor(name)
    numbers = VectorNumbers(
        x_zero=x.zero_point, x_low=x.low, x_high=x.high, x_scale=float(x.scale[0]),
        out_zero=x.zero_point, out_low=x.low, out_high=x.high, out_scale=float(x.scale[0]),
    )  # fmt: skip
    for i, (box, place) in enumerate(moves):
        shape = (box.n_images, box.channels, box.lines, view.shape[3])
        _append_job(
            draft, op, "requantize", shape, numbers, (view.stored,), in_bits=x.bits, out_bits=x.bits, output=output,
            in_place=view.place(box), out_place=place, name=_numbered(f"{op.name}.{name}", i, len(moves)),
        )  # fmt: skip


def _emit_parts(
    draft: Draft, op: Op, kind: VectorKind, view: View, *, gain: np.ndarray | None = None,
    offset: np.ndarray | None = None, **fields: Any,
) -> tuple[int, int, int, int]:  # fmt: skip
    """Append the jobs that work on the box of the view, in all or image by image; answers the shape of the result."""
    x, out = draft.tensor(op.inputs[0]), draft.tensor(op.output)
    numbers = replace(_numbers(op, x, out), gain=gain, offset=offset)
    box, boxes = box_of(op, view), parts(op, view)
    for i, (part, place) in enumerate(zip(boxes, image_places(boxes, box.channels), strict=True)):
        shape = (part.n_images, part.channels, part.lines, view.shape[3])
        _append_job(
            draft, op, kind, shape, numbers, (view.stored,), in_bits=x.bits, in_place=view.place(part),
            out_place=place, name=_numbered(op.name, i, len(boxes)), **fields,
        )  # fmt: skip
    return box.n_images, box.channels, box.lines, view.shape[3]


def _emit_rows(draft: Draft, op: Op, kind: VectorKind, **fields: Any) -> None:
    """An operation on rows, which have to be the channels of a token."""
    view = draft.view(op, op.inputs[0])
    box = box_of(op, view)
    if view.axes[-1] != along("channel", box.channels):
        raise refusal(op, "rows that are the channels of a token", f"{list(view.sizes)} of {view.stored}, moved")
    draft.views[op.output] = view.on(op.output, _emit_parts(draft, op, kind, view, **fields))


def _whole(draft: Draft, op: Op, name: str, view: View) -> View:
    """The view itself where it is a whole stored tensor, and one of a copy where it is a part."""
    box = box_of(op, view)
    if view.place(box) is None:
        return view
    boxes = parts(op, view)
    copied = view.on(f"{op.name}.{name}", (box.n_images, box.channels, box.lines, view.shape[3]))
    moves = list(zip(boxes, image_places(boxes, box.channels), strict=True))
    copy(draft, op, name, view, copied.stored, moves)
    return copied


def _append_job(
    draft: Draft, op: Op, kind: VectorKind, shape: tuple[int, int, int, int], numbers: VectorNumbers,
    inputs: tuple[str, ...], **fields: Any,
) -> None:  # fmt: skip
    n_images, channels, in_h, in_w = shape
    fields = {"out_bits": draft.tensor(op.output).bits, "output": op.output, **fields}
    draft.jobs.append(
        VectorLayer(
            kind=kind, n_images=n_images, in_h=in_h, in_w=in_w, channels=channels, inputs=inputs, numbers=numbers,
            **fields,
        )
    )  # fmt: skip


def _numbered(name: str, i: int, n: int) -> str:
    return name if n == 1 else f"{name}.{i}"


def _numbers(op: Op, x: Tensor, out: Tensor) -> VectorNumbers:
    return VectorNumbers(
        x_zero=x.zero_point, x_low=x.low, x_high=x.high, x_scale=float(x.scale[0]),
        out_zero=out.zero_point, out_low=op.low, out_high=op.high, out_scale=float(out.scale[0]),
    )  # fmt: skip
