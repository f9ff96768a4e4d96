"""A runner on Dask workers: which of them are let in, and that each batch is answered once whoever dies.

Batches are bound to one worker each, at most two a worker, and the rest waits here: so that it is known with which
batch a worker died, and that a worker which was not let in never has one.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, KilledWorker

from designs.errors import InputError
from designs.space import Point
from explore.cluster.session import session
from explore.cluster.worker import Batch, receive, version_here
from explore.evaluate import model_version
from explore.runner import Answer, Job, Runner, WorkersLost

BATCHES_A_WORKER = 2  # one runs, one waits at the worker
MAX_DEATHS = 3  # of workers that had nothing but the same batch
LOOK_SECONDS = 1.0  # between looks at the scheduler, besides what it tells
PATIENCE_SECONDS = 3.0  # without a worker, before that is told: a worker that starts again takes less
SHIPPED_AT_ONCE = 8  # workers


@contextmanager
def open_cluster(
    jobs: Mapping[str, Job], *, address: str | None = None, n_workers: int = 0, progress: bool = False
) -> Iterator[Runner]:
    """A runner on the workers of the scheduler at `address`, or on `n_workers` that are started here.

    Raises InputError where no scheduler answers, or where it has workers of other versions only.
    """
    versions = {job.family: model_version(job.family) for job in jobs.values()}

    async def serve(client: Client, stack: AsyncExitStack) -> _ClusterRunner:
        runner = _ClusterRunner(client, jobs, versions)
        await runner.start(stack)
        return runner

    with session(address, n_workers, serve, dashboard=_say if progress else None) as runner:
        yield runner


@dataclass(eq=False)
class _Worker:
    """A worker that was let in."""

    address: str
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    n_batches: int = 0
    is_taken: bool = False  # by one batch, alone


class _ClusterRunner:
    """Everything but `submit` and `n_workers` runs in the thread of the client's loop."""

    def __init__(self, client: Client, jobs: Mapping[str, Job], versions: Mapping[str, str]) -> None:
        self._client, self._jobs, self._versions = client, jobs, versions
        self._scheduler: Any = client.scheduler
        self._keys = {name: _key_of(job, versions[job.family]) for name, job in jobs.items()}
        self._loop = asyncio.get_running_loop()
        self._workers: dict[str, _Worker] = {}
        self._joining: dict[str, asyncio.Task[None]] = {}
        self._refused: dict[str, str] = {}  # address: why
        self._changed = asyncio.Condition()  # of workers and of what they have
        self._news = asyncio.Event()  # the scheduler has other workers
        self._is_started = False
        self._lost: str | None = None  # why there is no scheduler any more
        self._n_waiting_alone = 0
        self._ships = asyncio.Semaphore(SHIPPED_AT_ONCE)

    @property
    def n_workers(self) -> int:
        return max(1, len(self._workers))

    def submit(self, job: str, points: Sequence[Point]) -> Future[Answer]:
        return asyncio.run_coroutine_threadsafe(self._answer(job, tuple(points)), self._loop)

    async def start(self, stack: AsyncExitStack) -> None:
        """Let in the workers that are there; then look for others until the stack is closed."""
        self._client.subscribe_topic("all", self._hear)  # type: ignore[no-untyped-call]
        await self._look()
        for ended in await asyncio.gather(*self._joining.values(), return_exceptions=True):
            if isinstance(ended, Exception):  # not that it was cancelled, since the worker left
                raise ended
        self._is_started = True
        if self._refused and not self._workers:
            raise InputError(f"{next(iter(self._refused.values()))}; start workers of this version")
        for address in self._refused:
            self._tell_refused(address)
        watch = asyncio.create_task(self._watch())
        stack.callback(self._client.unsubscribe_topic, "all")
        stack.callback(watch.cancel)

    # Batches

    async def _answer(self, name: str, points: tuple[Point, ...], *, alone: bool = False) -> Answer:
        """A batch that a worker died with goes to another one, which has nothing else then."""
        n_deaths = 0
        while n_deaths <= MAX_DEATHS:
            worker = await self._take_worker(alone=alone or n_deaths > 0)
            try:
                answer = await self._run_on(worker, name, points)
            finally:
                await self._give_back(worker)
            if answer is not None:
                return answer
            n_deaths += worker.gone.is_set()
        if len(points) > 1:
            return await self._answer_each(name, points)
        raise InputError(
            f"cluster: wanted workers that live, got {n_deaths} that died with the point {_shown(points[0])} "
            f"of {self._jobs[name].family} (out of memory?); leave that point out"
        )

    async def _answer_each(self, name: str, points: tuple[Point, ...]) -> Answer:
        """Point by point: the one that kills is found, the others are answered."""
        answers = [await self._answer(name, (point,), alone=True) for point in points]
        return Answer([row for answer in answers for row in answer.rows], sum(answer.seconds for answer in answers))

    async def _run_on(self, worker: _Worker, name: str, points: tuple[Point, ...]) -> Answer | None:
        """None where the worker died or has to be sent the job again; raises what the simulation raises."""
        future: Any = self._client.submit(
            Batch(self._keys[name], points),
            key=f"{name}-{uuid.uuid4().hex}",
            workers=[worker.address],
            allow_other_workers=False,
            pure=False,
        )
        done = asyncio.ensure_future(future.result())
        gone = asyncio.ensure_future(worker.gone.wait())
        try:
            await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                return None
            if future.status == "cancelled" or isinstance(done.exception(), KilledWorker):
                self._news.set()  # the scheduler went, or the worker did, and we hear of it in a moment
                await asyncio.wait((gone,), timeout=LOOK_SECONDS)
                return None
            answer: Answer | None = done.result()
        finally:
            done.cancel()
            gone.cancel()
            future.release()
        if answer is None:
            await self._ship_again(worker)
        elif not self._is_ours(answer, name, points):
            self._refuse(worker.address, "it answered with rows of another version")
            return None
        return answer

    def _is_ours(self, answer: Answer, name: str, points: Sequence[Point]) -> bool:
        version = self._versions[self._jobs[name].family]
        return len(answer.rows) == len(points) and all(row["model_version"] == version for row in answer.rows)

    async def _take_worker(self, *, alone: bool) -> _Worker:
        """The worker with least to do, once there is one with room; those that want one alone come first."""
        async with self._changed:
            self._n_waiting_alone += alone
            try:
                while True:
                    if self._lost is not None:
                        raise WorkersLost(f"cluster: wanted a Dask scheduler that lives, got {self._lost}")
                    if found := self._free(alone):
                        break
                    await self._changed.wait()
            finally:
                self._n_waiting_alone -= alone
            worker = min(found, key=lambda free: free.n_batches)
            worker.n_batches += 1
            worker.is_taken = alone
            return worker

    def _free(self, alone: bool) -> list[_Worker]:
        if alone:
            return [worker for worker in self._workers.values() if worker.n_batches == 0]
        if self._n_waiting_alone:
            return []
        return [w for w in self._workers.values() if w.n_batches < BATCHES_A_WORKER and not w.is_taken]

    async def _give_back(self, worker: _Worker) -> None:
        worker.n_batches -= 1
        worker.is_taken = False
        async with self._changed:
            self._changed.notify_all()

    # Workers

    async def _watch(self) -> None:
        without_since, has_told = time.monotonic(), False
        while self._lost is None:
            try:
                await self._look()
            except Exception as error:
                await self._lose(f"one that failed: {error!r}")
                raise
            if self._workers or self._joining:
                without_since, has_told = time.monotonic(), False
            elif not has_told and time.monotonic() - without_since > PATIENCE_SECONDS:
                has_told = True
                _say(f"cluster: no worker is there; waiting for one (lockstep worker {self._address()})")
            try:
                await asyncio.wait_for(self._news.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue
            self._news.clear()

    def _address(self) -> str:
        return str(self._scheduler.address)

    def _hear(self, event: tuple[float, Any]) -> None:
        """What the scheduler tells all: workers that come and go."""
        _, told = event
        if isinstance(told, dict) and told.get("action") == "remove-worker":
            self._leave(str(told.get("worker")))
        self._news.set()

    async def _look(self) -> None:
        """Let go workers that the scheduler does not have any more, begin to let in those that are new."""
        if self._client.status != "running":
            await self._lose("one that is gone")
            return
        try:
            there = (await self._scheduler.identity(n_workers=-1))["workers"]
        except OSError:
            return  # the client notices in a moment
        for address in [known for known in (*self._workers, *self._joining, *self._refused) if known not in there]:
            self._leave(address)
        for address in there:
            if not (address in self._workers or address in self._joining or address in self._refused):
                self._joining[address] = asyncio.create_task(self._join(address))

    async def _lose(self, why: str) -> None:
        self._lost = why
        async with self._changed:
            self._changed.notify_all()

    def _leave(self, address: str) -> None:
        self._refused.pop(address, None)
        if joining := self._joining.pop(address, None):
            joining.cancel()
        if worker := self._workers.pop(address, None):
            worker.gone.set()

    async def _join(self, address: str) -> None:
        """Let a worker in that has our version, once it has the jobs; refuse any other."""
        try:
            for family, version in self._versions.items():
                found, changed = await self._ask(address, version_here, family)
                if found != version:
                    raise _Refused(f"wanted Lockstep {version}, got {found}")
                if changed:
                    raise _Refused(f"wanted Lockstep {version} as it was started, got {changed} changed since")
            await self._ship(address)
        except _Refused as error:
            self._refuse(address, str(error))
        except OSError:
            pass  # it is gone, or looked at again in a moment
        else:
            self._workers[address] = _Worker(address)
            async with self._changed:
                self._changed.notify_all()
        finally:
            self._joining.pop(address, None)

    async def _ship(self, address: str) -> None:
        """Send a worker the jobs: once, unless others on the cluster sent it so many that it dropped ours."""
        async with self._ships:
            await self._ask(address, receive, {self._keys[name]: job for name, job in self._jobs.items()})

    async def _ship_again(self, worker: _Worker) -> None:
        try:
            await self._ship(worker.address)
        except _Refused as error:
            self._refuse(worker.address, str(error))
        except OSError:
            self._leave(worker.address)

    async def _ask(self, address: str, function: Callable[..., Any], argument: object) -> Any:
        """What a worker answers outside of Dask's queues. Raises OSError where it is gone, else _Refused."""
        replies = await self._client.run(function, argument, workers=[address], on_error="return")
        reply = replies.get(address, OSError("gone"))
        if isinstance(reply, OSError):
            raise reply
        if isinstance(reply, Exception):
            wanted = ", ".join(self._versions.values())
            reason = " ".join(str(reply).split())
            raise _Refused(f"wanted Lockstep {wanted}, got none or another ({type(reply).__name__}: {reason})")
        return reply

    def _refuse(self, address: str, why: str) -> None:
        if worker := self._workers.pop(address, None):
            worker.gone.set()
        self._refused[address] = f"cluster: worker {address}: {why}"
        if self._is_started:
            self._tell_refused(address)

    def _tell_refused(self, address: str) -> None:
        _say(f"{self._refused[address]}; it is refused, the others go on")


class _Refused(Exception):
    """A worker that must not be let in; `str()` says what was wanted and what it has."""


def _key_of(job: Job, version: str) -> str:
    """Equal for equal jobs: a worker that has it from another run keeps it once."""
    parts = (job.family, job.space, job.workload.digest, job.workload.name, job.scaling, version)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _shown(point: Point) -> str:
    return ", ".join(f"{name}={value}" for name, value in point.items())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
