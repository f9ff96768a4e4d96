"""Typed access to ONNX nodes: their attributes, windows and integer types, with errors that say what was wanted."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto

from designs.errors import InputError

INTEGER_TYPES: dict[int, tuple[int, bool]] = {
    TensorProto.INT2: (2, True), TensorProto.UINT2: (2, False), TensorProto.INT4: (4, True),
    TensorProto.UINT4: (4, False), TensorProto.INT8: (8, True), TensorProto.UINT8: (8, False),
    TensorProto.INT16: (16, True), TensorProto.UINT16: (16, False), TensorProto.INT32: (32, True),
}  # fmt: skip
"""Element type -> (bits, signed) of the types that quantized tensors have."""

_KINDS: dict[int, type] = {
    onnx.AttributeProto.INT: int,
    onnx.AttributeProto.FLOAT: float,
    onnx.AttributeProto.STRING: bytes,
    onnx.AttributeProto.INTS: list,
}


class Node:
    """A node with its name for messages and checked reads."""

    def __init__(self, proto: onnx.NodeProto) -> None:
        self.proto = proto
        self.op_type = proto.op_type
        self.output = proto.output[0] if proto.output else ""
        self.name = proto.name or self.output
        self._attributes = {a.name: a for a in proto.attribute}

    def __str__(self) -> str:
        return f"node {self.name} ({self.op_type})"

    def input(self, index: int) -> str:
        """Name of an input; InputError where it is missing."""
        name = self.optional(index)
        if not name:
            raise InputError(f"wanted at least {index + 1} inputs, got {len(self.proto.input)}")
        return name

    def optional(self, index: int) -> str:
        """Name of an input, empty where it is left out."""
        return self.proto.input[index] if index < len(self.proto.input) else ""

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        return self._get(name, int, default)

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        return self._get(name, float, default)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        return self._get(name, bytes, default.encode()).decode(errors="replace")

    def ints(self, name: str, default: list[int]) -> list[int]:
        """A list of integers; InputError where its length is not that of a default that is not empty."""
        values = [int(v) for v in self._get(name, list, default)]
        if default and len(values) != len(default):
            raise InputError(f"{name}: wanted {len(default)} integers (two-dimensional images), got {len(values)}")
        return values

    def wanted(self, name: str, value: Any) -> None:
        """InputError where an integer attribute is given and another."""
        came = self.integer(name, value)
        if came != value:
            raise InputError(f"{name}: wanted {value}, got {came}")

    def _get(self, name: str, kind: type, default: Any) -> Any:
        if name not in self._attributes:
            return default
        attribute = self._attributes[name]
        if _KINDS.get(attribute.type) is not kind:
            raise InputError(f"{name}: wanted an attribute of type {kind.__name__}, got type {attribute.type}")
        return onnx.helper.get_attribute_value(attribute)


def window(node: Node, size: tuple[int, ...], kernel: list[int]) -> dict[str, tuple[int, ...]]:
    """Strides and pads (top, left, bottom, right) of a convolution or pooling over an image (height, width).

    auto_pad and ceil_mode are resolved into pads. InputError for dilations.
    """
    if len(size) != 2 or len(kernel) != 2:
        raise InputError(f"wanted images (N, C, H, W), got {len(size) + 2} axes and a kernel of {len(kernel)}")
    if node.ints("dilations", [1, 1]) != [1, 1]:
        raise InputError(f"dilations: wanted [1, 1], got {node.ints('dilations', [1, 1])}")
    strides = node.ints("strides", [1, 1])
    if min(strides) < 1 or min(kernel) < 1:
        raise InputError(f"wanted strides and kernel of at least 1, got {strides} and {kernel}")
    pads = node.ints("pads", [0, 0, 0, 0])
    auto_pad = node.text("auto_pad", "NOTSET")
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, s, k in zip(size, strides, kernel, strict=True)]
        less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
        pads = less + more if auto_pad == "SAME_UPPER" else more + less
    elif auto_pad == "VALID":
        pads = [0, 0, 0, 0]
    elif auto_pad != "NOTSET":
        raise InputError(f"auto_pad: wanted NOTSET, VALID, SAME_UPPER or SAME_LOWER, got {auto_pad!r}")
    if node.integer("ceil_mode", 0):
        pads = _ceil(size, kernel, strides, pads)
    return {"strides": tuple(strides), "pads": tuple(pads)}


def _ceil(size: tuple[int, ...], kernel: list[int], strides: list[int], pads: list[int]) -> list[int]:
    """Pads with which rounding the output size down gives what rounding up gives with `pads`."""
    pads = list(pads)
    for i in range(2):
        left_over = (size[i] + pads[i] + pads[i + 2] - kernel[i]) % strides[i]
        starts_at = size[i] + pads[i] + pads[i + 2] - kernel[i] - left_over + strides[i]
        if left_over and starts_at < size[i] + pads[i]:  # a window that starts in the padding is not counted
            pads[i + 2] += strides[i] - left_over
    return pads
