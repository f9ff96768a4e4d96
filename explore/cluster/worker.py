"""What runs on the workers of a cluster: they say their version, keep the jobs that they were sent, run batches."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from designs.space import Point
from explore.evaluate import model_version
from explore.runner import Answer, Job
from explore.sources import sources_of

MAX_JOBS = 32  # kept by a worker for all who use it; the one used longest ago goes first

_LOADED_AT = time.time()  # our modules are not younger
_jobs: OrderedDict[str, Job] = OrderedDict()
_jobs_lock = threading.Lock()  # a worker may have several threads


def version_here(family: str) -> tuple[str, str]:
    """(model version, source file that was changed after this worker loaded it or else the empty string).

    The version is read from files: that of a worker whose files were changed under it says nothing of what it runs.
    """
    version = model_version(family)
    sources = sources_of(f"designs.families.{family}", f"sim.families.{family}", "explore.evaluate", __name__)
    changed = [str(path) for path in sources.values() if path.stat().st_mtime > _LOADED_AT]
    return version, min(changed, default="")


def receive(jobs: Mapping[str, Job]) -> None:
    """Keep jobs for the batches to come."""
    with _jobs_lock:
        for key, job in jobs.items():
            _jobs[key] = job
            _jobs.move_to_end(key)
        while len(_jobs) > MAX_JOBS:
            _jobs.popitem(last=False)


@dataclass(frozen=True)
class Batch:
    """A task: points of a job that the worker has. Dask sees one opaque thing and does not look into each point."""

    job: str  # its key
    points: tuple[Point, ...]

    def __call__(self) -> Answer | None:
        """None where the worker does not have the job (any more)."""
        with _jobs_lock:
            job = _jobs.get(self.job)
            if job is not None:
                _jobs.move_to_end(self.job)
        return None if job is None else job.run(self.points)
