"""ONNX models of a few nodes, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = ("QGemm", "QLinearAdd", "QLinearGlobalAveragePool", "QLinearAveragePool", "QLinearConcat")
QONNX = ("Quant", "IntQuant", "BipolarQuant")


class Model:
    """Nodes and constants; `save` makes the file."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: list[int | str], elem: int = TensorProto.FLOAT) -> str:
        self.inputs.append(helper.make_tensor_value_info(name, elem, shape))
        return name

    def constant(self, name: str, value: Any, elem: int | None = None) -> str:
        array = np.asarray(value)
        if elem is None:
            self.constants.append(numpy_helper.from_array(array, name))
        else:
            self.constants.append(helper.make_tensor(name, elem, array.shape, array.reshape(-1).tolist()))
        return name

    def node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        domain = "com.microsoft" if op_type in MICROSOFT else "qonnx.custom_op.general" if op_type in QONNX else ""
        name = attributes.pop("name", f"{op_type}_{output}")
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=name, domain=domain, **attributes))
        return output

    def scale(self, value: Any) -> str:
        return self.constant(f"c{len(self.constants)}", np.asarray(value, np.float32))

    def zero(self, value: Any, dtype: Any = np.uint8) -> str:
        return self.constant(f"c{len(self.constants)}", np.asarray(value, dtype))

    def quantize(self, x: str, name: str, scale: float, zero: Any = 0, dtype: Any = np.uint8) -> str:
        """x through QuantizeLinear (`name`.q) and DequantizeLinear (`name`)."""
        s, z = self.scale(scale), self.zero(zero, dtype)
        return self.node("DequantizeLinear", [self.node("QuantizeLinear", [x, s, z], f"{name}.q"), s, z], name)

    def weights(self, name: str, data: np.ndarray, scale: Any, zero: Any = None, **attributes: Any) -> str:
        inputs = [self.constant(f"{name}.q", data), self.scale(scale)]
        if zero is not None:
            inputs.append(self.zero(zero, data.dtype))
        return self.node("DequantizeLinear", inputs, name, **attributes)

    def save(
        self, path: Path, output: str, shape: list[int | str] | None = None, elem: int = TensorProto.FLOAT
    ) -> Path:
        info = helper.make_tensor_value_info(output, elem, ["unknown"] if shape is None else shape)
        graph = helper.make_graph(self.nodes, "test", self.inputs, [info], self.constants)
        opsets = [("", 21), ("com.microsoft", 1), ("qonnx.custom_op.general", 1)]
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*o) for o in opsets], ir_version=10)
        onnx.save(model, path)
        return path
