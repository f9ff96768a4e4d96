"""What scenarios find: plain data, for tables, figures and JSON. Times are nanoseconds, as in result rows."""

from __future__ import annotations

from dataclasses import dataclass

PS_PER_NS = 1000


@dataclass(frozen=True, kw_only=True)
class SingleStream:
    """One query at a time, the next one when the last is answered."""

    percentile: float
    latency_ns: float
    n_queries: int  # that a run has to have; service times are constant: each query takes as long as the first


@dataclass(frozen=True, kw_only=True)
class MultiStream:
    """A query of `n_streams` samples every `interval_ns`, each answered before the next one comes."""

    interval_ns: float
    percentile: float
    n_streams: int  # the most for which that holds; 0: not even one
    latency_ns: float | None  # of a query of so many samples; None where n_streams is 0
    n_queries: int
    is_largest: bool  # False: as many as are tried


@dataclass(frozen=True, kw_only=True)
class Server:
    """Queries of one sample at random times (Poisson), at the largest rate whose tail latency keeps the bound."""

    bound_ns: float
    percentile: float
    rate_per_s: float  # 0: no rate that was tried keeps it
    failing_per_s: float | None  # the least rate that was tried and does not; None: even the capacity does
    latency_ns: float | None  # the percentile, at rate_per_s
    median_ns: float | None
    mean_batch: float | None
    utilization: float | None  # share of the time in which the accelerators are busy
    capacity_per_s: float  # no rate above this can last
    n_queries: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Offline:
    """All samples at once, in any order."""

    n_samples: int
    seconds: float
    throughput_per_s: float


@dataclass(frozen=True, kw_only=True)
class RatePoint:
    """A rate, and how long queries take at it."""

    rate_per_s: float
    latency_ns: float  # the percentile
    median_ns: float
    mean_batch: float


@dataclass(frozen=True, kw_only=True)
class SystemOutcome:
    """One system, accelerators behind one queue, in the scenarios that were asked for."""

    name: str
    workload: str
    accelerators: tuple[str, ...]
    max_batch: int
    window_ns: float
    single_stream: SingleStream | None = None
    multi_stream: MultiStream | None = None
    server: Server | None = None
    offline: Offline | None = None
    curve: tuple[RatePoint, ...] = ()  # of the server scenario, ascending; empty where it was not asked for
