"""Synthesis of Verilog with yosys: gates and NAND2 equivalents, LUTs, FPGA resources, a liberty file's area."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from designs.errors import InputError
from designs.yosys import YosysError, run_yosys

Target = Literal["gates", "lut4", "lut6", "xilinx", "ecp5", "ice40"]

# Static CMOS transistors of the cells that `abc -g cmos2` and dfflegalize leave: the counts of yosys's own `stat -tech
# cmos`. A NAND2 has 4 transistors, so gate equivalents are transistors / 4.
CMOS_TRANSISTORS = {"$_NOT_": 2, "$_NAND_": 4, "$_NOR_": 4, "$_DFF_P_": 16}

# Generic fabrics: LUTs of K inputs and flip-flops with any enable and reset, nothing else.
_GENERIC_COUNTS: dict[str, Mapping[str, float]] = {
    "flip_flops": {"$_DFF*": 1, "$_SDFF*": 1, "$_ALDFF*": 1, "$_DFFSR*": 1},
    "luts": {f"$lut_{n}": 1 for n in range(1, 7)},
    "dsps": {},
    "brams": {},
}

# FPGA cells by what they use up. Wide LUT multiplexers and carry cells ride on LUTs that are counted already, but for
# ECP5's CCU2C, which takes the two LUT4 it stands on. A RAMB18E1 is half a block.
_FPGA_COUNTS: dict[str, dict[str, Mapping[str, float]]] = {
    "lut4": _GENERIC_COUNTS,
    "lut6": _GENERIC_COUNTS,
    "xilinx": {
        "flip_flops": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
        "luts": {f"LUT{n}": 1 for n in range(1, 7)}
        | {"INV": 1, "SRL16E": 1, "SRLC32E": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM32M": 4, "RAM64M": 4},
        "wide_muxes": {"MUXF7": 1, "MUXF8": 1},
        "dsps": {"DSP48E1": 1},
        "brams": {"RAMB36E1": 1, "RAMB18E1": 0.5},
    },
    "ecp5": {
        "flip_flops": {"TRELLIS_FF": 1},
        "luts": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
        "wide_muxes": {"PFUMX": 1, "L6MUX21": 1},
        "dsps": {"MULT18X18D": 1},
        "brams": {"DP16KD": 1, "PDPW16KD": 1},
    },
    "ice40": {
        "flip_flops": {"SB_DFF*": 1},
        "luts": {"SB_LUT4": 1},
        "dsps": {"SB_MAC16": 1},
        "brams": {"SB_RAM40_4K*": 1},
    },
}

# Inputs of a LUT, and what makes a $lut the family's cell.
LUT_INPUTS: dict[str, int] = {"lut4": 4, "lut6": 6, "xilinx": 6, "ecp5": 4, "ice40": 4}
_LUT_CELLS = {
    "xilinx": "techmap -D LUT_WIDTH=6 -map +/xilinx/lut_map.v t:$lut",
    "ecp5": "techmap -D ECP5 -map lut4_cells.v t:$lut",
    "ice40": "techmap -D ICE40 -map lut4_cells.v t:$lut",
}

_SYNTH_FPGA = {
    "xilinx": "synth_xilinx -family xc7 -noiopad -noclkbuf -top {top} {flatten}",
    "ecp5": "synth_ecp5 -top {top} {noflatten}",
    "ice40": "synth_ice40 -dsp -top {top} {noflatten}",
}

# Memories stay black boxes: `synth` is stopped before memory_map would turn each bit into a flip-flop. techmap leaves
# the adders that it makes of a sum of products ($macc) for a second one.
_COARSE = """
synth -run begin:fine -top {top} {flatten}
tee -q -o memories.il dump -m t:$mem_v2
opt -fast -full
opt -undriven -fine
techmap t:$mem_v2 t:$lut %u %n
techmap t:$mem_v2 t:$lut %u %n
opt -fast
"""
# Tables that fit a LUT stay as they are, as a vendor's LUT primitives would; all other logic is mapped around them.
# abc would start from a multiplexer tree for each table and find some of them again only: 6 % more LUTs.
_LUTS = "abc9 -lut {lut_inputs}\nopt_lut\nopt_clean\n"
# `constant >> index`, one bit of it: a look-up table. Found first: techmap would make a shifter of each, one at a time.
_TABLE = re.compile(r"\d+'h[0-9a-f]+ >> ")
_TABLES = """
hierarchy -top {top}
proc
flatten -noscopeinfo
wreduce t:$shr
techmap -map tables.v
simplemap {wide}
opt_clean
"""
_TABLES_MAP = """
(* techmap_celltype = "$shr" *)
module constant_table (A, B, Y);
  parameter A_SIGNED = 0; parameter B_SIGNED = 0; parameter A_WIDTH = 1; parameter B_WIDTH = 1; parameter Y_WIDTH = 1;
  parameter _TECHMAP_CONSTMSK_A_ = 0; parameter _TECHMAP_CONSTVAL_A_ = 0;
  input [A_WIDTH-1:0] A; input [B_WIDTH-1:0] B; output [Y_WIDTH-1:0] Y;
  wire _TECHMAP_FAIL_ = Y_WIDTH != 1 || B_WIDTH > 8 || A_SIGNED || B_SIGNED || ~&_TECHMAP_CONSTMSK_A_;
  \\$lut #(.WIDTH(B_WIDTH), .LUT(_TECHMAP_CONSTVAL_A_)) look_up (.A(B), .Y(Y[0]));
endmodule
"""
# Unread inputs are 0, so that a short table is the start of INIT. yosys has such maps too, under changing names.
_LUT4_CELLS = """
module \\$lut (A, Y);
  parameter WIDTH = 1; parameter LUT = 0;
  input [WIDTH-1:0] A; output Y;
  wire _TECHMAP_FAIL_ = WIDTH > 4;
  wire [3:0] index = A;
`ifdef ECP5
  LUT4 #(.INIT(LUT)) _TECHMAP_REPLACE_ (.A(index[0]), .B(index[1]), .C(index[2]), .D(index[3]), .Z(Y));
`else
  SB_LUT4 #(.LUT_INIT(LUT)) _TECHMAP_REPLACE_ (.I0(index[0]), .I1(index[1]), .I2(index[2]), .I3(index[3]), .O(Y));
`endif
endmodule
"""
# Without dfflegalize, flip-flops with enable and reset have no cost in any table. `01` allows both initial values.
_REGISTERS = "dfflegalize -cell $_DFF_P_ 01\ntee -q -o registers.json stat -json\n"
_GATES = "abc -g cmos2 -script abc.script\nopt_clean\n"
_LIBERTY = "dfflibmap -liberty cells.lib\nabc -liberty cells.lib -script abc.script\nopt_clean\n"
# Rewriting, then mapping for area. The stock script's SAT sweeping takes minutes on a single wide multiplier.
_ABC = "strash\ndc2\nmap -a\n"

# A memory's power-up words, one a line. Zeros change no circuit, and a deep scratchpad has more of them than all else.
_ZEROED_WORD = re.compile(r"^ +\w+\[\d+\] = \d+'h0+;\n", re.MULTILINE)


class SynthesisError(RuntimeError):
    """Yosys failed on generated RTL, or left cells that no table prices: a fault of Lockstep."""


@dataclass(frozen=True, kw_only=True)
class MemoryMacro:
    """One kind of memory that was kept as a black box."""

    module: str
    name: str
    count: int  # instances in the whole design
    n_words: int
    width_bits: int
    n_read_ports: int
    n_write_ports: int

    @property
    def bits(self) -> int:
        """Bits of all instances."""
        return self.count * self.n_words * self.width_bits


@dataclass(frozen=True, kw_only=True)
class ModuleSynthesis:
    """One module without its children."""

    count: int  # instances in the whole design
    flip_flops: int
    cells: Mapping[str, int]
    gate_equivalents: float | None = None  # of one instance, target "gates" without liberty
    area_um2: float | None = None  # of one instance, with liberty


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """What a design is made of after synthesis. None where the target does not tell."""

    target: Target
    top: str
    tool: str
    cells: Mapping[str, int]  # raw counts of the whole design
    flip_flops: int
    modules: Mapping[str, ModuleSynthesis]
    memories: tuple[MemoryMacro, ...] = ()  # black boxes, in none of the figures below; () on an FPGA
    transistors: int | None = None
    gate_equivalents: float | None = None  # NAND2: transistors / 4
    area_um2: float | None = None  # with liberty, in the library's unit (um2 by custom)
    luts: int | None = None
    luts_by_inputs: Mapping[int, int] | None = None  # of lut4, lut6 and xilinx; an ECP5's or iCE40's cell does not tell
    wide_muxes: int | None = None  # multiplexers behind LUTs (F7, F8; PFUMX, L6MUX21), in none of the LUTs
    dsps: int | None = None
    brams: float | None = None

    @property
    def memory_bits(self) -> int:
        """Bits in memories that were kept as black boxes."""
        return sum(memory.bits for memory in self.memories)


def synthesize(
    verilog: str, top: str, *, target: Target = "gates", liberty: Path | None = None, flatten: bool = False
) -> Synthesis:
    """Synthesize module `top` of `verilog` with the yosys wheel and count what it is made of.

    - "gates": logic mapped to NAND2, NOR2, NOT and plain flip-flops; memories are kept apart as `memories`. With
      `liberty` it is mapped to that library instead and `area_um2` is its area (logic only).
    - "lut4", "lut6": a fabric of nothing but LUTs of at most so many inputs and flip-flops (any enable, any reset): no
      carry chains, no multiplexers behind LUTs. Memories are kept apart as `memories`; always flat.
    - "xilinx" (7 series), "ecp5", "ice40": LUTs, flip-flops, DSPs and block RAMs, memories included.

    Look-up tables of the RTL (`constant >> {inputs}`, one bit) that fit a LUT of the target stay one, as a vendor's LUT
    primitives do; the logic around them and wider tables are mapped by abc, and designs with such tables are flattened.
    Modules are synthesized once and multiplied by their instances; `flatten` dissolves the hierarchy first (slow; some
    percent less logic where constants cross borders). Raises InputError for a bad liberty file or an unknown target,
    SynthesisError where yosys fails.
    """
    if target not in get_args(Target):
        raise InputError(f"target: wanted one of {', '.join(get_args(Target))}, got {target}")
    if liberty is not None and target != "gates":
        raise InputError(f"liberty: wanted target gates beside a liberty file, got target {target}")
    with tempfile.TemporaryDirectory(prefix="lockstep_synthesis_") as name:
        return synthesize_in(Path(name), verilog, top, target=target, liberty=liberty, flatten=flatten)


def synthesize_in(
    folder: Path, verilog: str, top: str, *, target: Target, liberty: Path | None = None, flatten: bool = False
) -> Synthesis:
    """`synthesize` in an empty folder, where the result stays as synthesized.il, for more yosys."""
    (folder / "design.v").write_text(_ZEROED_WORD.sub("", verilog))
    (folder / "abc.script").write_text(_ABC)
    (folder / "tables.v").write_text(_TABLES_MAP)
    (folder / "lut4_cells.v").write_text(_LUT4_CELLS)
    if liberty is not None:
        _copy_liberty(liberty, folder / "cells.lib")
    has_tables = _TABLE.search(verilog) is not None
    flatten = flatten or has_tables
    _run(
        _script(top, target=target, liberty=liberty is not None, flatten=flatten, has_tables=has_tables),
        folder,
        liberty,
    )
    statistics = json.loads((folder / "statistics.json").read_text())
    registers = json.loads((folder / "registers.json").read_text()) if target == "gates" else None
    dump = folder / "memories.il"
    memories = _memories(dump.read_text(), _instances(statistics, top)) if dump.exists() else ()
    modules = _modules(statistics, registers, top, target=target, liberty=liberty is not None)
    return _whole(statistics, modules, top, target=target, memories=memories, liberty=liberty is not None)


def _script(top: str, *, target: Target, liberty: bool, flatten: bool, has_tables: bool) -> str:
    switches = {"top": top, "flatten": "-flatten" if flatten else "", "noflatten": "" if flatten else "-noflatten"}
    lut_inputs = LUT_INPUTS.get(target)
    tables = ""
    if has_tables:
        tables = _TABLES.format(top=top, wide=f"t:$lut r:WIDTH>{lut_inputs} %i" if lut_inputs else "t:$lut")
        tables += _LUT_CELLS.get(target, "") + "\n"
    if target == "gates":
        steps = _COARSE.format(**switches) + _REGISTERS + (_LIBERTY if liberty else _GATES)
    elif target in ("lut4", "lut6"):
        steps = _COARSE.format(top=top, flatten="-flatten") + _LUTS.format(lut_inputs=lut_inputs)
    else:
        steps = _SYNTH_FPGA[target].format(**switches)
    # $scopeinfo cells only tell where flattened names came from.
    priced = "-liberty cells.lib" if liberty else "-width" if target in ("lut4", "lut6") else ""
    count = f"delete t:$scopeinfo\ntee -q -o statistics.json stat -json {priced}"
    return f"read_verilog design.v\n{tables}{steps}\n{count}\nwrite_rtlil synthesized.il\n"


def _copy_liberty(liberty: Path, to: Path) -> None:
    try:
        shutil.copyfile(liberty, to)
    except OSError as error:
        raise InputError(f"{liberty}: wanted a readable liberty file, got: {error.strerror}") from error


def _run(script: str, folder: Path, liberty: Path | None) -> None:
    """Run `script` in `folder`. Raises SynthesisError; InputError where `liberty` is to blame."""
    try:
        run_yosys(script, folder)
    except YosysError as error:
        if liberty is not None and (folder / "registers.json").exists():  # all that does not read the library went well
            wanted = "wanted a liberty library with a D flip-flop, a buffer, an inverter and logic gates"
            message = error.message.replace("cells.lib", liberty.name)
            raise InputError(f"{liberty}: {wanted}, yosys says: {message}") from error
        raise SynthesisError(str(error)) from error


def _instances(statistics: Mapping[str, Any], top: str) -> dict[str, int]:
    """Module -> number of instances in the design."""
    children = {name.removeprefix("\\"): module["num_cells_by_type"] for name, module in statistics["modules"].items()}
    counts = dict.fromkeys(children, 0)

    def visit(name: str, times: int) -> None:
        counts[name] += times
        for cell, n in children[name].items():
            if cell in children:
                visit(cell, times * n)

    visit(top, 1)
    return counts


_MODULE_LINE = re.compile(r"^module \\(\S+)$")
_CELL_LINE = re.compile(r"^\s*cell \$mem_v2 (\S+)$")
_PARAMETER_LINE = re.compile(r"^\s*parameter \\(SIZE|WIDTH|RD_PORTS|WR_PORTS) (\d+)$")


def _memories(dump: str, instances: Mapping[str, int]) -> tuple[MemoryMacro, ...]:
    found: list[tuple[str, str, dict[str, int]]] = []
    module = ""
    for line in dump.splitlines():
        if match := _MODULE_LINE.match(line):
            module = match[1]
        elif match := _CELL_LINE.match(line):
            found.append((module, match[1].removeprefix("\\"), {}))
        elif found and (match := _PARAMETER_LINE.match(line)):
            found[-1][2][match[1]] = int(match[2])
    return tuple(
        MemoryMacro(
            module=module,
            name=name,
            count=instances[module],
            n_words=sizes["SIZE"],
            width_bits=sizes["WIDTH"],
            n_read_ports=sizes["RD_PORTS"],
            n_write_ports=sizes["WR_PORTS"],
        )
        for module, name, sizes in found
    )


def _modules(
    statistics: Mapping[str, Any], registers: Mapping[str, Any] | None, top: str, *, target: Target, liberty: bool
) -> dict[str, ModuleSynthesis]:
    """`registers`: the statistics before cells of a library took the flip-flops' place; None on an FPGA."""
    instances = _instances(statistics, top)
    areas = {name.removeprefix("\\"): float(module.get("area", 0.0)) for name, module in statistics["modules"].items()}
    modules = {}
    for raw_name, module in statistics["modules"].items():
        name = raw_name.removeprefix("\\")
        all_cells = module["num_cells_by_type"]
        own = {cell: n for cell, n in all_cells.items() if cell not in instances and not cell.startswith("$mem_v2")}
        if registers is None:
            flip_flops = int(_weighted(own, _FPGA_COUNTS[target]["flip_flops"]))
        else:
            flip_flops = registers["modules"][raw_name]["num_cells_by_type"].get("$_DFF_P_", 0)
        children_area = sum(n * areas[cell] for cell, n in all_cells.items() if cell in areas)
        modules[name] = ModuleSynthesis(
            count=instances[name],
            flip_flops=flip_flops,
            cells=own,
            gate_equivalents=_transistors(own) / 4 if target == "gates" and not liberty else None,
            area_um2=areas[name] - children_area if liberty else None,  # yosys prints areas with the children's
        )
    return modules


def _whole(
    statistics: Mapping[str, Any],
    modules: Mapping[str, ModuleSynthesis],
    top: str,
    *,
    target: Target,
    memories: tuple[MemoryMacro, ...],
    liberty: bool,
) -> Synthesis:
    cells: dict[str, int] = {}
    for module in modules.values():
        for cell, n in module.cells.items():
            cells[cell] = cells.get(cell, 0) + n * module.count
    figures: dict[str, Any]
    if liberty:
        figures = {"area_um2": sum(module.count * (module.area_um2 or 0.0) for module in modules.values())}
    elif target == "gates":
        figures = {"transistors": _transistors(cells), "gate_equivalents": _transistors(cells) / 4}
    else:
        weights = _FPGA_COUNTS[target]
        figures = {
            "luts": int(_weighted(cells, weights["luts"])),
            "luts_by_inputs": _by_inputs(cells, target),
            "wide_muxes": int(_weighted(cells, weights.get("wide_muxes", {}))),
            "dsps": int(_weighted(cells, weights["dsps"])),
            "brams": _weighted(cells, weights["brams"]),
        }
    return Synthesis(
        target=target,
        top=top,
        tool=statistics["creator"].split(" (")[0],
        cells=dict(sorted(cells.items())),
        flip_flops=sum(module.count * module.flip_flops for module in modules.values()),
        modules=modules,
        memories=memories,
        **figures,
    )


def _transistors(cells: Mapping[str, int]) -> int:
    unpriced = sorted(set(cells) - set(CMOS_TRANSISTORS))
    if unpriced:
        raise SynthesisError(f"no transistor count for cells {', '.join(unpriced)}")
    return sum(CMOS_TRANSISTORS[cell] * n for cell, n in cells.items())


def _by_inputs(cells: Mapping[str, int], target: Target) -> dict[int, int] | None:
    prefix = {"lut4": "$lut_", "lut6": "$lut_", "xilinx": "LUT"}.get(target)
    if prefix is None:
        return None
    return {n: cells[f"{prefix}{n}"] for n in range(1, 7) if f"{prefix}{n}" in cells}


def _weighted(cells: Mapping[str, int], weights: Mapping[str, float]) -> float:
    exact = {name: weight for name, weight in weights.items() if not name.endswith("*")}
    prefixes = {name[:-1]: weight for name, weight in weights.items() if name.endswith("*")}
    total = 0.0
    for cell, n in cells.items():
        weight = exact.get(cell) or next((w for prefix, w in prefixes.items() if cell.startswith(prefix)), 0)
        total += n * weight
    return total
