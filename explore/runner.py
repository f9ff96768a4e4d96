"""Where points are simulated: in this process, on worker processes, on a cluster. The rows are the same everywhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from designs.space import Point
from designs.technology import Scaling
from explore.evaluate import Row, evaluate

if TYPE_CHECKING:
    from workloads.load import Workload


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
        """Batches that can be simulated at the same time; 1 where `submit` itself does the work."""

    def submit(self, job: str, points: Sequence[Point]) -> Future[Answer]:
        """Begin a batch of the job of that name."""


@contextmanager
def open_runner(
    jobs: Mapping[str, Job], *, workers: int | None = None, cluster: str | None = None
) -> Iterator[Runner]:
    """A runner for these jobs, closed when the block ends; batches still in flight are dropped then.

    `cluster` is the address of a Dask scheduler; `workers` are processes on this machine (None: what pays).
    """
    yield _Here(jobs)


class _Here:
    """In this process, when asked."""

    n_workers = 1

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs

    def submit(self, job: str, points: Sequence[Point]) -> Future[Answer]:
        future: Future[Answer] = Future()
        future.set_result(self._jobs[job].run(points))
        return future
