"""A sampler of our own: Gaussian processes of the costs, asked about the neighbourhood of the front.

What was told shapes a model of each cost, and of each constraint, over the whole space; proposed is the configuration
near the front by which, says the model, the hypervolume grows most (docs/search.md, section 5). The processes are
scikit-learn's: Matern 5/2 with a length scale for each axis.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence

import moocore
import numpy as np
from scipy.special import log_ndtr
from scipy.stats import qmc
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from explore.pareto import front_indices
from explore.search.domain import Choice, Domain
from explore.search.hypervolume import MARGIN
from explore.search.sampler import N_START, Proposal

N_NEAR = 300  # candidates that the models are asked about for one proposal: neighbours of the front,
N_FAR = 100  # and from anywhere
LARGEST_FIT = 150  # points from which length scales are fitted; all points are used with them
FIT_GROWTH = 1.5  # length scales are fitted again when this many times as many points are known
OPTIMISM = (0.0, 1.0)  # standard deviations below the mean that are believed, in turn


class Surrogate:
    """Models of costs and excesses; see `explore.search.sampler.Sampler`."""

    def __init__(self, name: str, domain: Domain, n_objectives: int, seed: int) -> None:
        self._name, self._domain, self._n_objectives = name, domain, n_objectives
        self._draws = random.Random(seed)
        self._spread = qmc.Sobol(max(1, len(domain.sizes)), rng=np.random.default_rng(seed))
        self._asked: set[Choice] = set()
        self._features: list[np.ndarray] = []
        self._choices: list[Choice] = []
        self._costs: list[Sequence[float]] = []  # NaN where a point did not run
        self._excesses: list[Sequence[float]] = []
        self._kernels: dict[tuple[str, int], Kernel] = {}
        self._n_fitted = 0
        self._n_proposed = 0

    def ask(self) -> Proposal:
        """The next configuration; not one that was asked for before, but where all candidates were."""
        n_ran = sum(not np.isnan(costs).any() for costs in self._costs)
        if n_ran < N_START:
            places = self._spread.random()[0] * self._domain.sizes
            return self.ask_for(self._domain.canonical([int(place) for place in places]), "random start")
        with threadpool_limits(1):  # sums that do not depend on the number of cores
            choice, origin = self._best()
        self._n_proposed += 1
        return self.ask_for(choice, origin)

    def ask_for(self, choice: Choice, origin: str) -> Proposal:
        """A configuration that the loop chose."""
        self._asked.add(choice)
        return Proposal(choice, origin, None)

    def tell(self, proposal: Proposal, costs: Sequence[float] | None, excesses: Sequence[float]) -> None:
        """One point more for the models."""
        self._choices.append(proposal.choice)
        self._features.append(self._encoded(proposal.choice))
        self._costs.append(costs if costs is not None else (np.nan,) * self._n_objectives)
        self._excesses.append(excesses)

    def tell_more(self, proposal: Proposal, costs: Sequence[float] | None, excesses: Sequence[float]) -> None:
        """Takes the place of what was told."""
        if costs is not None:
            place = self._choices.index(proposal.choice)
            self._costs[place], self._excesses[place] = costs, excesses

    def drop(self, proposal: Proposal) -> None:
        """Nothing to learn."""

    def _best(self) -> tuple[Choice, str]:
        """The most promising candidate."""
        costs, excesses = np.array(self._costs), np.array(self._excesses)
        ran = ~np.isnan(costs).any(axis=1)
        feasible = np.flatnonzero(ran & (excesses <= 0).all(axis=1))
        on_front = [int(feasible[index]) for index in front_indices(costs[feasible])]
        near = self._near([self._choices[index] for index in on_front])
        far = [choice for choice in (self._domain.draw(self._draws) for _ in range(N_FAR)) if choice not in self._asked]
        candidates = [*near, *far]
        if not candidates:
            return self._domain.draw(self._draws), "random"
        self._fit_when_due(len(costs))
        asked = np.array([self._encoded(choice) for choice in candidates])
        score = self._log_feasible(excesses, ran, asked)
        if len(feasible):
            means, deviations = self._predicted("cost", costs[ran], self._of(ran), asked)
            optimism = OPTIMISM[self._n_proposed % len(OPTIMISM)]
            gains = _gains(costs[on_front], costs[feasible], means - optimism * deviations)
            if gains.max() > 0:
                with np.errstate(divide="ignore"):
                    score = score + np.log(gains)
        best = int(np.argmax(score))
        return candidates[best], f"{self._name}, near the front" if best < len(near) else f"{self._name}, far"

    def _near(self, front: Sequence[Choice]) -> list[Choice]:
        """Configurations one axis away from those of the front, in random order."""
        found = dict.fromkeys(
            choice for each in front for choice in self._domain.neighbours(each) if choice not in self._asked
        )
        return self._draws.sample(list(found), min(len(found), N_NEAR))

    def _fit_when_due(self, n_known: int) -> None:
        """Forget length scales that were fitted to far fewer points: models then find new ones."""
        if n_known >= FIT_GROWTH * self._n_fitted:
            self._n_fitted = n_known
            self._kernels.clear()

    def _log_feasible(self, excesses: np.ndarray, ran: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Logarithm of the probability that a candidate runs and keeps all constraints."""
        found = np.zeros(len(asked))
        for column in range(excesses.shape[1]):
            known = np.ones(len(ran), dtype=bool) if column == 0 else ran
            told = excesses[known, column]
            if (told > 0).any():
                (mean,), (deviation,) = (
                    values.T for values in self._predicted(f"excess {column}", told[:, None], self._of(known), asked)
                )
                found += log_ndtr(-mean / np.maximum(deviation, 1e-9))
        return found

    def _of(self, which: np.ndarray) -> np.ndarray:
        return np.array(self._features)[which]

    def _predicted(
        self, kind: str, values: np.ndarray, features: np.ndarray, asked: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(n_asked, n_columns) means and standard deviations."""
        found = [
            self._model(kind, column, features, told).predict(asked, return_std=True)
            for column, told in enumerate(values.T)
        ]
        return np.array([mean for mean, _ in found]).T, np.array([deviation for _, deviation in found]).T

    def _model(self, kind: str, column: int, features: np.ndarray, told: np.ndarray) -> GaussianProcessRegressor:
        if (kind, column) not in self._kernels:
            places = self._draws.sample(range(len(told)), min(len(told), LARGEST_FIT))
            scales = np.ones(features.shape[1])
            kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(scales, (5e-2, 1e2), nu=2.5) + WhiteKernel(
                1e-4, (1e-8, 1e-1)
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # a scale at its bound: the axis does not matter
                fitted = GaussianProcessRegressor(kernel, normalize_y=True).fit(features[places], told[places])
            self._kernels[kind, column] = fitted.kernel_
        return GaussianProcessRegressor(self._kernels[kind, column], optimizer=None, normalize_y=True).fit(
            features, told
        )

    def _encoded(self, choice: Choice) -> np.ndarray:
        """0..1 of an ordered axis, one of as many zeros as it has values of another."""
        found: list[float] = []
        for place, size, ordered in zip(choice, self._domain.sizes, self._domain.ordered, strict=True):
            found += [place / (size - 1)] if ordered else [float(place == each) for each in range(size)]
        return np.array(found)


def _gains(front: np.ndarray, feasible: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """By how much the hypervolume of the front grows with each predicted point."""
    best, worst = feasible.min(axis=0), feasible.max(axis=0)
    span = np.where(worst > best, worst - best, 1.0)
    front, predicted = (front - best) / span, (predicted - best) / span
    reference = np.full(front.shape[1], 1 + MARGIN)
    before = moocore.hypervolume(front, ref=reference)
    return np.array([moocore.hypervolume(np.vstack([front, point]), ref=reference) - before for point in predicted])
