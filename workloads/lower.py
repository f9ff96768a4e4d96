"""From a graph to the layers of a tensor machine: fusing, and choosing how each tensor lies in memory as an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from designs.errors import InputError
from workloads.ir import Graph, Op, Tensor
from workloads.layer import Arithmetic, Layer, LayerKind, LayerNumbers, matrix_lines
from workloads.reference import average_scale, product_scale, run_layer

MAX_STORED_BITS = 16  # widest activation or weight of a tensor machine


@dataclass(frozen=True)
class _Image:
    """Where a graph tensor lies: which stored tensor, and its (images, channels, lines, pixels)."""

    stored: str
    shape: tuple[int, int, int, int]


def lower(graph: Graph) -> tuple[Layer, ...]:
    """Layers with numbers that compute the graph on a tensor machine, in order.

    An addition becomes the residual of the later of the two layers it reads where nothing else reads that layer, and a
    pass over ones otherwise. A flattened image keeps its layout: the matrix product after it is a convolution with a
    kernel as large as the image. InputError names an op that the machine cannot run.
    """
    lowering = _Lowering(graph)
    for op in graph.ops:
        lowering.add(op)
    return tuple(lowering.layers)


def to_image(tensor: Tensor, value: np.ndarray) -> np.ndarray:
    """Stored integers of a graph input as the image (N, C, H, W) that layers read; padding rows hold the zero point."""
    n, channels, lines, pixels = _input_image(tensor)
    if value.ndim == 4:
        return value
    rows = value.reshape(-1, channels)
    padded = np.full((lines * pixels, channels), tensor.zero_point, rows.dtype)
    padded[: len(rows)] = rows
    return padded.reshape(n, lines, pixels, channels).transpose(0, 3, 1, 2)


def from_image(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The graph tensor of `shape` that lies in the image (N, C, H, W); padding rows are cut off."""
    if len(shape) == 4 or shape[-1] != image.shape[1]:
        return image.reshape(shape)
    n_rows = int(np.prod(shape[:-1]))
    return image.transpose(0, 2, 3, 1).reshape(-1, shape[-1])[:n_rows].reshape(shape)


def run_layers(
    graph: Graph, layers: Sequence[Layer], feeds: Mapping[str, np.ndarray], arithmetic: Arithmetic | None = None
) -> tuple[dict[str, np.ndarray], int]:
    """(image of every tensor that the layers compute, accumulator overflows), run one layer after the other."""
    images = {name: to_image(graph.by_name[name], np.asarray(feeds[name])) for name in graph.inputs}
    n_overflows = 0
    for layer in layers:
        residual = images[layer.inputs[1]] if layer.residual else None
        images[layer.output], n = run_layer(layer, images[layer.inputs[0]], residual, arithmetic)
        n_overflows += n
    return images, n_overflows


def _input_image(tensor: Tensor) -> tuple[int, int, int, int]:
    if len(tensor.shape) == 4:
        n, c, h, w = tensor.shape
        return n, c, h, w
    if len(tensor.shape) < 2:
        raise InputError(f"tensor {tensor.name}: wanted 2 axes or more, got shape {list(tensor.shape)}")
    return (1, tensor.shape[-1], *matrix_lines(int(np.prod(tensor.shape[:-1]))))


class _Lowering:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.layers: list[Layer] = []
        self.images = {name: _Image(name, _input_image(graph.by_name[name])) for name in graph.inputs}

    def add(self, op: Op) -> None:
        steps = {
            "conv": self._conv,
            "matmul": self._matmul,
            "add": self._add,
            "max_pool": self._max_pool,
            "average_pool": self._average_pool,
            "requantize": self._requantize,
            "reshape": self._reshape,
        }
        if op.kind not in steps:
            raise _refusal(op, f"an op that the tensor machine runs ({', '.join(steps)})", op.kind)
        tensors = [self.graph.by_name[name] for name in (*op.inputs, op.output)]
        for tensor in tensors:
            widest = 32 if tensor.data is not None and len(tensor.shape) == 1 else MAX_STORED_BITS
            if tensor.bits > widest:
                raise _refusal(op, f"at most {widest} bits", f"{tensor.bits} in {tensor.name} (quantize it)")
        steps[op.kind](op)

    def _tensor(self, name: str) -> Tensor:
        return self.graph.by_name[name]

    def _image(self, op: Op, name: str) -> _Image:
        if name not in self.images:
            raise _refusal(op, "a computed tensor as input", f"the constant {name}")
        return self.images[name]

    def _numbers(
        self, op: Op, x: Tensor, weights: np.ndarray | None, bias: Tensor | None, scale: np.ndarray | None
    ) -> LayerNumbers:
        out = self._tensor(op.output)
        n_out = 0 if weights is None else weights.shape[0]
        zeros = None if weights is None else np.zeros(n_out, np.int64)
        return LayerNumbers(
            weights=weights, bias=zeros if bias is None else bias.data, scale=scale,
            in_zero=x.zero_point, in_low=x.low, in_high=x.high,
            out_zero=out.zero_point, out_low=op.low, out_high=op.high,
        )  # fmt: skip

    def _emit(
        self,
        op: Op,
        numbers: LayerNumbers,
        *,
        kind: LayerKind = "conv",
        out: tuple[int, ...] | None = None,
        kernel: Sequence[int] = (1, 1),
        strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0),
        groups: int = 1,
        weight_bits: int | None = None,  # None: a pass that only adds, all ones; +1 and zeros for other channels
    ) -> None:
        """Append the layer; out is (channels, lines, pixels), that of the input where not given."""
        x = self._image(op, op.inputs[0])
        n, channels, height, width = x.shape
        out_channels, out_h, out_w = out or x.shape[1:]
        self.layers.append(
            Layer(
                name=op.name, kind=kind, n_images=n, in_h=height, in_w=width, in_channels=channels,
                out_channels=out_channels, out_h=out_h, out_w=out_w, kernel_h=kernel[0], kernel_w=kernel[1],
                stride_h=strides[0], stride_w=strides[1], pad_top=pads[0], pad_left=pads[1], groups=groups,
                shared_weights=weight_bits is None, in_bits=self._tensor(op.inputs[0]).bits,
                weight_bits=2 if weight_bits is None else weight_bits,
                out_bits=self._tensor(op.output).bits, inputs=(x.stored,), output=op.output, numbers=numbers,
            )
        )  # fmt: skip
        self.images[op.output] = _Image(op.output, (n, out_channels, out_h, out_w))

    def _conv(self, op: Op) -> None:
        x, w, out = self._tensor(op.inputs[0]), self._tensor(op.inputs[1]), self._tensor(op.output)
        bias = self._tensor(op.inputs[2]) if len(op.inputs) == 3 else None
        self._emit(
            op, self._numbers(op, x, w.data, bias, product_scale(x, w, out)), out=out.shape[1:],
            kernel=w.shape[2:], strides=op.attrs["strides"], pads=op.attrs["pads"][:2], groups=op.attrs["groups"],
            weight_bits=w.bits,
        )  # fmt: skip

    def _matmul(self, op: Op) -> None:
        x, w, out = (self._tensor(name) for name in (op.inputs[0], op.inputs[1], op.output))
        if w.data is None or len(w.shape) != 2:
            raise _refusal(op, "constant weights (K, N)", f"{w.name} {list(w.shape)}")
        bias = self._tensor(op.inputs[2]) if len(op.inputs) == 3 else None
        _, channels, height, width = self._image(op, op.inputs[0]).shape
        flattened = x.shape[-1] == channels * height * width and x.shape[-1] != channels
        kernel = (height, width) if flattened else (1, 1)
        lines = (1, 1) if flattened else (height, width)
        weights = np.ascontiguousarray(w.data.T).reshape(w.shape[1], channels, *kernel)
        numbers = self._numbers(op, x, weights, bias, product_scale(x, w, out))
        self._emit(op, numbers, out=(w.shape[1], *lines), kernel=kernel, weight_bits=w.bits)

    def _average_pool(self, op: Op) -> None:
        x, out = self._tensor(op.inputs[0]), self._tensor(op.output)
        kernel = tuple(op.attrs["kernel"])
        self._emit(
            op, self._numbers(op, x, _ones(x.shape[1], kernel), None, average_scale(op, x, out)), out=out.shape[1:],
            kernel=kernel, strides=op.attrs["strides"], pads=op.attrs["pads"][:2], groups=x.shape[1],
        )  # fmt: skip

    def _max_pool(self, op: Op) -> None:
        x, out = self._tensor(op.inputs[0]), self._tensor(op.output)
        self._emit(
            op, self._numbers(op, x, None, None, None), kind="max_pool", weight_bits=1, out=out.shape[1:],
            kernel=op.attrs["kernel"], strides=op.attrs["strides"], pads=op.attrs["pads"][:2],
        )  # fmt: skip

    def _requantize(self, op: Op) -> None:
        x, out = self._tensor(op.inputs[0]), self._tensor(op.output)
        channels = self._image(op, op.inputs[0]).shape[1]
        numbers = self._numbers(op, x, _ones(channels, (1, 1)), None, x.scale / out.scale)
        self._emit(op, numbers, groups=channels)

    def _add(self, op: Op) -> None:
        a, b = (self._image(op, name) for name in op.inputs)
        if a.shape != b.shape:
            raise _refusal(op, "two tensors of one layout", f"{list(a.shape)} and {list(b.shape)}")
        index = self._fusable(op)
        if index is None:
            x = self._tensor(op.inputs[0])
            numbers = self._numbers(op, x, _ones(a.shape[1], (1, 1)), None, np.ones(1, np.float32))
            numbers = replace(numbers, out_zero=x.zero_point, out_low=x.low, out_high=x.high)
            self._emit(op, numbers, groups=a.shape[1])
            index = len(self.layers) - 1
        layer = self.layers[index]
        main = 1 if layer.output == op.inputs[1] else 0
        self.layers[index] = self._with_residual(layer, op, main)
        self.images[op.output] = _Image(op.output, a.shape)

    def _fusable(self, op: Op) -> int | None:
        """Index of the layer that may take the addition as its residual: the later of the two that it reads."""
        written = [layer.output for layer in self.layers]
        indices = [written.index(name) for name in op.inputs if name in written]
        if not indices or op.inputs[0] == op.inputs[1]:
            return None
        layer = self.layers[max(indices)]
        read_once = len(self.graph.consumers(layer.output)) == 1 and layer.output not in self.graph.kept
        return max(indices) if read_once and layer.kind == "conv" and not layer.residual else None

    def _with_residual(self, layer: Layer, op: Op, main: int) -> Layer:
        y, r, out = (self._tensor(name) for name in (op.inputs[main], op.inputs[1 - main], op.output))
        assert layer.numbers is not None
        numbers = replace(
            layer.numbers, residual_zero=r.zero_point, residual_low=r.low, residual_high=r.high,
            residual_scales=(float(y.scale[0] / out.scale[0]), float(r.scale[0] / out.scale[0])),
            sum_zero=out.zero_point, sum_low=op.low, sum_high=op.high,
        )  # fmt: skip
        inputs = (*layer.inputs, self.images[op.inputs[1 - main]].stored)
        return replace(layer, residual=True, out_bits=out.bits, inputs=inputs, output=op.output, numbers=numbers)

    def _reshape(self, op: Op) -> None:
        x, out = self._tensor(op.inputs[0]), self._tensor(op.output)
        image = self._image(op, op.inputs[0])
        n, channels, height, width = image.shape
        rows_stay = len(out.shape) < 4 and x.shape[-1] == out.shape[-1] and len(x.shape) < 4
        flattens = len(x.shape) == 4 and out.shape == (n, channels * height * width)
        if not (rows_stay or flattens or x.shape == out.shape):
            raise _refusal(op, "a flattening of (N, C, H, W) to (N, C*H*W)", f"{list(x.shape)} to {list(out.shape)}")
        self.images[op.output] = image


def _ones(channels: int, kernel: tuple[int, ...]) -> np.ndarray:
    return np.ones((channels, 1, *kernel), np.int64)


def _refusal(op: Op, wanted: str, came: str) -> InputError:
    return InputError(f"op {op.name} ({op.kind}): wanted {wanted}, got {came}")
