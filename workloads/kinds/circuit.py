"""Circuits of gates to run on encrypted bits: files, C programs, and ready ones by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.circuits import named
from workloads.circuits.circuit import Circuit

# Ending -> what such a file is, the module and its function (path -> Circuit). Modules load when they are needed.
_READERS = {
    ".gates": ("a circuit of gates", "workloads.circuits.files", "load_circuit"),
    ".bench": ("an ISCAS netlist", "workloads.importers.bench", "import_bench"),
    ".aig": ("an AIGER circuit", "workloads.importers.aiger", "import_aiger"),
    ".aag": ("an AIGER circuit", "workloads.importers.aiger", "import_aiger"),
    ".c": ("a C program", "workloads.programs.compile", "compile_c"),
}
# These endings belong to other families' circuits: PREFIX says that gates are wanted.
_READERS_WITH_PREFIX = {
    ".blif": ("workloads.importers.gate_blif", "import_gate_blif"),
    ".v": ("workloads.importers.gate_verilog", "import_gate_verilog"),
    ".sv": ("workloads.importers.gate_verilog", "import_gate_verilog"),
}
FILES = {ending: what for ending, (what, _, _) in _READERS.items()}
TRACES = dict.fromkeys((".bench", ".aig", ".aag", ".c"), "workloads.importers.trace_gates")
PREFIX = "gates:"
_PROGRAM = "program:"


def names() -> tuple[str, ...]:
    """Names besides paths; `gates:PATH` is a circuit of any format, also .blif and .v, which else become LUTs."""
    return (*named.NAMES, *(f"{_PROGRAM}{name}" for name in programs()), f"{PREFIX}PATH")


def load(name: str) -> Circuit | None:
    """The circuit of a name in `names()`, or of a path: .gates, .bench, .aig, .aag, or .c, a program."""
    if name == PREFIX:
        raise InputError(f"workload {name}: wanted {PREFIX}PATH, got no path; name a file")
    if name.startswith(PREFIX):
        return circuit_of_file(name.removeprefix(PREFIX))
    if name.startswith(_PROGRAM):
        return _shipped(name)
    if (found := named.named_circuit(name)) is not None:
        return found
    return circuit_of_file(name) if Path(name).suffix in _READERS else None


def circuit_of_file(path: str | Path) -> Circuit:
    """The circuit of a file by its ending, .blif, .v and .sv too; InputError for others and what cannot be read."""
    path = Path(path)
    readers = {ending: (module, function) for ending, (_, module, function) in _READERS.items()} | _READERS_WITH_PREFIX
    if path.suffix not in readers:
        raise InputError(f"{path}: wanted a circuit ({', '.join(readers)}), got {shown(path.suffix)}; name another")
    module, function = readers[path.suffix]
    read: Callable[[Path], Any] = getattr(importlib.import_module(module), function)
    found = read(path)
    return found if isinstance(found, Circuit) else found.circuit  # a program's, with what else is known of it


def programs() -> dict[str, Path]:
    """The C programs that come with this package, by name."""
    folder = Path(__file__).parent.parent / "programs" / "sources"
    return {file.stem: file for file in sorted(folder.glob("*.c"))}


def _shipped(name: str) -> Circuit:
    known = programs()
    program = name.removeprefix(_PROGRAM)
    if program not in known:
        hint = nearest(program, known)
        raise InputError(f"workload: wanted {_PROGRAM}NAME, one of {', '.join(known)}, got {shown(name)}{hint}")
    return circuit_of_file(known[program])
