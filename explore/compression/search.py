"""The search: bisection for the accuracy floor, then Bayesian optimization of what is only known by training.

Costs are formulas: every choice has its bytes, cycles and energy without being trained. Accuracy is not, so a Gaussian
process models the logarithm of the share of wrong labels by how far each layer's weights are from real ones, and the
next trial is the choice with the largest expected improvement under the constraint: log(best cost / cost) times the
probability that the floor is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from designs.arguments import expect_one_of, expect_real, expect_seed, expect_whole
from explore.compression.choices import Choice, Choices
from explore.compression.model import Tried, chances
from explore.compression.subject import Subject
from explore.compression.trial import (
    OBJECTIVES,
    Machine,
    Objective,
    Training,
    kept_trial,
    untrained_costs,
    weight_errors,
)

MOST_TRIALS = 10
N_BISECTIONS = 3
POOL = 400  # choices whose costs are told; of a space that has more, these many at random and those between
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One full evaluation: trained, run on the validation images, simulated."""

    choice: Choice
    origin: str  # bisection, or expected improvement
    n_wrong: int
    n_images: int
    costs: Mapping[str, float]
    feasible: bool  # keeps the floor

    @property
    def accuracy(self) -> float:
        return 1 - self.n_wrong / self.n_images


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found."""

    objective: Objective
    accuracy_floor: float
    trials: tuple[Trial, ...]  # in order
    best: Trial | None  # the cheapest that keeps the floor and costs less than the reference; None: there was none
    reference_accuracy: float  # on the validation images
    reference_costs: Mapping[str, float]


def search(
    subject: Subject,
    machine: Machine,
    choices: Choices,
    *,
    accuracy_floor: float,
    objective: Objective,
    training: Training,
    budget: int = MOST_TRIALS,
    seed: int = 0,
    known: Callable[[Choice], Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> Found:
    """The cheapest network whose accuracy on the validation images keeps the floor, in at most `budget` trainings.

    Deterministic by `seed`, which is that of pool and model; trainings have seed 0, so that searches share them.
    `known` answers trials (and `untrained` costs and `errors`) that are there already. InputError for a floor outside
    0 to 1, a budget outside 1 to 10.
    """
    expect_settings(accuracy_floor, budget, objective, seed)
    with threadpool_limits(1):  # small matrices: threads would only wait for each other
        return _Search(subject, machine, choices, accuracy_floor, objective, training, seed, known, progress).run(
            budget
        )


def expect_settings(accuracy_floor: float, budget: int, objective: str, seed: int) -> None:
    """InputError, one line, for what `search` does not take."""
    expect_real("floor", accuracy_floor, 0, 1)
    expect_whole("budget", budget, 1, MOST_TRIALS)
    expect_one_of("minimize", objective, OBJECTIVES)
    expect_seed(seed)


class _Search:
    def __init__(
        self, subject: Subject, machine: Machine, choices: Choices, floor: float, objective: Objective,
        training: Training, seed: int, known: Callable[[Choice], Mapping[str, Any]] | None, progress: Progress | None,
    ) -> None:  # fmt: skip
        self._subject, self._machine, self._choices = subject, machine, choices
        self._floor, self._objective, self._training, self._seed = floor, objective, training, seed
        self._known, self._tell = known, progress or (lambda what, n_done, n_all: None)
        self._trials: list[Trial] = []
        reference = subject.reference
        self._reference_costs = machine.costs(reference)
        labels = machine.labels(reference, machine.best(reference, "cycles")["point"], subject.validation.images)
        self._reference_wrong = int(np.sum(labels != subject.validation.labels))
        self._n_images = len(labels)

    def run(self, budget: int) -> Found:
        self._bisect(min(N_BISECTIONS, budget), budget)
        pool = self._pool() if len(self._trials) < budget else []
        costs, errors = self._told(pool)
        while len(self._trials) < budget:
            chosen = self._next(pool, costs, errors)
            if chosen is None:
                break  # nothing left that would cost less
            self._try(pool[chosen], "expected improvement", budget)
        best = self._best()
        return Found(
            objective=self._objective, accuracy_floor=self._floor, trials=tuple(self._trials), best=best,
            reference_accuracy=1 - self._reference_wrong / self._n_images, reference_costs=self._reference_costs,
        )  # fmt: skip

    def _pool(self) -> list[Choice]:
        most = POOL if self._known is None else self._choices.n_choices
        between = [self._choices.at(level) for level in np.linspace(0, 1, 9)] if most < self._choices.n_choices else []
        return [*between, *self._choices.sample(most, self._seed)]

    def _bisect(self, n: int, budget: int) -> None:
        """Trials on the way from no compression to the most on all axes alike, around the floor."""
        low, high = 0.0, 1.0
        for _ in range(n):
            level = (low + high) / 2
            choice = self._choices.at(level)
            feasible = next((t.feasible for t in self._trials if t.choice == choice), None)
            if feasible is None:
                feasible = self._try(choice, "bisection", budget).feasible
            low, high = (level, high) if feasible else (low, level)

    def _try(self, choice: Choice, origin: str, budget: int) -> Trial:
        self._tell("trials", len(self._trials), budget)
        if self._known is None:
            found: Mapping[str, Any] = kept_trial(self._subject, self._machine, choice, self._training, 0)
        else:
            found = self._known(choice)
        accuracy = 1 - found["n_wrong"] / found["n_images"]
        self._trials.append(
            Trial(
                choice=dict(choice),
                origin=origin,
                n_wrong=found["n_wrong"],
                n_images=found["n_images"],
                costs=found["costs"],
                feasible=accuracy >= self._floor,
            )  # fmt: skip
        )
        self._tell("trials", len(self._trials), budget)
        return self._trials[-1]

    def _told(self, pool: list[Choice]) -> tuple[np.ndarray, np.ndarray]:
        """(cost, errors of weights) of each choice of the pool, untrained."""
        costs, errors = [], []
        for number, choice in enumerate(pool):
            self._tell("costs", number, len(pool))
            if self._known is None:
                costs.append(untrained_costs(self._subject, self._machine, choice, [self._objective])[self._objective])
                errors.append(weight_errors(self._subject, choice))
            else:
                costs.append(self._known(choice)["untrained"][self._objective])
                errors.append(self._known(choice)["errors"])
        self._tell("costs", len(pool), len(pool))
        return np.array(costs), np.array(errors)

    def _next(self, pool: list[Choice], costs: np.ndarray, errors: np.ndarray) -> int | None:
        """The choice with the largest expected improvement; None where no untried one costs less than the best."""
        best = self._best()
        least = best.costs[self._objective] if best else self._reference_costs[self._objective]
        tried = [t.choice for t in self._trials]
        open_ = np.array([choice not in tried for choice in pool]) & (costs < least)
        if not open_.any():
            return None
        gains = np.where(open_, np.log(least / np.where(open_, costs, least)), 0.0)
        score = gains * self._chance(errors)
        return int(score.argmax()) if score.max() > 0 else None

    def _chance(self, errors: np.ndarray) -> np.ndarray:
        """The probability that each choice keeps the floor, from the trials and the reference (`model.chances`)."""
        tried = [Tried(np.zeros(errors.shape[1]), self._reference_wrong)]
        for t in self._trials:
            found = weight_errors(self._subject, t.choice) if self._known is None else self._known(t.choice)["errors"]
            tried.append(Tried(np.array(found), t.n_wrong))
        n_allowed = int(np.floor(self._n_images * (1 - self._floor) + 1e-9))
        return chances(errors, tried, self._n_images, n_allowed, self._seed)

    def _best(self) -> Trial | None:
        able = [t for t in self._trials if t.feasible]
        best = min(able, key=lambda t: t.costs[self._objective], default=None)
        if best is None or best.costs[self._objective] >= self._reference_costs[self._objective]:
            return None
        return best
