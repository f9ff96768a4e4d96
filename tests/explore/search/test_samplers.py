"""One suite for every sampler: what any of them must do, on a toy space with a condition and on a small tensor space."""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from designs.errors import InputError
from designs.space import Space, load_space
from explore.search import samplers
from explore.search.domain import Domain
from explore.search.result import SearchResult
from explore.search.samplers import SAMPLERS, expect_sampler, make_sampler
from explore.search.search import search
from explore.sweep import front_of, sweep
from tests import toy_family
from tests.explore.search.test_domain import CONDITIONAL
from workloads.load import Workload, load_workload

HAS_TORCH = importlib.util.find_spec("torch") is not None
NAMES = [name for name in SAMPLERS if name != "gp" or HAS_TORCH]
TOY = """
family: toy
workload: gemm:6x5x4
minimize: [area_um2, latency_ns, energy_pj]
subject_to: [latency_ns <= 20]
design:
  lanes: {range: [8, 64]}
  banks: [1, 2, 4]
  pipelined: [true, false]
  order: [rows_first, columns_first]
  clock_mhz: {range: [250, 1000]}
"""  # most lanes are no multiple of four banks, and 64 lanes do not fit
TENSOR = """
family: tensor
workload: gemm:40x24x16
minimize: [latency_ns, area_um2]
design:
  dataflow: [output_stationary, weight_stationary]
  array_rows: {range: [2, 8], scale: log2}
  array_cols: {range: [2, 8], scale: log2}
  dram_bytes_per_cycle: [4, 16]
"""


@pytest.fixture(autouse=True)
def toy() -> None:
    toy_family.install()


def space_of(text: str, folder: Path) -> Space:
    (folder / "space.yaml").write_text(text)
    return load_space(folder / "space.yaml")


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return space_of(TOY, tmp_path)


@pytest.fixture(scope="module")
def workload() -> Workload:
    return load_workload("gemm:6x5x4")


def searched(space: Space, workload: Workload, budget: float, name: str, seed: int = 0) -> SearchResult:
    return search(space, workload, budget=budget, sampler=name, seed=seed, with_importance=False)


def what(result: SearchResult) -> SearchResult:
    """A result without what may differ from run to run."""
    return replace(result, computed=0, cached=0, seconds=0.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_search(name: str, space: Space, workload: Workload) -> None:
    """Reproducible; no point twice; refused ones not counted; the front keeps the constraints."""
    found = searched(space, workload, 26, name)
    assert what(searched(space, workload, 26, name)) == what(found)
    points = [tuple(evaluation.row["point"].items()) for evaluation in found.evaluations]
    assert len(points) == len(set(points)) == 26 == found.computed and found.work == 26
    assert found.n_refused > 0 and found.ended == ""
    assert all(space.refusal(evaluation.row["point"]) is None for evaluation in found.evaluations)
    assert all(evaluation.origin for evaluation in found.evaluations)
    rows = [evaluation.row for evaluation in found.evaluations]
    assert list(found.pareto_front) == front_of(space, rows) != []
    assert all(row["latency_ns"] <= 20 and row["failure"] is None for row in found.pareto_front)
    for evaluation in found.evaluations:
        runs = evaluation.row["failure"] is None
        assert evaluation.feasible == (runs and evaluation.row["latency_ns"] <= 20)


@pytest.mark.parametrize("name", NAMES)
def test_another_seed_is_another_search(name: str, space: Space, workload: Workload) -> None:
    one, other = (searched(space, workload, 3, name, seed) for seed in (0, 1))
    assert [e.row["point"] for e in one.evaluations] != [e.row["point"] for e in other.evaluations]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", [CONDITIONAL, TENSOR])
def test_a_small_space_ends_when_all_points_are_known(name: str, text: str, tmp_path: Path) -> None:
    space = space_of(text, tmp_path)
    workload = load_workload(str(space.workload))
    found, all_of_it = searched(space, workload, 1000, name), sweep(space, workload)
    assert found.ended == f"all {space.n_points} points of the space are known"
    key = str
    assert sorted((e.row["point"] for e in found.evaluations), key=key) == sorted(
        (row["point"] for row in all_of_it.rows), key=key
    )
    assert [(r["latency_ns"], r["area_um2"]) for r in found.pareto_front] == [
        (r["latency_ns"], r["area_um2"])
        for r in sorted(all_of_it.pareto_front, key=lambda row: row[space.objectives[0]])
    ]


@pytest.mark.parametrize("name", NAMES)
def test_proposals_are_choices_of_the_domain(name: str, tmp_path: Path) -> None:
    """Axes that are not active are never given a value, also where a sampler learns nothing but failures."""
    domain = Domain(space_of(CONDITIONAL, tmp_path))
    sampler = make_sampler(name, domain, 2, seed=1)
    for _ in range(30):
        proposal = sampler.ask()
        assert proposal.choice == domain.canonical(proposal.choice)
        sampler.tell(proposal, None, (1.0, 0.0))
    chosen = sampler.ask_for((1, 0, 2, 0), "mine")
    assert (chosen.choice, chosen.origin) == ((1, 0, 2, 0), "mine")
    sampler.tell(chosen, (1.0, 2.0), (-1.0, 0.0))
    sampler.tell_more(chosen, (1.0, 1.5), (-1.0, 0.0))
    again = sampler.ask_for((1, 0, 2, 0), "again")
    sampler.drop(again)
    assert sampler.ask().choice in set(domain.choices())


def test_samplers_are_quiet(space: Space, workload: Workload, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in NAMES:
            searched(space, workload, 2, name)
    assert capfd.readouterr() == ("", "")


def test_sampler_names() -> None:
    with pytest.raises(InputError, match="^sampler: wanted one of random, .*, got 'tep'.*tpe") as error:
        expect_sampler("tep")
    assert "\n" not in str(error.value)


def test_gaussian_processes_of_optuna_need_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"^sampler: wanted torch for gp, got none installed; pip install 'lockstep\[gp\]'$"):
        expect_sampler("gp")


def test_what_optuna_is_told_of_what_did_not_run(tmp_path: Path) -> None:
    """As bad as the worst that ran, in every cost; held back while none ran."""
    sampler = samplers.OptunaSampler("tpe", Domain(space_of(CONDITIONAL, tmp_path)), 2, 0)
    failed, first, second, late = (sampler.ask() for _ in range(4))
    sampler.tell(failed, None, (1.0,))
    states = [trial.state.name for trial in sampler.study.trials]
    assert states == ["RUNNING"] * 4
    sampler.tell(first, (1.0, 5.0), (-1.0,))
    sampler.tell(second, (2.0, 3.0), (-1.0,))
    sampler.tell(late, None, (1.0,))
    assert [trial.values for trial in sampler.study.trials] == [[1.0, 5.0], [1.0, 5.0], [2.0, 3.0], [2.0, 5.0]]
    assert [list(trial.constraints.values()) for trial in sampler.study.trials] == [[1.0], [-1.0], [-1.0], [1.0]]
