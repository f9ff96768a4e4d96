"""The edges of a float encoder in ONNX: which are real numbers, which are rounded, and who reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from onnx import ModelProto, NodeProto, TensorProto

from designs.errors import InputError
from workloads.encoders.widths import Role

PRODUCTS = ("MatMul", "Gemm")
COMPUTES = ("Gather", *PRODUCTS, "Add", "Mul", "Div", "LayerNormalization", "Softmax", "Gelu", "ReduceMean")
MOVES = ("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice")
_READERS: dict[str, Role] = {"Softmax": "scores", "Gelu": "gelu_input", "ReduceMean": "gemm_input"}


@dataclass
class Edges:
    """A float model of one output, indexed; `check` refuses what is no encoder."""

    model: ModelProto
    constants: dict[str, TensorProto] = field(init=False)
    makers: dict[str, NodeProto] = field(init=False)
    readers: dict[str, list[NodeProto]] = field(init=False)
    integers: set[str] = field(init=False)
    """Shapes and what is computed of them, and inputs that are integers: nothing to round."""

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.constants = {t.name: t for t in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.readers = {}
        self.integers = {t.name for t in graph.initializer if t.data_type != TensorProto.FLOAT}
        self.integers |= {i.name for i in graph.input if i.type.tensor_type.elem_type != TensorProto.FLOAT}
        for node in graph.node:
            if node.op_type == "Shape" or all(name in self.integers for name in node.input):
                self.integers.update(node.output)
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def check(self) -> None:
        """InputError for a node that no encoder has."""
        for node in self.model.graph.node:
            if node.op_type not in (*COMPUTES, *MOVES) and node.output[0] not in self.integers:
                raise InputError(
                    f"node {node.name} ({node.op_type}): wanted an op of an encoder "
                    f"({', '.join((*COMPUTES, *MOVES))}), got {node.op_type}"
                )

    def is_computed(self, node: NodeProto) -> bool:
        """Whether the node makes real numbers that were not there before."""
        return node.op_type in COMPUTES and node.output[0] not in self.integers

    def is_weight_product(self, node: NodeProto) -> bool:
        """Whether the node multiplies by constant weights."""
        return node.op_type in PRODUCTS and node.input[1] in self.constants

    def rounded(self) -> list[str]:
        """Edges that are stored: results of computing nodes, but not a sum whose bias or constant factor follows."""
        return [n.output[0] for n in self.model.graph.node if self.is_computed(n) and not self.is_inner(n.output[0])]

    def is_inner(self, edge: str) -> bool:
        """Whether the edge is a product that only meets its bias, or a constant factor."""
        readers = self.readers.get(edge, [])
        return edge in self.makers and len(readers) == 1 and self._completes(readers[0], edge)

    def _completes(self, node: NodeProto, edge: str) -> bool:
        maker, others = self.makers[edge], [name for name in node.input if name != edge]
        if maker.op_type not in PRODUCTS or len(others) != 1 or others[0] not in self.constants:
            return False
        dims = self.constants[others[0]].dims
        if node.op_type in ("Mul", "Div"):
            return prod(dims) == 1 and node.input[0] == edge
        return node.op_type == "Add" and len(dims) == 1 and self.is_weight_product(maker)

    def name(self, node: NodeProto) -> str:
        """What the node is called: a product or normalization after its bias, if it has one, else after its result."""
        own = [node] if node.op_type in ("Gemm", "LayerNormalization") else []
        nodes = self.readers[node.output[0]] if self.is_inner(node.output[0]) else own
        parameters = [name for part in nodes for name in part.input if name in self.constants]
        return next((p.removesuffix(".bias") for p in parameters if p.endswith(".bias")), node.output[0])

    def roles(self, edge: str) -> set[Role]:
        """Who reads the edge, also after moves."""
        found: set[Role] = set()
        if any(edge == output.name for output in self.model.graph.output):
            found.add("residual")
        for node in self.readers.get(edge, []):
            found |= self.roles(node.output[0]) if node.op_type in MOVES else {self.role(node, edge)}
        return found

    def role(self, node: NodeProto, edge: str) -> Role:
        """What the edge is to the node."""
        if self.is_weight_product(node):
            return "gemm_input"
        if node.op_type in PRODUCTS:
            origin = self.origin(edge)
            return "probabilities" if origin is not None and origin.op_type == "Softmax" else "attention_operand"
        return _READERS.get(node.op_type, "residual")

    def origin(self, edge: str) -> NodeProto | None:
        """The node that made the numbers, before all moves; None for those of an input."""
        node = self.makers.get(edge)
        return self.origin(node.input[0]) if node is not None and node.op_type in MOVES else node
