"""GELU and layer normalization that an exporter spelled out in elementary ops, put back as the one node they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose, sqrt

import numpy as np
from onnx import NodeProto, helper

_TOLERANCE = 1e-3  # relative, of a factor that is written in few digits or in half precision


def recognized(nodes: Sequence[NodeProto], constants: Mapping[str, np.ndarray]) -> list[NodeProto]:
    """The nodes in order, `x / 2 * (1 + erf(x / sqrt 2))` as Gelu and `(x - mean) / sqrt(variance + eps)` with its gain
    and offset as LayerNormalization, in the place (and under the name) of their last node.

    Nodes that match neither stay as they are. `constants` are the arrays that are known, by name.
    """
    view = _View(nodes, constants)
    found: dict[int, tuple[NodeProto, list[NodeProto]]] = {}  # identity of the last node -> the one node, its parts
    for node in nodes:
        match = view.gelu(node) if node.op_type == "Erf" else view.layer_norm(node) if node.op_type == "Div" else None
        if match is not None:
            found[id(match[1][-1])] = match
    gone = {id(node) for _, parts in found.values() for node in parts}
    return [found[id(n)][0] if id(n) in found else n for n in nodes if id(n) in found or id(n) not in gone]


@dataclass
class _View:
    nodes: Sequence[NodeProto]
    constants: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        self.makers = {name: node for node in self.nodes for name in node.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in set(node.input):
                self.readers.setdefault(name, []).append(node)

    def gelu(self, erf: NodeProto) -> tuple[NodeProto, list[NodeProto]] | None:
        """(Gelu node, the nodes that it stands for, the last one last) around an Erf, or None."""
        scaled = self.makers.get(erf.input[0])
        x = None if scaled is None else self._times(scaled, sqrt(0.5))
        one_more = self._reader(erf, "Add")
        if scaled is None or x is None or one_more is None or self._plus(one_more, 1.0) != erf.output[0]:
            return None
        parts = [scaled, erf, one_more]
        product = self._reader(one_more, "Mul")
        if product is None:
            return None
        if self._times(product, 0.5) == one_more.output[0]:  # (1 + erf) / 2 * x
            parts.append(product)
            product = self._reader(product, "Mul")
        if product is None:
            return None
        other = _other(product, parts[-1].output[0])
        halved = self.makers.get(other)
        if len(parts) == 3 and halved is not None and self._times(halved, 0.5) == x:  # x / 2 * (1 + erf)
            parts += [halved, product]
        elif other == x:
            parts.append(product)
            if len(parts) == 4:  # x * (1 + erf), halved next
                last = self._reader(product)
                if last is None or self._times(last, 0.5) != product.output[0]:
                    return None
                parts.append(last)
        else:
            return None
        last = parts[-1]
        if any(len(self.readers.get(part.output[0], [])) > 1 for part in parts[:-1]):
            return None
        return helper.make_node("Gelu", [x], list(last.output), name=last.name or last.output[0]), parts

    def layer_norm(self, division: NodeProto) -> tuple[NodeProto, list[NodeProto]] | None:
        """(LayerNormalization node, the nodes that it stands for, the last one last) around a Div, or None."""
        difference, root = (self.makers.get(name) for name in division.input)
        if difference is None or root is None or (difference.op_type, root.op_type) != ("Sub", "Sqrt"):
            return None
        x, mean = difference.input[0], self._mean(difference.input[1])
        shifted = self.makers.get(root.input[0])
        if mean is None or mean.input[0] != x or shifted is None or shifted.op_type != "Add":
            return None
        epsilon = next((self._number(name) for name in shifted.input if self._number(name) is not None), None)
        variance = next((self._mean(name) for name in shifted.input if self._mean(name) is not None), None)
        square = None if variance is None else self.makers.get(variance.input[0])
        if epsilon is None or variance is None or square is None or not self._is_square(square, difference.output[0]):
            return None
        gained = self._reader(division, "Mul")
        last = None if gained is None else self._reader(gained, "Add")
        if gained is None or last is None:
            return None
        inputs = [x, _other(gained, division.output[0]), _other(last, gained.output[0])]
        node = helper.make_node(
            "LayerNormalization", inputs, list(last.output), name=last.name or last.output[0], axis=-1, epsilon=epsilon
        )
        return node, [mean, difference, square, variance, shifted, root, division, gained, last]

    def _mean(self, name: str) -> NodeProto | None:
        """The node that makes the edge, where it is a mean over the last axis that keeps it."""
        node = self.makers.get(name)
        if node is None or node.op_type != "ReduceMean":
            return None
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        axes = attributes.get("axes")
        if axes is None and len(node.input) > 1 and node.input[1] in self.constants:
            axes = self.constants[node.input[1]].reshape(-1).tolist()
        return node if axes == [-1] and attributes.get("keepdims", 1) == 1 else None

    def _is_square(self, node: NodeProto, name: str) -> bool:
        if node.op_type == "Mul":
            return list(node.input) == [name, name]
        return node.op_type == "Pow" and node.input[0] == name and self._number(node.input[1]) == 2.0

    def _times(self, node: NodeProto, factor: float) -> str | None:
        """Name of what the node multiplies by the factor (or divides by its inverse), or None."""
        for i, name in enumerate(node.input):
            number = self._number(name)
            if number is None or len(node.input) != 2:
                continue
            if node.op_type == "Mul" and isclose(number, factor, rel_tol=_TOLERANCE):
                return node.input[1 - i]
            if node.op_type == "Div" and i == 1 and isclose(number, 1 / factor, rel_tol=_TOLERANCE):
                return node.input[0]
        return None

    def _plus(self, node: NodeProto, number: float) -> str | None:
        for i, name in enumerate(node.input):
            if self._number(name) == number:
                return node.input[1 - i]
        return None

    def _number(self, name: str) -> float | None:
        array = self.constants.get(name)
        return float(array.reshape(-1)[0]) if array is not None and array.size == 1 else None

    def _reader(self, node: NodeProto, op_type: str | None = None) -> NodeProto | None:
        """The only reader of what the node makes, where it is of that type."""
        readers = self.readers.get(node.output[0], [])
        return readers[0] if len(readers) == 1 and op_type in (None, readers[0].op_type) else None


def _other(node: NodeProto, name: str) -> str:
    return node.input[1] if node.input[0] == name else node.input[0]
