"""The loop: a function of its arguments, whatever runs it; kills lose nothing that was kept."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from designs.axes import Axis
from designs.errors import InputError
from designs.space import Point, Space, load_space
from explore.runner import Answer, Job
from explore.search import asking
from explore.search import search as module
from explore.search.judge import excess, scaled_to_whole
from explore.search.result import SearchResult
from explore.search.scheduler import Halving
from explore.search.search import SearchInterrupted, search
from explore.store import Store
from explore.sweep import sweep
from tests import toy_family
from workloads.load import Workload, load_workload

ROOT = Path(__file__).parent.parent.parent.parent
LARGE = """
family: toy
workload: gemm:6x5x4
minimize: [area_um2, latency_ns]
design:
  lanes: {range: [1, 63]}
  banks: 1
  pipelined: [true, false]
  order: [rows_first, columns_first]
  clock_mhz: {range: [500, 1000]}
"""


@pytest.fixture(autouse=True)
def toy() -> None:
    toy_family.install()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    (tmp_path / "large.yaml").write_text(LARGE)
    return tmp_path / "large.yaml"


@pytest.fixture(scope="module")
def workload() -> Workload:
    return load_workload("gemm:6x5x4")


def of(text: str, folder: Path) -> Space:
    (folder / "space.yaml").write_text(text)
    return load_space(folder / "space.yaml")


def run(space: Space, workload: Workload, **arguments: Any) -> SearchResult:
    chosen: dict[str, Any] = {"budget": 25, "sampler": "nsga2", "with_importance": False}
    return search(space, workload, **chosen | arguments)


def what(result: SearchResult) -> SearchResult:
    return replace(result, computed=0, cached=0, seconds=0.0)


def test_rows_are_those_of_sweeps(workload: Workload, tmp_path: Path) -> None:
    space = load_space(ROOT / "tests" / "toy_family" / "space.yaml")
    with Store(tmp_path / "s.sqlite") as store:
        swept = sweep(space, workload, store)
        found = run(space, workload, store=store, budget=10)
        assert (found.computed, found.cached, len(store)) == (0, 10, 24)
        assert all(evaluation.row in swept.rows for evaluation in found.evaluations)
    assert what(run(space, workload, budget=10)) == what(found)
    with Store(tmp_path / "other.sqlite") as store:
        run(space, workload, store=store, budget=10)
        assert sweep(space, workload, store).cached == 10
        assert all("layers" in row for row in store.rows(layers=True))


class Late:
    """Answers in an order of its own, only when the one that is waited for would otherwise never come."""

    n_workers = 3

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs, self._draws = jobs, random.Random(1)
        self._waiting: list[tuple[Future[Answer], str, Sequence[Point]]] = []
        self.most = 0

    def submit(self, job: str, points: Sequence[Point]) -> Future[Answer]:
        runner = self

        class Asked(Future[Answer]):
            def result(self, timeout: float | None = None) -> Answer:
                while not self.done():
                    runner.answer_one()
                return super().result()

        future = Asked()
        self._waiting.append((future, job, points))
        self.most = max(self.most, len(self._waiting))
        return future

    def answer_one(self) -> None:
        future, job, points = self._waiting.pop(self._draws.randrange(len(self._waiting)))
        future.set_result(self._jobs[job].run(points))


@pytest.mark.parametrize("name", ["nsga2", "tpe", "surrogate"])
def test_the_order_in_which_answers_come_changes_nothing(
    name: str, large: Path, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = load_space(large)
    here = run(space, workload, sampler=name, in_flight=4, workers=1)
    opened: list[Late] = []

    @contextmanager
    def late(jobs: Mapping[str, Job], **arguments: Any) -> Iterator[Late]:
        opened.append(Late(jobs))
        yield opened[0]

    monkeypatch.setattr(module, "open_runner", late)
    assert what(run(space, workload, sampler=name, in_flight=4)) == what(here)
    assert opened[0].most == 4


CODE = """
import sys
from tests import toy_family
toy_family.install()
from designs.space import load_space
from explore.search.search import search
from explore.store import Store
from workloads.load import load_workload
with Store(sys.argv[2]) as store:
    search(load_space(sys.argv[1]), load_workload("gemm:6x5x4"), budget=25, sampler=sys.argv[3], store=store, in_flight=2)
"""


@pytest.mark.parametrize("name", ["tpe", "surrogate"])
def test_a_search_that_was_killed_goes_on_as_if_nothing_had_been(
    name: str, large: Path, workload: Workload, tmp_path: Path
) -> None:
    space, file = load_space(large), tmp_path / "s.sqlite"
    environment = os.environ | {"TOY_SECONDS": "0.05", "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", CODE, str(large), str(file), name], env=environment)
    with Store(file) as store:
        while len(store) < 5 and child.poll() is None:
            time.sleep(0.02)
        child.kill()
        assert child.wait() == -signal.SIGKILL
        n_kept = len(store)
        resumed = run(space, workload, sampler=name, store=store, in_flight=2)
    assert 5 <= n_kept < 25 and (resumed.cached, resumed.computed) == (n_kept, 25 - n_kept)
    assert what(resumed) == what(run(space, workload, sampler=name, in_flight=2))


def test_ctrl_c_says_what_is_kept(
    large: Path, workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [4]

    def interrupted(job: Job, points: Sequence[Point]) -> Answer:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return real(job, points)

    real = Job.run
    monkeypatch.setattr(Job, "run", interrupted)
    with Store(tmp_path / "s.sqlite") as store:
        with pytest.raises(SearchInterrupted) as error:
            run(load_space(large), workload, store=store)
        assert str(error.value) == (
            f"search interrupted after 3 of 25 evaluations: their rows are kept in {store.path}; run it again to go on"
        )
        assert run(load_space(large), workload, store=store).cached == 3
    left[0] = 2
    with pytest.raises(SearchInterrupted, match="nothing is kept; give --store FILE"):
        run(load_space(large), workload)


def test_parts_count_as_their_share_and_the_best_go_on(large: Path) -> None:
    workload = load_workload("gemm:64x8x8")
    found = [run(load_space(large), workload, budget=6, scheduler=Halving(4, 2), in_flight=n) for n in (1, 1, 3)]
    assert what(found[0]) == what(found[1])
    for result in found:
        assert result.sampler == "nsga2+asha" and 5 < result.work <= 6
        shares = [evaluation.share for evaluation in result.evaluations]
        assert shares[:4] == [0.25] * 4 and set(shares) == {0.25, 1} and shares.count(0.25) > 2 * shares.count(1)
        promoted = [evaluation for evaluation in result.evaluations if evaluation.share == 1]
        assert {evaluation.origin for evaluation in promoted} == {"promoted to rung 1"}
        firsts = {e.trial: e.row["point"] for e in result.evaluations if e.share < 1}
        assert all(evaluation.row["point"] == firsts[evaluation.trial] for evaluation in promoted)
        assert all(row["workload"] == "gemm:64x8x8" for row in result.pareto_front) and result.pareto_front


def test_importance_adds_to_one(large: Path, workload: Workload) -> None:
    found = run(load_space(large), workload, budget=30, sampler="random", with_importance=True).importance
    assert set(found) == {"area_um2", "latency_ns"}
    for shares in found.values():
        assert sum(shares.values()) == pytest.approx(1) and set(shares) == {"lanes", "pipelined", "order", "clock_mhz"}
    assert max(found["area_um2"], key=lambda name: found["area_um2"][name]) == "lanes"
    assert found["latency_ns"]["order"] < 0.1  # has no influence


def test_points_that_cannot_be_built(large: Path, workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_REFUSED", 50)
    space = load_space(large)
    rare = replace(space, axes=(Axis("lanes", range(1, 1000)), Axis("banks", (1,))))  # 64 can be built
    found = run(rare, workload, sampler="random", budget=64)
    assert found.ended == "50 points in a row cannot be built" and 0 < len(found.evaluations) < 64
    assert found.n_refused > 50
    none = replace(space, axes=(Axis("lanes", range(65, 10**9)), Axis("banks", (1,))))
    with pytest.raises(InputError, match=r"^large: wanted points that can be built, got none \(50 .*\): lanes: wanted 1 to 64, got"):
        run(none, workload)


def test_bad_input_is_refused_in_one_line(large: Path, workload: Workload, tmp_path: Path) -> None:
    cases: dict[str, dict[str, Any]] = {
        "^budget: wanted 1 full evaluation or more, got 0$": {"budget": 0},
        "^budget: wanted 1 full evaluation or more, got nan$": {"budget": float("nan")},
        "^in flight: wanted 1 or more, got 0$": {"in_flight": 0},
        "^sampler: wanted one of .*, got 'nsga'": {"sampler": "nsga"},
    }
    for message, arguments in cases.items():
        with pytest.raises(InputError, match=message) as error:
            run(load_space(large), workload, **arguments)
        assert "\n" not in str(error.value)
    unknown = of(LARGE.replace("minimize:", "subject_to: [accuracy >= 0.9]\nminimize:"), tmp_path)
    with pytest.raises(InputError, match="^space on gemm:6x5x4: wanted constraints on what rows know, got 'accuracy >= 0.9'"):
        run(unknown, workload)
    nothing = of(LARGE.replace("minimize: [area_um2, latency_ns]", "minimize: [overflows]\nmaximize: [accuracy]"), tmp_path)
    with pytest.raises(InputError, match="^space on gemm:6x5x4: wanted an objective that rows know, got overflows, accuracy"):
        run(nothing, workload)


def test_an_objective_that_no_row_knows_is_left_out(tmp_path: Path, workload: Workload) -> None:
    space = of(LARGE.replace("design:", "maximize: [accuracy]\ndesign:"), tmp_path)
    assert space.objectives == ("area_um2", "latency_ns", "accuracy")
    found = run(space, workload)
    assert found.objectives == ("area_um2", "latency_ns") and found.pareto_front


def test_a_space_of_one_point(tmp_path: Path, workload: Workload) -> None:
    found = run(of("family: toy\n", tmp_path), workload)
    assert len(found.evaluations) == 1 and found.ended == "all 1 points of the space are known"


def test_excesses_by_hand(tmp_path: Path) -> None:
    space = of(LARGE.replace("minimize:", "subject_to: [area_um2 <= 100, accuracy > 0.5]\nminimize:"), tmp_path)
    area, accuracy = space.subject_to
    assert excess(area, {"area_um2": 1000.0}) == 1 and excess(area, {"area_um2": 10.0}) == -1
    assert excess(accuracy, {"accuracy": 0.25}) == 0.25 and excess(accuracy, {"accuracy": 0.75}) == -0.25
    assert 0 < excess(accuracy, {"accuracy": 0.5}) < 1e-12
    assert excess(area, {"area_um2": None}) == 0


def test_parts_are_scaled_by_hand() -> None:
    row = {"latency_ns": 2.0, "edp_pj_ns": 6.0, "area_um2": 5.0, "tokens_per_s": 8.0, "accuracy": None, "name": "x"}
    scaled = {"latency_ns": 8.0, "edp_pj_ns": 96.0, "area_um2": 5.0, "tokens_per_s": 2.0, "accuracy": None, "name": "x"}
    assert scaled_to_whole(row, 4.0) == scaled and scaled_to_whole(row, 1.0) is row
