"""Cells that circuit files use without saying what they are: LUTs of FPGAs, gates and flip-flops of yosys."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.importers.gates import Gate, Register, short
from workloads.netlist import MOST_INPUTS

_GATES: dict[str, tuple[str, Callable[..., int]]] = {
    "$_BUF_": ("A", lambda a: a),
    "$_NOT_": ("A", lambda a: 1 - a),
    "$_AND_": ("AB", lambda a, b: a & b),
    "$_NAND_": ("AB", lambda a, b: 1 - (a & b)),
    "$_OR_": ("AB", lambda a, b: a | b),
    "$_NOR_": ("AB", lambda a, b: 1 - (a | b)),
    "$_XOR_": ("AB", lambda a, b: a ^ b),
    "$_XNOR_": ("AB", lambda a, b: 1 - (a ^ b)),
    "$_ANDNOT_": ("AB", lambda a, b: a & (1 - b)),
    "$_ORNOT_": ("AB", lambda a, b: a | (1 - b)),
    "$_MUX_": ("ABS", lambda a, b, s: b if s else a),
    "$_NMUX_": ("ABS", lambda a, b, s: 1 - (b if s else a)),
    "$_AOI3_": ("ABC", lambda a, b, c: 1 - (a & b | c)),
    "$_OAI3_": ("ABC", lambda a, b, c: 1 - ((a | b) & c)),
    "$_AOI4_": ("ABCD", lambda a, b, c, d: 1 - (a & b | c & d)),
    "$_OAI4_": ("ABCD", lambda a, b, c, d: 1 - ((a | b) & (c | d))),
}
# Cell -> (inputs from the least significant bit of the table's index on, output, parameter) of one table.
_LUTS = {f"LUT{n}": (tuple(f"I{i}" for i in range(n)), "O", "INIT") for n in range(1, 7)} | {
    "SB_LUT4": (("I0", "I1", "I2", "I3"), "O", "LUT_INIT"),
}
_ECP5_LUT4 = (("A", "B", "C", "D"), "Z", "INIT")  # its name is that of another maker's LUT4: told apart by the ports
_DFF = re.compile(r"\$_DFF_([NP])_")
_DFFE = re.compile(r"\$_DFFE_([NP])([NP])_")
_ADFF = re.compile(r"\$_DFF_([NP])([NP])([01])_")
_ADFFE = re.compile(r"\$_DFFE_([NP])([NP])([01])([NP])_")
_SDFF = re.compile(r"\$_SDFFC?E?_([NP])([NP])([01])([NP]?)_")


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A cell as it stands in a file: signals by the cell's ports, parameters as their bits in text."""

    cell: str
    ports: Mapping[str, str]
    parameters: Mapping[str, str]
    where: str


def is_known(cell: str) -> bool:
    """Whether `expand` knows the cell."""
    patterns = (_DFF, _DFFE, _ADFF, _ADFFE, _SDFF)
    return cell in _GATES or cell in _LUTS or cell in ("$lut", "LUT6_2") or any(p.fullmatch(cell) for p in patterns)


def expand(instance: Instance) -> Sequence[Gate | Register]:
    """What a known cell is; InputError for ports and parameters that it does not have, or not as they should be."""
    if instance.cell in _GATES:
        letters, function = _GATES[instance.cell]
        _check_ports(instance, (*letters, "Y"))
        values = [function(*bits[::-1]) for bits in itertools.product((0, 1), repeat=len(letters))]
        return [_gate(instance, tuple(letters), "Y", np.array(values, np.uint8))]
    if instance.cell == "$lut":
        return [_yosys_lut(instance)]
    if instance.cell == "LUT6_2":
        return _lut6_2(instance)
    if instance.cell in _LUTS:
        is_ecp5 = instance.cell == "LUT4" and "Z" in instance.ports
        ports, output, parameter = _ECP5_LUT4 if is_ecp5 else _LUTS[instance.cell]
        _check_ports(instance, (*ports, output))
        return [_gate(instance, ports, output, _table(instance, parameter, 1 << len(ports)))]
    return [_register(instance)]


def _gate(instance: Instance, ports: tuple[str, ...], output: str, table: np.ndarray) -> Gate:
    inputs = tuple(instance.ports[port] for port in ports)
    return Gate(output=instance.ports[output], inputs=inputs, table=table, where=instance.where)


def _yosys_lut(instance: Instance) -> Gate:
    n = len(instance.ports) - 1
    if n > MOST_INPUTS:
        raise InputError(f"{instance.where}: wanted a $lut of at most {MOST_INPUTS} inputs, got {n}; split it")
    ports = ("A",) if n == 1 and "A" in instance.ports else tuple(f"A[{i}]" for i in range(n))
    _check_ports(instance, (*ports, "Y"))
    return _gate(instance, ports, "Y", _table(instance, "LUT", 1 << n))


def _lut6_2(instance: Instance) -> list[Gate]:
    """O6 is the whole table, O5 its lower half read by I0 to I4; either may be left open."""
    ports = tuple(f"I{i}" for i in range(6))
    outputs = tuple(port for port in ("O5", "O6") if port in instance.ports)
    _check_ports(instance, (*ports, *(outputs or ("O6",))))
    table = _table(instance, "INIT", 64)
    parts = {"O5": (ports[:5], table[:32]), "O6": (ports, table)}
    return [_gate(instance, parts[output][0], output, parts[output][1]) for output in outputs]


def _register(instance: Instance) -> Register:
    cell = instance.cell
    levels: dict[str, int] = {}
    if match := _DFF.fullmatch(cell):
        ports = ["C", "D", "Q"]
    elif match := _DFFE.fullmatch(cell):
        ports = ["C", "D", "E", "Q"]
        levels["enable_level"] = int(match[2] == "P")
    elif match := _ADFF.fullmatch(cell) or _ADFFE.fullmatch(cell) or _SDFF.fullmatch(cell):
        enable = match[4] if match.re is not _ADFF else ""
        ports = ["C", "D", "Q", "R", *("E" if enable else "")]
        levels |= {"reset_level": int(match[2] == "P"), "reset_value": int(match[3])}
        levels["enable_level"] = int(enable != "N")
    else:
        raise InputError(f"{instance.where}: wanted a flip-flop or a gate, got cell {cell}")
    _check_ports(instance, tuple(ports))
    return Register(
        output=instance.ports["Q"],
        data=instance.ports["D"],
        where=instance.where,
        clock=instance.ports["C"],
        reset=instance.ports.get("R"),
        reset_is_asynchronous=not cell.startswith("$_SDFF"),
        enable=instance.ports.get("E"),
        **levels,
    )


def _check_ports(instance: Instance, wanted: tuple[str, ...]) -> None:
    for port in wanted:
        if port not in instance.ports:
            raise InputError(f"{instance.where}: {instance.cell}: wanted port {port}, got it open; connect it")
    for port in instance.ports:
        if port not in wanted:
            ports = ", ".join(wanted)
            raise InputError(f"{instance.where}: {instance.cell}: wanted ports {ports}, got {short(port)}; remove it")


def _table(instance: Instance, parameter: str, size: int) -> np.ndarray:
    text = instance.parameters.get(parameter)
    if text is None:
        raise InputError(
            f"{instance.where}: {instance.cell}: wanted its table as .param {parameter}, got none; write it with -param"
        )
    if set(text) - set("01") or len(text) < size or "1" in text[:-size]:
        got = f"got {text:.40}; mend it"
        raise InputError(f"{instance.where}: {instance.cell}: wanted {size} bits 0 or 1 in {parameter}, {got}")
    return np.frombuffer(text[-size:][::-1].encode(), np.uint8) - ord("0")
