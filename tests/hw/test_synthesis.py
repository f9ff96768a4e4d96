"""Synthesis of circuits whose size is known without a tool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from designs.yosys import run_yosys
from hw.synthesis import MemoryMacro, SynthesisError, synthesize, synthesize_in
from hw.verilog import emit_verilog
from tests.hw.circuits import Countdown, MacRow
from workloads.importers.verilog import load_verilog
from workloads.netlist import run_netlist

pytestmark = pytest.mark.rtl

REGISTER = """
module stage(input clk, input rst, input en, input [3:0] d, output reg [3:0] q = 4'd5);
  always @(posedge clk) if (rst) q <= 4'd5; else if (en) q <= d;
endmodule
module top(input clk, input rst, input en, input [3:0] d, output [3:0] q, output n);
  wire [3:0] a;
  stage one(.clk(clk), .rst(rst), .en(en), .d(d), .q(a));
  stage two(.clk(clk), .rst(rst), .en(en), .d(a), .q(q));
  assign n = ~(d[0] & d[1]);
endmodule
"""
MEMORY = """
module top(input clk, input we, input [5:0] wa, input [11:0] wd, input [5:0] ra, output reg [11:0] rd);
  reg [11:0] store [0:63];
  always @(posedge clk) begin
    if (we) store[wa] <= wd;
    rd <= store[ra];
  end
endmodule
"""
LIBERTY = """
library(tiny) {
  time_unit : "1ns"; capacitive_load_unit(1, pf);
  cell(BUF) { area : 1.5; pin(A) { direction : input; } pin(Y) { direction : output; function : "A"; } }
  cell(INV) { area : 1.0; pin(A) { direction : input; } pin(Y) { direction : output; function : "A'"; } }
  cell(NAND2) { area : 2.0;
    pin(A) { direction : input; } pin(B) { direction : input; } pin(Y) { direction : output; function : "(A*B)'"; } }
  cell(NOR2) { area : 2.5;
    pin(A) { direction : input; } pin(B) { direction : input; } pin(Y) { direction : output; function : "(A+B)'"; } }
  cell(DFF) { area : 8.0; ff(IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin(C) { direction : input; clock : true; } pin(D) { direction : input; }
    pin(Q) { direction : output; function : "IQ"; } }
}
"""
# Two levels of tables: a 6-input one (a random function), a 2-input one, and one that nobody reads; registered at the end.
TABLES = """
module level(input [5:0] x, output [2:0] y);
  function [2:0] look_up(input [5:0] s);
    begin
      look_up[0] = 64'h73f33171f1f33071 >> {s[0], s[1], s[2], s[3], s[4], s[5]};
      look_up[1] = 4'h6 >> {s[1], s[0]};
      look_up[2] = 16'h8001 >> {s[3], s[2], s[1], s[0]};
    end
  endfunction
  assign y = look_up(x);
endmodule
module top(input clk, input rst, input en, input [5:0] x, output reg q = 1'b0);
  wire [2:0] y;
  level one(.x(x), .y(y));
  wire z;
  assign z = 4'h8 >> y[1:0];
  always @(posedge clk) if (rst) q <= 1'b0; else if (en) q <= z ^ x[5];
endmodule
"""


def test_one_nand_is_one_gate_equivalent() -> None:
    result = synthesize("module top(input a, input b, output y); assign y = ~(a & b); endmodule", "top")
    assert (result.transistors, result.gate_equivalents, result.flip_flops) == (4, 1.0, 0)
    assert result.cells == {"$_NAND_": 1}


def test_equal_instances_are_multiplied_and_nothing_is_unpriced() -> None:
    result = synthesize(REGISTER, "top")
    stage = result.modules["stage"]
    assert (stage.count, stage.flip_flops, result.flip_flops) == (2, 4, 8)
    assert result.modules["top"].gate_equivalents == 1.0
    assert stage.gate_equivalents is not None
    assert result.gate_equivalents == 2 * stage.gate_equivalents + 1.0
    # A flip-flop with enable and reset is more than a plain one (4 gates): at least a 2:1 multiplexer and an AND.
    assert stage.gate_equivalents > 4 * (4 + 2)


def test_hierarchy_and_flattened_agree_where_nothing_crosses_borders() -> None:
    verilog = emit_verilog(MacRow(), top="row")
    apart, flat = synthesize(verilog, "row"), synthesize(verilog, "row", flatten=True)
    assert flat.flip_flops == apart.flip_flops == 4 * 24
    assert flat.gate_equivalents == pytest.approx(apart.gate_equivalents, rel=0.05)
    assert set(flat.modules) == {"row"}


def test_memories_stay_black_boxes() -> None:
    result = synthesize(MEMORY, "top")
    assert result.memories == (
        MemoryMacro(
            module="top", name="store", count=1, n_words=64, width_bits=12, n_read_ports=1, n_write_ports=1
        ),
    )  # fmt: skip
    assert result.memory_bits == 768
    assert result.flip_flops == 0  # the read register belongs to the memory's port
    assert result.gate_equivalents == 0


def test_emitted_memory_is_found_too() -> None:
    (memory,) = synthesize(emit_verilog(Countdown(), top="countdown"), "countdown").memories
    assert (memory.n_words, memory.n_read_ports, memory.n_write_ports) == (16, 1, 0)


def test_liberty_area_is_the_librarys(tmp_path: Path) -> None:
    liberty = tmp_path / "tiny.lib"
    liberty.write_text(LIBERTY)
    result = synthesize(REGISTER, "top", liberty=liberty)
    areas = {"BUF": 1.5, "INV": 1.0, "NAND2": 2.0, "NOR2": 2.5, "DFF": 8.0}
    assert result.area_um2 == pytest.approx(sum(areas[cell] * n for cell, n in result.cells.items()))
    assert result.cells["DFF"] == result.flip_flops == 8
    assert result.modules["top"].area_um2 == pytest.approx(2.0)


@pytest.mark.parametrize("text", ["library(x) { cell(", "library(x) { }", "not liberty at all", ""])
def test_bad_liberty_is_the_users_error_in_one_line(tmp_path: Path, text: str) -> None:
    liberty = tmp_path / "bad.lib"
    liberty.write_text(text)
    with pytest.raises(InputError, match=r"bad\.lib: wanted a liberty library") as caught:
        synthesize(REGISTER, "top", liberty=liberty)
    assert "\n" not in str(caught.value)


def test_missing_liberty_and_wrong_targets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wanted a readable liberty file"):
        synthesize(REGISTER, "top", liberty=tmp_path / "none.lib")
    with pytest.raises(InputError, match="wanted target gates beside a liberty file"):
        synthesize(REGISTER, "top", liberty=tmp_path / "none.lib", target="ecp5")
    with pytest.raises(InputError, match="wanted one of gates, lut4, lut6, xilinx, ecp5, ice40, got gate"):
        synthesize(REGISTER, "top", target="gate")  # type: ignore[arg-type]


def test_broken_verilog_is_reported() -> None:
    with pytest.raises(SynthesisError, match="syntax error"):
        synthesize("module top(; endmodule", "top")


@pytest.mark.parametrize(("target", "n_dsps"), [("xilinx", 4), ("ecp5", 4), ("ice40", 4)])
def test_multipliers_become_dsps(target: str, n_dsps: int) -> None:
    result = synthesize(emit_verilog(MacRow(), top="row"), "row", target=target)  # type: ignore[arg-type]
    assert result.dsps == n_dsps
    assert result.gate_equivalents is None
    assert result.memories == ()


def test_registers_and_memory_on_an_fpga() -> None:
    registers = synthesize(REGISTER, "top", target="ecp5")
    assert registers.flip_flops == 8
    assert registers.luts == 1
    big = MEMORY.replace("[5:0]", "[9:0]").replace("[0:63]", "[0:1023]")
    assert synthesize(big, "top", target="ecp5").brams == 1


def test_tables_stay_luts_and_logic_is_mapped_around_them() -> None:
    lut6 = synthesize(TABLES, "top", target="lut6")
    # The tables of 6, 2 and 2 inputs, and the exclusive or: the tool may fold small ones into one another.
    assert lut6.luts_by_inputs is not None
    assert lut6.luts_by_inputs[6] == 1
    assert 2 <= (lut6.luts or 0) <= 4
    assert (lut6.flip_flops, lut6.dsps, lut6.brams, lut6.wide_muxes) == (1, 0, 0, 0)
    assert set(lut6.modules) == {"top"}
    lut4 = synthesize(TABLES, "top", target="lut4")
    assert lut4.luts_by_inputs is not None
    assert max(lut4.luts_by_inputs) <= 4 < (lut4.luts or 0)


@pytest.mark.parametrize(("target", "most"), [("xilinx", 4), ("ecp5", 9), ("ice40", 12)])
def test_tables_on_an_fpga(target: str, most: int) -> None:
    found = synthesize(TABLES, "top", target=target)  # type: ignore[arg-type]
    assert 1 <= (found.luts or 0) <= most
    assert found.flip_flops == 1


@pytest.mark.parametrize("target", ["xilinx", "ecp5", "ice40"])
def test_tables_mean_the_same_after_synthesis(tmp_path: Path, target: str) -> None:
    register = TABLES[TABLES.index("  always") : TABLES.rindex("endmodule")]
    combinational = TABLES.replace("output reg q = 1'b0", "output q").replace(register, "  assign q = z ^ x[5];\n")
    synthesize_in(tmp_path, combinational, "top", target=target)  # type: ignore[arg-type]
    run_yosys("read_rtlil synthesized.il\nselect -module top\nwrite_verilog -noattr -selected cells.v\n", tmp_path)
    cells = load_verilog(tmp_path / "cells.v")
    x = np.arange(64)[:, None] >> np.arange(6) & 1
    columns = [cells.input_names.index(f"x[{bit}]") for bit in range(6)]
    inputs = np.zeros((64, cells.n_inputs), dtype=np.uint8)
    inputs[:, columns] = x
    reversed_index = x @ (32 >> np.arange(6))
    both = (0x73F33171F1F33071 >> reversed_index.astype(object) & 1) * (x[:, 0] ^ x[:, 1])  # z = 4'h8 >> y[1:0]
    assert run_netlist(cells, inputs)[:, 0].tolist() == (both.astype(int) ^ x[:, 5]).tolist()
