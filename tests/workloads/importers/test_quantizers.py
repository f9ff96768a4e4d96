"""Models as ONNX Runtime's quantizer emits them, in both formats: a small residual network with depthwise convolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.workloads.importers.test_onnxruntime import run_onnxruntime
from workloads.importers.onnx import trace_onnx
from workloads.layer import Arithmetic
from workloads.lower import from_image, lower, run_layers
from workloads.reference import run_graph

quantization = pytest.importorskip("onnxruntime.quantization")


def float_model(path: Path) -> Path:
    """conv7x7/2 - max pool - (depthwise, pointwise) + shortcut - ReLU6 - global average pool - flatten - Gemm."""
    rng = np.random.default_rng(0)
    constants: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []

    def constant(name: str, value: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(op_type: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op_type, inputs, [output], name=f"{op_type}_{output}", **attributes))
        return output

    def conv(x: str, name: str, shape: tuple[int, ...], **attributes: object) -> str:
        w = constant(f"{name}.w", rng.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32))
        b = constant(f"{name}.b", rng.normal(0, 0.1, shape[0]).astype(np.float32))
        return node("Conv", [x, w, b], name, **attributes)

    y = node("Relu", [conv("x", "stem", (8, 3, 7, 7), strides=[2, 2], pads=[3] * 4)], "stem.relu")
    y = node("MaxPool", [y], "pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    z = node("Relu", [conv(y, "dw", (8, 1, 3, 3), group=8, pads=[1] * 4)], "dw.relu")
    z = conv(z, "pw", (8, 8, 1, 1))
    bounds = [constant("zero", np.float32(0)), constant("six", np.float32(6))]
    y = node("Clip", [node("Add", [z, y], "add"), *bounds], "relu6")
    y = node("Flatten", [node("GlobalAveragePool", [y], "gap")], "flat")
    w = constant("fc.w", rng.normal(0, 0.5, (10, 8)).astype(np.float32))
    node("Gemm", [y, w, constant("fc.b", rng.normal(0, 0.1, 10).astype(np.float32))], "y", transB=1)
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])],
        constants,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


class Images(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.batches = iter([{"x": rng.normal(0, 1, (4, 3, 32, 32)).astype(np.float32)} for _ in range(3)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.batches, None)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("kind", ["QUInt8", "QInt8"])
def test_the_quantizer_of_onnxruntime(form: str, per_channel: bool, kind: str, tmp_path: Path) -> None:
    source, path = float_model(tmp_path / "float.onnx"), tmp_path / "quantized.onnx"
    quantization.quantize_static(
        source, path, Images(), quant_format=quantization.QuantFormat[form], per_channel=per_channel,
        activation_type=quantization.QuantType[kind], weight_type=quantization.QuantType.QInt8, reduce_range=True,
    )  # fmt: skip
    graph = trace_onnx(path, {"batch": 5})
    kinds = [op.kind for op in graph.ops]
    assert kinds.count("conv") == 3 and kinds.count("matmul") == 1 and kinds.count("add") == 1
    x = np.random.default_rng(2).normal(0, 1, (5, 3, 32, 32)).astype(np.float32)
    feeds = {name: graph.by_name[name].quantize(x) for name in graph.inputs}
    values = run_graph(graph, feeds)
    out = graph.by_name[graph.outputs[0]]
    real = run_onnxruntime(path, {"x": x})
    np.testing.assert_allclose(out.dequantize(values[out.name]), real, atol=3.01 * float(out.scale[0]))
    layers = lower(graph)
    assert sum(layer.residual for layer in layers) == 1
    images, _ = run_layers(graph, layers, feeds, Arithmetic(multiplier_bits=31))
    fixed = run_graph(graph, feeds, "multiplier_shift", 31)
    for name, image in images.items():
        np.testing.assert_array_equal(from_image(image, fixed[name].shape), fixed[name], err_msg=name)
