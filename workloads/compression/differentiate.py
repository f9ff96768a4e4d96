"""Gradients of a graph's answers: what lets a network be trained as the quantized graph that it is.

Values are real numbers. After each op they are rounded and clipped as its output's type says; the gradient passes
rounding as if it were not there, and stops where a value was clipped (straight-through).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from designs.errors import InputError
from workloads.accumulate import windows
from workloads.compression.layers import Weighted, weighted_layers
from workloads.compression.quantize import Reals
from workloads.ir import SAME_VALUES, Graph, Op, Tensor

Backward = Callable[[np.ndarray], list[np.ndarray]]  # gradient of the output -> those of the inputs that are computed
Batches = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]  # one batch: stored samples, labels
KINDS = ("conv", "matmul", "add", "max_pool", "average_pool", "requantize", "reshape")


class Differentiable:
    """A graph of one input and one output, both with a batch of one, for batches of any size."""

    def __init__(self, graph: Graph, *, rounded: bool = True) -> None:
        """`rounded` False only clips. InputError for a graph with other ops or other weights than its layers'."""
        self.graph = graph
        self._rounded = rounded
        self._layers = {layer.name: layer for layer in weighted_layers(graph)}
        if len(graph.inputs) != 1 or len(graph.outputs) != 1 or graph.by_name[graph.inputs[0]].shape[0] != 1:
            raise InputError(f"{graph.name}: wanted one input of one sample and one output to train, got others")
        for op in graph.ops:
            if op.kind not in KINDS or (op.kind in ("conv", "matmul") and op.name not in self._layers):
                raise InputError(f"op {op.name}: wanted one that can be trained ({', '.join(KINDS)}), got {op.kind}")

    def forward(self, values: Mapping[str, Reals], samples: np.ndarray) -> np.ndarray:
        """The real answers (n, ...) to stored samples (n, ...), with the weights and biases of each layer."""
        return self._run(values, samples)[0]

    def gradients(
        self, values: Mapping[str, Reals], samples: np.ndarray, labels: np.ndarray
    ) -> tuple[float, dict[str, Reals]]:
        """The mean cross entropy of the answers, as logits, with the labels (n,), and its gradient by layer."""
        logits, tape = self._run(values, samples)
        flat = logits.reshape(len(labels), -1)
        shifted = flat - flat.max(axis=1, keepdims=True)
        chances = np.exp(shifted)
        chances /= chances.sum(axis=1, keepdims=True)
        rows = np.arange(len(labels))
        loss = float(-np.log(np.maximum(chances[rows, labels], np.finfo(chances.dtype).tiny)).mean())
        chances[rows, labels] -= 1
        gradients = {self.graph.outputs[0]: (chances / len(labels)).reshape(logits.shape)}
        found: dict[str, Reals] = {}
        for op, backward in reversed(tape):
            if op.output not in gradients:
                continue
            parts = backward(gradients.pop(op.output))
            if op.name in self._layers:
                found[op.name] = Reals(parts[1], parts[2] if len(parts) == 3 else None)
                parts = parts[:1]
            for name, part in zip(op.inputs, parts, strict=False):
                gradients[name] = gradients[name] + part if name in gradients else part
        return loss, found

    def _run(self, values: Mapping[str, Reals], samples: np.ndarray) -> tuple[np.ndarray, list[tuple[Op, Backward]]]:
        x = self.graph.by_name[self.graph.inputs[0]]
        dtype = next(iter(values.values())).weights.dtype if values else np.dtype(np.float64)
        real = {x.name: (samples - x.zero_point).astype(dtype) * x.scale.astype(dtype)[0]}
        tape = []
        for op in self.graph.ops:
            if op.name in self._layers:
                y, backward = _layer(self._layers[op.name], values[op.name], real[op.inputs[0]])
            else:
                y, backward = _WITHOUT_WEIGHTS[op.kind](op, self.graph.by_name[op.output], [real[n] for n in op.inputs])
            if op.kind not in SAME_VALUES:
                y, backward = self._stored(op, y, backward)
            real[op.output] = y
            tape.append((op, backward))
        return real[self.graph.outputs[0]], tape

    def _stored(self, op: Op, y: np.ndarray, backward: Backward) -> tuple[np.ndarray, Backward]:
        """What the output's type can hold of y."""
        out = self.graph.by_name[op.output]
        scale = y.dtype.type(out.scale[0])
        low, high = op.low - out.zero_point, op.high - out.zero_point
        steps = y / scale
        if self._rounded:
            np.rint(steps, out=steps)
        inside = (steps >= low) & (steps <= high)
        return np.clip(steps, low, high) * scale, lambda d: backward(d * inside)


def _layer(layer: Weighted, values: Reals, x: np.ndarray) -> tuple[np.ndarray, Backward]:
    y, backward = _matmul(x, values.weights) if layer.op.kind == "matmul" else _conv(layer.op, x, values.weights)
    if values.bias is None:
        return y, backward
    along = (-1, 1, 1) if layer.op.kind == "conv" else (-1,)
    others = (0, 2, 3) if layer.op.kind == "conv" else tuple(range(y.ndim - 1))
    return y + values.bias.reshape(along), lambda d: [*backward(d), d.sum(axis=others)]


def _matmul(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, Backward]:
    def backward(d: np.ndarray) -> list[np.ndarray]:
        return [d @ w.T, x.reshape(-1, x.shape[-1]).T @ d.reshape(-1, d.shape[-1])]

    return x @ w, backward


def _conv(op: Op, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, Backward]:
    n_groups, strides, pads = op.attrs["groups"], op.attrs["strides"], op.attrs["pads"]
    view = windows(x, w.shape[2:], strides, pads, 0)
    n, _, out_h, out_w = view.shape[:4]
    depth, out = w.shape[1], w.shape[0] // n_groups
    columns = [
        view[:, g * depth : (g + 1) * depth].transpose(0, 2, 3, 1, 4, 5).reshape(n * out_h * out_w, -1)
        for g in range(n_groups)
    ]
    rows = w.reshape(n_groups, out, -1)
    y = np.concatenate([c @ r.T for c, r in zip(columns, rows, strict=True)], axis=1)

    def backward(d: np.ndarray) -> list[np.ndarray]:
        flat = d.transpose(0, 2, 3, 1).reshape(-1, n_groups, out)
        d_w = np.stack([flat[:, g].T @ columns[g] for g in range(n_groups)]).reshape(w.shape)
        spread = np.stack([flat[:, g] @ rows[g] for g in range(n_groups)], axis=1)
        taps = spread.reshape(n, out_h, out_w, n_groups * depth, *w.shape[2:]).transpose(0, 3, 1, 2, 4, 5)
        return [_gathered(taps, x.shape, strides, pads), d_w]

    return y.reshape(n, out_h, out_w, -1).transpose(0, 3, 1, 2), backward


def _max_pool(op: Op, _out: Tensor, inputs: list[np.ndarray]) -> tuple[np.ndarray, Backward]:
    x, kernel = inputs[0], op.attrs["kernel"]
    view = windows(x, kernel, op.attrs["strides"], op.attrs["pads"], -np.inf)  # type: ignore[arg-type]
    flat = view.reshape(*view.shape[:4], -1)
    first = flat.argmax(axis=-1)  # of equal ones the first has the gradient

    def backward(d: np.ndarray) -> list[np.ndarray]:
        taps = d[..., None] * (np.arange(flat.shape[-1]) == first[..., None])
        return [_gathered(taps.reshape(view.shape), x.shape, op.attrs["strides"], op.attrs["pads"])]

    return flat.max(axis=-1), backward


def _average_pool(op: Op, _out: Tensor, inputs: list[np.ndarray]) -> tuple[np.ndarray, Backward]:
    x, kernel = inputs[0], op.attrs["kernel"]
    view = windows(x, kernel, op.attrs["strides"], op.attrs["pads"], 0)

    def backward(d: np.ndarray) -> list[np.ndarray]:
        taps = np.broadcast_to((d / (kernel[0] * kernel[1]))[..., None, None], view.shape)
        return [_gathered(taps, x.shape, op.attrs["strides"], op.attrs["pads"])]

    return view.mean(axis=(4, 5)), backward


def _add(_op: Op, _out: Tensor, inputs: list[np.ndarray]) -> tuple[np.ndarray, Backward]:
    return inputs[0] + inputs[1], lambda d: [d, d]


def _requantize(_op: Op, _out: Tensor, inputs: list[np.ndarray]) -> tuple[np.ndarray, Backward]:
    return inputs[0], lambda d: [d]


def _reshape(_op: Op, out: Tensor, inputs: list[np.ndarray]) -> tuple[np.ndarray, Backward]:
    x = inputs[0]
    return x.reshape(len(x), *out.shape[1:]), lambda d: [d.reshape(x.shape)]


def _gathered(
    taps: np.ndarray, shape: tuple[int, ...], strides: tuple[int, int], pads: tuple[int, int, int, int]
) -> np.ndarray:
    """Sums, at each pixel of (n, c, h, w), of what windows (n, c, out_h, out_w, kernel_h, kernel_w) say of it."""
    top, left, bottom, right = pads
    out_h, out_w, kernel_h, kernel_w = taps.shape[2:]
    whole = np.zeros((*shape[:2], shape[2] + top + bottom, shape[3] + left + right), taps.dtype)
    for r in range(kernel_h):
        for c in range(kernel_w):
            rows, columns = slice(r, r + out_h * strides[0], strides[0]), slice(c, c + out_w * strides[1], strides[1])
            whole[:, :, rows, columns] += taps[..., r, c]
    return whole[:, :, top : top + shape[2], left : left + shape[3]]


_WITHOUT_WEIGHTS: dict[str, Callable[[Op, Tensor, list[np.ndarray]], tuple[np.ndarray, Backward]]] = {
    "add": _add,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "requantize": _requantize,
    "reshape": _reshape,
}
