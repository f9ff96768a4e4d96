"""The tiny encoder of the importer's tests with its roundings left out: a float model."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.workloads.importers.encoders import WIDTH, Encoder


class FloatEncoder(Encoder):
    """Weights are what the integers of `Encoder` mean."""

    def round(self, x: str, name: str, scale: float, dtype: type = np.int16, zero: int = 0) -> str:
        return x

    def weights(self, name: str, data: np.ndarray, scale: Any, zero: Any = None, **attributes: Any) -> str:
        return self.constant(name, data.astype(np.float32) * np.float32(scale))


def float_encoder(seed: int = 7) -> onnx.ModelProto:
    """ids (1, sequence) -> (1, sequence, WIDTH)."""
    m = FloatEncoder(np.random.default_rng(seed))
    output = helper.make_tensor_value_info(m.build(), TensorProto.FLOAT, [1, "sequence", WIDTH])
    graph = helper.make_graph(m.nodes, "float", m.inputs, [output], m.constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
