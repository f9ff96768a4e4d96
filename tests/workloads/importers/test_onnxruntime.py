"""The interpreter equals ONNX Runtime's integer operators, node by node, without a mismatch.

Signed weights meet signed inputs, or are given as unsigned ones with zero point 128: for unsigned inputs and signed
weights, ONNX Runtime's own kernels saturate 16-bit partial sums on processors without VNNI.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.workloads.importers.models import Model
from workloads.digits import digits_split
from workloads.importers.onnx import trace_onnx
from workloads.ir import Graph, Op
from workloads.reference import run_graph

ort = pytest.importorskip("onnxruntime")

TYPES = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}
Case = tuple[Model, dict[str, np.ndarray], list[int | str]]


def run_onnxruntime(path: Path, feeds: dict[str, np.ndarray]) -> np.ndarray:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, feeds)[0]


class Draw:
    """Random inputs, scales and zero points of one integer type."""

    def __init__(self, rng: np.random.Generator, dtype: Any) -> None:
        self.rng, self.dtype, self.model = rng, dtype, Model()
        self.info = np.iinfo(dtype)

    def input(self, name: str, shape: list[int]) -> np.ndarray:
        self.model.input(name, list(shape), TYPES[self.dtype])
        return self.rng.integers(self.info.min, self.info.max + 1, shape).astype(self.dtype)

    def weights(self, shape: list[int]) -> tuple[np.ndarray, int]:
        """(stored, zero point) of signed 8-bit weights, unsigned where the inputs are."""
        data = self.rng.integers(-128, 128, shape)
        return (data.astype(np.int8), 0) if self.dtype is np.int8 else ((data + 128).astype(np.uint8), 128)

    def quantization(self, scale: float | None = None) -> list[str]:
        zero = self.rng.integers(self.info.min, self.info.max + 1)
        value = self.rng.uniform(0.01, 0.1) if scale is None else scale
        return [self.model.scale(value), self.model.zero(zero, self.dtype)]

    def size(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))


def conv(d: Draw) -> Case:
    c, h, w, m = d.size(1, 16), d.size(4, 12), d.size(4, 12), d.size(1, 16)
    groups = 1
    if d.rng.random() < 0.4:
        groups, m = c, c
    x = d.input("x", [1, c, h, w])
    weights, zero = d.weights([m, c // groups, 3, 3])
    channels = m if d.rng.random() < 0.5 else 1
    scales = d.rng.uniform(0.002, 0.008, channels) if channels > 1 else 0.004
    zeros = np.full(channels, zero) if channels > 1 else zero
    depth = c // groups * 9
    d.model.node(
        "QLinearConv",
        [
            "x", *d.quantization(0.02), d.model.constant("w", weights), d.model.scale(scales),
            d.model.zero(zeros, weights.dtype), *d.quantization(0.02 * 0.004 * 74 * 74 * depth**0.5 / 40),
            d.model.constant("b", d.rng.integers(-9999, 9999, m).astype(np.int32)),
        ],
        "y", pads=[1, 0, 1, 1], strides=[1, 2], group=groups,
    )  # fmt: skip
    return d.model, {"x": x}, [1, m, h, (w + 1 - 3) // 2 + 1]


def matmul(d: Draw) -> Case:
    m, k, n = d.size(1, 50), d.size(1, 80), d.size(1, 50)
    a = d.input("a", [m, k])
    b, zero = d.weights([k, n])
    out = d.quantization(0.02 * 0.004 * 74 * 74 * k**0.5 / 40)
    inputs = ["a", *d.quantization(0.02), d.model.constant("b", b), d.model.scale(0.004), d.model.zero(zero, b.dtype)]
    d.model.node("QLinearMatMul", [*inputs, *out], "y")
    return d.model, {"a": a}, [m, n]


def gemm(d: Draw) -> Case:
    m, k, n = d.size(1, 50), d.size(1, 80), d.size(2, 50)
    a = d.input("a", [m, k])
    b, zero = d.weights([n, k])
    out = d.quantization(0.02 * 0.004 * 74 * 74 * k**0.5 / 40)
    inputs = ["a", *d.quantization(0.02), d.model.constant("b", b), d.model.scale(d.rng.uniform(0.002, 0.008, n))]
    bias = d.model.constant("c", d.rng.integers(-9999, 9999, n).astype(np.int32))
    d.model.node("QGemm", [*inputs, d.model.zero(np.full(n, zero), b.dtype), bias, *out], "y", transB=1)
    return d.model, {"a": a}, [m, n]


def add(d: Draw) -> Case:
    n = d.size(1, 3000)
    a, b = d.input("a", [1, n]), d.input("b", [1, n])
    d.model.node("QLinearAdd", ["a", *d.quantization(), "b", *d.quantization(), *d.quantization()], "y")
    return d.model, {"a": a, "b": b}, [1, n]


def global_average_pool(d: Draw) -> Case:
    c = d.size(1, 40)
    x = d.input("x", [1, c, d.size(1, 9), d.size(1, 9)])
    d.model.node("QLinearGlobalAveragePool", ["x", *d.quantization(), *d.quantization(0.02)], "y", channels_last=0)
    return d.model, {"x": x}, [1, c, 1, 1]


def concat(d: Draw) -> Case:
    h = d.size(1, 9)
    x, y = d.input("x1", [1, 3, h, 5]), d.input("x2", [1, 4, h, 5])
    d.model.node("QLinearConcat", [*d.quantization(), "x1", *d.quantization(), "x2", *d.quantization()], "y", axis=1)
    return d.model, {"x1": x, "x2": y}, [1, 7, h, 5]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("make", [conv, matmul, gemm, add, global_average_pool, concat])
def test_no_mismatch_at_a_node(make: Callable[[Draw], Case], dtype: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    spread = set()
    for _ in range(15):
        model, feeds, shape = make(Draw(rng, dtype))
        path = model.save(tmp_path / "m.onnx", "y", shape, TYPES[dtype])
        graph = trace_onnx(path)
        wanted = run_onnxruntime(path, feeds)
        values = run_graph(graph, {name: value.astype(np.int64) for name, value in feeds.items()})
        np.testing.assert_array_equal(values[graph.outputs[0]], wanted)
        spread |= set(np.unique(wanted).tolist())
    assert len(spread) > 20


def one_node(graph: Graph, op: Op) -> tuple[Model, list[str]]:
    """The op of a traced graph as one integer operator of ONNX Runtime, and the tensors that it is fed."""
    m = Model()
    tensors = [graph.by_name[name] for name in op.inputs]
    out = graph.by_name[op.output]

    def act(i: int) -> list[str]:
        if op.inputs[i] not in [info.name for info in m.inputs]:
            m.input(op.inputs[i], list(tensors[i].shape), TensorProto.UINT8)
        return [op.inputs[i], m.scale(tensors[i].scale[0]), m.zero(tensors[i].zero_point)]

    def weights(order: tuple[int, ...]) -> list[str]:
        w = tensors[1]
        assert w.data is not None
        scale = w.scale if w.axis is not None else w.scale[0]
        stored = (w.data.transpose(order) + 128).astype(np.uint8)
        return [m.constant("w", stored), m.scale(scale), m.zero(np.full(np.shape(scale), 128))]

    q = [m.scale(out.scale[0]), m.zero(out.zero_point)]
    if op.kind == "conv":
        bias = m.constant("b", tensors[2].data.astype(np.int32))  # type: ignore[union-attr]
        m.node(
            "QLinearConv",
            [*act(0), *weights((0, 1, 2, 3)), *q, bias],
            "y",
            pads=list(op.attrs["pads"]),
            strides=list(op.attrs["strides"]),
        )
    elif op.kind == "matmul":
        bias = m.constant("b", tensors[2].data.astype(np.int32))  # type: ignore[union-attr]
        m.node("QGemm", [*act(0), *weights((1, 0)), bias, *q], "y", transB=1)
    elif op.kind == "add":
        m.node("QLinearAdd", [*act(0), *act(1), *q], "y")
    elif op.kind == "max_pool":
        act(0)
        m.node("MaxPool", [op.inputs[0]], "y", kernel_shape=list(op.attrs["kernel"]), strides=list(op.attrs["strides"]))
    else:
        raise AssertionError(op.kind)
    return m, [info.name for info in m.inputs]


@pytest.mark.parametrize("name", ["digits_cnn", "digits_cnn_w4"])
def test_no_mismatch_in_the_digits_networks(name: str, tmp_path: Path) -> None:
    _, images, _, _ = digits_split()
    images = images[:64]
    path = Path(__file__).parents[3] / "workloads" / "digits" / f"{name}.onnx"
    graph = trace_onnx(path, bind={"batch": len(images)})
    values = run_graph(graph, {graph.inputs[0]: images})
    kinds = []
    for op in graph.ops:
        if op.kind == "reshape":
            continue
        model, names = one_node(graph, op)
        out = graph.by_name[op.output]
        file = model.save(tmp_path / "node.onnx", "y", list(out.shape), TensorProto.UINT8)
        wanted = run_onnxruntime(file, {n: values[n].astype(np.uint8) for n in names}).astype(np.int64)
        np.testing.assert_array_equal(values[op.output], np.clip(wanted, op.low, op.high), err_msg=op.name)
        kinds.append(op.kind)
    assert kinds == ["conv", "conv", "conv", "add", "max_pool", "matmul"]


@pytest.mark.parametrize("name", ["digits_cnn", "digits_cnn_w4"])
def test_labels_are_those_of_the_float_execution(name: str) -> None:
    """ONNX Runtime without optimization computes a QDQ model in floats; logits differ by a step at most, here and there."""
    _, images, _, _ = digits_split()
    path = Path(__file__).parents[3] / "workloads" / "digits" / f"{name}.onnx"
    real = run_onnxruntime(path, {"pixels": (images / 16).astype(np.float32)})
    graph = trace_onnx(path, bind={"batch": len(images)})
    stored = run_graph(graph, {graph.inputs[0]: images})[graph.outputs[0]]
    logits = graph.by_name[graph.outputs[0]]
    np.testing.assert_allclose(logits.dequantize(stored), real, atol=2.01 * float(logits.scale[0]))
    assert np.mean(real.argmax(axis=1) == stored.argmax(axis=1)) > 0.99
