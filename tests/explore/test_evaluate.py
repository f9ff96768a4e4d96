"""From runs to rows: what is counted for one inference and what for the whole run."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from designs.errors import InputError
from designs.space import load_space
from explore import evaluate as module
from explore.pareto import pareto_front
from explore.sources import sources_of
from sim import cost
from sim.run import Run
from tests import toy_family
from workloads.load import load_workload

POINT = {"lanes": 8, "banks": 1, "order": "rows_first", "pipelined": True, "label": "plain", "clock_mhz": 500, "node_nm": 45}
ACTIVITY = {"macs": 80, "reads": 10, "dram_read_bytes": 4}


@pytest.fixture(autouse=True)
def toy() -> None:
    toy_family.install()


def row_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> module.Row:
    real = module.simulator("toy")
    fake = SimpleNamespace(
        RUNS=real.RUNS, misfits=real.misfits, inventory=real.inventory, simulate=lambda designs, workload: [run]
    )
    monkeypatch.setattr(module, "simulator", lambda family: fake)
    monkeypatch.setattr(module, "model_version", lambda family: "fake")  # the true one is kept for the whole process
    return module.evaluate("toy", [POINT], load_workload("gemm:1x2x3"))[0]


def test_many_inferences_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """20 cycles of 2 ns for 10 inferences of 3 cycles, one every 1.5 cycles."""
    figures = {"multiplications_a_lane": 7}
    run = Run(
        cycles=20, phases={"compute": 20}, activity=ACTIVITY, roofline_cycles=15, n_inferences=10, latency_cycles=3,
        initiation_interval=1.5, figures=figures,
    )  # fmt: skip
    row = row_of(run, monkeypatch)
    assert (row["cycles"], row["n_inferences"], row["latency_ns"], row["initiation_interval"]) == (20, 10, 6.0, 1.5)
    assert row["utilization"] == 15 / 20 and row["layers"] == [] and row["multiplications_a_lane"] == 7
    design = load_space(toy_family.SPACE).design(POINT)
    inventory = module.simulator("toy").inventory(design, load_workload("gemm:1x2x3"))
    whole = cost.energy_pj(inventory, ACTIVITY, 40.0, module.technology.load_technology(45))
    assert row["energy_breakdown_pj"] == {name: value / 10 for name, value in whole.items()}
    assert row["energy_pj"] == sum(row["energy_breakdown_pj"].values())
    assert row["edp_pj_ns"] == row["energy_pj"] * 6.0


def test_a_run_that_is_one_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(cycles=20, activity=ACTIVITY, roofline_cycles=15, figures={"multiplications_a_lane": 0.5})
    row = row_of(run, monkeypatch)
    assert (row["n_inferences"], row["latency_ns"], row["initiation_interval"]) == (1, 40.0, None)
    assert (row["utilization"], row["accuracy"], row["overflows"]) == (None, None, None)


def test_a_failed_row_has_all_columns_without_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Run(cycles=20, activity=ACTIVITY, roofline_cycles=15, figures={"multiplications_a_lane": 0.5})
    row = row_of(Run(failure="too wide"), monkeypatch)
    assert set(row) == set(row_of(good, monkeypatch))
    assert row["multiplications_a_lane"] is row["n_inferences"] is row["initiation_interval"] is None


def test_a_family_that_lacks_a_figure_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError, match="multiplications_a_lane"):
        row_of(Run(cycles=20, activity=ACTIVITY, roofline_cycles=15), monkeypatch)


def test_metrics_of_the_family_are_objectives_and_constraints(tmp_path) -> None:  # type: ignore[no-untyped-def]
    text = "family: toy\nminimize: [multiplications_a_lane]\nsubject_to: [multiplications_a_lane <= 20]\n"
    (tmp_path / "s.yaml").write_text(text)
    space = load_space(tmp_path / "s.yaml")
    (constraint,) = space.subject_to
    rows = [{"multiplications_a_lane": value} for value in (30, 15, None)] + [{}]
    assert [constraint.holds(row) for row in rows] == [False, True, False, False]
    assert pareto_front(rows, space.minimize) == [rows[1]]
    (tmp_path / "t.yaml").write_text("family: tensor\nminimize: [multiplications_a_lane]\n")
    with pytest.raises(InputError, match="minimize: wanted a metric .*got 'multiplications_a_lane'"):
        load_space(tmp_path / "t.yaml")


def test_sources_are_those_that_make_the_numbers() -> None:
    found = sources_of("designs.families.tensor", "sim.families.tensor", "explore.evaluate")
    for name in ("sim.kernels.tensor.layer", "workloads.reference", "workloads.mapping.numbers", "sim.cost", "designs"):
        assert name in found
    assert not [name for name in found if name.startswith(("hw", "reports", "explore.sweep", "workloads.importers.onnx"))]
    assert "sim.families.toy" in sources_of("sim.families.toy")
