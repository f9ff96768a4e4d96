"""The queue: traces by hand, closed forms of queueing theory, and a recurrence that needs no events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explore.scenarios.queue import Served, serve
from explore.scenarios.server import arrivals_ps
from explore.scenarios.service import PS_PER_S, Service


def service(*busy_ps: int, answer_ps: Sequence[int] | None = None, name: str = "a") -> Service:
    return Service(name=name, busy_ps=busy_ps, answer_ps=tuple(answer_ps or busy_ps))


def at(*arrivals: int) -> np.ndarray:
    return np.array(arrivals, np.int64)


def test_one_accelerator_serves_in_order() -> None:
    found = serve(at(0, 1, 2, 40), [service(10)], max_batch=1)
    assert found.latency_ps.tolist() == [10, 19, 28, 10]
    assert (found.n_batches, found.busy_ps, found.end_ps, found.mean_batch) == (4, (40,), 50, 1.0)
    assert found.utilization == 40 / 50
    assert [found.tail_ps(p) for p in (50, 75, 76, 99)] == [10, 19, 28, 28]


def test_who_waits_when_an_accelerator_becomes_idle_comes_along() -> None:
    found = serve(at(0, 1, 2, 10, 11), [service(10, 12, 14)], max_batch=3)
    # alone at 0; at 10 the three that came until then, that of 10 included; at 24 the last
    assert found.latency_ps.tolist() == [10, 23, 22, 14, 23]
    assert found.n_batches == 3


def test_a_batch_waits_for_its_window_or_until_it_is_full() -> None:
    found = serve(at(0, 3, 100, 101, 102), [service(10, 12, 14)], max_batch=3, window_ps=5)
    # the first two leave at 5, when the first has waited 5; the last three when they are three
    assert found.latency_ps.tolist() == [17, 14, 16, 15, 14]


def test_of_idle_accelerators_the_first_is_taken_and_whoever_is_idle_in_time() -> None:
    fast, slow = service(10, name="fast"), service(30, name="slow")
    found = serve(at(0, 1, 2, 10), [fast, slow], max_batch=1)
    # fast 0-10, slow 1-31, then fast 10-20 for the query of 2, which came before that of 10, and 20-30
    assert found.latency_ps.tolist() == [10, 30, 18, 20]
    assert found.busy_ps == (30, 30)
    assert serve(at(0, 10), [fast, slow], max_batch=1).busy_ps == (20, 0)  # idle again at the very moment


def test_a_pipeline_starts_the_next_batch_before_it_has_answered() -> None:
    found = serve(at(0, 0, 0), [service(2, answer_ps=[9])], max_batch=1)
    assert found.latency_ps.tolist() == [9, 11, 13] and found.end_ps == 13


def test_a_run_gives_up_once_too_many_are_late() -> None:
    arrivals = at(0, 1, 2, 3, 4)
    assert not serve(arrivals, [service(10)], max_batch=1, bound_ps=37, most_late=1).gave_up  # 10 19 28 37 46
    found = serve(arrivals, [service(10)], max_batch=1, bound_ps=27, most_late=1)
    assert found.gave_up and len(found.latency_ps) == 4


def by_recurrence(
    arrivals: list[int], accelerators: Sequence[Service], max_batch: int, window_ps: int
) -> tuple[list[int], list[int]]:
    """Latencies and sizes of batches, from the definition: when each batch starts follows from those before it."""
    free = [0] * len(accelerators)
    latencies: list[int] = []
    sizes: list[int] = []
    while len(latencies) < len(arrivals):
        waiting = arrivals[len(latencies) :]
        ready = waiting[0] + window_ps
        if len(waiting) >= max_batch:
            ready = min(ready, waiting[max_batch - 1])
        start = max(ready, min(free))
        place = next(k for k, since in enumerate(free) if since <= start)
        batch = [t for t in waiting[:max_batch] if t <= start]
        free[place] = start + accelerators[place].busy_ps[len(batch) - 1]
        latencies += [start + accelerators[place].answer_ps[len(batch) - 1] - t for t in batch]
        sizes.append(len(batch))
    return latencies, sizes


@st.composite
def loads(draw: st.DrawFn) -> tuple[list[int], list[Service], int, int]:
    max_batch = draw(st.integers(1, 4))
    times = st.lists(st.integers(1, 12), min_size=max_batch, max_size=max_batch)
    accelerators = [
        service(*busy, answer_ps=[b + draw(st.integers(0, 9)) for b in busy])
        for busy in draw(st.lists(times, min_size=1, max_size=3))
    ]
    gaps = draw(st.lists(st.integers(0, 9), min_size=1, max_size=40))
    return np.cumsum(gaps).tolist(), accelerators, max_batch, draw(st.integers(0, 12))


@given(loads())
@settings(max_examples=300, deadline=None)
def test_the_simulation_is_the_recurrence(drawn: tuple[list[int], list[Service], int, int]) -> None:
    arrivals, accelerators, max_batch, window_ps = drawn
    found = serve(at(*arrivals), accelerators, max_batch=max_batch, window_ps=window_ps)
    latencies, sizes = by_recurrence(arrivals, accelerators, max_batch, window_ps)
    assert found.latency_ps.tolist() == latencies and found.n_batches == len(sizes)


def lindley(arrivals: np.ndarray, services: np.ndarray) -> np.ndarray:
    """Latencies of one server without batches, vectorized: W = S - running minimum of S (Lindley 1952)."""
    before = np.concatenate([[0], np.cumsum(services)[:-1]])
    start = np.maximum.accumulate(arrivals - before) + before
    return start + services - arrivals


def test_the_simulation_is_lindleys_recursion() -> None:
    arrivals = arrivals_ps(20_000, 900_000, seed=5)
    found = serve(arrivals, [service(10**6)], max_batch=1)
    np.testing.assert_array_equal(found.latency_ps, lindley(arrivals, np.full(20_000, 10**6)))


RUNS, EACH = 24, 4_000  # independent runs, for the spread of their means; queries of each, after as many to warm up


def waits(rate_per_s: float, accelerators: Sequence[Service], each: int = EACH) -> np.ndarray:
    """Mean wait, in seconds, of each of RUNS runs in steady state (the first half of a run is left out)."""
    found = []
    for seed in range(RUNS):
        run = serve(arrivals_ps(2 * each, rate_per_s, seed), accelerators, max_batch=1)
        found.append(float(np.mean(run.latency_ps[each:] - accelerators[0].answer_ps[0])) / PS_PER_S)
    return np.array(found)


def within(means: np.ndarray, expected: float) -> bool:
    """Whether the expected mean lies within 3.5 standard errors of the mean of independent runs."""
    return abs(float(means.mean()) - expected) <= 3.5 * float(means.std(ddof=1)) / np.sqrt(len(means))


@pytest.mark.parametrize("load", [0.3, 0.5, 0.7])
def test_mean_wait_is_that_of_m_d_1(load: float) -> None:
    """Pollaczek-Khinchine for constant service times D: W = rho D / (2 (1 - rho))."""
    means = waits(load * 1e6, [service(10**6)])
    assert within(means, load * 1e-6 / (2 * (1 - load)))


def test_mean_wait_of_two_servers_lies_between_its_bounds() -> None:
    """Two servers with constant times wait at least half, and at most, what exponential times wait (Erlang C)."""
    load = 0.7
    means = waits(2 * load * 1e6, [service(10**6), service(10**6)])
    a = 2 * load
    erlang_c = (a**2 / 2 / (1 - load)) / (1 + a + a**2 / 2 / (1 - load))
    of_m_m_2 = erlang_c * 1e-6 / (2 * (1 - load))
    error = 3.5 * float(means.std(ddof=1)) / np.sqrt(len(means))
    assert of_m_m_2 / 2 - error < means.mean() < of_m_m_2 + error


class Drawn(Sequence[int]):
    """Service times that differ from query to query, exponential: what no accelerator has, for closed forms only."""

    def __init__(self, n: int, seed: int) -> None:
        self.times = np.rint(np.random.default_rng(seed).exponential(1e6, n)).astype(np.int64) + 1
        self._reads = 0

    def __getitem__(self, _: object) -> int:  # type: ignore[override]
        """The time of the next query: read once as how long it is busy, once as how long it takes to answer."""
        self._reads += 1
        return int(self.times[(self._reads - 1) // 2])

    def __len__(self) -> int:
        return 1


def test_mean_and_tail_of_m_m_1() -> None:
    """Latency is exponential: its mean is 1 / (mu - lambda), its 90th percentile ln 10 times that."""
    load, n = 0.5, 2 * EACH
    means, tails = [], []
    for seed in range(RUNS):
        arrivals, drawn = arrivals_ps(n, load * 1e6, seed), Drawn(n, 1000 + seed)
        found = serve(arrivals, [Service(name="m", busy_ps=drawn, answer_ps=drawn)], max_batch=1)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found.latency_ps, lindley(arrivals, drawn.times))
        means.append(found.latency_ps[EACH:].mean() / PS_PER_S)
        tails.append(np.quantile(found.latency_ps[EACH:], 0.9) / PS_PER_S)
    assert within(np.array(means), 1e-6 / (1 - load))
    assert within(np.array(tails), np.log(10) * 1e-6 / (1 - load))


def test_runs_depend_on_the_seed_only() -> None:
    def run(seed: int) -> Served:
        return serve(arrivals_ps(500, 1e6, seed), [service(10**6)], max_batch=1)

    assert run(1).latency_ps.tolist() == run(1).latency_ps.tolist() != run(2).latency_ps.tolist()
    np.testing.assert_array_equal(arrivals_ps(9, 1e3, 4), np.rint(arrivals_ps(9, 1e-3, 4) / 1e6))
