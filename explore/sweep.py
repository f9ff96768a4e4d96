"""Sweeps: every point of a space on a workload, on all cores, resumable from a store."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING

from designs.errors import InputError, Interrupted, is_interrupt
from designs.space import Point, Space
from designs.technology import Scaling
from explore.evaluate import Row, evaluate, model_version
from explore.pareto import known, pareto_front
from explore.progress import Progress, progress_for
from explore.store import Store, point_key

if TYPE_CHECKING:
    from workloads.load import Workload

BATCH_SECONDS = 0.25  # what a batch should take: progress stays smooth, an interrupt is heard at once
FIRST_BATCH = 4  # points of a batch before it is known how long one takes
LARGEST_BATCH = 256
WARM_POINTS = 24  # points run in this process first: they compile the simulator and tell how long the rest takes
WORTH_SECONDS = 0.5  # remaining work that is worth starting processes for


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """What a sweep found. `rows` and `pareto_front` are the same whatever the number of workers and what was cached."""

    points: int  # buildable points of the space (of the first `limit`)
    computed: int  # simulated now
    cached: int  # found in the store
    failed: int  # rows on which a layer does not fit
    refused: int  # points of the product that cannot be built; the reasons are in Space.expand
    seconds: float
    rows: list[Row]  # in file order, without `layers`: those are in the store
    pareto_front: list[Row]  # by the space's objectives, its constraints kept; sorted by the first objective


class SweepInterrupted(Interrupted):
    """Ctrl-C during a sweep; `str()` says what is kept and how to resume."""


def sweep(
    space: Space,
    workload: Workload,
    store: Store | None = None,
    workers: int | None = None,
    limit: int | None = None,
    progress: bool = False,
    scaling: Scaling = "stillmaker_baas",
) -> SweepResult:
    """Simulate every buildable point of a space that the store does not know yet.

    `workers` processes (all cores where None; 1 stays in this process). Rows reach the store batch by batch, so a kill
    loses the batches in flight only. Raises InputError where no point can be built, SweepInterrupted on Ctrl-C.
    """
    began = time.monotonic()
    if workers is not None and workers < 1:
        raise InputError(f"workers: wanted 1 or more, got {workers}")
    if limit is not None and limit < 1:
        raise InputError(f"limit: wanted 1 or more, got {limit}")
    points, refused = space.expand(limit)
    if not points:
        space.first_point()
    keys = _keys(space, points, workload, scaling)
    found = store.get(keys) if store is not None else {}
    missing = [index for index, key in enumerate(keys) if key not in found]
    n_cached = len(points) - len(missing)
    with progress_for(f"{space.name} on {workload.name}", len(points), n_cached, wanted=progress) as shown:
        _compute(_Job(space.family, space.name, workload, scaling), points, keys, missing, found, store, workers, shown)
    rows = [found[key] | {"space": space.name} for key in keys]
    return SweepResult(
        points=len(points),
        computed=len(missing),
        cached=n_cached,
        failed=sum(row["failure"] is not None for row in rows),
        refused=len(refused),
        seconds=time.monotonic() - began,
        rows=rows,
        pareto_front=front_of(space, rows),
    )


def front_of(space: Space, rows: Sequence[Row]) -> list[Row]:
    """The exact Pareto front of rows by the space's objectives, among those that keep its constraints.

    Objectives that no row knows, such as accuracy where there are no labels, are left out. Failed rows are on no front,
    not even where all failed and what is known of them (area) could be compared.
    """
    ran = [row for row in rows if row["failure"] is None]
    kept = [row for row in ran if all(constraint.holds(row) for constraint in space.subject_to)]
    return [dict(row) for row in pareto_front(kept, known(space.objectives, kept))]


@dataclass(frozen=True)
class _Job:
    """What every batch of a sweep has in common: sent to each worker once."""

    family: str
    space: str
    workload: Workload
    scaling: Scaling

    def run(self, points: Sequence[Point]) -> tuple[list[Row], float]:
        began = time.monotonic()
        rows = evaluate(self.family, points, self.workload, space=self.space, scaling=self.scaling)
        return rows, time.monotonic() - began


def _keys(space: Space, points: Sequence[Point], workload: Workload, scaling: Scaling) -> list[str]:
    version = f"{model_version(space.family)}/{scaling}"
    return [point_key(space.family, point, workload.digest, version) for point in points]


def _compute(
    job: _Job,
    points: Sequence[Point],
    keys: Sequence[str],
    missing: Sequence[int],
    found: dict[str, Row],
    store: Store | None,
    workers: int | None,
    shown: Progress,
) -> None:
    """Fill `found` (and the store) with the missing rows."""
    n_done = 0
    try:
        shown.advance(0)  # the first batch may have to wait for the simulator to be compiled
        for indices, rows in _run_all(job, points, _Batches(missing), workers or _n_cores()):
            items = [(keys[index], row) for index, row in zip(indices, rows, strict=True)]
            if store is not None:
                store.put(items)
            found.update((key, _slim(row)) for key, row in items)
            n_done += len(items)
            shown.advance(len(items))
    except (KeyboardInterrupt, SystemError) as error:
        if not is_interrupt(error):
            raise
        kept = (
            f"{n_done} rows of it are kept in {store.path}; run it again to go on"
            if store is not None
            else ("nothing is kept; give --store FILE to be able to go on")
        )
        raise SweepInterrupted(f"sweep interrupted after {n_done} of {len(missing)} points: {kept}") from None


def _run_all(
    job: _Job, points: Sequence[Point], batches: _Batches, n_workers: int
) -> Iterator[tuple[list[int], list[Row]]]:
    """(indices, rows) of every batch: the first ones here, the rest on all workers where that pays."""
    while indices := batches.next():
        rows, seconds = job.run([points[index] for index in indices])
        batches.took(len(indices), seconds)
        yield indices, rows
        if n_workers > 1 and batches.n_taken >= WARM_POINTS and batches.seconds_left > WORTH_SECONDS:
            yield from _run_on_workers(job, points, batches, n_workers)


def _run_on_workers(
    job: _Job, points: Sequence[Point], batches: _Batches, n_workers: int
) -> Iterator[tuple[list[int], list[Row]]]:
    """Run the remaining batches in worker processes, at most two a worker in flight; yield them as they end."""
    executor = ProcessPoolExecutor(n_workers, _context(), initializer=_start_worker, initargs=(job,))
    running: dict[Future[tuple[list[Row], float]], list[int]] = {}
    try:
        while True:
            while len(running) < 2 * n_workers and (indices := batches.next()):
                running[executor.submit(_run_batch, [points[index] for index in indices])] = indices
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                rows, seconds = future.result()
                indices = running.pop(future)
                batches.took(len(indices), seconds)
                yield indices, rows
    except BrokenProcessPool as error:
        raise InputError(
            "workers: wanted worker processes that live, got one killed (out of memory?); "
            "what was done is in the store, go on with fewer --workers"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _slim(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "layers"}


class _Batches:
    """Cuts the missing points into batches that take about BATCH_SECONDS each."""

    def __init__(self, missing: Sequence[int]) -> None:
        self._missing = missing
        self._next = 0
        self._size = FIRST_BATCH
        self._seconds_a_point = 0.0

    @property
    def n_taken(self) -> int:
        """Points handed out."""
        return self._next

    @property
    def seconds_left(self) -> float:
        """What one process would need for the rest, by the latest batch."""
        return (len(self._missing) - self._next) * self._seconds_a_point

    def next(self) -> list[int]:
        """Indices of the next batch; empty at the end."""
        batch = list(self._missing[self._next : self._next + self._size])
        self._next += len(batch)
        return batch

    def took(self, n_points: int, seconds: float) -> None:
        """Learn from a batch: grow at most twofold, so that one quick batch cannot make a slow one."""
        self._seconds_a_point = seconds / n_points + 1e-9
        fitting = int(BATCH_SECONDS / self._seconds_a_point)
        self._size = max(1, min(fitting, 2 * self._size, LARGEST_BATCH))


_job: _Job | None = None  # the worker process's own


def _start_worker(job: _Job) -> None:
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    """End this worker when the parent is gone, also by kill -9: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _run_batch(points: Sequence[Point]) -> tuple[list[Row], float]:
    assert _job is not None
    return _job.run(points)


def _context() -> multiprocessing.context.BaseContext:
    """Fork where that is safe (one thread, not macOS): workers start at once, with the simulator compiled."""
    can_fork = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if can_fork else "spawn")


def _n_cores() -> int:
    """Cores this process may use: fewer than the machine's in a container with an affinity."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
