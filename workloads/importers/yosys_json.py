"""A flat module of yosys's `write_json`, of tables, ROMs and registers, as gates by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np

from designs.errors import InputError
from workloads.importers import cells
from workloads.importers.cells import Instance
from workloads.importers.gates import Gate, GateCircuit, Register, check_size
from workloads.netlist import MOST_INPUTS

_CONSTANTS = {"0": "constant 0", "1": "constant 1", "x": "constant 0"}
_BUFFER = np.array([0, 1], np.uint8)
_MUX = np.array([0, 1, 0, 1, 0, 0, 1, 1], np.uint8)  # of low, high and select
_MOST_ADDRESS_BITS = 24


class Places(Protocol):
    """Where a cell stands in the user's files."""

    @property
    def path(self) -> object: ...

    def of(self, cell: Mapping[str, Any]) -> str: ...


def gate_circuit(module: Mapping[str, Any], places: Places) -> GateCircuit:
    """The gates of a module with keys name, ports, cells and netnames; InputError for a cell that is no function."""
    names = _Names(module, places)
    inputs, outputs = _port_bits(module, "input"), _port_bits(module, "output")
    gates = [
        Gate(output=f"constant {value}", inputs=(), table=np.array([value], np.uint8), where=str(places.path))
        for value in (0, 1)
    ]
    registers: list[Register] = []
    n_entries = 0
    for cell in module["cells"].values():
        for node in _expand(cell, names, places.of(cell)):
            if isinstance(node, Register):
                registers.append(node)
            else:
                gates.append(node)
                n_entries += len(node.table)
        check_size(str(places.path), len(gates), n_entries)
    input_names = tuple(name for name, _ in inputs)
    for name, bit in outputs:
        if names[bit] != name:
            gates.append(Gate(output=name, inputs=(names[bit],), table=_BUFFER, where=str(places.path)))
    return GateCircuit(
        where=str(places.path),
        model=module["name"],
        inputs=input_names,
        outputs=tuple(name for name, _ in outputs),
        gates=tuple(gates),
        registers=tuple(registers),
    )


class _Names:
    """Bits of yosys by the user's names: ports first, inputs before outputs, then the shortest."""

    def __init__(self, module: Mapping[str, Any], places: Places) -> None:
        self._path = places.path
        self._known: dict[int, str] = {}
        for name, bit in (*_port_bits(module, "input"), *_port_bits(module, "output")):
            if isinstance(bit, int):
                self._known.setdefault(bit, name)
        taken = set(self._known.values()) | {name for name, _ in _port_bits(module, "output")}
        entries = sorted(module["netnames"].items(), key=lambda entry: (entry[1]["hide_name"], len(entry[0])))
        for name, entry in entries:
            for label, bit in _labels(name, entry):
                # Bit 0 of a wire `a` and a wire called `a[0]` are two signals: the second stays without a name.
                if isinstance(bit, int) and bit not in self._known and label not in taken:
                    self._known[bit] = label
                    taken.add(label)

    def __getitem__(self, bit: int | str) -> str:
        if isinstance(bit, int):
            return self._known.get(bit) or f"net {bit}"  # no file has names with spaces
        if bit not in _CONSTANTS:
            raise InputError(f"{self._path}: wanted signals of 0 and 1, got high impedance (z); use a multiplexer")
        return _CONSTANTS[bit]


def _labels(name: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, int | str]]:
    bits = entry["bits"]
    if len(bits) == 1:
        yield name, bits[0]
        return
    offset = entry.get("offset", 0)
    for index, bit in enumerate(bits):
        # `upto`: declared [0:3], yosys still lists the least significant bit first
        yield f"{name}[{offset + (len(bits) - 1 - index if entry.get('upto') else index)}]", bit


def _port_bits(module: Mapping[str, Any], direction: str) -> list[tuple[str, int | str]]:
    ports = module["ports"].items()
    return [label for name, port in ports if port["direction"] == direction for label in _labels(name, port)]


def _expand(cell: Mapping[str, Any], names: _Names, where: str) -> Iterator[Gate | Register]:
    kind, ports, parameters = cell["type"], cell["connections"], cell["parameters"]
    if kind == "$lut":
        n = len(ports["A"])
        if n > MOST_INPUTS:
            raise InputError(f"{where}: wanted a $lut of at most {MOST_INPUTS} inputs, got {n}; split it")
        inputs = tuple(names[bit] for bit in ports["A"])
        yield Gate(output=names[ports["Y"][0]], inputs=inputs, table=_bits(parameters["LUT"], 1 << n), where=where)
    elif kind.startswith("$_") and cells.is_known(kind):
        signals = {port: names[bits[0]] for port, bits in ports.items()}
        yield from cells.expand(Instance(cell=kind, ports=signals, parameters={}, where=where))
    elif kind == "$mem_v2":
        yield from _rom(ports, parameters, names, where)
    elif kind in ("$dff", "$dffe", "$sdff", "$sdffe", "$sdffce", "$adff", "$adffe"):
        yield from _registers(kind, ports, parameters, names, where)
    else:
        raise InputError(f"{where}: wanted gates and registers, got a cell {kind}; only functions are read")


def _bits(text: str, size: int) -> np.ndarray:
    """A parameter of yosys, most significant bit first and x as 0, from the least significant on."""
    digits = (np.frombuffer(text[::-1].encode(), np.uint8) == ord("1")).astype(np.uint8)
    return np.concatenate([digits, np.zeros(max(0, size - len(digits)), np.uint8)])[:size]


def _rom(ports: Mapping[str, Any], parameters: Mapping[str, Any], names: _Names, where: str) -> Iterator[Gate]:
    """Each data bit of each read port is a table of the address; beyond MOST_INPUTS bits, tables and multiplexers."""
    n_words, width, offset, abits = (int(parameters[key], 2) for key in ("SIZE", "WIDTH", "OFFSET", "ABITS"))
    if "1" in parameters["RD_CLK_ENABLE"] or offset or abits > _MOST_ADDRESS_BITS:
        raise InputError(
            f"{where}: wanted a ROM of at most {_MOST_ADDRESS_BITS} address bits from 0 on, read without a clock; "
            "got another memory; register its output instead"
        )
    words = _bits(parameters["INIT"], n_words * width).reshape(n_words, width)[: 1 << abits]
    words = np.concatenate([words, np.zeros(((1 << abits) - len(words), width), np.uint8)])
    for port in range(int(parameters["RD_PORTS"], 2)):
        address = tuple(names[bit] for bit in ports["RD_ADDR"][port * abits : (port + 1) * abits])
        for bit in range(width):
            output = ports["RD_DATA"][port * width + bit]
            yield from _tables_of(names[output], address, words[:, bit], where)


def _tables_of(output: str, inputs: tuple[str, ...], table: np.ndarray, where: str) -> Iterator[Gate]:
    if len(inputs) <= MOST_INPUTS:
        yield Gate(output=output, inputs=inputs, table=table, where=where)
        return
    half = len(table) // 2
    low, high = f"{output} low", f"{output} high"  # no file has names with spaces
    yield from _tables_of(low, inputs[:-1], table[:half], where)
    yield from _tables_of(high, inputs[:-1], table[half:], where)
    yield Gate(output=output, inputs=(low, high, inputs[-1]), table=_MUX, where=where)


def _registers(
    kind: str, ports: Mapping[str, Any], parameters: Mapping[str, Any], names: _Names, where: str
) -> Iterator[Register]:
    reset = "ARST" if kind.startswith("$adff") else "SRST" if kind.startswith("$sdff") else None
    width = len(ports["D"])
    values = _bits(parameters[f"{reset}_VALUE"], width) if reset else np.zeros(width, np.uint8)
    for index, (data, output) in enumerate(zip(ports["D"], ports["Q"], strict=True)):
        yield Register(
            output=names[output],
            data=names[data],
            where=where,
            clock=names[ports["CLK"][0]],
            reset=names[ports[reset][0]] if reset else None,
            reset_level=int(parameters[f"{reset}_POLARITY"], 2) if reset else 1,
            reset_value=int(values[index]),
            reset_is_asynchronous=reset == "ARST",
            enable=names[ports["EN"][0]] if "EN" in ports else None,
            enable_level=int(parameters["EN_POLARITY"], 2) if "EN" in ports else 1,
        )
