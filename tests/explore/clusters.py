"""Dask clusters FOR TESTS: a scheduler and workers in processes of their own, ended with the block."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
from distributed import Client

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
QUIET = {"DASK_LOGGING__DISTRIBUTED": "critical"}


class Cluster:
    """A scheduler's address, and processes that can be started and killed."""

    def __init__(self, folder: Path) -> None:
        file = folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(["-m", "distributed.cli.dask_scheduler", *options], {})
        self.address = _address_in(file)

    def start_workers(self, n: int, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """`lockstep worker`: returns at once; Dask's nanny starts workers again that die."""
        command = ["-c", "from lockstep.cli import main; main()", "worker", self.address, "--workers", str(n)]
        return self._start(command, environment or {})

    def wait_for_workers(self, n: int) -> None:
        """Return when the scheduler has that many."""
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(n, timeout=START_SECONDS)

    def processes(self) -> list[psutil.Process]:
        """All that run now."""
        return [psutil.Process(process.pid) for process in self._processes] + self.worker_processes()

    def worker_processes(self) -> list[psutil.Process]:
        """The processes that simulate: children of nannies."""
        return [child for nanny in self._processes if nanny is not self.scheduler for child in _spawned(nanny.pid)]

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the scheduler, or workers with their nanny."""
        self._processes.remove(process)
        children = _spawned(process.pid)
        _kill(process.pid)  # first: a nanny would start them again
        for child in children:
            _kill(child.pid)
        process.wait()

    def close(self) -> None:
        for process in self._processes[::-1]:
            self.stop(process)

    def _start(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=os.environ | QUIET | dict(environment),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self._processes.append(process)
        return process


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A scheduler without workers."""
    with tempfile.TemporaryDirectory() as folder:
        started = Cluster(Path(folder))
        try:
            yield started
        finally:
            started.close()


def _address_in(file: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return str(json.loads(file.read_text())["address"])
        except (OSError, ValueError):
            assert time.monotonic() < deadline, "the scheduler did not start"
            time.sleep(0.05)


def _spawned(pid: int) -> list[psutil.Process]:
    """Living children that multiprocessing spawned to work."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in word for word in process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
