"""Verilog and BLIF as gates: gates stay what they are, anything else becomes few of them, and means the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from designs.yosys import run_yosys
from workloads.circuits.circuit import ANDYN, MUX, NAND, NOR, XOR, Circuit
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import shape_of
from workloads.importers.blif import write_blif
from workloads.importers.gate_blif import import_gate_blif
from workloads.importers.gate_verilog import import_gate_verilog
from workloads.netlist import run_netlist
from workloads.random_netlists import random_netlist

# As yosys writes netlists (`abc -g simple; write_verilog -noexpr`), and one primitive.
STRUCTURAL = r"""
module s(a, b, y, z);
  input [3:0] a; input [3:0] b; output y; output [1:0] z;
  wire _0_, _1_, _2_;
  \$_NAND_ _10_ (.A(a[0]), .B(b[0]), .Y(_0_));
  \$_XOR_ _11_ (.A(a[1]), .B(_0_), .Y(_1_));
  \$_NOT_ _12_ (.A(_1_), .Y(_2_));
  \$_MUX_ _13_ (.A(a[2]), .B(b[2]), .S(_2_), .Y(y));
  \$_ANDNOT_ _14_ (.A(a[3]), .B(b[3]), .Y(z[0]));
  nor (z[1], b[1], a[3]);
endmodule
"""
BEHAVIOURAL = "module m(input [4:0] a, b, input s, output [5:0] y); assign y = s ? a + b : a * 3'd5 - b; endmodule\n"


def read(tmp_path: Path, text: str) -> Circuit:
    path = tmp_path / "c.v"
    path.write_text(text)
    return import_gate_verilog(path)


def number(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[1]))


def test_gates_stay_as_they_stand(tmp_path: Path) -> None:
    circuit = read(tmp_path, STRUCTURAL)
    assert circuit.name == "c"
    assert [(port.name, port.bits) for port in circuit.inputs] == [("a", 4), ("b", 4)]
    assert [(port.name, port.bits) for port in circuit.output_ports] == [("y", 1), ("z", 2)]
    assert sorted(circuit.ops.tolist()) == sorted([NAND, XOR, MUX, ANDYN, NOR])  # the NOT is in the MUX's order
    shape = shape_of(circuit)
    assert (shape.n_bootstraps, shape.depth, shape.n_nots) == (6, 3, 0)
    inputs = np.random.default_rng(0).integers(0, 2, (300, 8))
    a, b = inputs[:, :4].T, inputs[:, 4:].T
    select = 1 - (a[1] ^ (1 - (a[0] & b[0])))
    wanted = [np.where(select == 1, b[2], a[2]), a[3] & (1 - b[3]), 1 - (b[1] | a[3])]
    assert np.array_equal(run_circuit(circuit, inputs), np.stack(wanted, axis=1))


def test_words_become_gates_of_the_same_meaning(tmp_path: Path) -> None:
    circuit = read(tmp_path, BEHAVIOURAL)
    inputs = np.random.default_rng(1).integers(0, 2, (500, 11))
    a, b, s = number(inputs[:, :5]), number(inputs[:, 5:10]), inputs[:, 10]
    wanted = np.where(s == 1, a + b, a * 5 - b) % 64
    assert np.array_equal(number(run_circuit(circuit, inputs)), wanted)
    assert shape_of(circuit).n_bootstraps < 110  # 110 without abc; a multiplexer a bit and two adders at least


def test_faults_are_those_of_the_other_importer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"c\.v:1: wanted Verilog that yosys synthesizes") as error:
        read(tmp_path, "module m(input a, output y; assign y = a; endmodule\n")
    assert "\n" not in str(error.value)


def test_blif_as_gates(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    netlist = random_netlist(rng, 8, 20, 5)
    write_blif(netlist, tmp_path / "n.blif", "n")
    circuit = import_gate_blif(tmp_path / "n.blif")
    inputs = rng.integers(0, 2, (200, 8)).astype(np.uint8)
    assert circuit.name == "n" and np.array_equal(run_circuit(circuit, inputs), run_netlist(netlist, inputs))


def test_a_netlist_that_yosys_wrote_keeps_its_count(tmp_path: Path) -> None:
    (tmp_path / "in.v").write_text("module m(input [7:0] a, b, output [7:0] y); assign y = a + b; endmodule\n")
    recipe = "synth -top m; abc -g simple,-MUX; splitnets; opt_clean; write_verilog -noexpr m.v"
    run_yosys(f"read_verilog in.v; {recipe}".replace("; ", "\n"), tmp_path)
    cells = re.findall(r"\\\$_(\w+)_ ", (tmp_path / "m.v").read_text())
    circuit = import_gate_verilog(tmp_path / "m.v")
    n_gates = sum(cell != "NOT" for cell in cells)
    assert n_gates > 30 and circuit.n_bootstraps == n_gates
    inputs = np.random.default_rng(0).integers(0, 2, (300, 16))
    wanted = (number(inputs[:, :8]) + number(inputs[:, 8:])) % 256
    assert np.array_equal(number(run_circuit(circuit, inputs)), wanted)


def test_flip_flops_of_yosys_are_registers_of_a_pipeline(tmp_path: Path) -> None:
    ports = "module m(input c, a, b, output y); wire d; "
    text = ports + r"\$_XOR_ g(.A(a), .B(b), .Y(d)); \$_DFF_P_ q(.C(c), .D(d), .Q(y)); endmodule"
    circuit = read(tmp_path, text + "\n")
    assert [port.name for port in circuit.inputs] == ["a", "b"] and circuit.ops.tolist() == [XOR]
    with pytest.raises(InputError, match=r"c\.v:1: .*wanted registers without feedback"):
        read(tmp_path, text.replace(".B(b)", ".B(y)") + "\n")
