"""Jobs of the array: convolutions, pooling, products with constant weights, and the additions that these take along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from workloads.ir import Op, Tensor
from workloads.layer import Layer, LayerKind, LayerNumbers, Place
from workloads.lowering.draft import Draft, box_of, image_places, parts, refusal
from workloads.lowering.view import View, along, image_view
from workloads.reference import average_scale, product_scale


def conv(draft: Draft, op: Op) -> None:
    """A convolution with constant weights."""
    x, w, out = (draft.tensor(name) for name in (op.inputs[0], op.inputs[1], op.output))
    bias = draft.tensor(op.inputs[2]) if len(op.inputs) == 3 else None
    numbers = layer_numbers(draft, op, w.shape[0], weights=w.data, bias=bias, scale=product_scale(x, w, out))
    _emit_window(draft, op, numbers, w.shape[2:], groups=op.attrs["groups"], weight_bits=w.bits)


def average_pool(draft: Draft, op: Op) -> None:
    """A convolution with weights of one, each channel on its own."""
    x, out = draft.tensor(op.inputs[0]), draft.tensor(op.output)
    kernel = tuple(op.attrs["kernel"])
    channels = x.shape[1]
    scale = average_scale(op, x, out)
    numbers = layer_numbers(draft, op, channels, weights=_ones(channels, kernel), scale=scale)
    _emit_window(draft, op, numbers, kernel, groups=channels)


def max_pool(draft: Draft, op: Op) -> None:
    """Largest of each window."""
    numbers = replace(layer_numbers(draft, op, 0), bias=None)
    _emit_window(draft, op, numbers, op.attrs["kernel"], kind="max_pool", weight_bits=1)


def requantize(draft: Draft, op: Op) -> None:
    """A pass over ones."""
    x, out = draft.tensor(op.inputs[0]), draft.tensor(op.output)
    channels = box_of(op, draft.view(op, op.inputs[0])).channels
    numbers = layer_numbers(draft, op, channels, weights=_ones(channels, (1, 1)), scale=x.scale / out.scale)
    _emit_points(draft, op, numbers, groups=channels)


def product(draft: Draft, op: Op) -> None:
    """A matrix product with constant weights; of a flattened image: a convolution with a kernel as large as it."""
    x, w, out = (draft.tensor(name) for name in (op.inputs[0], op.inputs[1], op.output))
    if len(w.shape) != 2 or w.data is None:
        raise refusal(op, "constant weights (K, N)", f"{w.name} {list(w.shape)}")
    bias = draft.tensor(op.inputs[2]) if len(op.inputs) == 3 else None
    n_images, channels, height, width = draft.view(op, op.inputs[0]).shape
    kernel = (height, width) if _is_flattened(draft.view(op, op.inputs[0])) else (1, 1)
    columns = np.ascontiguousarray(w.data.T)
    scale = product_scale(x, w, out)
    if kernel == (1, 1):
        weights = columns.reshape(*columns.shape, 1, 1)
        numbers = layer_numbers(draft, op, w.shape[1], weights=weights, bias=bias, scale=scale)
        _emit_points(draft, op, numbers, weight_bits=w.bits, out_channels=w.shape[1])
        return
    weights = columns.reshape(w.shape[1], channels, *kernel)
    numbers = layer_numbers(draft, op, w.shape[1], weights=weights, bias=bias, scale=scale)
    shape = (n_images, w.shape[1], 1, 1)
    emit(draft, op, numbers, draft.view(op, op.inputs[0]).shape, shape, kernel=kernel, weight_bits=w.bits)
    draft.views[op.output] = View(op.output, shape, (along("image", n_images), along("channel", w.shape[1])))


def add(draft: Draft, op: Op) -> None:
    """The residual of the later of the two layers that it reads, or of a pass over ones."""
    a, _ = (draft.view(op, name) for name in op.inputs)
    if not fuse_add(draft, op):
        x = draft.tensor(op.inputs[0])
        channels = a.shape[1]
        one = np.ones(1, np.float32)
        numbers = layer_numbers(draft, op, channels, weights=_ones(channels, (1, 1)), scale=one)
        numbers = replace(numbers, out_zero=x.zero_point, out_low=x.low, out_high=x.high)
        _check_alike(draft, op)
        emit(draft, op, numbers, a.shape, a.shape, groups=channels)
        _take_residual(draft, op, len(draft.jobs) - 1)


def fuse_add(draft: Draft, op: Op) -> bool:
    """Make the addition the residual of the later job that it reads; False where that cannot take it."""
    indices = [draft.writers(name)[-1] for name in op.inputs if draft.writers(name)]
    if not indices or op.inputs[0] == op.inputs[1]:
        return False
    index = max(indices)
    job = draft.jobs[index]
    read_once = len(draft.graph.consumers(job.output)) == 1 and job.output not in draft.graph.kept
    if not isinstance(job, Layer) or not read_once or job.kind != "conv" or job.residual or job.out_place is not None:
        return False
    if draft.has_vector_ops and not _stored_alike(draft, op, job.output):
        return False
    _check_alike(draft, op)
    _take_residual(draft, op, index)
    return True


def _stored_alike(draft: Draft, op: Op, main: str) -> bool:
    """Whether the residual is as wide as the sum, and a whole tensor."""
    other = op.inputs[0] if op.inputs[1] == main else op.inputs[1]
    view = draft.like(op, other, draft.views[main])
    return draft.tensor(other).bits == draft.tensor(op.output).bits and view.place(box_of(op, view)) is None


def _check_alike(draft: Draft, op: Op) -> None:
    views = [draft.views[name] for name in op.inputs if name in draft.views]
    if any(view.shape != views[0].shape or view.axes != views[0].axes for view in views):
        raise refusal(op, "two tensors of one layout", f"{list(views[0].shape)} and {list(views[-1].shape)}")


def _take_residual(draft: Draft, op: Op, index: int) -> None:
    layer = draft.jobs[index]
    assert isinstance(layer, Layer) and layer.numbers is not None
    main = 1 if layer.output == op.inputs[1] else 0
    y, r, out = (draft.tensor(name) for name in (op.inputs[main], op.inputs[1 - main], op.output))
    numbers = replace(
        layer.numbers, residual_zero=r.zero_point, residual_low=r.low, residual_high=r.high,
        residual_scales=(float(y.scale[0] / out.scale[0]), float(r.scale[0] / out.scale[0])),
        sum_zero=out.zero_point, sum_low=op.low, sum_high=op.high,
    )  # fmt: skip
    view = draft.views[op.inputs[main]]
    inputs = (*layer.inputs, draft.like(op, op.inputs[1 - main], view).stored)
    draft.jobs[index] = replace(
        layer, residual=True, out_bits=out.bits, inputs=inputs, output=op.output, numbers=numbers
    )
    draft.views[op.output] = replace(view, stored=op.output)


def layer_numbers(
    draft: Draft, op: Op, n_out: int, *, weights: np.ndarray | None = None, bias: Tensor | None = None,
    scale: np.ndarray | None = None,
) -> LayerNumbers:  # fmt: skip
    """Numbers of a layer that computes the op for `n_out` output channels."""
    x, out = draft.tensor(op.inputs[0]), draft.tensor(op.output)
    return LayerNumbers(
        weights=weights, bias=np.zeros(n_out, np.int64) if bias is None else bias.data, scale=scale,
        in_zero=x.zero_point, in_low=x.low, in_high=x.high,
        out_zero=out.zero_point, out_low=op.low, out_high=op.high,
    )  # fmt: skip


def emit(
    draft: Draft,
    op: Op,
    numbers: LayerNumbers,
    shape: tuple[int, int, int, int],
    out: tuple[int, int, int, int],
    *,
    name: str = "",
    kind: LayerKind = "conv",
    kernel: Sequence[int] = (1, 1),
    strides: Sequence[int] = (1, 1),
    pads: Sequence[int] = (0, 0),
    groups: int = 1,
    weight_bits: int | None = None,  # None: a pass that only adds, all ones; +1 and zeros for other channels
    weights_from: str = "",
    places: tuple[Place | None, Place | None] = (None, None),
) -> None:
    """Append the layer that reads `shape` of the op's first input and writes `out`, both (images, channels, h, w)."""
    draft.jobs.append(
        Layer(
            name=name or op.name, kind=kind, n_images=shape[0], in_h=shape[2], in_w=shape[3], in_channels=shape[1],
            out_channels=out[1], out_h=out[2], out_w=out[3], kernel_h=kernel[0], kernel_w=kernel[1],
            stride_h=strides[0], stride_w=strides[1], pad_top=pads[0], pad_left=pads[1], groups=groups,
            shared_weights=weight_bits is None, in_bits=draft.tensor(op.inputs[0]).bits,
            weight_bits=2 if weight_bits is None else weight_bits, out_bits=draft.tensor(op.output).bits,
            inputs=(draft.view(op, op.inputs[0]).stored,), output=op.output, weights_from=weights_from,
            in_place=places[0], out_place=places[1], numbers=numbers,
        )
    )  # fmt: skip


def _emit_window(
    draft: Draft, op: Op, numbers: LayerNumbers, kernel: Sequence[int], *, kind: LayerKind = "conv", groups: int = 1,
    weight_bits: int | None = None,
) -> None:  # fmt: skip
    """A layer that slides over a whole image."""
    view = draft.view(op, op.inputs[0])
    if not view.is_image():
        raise refusal(op, "an image that lies as (N, C, H, W)", f"{view.stored}, moved")
    n, channels, height, width = draft.tensor(op.output).shape
    shape = (n, channels, height, width)
    emit(
        draft, op, numbers, view.shape, shape, kind=kind, kernel=kernel, strides=op.attrs["strides"],
        pads=op.attrs["pads"][:2], groups=groups, weight_bits=weight_bits,
    )  # fmt: skip
    draft.views[op.output] = image_view(op.output, shape)


def _emit_points(
    draft: Draft, op: Op, numbers: LayerNumbers, *, groups: int = 1, weight_bits: int | None = None,
    out_channels: int = 0,
) -> None:  # fmt: skip
    """A layer that works on each token by itself; with `out_channels` it makes those of the last axis."""
    view = draft.view(op, op.inputs[0])
    box, boxes = box_of(op, view), parts(op, view)
    if out_channels and view.axes[-1] != along("channel", box.channels):
        raise refusal(op, "rows whose last axis lies in the channels", f"{list(view.sizes)} of {view.stored}, moved")
    whole = (box.n_images, out_channels or box.channels, box.lines, view.shape[3])
    for i, (part, place) in enumerate(zip(boxes, image_places(boxes, whole[1]), strict=True)):
        emit(
            draft, op, numbers, (part.n_images, part.channels, part.lines, whole[3]), (part.n_images, *whole[1:]),
            name=op.name if place is None else f"{op.name}.{i}", groups=groups, weight_bits=weight_bits,
            places=(view.place(part), place),
        )  # fmt: skip
    draft.views[op.output] = view.with_rows(op.output, whole) if out_channels else view.on(op.output, whole)


def _is_flattened(view: View) -> bool:
    """Whether the last axis holds all channels and pixels of an image, and there is more than one of both."""
    n_images, channels, lines, pixels = view.shape
    flat = (*along("channel", channels), *along("token", lines * pixels))
    return lines * pixels > 1 and view.axes == (along("image", n_images), flat)


def _ones(channels: int, kernel: tuple[int, ...]) -> np.ndarray:
    return np.ones((channels, 1, *kernel), np.int64)
