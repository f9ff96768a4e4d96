"""LUT machines through yosys: the counts that are predicted are those it finds."""

from __future__ import annotations

import numpy as np
import pytest

from designs.families.lut import Design
from explore.families.lut.clock import error, fit, most_levels, period_ns
from explore.families.lut.synthesis import predicted_of, stall_luts
from hw.families.lut import LutMachine
from hw.synthesis import synthesize
from hw.verilog import emit_verilog
from workloads.mapping.lut import Circuit, circuit_of
from workloads.netlist_builder import NetlistBuilder
from workloads.random_netlists import random_netlist


def chain(design: Design) -> Circuit:
    """Three levels: (a ^ b), then ^ c & d, then a majority with a and b: no two of them fit one LUT of four inputs."""
    b = NetlistBuilder(["a", "b", "c", "d", "e", "f"])
    first = b.lut((0, 1, 2, 3), [0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 0], "logic")
    second = b.lut((first, 3, 4, 5), [1, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1], "logic")
    third = b.lut((second, 0, 1, first), [0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1], "logic")
    return circuit_of(design, b.finish([("y", third)]))


def test_prediction_by_hand() -> None:
    design = Design(lut_inputs=4, levels_per_stage=1, copies=2)
    circuit = chain(design)
    # Banks: 6 inputs; first, a, b, d, e, f; second, first, a, b; third. Each with a flag and two LUTs of handshake.
    assert stall_luts(circuit) == 8
    assert predicted_of(design, circuit, "lut4") == {"luts": 2 * (3 + 8), "flip_flops": 2 * (6 + 6 + 4 + 1 + 4)}
    assert predicted_of(design, circuit, "gates") == {"flip_flops": 42}


def test_levels_between_banks() -> None:
    assert [most_levels(chain(Design(lut_inputs=4, levels_per_stage=m))) for m in (0, 1, 2, 3)] == [3, 1, 2, 3]


def test_lines_through_points_on_two_lines() -> None:
    lines = (1.5, 0.5, 2.0, 0.25)
    shapes = ((20, 1), (10, 2), (5, 4), (2, 10), (1, 20))  # levels, stages: 11.5, 6.5, 4.0 | 4.5, 7.0 ns
    assert [period_ns(lines, *shape) for shape in shapes] == [11.5, 6.5, 4.0, 4.5, 7.0]
    found = {
        f"fit_{levels}": {
            "fabric": "f",
            "levels": levels,
            "n_stages": n,
            "fmax_mhz": [1000 / period_ns(lines, levels, n)],
        }
        for levels, n in shapes
    }
    other = {"held_out": {"fabric": "f", "levels": 1, "n_stages": 1, "fmax_mhz": [1.0]}}
    assert fit(found | other, "f") == pytest.approx(lines)
    assert error(found["fit_5"], lines) == pytest.approx(0)
    assert error({"levels": 1, "n_stages": 1, "fmax_mhz": [222.2222]}, lines) == pytest.approx(1.0)  # they say 444.4


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("lut_inputs", "levels_per_stage", "copies", "seed"), [(4, 2, 2, 1), (6, 1, 1, 8), (6, 0, 2, 3)]
)
def test_synthesis_finds_what_is_predicted(lut_inputs: int, levels_per_stage: int, copies: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    netlist = random_netlist(rng, 20, 120, 8, n_outputs=12)
    design = Design(lut_inputs=lut_inputs, levels_per_stage=levels_per_stage, copies=copies)
    circuit = circuit_of(design, netlist)
    found = synthesize(emit_verilog(LutMachine(design, circuit), top="lut"), "lut", target=f"lut{lut_inputs}")  # type: ignore[arg-type]
    predicted = predicted_of(design, circuit, f"lut{lut_inputs}")
    assert found.flip_flops == predicted["flip_flops"]
    assert found.luts == pytest.approx(predicted["luts"], rel=0.02)
