"""Successive halving: many configurations at a small resource, the best of them at more (docs/search.md, section 4).

`Asha` is the asynchronous form (Li et al., MLSys 2020, algorithm 2), `bracket` and `hyperband` are the tables of the
synchronous one (algorithm 1; Li et al., JMLR 2018). Nothing here runs anything: who asks also tells what came out.
Resources are whole numbers or fractions, whatever they count; here they are shares of a workload.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Generic, TypeVar

from designs.errors import InputError

Cost = TypeVar("Cost")


@dataclass(frozen=True)
class Round:
    """A rung of a bracket of synchronous successive halving."""

    n_configurations: int
    resource: Fraction


@dataclass(frozen=True)
class Job:
    """What a free worker does next: the configuration `trial` at `resource`."""

    trial: int  # counted from 0 in the order in which configurations were begun
    rung: int
    resource: Fraction


def rung_resources(
    least: Fraction | int, most: Fraction | int, eta: int, early_stopping_rate: int = 0
) -> tuple[Fraction, ...]:
    """r * eta^(s + k) of each rung k = 0 to floor(log_eta(R / r)) - s, where r is `least` and R is `most`.

    With a larger early-stopping rate s the first rung has more of the resource and there are fewer of them. InputError
    for eta below 2, an r that is not in (0, R], and an s above floor(log_eta(R / r)).
    """
    if eta < 2:
        raise InputError(f"eta: wanted 2 or more, got {eta}; 1 / eta of a rung goes on")
    if not 0 < least <= most:
        raise InputError(f"resource: wanted a least one above 0 and not above the most ({most}), got {least}")
    resources = [Fraction(least)]
    while resources[-1] * eta <= most:
        resources.append(resources[-1] * eta)
    if not 0 <= early_stopping_rate < len(resources):
        raise InputError(
            f"early_stopping_rate: wanted 0 to {len(resources) - 1} (eta {eta}, resources {least} to {most}), "
            f"got {early_stopping_rate}"
        )
    return tuple(resources[early_stopping_rate:])


def bracket(
    n: int, least: Fraction | int, most: Fraction | int, eta: int, early_stopping_rate: int = 0
) -> tuple[Round, ...]:
    """Rounds of synchronous successive halving: floor(n / eta^i) configurations at r * eta^(i + s).

    InputError where none would reach the last round: `n` is below eta^(number of rounds - 1).
    """
    resources = rung_resources(least, most, eta, early_stopping_rate)
    needed = eta ** (len(resources) - 1)
    if n < needed:
        raise InputError(f"n: wanted {needed} configurations or more (eta {eta}, {len(resources)} rungs), got {n}")
    return tuple(Round(n // eta**i, resource) for i, resource in enumerate(resources))


def hyperband(most: Fraction | int, eta: int, least: Fraction | int = 1) -> tuple[tuple[Round, ...], ...]:
    """The brackets of Hyperband, from the one that stops earliest (s_max) to plain search at `most`.

    With s_max = floor(log_eta(R / r)), the bracket of s = s_max, ..., 0 starts ceil((s_max + 1) / (s + 1) * eta^s)
    configurations at R * eta^-s. Here s counts halvings, as in Hyperband's paper; ASHA's rate is s_max - s.
    """
    n_halvings = len(rung_resources(least, most, eta)) - 1
    found = []
    for s in range(n_halvings, -1, -1):
        n = -(-(n_halvings + 1) * eta**s // (s + 1))
        found.append(bracket(n, Fraction(most) / eta**s, most, eta))
    return tuple(found)


@dataclass
class _Rung(Generic[Cost]):
    """Completed results of a rung, in the order in which they were told, and who went on."""

    trials: list[int] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    promoted: set[int] = field(default_factory=set)
    order: list[int] | None = None  # positions in `trials`, best first; None: to be found


class Asha(Generic[Cost]):
    """Asynchronous successive halving. No barriers: a worker that asks always gets something to do.

    `best_first(costs)` gives the positions of costs from the best to the worst, those left out that must never go on;
    costs are compared within a rung only. The answers are a function of the order of calls: nothing is drawn here.
    """

    def __init__(
        self, resources: Sequence[Fraction], eta: int, best_first: Callable[[Sequence[Cost]], Sequence[int]]
    ) -> None:
        if eta < 2 or not resources:
            raise InputError(f"asha: wanted eta of 2 or more and a rung or more, got {eta} and {len(resources)}")
        self.resources = tuple(resources)
        self.eta = eta
        self._best_first = best_first
        self._rungs: list[_Rung[Cost]] = [_Rung() for _ in self.resources]
        self._running: set[tuple[int, int]] = set()
        self._n_trials = 0
        self._first = 0  # rung at which new configurations begin

    @property
    def n_trials(self) -> int:
        """Configurations begun."""
        return self._n_trials

    @property
    def first_rung(self) -> int:
        """Where new configurations begin."""
        return self._first

    def get_job(self) -> Job:
        """What to run next: a promotion from the highest rung that has one, else a new configuration at the lowest.

        Of the completed results of rung k the best floor(n_k / eta) may go on; the first of them that did not yet is
        promoted to rung k + 1. A new configuration's number is that of those begun before: the caller draws it.
        """
        promotion = self.get_promotion()
        if promotion is not None:
            return promotion
        self._n_trials += 1
        return self._begin(self._n_trials - 1, self._first)

    def get_promotion(self) -> Job | None:
        """`get_job` where no configuration is left to draw: None where nobody may go on now."""
        for rung in range(len(self._rungs) - 2, self._first - 1, -1):
            trial = self._promotable(rung)
            if trial is not None:
                self._rungs[rung].promoted.add(trial)
                return self._begin(trial, rung + 1)
        return None

    def begin_at(self, rung: int) -> None:
        """New configurations begin at this rung from now on, and none goes on from below: a larger early-stopping rate.

        Only upwards, to the top rung at most; ValueError otherwise.
        """
        if not self._first <= rung < len(self._rungs):
            raise ValueError(f"rung: wanted {self._first} to {len(self._rungs) - 1}, got {rung}")
        self._first = rung

    def report(self, job: Job, cost: Cost) -> None:
        """The result of a job, once; ValueError for one that is not running."""
        if (job.trial, job.rung) not in self._running:
            raise ValueError(f"trial {job.trial} is not running at rung {job.rung}")
        self._running.remove((job.trial, job.rung))
        rung = self._rungs[job.rung]
        rung.trials.append(job.trial)
        rung.costs.append(cost)
        rung.order = None

    def results(self, rung: int) -> dict[int, Cost]:
        """Cost of each trial that completed a rung, in the order in which they were told."""
        of_rung = self._rungs[rung]
        return dict(zip(of_rung.trials, of_rung.costs, strict=True))

    def n_promoted(self, rung: int) -> int:
        """Trials of a rung that went on to the next one."""
        return len(self._rungs[rung].promoted)

    def _promotable(self, rung: int) -> int | None:
        of_rung = self._rungs[rung]
        n_best = len(of_rung.trials) // self.eta
        if n_best == 0:
            return None
        if of_rung.order is None:
            of_rung.order = list(self._best_first(of_rung.costs))
        best = (of_rung.trials[position] for position in of_rung.order[:n_best])
        return next((trial for trial in best if trial not in of_rung.promoted), None)

    def _begin(self, trial: int, rung: int) -> Job:
        self._running.add((trial, rung))
        return Job(trial, rung, self.resources[rung])
