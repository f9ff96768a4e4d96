"""The same 5,000-point sweep in this process, on local processes, and on Dask workers in processes of their own.

    python -m benchmarks.bench_cluster

Rows are compared with those of this process. Each form has swept the same points before, so that nobody compiles and
all remember the same layers. Overhead is what a form needs more than this process: wall seconds times workers, and
processor seconds of all processes (ours, the scheduler's, the workers'), a point. On a machine that is busy otherwise
only the latter says something.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from designs.space import load_space
from explore.local_runner import n_cores
from explore.sweep import SweepResult, sweep
from tests.explore.clusters import cluster
from workloads.load import load_workload

SPACE, WORKLOAD = "tensor", "digits_cnn"


@dataclass(frozen=True)
class Took:
    """What a sweep took."""

    found: SweepResult
    seconds: float
    processor_seconds: float


def main() -> None:
    """Print one line a form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=5000)
    n_points = parser.parse_args().points
    space, workload = load_space(SPACE), load_workload(WORKLOAD)
    print(f"{SPACE} on {WORKLOAD}, {n_points} points")
    sweep(space, workload, workers=1, limit=n_points)
    here = measured(lambda: sweep(space, workload, workers=1, limit=n_points))
    tell("in this process", here, here, 1)
    took = measured(lambda: sweep(space, workload, limit=n_points))
    tell("local processes, one a core", took, here, n_cores())
    for n_workers in (1, 2):
        with cluster() as on:
            on.start_workers(n_workers)
            on.wait_for_workers(n_workers)
            for _ in range(n_workers):
                sweep(space, workload, cluster=on.address, limit=n_points)
            took = measured(lambda: sweep(space, workload, cluster=on.address, limit=n_points), on.processes())  # noqa: B023
            tell(f"Dask, workers: {n_workers}", took, here, n_workers)


def measured(run: Callable[[], SweepResult], others: list[psutil.Process] | None = None) -> Took:
    """A run with the seconds of this process, its children that have ended, and the others."""
    began, before = time.perf_counter(), _processor_seconds(others or [])
    found = run()
    return Took(found, time.perf_counter() - began, _processor_seconds(others or []) - before)


def _processor_seconds(others: list[psutil.Process]) -> float:
    ours = psutil.Process().cpu_times()
    spent = [other.cpu_times() for other in others]
    return sum(times.user + times.system for times in (ours, *spent)) + ours.children_user + ours.children_system


def tell(name: str, took: Took, here: Took, n_workers: int) -> None:
    """One line."""
    n_points = took.found.points
    wall = (took.seconds * n_workers - here.seconds) / n_points * 1e6
    processor = (took.processor_seconds - here.processor_seconds) / n_points * 1e6
    same = took.found.rows == here.found.rows and took.found.pareto_front == here.found.pareto_front
    print(
        f"{name:30} {took.seconds:6.1f} s, {took.seconds / n_points * 1e6:6.0f} us a point; over: wall {wall:5.0f} us, "
        f"processor {processor:5.0f} us a point; rows {'identical' if same else 'DIFFER'}",
        flush=True,
    )


if __name__ == "__main__":
    main()
