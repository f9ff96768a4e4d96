"""Dask workers: rows as without them, whoever dies, comes late or has another version."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing import spawn
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from designs.errors import InputError
from designs.space import Space, load_space
from explore.cluster import runner as cluster_runner
from explore.cluster import session, worker
from explore.evaluate import model_version
from explore.runner import Job
from explore.search.search import search
from explore.store import Store
from explore.sweep import SweepResult, sweep
from tests import toy_family
from tests.explore.clusters import Cluster, cluster
from tests.explore.kill_workers import Killer
from tests.explore.test_sweep import LARGE, ROOT, n_rows, processes_of, same, wait_for
from tests.interrupts import heed_interrupts
from workloads.load import Workload, load_workload

TOY = {"DASK_DISTRIBUTED__WORKER__PRELOAD": "['tests.toy_family']"}
SLOW = TOY | {"TOY_SECONDS": "0.02"}  # five seconds for all points of `large`


@pytest.fixture(autouse=True)
def toy() -> None:
    toy_family.install()


@pytest.fixture
def large(tmp_path: Path) -> Space:
    (tmp_path / "large.yaml").write_text(LARGE)
    return load_space(tmp_path / "large.yaml")


@pytest.fixture
def workload() -> Workload:
    return load_workload("gemm:6x5x4")


@pytest.fixture(scope="module")
def two() -> Iterator[Cluster]:
    """A scheduler and two workers in processes of their own."""
    with cluster() as started:
        started.start_workers(2, SLOW)
        yield started


@pytest.fixture
def none() -> Iterator[Cluster]:
    """A scheduler alone."""
    with cluster() as started:
        yield started


class InThread(threading.Thread):
    """Runs beside the test; `join` answers or raises what it did."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.start()

    def run(self) -> None:
        try:
            self._found = self._work()
        except Exception as error:
            self._found = error

    def answer(self) -> Any:
        self.join(60)
        assert not self.is_alive()
        return self._found


def test_rows_are_those_of_this_process_in_the_same_order(
    two: Cluster, large: Space, workload: Workload, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Store(tmp_path / "there.sqlite") as there, Store(tmp_path / "here.sqlite") as here:
        on_dask = sweep(large, workload, there, cluster=two.address, limit=60, progress=True)
        alone = sweep(large, workload, here, workers=1, limit=60)
        assert same(on_dask, alone) and on_dask.computed == 60
        assert there.rows(layers=True) == here.rows(layers=True)
        again = sweep(large, workload, there, cluster="tcp://127.0.0.1:1", limit=60)  # nobody is there, nor needed
        assert again.cached == 60
    assert "Dask dashboard: http://127.0.0.1:" in capsys.readouterr().err


def test_a_search_is_the_same_search(two: Cluster, large: Space, workload: Workload) -> None:
    found = [
        search(large, workload, budget=12, sampler="random", in_flight=4, cluster=cluster, workers=workers)
        for cluster, workers in ((two.address, None), (None, 1))
    ]
    assert found[0].evaluations == found[1].evaluations and found[0].pareto_front == found[1].pareto_front


def test_a_sweep_with_killed_workers_has_every_point_once(
    two: Cluster, large: Space, workload: Workload, tmp_path: Path
) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        killer = Killer(two, [20, 60, 120], random.Random(1), tmp_path / "s.sqlite")
        killer.start()
        found = sweep(large, workload, store, cluster=two.address)
        killer.ended.set()
        assert len(killer.rows_at_kills) == 3
        assert len(store) == found.computed == 252
    assert same(found, sweep(large, workload, workers=1))


def test_workers_come_late_and_those_of_another_version_are_refused(
    none: Cluster, large: Space, workload: Workload, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_runner, "PATIENCE_SECONDS", 0.1)
    told = ""

    def is_told(text: str) -> bool:
        nonlocal told
        told += capsys.readouterr().err
        return text in told

    sweeping = InThread(lambda: sweep(large, workload, cluster=none.address))
    wait_for(lambda: is_told(f"no worker is there; waiting for one (lockstep worker {none.address})"))
    none.start_workers(1, TOY | {"TOY_VERSION": "toy-2"})
    wait_for(lambda: is_told("refused"))
    version = model_version("toy")
    other = version.replace("toy-1", "toy-2")
    assert f"wanted Lockstep {version}, got {other}; it is refused" in told
    right = none.start_workers(1, TOY)
    assert same(sweeping.answer(), sweep(large, workload, workers=1))
    none.stop(right)
    wait_for(lambda: n_workers(none) == 1)
    with pytest.raises(InputError, match=rf"worker tcp:\S+: wanted Lockstep {version}, got {other}; start workers of"):
        sweep(large, workload, cluster=none.address)


def n_workers(on: Cluster) -> int:
    with Client(on.address, set_as_default=False) as client:
        return len(client.scheduler_info(n_workers=-1)["workers"])


def test_a_scheduler_that_goes_is_told_in_one_line(
    none: Cluster, large: Space, workload: Workload, tmp_path: Path
) -> None:
    none.start_workers(1, SLOW)
    path = tmp_path / "s.sqlite"

    def sweep_there() -> SweepResult:
        with Store(path) as store:
            return sweep(large, workload, store, cluster=none.address)

    sweeping = InThread(sweep_there)
    wait_for(lambda: n_rows(path) > 0)
    none.stop(none.scheduler)
    error = sweeping.answer()
    kept = n_rows(path)
    assert isinstance(error, InputError) and 0 < kept < 252
    assert str(error) == (
        f"cluster: wanted a Dask scheduler that lives, got one that is gone; "
        f"{kept} rows of it are kept in {path}; run it again to go on"
    )


def test_a_point_that_kills_workers_is_named(
    none: Cluster, large: Space, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_runner, "MAX_DEATHS", 0)
    none.start_workers(2, TOY | {"TOY_DEADLY_LANES": "2"})
    with pytest.raises(InputError, match="1 that died with the point lanes=2, .* of toy .*leave that point out"):
        sweep(large, workload, cluster=none.address, limit=6)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere://x", ""])
def test_no_scheduler_is_told_in_one_line(
    address: str, large: Space, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CONNECT_SECONDS", 0.3)
    with pytest.raises(InputError, match=rf"cluster: wanted a Dask scheduler at {address or repr('')}, got none"):
        sweep(large, workload, cluster=address)


def test_workers_do_not_run_the_main_script() -> None:
    main = {"init_main_from_path", "init_main_from_name"}
    before = spawn.get_preparation_data("worker")
    with session._hidden_main():
        assert not main & set(spawn.get_preparation_data("worker"))
    assert spawn.get_preparation_data("worker") == before


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_listens_need_not_be_a_scheduler(
    says: bytes, large: Space, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask waits for one that says nothing for minutes, and takes the first bytes of a web server for a length."""
    monkeypatch.setattr(session, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(session, "ANSWER_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken: list[socket.socket] = []

        def answer() -> None:
            with suppress(OSError):  # closed below
                while True:
                    taken.append(listening.accept()[0])
                    taken[-1].sendall(says)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(InputError, match=f"wanted a Dask scheduler at {address}, got none that answers"):
            sweep(large, workload, cluster=address)
        listening.shutdown(socket.SHUT_RDWR)
    for each in taken:
        each.close()


def test_either_workers_here_or_a_cluster(large: Space, workload: Workload) -> None:
    with pytest.raises(InputError, match="either .* or a cluster, got both"):
        sweep(large, workload, workers=2, cluster="tcp://127.0.0.1:1")


def test_a_worker_keeps_the_jobs_used_last(workload: Workload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_JOBS", 2)
    job = Job("toy", "s", workload)
    point = load_space(toy_family.SPACE).first_point()
    worker.receive({"a": job, "b": job})
    assert worker.Batch("a", (point,))() is not None
    worker.receive({"c": job})
    assert worker.Batch("b", (point,))() is None
    answers = [worker.Batch(key, (point,))() for key in "ac"]
    assert [answer.rows for answer in answers if answer] == [job.run([point]).rows] * 2


def test_sources_that_changed_under_a_worker_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker.version_here("toy") == (model_version("toy"), "")
    path = Path(toy_family.__file__).parent / "sim" / "toy.py"
    monkeypatch.setattr(worker, "_LOADED_AT", path.stat().st_mtime - 1)
    assert worker.version_here("toy")[1] != ""


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.toy_family", "sweep", str(folder / "large.yaml"), "--workers", "2"]
    return subprocess.Popen(
        [*command, "--store", str(folder / "s.sqlite"), "--report", str(folder / "page")],
        cwd=ROOT, env=os.environ | TOY | {"TOY_SECONDS": "0.05"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=heed_interrupts,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_end_in_the_middle_leaves_no_process(large: Space, tmp_path: Path, how: signal.Signals) -> None:
    running = start(tmp_path)
    wait_for(lambda: n_rows(tmp_path / "s.sqlite") > 40 or running.poll() is not None, 90)  # 24 in the process itself
    if how == signal.SIGINT:
        os.killpg(running.pid, how)  # as a terminal does: all of them hear it
    else:
        os.kill(running.pid, how)
    out, told = running.communicate(timeout=30)
    wait_for(lambda: not processes_of(running.pid))
    assert "Dask dashboard: http://127.0.0.1:" in told and out == ""
    if how == signal.SIGINT:
        assert running.returncode == 130
        assert "sweep interrupted after" in told.splitlines()[-1] and "Traceback" not in told
