"""Verilog as gates on bits: as it stands where the source is gates already, else made cheap by what a gate costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from designs.errors import InputError
from designs.yosys import YosysError
from workloads.circuits.abc import resynthesized
from workloads.circuits.circuit import Circuit
from workloads.circuits.tables import circuit_of_netlist
from workloads.importers.gates import netlist_of
from workloads.importers.verilog import read_module

_GATE_CELLS = frozenset("$and $or $xor $xnor $not $mux $logic_and $logic_or $logic_not $pos $buf".split())
_COMMANDS = ("strash", "ifraig", "dc2", "dc2", "dch", "amap", "topo")
_SECONDS = 600.0  # that abc may take


def import_gate_verilog(path: str | Path, top: str | None = None) -> Circuit:
    """Read a circuit from Verilog, or a folder of it, as gates; what is read is what `import_verilog` reads.

    A source that consists of gates only (yosys's cells, primitives, operators on single bits) keeps them, one by one,
    but for equal ones. Anything else goes through abc, and stays as abc made it where that takes fewer bootstraps.
    """
    path = Path(path)
    words, gates = read_module(path, top, "")
    circuit = circuit_of_netlist(path.stem, netlist_of(gates).netlist)
    if _is_structural(words):
        return circuit
    try:
        mapped = resynthesized(circuit, _COMMANDS, seconds=_SECONDS, with_mux=False)
    except (TimeoutError, YosysError) as error:
        raise InputError(f"{path}: wanted logic that abc maps, got: {error}; split it, or write it as gates") from error
    return min(circuit, mapped, key=lambda found: found.n_bootstraps)


def _is_structural(module: Mapping[str, Any]) -> bool:
    """Whether each cell is a gate of single bits, or a register."""
    return all(
        cell["type"].startswith("$_") or "dff" in cell["type"] or (cell["type"] in _GATE_CELLS and _is_one_bit(cell))
        for cell in module["cells"].values()
    )


def _is_one_bit(cell: Mapping[str, Any]) -> bool:
    return all(len(bits) == 1 for bits in cell["connections"].values())
