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
from typing import NamedTuple, Protocol


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

    def report(self, trial: int, share: float, costs: Sequence[float] | None, violation: float) -> None:
        """What a job came to: its costs (docs/search.md section 3; less is better), None where the point did not run,
        and by how much it breaks constraints: 0 where feasible, the sum of all excesses, infinite where it did not run.
        """


class WholeOnly:
    """Every configuration once, on the whole workload."""

    name = ""
    shares = (1.0,)

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
