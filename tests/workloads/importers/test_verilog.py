"""Verilog through yosys: functions come out exactly, tables as they stand, faults as one line each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from workloads.importers.verilog import import_verilog, load_verilog
from workloads.netlist import Netlist, run_netlist
from workloads.netlist_builder import check

pytestmark = pytest.mark.rtl  # each case runs yosys, half a second to two

EXAMPLES = Path(__file__).parents[3] / "workloads" / "classifiers" / "examples"


def vectors(n_inputs: int) -> np.ndarray:
    return (np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs) & 1).astype(np.uint8)


def read(tmp_path: Path, text: str, top: str | None = None) -> Netlist:
    path = tmp_path / "c.v"
    path.write_text(text)
    netlist = load_verilog(path, top)
    check(netlist)
    return netlist


def numbers(netlist: Netlist) -> list[int]:
    """The outputs as one number, for all inputs."""
    outputs = run_netlist(netlist, vectors(netlist.n_inputs)).astype(np.int64)
    return (outputs @ (1 << np.arange(netlist.n_outputs))).tolist()


def test_a_pipeline_of_ours() -> None:
    imported = import_verilog(EXAMPLES / "more_ones.v")
    assert (imported.model, imported.n_register_stages, imported.dropped_inputs) == ("more_ones", 2, ("clk", "rst"))
    assert imported.netlist.input_names == tuple(f"{word}[{bit}]" for word in "ab" for bit in range(8))
    samples = vectors(16)
    more = samples[:, :8].sum(axis=1) > samples[:, 8:].sum(axis=1)
    assert np.array_equal(run_netlist(imported.netlist, samples)[:, 0], more.astype(np.uint8))


def test_arithmetic_and_ports_declared_upwards(tmp_path: Path) -> None:
    netlist = read(tmp_path, "module m(input [0:2] a, input [5:3] b, output [5:0] y); assign y = a * b + 1; endmodule")
    assert netlist.input_names == ("a[2]", "a[1]", "a[0]", "b[3]", "b[4]", "b[5]")
    assert numbers(netlist) == [(v & 7) * (v >> 3) + 1 for v in range(64)]


def test_luts_of_fpgas_are_tables_as_they_stand(tmp_path: Path) -> None:
    init = 0x9CA3_51F7_0B2E_4D68
    text = f"""module m(input [5:0] i, output [9:0] o);
      LUT1 #(.INIT(2'h1)) l1 (.O(o[0]), .I0(i[0]));
      LUT2 #(.INIT(4'h8)) l2 (.O(o[1]), .I0(i[0]), .I1(i[1]));
      LUT3 #(.INIT(8'h4d)) l3 (.O(o[2]), .I0(i[0]), .I1(i[1]), .I2(i[2]));
      LUT4 #(.INIT(16'h4d68)) l4 (.O(o[3]), .I0(i[0]), .I1(i[1]), .I2(i[2]), .I3(i[3]));
      LUT5 #(.INIT(32'h0b2e4d68)) l5 (.O(o[4]), .I0(i[0]), .I1(i[1]), .I2(i[2]), .I3(i[3]), .I4(i[4]));
      LUT6 #(.INIT(64'h{init:x})) l6 (.O(o[5]), .I0(i[0]), .I1(i[1]), .I2(i[2]), .I3(i[3]), .I4(i[4]), .I5(i[5]));
      LUT6_2 #(.INIT(64'h{init:x})) l62 (.O5(o[6]), .O6(o[7]), .I0(i[5]), .I1(i[4]), .I2(i[3]), .I3(i[2]), .I4(i[1]), .I5(i[0]));
      SB_LUT4 #(.LUT_INIT(16'h1ee7)) sb (.O(o[8]), .I0(i[0]), .I1(i[1]), .I2(i[2]), .I3(i[3]));
      LUT4 #(.INIT(16'h1ee7)) ecp5 (.Z(o[9]), .A(i[5]), .B(i[4]), .C(i[3]), .D(i[2]));
    endmodule"""
    netlist = read(tmp_path, text)

    def at(table: int, *bits: int) -> int:
        return table >> sum(bit << place for place, bit in enumerate(bits)) & 1

    for row, found in zip(vectors(6).tolist(), run_netlist(netlist, vectors(6)).tolist(), strict=True):
        flipped = row[::-1]
        assert found == [
            1 - row[0], row[0] & row[1], at(0x4D, *row[:3]), at(0x4D68, *row[:4]), at(0x0B2E4D68, *row[:5]), at(init, *row),
            at(init & 0xFFFFFFFF, *flipped[:5]), at(init, *flipped), at(0x1EE7, *row[:4]), at(0x1EE7, *flipped[:4]),
        ]  # fmt: skip
    assert max(len(netlist.inputs_of(lut)) for lut in range(netlist.n_luts)) == 6


def test_a_case_that_lists_a_table_is_that_table(tmp_path: Path) -> None:
    words = np.random.default_rng(1).integers(0, 4, 256)
    rows = "\n".join(f"8'd{index}: y = 2'd{word};" for index, word in enumerate(words))
    netlist = read(
        tmp_path, f"module m(input [7:0] a, output reg [1:0] y); always @* case (a)\n{rows}\nendcase endmodule"
    )
    assert numbers(netlist) == words.tolist()
    assert netlist.n_luts == 2


def test_layers_of_case_tables_with_registers_between(tmp_path: Path) -> None:
    """The form of LogicNets: modules that look up, registers with reset between them."""
    first, second = ([int(v) for v in np.random.default_rng(seed).integers(0, 4, 64)] for seed in (2, 3))
    neurons = "".join(
        f"module n{layer}(input [5:0] M0, output [1:0] M1); reg [1:0] M1r; assign M1 = M1r; always @(M0) begin case (M0) "
        + " ".join(f"6'd{index}: M1r = 2'd{word};" for index, word in enumerate(words))
        + " endcase end endmodule\n"
        for layer, words in enumerate((first, second))
    )
    text = (
        neurons
        + """
    module myreg #(parameter DataWidth=16) (input [DataWidth-1:0] data_in, input clk, input rst, output reg [DataWidth-1:0] data_out);
      always @(posedge clk) begin if (!rst) data_out <= data_in; else data_out <= 0; end
    endmodule
    module top(input [5:0] M0, input clk, input rst, output [1:0] M2);
      wire [5:0] a; wire [1:0] b, c, d;
      myreg #(.DataWidth(6)) r0(.data_in(M0), .clk(clk), .rst(rst), .data_out(a));
      n0 n0(.M0(a), .M1(b));
      myreg #(.DataWidth(2)) r1(.data_in(b), .clk(clk), .rst(rst), .data_out(c));
      n1 n1(.M0({c, c, c}), .M1(d));
      myreg #(.DataWidth(2)) r2(.data_in(d), .clk(clk), .rst(rst), .data_out(M2));
    endmodule"""
    )
    path = tmp_path / "top.v"
    path.write_text(text)
    imported = import_verilog(path)
    assert (imported.n_register_stages, imported.dropped_inputs) == (3, ("clk", "rst"))
    assert numbers(imported.netlist) == [second[first[v] * 21] for v in range(64)]


def test_data_that_forces_a_register_stays_data(tmp_path: Path) -> None:
    text = "module m(input clk, input sel, input [1:0] a, output reg [1:0] y); always @(posedge clk) y <= sel ? 2'd3 : a; endmodule"
    netlist = read(tmp_path, text)
    assert netlist.input_names == ("sel", "a[0]", "a[1]")
    assert numbers(netlist) == [3 if v & 1 else v >> 1 for v in range(8)]


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("input rst_n", "always @(posedge clk or negedge rst_n) if (!rst_n) y <= 0; else y <= a;"),
        ("input ce", "always @(negedge clk) if (ce) y <= a;"),
        ("input reset, input en", "always @(posedge clk) if (reset) y <= 1; else if (en) y <= a;"),
    ],
)
def test_resets_and_enables_are_left_out(tmp_path: Path, header: str, body: str) -> None:
    netlist = read(tmp_path, f"module m(input clk, {header}, input a, output reg y); {body} endmodule")
    assert netlist.input_names == ("a",)
    assert numbers(netlist) == [0, 1]


def test_vendor_registers_and_carries(tmp_path: Path) -> None:
    text = """module m(input clk, input [3:0] a, b, output [3:0] s, output c);
      wire [3:0] co, o;
      CARRY4 carry(.CO(co), .O(o), .CI(1'b0), .CYINIT(1'b0), .DI(a), .S(a ^ b));
      FDRE f [3:0] (.C(clk), .CE(1'b1), .R(1'b0), .D(o), .Q(s));
      FDRE g (.C(clk), .CE(1'b1), .R(1'b0), .D(co[3]), .Q(c));
    endmodule"""
    assert numbers(read(tmp_path, text)) == [(v & 15) + (v >> 4) for v in range(256)]


def test_a_folder_with_several_files_an_include_and_a_rom(tmp_path: Path) -> None:
    (tmp_path / "width.vh").write_text("localparam WIDTH = 2;\n")
    (tmp_path / "top.v").write_text("module top(input [3:0] a, output [1:0] y); look l(.a(a), .y(y)); endmodule")
    (tmp_path / "look.v").write_text(
        'module look(input [3:0] a, output [1:0] y);\n`include "width.vh"\nreg [WIDTH-1:0] rom [0:15]; initial $readmemh("rom.hex", rom); assign y = rom[a]; endmodule'
    )
    words = [int(v) for v in np.random.default_rng(5).integers(0, 4, 16)]
    (tmp_path / "rom.hex").write_text("\n".join(f"{word:x}" for word in words))
    assert numbers(load_verilog(tmp_path)) == words


def test_the_top_can_be_named(tmp_path: Path) -> None:
    text = (
        "module one(input a, output y); assign y = ~a; endmodule module two(input a, output y); one u(a, y); endmodule"
    )
    assert numbers(read(tmp_path, text)) == [1, 0]
    assert import_verilog(tmp_path / "c.v", "one").model == "one"
    with pytest.raises(InputError, match=r"c\.v: wanted Verilog that yosys synthesizes, got: Module .three. not found"):
        load_verilog(tmp_path / "c.v", "three")
    with pytest.raises(InputError, match="wanted the name of a module as top, got 'two; shell x'"):
        load_verilog(tmp_path / "c.v", "two; shell x")


def test_names_of_wires_that_look_like_bits_of_buses(tmp_path: Path) -> None:
    text = "module m(input [1:0] a, output y); wire \\t[0] ; wire [1:0] t; assign t = ~a; assign \\t[0] = a[0] & a[1]; assign y = \\t[0] ^ t[0]; endmodule"
    assert numbers(read(tmp_path, text)) == [1, 0, 1, 1]


BROKEN = {
    "syntax": ("module m(input a, output y);\nassign y = ;\nendmodule", "c.v:2: wanted Verilog that yosys synthesizes, got: syntax error, unexpected ';'; mend it"),
    "loop": ("module m(input a, b, output y);\nwire t, u;\nassign t = a & u;\nassign u = t | b;\nassign y = u;\nendmodule", "wanted a circuit without combinational loops, got one through "),
    "double": ("module m(input a, b, output y);\nwire t = a;\nassign t = b; assign y = t;\nendmodule", "wanted one driver, got module input "),
    "undriven": ("module m(input a, output y);\nwire u; assign y = u & a;\nendmodule", "c.v: u: wanted a driver, got none; drive it or make it an input"),
    "latch": ("module m(input a, en, output reg y);\nalways @*\n  if (en) y = a;\nendmodule", "c.v:2: wanted gates and registers, got a latch; give every branch a value"),
    "memory": ("module m(input clk, we, input [3:0] a, d, output [3:0] y);\nreg [3:0] r [0:15];\nalways @(posedge clk) if (we) r[a] <= d;\nassign y = r[a];\nendmodule", "wanted gates and registers, got a memory; only ROMs are read"),
    "tristate": ("module m(input a, en, output y);\nassign y = en ? a : 1'bz;\nendmodule", "got a tristate driver; use a multiplexer"),
    "black_box": ("module m(input a, output y);\nmagic u(.a(a), .y(y));\nendmodule", "c.v: wanted Verilog that yosys synthesizes, got: Module `\\magic' referenced in module `\\m' in cell `\\u' is not part of the design; name the folder that holds all modules; black boxes have no function"),
    "include": ('`include "other.v"\nmodule m(input a, output y); assign y = a; endmodule', "name the folder that holds all files; no others are opened"),
    "include_of_the_system": ('`include "/etc/hostname"\nmodule m(input a, output y); assign y = a; endmodule', "name the folder that holds all files; no others are opened"),
    "inout": ("module m(inout a, output y); assign y = a; endmodule", "c.v: a: wanted inputs and outputs, got an inout; make it one of them"),
    "feedback": ("module m(input clk, output reg q);\nalways @(posedge clk)\n  q <= ~q;\nendmodule", "c.v:2: wanted registers without feedback, got "),
    "unbalanced": ("module m(input clk, a, b, output y);\nreg q;\nalways @(posedge clk) q <= a;\nassign y = q & b;\nendmodule", "c.v: y: wanted as many registers on every way from the inputs, got 0 by b and 1 by q; balance the pipeline"),
    "held": ("module m(input clk, pick, a, output reg q);\nalways @(posedge clk)\n  if (pick) q <= a;\nendmodule", "c.v:2: q: wanted a register that loads every cycle, got one that pick holds; remove it, or call the input enable if it is one"),
    "empty": ("", "c.v: wanted a module that no other one instantiates, got none; name the file as its top, or name the top"),
    "two_tops": ("module p(input a, output y); assign y = a; endmodule\nmodule q(input a, output y); assign y = a; endmodule", "c.v: wanted a module that no other one instantiates, got p, q; name the file as its top, or name the top"),
    "ring": ("module p(input a, output y); q u(a, y); endmodule\nmodule q(input a, output y); p u(a, y); endmodule", "c.v: wanted a module that no other one instantiates, got a ring; name the file as its top, or name the top"),
    "no_outputs": ("module m(input a); endmodule", "c.v: wanted a circuit with outputs, got m without; name some"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    text, wanted = BROKEN[case]
    (tmp_path / "c.v").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        load_verilog("c.v")
    message = str(refused.value)
    assert wanted in message
    assert message.startswith("c.v") and "\n" not in message and "confined" not in message


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "b.v").write_bytes(bytes(range(256)))
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "a;b.v").write_text("")
    (tmp_path / "empty").mkdir()
    for name, reason in (
        ("no.v", "wanted a Verilog file or a folder of them, got: No such file"),
        ("b.v", "wanted Verilog text, got bytes that are no text"),
        ("a.txt", "got the ending '.txt'"),
        ("empty", "got none in this folder"),
        ("a;b.v", "wanted a file name of letters"),
    ):
        with pytest.raises(InputError, match=reason):
            load_verilog(tmp_path / name)
