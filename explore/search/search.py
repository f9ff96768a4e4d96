"""The search loop: asks a sampler, simulates, tells; resumable from a store, the same on any number of workers.

What comes next is decided by two: the scheduler says whether a new configuration begins or a known one goes on, and
on which share of the workload (explore/search/scheduler.py); for a new one the sampler is asked (samplers.py).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from designs.arguments import expect_whole
from designs.errors import InputError, Interrupted, is_interrupt
from designs.space import Point, Space
from designs.spelling import shown
from designs.technology import Scaling
from explore.evaluate import Row
from explore.progress import Progress, progress_for
from explore.runner import Answer, Job, Runner, WorkersLost, expect_workers, open_runner
from explore.search import DEFAULT_SAMPLER
from explore.search.asking import Asking
from explore.search.domain import Domain
from explore.search.hypervolume import costs, grown
from explore.search.importance import importance
from explore.search.judge import Judge, known_objectives
from explore.search.result import Evaluation, SearchResult
from explore.search.sampler import Proposal, Sampler
from explore.search.samplers import make_sampler
from explore.search.scheduler import Ask, Scheduler, WholeOnly
from explore.store import Store
from explore.sweep import front_of, keys_of
from workloads.parts import Part, part_of

if TYPE_CHECKING:
    from workloads.load import Workload

_ROUNDING = 1e-9  # shares are binary fractions mostly; their sum may be off by rounding


class SearchInterrupted(Interrupted):
    """Ctrl-C during a search; `str()` says what is kept and how to resume."""


def search(
    space: Space,
    workload: Workload,
    *,
    budget: float,
    sampler: str = DEFAULT_SAMPLER,
    seed: int = 0,
    store: Store | None = None,
    scheduler: Scheduler | None = None,
    in_flight: int = 1,
    workers: int | None = None,
    cluster: str | None = None,
    progress: bool = False,
    scaling: Scaling = "stillmaker_baas",
    with_importance: bool = True,
) -> SearchResult:
    """Search a space on a workload for `budget` full evaluations' worth of simulated work.

    The result, but for `computed`, `cached` and `seconds`, is a function of (space, workload, sampler, seed, budget,
    in_flight, scheduler): at most `in_flight` points are asked for and untold, and answers are told in the order in
    which they were asked for. `scheduler` is a fresh one (None: every configuration on the whole workload). Rows reach
    the store one by one, under the keys of sweeps; those it has are not simulated again. Ends before its budget where
    no configuration is left, and says so in `ended`. Without `with_importance` that of the axes is left out: to fit its
    forests takes seconds.
    Raises InputError, one line, for an unknown sampler, a budget below one evaluation, a space without a point that can
    be built, and objectives or constraints that no row can know; SearchInterrupted on Ctrl-C.
    """
    expect_budget(budget)
    expect_whole("in flight", in_flight, 1)
    expect_workers(workers)
    began = time.monotonic()
    scheduler = scheduler or WholeOnly()
    domain = Domain(space)
    chosen = make_sampler(sampler, domain, len(space.objectives), seed)
    parts = {share: part_of(workload, share) for share in scheduler.shares}
    jobs = {_job_name(share): Job(space.family, space.name, part.workload, scaling) for share, part in parts.items()}
    if in_flight == 1 and cluster is None:
        workers = workers or 1  # more could not help: one point is asked for at a time
    title = f"{space.name} on {workload.name}, {'+'.join(filter(None, (sampler, scheduler.name)))}"
    with (
        progress_for(title, int(budget), 0, wanted=progress) as shown,
        open_runner(jobs, workers=workers, cluster=cluster, n_points=int(budget), progress=progress) as runner,
    ):
        loop = _Loop(space, domain, parts, chosen, scheduler, budget, seed, store, runner, shown, scaling)
        try:
            loop.run(in_flight)
            return loop.result(sampler, seed, time.monotonic() - began, with_importance=with_importance)
        except WorkersLost as error:
            raise InputError(f"{error}; {loop.interrupted()}") from error
        except (KeyboardInterrupt, SystemError) as error:
            if not is_interrupt(error):
                raise
            raise SearchInterrupted(loop.interrupted()) from None


def expect_budget(budget: float) -> None:
    """InputError for a budget below one full evaluation."""
    if isinstance(budget, bool) or not isinstance(budget, Real) or not 1 <= budget < float("inf"):
        told = f"{budget:g}" if isinstance(budget, float) else shown(budget)
        raise InputError(f"budget: wanted 1 full evaluation or more, got {told}")


@dataclass(frozen=True)
class _Pending:
    """Asked for and untold."""

    ask: Ask
    origin: str
    point: Point
    is_new: bool
    key: str
    found: Row | None  # from the store
    future: Future[Answer] | None


class _Loop:
    """One search as it goes."""

    def __init__(
        self,
        space: Space,
        domain: Domain,
        parts: Mapping[float, Part],
        sampler: Sampler,
        scheduler: Scheduler,
        budget: float,
        seed: int,
        store: Store | None,
        runner: Runner,
        shown: Progress,
        scaling: Scaling,
    ) -> None:
        self._space, self._domain, self._parts, self._scaling = space, domain, parts, scaling
        self._scheduler, self._budget = scheduler, budget
        self._store, self._runner, self._shown = store, runner, shown
        self._judge = Judge(space, parts[1.0].workload)
        self._asking = Asking(space, domain, sampler, self._judge, seed)
        self._sampler = sampler
        self._trials: list[Proposal] = []
        self._evaluations: list[Evaluation] = []
        self._begun = self._done = 0.0  # work asked for, and told
        self._is_closed = False  # nothing more is asked for
        self._front = np.empty((0, len(space.objectives)))  # costs
        self._n_computed = self._n_cached = 0

    def run(self, in_flight: int) -> None:
        """Until the budget is used, or nothing is left."""
        self._shown.advance(0)
        pending: deque[_Pending] = deque()
        while True:
            while len(pending) < in_flight and (begun := self._begin_next()) is not None:
                pending.append(begun)
            if not pending:
                return
            self._end(pending.popleft())

    def result(self, sampler: str, seed: int, seconds: float, *, with_importance: bool) -> SearchResult:
        """What was found."""
        full = [evaluation for evaluation in self._evaluations if evaluation.share == 1]
        rows = [evaluation.row for evaluation in full]
        objectives = known_objectives(self._space, rows)
        choices = [self._trials[evaluation.trial].choice for evaluation in full]
        shares = importance(self._domain, choices, costs(rows, objectives), objectives, seed) if with_importance else {}
        return SearchResult(
            space=self._space.name,
            family=self._space.family,
            workload=self._parts[1.0].workload.name,
            sampler="+".join(filter(None, (sampler, self._scheduler.name))),
            seed=seed,
            budget=self._budget,
            objectives=objectives,
            constraints=tuple(str(constraint) for constraint in self._space.subject_to),
            evaluations=tuple(self._evaluations),
            n_refused=self._asking.n_refused,
            n_repeated=self._asking.n_repeated,
            computed=self._n_computed,
            cached=self._n_cached,
            seconds=seconds,
            pareto_front=tuple(front_of(self._space, rows)),
            importance=shares,
            fidelities=self._scheduler.fidelities,
            ended=self._asking.ended,
        )

    def interrupted(self) -> str:
        """What to say after Ctrl-C."""
        done = f"search interrupted after {self._done:g} of {self._budget:g} evaluations"
        if self._store is None:
            return f"{done}: nothing is kept; give --store FILE to be able to go on"
        return f"{done}: their rows are kept in {self._store.path}; run it again to go on"

    def _begin_next(self) -> _Pending | None:
        """Begin the next job; None where there is none now, or none that the budget has room for."""
        while not self._is_closed:
            ask = self._scheduler.next(may_begin=not self._asking.ended)
            if ask is None:
                return None
            if self._begun + ask.share > self._budget * (1 + _ROUNDING):
                self._is_closed = True
                return None
            if ask.trial < len(self._trials):
                return self._begin(ask, self._trials[ask.trial], is_new=False)
            proposal = self._asking.next()
            if proposal is not None:
                self._trials.append(proposal)
                return self._begin(ask, proposal, is_new=True)
        return None

    def _begin(self, ask: Ask, proposal: Proposal, *, is_new: bool) -> _Pending:
        self._begun += ask.share
        point = self._domain.point(proposal.choice)
        (key,) = keys_of(self._space, [point], self._parts[ask.share].workload, self._scaling)
        found = self._store.get([key]).get(key) if self._store is not None else None
        future = self._runner.submit(_job_name(ask.share), [point]) if found is None else None
        return _Pending(ask, proposal.origin if is_new else ask.origin, point, is_new, key, found, future)

    def _end(self, pending: _Pending) -> None:
        """Wait for a job, keep its row, tell."""
        row = pending.found
        if row is None:
            assert pending.future is not None
            (row,) = pending.future.result().rows
            if self._store is not None:
                self._store.put([(pending.key, row)])
            self._n_computed += 1
        else:
            self._n_cached += 1
        row = {name: value for name, value in row.items() if name != "layers"} | {"space": self._space.name}
        ask, proposal = pending.ask, self._trials[pending.ask.trial]
        verdict = self._judge.of_row(row, self._parts[ask.share].scale)
        tell = self._sampler.tell if pending.is_new else self._sampler.tell_more
        tell(proposal, verdict.costs, verdict.excesses)
        self._scheduler.report(ask.trial, ask.share, verdict.costs, verdict.violation)
        if ask.share == 1 and verdict.feasible and verdict.costs is not None:
            self._front = grown(self._front, np.array(verdict.costs))
        before = int(self._done + _ROUNDING)
        self._done += ask.share
        self._evaluations.append(
            Evaluation(row=row, share=ask.share, trial=ask.trial, origin=pending.origin, feasible=verdict.feasible)
        )
        self._shown.advance(int(self._done + _ROUNDING) - before, f"front of {len(self._front)}")


def _job_name(share: float) -> str:
    return f"share {share!r}"
