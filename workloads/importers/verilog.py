"""Verilog: any circuit that yosys synthesizes and that is a function, LUTs of FPGAs as they are."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from designs.errors import InputError
from designs.spelling import shown
from designs.yosys import CONFINED, YosysError, run_yosys
from workloads.importers.gates import GateCircuit, Imported, netlist_of, short
from workloads.importers.yosys_json import gate_circuit
from workloads.netlist import Netlist

MOST_BYTES = 1 << 26  # of all files together
_CELLS = Path(__file__).with_name("cells.v")
_SOURCES = (".v", ".sv")
# What a folder's sources may include or load.
_BESIDE = (*_SOURCES, ".vh", ".svh", ".h", ".inc", ".mem", ".hex", ".dat")
_FILE_NAME = re.compile(r"[\w.+ -]+")
_MODULE_NAME = re.compile(r"[A-Za-z_][\w$]*")

# Synthesis up to words, then all that no table holds to gates and to tables of 6 inputs. Tables that are there stay:
# LUTs ($lut) and case statements that are ROMs ($mem_v2) are neither taken apart nor seen by abc.
_SCRIPT = """
{read}
read_verilog -icells -nooverwrite {own}/cells.v
hierarchy -check -top {top}
proc
flatten
delete t:$scopeinfo
memory_collect
opt_clean
tee -q -o {own}/drivers.txt check
write_json {own}/words.json
setundef -zero
opt
techmap t:$lut t:$mem_v2 t:$*dff* %u %u %n
opt_clean
tee -q -o {own}/loops.txt check
{mapping}
opt_clean
write_json {own}/tables.json
"""
_MULTIPLE = re.compile(r"Warning: multiple conflicting drivers for (\S+?)\.\\(.+):$")
_UNDRIVEN = re.compile(r"Warning: Wire (\S+?)\.\\(.+) is used but has no driver\.$")
_LOOP = re.compile(r"Warning: found logic loop in module ")
_LOOP_WIRE = re.compile(r"\s+wire \\(.+?)(?: source: (\S+?):(\d+)\S*)?$")
_AT_LINE = re.compile(r"(.+?):(\d+)(?:\.[\d.-]+)?: (.*)")


def load_verilog(path: str | Path, top: str | None = None) -> Netlist:
    """The netlist of Verilog, as `import_verilog` reads it."""
    return import_verilog(path, top).netlist


def import_verilog(path: str | Path, top: str | None = None) -> Imported:
    """Read a circuit from a Verilog file, or from all .v and .sv files of a folder, through the yosys wheel.

    `top` is the module to read; None the one that no other instantiates, of several that of the file's name. LUT1 to
    LUT6, LUT6_2, SB_LUT4 and ECP5's LUT4 are tables as they stand, so are `case` statements that list a table; all
    other logic is mapped to tables of up to 6 inputs. Signals are bits, `name[i]` where a port is wider than one, ports
    in order and bit 0 first. A bit that the source leaves undefined (x) is 0. Registers that stand equally deep on all
    ways are left out, with the inputs that are only their clock, or their reset or enable by name (see Imported).

    InputError, one line with the file and the line where yosys tells it, for anything that is no such circuit. Nothing
    but the named file, or the files of the named folder, is ever opened.
    """
    path = Path(path)
    if top is not None and not _MODULE_NAME.fullmatch(top):
        raise InputError(f"{path}: wanted the name of a module as top, got {shown(top)}; name one of the file")
    return netlist_of(read_module(path, top, "abc -lut 6")[1])


def read_module(
    path: Path, top: str | None, mapping: str, files: Mapping[str, str] | None = None
) -> tuple[Mapping[str, Any], GateCircuit]:
    """(the module in words as yosys's JSON has it, its gates and registers), read as `import_verilog` says.

    `mapping` are the yosys commands for the gates, in which {own} is the folder where `files` (name -> text) then are.
    """
    with tempfile.TemporaryDirectory(prefix="lockstep_verilog_") as name:
        folder = Path(name)
        sources = _copied(path, folder)
        own = folder / "lockstep"
        own.mkdir()
        for file, text in (files or {}).items():
            (own / file).write_text(text)
        module = _synthesized(path, sources, folder, top, mapping)
        return _top_module(own / "words.json"), gate_circuit(module, _Places(path))


class _Places:
    """Where things stand in the user's files, by what yosys says of the copies."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> str:
        name = name.removeprefix(f"{CONFINED}/")
        return str(self.path / name) if self.path.is_dir() else str(self.path)

    def of(self, cell: Mapping[str, Any]) -> str:
        """file:line of a cell that yosys wrote, as far as it tells."""
        source = str(cell.get("attributes", {}).get("src", "")).split("|")[0]
        match = re.fullmatch(r"(.+):(\d+)\.[\d.-]+", source)
        if match is None or Path(match[1]).name == _CELLS.name:
            return str(self.path)
        return f"{self.file(match[1])}:{match[2]}"


def _copied(path: Path, folder: Path) -> list[str]:
    """Copy the user's files into `folder`; the names of the sources."""
    try:
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix in _BESIDE and file.is_file())
        else:
            files = [path]
        sources = [file.name for file in files if file.suffix in _SOURCES]
        if not sources:
            found = "none in this folder" if path.is_dir() else f"the ending {shown(path.suffix)}"
            raise InputError(f"{path}: wanted Verilog files (.v or .sv), got {found}; name another")
        for file in files:
            if not _FILE_NAME.fullmatch(file.name) or file.name == "script.ys":
                raise InputError(f"{file}: wanted a file name of letters, digits, _ . + and -; rename it")
        if sum(file.stat().st_size for file in files) > MOST_BYTES:
            raise InputError(f"{path}: wanted at most {MOST_BYTES} bytes, got more; import a smaller circuit")
        for file in files:
            content = file.read_bytes()
            if file.name in sources and b"\0" in content:
                raise InputError(f"{file}: wanted Verilog text, got bytes that are no text; is it the right file?")
            (folder / file.name).write_bytes(content)
    except OSError as error:
        raise InputError(f"{path}: wanted a Verilog file or a folder of them, got: {error.strerror}") from error
    return sources


def _synthesized(path: Path, sources: list[str], folder: Path, top: str | None, mapping: str) -> Mapping[str, Any]:
    """The top module as yosys writes it in JSON: flat, of tables and registers."""
    own = folder / "lockstep"
    shutil.copyfile(_CELLS, own / "cells.v")
    places = _Places(path)
    # -icells: netlists that yosys wrote hold its own gates, as \$_AND_.
    read = "\n".join(
        f'read_verilog -icells {"-sv " if name.endswith(".sv") else ""}"{CONFINED}/{name}"' for name in sources
    )
    if top is None:
        _run(f"{read}\nwrite_rtlil {CONFINED}/lockstep/modules.il\n", folder, places)
        top = _top(path, (own / "modules.il").read_text())
    failure = None
    try:
        inside = f"{CONFINED}/lockstep"
        script = _SCRIPT.format(read=read, top=top, own=inside, mapping=mapping.format(own=inside))
        _run(script, folder, places)
    except InputError as error:
        failure = error
    # What is wrong with the circuit says more than what yosys stumbled over later.
    if (own / "drivers.txt").exists():
        _check_drivers(path, (own / "drivers.txt").read_text())
    if (own / "words.json").exists():
        _check_cells(_top_module(own / "words.json"), places)
    if (own / "loops.txt").exists():
        _check_loops(path, (own / "loops.txt").read_text(), places)
    if failure is not None:
        raise failure
    return _top_module(own / "tables.json")


_MODULE_LINE = re.compile(r"^module \\(\S+)$", re.MULTILINE)
_CELL_LINE = re.compile(r"^  cell (?:\$array:\S*:)?\\?(\S+) \S+$", re.MULTILINE)


def _top(path: Path, rtlil: str) -> str:
    """The module that no other one instantiates; of several, the one that is called as the file is."""
    modules, cells = _MODULE_LINE.findall(rtlil), set(_CELL_LINE.findall(rtlil))
    roots = sorted(name for name in modules if name not in cells and _MODULE_NAME.fullmatch(name))
    if path.stem in roots:
        return path.stem
    if len(roots) == 1:
        return roots[0]
    got = ", ".join(map(short, roots[:6])) or ("a ring" if modules else "none")
    raise InputError(
        f"{path}: wanted a module that no other one instantiates, got {got}; name the file as its top, or name the top"
    )


def _run(script: str, folder: Path, places: _Places) -> None:
    try:
        run_yosys(script, folder, confined=True)
    except YosysError as error:
        raise InputError(_refusal(error.message, places)) from error


def _refusal(message: str, places: _Places) -> str:
    match = _AT_LINE.fullmatch(message)
    where = f"{places.file(match[1])}:{match[2]}" if match else str(places.path)
    text = (match[3] if match else message).rstrip(".!").replace(f"{CONFINED}/", "")
    remedy = "mend it"
    if "include file" in text or "Can not open file" in text:
        remedy = "name the folder that holds all files; no others are opened"
    elif "is not part of the design" in text:
        remedy = "name the folder that holds all modules; black boxes have no function"
    return f"{where}: wanted Verilog that yosys synthesizes, got: {text[:300]}; {remedy}"


def _check_drivers(path: Path, report: str) -> None:
    lines = report.splitlines()
    for number, line in enumerate(lines):
        if match := _MULTIPLE.match(line):
            drivers = [follow.strip() for follow in lines[number + 1 : number + 3] if follow.startswith("    ")]
            raise InputError(f"{path}: {match[2]}: wanted one driver, got {' and '.join(drivers)}; remove one")
        if match := _UNDRIVEN.match(line):
            raise InputError(f"{path}: {match[2]}: wanted a driver, got none; drive it or make it an input")


def _check_loops(path: Path, report: str, places: _Places) -> None:
    lines = iter(report.splitlines())
    for line in lines:
        if not _LOOP.match(line):
            continue
        names: list[str] = []
        where = str(path)
        for follow in lines:
            if not follow.startswith("    "):
                break
            if (match := _LOOP_WIRE.match(follow)) and match[1] not in names:
                if not names and match[2]:
                    where = f"{places.file(match[2])}:{match[3]}"
                names.append(match[1])
        through = ", ".join(names[:6]) or "cells without names"
        raise InputError(f"{where}: wanted a circuit without combinational loops, got one through {through}; break it")


_REFUSED_CELLS = {
    "$dlatch": "a latch; give every branch a value",
    "$adlatch": "a latch; give every branch a value",
    "$dlatchsr": "a latch; give every branch a value",
    "$sr": "a latch; use registers",
    "$tribuf": "a tristate driver; use a multiplexer",
    "$dffsr": "a register with set and reset; use one of them",
    "$dffsre": "a register with set and reset; use one of them",
    "$aldff": "a register with asynchronous load; use a clocked one",
    "$aldffe": "a register with asynchronous load; use a clocked one",
    "$assert": "an assertion; remove it",
    "$check": "an assertion; remove it",
    "$print": "a $display; remove it",
}


def _check_cells(module: Mapping[str, Any], places: _Places) -> None:
    for cell in module["cells"].values():
        kind = cell["type"]
        if kind in _REFUSED_CELLS:
            raise InputError(f"{places.of(cell)}: wanted gates and registers, got {_REFUSED_CELLS[kind]}")
        if kind == "$mem_v2" and int(cell["parameters"]["WR_PORTS"], 2):
            raise InputError(f"{places.of(cell)}: wanted gates and registers, got a memory; only ROMs are read")
        if any("z" in bits for bits in cell["connections"].values()):
            raise InputError(f"{places.of(cell)}: wanted gates and registers, got {_REFUSED_CELLS['$tribuf']}")
    for name, port in module["ports"].items():
        if port["direction"] == "inout":
            raise InputError(f"{places.path}: {name}: wanted inputs and outputs, got an inout; make it one of them")


def _top_module(file: Path) -> Mapping[str, Any]:
    design = json.loads(file.read_text())
    name, module = next(
        (name, module) for name, module in design["modules"].items() if int(module["attributes"].get("top", "0"), 2)
    )
    return {**module, "name": name}
