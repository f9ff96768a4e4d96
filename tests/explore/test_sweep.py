"""Sweeps: the same rows on any number of workers, nothing computed twice, kills and interrupts lose nothing kept."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from designs.errors import InputError
from designs.space import Space, load_space
from explore import local_runner, runner
from explore import sweep as module
from explore.evaluate import evaluate, model_version
from explore.store import Store
from explore.sweep import SweepResult, sweep
from tests import toy_family
from tests.interrupts import heed_interrupts
from workloads.load import Workload, load_workload

ROOT = Path(__file__).parent.parent.parent
TOY = ROOT / "tests" / "toy_family" / "space.yaml"
LARGE = """
family: toy
workload: gemm:6x5x4
design:
  lanes: {range: [1, 63]}
  banks: 1
  pipelined: [true, false]
  order: [rows_first, columns_first]
"""  # 252 points


@pytest.fixture(autouse=True)
def toy() -> None:
    toy_family.install()


@pytest.fixture
def space() -> Space:
    return load_space(TOY)


@pytest.fixture
def workload() -> Workload:
    return load_workload("gemm:6x5x4")


@pytest.fixture
def large(tmp_path: Path) -> Space:
    (tmp_path / "large.yaml").write_text(LARGE)
    return load_space(tmp_path / "large.yaml")


def same(a: SweepResult, b: SweepResult) -> bool:
    return a.rows == b.rows and a.pareto_front == b.pareto_front


def test_a_row_by_hand(workload: Workload) -> None:
    point = load_space(TOY).pin({"pipelined": "false"}).first_point()
    (row,) = evaluate("toy", [point], workload, space="s")
    assert row["point"] == point and row["space"] == "s" and row["workload_digest"] == workload.digest
    assert (row["cycles"], row["phases"], row["roofline_cycles"]) == (30, {"compute": 15, "stall": 15}, 15)
    assert (row["latency_ns"], row["utilization"], row["failure"]) == (30.0, 0.5, None)
    assert row["area_um2"] == sum(row["area_breakdown_um2"].values())
    assert row["energy_pj"] == sum(row["energy_breakdown_pj"].values()) > 0
    assert row["edp_pj_ns"] == row["energy_pj"] * 30
    assert [(layer["name"], layer["cycles"], layer["n_macs"]) for layer in row["layers"]] == [("gemm:6x5x4", 30, 120)]
    assert json.loads(json.dumps(row)) == row


def test_a_sweep_has_every_point_in_file_order_and_the_exact_front(space: Space, workload: Workload) -> None:
    found = sweep(space, workload)
    assert (found.points, found.computed, found.cached, found.failed, found.refused) == (24, 24, 0, 8, 0)
    assert [row["point"] for row in found.rows] == space.points()
    assert [(r["point"]["lanes"], r["point"]["banks"], r["cycles"]) for r in found.pareto_front] == [
        (8, 1, 15),
        (16, 1, 8),
    ]
    assert all("layers" not in row for row in found.rows)
    failed = [row for row in found.rows if row["failure"] is not None]
    assert {row["point"]["lanes"] for row in failed} == {64}
    assert failed[0]["cycles"] is None and failed[0]["area_um2"] > 0


def test_constraints_keep_points_off_the_front_but_in_the_rows(tmp_path: Path, workload: Workload) -> None:
    text = TOY.read_text().replace(
        "minimize: [area_um2, latency_ns]", "minimize: [latency_ns]\nsubject_to: [cycles > 8]"
    )
    (tmp_path / "s.yaml").write_text(text)
    found = sweep(load_space(tmp_path / "s.yaml"), workload)
    assert [row["cycles"] for row in found.pareto_front] == [15] and len(found.rows) == 24


def test_nothing_is_computed_twice(space: Space, workload: Workload, tmp_path: Path) -> None:
    undisturbed = sweep(space, workload)
    with Store(tmp_path / "s.sqlite") as store:
        first = sweep(space, workload, store, limit=7)
        second = sweep(space, workload, store)
        third = sweep(space, workload, store)
        assert [(r.computed, r.cached) for r in (first, second, third)] == [(7, 0), (17, 7), (0, 24)]
        assert same(second, undisturbed) and same(third, undisturbed)
        assert len(store) == 24
        other = sweep(space, load_workload("gemm:6x5x5"), store)
        assert other.computed == 24
        scaled = sweep(space.pin({"node_nm": "7"}), workload, store, scaling="whole_operation")
        assert scaled.computed == 24


def test_another_model_version_is_computed_again(
    space: Space, workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = model_version("toy")
    with Store(tmp_path / "s.sqlite") as store:
        sweep(space, workload, store)
        monkeypatch.setattr(module, "model_version", lambda family: version + "x")
        assert sweep(space, workload, store).computed == 24


def test_the_number_of_workers_changes_nothing(
    large: Space, workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = sweep(large, workload, workers=1)
    monkeypatch.setattr(runner, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(module, "LARGEST_BATCH", 8)
    monkeypatch.setattr(local_runner, "n_cores", lambda: 3)
    monkeypatch.setattr(local_runner, "_context", lambda: multiprocessing.get_context("fork"))
    with Store(tmp_path / "s.sqlite") as store:
        together = sweep(large, workload, store)
        assert same(together, alone) and together.computed == 252 and len(store) == 252


def test_points_that_cannot_be_built_are_counted_not_simulated(tmp_path: Path, workload: Workload) -> None:
    (tmp_path / "s.yaml").write_text("family: toy\ndesign: {lanes: [8, 9], banks: [3, 4]}\n")
    found = sweep(load_space(tmp_path / "s.yaml"), workload)
    assert (found.points, found.computed, found.refused) == (2, 2, 2)


@pytest.mark.parametrize("bad", [{"workers": 0}, {"limit": 0}, {"limit": -1}])
def test_bad_numbers_are_refused(space: Space, workload: Workload, bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="wanted 1 or more"):
        sweep(space, workload, **bad)


def start(folder: Path, seconds_a_point: float, workers: int | None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.toy_family", "sweep", str(folder / "large.yaml"), "--json"]
    command += [] if workers is None else ["--workers", str(workers)]
    return subprocess.Popen(
        [*command, "--store", str(folder / "s.sqlite")],
        cwd=ROOT, env=os.environ | {"TOY_SECONDS": str(seconds_a_point)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip


def n_rows(path: Path) -> int:
    if not path.exists():
        return 0
    with Store(path) as store:
        return len(store)


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def processes_of(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def kill_somewhere(folder: Path, kept: int, attempt: int, draw: random.Random) -> bool:
    """Start a sweep and kill -9 it at a random instant; whether it was still running then."""
    running = start(folder, 0.02, workers=None if attempt % 2 else 1)
    if attempt % 4 == 3:  # anywhere: also while Python starts and the file is made
        time.sleep(draw.uniform(0.0, 0.6))
    else:  # soon after it got going
        wait_for(lambda: running.poll() is not None or n_rows(folder / "s.sqlite") > kept)
        time.sleep(draw.uniform(0.0, 0.15))
    os.kill(running.pid, signal.SIGKILL)
    killed = running.wait() == -signal.SIGKILL
    running.communicate()
    wait_for(lambda: not processes_of(running.pid))  # workers do not outlive their parent
    return killed


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_kill_9_at_20_random_instants_then_resume_gives_the_same_rows(
    large: Space, workload: Workload, tmp_path: Path
) -> None:
    undisturbed = sweep(large, workload)
    draw = random.Random(20)
    path = tmp_path / "s.sqlite"
    kept = n_killed = 0
    for attempt in range(20):
        n_killed += kill_somewhere(tmp_path, kept, attempt, draw)
        assert n_rows(path) >= kept  # nothing that was kept is lost
        kept = n_rows(path)
    assert n_killed > 5
    with Store(path) as store:
        resumed = sweep(large, workload, store)
    assert resumed.cached == kept > 0
    assert same(resumed, undisturbed)


@pytest.mark.parametrize("workers", [1, None])
def test_an_interrupt_keeps_what_is_done_and_says_how_to_go_on(
    large: Space, tmp_path: Path, workers: int | None
) -> None:
    running = start(tmp_path, 0.02, workers)
    wait_for(lambda: n_rows(tmp_path / "s.sqlite") > 40)
    began = time.monotonic()
    os.killpg(running.pid, signal.SIGINT)
    out, error = running.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert running.returncode == 130 and out == ""
    assert "sweep interrupted after" in error and "run it again to go on" in error and len(error.splitlines()) == 1
    with Store(tmp_path / "s.sqlite") as store:
        assert 0 < len(store) < 252


def test_an_interrupt_in_a_compiled_kernel_keeps_what_is_done(
    space: Space, workload: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter((evaluate,))  # the second batch is interrupted

    def interrupted(*arguments: Any, **named: Any) -> Any:
        for call in calls:
            return call(*arguments, **named)
        raise SystemError("CPUDispatcher returned a result with an exception set") from KeyboardInterrupt()

    monkeypatch.setattr(runner, "evaluate", interrupted)
    with Store(tmp_path / "s.sqlite") as store:
        with pytest.raises(module.SweepInterrupted, match="interrupted after 4 of .* 4 rows of it are kept"):
            sweep(space, workload, store, 1)
        assert len(store) == 4
