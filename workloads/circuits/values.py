"""Values of ports as the bits that a circuit takes and gives, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.circuits.circuit import Port


def encode_inputs(ports: Sequence[Port], values: Mapping[str, Any]) -> np.ndarray:
    """The bits (n_bits,) uint8 of a value for each port, ports one after the other, least significant bit first.

    A value is an integer, or nested lists (or an array) of the port's shape. InputError for a port without value, a
    value without port, and for what does not fit a port.
    """
    names = [port.name for port in ports]
    for name in values:
        if name not in names:
            raise InputError(
                f"inputs: wanted values for {', '.join(names) or 'nothing'}, got {shown(name)}{nearest(name, names)}"
            )
    parts = []
    for port in ports:
        if port.name not in values:
            raise InputError(f"inputs: {port.name}: wanted {describe(port)}, got nothing; give it a value")
        parts.append(_bits(port, _elements(port, values[port.name])))
    return np.concatenate(parts) if parts else np.zeros(0, np.uint8)


def decode_outputs(ports: Sequence[Port], bits: np.ndarray) -> dict[str, Any]:
    """Each port's value from bits (n_bits,) 0/1: an int, or nested lists of the port's shape."""
    bits = np.asarray(bits)
    total = sum(port.n_bits for port in ports)
    if bits.shape != (total,):
        raise InputError(f"outputs: wanted {total} bits, got an array of shape {bits.shape}; is it of this circuit?")
    values: dict[str, Any] = {}
    at = 0
    for port in ports:
        part = bits[at : at + port.n_bits].reshape(-1, port.bits)
        at += port.n_bits
        elements = [_integer(element, port.signed) for element in part.tolist()]
        values[port.name] = _nested(elements, port.shape) if port.shape else elements[0]
    return values


def describe(port: Port) -> str:
    """A port in C's words: `int8 [4][4]`."""
    kind = f"{'int' if port.signed else 'uint'}{port.bits}" if port.bits > 1 else "bit"
    return kind + "".join(f"[{size}]" for size in port.shape)


def _elements(port: Port, value: Any) -> list[int]:
    """The integers of a value in C's order."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    level = [value]
    for size in port.shape:
        if not all(isinstance(item, list | tuple) and len(item) == size for item in level):
            raise InputError(
                f"inputs: {port.name}: wanted {describe(port)}, got {shown(value)}; give {size} in each list"
            )
        level = [inner for item in level for inner in item]
    low, high = (-(1 << (port.bits - 1)), (1 << (port.bits - 1)) - 1) if port.signed else (0, (1 << port.bits) - 1)
    for item in level:
        if isinstance(item, list | tuple) or not isinstance(item, int) or not low <= item <= high:
            raise InputError(
                f"inputs: {port.name}: wanted {describe(port)}, integers {low} to {high}, got {shown(item)}; mend it"
            )
    return [int(item) for item in level]


def _bits(port: Port, elements: list[int]) -> np.ndarray:
    mask = (1 << port.bits) - 1
    size = (port.bits + 7) // 8
    data = b"".join((element & mask).to_bytes(size, "little") for element in elements)
    rows = np.frombuffer(data, np.uint8).reshape(len(elements), size)
    return np.unpackbits(rows, axis=1, bitorder="little")[:, : port.bits].reshape(-1)


def _integer(bits: list[int], signed: bool) -> int:
    value = sum(bit << place for place, bit in enumerate(bits))
    return value - (1 << len(bits)) if signed and bits[-1] else value


def _nested(elements: list[int], shape: tuple[int, ...]) -> Any:
    for size in reversed(shape[1:]):
        elements = [elements[at : at + size] for at in range(0, len(elements), size)]  # type: ignore[misc]
    return elements
