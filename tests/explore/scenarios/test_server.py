"""Rates, streams, throughput and numbers of queries: by hand, by closed forms, and against trying every rate."""

from __future__ import annotations

import numpy as np
import pytest

from designs.errors import InputError
from explore.scenarios.query_count import most_late, n_queries, n_queries_needed
from explore.scenarios.queue import serve
from explore.scenarios.run import Settings, expect_scenarios, run_system
from explore.scenarios.server import TOLERANCE, ServerLoad, arrivals_ps, largest_rate, latency_curve
from explore.scenarios.service import Service
from explore.scenarios.streams import multi_stream, offline, single_stream

MS = 10**9  # picoseconds


def service(*busy_ps: int, answer_ps: tuple[int, ...] | None = None) -> Service:
    return Service(name="a", busy_ps=busy_ps, answer_ps=answer_ps or busy_ps)


@pytest.mark.parametrize(
    ("percentile", "needed", "rounded"),
    [(90, 23_886, 24_576), (95, 50_426, 57_344), (97, 85_812, 90_112), (99, 262_742, 270_336)],
)
def test_the_number_of_queries_is_that_of_mlperf_inference(percentile: float, needed: int, rounded: int) -> None:
    assert (n_queries_needed(percentile), n_queries(percentile)) == (needed, rounded)


def test_how_many_may_be_late() -> None:
    assert [most_late(n, 99) for n in (1, 99, 100, 199, 200, 270_336)] == [0, 0, 1, 1, 2, 2703]
    with pytest.raises(InputError, match="percentile: wanted 50 to 99.99, got 100"):
        most_late(10, 100)


def load(*accelerators: Service, n: int = 4_000, max_batch: int = 1, window_ps: int = 0, seed: int = 0) -> ServerLoad:
    return ServerLoad(accelerators, max_batch, window_ps, n, seed)


@pytest.mark.parametrize("bound_ms", [1.5, 3.0, 12.0])
def test_the_largest_rate_is_that_of_trying_them_all(bound_ms: float) -> None:
    """One accelerator without batches: Lindley's recursion tells the percentile at any rate, and it only grows."""
    given, bound_ps = load(service(MS)), round(bound_ms * MS)
    found = largest_rate(given, bound_ps, 99)
    assert found.failing_per_s is not None and found.latency_ns is not None and found.utilization is not None

    def tail_ps(rate: float) -> int:
        arrivals = arrivals_ps(given.n_queries, rate, 0)
        before = np.arange(given.n_queries) * MS
        latency = np.maximum.accumulate(arrivals - before) + before + MS - arrivals
        return int(np.sort(latency)[-1 - most_late(given.n_queries, 99)])

    assert tail_ps(found.rate_per_s) == found.latency_ns * 1000 <= bound_ps < tail_ps(found.failing_per_s)
    assert found.failing_per_s / found.rate_per_s <= 1 + TOLERANCE
    assert found.capacity_per_s == 1000 and found.mean_batch == 1
    assert found.utilization == pytest.approx(found.rate_per_s / 1000, rel=0.05)


def test_a_bound_below_the_service_time_is_kept_at_no_rate() -> None:
    found = largest_rate(load(service(MS)), MS - 1, 99)
    assert (found.rate_per_s, found.failing_per_s, found.latency_ns) == (0.0, 1000.0, None)


def test_a_bound_that_the_capacity_keeps_is_not_tried_further() -> None:
    found = largest_rate(load(service(MS), n=50), 10_000 * MS, 99)
    assert (found.rate_per_s, found.failing_per_s) == (1000.0, None)


def test_batches_that_save_time_let_a_server_take_more() -> None:
    alone, batched = (largest_rate(load(service(10, 11, 12, 13), n=2_000, max_batch=b), 40, 97) for b in (1, 4))
    assert batched.rate_per_s > 1.5 * alone.rate_per_s and batched.mean_batch is not None and batched.mean_batch > 1.2


def test_two_accelerators_take_more_than_twice_what_one_does() -> None:
    """Pooling: an M/D/2 queue waits less than an M/D/1 queue at the same load."""
    one, two = (largest_rate(load(*[service(MS)] * n), 4 * MS, 99) for n in (1, 2))
    assert two.rate_per_s > 2 * one.rate_per_s and two.capacity_per_s == 2 * one.capacity_per_s


def test_a_search_depends_on_the_seed_only() -> None:
    assert largest_rate(load(service(MS), seed=3), 3 * MS, 99) == largest_rate(load(service(MS), seed=3), 3 * MS, 99)
    assert largest_rate(load(service(MS), seed=3), 3 * MS, 99) != largest_rate(load(service(MS), seed=4), 3 * MS, 99)


def test_curves_rise_to_the_capacity() -> None:
    curve = latency_curve(load(service(MS)), 99)
    assert [point.rate_per_s for point in curve] == sorted(point.rate_per_s for point in curve)
    assert all(a.latency_ns <= b.latency_ns for a, b in zip(curve, curve[1:], strict=False))
    assert curve[-1].rate_per_s == 950


def test_streams_by_hand() -> None:
    four = service(10, 14, 18, 22)  # 4 samples in 22
    assert [multi_stream([four], 4, t, 99).n_streams for t in (9, 10, 21, 22, 44, 66)] == [0, 1, 3, 4, 8, 12]
    assert multi_stream([four, four], 4, 22, 99).n_streams == 8
    found = multi_stream([four], 1, 35, 97)
    assert (found.n_streams, found.latency_ns, found.n_queries, found.is_largest) == (3, 0.03, 90_112, True)


def test_the_number_of_streams_holds_in_the_long_run_and_one_more_does_not() -> None:
    accelerators = [service(10, 14, 18), service(15, 22, 29)]
    n = multi_stream(accelerators, 3, 100, 99).n_streams
    for streams, all_in_time in ((n, True), (n + 1, False)):
        arrivals = np.repeat(np.arange(200) * 100, streams)
        latest = int(serve(arrivals, accelerators, max_batch=3).latency_ps.max())
        assert (latest <= 100) is all_in_time


def test_single_stream_and_offline_by_hand() -> None:
    pipeline = service(2, answer_ps=(9,))
    found = single_stream([pipeline])
    assert (found.latency_ns, found.percentile, found.n_queries) == (0.009, 90, 1024)
    at_once = offline([pipeline, pipeline], 1, 10)  # five each: the last starts at 8 and is answered at 17
    assert (at_once.seconds, at_once.throughput_per_s) == (17e-12, 10 / 17e-12)


def test_all_scenarios_of_a_system_and_only_what_is_asked_for() -> None:
    settings = Settings(max_batch=2, queries=500, bound_ms=5, interval_ms=10)
    found = run_system("s", "w", [service(MS, MS)], ("server", "offline"), settings, curve=True)
    assert found.single_stream is None and found.multi_stream is None and found.server and found.offline
    assert found.offline.throughput_per_s == pytest.approx(2000) and len(found.curve) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_batch": 0}, "--max-batch: wanted 1 to 1024, got 0"),
        ({"bound_ms": 0}, "--bound-ms: wanted 1e-06 to 1e.09, got 0"),
        ({"bound_ms": float("nan")}, "--bound-ms: wanted 1e-06 to 1e.09, got nan"),
        ({"window_us": -1}, "--window-us: wanted 0 to 1e.09, got -1"),
        ({"percentile": 100}, "percentile: wanted 50 to 99.99, got 100"),
        ({"percentile": "99"}, "--percentile: wanted 50 to 99.99, got '99'"),
        ({"seed": 1.5}, "--seed: wanted 0 to 9223372036854775808, got 1.5"),
        ({"queries": 0}, "--queries: wanted 1 to 67108864, got 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Settings(**options)  # type: ignore[arg-type]


def test_a_scenario_that_there_is_not() -> None:
    with pytest.raises(InputError, match="--scenario: wanted single_stream, .*, got 'sever' .did you mean 'server'"):
        expect_scenarios(["sever"])


def test_a_run_too_long_for_its_clock_is_refused() -> None:
    with pytest.raises(InputError, match="--queries: wanted a run of at most 53 days, got 1,000 queries at 1e-05"):
        arrivals_ps(1000, 1e-5, 0)
