"""The LUT machine's RTL: what its docstrings promise, odd circuits, same text, clean lint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from designs.families.lut import Design
from hw.bench.lut import SamplesRun, Stimulus, lut_verilog, run_samples
from hw.parts.lut_level import look_up
from hw.verilog import lint
from workloads.mapping.lut import circuit_of
from workloads.netlist import CONSTANT_0, CONSTANT_1, Netlist, run_netlist
from workloads.netlist_builder import NetlistBuilder


def chain(n_luts: int) -> Netlist:
    """A parity: each LUT adds one input, so that it is n_luts levels deep; 3 inputs a LUT at most."""
    builder = NetlistBuilder([f"x{index}" for index in range(2 * n_luts + 1)])
    signal = 0
    for lut in range(n_luts):
        signal = builder.lut((signal, 2 * lut + 1, 2 * lut + 2), [0, 1, 1, 0, 1, 0, 0, 1], "logic")
    return builder.finish([("parity", signal)])


def odd() -> Netlist:
    """Outputs that are constants, an input, one LUT twice; an input that nobody reads."""
    builder = NetlistBuilder(["a", "b", "c"])
    both = builder.lut((0, 2), [0, 0, 0, 1], "tree")
    return builder.finish([("zero", CONSTANT_0), ("and", both), ("c", 2), ("again", both), ("one", CONSTANT_1)])


def constants() -> Netlist:
    return NetlistBuilder(["a"]).finish([("one", CONSTANT_1), ("zero", CONSTANT_0)])


def test_expression_of_a_table() -> None:
    """As INIT of an FPGA's LUT: the first signal is the least significant bit of the index."""
    assert look_up(0b0100, ["a", "b"]) == "4'h4 >> {b, a}"
    assert look_up(0b01, ["a"]) == "2'h1 >> {a}"
    assert look_up(1 << 63, list("abcdef")) == "64'h8000000000000000 >> {f, e, d, c, b, a}"


def test_same_text_and_clean_lint() -> None:
    design = Design(levels_per_stage=1, copies=2)
    for netlist in (chain(3), odd(), constants()):
        text = lut_verilog(design, circuit_of(design, netlist))
        assert text == lut_verilog(design, circuit_of(design, netlist))
        assert lint(text, top="lut_machine") == []


def test_thousands_of_outputs_are_read_by_every_tool() -> None:
    """Verilator stops at 40,000 tokens in a line; a bit of a vector is five."""
    netlist = NetlistBuilder(["a"]).finish([(f"y{index}", 0) for index in range(9000)])
    assert lint(lut_verilog(Design(), circuit_of(Design(), netlist)), top="lut_machine") == []


def test_equal_copies_share_their_modules() -> None:
    design = Design(lut_inputs=3, levels_per_stage=1)
    one, three = (
        lut_verilog(d, circuit_of(d, chain(3))) for d in (design, Design(lut_inputs=3, levels_per_stage=1, copies=3))
    )
    assert one.count("\nmodule ") == three.count("\nmodule ")


def test_a_circuit_without_inputs_is_refused() -> None:
    netlist = NetlistBuilder([]).finish([("one", CONSTANT_1)])
    with pytest.raises(InputError, match="circuit: wanted at least one input and one output, got 0 inputs and 1"):
        lut_verilog(Design(), circuit_of(Design(), netlist))


def _run(design: Design, netlist: Netlist, stimulus: Stimulus, folder: Path) -> SamplesRun:
    return run_samples(design, circuit_of(design, netlist), [stimulus], work_dir=folder)[0]


def _samples(netlist: Netlist, n_samples: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (n_samples, netlist.n_inputs)).astype(np.uint8)


@pytest.mark.rtl
@pytest.mark.parametrize(("per_stage", "latency_cycles"), [(0, 2), (1, 5), (2, 3), (3, 3), (4, 2)])
def test_latency_and_initiation_interval(per_stage: int, latency_cycles: int, tmp_path: Path) -> None:
    """Four levels of LUTs: banks 0 to n_stages, one more cycle than there are stages; a sample a cycle."""
    netlist, design = chain(4), Design(lut_inputs=3, levels_per_stage=per_stage)
    samples = _samples(netlist, 6)
    run = _run(design, netlist, Stimulus(samples=samples), tmp_path)
    assert run.accept_cycles.tolist() == [0, 1, 2, 3, 4, 5]
    assert run.answer_cycles.tolist() == [cycle + latency_cycles for cycle in range(6)]
    assert run.cycles == 6 + latency_cycles
    assert run.outputs.tolist() == (samples.sum(axis=1, keepdims=True) % 2).tolist()


@pytest.mark.rtl
def test_backpressure(tmp_path: Path) -> None:
    """Readers that are ready in cycle 9 of 10 only: three banks fill and the fourth sample waits for the first answer."""
    netlist, design = chain(2), Design(lut_inputs=3, levels_per_stage=1)
    ready = np.array([0] * 9 + [1])
    run = _run(design, netlist, Stimulus(samples=_samples(netlist, 5), ready=ready), tmp_path)
    assert run.accept_cycles.tolist() == [0, 1, 2, 9, 19]
    assert run.answer_cycles.tolist() == [9, 19, 29, 39, 49]


@pytest.mark.rtl
def test_activity_by_hand(tmp_path: Path) -> None:
    """a & c of two samples 11, 01: bank 0 holds a and c, the LUT goes 0 1 0, the last bank holds it and c."""
    samples = np.array([[1, 1, 1], [0, 0, 1]])
    run = _run(Design(), odd(), Stimulus(samples=samples), tmp_path)
    assert run.outputs.tolist() == run_netlist(odd(), samples).tolist() == [[0, 1, 1, 1, 1], [0, 0, 1, 0, 1]]
    assert run.activity["lut_toggles"] == run.activity["lut_toggles_tree"] == 2
    assert run.activity["register_toggles"] == 3 + 3  # bank 0: a up, down, c up; bank 1: the same
    assert run.activity["register_loads"] == 2 * (2 + 2)
    assert run.activity["inferences"] == 2


@pytest.mark.rtl
def test_constants_only(tmp_path: Path) -> None:
    run = _run(Design(copies=2), constants(), Stimulus(samples=np.ones((3, 1), int)), tmp_path)
    assert run.outputs.tolist() == [[1, 0]] * 3
    assert run.accept_cycles.tolist() == [0, 0, 1] and run.answer_cycles.tolist() == [2, 2, 3]
    assert run.activity["register_loads"] == run.activity["lut_toggles"] == 0
