"""The server scenario: Poisson arrivals, and the largest rate whose tail latency keeps a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from explore.progress import Steps
from explore.scenarios.outcome import PS_PER_NS, RatePoint, Server
from explore.scenarios.query_count import most_late
from explore.scenarios.queue import Served, serve
from explore.scenarios.service import PS_PER_S, Service

TOLERANCE = 1 / 256  # the rate that is found and one that fails differ by no more than this share
_HALVINGS = 24  # from the capacity down, until a rate keeps the bound
_BISECTIONS = 8  # of a factor of two, down to TOLERANCE
_CURVE = (0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)  # shares of the capacity


@dataclass(frozen=True)
class ServerLoad:
    """Accelerators behind one queue and the queries of a run, the same random ones at every rate.

    Common random numbers: a rate only stretches the time between arrivals, so that rates are compared by what they do
    and not by luck.
    """

    accelerators: Sequence[Service]
    max_batch: int
    window_ps: int
    n_queries: int
    seed: int

    @property
    def capacity_per_s(self) -> float:
        """Samples a second of all accelerators when they are never idle."""
        return sum(service.capacity_per_s for service in self.accelerators)

    def at(self, rate_per_s: float, *, bound_ps: int | None = None, most_late: int = 0) -> Served:
        """The run at a rate; with a bound it may give up (`serve`)."""
        return serve(
            arrivals_ps(self.n_queries, rate_per_s, self.seed),
            self.accelerators,
            max_batch=self.max_batch,
            window_ps=self.window_ps,
            bound_ps=bound_ps,
            most_late=most_late,
        )


def arrivals_ps(n: int, rate_per_s: float, seed: int) -> np.ndarray:
    """(n,) int64: arrivals of a Poisson process in whole picoseconds; at twice the rate the same, half as far apart.

    InputError where the run would be longer than 53 days, so that 64 bits hold all times.
    """
    gaps = np.random.default_rng(seed).exponential(size=n)
    times = np.cumsum(gaps) * (PS_PER_S / rate_per_s)
    if times[-1] >= 2.0**62:
        raise InputError(f"--queries: wanted a run of at most 53 days, got {n:,} queries at {rate_per_s:g} a second")
    return np.rint(times).astype(np.int64)


def largest_rate(
    load: ServerLoad, bound_ps: int, percentile: float, progress: Steps = lambda what, n_done, n_all: None
) -> Server:
    """The largest rate at which `percentile` of the queries are answered within the bound, to TOLERANCE.

    Rates are halved from the capacity down until one keeps the bound, then the interval is bisected. Where batches wait
    to be filled, latency need not grow with the rate: then this is the upper end of the rates found to keep it.
    """
    allowed = most_late(load.n_queries, percentile)

    def kept(rate: float) -> Served | None:
        found = load.at(rate, bound_ps=bound_ps, most_late=allowed)
        return None if found.gave_up else found

    rate, failing, best = load.capacity_per_s, None, None
    soonest = min(min(service.answer_ps) for service in load.accelerators)
    for _ in range(_HALVINGS if soonest <= bound_ps else 0):
        if (best := kept(rate)) is not None:
            break
        rate, failing = rate / 2, rate
    for step in range(_BISECTIONS if best is not None and failing is not None else 0):
        progress("server", step, _BISECTIONS)
        assert failing is not None
        middle = (rate + failing) / 2
        if (found := kept(middle)) is not None:
            rate, best = middle, found
        else:
            failing = middle
    return Server(
        bound_ns=bound_ps / PS_PER_NS,
        percentile=percentile,
        rate_per_s=rate if best is not None else 0.0,
        failing_per_s=failing if soonest <= bound_ps else load.capacity_per_s,
        latency_ns=None if best is None else best.tail_ps(percentile) / PS_PER_NS,
        median_ns=None if best is None else best.tail_ps(50) / PS_PER_NS,
        mean_batch=None if best is None else best.mean_batch,
        utilization=None if best is None else best.utilization,
        capacity_per_s=load.capacity_per_s,
        n_queries=load.n_queries,
        seed=load.seed,
    )


def latency_curve(
    load: ServerLoad, percentile: float, progress: Steps = lambda what, n_done, n_all: None
) -> tuple[RatePoint, ...]:
    """Latencies at rates from a tenth of the capacity upwards."""
    found = []
    for step, share in enumerate(_CURVE):
        progress("latency against rate", step, len(_CURVE))
        run = load.at(share * load.capacity_per_s)
        found.append(
            RatePoint(
                rate_per_s=share * load.capacity_per_s,
                latency_ns=run.tail_ps(percentile) / PS_PER_NS,
                median_ns=run.tail_ps(50) / PS_PER_NS,
                mean_batch=run.mean_batch,
            )
        )
    return tuple(found)
