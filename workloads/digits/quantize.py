"""Post-training quantization of the digits network, written as an ONNX model in QDQ form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from workloads.digits.network import CONVS, PIXEL, Parameters, forward


@dataclass
class _Model:
    """Nodes and initializers of a QDQ model under construction."""

    weight_bits: int
    per_channel: bool
    activations: Parameters  # of the float network, over the calibration images
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: list[TensorProto] = field(default_factory=list)
    scales: dict[str, np.float32] = field(default_factory=dict)

    def quantized(self, source: str, name: str, scale: np.float32, zero: int) -> str:
        """The activation `source` through QuantizeLinear and DequantizeLinear (unsigned, 8 bits)."""
        self._constant(f"{name}.scale", TensorProto.FLOAT, scale)
        self._constant(f"{name}.zero", TensorProto.UINT8, np.uint8(zero))
        self.scales[name] = scale
        self.node("QuantizeLinear", [source, f"{name}.scale", f"{name}.zero"], f"{name}.stored")
        return self.node("DequantizeLinear", [f"{name}.stored", f"{name}.scale", f"{name}.zero"], name)

    def calibrated(self, source: str, name: str) -> str:
        """`quantized` over the range, 0 included, that the float network's activation `name` has."""
        low = min(float(self.activations[name].min()), 0.0)
        high = max(float(self.activations[name].max()), 0.0)
        scale = np.float32((high - low) / 255)
        return self.quantized(source, name, scale, round(-low / float(scale)))

    def weights(self, name: str, values: np.ndarray, bias: np.ndarray, x: str) -> list[str]:
        """Dequantized weights and bias of a layer that reads activation x: symmetric, the bias at `s_x * s_w`."""
        largest = np.abs(values).reshape(len(values), -1).max(axis=1)
        high = (1 << (self.weight_bits - 1)) - 1
        scale = (largest if self.per_channel else largest.max()) / np.float32(high)
        scale = np.asarray(scale, np.float32)
        along = scale.reshape(-1, *[1] * (values.ndim - 1))
        stored = np.clip(np.rint(values / along), -high, high).astype(np.int8)
        bias_scale = np.asarray(self.scales[x] * scale, np.float32)
        stored_bias = np.rint(bias / bias_scale).astype(np.int32)
        kind = TensorProto.INT8 if self.weight_bits == 8 else TensorProto.INT4
        for part, elem, integers, s in (
            ("weights", kind, stored, scale),
            ("bias", TensorProto.INT32, stored_bias, bias_scale),
        ):
            self._constant(f"{name}.{part}.stored", elem, integers)
            self._constant(f"{name}.{part}.scale", TensorProto.FLOAT, s)
            inputs = [f"{name}.{part}.stored", f"{name}.{part}.scale"]
            axis = {"axis": 0} if s.ndim else {}
            self.node("DequantizeLinear", inputs, f"{name}.{part}", **axis)
        return [f"{name}.weights", f"{name}.bias"]

    def conv(self, name: str, x: str, p: Parameters) -> str:
        """The convolution of that name, its output not quantized yet."""
        stride = CONVS[name][2]
        inputs = [x, *self.weights(name, p[f"{name}.w"], p[f"{name}.b"], x)]
        return self.node(
            "Conv", inputs, f"{name}.sum", name=name, pads=[1, 1, 1, 1], strides=[stride, stride], kernel_shape=[3, 3]
        )

    def node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node, named as `name` says or after its output, and answer the output."""
        name = attributes.pop("name", f"{output}.{op_type}")
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=name, **attributes))
        return output

    def _constant(self, name: str, elem: int, values: np.ndarray | np.generic) -> None:
        array = np.asarray(values)
        if elem == TensorProto.INT4:  # packed two a byte by the helper
            self.initializers.append(helper.make_tensor(name, elem, array.shape, array.reshape(-1)))
        else:
            self.initializers.append(numpy_helper.from_array(array, name))


def quantized_model(
    p: Parameters, images: np.ndarray, *, weight_bits: int = 8, per_channel: bool = False
) -> ModelProto:
    """QDQ model of the network: unsigned 8-bit activations by the range they have on `images`, signed weights.

    Weights have 8 or 4 bits and one scale a tensor, or one a channel. The batch is the dynamic dimension `batch`.
    """
    m = _Model(weight_bits, per_channel, forward(p, images))
    image = m.quantized("pixels", "image", PIXEL, 0)
    relu1 = m.calibrated(m.node("Relu", [m.conv("conv1", image, p)], "relu1.real"), "relu1")
    relu2 = m.calibrated(m.node("Relu", [m.conv("conv2", relu1, p)], "relu2.real"), "relu2")
    conv3 = m.calibrated(m.conv("conv3", relu2, p), "conv3")
    total = m.node("Add", [conv3, relu2], "sum", name="add")
    relu3 = m.calibrated(m.node("Relu", [total], "relu3.real"), "relu3")
    pooled = m.node("MaxPool", [relu3], "pool.real", name="pool", kernel_shape=[2, 2], strides=[2, 2])
    pool = m.quantized(pooled, "pool", m.scales["relu3"], 0)
    flat = m.node("Flatten", [pool], "flat")
    m.scales["flat"] = m.scales["pool"]
    product = m.node("Gemm", [flat, *m.weights("fc", p["fc.w"], p["fc.b"], "flat")], "fc.sum", name="fc", transB=1)
    m.calibrated(product, "logits")
    graph = helper.make_graph(
        m.nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        m.initializers,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10, producer_name="lockstep"
    )
    checker.check_model(model, full_check=True)
    return model
