"""Nets assigned slice by slice are joined; names with brackets of their own, and nets that are not whole, stay."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hw.bench.joined import joined

DESIGN = r"""module top(a, b, y, z);
  input [7:0] a, b;
  output [15:0] y;
  output [3:0] z;
  wire [15:0] y;
  wire [3:0] z;
  wire \bit[1] ;
  wire [1:0] \two.parts ;
  assign \bit[1]  = a[1];
  assign \two.parts [1] = \bit[1] ;
  assign \two.parts [0] = b[0];
  assign y[7:0] = a + b;
  assign { y[15:12], y[11:8] } = a ^ b;
  assign z[0] = \two.parts [1];
  assign z[2] = \two.parts [0];
endmodule
"""


def test_slices_become_nets_of_their_own() -> None:
    text = joined(DESIGN)
    assert "assign \\bit[1]  = a[1];" in text
    assert "assign z[0] = \\two.parts [1];" in text and "assign z[2] =" in text  # bits 1 and 3 have no driver
    assert "assign y = { joined_1_12, joined_1_8, joined_1_0 };" in text
    assert "assign { joined_1_12, joined_1_8 } = a ^ b;" in text and "wire [7:0] joined_1_0;" in text
    assert "assign \\two.parts  = { joined_0_1, joined_0_0 };" in text
    assert joined(text) == text


@pytest.mark.rtl
@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")
def test_the_circuit_is_the_same(tmp_path: Path) -> None:
    bench = """module bench; reg [7:0] a, b; wire [15:0] y; wire [3:0] z; integer i; top dut(a, b, y, z);
initial for (i = 0; i < 200; i = i + 1) begin a = i * 37; b = i * 90 + 5; #1 $display("%b %b", y, z); end endmodule\n"""
    told = []
    for number, text in enumerate((DESIGN, joined(DESIGN))):
        source, program = tmp_path / f"{number}.v", tmp_path / f"{number}.vvp"
        source.write_text(text + bench)
        subprocess.run(["iverilog", "-g2012", "-s", "bench", "-o", str(program), str(source)], check=True)
        told.append(subprocess.run(["vvp", str(program)], check=True, text=True, capture_output=True).stdout)
    assert told[0] == told[1] and len(set(told[0].splitlines())) > 100
