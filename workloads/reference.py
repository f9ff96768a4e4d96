"""The one definition of meaning: what each op of a graph and each layer of a machine computes, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from designs.errors import InputError
from workloads.accumulate import conv_accumulated, conv_exact, matmul_exact, windows
from workloads.functions.choice import I_BERT, FunctionChoice, check_functions
from workloads.ir import Graph, Op, Tensor
from workloads.ir_vector import VECTOR_OPS
from workloads.layer import Arithmetic, Layer
from workloads.reference_vector import run_vector_op
from workloads.requantize import apply_scale, check_rounding, fixed_multiplier_pair, requantize


def run_graph(
    graph: Graph, feeds: Mapping[str, np.ndarray], rounding: str = "float32", multiplier_bits: int = 16,
    functions: FunctionChoice = I_BERT,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Stored integers (int64) of every tensor the graph computes, inputs included, for the given stored inputs.

    `rounding` is a mode of `workloads.requantize`; `functions` says which softmax and GELU. InputError where a feed is
    missing or does not fit its tensor.
    """
    check_rounding(rounding)
    check_functions(functions)
    values = {t.name: t.data for t in graph.tensors if t.data is not None}
    for name in graph.inputs:
        values[name] = _feed(graph.by_name[name], feeds)
    for op in graph.ops:
        inputs = [values[name] for name in op.inputs]
        values[op.output] = run_op(graph, op, inputs, rounding, multiplier_bits, functions)
    return {name: value for name, value in values.items() if graph.by_name[name].data is None}


def run_steps(
    graphs: Graph | Sequence[Graph], feeds: Sequence[Mapping[str, np.ndarray]], rounding: str = "float32",
    multiplier_bits: int = 16, functions: FunctionChoice = I_BERT,
) -> list[dict[str, np.ndarray]]:  # fmt: skip
    """`run_graph` of each step's feeds in turn, the states of a step carried to the next.

    One graph for all steps or one for each, all with the same states. A state that the first feeds lack starts at its
    zero point (an empty cache). InputError also where the steps do not go together.
    """
    steps = [graphs] * len(feeds) if isinstance(graphs, Graph) else list(graphs)
    if len(steps) != len(feeds):
        raise InputError(f"steps: wanted a graph for each of the {len(feeds)} feeds, got {len(steps)}")
    results: list[dict[str, np.ndarray]] = []
    for graph, feed in zip(steps, feeds, strict=True):
        given = dict(feed)
        for name, following in graph.states:
            if not results:
                tensor = graph.by_name[name]
                given.setdefault(name, np.full(tensor.shape, tensor.zero_point, np.int64))
            elif name in feed:
                raise InputError(f"input {name}: wanted no feed after the first step, for it is a state")
            elif following not in results[-1]:
                raise InputError(f"{graph.name}: wanted the states of the step before, got another, {following!r}")
            else:
                given[name] = results[-1][following]
        results.append(run_graph(graph, given, rounding, multiplier_bits, functions))
    return results


def run_op(
    graph: Graph, op: Op, inputs: list[np.ndarray], rounding: str, multiplier_bits: int = 16,
    functions: FunctionChoice = I_BERT,
) -> np.ndarray:  # fmt: skip
    """Stored integers (int64) of the op's output, from those of its inputs."""
    tensors = [graph.by_name[name] for name in op.inputs]
    out = graph.by_name[op.output]
    if op.kind in VECTOR_OPS:
        return run_vector_op(op, tensors, out, inputs, functions, multiplier_bits)
    x = inputs[0]

    def rescale(t: np.ndarray, ratio: np.ndarray, axis: int = -1) -> np.ndarray:
        if np.all(ratio == 1):  # the sum itself, in every rounding mode
            return np.clip(t, op.low - out.zero_point, op.high - out.zero_point) + out.zero_point
        if ratio.size > 1:
            ratio = ratio.reshape([-1 if i == axis % t.ndim else 1 for i in range(t.ndim)])
        return apply_scale(
            t, ratio, out.zero_point, op.low, op.high, rounding=rounding, multiplier_bits=multiplier_bits
        )

    if op.kind == "conv":
        strides, pads = _pair(op.attrs["strides"]), _quad(op.attrs["pads"])
        acc = conv_exact(x - tensors[0].zero_point, inputs[1], strides, pads, op.attrs["groups"])
        if len(inputs) == 3:
            acc += inputs[2][:, None, None]
        return rescale(acc, product_scale(tensors[0], tensors[1], out), axis=1)
    if op.kind == "matmul":
        acc = matmul_exact(x - tensors[0].zero_point, inputs[1] - tensors[1].zero_point)
        if len(inputs) == 3:
            acc += inputs[2]
        return rescale(acc, product_scale(tensors[0], tensors[1], out))
    if op.kind == "add":
        return add(
            x, inputs[1], (tensors[0], tensors[1]), out, op.low, op.high, rounding=rounding, bits=multiplier_bits
        )
    if op.kind == "average_pool":
        view = windows(
            x, _pair(op.attrs["kernel"]), _pair(op.attrs["strides"]), _quad(op.attrs["pads"]), tensors[0].zero_point
        )
        acc = view.sum(axis=(4, 5)) - tensors[0].zero_point * view.shape[4] * view.shape[5]
        return rescale(acc, average_scale(op, tensors[0], out))
    if op.kind == "max_pool":
        lowest = int(np.iinfo(np.int64).min)
        view = windows(x, _pair(op.attrs["kernel"]), _pair(op.attrs["strides"]), _quad(op.attrs["pads"]), lowest)
        return np.clip(view.max(axis=(4, 5)), op.low, op.high)
    if op.kind == "requantize":
        return rescale(x - tensors[0].zero_point, tensors[0].scale / out.scale)
    if op.kind == "concat":
        parts = [rescale(v - t.zero_point, t.scale / out.scale) for v, t in zip(inputs, tensors, strict=True)]
        return np.concatenate(parts, axis=op.attrs["axis"])
    moved = x.transpose(op.attrs["order"]) if op.kind == "transpose" else x.reshape(out.shape)
    return np.clip(moved, op.low, op.high)


def product_scale(x: Tensor, w: Tensor, out: Tensor) -> np.ndarray:
    """float32 `s_x * s_w / s_out` of a conv or matmul, one or one an output channel, rounded as ONNX Runtime does."""
    return x.scale * w.scale / out.scale


def average_scale(op: Op, x: Tensor, out: Tensor) -> np.ndarray:
    """float32 `s_x / (s_out * count)` of an average pooling over `count` pixels."""
    count = np.float32(op.attrs["kernel"][0] * op.attrs["kernel"][1])
    return x.scale / (out.scale * count)


def add(
    a: np.ndarray, b: np.ndarray, tensors: tuple[Tensor, Tensor], out: Tensor, low: int, high: int,
    *, rounding: str, bits: int,
) -> np.ndarray:  # fmt: skip
    """Sum of two stored tensors at the scale of `out`.

    float32 is ONNX Runtime's QLinearAdd: fused multiply-adds, `a * r_a + (b * r_b + (zero - (r_a * z_a + r_b * z_b)))`,
    rounded half to even. The other modes are `add_fixed_point`.
    """
    scales = tensors[0].scale[0] / out.scale[0], tensors[1].scale[0] / out.scale[0]
    zeros = tensors[0].zero_point, tensors[1].zero_point
    if rounding != "float32":
        m1, m2, shift = fixed_multiplier_pair((float(scales[0]), float(scales[1])), bits, _fixed(rounding))
        return _add_fixed_point(a - zeros[0], b - zeros[1], m1, m2, shift, out.zero_point, low, high)
    offset = _fused(scales[0], np.float64(zeros[0]), scales[1] * np.float32(zeros[1]))
    fixed_part = np.float32(out.zero_point) - offset
    total = _fused(scales[0], a, _fused(scales[1], b, fixed_part))
    return np.clip(np.rint(total).astype(np.float64), low, high).astype(np.int64)


def run_layer(
    layer: Layer, x: np.ndarray, residual: np.ndarray | None = None, arithmetic: Arithmetic | None = None
) -> tuple[np.ndarray, int]:
    """(stored outputs (n_images, out_channels, out_h, out_w) int64, accumulator overflows) of a layer with numbers.

    x is (n_images, in_channels, in_h, in_w), residual has the shape of the output. `Arithmetic` says how sums are
    made (the default: 32 bits, wrapping); the requantizer is the machine's, fixed point. InputError where the data
    do not fit the layer.
    """
    arithmetic = arithmetic or Arithmetic()
    n = layer.numbers
    if n is None:
        raise InputError(f"layer {layer.name}: wanted a layer with numbers, got shapes only (build it from a graph)")
    x = _stored(layer, "input", x, (layer.n_images, layer.in_channels, layer.in_h, layer.in_w), n.in_low, n.in_high)
    out_shape = (layer.n_images, layer.out_channels, layer.out_h, layer.out_w)
    pads = _layer_pads(layer)
    # a stride may leave the last rows and columns unread, so that no padding is needed after them
    kernel, strides = (layer.kernel_h, layer.kernel_w), (layer.stride_h, layer.stride_w)
    if layer.kind == "max_pool":
        view = windows(x, kernel, strides, pads, int(np.iinfo(np.int64).min))[:, :, : layer.out_h, : layer.out_w]
        return view.max(axis=(4, 5)), 0
    assert n.weights is not None and n.bias is not None and n.scale is not None
    x = x[:, :, : (layer.out_h - 1) * layer.stride_h + layer.kernel_h - layer.pad_top]
    x = x[:, :, :, : (layer.out_w - 1) * layer.stride_w + layer.kernel_w - layer.pad_left]
    acc, n_overflows = conv_accumulated(x - n.in_zero, n.weights, strides, pads, layer.groups, arithmetic)
    if acc.shape != out_shape:
        raise InputError(f"layer {layer.name}: wanted an output of {list(out_shape)}, got {list(acc.shape)}")
    t = acc + n.bias.astype(np.int64)[:, None, None]
    y = apply_scale(
        t, n.scale[:, None, None], n.out_zero, n.out_low, n.out_high,
        rounding=arithmetic.requantize, multiplier_bits=arithmetic.multiplier_bits,
    )  # fmt: skip
    if not layer.residual:
        return y, n_overflows
    if residual is None:
        raise InputError(f"layer {layer.name}: wanted a residual of {list(out_shape)}, got none")
    r = _stored(layer, "residual", residual, out_shape, n.residual_low, n.residual_high)
    m1, m2, shift = fixed_multiplier_pair(n.residual_scales, arithmetic.multiplier_bits, arithmetic.requantize)
    total = _add_fixed_point(y - n.out_zero, r - n.residual_zero, m1, m2, shift, n.sum_zero, n.sum_low, n.sum_high)
    return total, n_overflows


def _add_fixed_point(
    a: np.ndarray, b: np.ndarray, m1: int, m2: int, shift: int, zero: int, low: int, high: int
) -> np.ndarray:
    """`clip(((a * m1 + b * m2 + half) >> shift) + zero)`: the sum of products is requantized by 1 and the shift."""
    return requantize(a * m1 + b * m2, 1, shift, zero, low, high)


def _fused(scale: np.float32, integers: np.ndarray | np.float64, addend: np.ndarray | np.float32) -> np.ndarray:
    """float32(scale * integers + addend) with one rounding: the product of 24 and up to 17 bits is exact in float64."""
    return (np.float64(scale) * np.asarray(integers, np.float64) + addend).astype(np.float32)


def _fixed(rounding: str):  # type: ignore[no-untyped-def]
    return "shift" if rounding == "shift" else "multiplier_shift"


def _feed(tensor: Tensor, feeds: Mapping[str, np.ndarray]) -> np.ndarray:
    if tensor.name not in feeds:
        raise InputError(f"input {tensor.name}: wanted integers of shape {list(tensor.shape)}, got none")
    value = np.asarray(feeds[tensor.name])
    if value.shape != tensor.shape or not np.issubdtype(value.dtype, np.integer):
        raise InputError(
            f"input {tensor.name}: wanted integers of shape {list(tensor.shape)}, got {value.dtype} {list(value.shape)}"
        )
    if value.min() < tensor.low or value.max() > tensor.high:
        raise InputError(
            f"input {tensor.name}: wanted {tensor.low} to {tensor.high}, got {value.min()} to {value.max()}"
        )
    return value.astype(np.int64)


def _stored(layer: Layer, what: str, x: np.ndarray, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    x = np.asarray(x)
    if x.shape != shape or not np.issubdtype(x.dtype, np.integer):
        raise InputError(
            f"layer {layer.name}: {what}: wanted integers of shape {list(shape)}, got {x.dtype} {list(x.shape)}"
        )
    if x.min() < low or x.max() > high:
        raise InputError(f"layer {layer.name}: {what}: wanted {low} to {high}, got {x.min()} to {x.max()}")
    return x.astype(np.int64)


def _layer_pads(layer: Layer) -> tuple[int, int, int, int]:
    """(top, left, bottom, right): the bottom and the right are what the output's size needs."""
    bottom = (layer.out_h - 1) * layer.stride_h + layer.kernel_h - layer.in_h - layer.pad_top
    right = (layer.out_w - 1) * layer.stride_w + layer.kernel_w - layer.in_w - layer.pad_left
    return layer.pad_top, layer.pad_left, max(bottom, 0), max(right, 0)


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]


def _quad(values: tuple[int, ...]) -> tuple[int, int, int, int]:
    return values[0], values[1], values[2], values[3]
