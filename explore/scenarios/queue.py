"""One queue in front of one or more accelerators that take batches: a discrete-event simulation (simpy).

Queries wait in the order in which they came. A batch is ready when `max_batch` queries wait, or the first of them has
waited for `window_ps`. It starts at once where an accelerator is idle (of several the one that is named first), else as
soon as one is; whoever waits by then comes along, up to `max_batch`. A batch in service is not interrupted.

Between two batches nothing happens but arrivals, whose times are known, so there are two or three events a batch and
none a query. Times are whole picoseconds: nothing is rounded, and two things happen together or they do not.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import simpy

from explore.scenarios.query_count import share_below
from explore.scenarios.service import Service


@dataclass(frozen=True, kw_only=True)
class Served:
    """What became of the queries, in the order in which they came; without the last ones where the run gave up."""

    latency_ps: np.ndarray  # (n_served,) int64: from arrival to answer
    n_batches: int
    busy_ps: tuple[int, ...]  # of each accelerator
    end_ps: int  # when the last answer was there
    gave_up: bool  # more queries were late than may be

    @property
    def mean_batch(self) -> float:
        """Queries of a batch."""
        return len(self.latency_ps) / self.n_batches

    @property
    def utilization(self) -> float:
        """The share of the time in which an accelerator is busy, over all of them."""
        return sum(self.busy_ps) / (len(self.busy_ps) * self.end_ps)

    def tail_ps(self, percentile: float) -> int:
        """The latency that this share of the queries keeps: of n, the one of rank ceil(percentile n / 100)."""
        rank = math.ceil(share_below(percentile) * len(self.latency_ps))
        return int(np.partition(self.latency_ps, rank - 1)[rank - 1])


def serve(
    arrivals_ps: np.ndarray,
    accelerators: Sequence[Service],
    *,
    max_batch: int,
    window_ps: int = 0,
    bound_ps: int | None = None,
    most_late: int = 0,
) -> Served:
    """Serve queries that arrive at `arrivals_ps` (int64, ascending).

    With `bound_ps`, the run gives up as soon as more than `most_late` queries took longer than that.
    """
    run = _Run(arrivals_ps, accelerators, max_batch, window_ps, bound_ps, most_late)
    run.env.process(run.dispatch())
    run.env.run()
    return run.served()


class _Run:
    def __init__(
        self,
        arrivals_ps: np.ndarray,
        accelerators: Sequence[Service],
        max_batch: int,
        window_ps: int,
        bound_ps: int | None,
        most_late: int,
    ) -> None:
        self.env = simpy.Environment()
        self._arrivals: list[int] = arrivals_ps.tolist()
        self._accelerators = accelerators
        self._max_batch, self._window_ps = max_batch, window_ps
        self._bound_ps, self._late_left = bound_ps, most_late
        self._idle = list(range(len(accelerators)))  # a heap: the accelerator named first is taken first
        self._wanted: simpy.Event | None = None  # the dispatcher waits for an accelerator
        self._firsts: list[int] = []  # of each batch the number of its first query, and when it was answered
        self._answers: list[int] = []
        self._busy_ps = [0] * len(accelerators)
        self._first = 0  # query that waits longest
        self._gave_up = False

    def dispatch(self) -> Generator[simpy.Event, None, None]:
        env, arrivals, n = self.env, self._arrivals, len(self._arrivals)
        while self._first < n and not self._gave_up:
            full = self._first + self._max_batch
            ready = arrivals[self._first] + self._window_ps
            if full <= n:
                ready = min(ready, arrivals[full - 1])
            if env.now < ready:
                yield env.timeout(ready - env.now)
                if len(self._accelerators) > 1:
                    yield env.timeout(0)  # whoever becomes idle in this very moment does so first
            if not self._idle:
                self._wanted = env.event()
                yield self._wanted
            self._start(bisect_right(arrivals, env.now, self._first, min(full, n)))

    def _start(self, end: int) -> None:
        """Start the batch of all waiting queries before number `end` on the first idle accelerator."""
        place = heapq.heappop(self._idle)
        service, size = self._accelerators[place], end - self._first
        busy, answer = service.busy_ps[size - 1], int(self.env.now) + service.answer_ps[size - 1]
        self.env.timeout(busy, place).callbacks.append(self._end)
        self._busy_ps[place] += busy
        self._firsts.append(self._first)
        self._answers.append(answer)
        if self._bound_ps is not None:
            self._late_left -= bisect_right(self._arrivals, answer - self._bound_ps - 1, self._first, end) - self._first
            self._gave_up = self._late_left < 0
        self._first = end

    def _end(self, event: simpy.Event) -> None:
        assert isinstance(event.value, int)  # the place that was given to the timeout
        heapq.heappush(self._idle, event.value)
        if self._wanted is not None:
            self._wanted.succeed()
            self._wanted = None

    def served(self) -> Served:
        sizes = np.diff([*self._firsts, self._first])
        answers = np.repeat(np.array(self._answers, np.int64), sizes)
        return Served(
            latency_ps=answers - np.array(self._arrivals[: self._first], np.int64),
            n_batches=len(sizes),
            busy_ps=tuple(self._busy_ps),
            end_ps=max(self._answers),
            gave_up=self._gave_up,
        )
