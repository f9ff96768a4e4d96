"""Worker processes of this machine: forked where that is safe, so that they start at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection

from designs.space import Point
from explore.runner import Answer, Job, WorkersLost


class Pool:
    """A runner on processes of this machine. Use as a context manager. A process that is killed ends it."""

    def __init__(self, jobs: Mapping[str, Job], n_workers: int) -> None:
        self.n_workers = n_workers
        self._executor = ProcessPoolExecutor(n_workers, _context(), initializer=_start_worker, initargs=(dict(jobs),))

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)

    def submit(self, job: str, points: Sequence[Point]) -> Future[Answer]:
        """Raises WorkersLost, also out of the future, where a process was killed."""
        try:
            running = self._executor.submit(_run_batch, job, points)
        except BrokenProcessPool as error:
            raise _lost() from error
        answer: Future[Answer] = Future()
        running.add_done_callback(lambda done: _pass_on(done, answer))
        return answer


def n_cores() -> int:
    """Cores this process may use: fewer than the machine's in a container with an affinity."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lost() -> WorkersLost:
    return WorkersLost(
        "workers: wanted worker processes that live, got one killed (out of memory?); go on with fewer --workers"
    )


def _pass_on(done: Future[Answer], answer: Future[Answer]) -> None:
    """What came of a batch, a killed process in our own words."""
    if done.cancelled():
        answer.cancel()
        return
    error = done.exception()
    if isinstance(error, BrokenProcessPool):
        answer.set_exception(_lost())
    elif error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(done.result())


_jobs: Mapping[str, Job] = {}  # the worker process's own


def _start_worker(jobs: Mapping[str, Job]) -> None:
    global _jobs
    _jobs = jobs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    die_with_parent()


def die_with_parent() -> None:
    """End this worker process when the parent is gone, also by kill -9: it would wait for work for ever."""
    threading.Thread(target=_wait_for_its_end, daemon=True).start()


def _wait_for_its_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _run_batch(job: str, points: Sequence[Point]) -> Answer:
    return _jobs[job].run(points)


def _context() -> multiprocessing.context.BaseContext:
    """Fork where that is safe (one thread, not macOS): workers start at once, with the simulator compiled."""
    can_fork = sys.platform == "linux" and threading.active_count() == 1
    return multiprocessing.get_context("fork" if can_fork else "spawn")
