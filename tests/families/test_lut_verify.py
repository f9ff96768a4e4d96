"""LUT machines: RTL == netlist == simulator, and faults that are put into the RTL are reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designs.families.lut import Design
from explore.families.lut import verify_network
from explore.families.lut.cases import Traffic, differences, random_classifier, random_stalls, verify_point
from hw.bench.lut import Stimulus, lut_verilog, run_samples
from lockstep import show
from workloads.classifiers.classifier import Classifier
from workloads.load import load_workload
from workloads.mapping.lut import circuit_of
from workloads.netlist import signals_of

pytestmark = pytest.mark.rtl

EXAMPLES = Path(__file__).parent.parent.parent / "workloads" / "classifiers" / "examples"
FREE = Traffic(name="back to back", gaps=None, ready=None)


@pytest.mark.parametrize(
    "design",
    [Design(lut_inputs=3, levels_per_stage=1, copies=2), Design(levels_per_stage=0), Design(lut_inputs=4, copies=3)],
)
def test_random_circuits_are_equal(design: Design) -> None:
    results = verify_point(design, point={}, index=3, seed=5, simulator=None, waves_dir=None, n_vectors=40)
    assert len(results) == 4
    assert [result.differences for result in results] == [()] * 4
    assert all(result.rtl_cycles == result.simulated_cycles > 0 for result in results)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return random_classifier(np.random.default_rng(11), 60)


def _differing(design: Design, classifier: Classifier, verilog: str, traffic: Traffic, folder: Path) -> set[str]:
    circuit = circuit_of(design, classifier.netlist)
    stimulus = Stimulus(samples=classifier.samples, gaps=traffic.gaps, ready=traffic.ready)
    (run,) = run_samples(design, circuit, [stimulus], work_dir=folder, verilog=verilog)
    return {one.what for one in differences(design, classifier, traffic, run)}


def test_a_wrong_table_bit_is_seen(classifier: Classifier, tmp_path: Path) -> None:
    design = Design(levels_per_stage=2)
    circuit = circuit_of(design, classifier.netlist)
    lut = int(circuit.netlist.outputs.max()) - circuit.netlist.n_inputs
    read = signals_of(circuit.netlist, classifier.samples[:1])[0, circuit.netlist.inputs_of(lut)]
    tables = circuit.netlist.tables.copy()
    tables[circuit.netlist.table_start[lut] + int(read @ (1 << np.arange(len(read))))] ^= 1  # what sample 0 looks up
    wrong = replace(circuit, netlist=replace(circuit.netlist, tables=tables))
    assert {"outputs"} <= _differing(design, classifier, lut_verilog(design, wrong), FREE, tmp_path)


def test_a_wrong_register_is_seen(classifier: Classifier, tmp_path: Path) -> None:
    design = Design(levels_per_stage=2)
    good = lut_verilog(design, circuit_of(design, classifier.netlist))
    stalls = random_stalls(np.random.default_rng(3), len(classifier.samples))
    assert _differing(design, classifier, good, stalls, tmp_path / "good") == set()
    # Bank 1 takes over data in each cycle, whether it has room or not: a sample that waits there is overwritten.
    bank = good.index("module \\lut_machine.copy_0.bank_1 ")
    enabled = good.index("load ? data_before : data", bank)
    wrong = good[:enabled] + good[enabled:].replace("load ? data_before : data", "data_before", 1)
    assert {"outputs", "register_toggles"} <= _differing(design, classifier, wrong, stalls, tmp_path / "wrong")


@pytest.mark.parametrize("file", ["majority.blif", "more_ones.v"])
def test_an_imported_circuit_runs_on_the_rtl(file: str) -> None:
    """Its outputs are bits, not classes: they are compared, back to back and with stalls, and no labels are told."""
    found = verify_network(Design(levels_per_stage=1, copies=2), load_workload(str(EXAMPLES / file)), 50)
    assert found.differences == () and found.rtl_cycles == found.simulated_cycles > 50
    assert (found.n_samples, found.n_cases, found.n_overflows) == (50, 100, None)
    assert found.labels is found.expected_labels is found.accuracy is None
    (line,) = show.network_verification(found, 50).splitlines()
    assert line.startswith(f"{Path(file).stem}: 50 samples, 100 cases, ") and line.endswith("simulated): no differences")
    assert show.network_verification(found, 51) == line.replace(" samples,", " samples (all there are, 51 were wanted),")
