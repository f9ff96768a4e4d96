"""Samplers by name: what proposes the next configuration, and learns from what became of the last ones.

Those of Optuna see each axis as one number: its place among the axis's values where these are numbers in order, a
category elsewhere. Axes that are not active are proposed too and have no influence (docs/search.md, section 5).
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import Trial, TrialState

from designs.arguments import expect_one_of
from designs.errors import InputError
from explore.search.domain import Choice, Domain
from explore.search.sampler import N_START, Proposal, Sampler
from explore.search.surrogate import Surrogate

POPULATION = 40  # of the genetic samplers: 500 evaluations are then a dozen generations


def expect_sampler(name: str) -> None:
    """InputError, one line, where there is no such sampler, or where what it needs is not installed."""
    expect_one_of("sampler", name, SAMPLERS)
    if name == "gp" and importlib.util.find_spec("torch") is None:
        raise InputError("sampler: wanted torch for gp, got none installed; pip install 'lockstep[gp]'")


def make_sampler(name: str, domain: Domain, n_objectives: int, seed: int) -> Sampler:
    """The sampler of that name for a domain; InputError as `expect_sampler`."""
    expect_sampler(name)
    return SAMPLERS[name](name, domain, n_objectives, seed)


class OptunaSampler:
    """A sampler of Optuna over a study in memory."""

    def __init__(self, name: str, domain: Domain, n_objectives: int, seed: int) -> None:
        self._name, self._domain = name, domain
        with quiet():
            self._sampler = _OPTUNA[name](seed)
            self.study = optuna.create_study(directions=["minimize"] * n_objectives, sampler=self._sampler)
        self._distributions = distributions(domain)
        self._worst: list[float] | None = None
        self._waiting: list[tuple[Proposal, Sequence[float]]] = []  # did not run, before any did

    def ask(self) -> Proposal:
        """The next configuration."""
        with quiet():
            trial = self.study.ask(self._distributions)
        return Proposal(self._choice(trial), self._origin(trial), trial)

    def ask_for(self, choice: Choice, origin: str) -> Proposal:
        """A configuration that the loop chose."""
        places = dict(zip(self._distributions, choice, strict=True))
        self.study.enqueue_trial(places)
        return self.ask()._replace(choice=choice, origin=origin)

    def tell(self, proposal: Proposal, costs: Sequence[float] | None, excesses: Sequence[float]) -> None:
        """One that did not run counts as bad as the worst that did, and as infeasible; told once there is a worst."""
        if costs is not None:
            self._worst = [max(pair) for pair in zip(costs, self._worst or costs, strict=True)]
            self._finish(proposal, costs, excesses)
            waiting, self._waiting = self._waiting, []
        else:
            waiting = [(proposal, excesses)]
        for late, of_late in waiting:
            if self._worst is None:
                self._waiting.append((late, of_late))
            else:
                self._finish(late, self._worst, of_late)

    def tell_more(self, proposal: Proposal, costs: Sequence[float] | None, excesses: Sequence[float]) -> None:
        """A trial more at the same place: what was told of one cannot be taken back. In no population."""
        if costs is None:
            return
        constraints = {str(index): float(excess) for index, excess in enumerate(excesses)}
        params = dict(zip(self._distributions, proposal.choice, strict=True))
        with quiet():
            self.study.add_trial(
                optuna.trial.create_trial(
                    params=params, distributions=self._distributions, values=list(costs), constraints=constraints
                )
            )

    def drop(self, proposal: Proposal) -> None:
        """Failed trials are in no model and in no population."""
        self.study.tell(proposal.ticket, state=TrialState.FAIL)

    def _finish(self, proposal: Proposal, costs: Sequence[float], excesses: Sequence[float]) -> None:
        trial: Trial = proposal.ticket
        for index, excess in enumerate(excesses):
            trial.set_constraint(str(index), float(excess))
        with quiet():
            self.study.tell(trial, list(costs))

    def _choice(self, trial: Trial) -> Choice:
        return self._domain.canonical([int(trial.params[name]) for name in self._distributions])

    def _origin(self, trial: Trial) -> str:
        sampler = self._sampler
        if isinstance(sampler, optuna.samplers.BaseGASampler):
            generation = sampler.get_trial_generation(self.study, self.study.get_trials(deepcopy=False)[trial.number])
            return f"generation {generation}" if generation else "random start"
        if self._name in ("tpe", "gp"):
            n_done = sum(done.state == TrialState.COMPLETE for done in self.study.get_trials(deepcopy=False))
            return self._name if n_done >= N_START else "random start"
        return self._name


def distributions(domain: Domain) -> dict[str, BaseDistribution]:
    """Axis -> how Optuna sees it: a step of an ordered axis, a category of others."""
    return {
        axis.name: IntDistribution(0, size - 1) if ordered else CategoricalDistribution(tuple(range(size)))
        for axis, size, ordered in zip(domain.axes, domain.sizes, domain.ordered, strict=True)
    }


_OPTUNA: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "qmc": lambda seed: optuna.samplers.QMCSampler(scramble=True, seed=seed, warn_independent_sampling=False),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed, n_startup_trials=N_START, multivariate=True),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION),
    "nsga3": lambda seed: optuna.samplers.NSGAIIISampler(seed=seed, population_size=POPULATION),
    "gp": lambda seed: optuna.samplers.GPSampler(
        seed=seed, n_startup_trials=N_START, deterministic_objective=True, warn_independent_sampling=False
    ),
}

SAMPLERS: dict[str, Callable[[str, Domain, int, int], Sampler]] = {
    **dict.fromkeys(_OPTUNA, OptunaSampler),
    "surrogate": Surrogate,
}


@contextmanager
def quiet() -> Iterator[None]:
    """No remarks of Optuna's on what is new in it, nor that a study was made; its warnings of faults remain."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
