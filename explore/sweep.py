"""Sweeps: every point of a space on a workload, on all cores or a cluster, resumable from a store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from designs.arguments import expect_whole
from designs.errors import InputError, Interrupted, is_interrupt
from designs.space import Point, Space
from designs.technology import Scaling
from explore.evaluate import Row, model_version
from explore.pareto import known, pareto_front
from explore.progress import Progress, progress_for
from explore.runner import Answer, Job, Runner, WorkersLost, expect_workers, open_runner
from explore.store import Store, point_key

if TYPE_CHECKING:
    from workloads.load import Workload

BATCH_SECONDS = 0.25  # what a batch should take: progress stays smooth, an interrupt is heard at once
FIRST_BATCH = 4  # points of a batch before it is known how long one takes
LARGEST_BATCH = 256
_THE_JOB = "sweep"  # the name of a sweep's only job


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
    cluster: str | None = None,
) -> SweepResult:
    """Simulate every buildable point of a space that the store does not know yet.

    `workers` and `cluster` say where, as in `explore.runner.open_runner`: on all cores where both are None. Rows reach
    the store batch by batch, so a kill loses the batches in flight only. Raises InputError where no point can be built
    or nothing is left that could simulate, SweepInterrupted on Ctrl-C.
    """
    began = time.monotonic()
    expect_workers(workers)
    if limit is not None:
        expect_whole("limit", limit, 1)
    points, refused = space.expand(limit)
    if not points:
        space.first_point()
    keys = keys_of(space, points, workload, scaling)
    found = store.get(keys) if store is not None else {}
    missing = [index for index, key in enumerate(keys) if key not in found]
    n_cached = len(points) - len(missing)
    with progress_for(f"{space.name} on {workload.name}", len(points), n_cached, wanted=progress) as shown:
        if missing:
            jobs = {_THE_JOB: Job(space.family, space.name, workload, scaling)}
            opened = open_runner(jobs, workers=workers, cluster=cluster, n_points=len(missing), progress=progress)
            _compute(opened, points, keys, missing, found, store, shown)
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


def keys_of(space: Space, points: Sequence[Point], workload: Workload, scaling: Scaling) -> list[str]:
    """The key in a store of each point on a workload, in the model as it is now."""
    version = f"{model_version(space.family)}/{scaling}"
    return [point_key(space.family, point, workload.digest, version) for point in points]


def _compute(
    opened: AbstractContextManager[Runner],
    points: Sequence[Point],
    keys: Sequence[str],
    missing: Sequence[int],
    found: dict[str, Row],
    store: Store | None,
    shown: Progress,
) -> None:
    """Fill `found` (and the store) with the missing rows."""
    n_done = 0
    try:
        shown.advance(0)  # the first batch may have to wait for the simulator to be compiled
        with opened as runner:
            for indices, rows in _run_all(runner, points, _Batches(missing)):
                items = [(keys[index], row) for index, row in zip(indices, rows, strict=True)]
                if store is not None:
                    store.put(items)
                found.update((key, _slim(row)) for key, row in items)
                n_done += len(items)
                shown.advance(len(items))
    except WorkersLost as error:
        raise InputError(f"{error}; {_kept(n_done, store)}") from error
    except (KeyboardInterrupt, SystemError) as error:
        if not is_interrupt(error):
            raise
        ended = f"sweep interrupted after {n_done} of {len(missing)} points"
        raise SweepInterrupted(f"{ended}: {_kept(n_done, store)}") from None


def _kept(n_done: int, store: Store | None) -> str:
    """What is left of a sweep that ended early, and how to go on."""
    if store is None:
        return "nothing is kept; give --store FILE to be able to go on"
    return f"{n_done} rows of it are kept in {store.path}; run it again to go on"


def _run_all(runner: Runner, points: Sequence[Point], batches: _Batches) -> Iterator[tuple[list[int], list[Row]]]:
    """(indices, rows) of every batch as they end: at most two a worker in flight."""
    running: dict[Future[Answer], list[int]] = {}
    while True:
        while len(running) < 2 * runner.n_workers and (indices := batches.next()):
            future = runner.submit(_THE_JOB, [points[index] for index in indices])
            running[future] = indices
            if future.done():  # simulated by `submit` itself: to be stored before the next
                break
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            rows, seconds = future.result()
            indices = running.pop(future)
            batches.took(len(indices), seconds)
            yield indices, rows


def _slim(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "layers"}


class _Batches:
    """Cuts the missing points into batches that take about BATCH_SECONDS each."""

    def __init__(self, missing: Sequence[int]) -> None:
        self._missing = missing
        self._next = 0
        self._size = FIRST_BATCH

    def next(self) -> list[int]:
        """Indices of the next batch; empty at the end."""
        batch = list(self._missing[self._next : self._next + self._size])
        self._next += len(batch)
        return batch

    def took(self, n_points: int, seconds: float) -> None:
        """Learn from a batch: change at most twofold, since a worker's first one may be slow, and one may be quick."""
        fitting = int(BATCH_SECONDS / (seconds / n_points + 1e-9))
        self._size = max(1, self._size // 2, min(fitting, 2 * self._size, LARGEST_BATCH))
