"""Systems of simulated accelerators through the scenarios that are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from designs.arguments import expect_real, expect_whole
from designs.errors import InputError
from designs.spelling import nearest, shown
from explore.progress import Steps
from explore.scenarios.outcome import PS_PER_NS, SystemOutcome
from explore.scenarios.query_count import n_queries
from explore.scenarios.server import ServerLoad, largest_rate, latency_curve
from explore.scenarios.service import Service
from explore.scenarios.streams import OFFLINE_PERCENTILE, multi_stream, offline, single_stream

SCENARIOS = ("single_stream", "multi_stream", "server", "offline")
_NS_PER_MS = 1e6
_NS_PER_US = 1e3


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is asked of a system; InputError, with the option to change, for what makes no sense."""

    max_batch: int = 1
    window_us: float = 0.0  # how long the first query of a batch may wait for more
    bound_ms: float = 15.0  # server: latency that the percentile has to keep
    interval_ms: float = 50.0  # multi-stream: time from query to query
    percentile: float = 99.0  # of server and multi-stream
    queries: int | None = None  # None: by the rule of MLPerf Inference, for the percentile
    seed: int = 0

    def __post_init__(self) -> None:
        expect_whole("--max-batch", self.max_batch, 1, 1024)
        for option, value, low, high in (
            ("--window-us", self.window_us, 0, 1e9),
            ("--bound-ms", self.bound_ms, 1e-6, 1e9),
            ("--interval-ms", self.interval_ms, 1e-6, 1e9),
            ("--percentile", self.percentile, 50, 99.99),
        ):
            expect_real(option, value, low, high)
        expect_whole("--queries", self.n_queries, 1, 1 << 26)
        expect_whole("--seed", self.seed, 0, 2**63)

    @property
    def n_queries(self) -> int:
        """Queries of a run of the server scenario."""
        return n_queries(self.percentile) if self.queries is None else self.queries


def expect_scenarios(names: Collection[str]) -> None:
    """InputError, with the nearest right spelling, for a name that is not one of SCENARIOS."""
    for name in names:
        if not isinstance(name, str) or name not in SCENARIOS:
            raise InputError(
                f"--scenario: wanted {', '.join(SCENARIOS)} or all, got {shown(name)}{nearest(str(name), SCENARIOS)}"
            )


def run_system(
    name: str,
    workload: str,
    accelerators: Sequence[Service],
    scenarios: Collection[str],
    settings: Settings,
    *,
    curve: bool = False,
    progress: Steps = lambda what, n_done, n_all: None,
) -> SystemOutcome:
    """Accelerators behind one queue in some of SCENARIOS; `curve` adds latencies at many rates of the server."""
    expect_scenarios(scenarios)
    window_ps = _picoseconds(settings.window_us * _NS_PER_US)
    load = ServerLoad(accelerators, settings.max_batch, window_ps, settings.n_queries, settings.seed)
    found = SystemOutcome(
        name=name,
        workload=workload,
        accelerators=tuple(service.name for service in accelerators),
        max_batch=settings.max_batch,
        window_ns=window_ps / PS_PER_NS,
    )
    if "single_stream" in scenarios:
        found = replace(found, single_stream=single_stream(accelerators))
    if "multi_stream" in scenarios:
        interval_ps = _picoseconds(settings.interval_ms * _NS_PER_MS)
        found = replace(
            found, multi_stream=multi_stream(accelerators, settings.max_batch, interval_ps, settings.percentile)
        )
    if "server" in scenarios:
        bound_ps = _picoseconds(settings.bound_ms * _NS_PER_MS)
        found = replace(found, server=largest_rate(load, bound_ps, settings.percentile, progress))
    if "offline" in scenarios:
        n_samples = n_queries(OFFLINE_PERCENTILE) if settings.queries is None else settings.queries
        found = replace(found, offline=offline(accelerators, settings.max_batch, n_samples))
    if curve:
        found = replace(found, curve=latency_curve(load, settings.percentile, progress))
    return found


def _picoseconds(ns: float) -> int:
    return round(ns * PS_PER_NS)
