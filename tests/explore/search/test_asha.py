"""Successive halving against the paper's tables, by hand, and against a plain reading of its algorithm."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from explore.search.asha import Asha, Job, bracket, hyperband, rung_resources


def lowest_first(costs: Sequence[float]) -> list[int]:
    return sorted(range(len(costs)), key=lambda i: costs[i])


def asha(n_rungs: int, eta: int = 4) -> Asha[float]:
    return Asha(rung_resources(1, eta ** (n_rungs - 1), eta), eta, lowest_first)


def tell_new(scheduler: Asha[float], costs: Sequence[float]) -> None:
    """Begin new configurations, which all of `get_job` must give, and tell their costs."""
    for cost in costs:
        job = scheduler.get_job()
        assert job.rung == 0
        scheduler.report(job, cost)


# The tables of the papers.


def test_brackets_of_eta_3_n_9_r_1_to_9() -> None:
    """Table 1 of the ASHA paper: (n_i, r_i) of the brackets s = 0, 1, 2."""
    tables = [[(one.n_configurations, one.resource) for one in bracket(9, 1, 9, 3, s)] for s in range(3)]
    assert tables == [[(9, 1), (3, 3), (1, 9)], [(9, 3), (3, 9)], [(9, 9)]]
    budgets = [[one.n_configurations * one.resource for one in bracket(9, 1, 9, 3, s)] for s in range(3)]
    assert budgets == [[9, 9, 9], [27, 27], [81]]


def test_hyperband_of_81_by_3() -> None:
    """Table 1 of Hyperband's paper (R = 81, eta = 3)."""
    found = [[(one.n_configurations, one.resource) for one in rounds] for rounds in hyperband(81, 3)]
    assert found == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_rungs_are_exact() -> None:
    assert rung_resources(Fraction(1, 16), 1, 4) == (Fraction(1, 16), Fraction(1, 4), Fraction(1))
    assert rung_resources(Fraction(1, 16), 1, 4, 1) == (Fraction(1, 4), Fraction(1))
    assert rung_resources(1, 256, 4) == (1, 4, 16, 64, 256)
    assert rung_resources(1, 255, 4) == (1, 4, 16, 64)  # floor(log_eta(R / r))
    assert rung_resources(Fraction(1, 243), 1, 3)[-1] == 1  # a logarithm in floating point is 4.999...


@pytest.mark.parametrize(
    "arguments, told",
    [
        ((1, 9, 1), "eta: wanted 2 or more, got 1"),
        ((0, 9, 3), "resource: wanted a least one above 0"),
        ((10, 9, 3), "not above the most (9), got 10"),
        ((1, 9, 3, 3), "early_stopping_rate: wanted 0 to 2"),
    ],
)
def test_refusals(arguments: tuple[int, ...], told: str) -> None:
    with pytest.raises(InputError) as error:
        rung_resources(*arguments)
    assert told in str(error.value)


def test_a_bracket_too_small_to_end_is_refused() -> None:
    with pytest.raises(InputError, match="n: wanted 9 configurations or more"):
        bracket(8, 1, 9, 3)


# Promotion, by hand.


def test_promotion_by_hand() -> None:
    """eta 2, 3 rungs: the best floor(n / 2) of what is complete may go on, from the top rung down."""
    scheduler = asha(3, eta=2)
    tell_new(scheduler, [5.0, 3.0])
    first = scheduler.get_job()
    assert (first.trial, first.rung, first.resource) == (1, 1, 2)
    tell_new(scheduler, [4.0])  # 3 results: floor(3 / 2) = 1, and the best is on its way
    tell_new(scheduler, [9.0])  # 4 results: the best two are 3.0 and 4.0
    assert scheduler.get_job() == Job(2, 1, Fraction(2))
    scheduler.report(first, 3.5)
    tell_new(scheduler, [8.0])  # one result at rung 1: nobody goes on
    scheduler.report(Job(2, 1, Fraction(2)), 2.5)
    assert scheduler.get_job() == Job(2, 2, Fraction(4))  # better than trial 1 at rung 1, though worse at rung 0
    assert [scheduler.n_promoted(rung) for rung in range(3)] == [2, 1, 0]
    assert scheduler.results(1) == {1: 3.5, 2: 2.5}


def test_the_top_rung_is_asked_first() -> None:
    scheduler = asha(3, eta=2)
    tell_new(scheduler, [1.0, 2.0])
    one = scheduler.get_job()
    tell_new(scheduler, [3.0, 4.0])
    two = scheduler.get_job()
    assert (one.trial, two.trial) == (0, 1)
    third = scheduler.get_job()
    for job, cost in ((one, 1.0), (two, 2.0), (third, 0.5)):
        scheduler.report(job, cost)
    # Trial 4 may go on at rung 0 and trial 0 at rung 1.
    assert [scheduler.get_job() for _ in range(3)] == [
        Job(0, 2, Fraction(4)),
        Job(4, 1, Fraction(2)),
        Job(5, 0, Fraction(1)),
    ]


def test_results_count_once_they_are_told() -> None:
    """What runs is not in the rung: with 4 running nobody goes on, whatever will come of them."""
    scheduler = asha(2)
    jobs = [scheduler.get_job() for _ in range(4)]
    assert [job.trial for job in jobs] == [0, 1, 2, 3]
    for job in jobs[:3]:
        scheduler.report(job, 1.0)
    assert scheduler.get_promotion() is None
    scheduler.report(jobs[3], 0.5)
    assert scheduler.get_promotion() == Job(3, 1, Fraction(4))


def test_a_result_is_told_once() -> None:
    scheduler = asha(2)
    job = scheduler.get_job()
    scheduler.report(job, 1.0)
    with pytest.raises(ValueError, match="trial 0 is not running at rung 0"):
        scheduler.report(job, 1.0)
    with pytest.raises(ValueError, match="not running"):
        scheduler.report(Job(7, 0, Fraction(1)), 1.0)


def test_who_is_left_out_of_the_order_never_goes_on() -> None:
    scheduler: Asha[float] = Asha(
        rung_resources(1, 2, 2), 2, lambda costs: [i for i in lowest_first(costs) if costs[i] < 9]
    )
    tell_new(scheduler, [9.0, 9.0, 9.0, 9.0])
    tell_new(scheduler, [1.0])
    assert scheduler.get_job() == Job(4, 1, Fraction(2))
    assert scheduler.get_job().rung == 0


# Known deviations of public implementations.


def test_promotes_later_and_does_not_stop() -> None:
    """A trial that was not among the best when it ended goes on once the rung has grown.

    Who decides at the moment in which a result arrives, and stops the rest for good, never comes back to trial 1.
    """
    scheduler = asha(2)
    tell_new(scheduler, [1.0, 2.0, 3.0, 4.0])
    assert scheduler.get_job() == Job(0, 1, Fraction(4))
    tell_new(scheduler, [5.0, 6.0, 7.0, 8.0])  # none of these is good
    assert scheduler.get_job() == Job(1, 1, Fraction(4))


def test_nobody_goes_on_or_is_lost_below_eta_results() -> None:
    """With fewer than eta results the best is not known: it neither goes on nor is it pruned."""
    scheduler = asha(2)
    tell_new(scheduler, [1.0, 2.0, 3.0])
    assert scheduler.get_promotion() is None
    tell_new(scheduler, [4.0])
    assert scheduler.get_job() == Job(0, 1, Fraction(4))


def test_the_promoted_are_not_offered_again() -> None:
    """With one place (k = 1) taken, a better one that comes later takes it; with two, the second best goes on."""
    scheduler = asha(2)
    tell_new(scheduler, [2.0, 3.0, 4.0, 5.0])
    assert scheduler.get_job().trial == 0
    tell_new(scheduler, [1.0])  # 5 results, still one place: it is trial 4's now
    assert scheduler.get_job() == Job(4, 1, Fraction(4))
    tell_new(scheduler, [6.0, 7.0])
    scheduler.report(scheduler.get_job(), 8.0)  # 8 results, two places: trials 4 and 0 have gone on
    assert scheduler.get_job().rung == 0
    tell_new(scheduler, [2.5, 9.0, 9.0])  # with the one that runs 12 were begun, 11 are complete
    assert scheduler.get_promotion() is None
    tell_new(scheduler, [9.0])
    assert scheduler.get_job() == Job(9, 1, Fraction(4))  # the third of 12


# A plain reading of algorithm 2, and any order of completion.


class PlainAsha:
    """Algorithm 2 word for word: sorts everything whenever asked."""

    def __init__(self, n_rungs: int, eta: int) -> None:
        self.eta, self.n = eta, 0
        self.rungs: list[dict[int, float]] = [{} for _ in range(n_rungs)]
        self.promoted: set[tuple[int, int]] = set()

    def get_job(self) -> tuple[int, int]:
        for k in range(len(self.rungs) - 2, -1, -1):
            top = sorted(self.rungs[k], key=self.rungs[k].__getitem__)[: len(self.rungs[k]) // self.eta]
            promotable = [trial for trial in top if (k, trial) not in self.promoted]
            if promotable:
                self.promoted.add((k, promotable[0]))
                return promotable[0], k + 1
        self.n += 1
        return self.n - 1, 0


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 4), st.integers(1, 4), st.integers(1, 6), st.data())
def test_equals_the_plain_reading_in_any_order_of_completion(
    eta: int, n_rungs: int, n_workers: int, data: st.DataObject
) -> None:
    fast, plain = asha(n_rungs, eta), PlainAsha(n_rungs, eta)
    running: list[Job] = []
    recorded = []
    for _ in range(60):
        while len(running) < n_workers:
            job = fast.get_job()
            assert (job.trial, job.rung) == plain.get_job()
            running.append(job)
        ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
        cost = data.draw(st.integers(0, 1000)) + len(recorded) / 100  # all differ
        recorded.append((ended, cost))
        fast.report(ended, cost)
        plain.rungs[ended.rung][ended.trial] = cost
    replayed = asha(n_rungs, eta)
    assert _replay(replayed, recorded, n_workers) == running
    assert [replayed.results(k) for k in range(n_rungs)] == plain.rungs


def _replay(scheduler: Asha[float], recorded: Sequence[tuple[Job, float]], n_workers: int) -> list[Job]:
    """What runs after the recorded completions: the same calls in the same order."""
    running: list[Job] = []
    for ended, cost in recorded:
        while len(running) < n_workers:
            running.append(scheduler.get_job())
        running.remove(ended)
        scheduler.report(ended, cost)
    return running


# Time to the first full result.


@pytest.mark.parametrize("resumed, expected", [(False, Fraction(341, 256)), (True, Fraction(1))])
def test_time_to_the_first_full_result(resumed: bool, expected: Fraction) -> None:
    """With 4^4 workers, sum of eta^(i-k) * time(R) = 1.332 time(R) from scratch, time(R) where rungs are resumed."""
    scheduler = asha(5)
    clock = Fraction(0)
    events: list[tuple[Fraction, int, Job]] = []
    n_begun = 0
    while True:
        # More than 256 configurations would not change when the first of them ends.
        while job := scheduler.get_job() if scheduler.n_trials < 256 else scheduler.get_promotion():
            done = scheduler.resources[job.rung - 1] if resumed and job.rung else 0
            heapq.heappush(events, (clock + job.resource - done, n_begun, job))
            n_begun += 1
        clock = events[0][0]
        while events and events[0][0] == clock:  # all that end now are told before workers ask
            _, _, job = heapq.heappop(events)
            scheduler.report(job, (job.trial * 37 % 101) / 101)
        if scheduler.results(4):
            break
    assert clock / 256 == expected
    assert float(Fraction(341, 256)) == pytest.approx(1.332, abs=5e-4)
