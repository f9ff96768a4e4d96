"""Synthesis of circuits whose size is known without a tool."""

from __future__ import annotations

from pathlib import Path

import pytest

from designs.errors import InputError
from hw.synthesis import MemoryMacro, SynthesisError, synthesize
from hw.verilog import emit_verilog
from tests.hw.circuits import Countdown, MacRow

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
    with pytest.raises(InputError, match="wanted one of gates, xilinx, ecp5, ice40, got gate"):
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
