"""ISCAS netlists (.bench): INPUT(a), OUTPUT(y), y = NAND(a, b)."""

from __future__ import annotations

import re
from pathlib import Path

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.circuits.circuit import Circuit
from workloads.circuits.gate_lists import GateList, NamedGate, circuit_of_gates
from workloads.circuits.text import read_lines

_PORT = re.compile(r"(INPUT|OUTPUT)\s*\(\s*([^\s(),=]+)\s*\)", re.IGNORECASE)
_GATE = re.compile(r"([^\s(),=]+)\s*=\s*([A-Za-z]\w*)\s*\(([^()=]*)\)")
_CONSTANT = re.compile(r"([^\s(),=]+)\s*=\s*(vdd|gnd)()", re.IGNORECASE)
_FUNCTIONS = {
    "AND": "AND", "NAND": "NAND", "OR": "OR", "NOR": "NOR", "XOR": "XOR", "XNOR": "XNOR", "NOT": "NOT", "INV": "NOT",
    "BUF": "BUF", "BUFF": "BUF", "DFF": "DFF", "VDD": "ONE", "GND": "ZERO",
}  # fmt: skip
_N_INPUTS = {"NOT": 1, "BUF": 1, "DFF": 1, "ONE": 0, "ZERO": 0}


def import_bench(path: str | Path) -> Circuit:
    """Read a circuit from a .bench file: gates of any number of inputs, NOT, BUF, constants, and DFF.

    Flip-flops are cut, see `circuit_of_gates`. InputError, one line with file and line, for anything else.
    """
    path = Path(path)
    gates = GateList(where=str(path))
    driven: dict[str, int] = {}  # the lines of inputs, registers and gates
    for line, text in enumerate(read_lines(path, "a .bench netlist"), start=1):
        if statement := text.partition("#")[0].strip():
            _read(statement, line, gates, driven)
    if not gates.outputs:
        raise InputError(f"{path}: wanted OUTPUT(name), got no output; is it the right file?")
    return circuit_of_gates(path.stem, gates)


def _read(statement: str, line: int, gates: GateList, driven: dict[str, int]) -> None:
    where = f"{gates.where}:{line}"
    if port := _PORT.fullmatch(statement):
        if port[1].upper() == "OUTPUT":
            gates.outputs.append(port[2])
        else:
            _drive(port[2], where, line, driven)
            gates.inputs.append(port[2])
        return
    match = _GATE.fullmatch(statement) or _CONSTANT.fullmatch(statement)
    if match is None:
        raise InputError(f"{where}: wanted INPUT(a), OUTPUT(y) or y = GATE(a, b), got {shown(statement)}; mend it")
    signal, kind = match[1], match[2].upper()
    read = [name.strip() for name in match[3].split(",")] if match[3].strip() else []
    if kind not in _FUNCTIONS:
        hint = nearest(kind, _FUNCTIONS)
        raise InputError(f"{where}: wanted a gate of {', '.join(_FUNCTIONS)}, got {shown(match[2])}{hint}; mend it")
    function = _FUNCTIONS[kind]
    wanted = _N_INPUTS.get(function)
    if (not read if wanted is None else len(read) != wanted) or not all(read):
        some = "one input or more" if wanted is None else f"{wanted} inputs"
        raise InputError(f"{where}: {shown(signal)}: wanted {kind} of {some}, got {shown(match[3].strip())}; mend it")
    _drive(signal, where, line, driven)
    if function == "DFF":
        gates.states[signal] = read[0]
    else:
        gates.gates[signal] = NamedGate(function=function, inputs=tuple(read), line=line)


def _drive(signal: str, where: str, line: int, driven: dict[str, int]) -> None:
    if signal in driven:
        other = f"line {driven[signal]}"
        raise InputError(f"{where}: {shown(signal)}: wanted one driver, got a second beside {other}; remove one")
    driven[signal] = line
