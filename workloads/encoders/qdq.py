"""Post-training quantization of a float encoder into a QDQ model, with a width for each edge.

ONNX Runtime's quantizer is not used: between a product and its bias, and between a product and a constant factor, it
rounds once more, and it has no chain from a wide edge to a narrow one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from workloads.encoders.calibrate import Distribution, quantization
from workloads.encoders.edges import MOVES, Edges
from workloads.encoders.widths import Role, Width

WEIGHT_BITS = 8
GAIN_BITS = 16  # of the gains of a normalization
BIAS_BITS = 32


def quantize_encoder(
    model: ModelProto, seen: Mapping[str, Distribution], widths: Mapping[Role, Width],
    inputs: Mapping[str, tuple[float, Width]] | None = None,
) -> ModelProto:  # fmt: skip
    """The QDQ model of a float encoder (opset 21 or later) whose edges hold what was `seen`, in the `widths`.

    Weights are signed 8 bits with one scale an output channel, biases 32 bits at the scale of the sums. An edge with
    several readers is stored as the widest of them wants it and rounded again for the others. `inputs` are scale and
    width (zero point 0) of each input that is real. InputError for a node that no encoder has.
    """
    edges = Edges(model)
    edges.check()
    writer = _Writer(edges, seen, widths)
    for name, (scale, width) in (inputs or {}).items():
        writer.add_input(name, scale, width)
    for node in model.graph.node:
        writer.add(node)
    ins, outs = (  # without what an exporter noted beside them
        [helper.make_value_info(info.name, info.type) for info in infos]
        for infos in (model.graph.input, model.graph.output)
    )
    graph = helper.make_graph(writer.nodes, model.graph.name, ins, outs, list(writer.constants.values()))
    result = helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version, producer_name="lockstep"
    )
    checker.check_model(result)
    return result


@dataclass
class _Writer:
    edges: Edges
    seen: Mapping[str, Distribution]
    widths: Mapping[Role, Width]
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, TensorProto] = field(default_factory=dict)
    stored: dict[str, tuple[Width, str]] = field(default_factory=dict)  # edge -> its width, and what was rounded
    scales: dict[str, np.ndarray] = field(default_factory=dict)  # edge -> its scale, or its scales
    names: dict[str, str] = field(default_factory=dict)  # input of the model -> the edge where it is rounded

    def add_input(self, name: str, scale: float, width: Width) -> None:
        """Round an input of the model; those that read it read the result."""
        self.names[name] = f"{name}.rounded"
        self._rounding(name, self.names[name], np.float32(scale), 0, width)
        self.stored[name], self.scales[name] = (width, name), np.asarray(scale, np.float32)

    def add(self, node: NodeProto) -> None:
        """Copy the node, its constants quantized, its inputs as narrow as it wants them, its result rounded."""
        if node.output[0] in self.edges.integers:
            self._append(node, [self._integers(name) for name in node.input], node.output[0])
        elif node.op_type in MOVES:
            if node.input[0] in self.edges.constants:
                self._constant(node.input[0], self.widths["residual"])
            inputs = [self.names.get(node.input[0], node.input[0]), *map(self._integers, node.input[1:])]
            self._append(node, inputs, node.output[0])
            if node.input[0] in self.stored:
                self.stored[node.output[0]] = self.stored[node.input[0]]
                self.scales[node.output[0]] = self.scales[node.input[0]]
        else:
            self._compute(node)

    def _compute(self, node: NodeProto) -> None:
        output = node.output[0]
        inputs = [self._operand(node, i) for i in range(len(node.input))]
        if self.edges.is_inner(output):
            self._append(node, inputs, output)
            return
        if node.op_type == "Gather":  # rows of a table are as wide as the table
            self._append(node, inputs, output)
            self.stored[output], self.scales[output] = (self.widths["table"], output), self.scales[node.input[0]]
            return
        self._append(node, inputs, f"{output}.real")
        width = max((self.widths[role] for role in sorted(self.edges.roles(output))), key=lambda w: w.bits)
        self._round(f"{output}.real", output, output, width)

    def _operand(self, node: NodeProto, index: int) -> str:
        """Name of what the node reads there."""
        name = node.input[index]
        if name in self.edges.integers:
            return self._integers(name)
        if name in self.edges.constants:
            return self._parameter(node, index)
        if name not in self.stored:  # an inner edge, or a constant that was moved
            return name
        width, source = self.stored[name]
        wanted = self.widths[self.edges.role(node, name)]
        if wanted.bits >= width.bits:
            return self.names.get(name, name)
        narrow = f"{name}.narrow{wanted.bits}"
        if narrow not in self.stored:
            self._round(name, narrow, source, wanted)
        return narrow

    def _parameter(self, node: NodeProto, index: int) -> str:
        """A constant operand: weights, bias, gains, factors or a table."""
        name = node.input[index]
        if self.edges.is_weight_product(node) and index == 1:
            transposed = any(a.name == "transB" and a.i for a in node.attribute)
            self._constant(name, Width(WEIGHT_BITS, True), axis=0 if transposed else 1)
        elif node.op_type == "Gather":
            self._constant(name, self.widths["table"])
        elif node.op_type == "LayerNormalization":
            self._constant(name, Width(GAIN_BITS if index == 1 else BIAS_BITS, True))
        elif node.op_type in ("Mul", "Div"):
            self.constants[name] = self.edges.constants[name]
        elif node.op_type == "Gemm":
            self._bias(name, node)
        elif self.edges.is_inner(node.input[1 - index]):
            self._bias(name, self.edges.makers[node.input[1 - index]])
        else:
            self._constant(name, self.widths["residual"])
        return name

    def _bias(self, name: str, product: NodeProto) -> None:
        scale = self.scales[self._operand(product, 0)] * self.scales[product.input[1]]
        self._store_constant(name, scale.astype(np.float32), np.dtype(np.int32), 0)

    def _constant(self, name: str, width: Width, axis: int | None = None) -> None:
        """A float constant, symmetric in the width, with one scale an index of the axis where one is given."""
        values = np.abs(numpy_helper.to_array(self.edges.constants[name]).astype(np.float64))
        others = tuple(i for i in range(values.ndim) if axis is None or i != axis)
        largest = np.maximum(values.max(axis=others), np.finfo(np.float32).tiny * 2.0**32)
        high = 2.0 ** (min(width.bits, 31) - 1) - 1  # 32-bit biases keep a bit of headroom for their sums
        self._store_constant(name, np.asarray(largest / high, np.float32), Width(width.bits, True).dtype, axis)

    def _store_constant(self, name: str, scale: np.ndarray, dtype: np.dtype, axis: int | None) -> None:
        if name in self.scales:
            return
        values = numpy_helper.to_array(self.edges.constants[name]).astype(np.float64)
        along = scale if scale.ndim == 0 else scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        bounds = np.iinfo(dtype)
        low = bounds.min + 1  # symmetric
        self._put(f"{name}.stored", np.clip(np.rint(values / along), low, bounds.max).astype(dtype))
        self._put(f"{name}.scale", scale)
        attributes = {} if axis is None or scale.ndim == 0 else {"axis": axis}
        self._node("DequantizeLinear", [f"{name}.stored", f"{name}.scale"], name, **attributes)
        self.scales[name] = scale

    def _round(self, source: str, name: str, edge: str, width: Width) -> None:
        """QuantizeLinear and DequantizeLinear from `source` to `name`, for what the float `edge` holds."""
        self._rounding(source, name, *self._quantization(edge, width), width)
        self.stored[name] = width, edge

    def _rounding(self, source: str, name: str, scale: np.float32, zero: int, width: Width) -> None:
        self._put(f"{name}.scale", np.asarray(scale))
        self._put(f"{name}.zero", np.asarray(zero, width.dtype))
        parameters = [f"{name}.scale", f"{name}.zero"]
        self._node("QuantizeLinear", [source, *parameters], f"{name}.stored")
        self._node("DequantizeLinear", [f"{name}.stored", *parameters], name)
        self.scales[name] = np.asarray(scale)

    def _quantization(self, edge: str, width: Width) -> tuple[np.float32, int]:
        maker = self.edges.origin(edge)
        if maker is not None and maker.op_type == "Softmax" and not width.signed:
            return np.float32(2.0**-width.bits), 0  # what the integer softmax makes
        return quantization(self.seen[edge], width)

    def _integers(self, name: str) -> str:
        if name in self.edges.constants:
            self.constants[name] = self.edges.constants[name]
        return name

    def _put(self, name: str, array: np.ndarray) -> None:
        self.constants[name] = numpy_helper.from_array(array, name)

    def _append(self, node: NodeProto, inputs: list[str], output: str) -> None:
        copied = NodeProto()
        copied.CopyFrom(node)
        del copied.input[:], copied.output[:], copied.metadata_props[:]
        copied.input.extend(inputs)
        copied.output.append(output)
        copied.name = self.edges.name(node)
        self.nodes.append(copied)

    def _node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=f"{output}.{op_type}", **attributes))

