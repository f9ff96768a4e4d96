"""Which job comes next: a new configuration or one known at a smaller share of the workload. The loop's side of ASHA.

`explore.search.search.search` asks and tells in one process, in an order that depends on nothing but the answers:

    while something fits into the budget:
        ask = scheduler.next(may_begin=...)     # at most `in_flight` asked and untold
        if ask.trial is new: the sampler is asked for a configuration (one that was not evaluated before)
        the configuration runs on `workloads.parts.part_of(workload, ask.share)`; the whole workload where share is 1
        scheduler.report(ask.trial, ask.share, costs, violation)   # first asked, first told
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, Protocol

from explore.search.asha import Asha, Job, rung_resources
from explore.search.fidelity import Fidelity, fidelity_of
from explore.search.ranking import Outcome, best_first


class Ask(NamedTuple):
    """One job."""

    trial: int  # of a configuration, counted from 0 in the order in which new ones were begun
    share: float  # of the workload, in (0, 1]; one of the scheduler's `shares`
    origin: str = ""  # of a promotion, as "promoted to rung 2"; of a new trial the sampler's words count


class Scheduler(Protocol):
    """Decides which configuration is simulated next, and on how much of the workload. Deterministic, never waits."""

    @property
    def name(self) -> str:
        """Behind the sampler's name in results, as "asha"; empty where every trial runs whole at once."""

    @property
    def shares(self) -> tuple[float, ...]:
        """All shares that `next` may name, ascending; the last is 1."""

    def next(self, *, may_begin: bool = True) -> Ask | None:
        """The job to begin now, whatever is in flight: a promotion of a trial that was reported, or a new trial.

        A new trial's number is how many were begun before. Without `may_begin` (no configuration is left) promotions
        only; None where there is none now. What is returned counts as begun: it is not returned again.
        """

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """What each share below 1 was found to tell of the whole, in the order of `shares`."""

    def report(self, trial: int, share: float, costs: Sequence[float] | None, violation: float) -> None:
        """What a job came to: its costs (docs/search.md section 3; less is better), None where the point did not run,
        and by how much it breaks constraints: 0 where feasible, the sum of all excesses, infinite where it did not run.
        """


class WholeOnly:
    """Every configuration once, on the whole workload."""

    name = ""
    shares = (1.0,)
    fidelities: tuple[Fidelity, ...] = ()

    def __init__(self) -> None:
        self._n_begun = 0

    def next(self, *, may_begin: bool = True) -> Ask | None:
        """A new trial."""
        if not may_begin:
            return None
        self._n_begun += 1
        return Ask(self._n_begun - 1, 1.0)

    def report(self, trial: int, share: float, costs: Sequence[float] | None, violation: float) -> None:
        """Nothing follows from it."""


class Halving:
    """ASHA over shares of the workload: 1 in `eta` goes on, to `eta` times the share; the last rung is the whole.

    `n_rungs` shares: 1, 1 / eta, 1 / eta^2, ... Ranks within a rung: explore/search/ranking.py. A share that is found
    to tell nothing of the whole (explore/search/fidelity.py) is refused: new configurations begin at the next one.
    """

    name = "asha"

    def __init__(self, eta: int = 4, n_rungs: int = 3) -> None:
        resources = rung_resources(Fraction(1, eta ** (n_rungs - 1)), 1, eta)
        self.shares: tuple[float, ...] = tuple(float(resource) for resource in resources)
        self._asha: Asha[Outcome] = Asha(resources, eta, best_first)
        self._running: dict[tuple[int, float], Job] = {}
        self._begun: set[int] = set()

    @property
    def fidelities(self) -> tuple[Fidelity, ...]:
        """By the trials that ran on both, feasible or not."""
        whole = self._costs(len(self.shares) - 1)
        found = []
        for rung, share in enumerate(self.shares[:-1]):
            of_part = self._costs(rung)
            both = [trial for trial in whole if trial in of_part]
            found.append(fidelity_of(share, [of_part[trial] for trial in both], [whole[trial] for trial in both]))
        return tuple(found)

    def next(self, *, may_begin: bool = True) -> Ask | None:
        """The job of `Asha.get_job`."""
        job = self._asha.get_job() if may_begin else self._asha.get_promotion()
        if job is None:
            return None
        is_new = job.trial not in self._begun
        self._begun.add(job.trial)
        ask = Ask(job.trial, self.shares[job.rung], "" if is_new else f"promoted to rung {job.rung}")
        self._running[ask.trial, ask.share] = job
        return ask

    def report(self, trial: int, share: float, costs: Sequence[float] | None, violation: float) -> None:
        """The result of a job in flight."""
        job = self._running.pop((trial, share))
        self._asha.report(job, Outcome(tuple(costs or ()), violation))
        if share == 1 and costs is not None:
            refuted = [rung for rung, fidelity in enumerate(self.fidelities) if fidelity.is_refuted]
            if refuted and refuted[-1] >= self._asha.first_rung:
                self._asha.begin_at(refuted[-1] + 1)

    def _costs(self, rung: int) -> dict[int, tuple[float, ...]]:
        return {trial: outcome.costs for trial, outcome in self._asha.results(rung).items() if outcome.costs}
