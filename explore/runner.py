"""Where points are simulated: in this process, on worker processes, on a cluster. The rows are the same everywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from designs.arguments import expect_whole
from designs.errors import InputError
from designs.space import Point
from designs.technology import Scaling
from explore.evaluate import Row, evaluate

if TYPE_CHECKING:
    from workloads.load import Workload

WARM_POINTS = 24  # points run in this process first: they compile the simulator and tell how long the rest takes
WORTH_SECONDS = 0.5  # remaining work that is worth starting local processes for
WORTH_DASK_SECONDS = 8.0  # that is worth starting Dask and its workers for


class Answer(NamedTuple):
    """What a batch came to."""

    rows: list[Row]  # one a point, in order
    seconds: float  # of the process that simulated them


@dataclass(frozen=True)
class Job:
    """What batches have in common: sent to each worker once."""

    family: str
    space: str
    workload: Workload
    scaling: Scaling = "stillmaker_baas"

    def run(self, points: Sequence[Point]) -> Answer:
        """Simulate and price points here."""
        began = time.monotonic()
        rows = evaluate(self.family, points, self.workload, space=self.space, scaling=self.scaling)
        return Answer(rows, time.monotonic() - began)


class Runner(Protocol):
    """Simulates batches of points of a few jobs that it was opened with.

    A batch is answered once, whatever becomes of the worker that had it first. Which batches are in flight, and in
    which order they end, has no influence on rows.
    """

    @property
    def n_workers(self) -> int:
        """Batches that can be simulated at the same time now; 1 where `submit` itself does the work. It may change."""

    def submit(self, job: str, points: Sequence[Point]) -> Future[Answer]:
        """Begin a batch of the job of that name. Its future may raise what `Job.run` raises, or WorkersLost."""


class WorkersLost(InputError):
    """Nothing is left that could simulate: what was answered stands, the rest is to be run again."""


@contextmanager
def open_runner(
    jobs: Mapping[str, Job],
    *,
    workers: int | None = None,
    cluster: str | None = None,
    n_points: int | None = None,
    progress: bool = False,
) -> Iterator[Runner]:
    """A runner for these jobs, closed when the block ends; batches still in flight are dropped then.

    `cluster` is the address of a Dask scheduler, whose workers do everything. Else the first points run in this
    process, the rest on all cores where that pays, or on `workers` processes of a Dask cluster that is started here
    where that pays; 1 stays in this process. `n_points` is how many are to come; where that is not known, as many are
    expected as were done. `progress` tells on stderr where Dask shows what it does.
    Raises InputError where `workers` is less than 1, where both are given, or where no scheduler answers.
    """
    expect_workers(workers)
    if workers is not None and cluster is not None:
        raise InputError("workers: wanted either a number of local workers or a cluster, got both; leave one out")
    with _opened(jobs, workers, cluster, n_points, progress) as runner:
        yield runner


def expect_workers(workers: int | None) -> None:
    """InputError for a number of workers below 1."""
    if workers is not None:
        expect_whole("workers", workers, 1)


def _opened(
    jobs: Mapping[str, Job], workers: int | None, cluster: str | None, n_points: int | None, progress: bool
) -> AbstractContextManager[Runner]:
    # Imported where they are needed: Dask takes half a second.
    if cluster is not None:
        from explore.cluster.runner import open_cluster

        return open_cluster(jobs, address=cluster, progress=progress)
    return _WhatPays(jobs, *_more(jobs, workers, progress), n_points)


def _more(
    jobs: Mapping[str, Job], workers: int | None, progress: bool
) -> tuple[Callable[[], AbstractContextManager[Runner]] | None, float]:
    """How to open a runner on more processes, and the seconds of work that pay for it."""
    if workers == 1:
        return None, 0.0
    if workers is not None:
        return lambda: _dask(jobs, workers, progress), WORTH_DASK_SECONDS
    from explore import local_runner

    n_cores = local_runner.n_cores()
    return (lambda: local_runner.Pool(jobs, n_cores)) if n_cores > 1 else None, WORTH_SECONDS


def _dask(jobs: Mapping[str, Job], n_workers: int, progress: bool) -> AbstractContextManager[Runner]:
    from explore.cluster.runner import open_cluster

    return open_cluster(jobs, n_workers=n_workers, progress=progress)


class _WhatPays:
    """In this process until more processes pay, then on them. Use as a context manager."""

    def __init__(
        self,
        jobs: Mapping[str, Job],
        more: Callable[[], AbstractContextManager[Runner]] | None,
        worth_seconds: float,
        n_points: int | None,
    ) -> None:
        self._jobs, self._more, self._worth_seconds, self._n_points = jobs, more, worth_seconds, n_points
        self._stack = ExitStack()
        self._many: Runner | None = None
        self._n_done = 0
        self._seconds = 0.0
        self._seconds_a_point = 0.0  # by the latest batch

    def __enter__(self) -> _WhatPays:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def n_workers(self) -> int:
        return self._many.n_workers if self._many is not None else 1

    def submit(self, job: str, points: Sequence[Point]) -> Future[Answer]:
        if self._many is not None:
            return self._many.submit(job, points)
        answer = self._jobs[job].run(points)
        self._n_done += len(points)
        self._seconds += answer.seconds
        self._seconds_a_point = answer.seconds / max(1, len(points))
        if self._more is not None and self._n_done >= WARM_POINTS and self._seconds_left() > self._worth_seconds:
            self._many = self._stack.enter_context(self._more())
        future: Future[Answer] = Future()
        future.set_result(answer)
        return future

    def _seconds_left(self) -> float:
        """What this process would need for the rest."""
        if self._n_points is None:
            return self._seconds
        return (self._n_points - self._n_done) * self._seconds_a_point
