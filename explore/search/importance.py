"""Which axes matter: the share of each axis in the variance of each objective, by Optuna's fANOVA.

Hutter, Hoos and Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014: a random
forest is fitted to the costs, and its variance over the space is split among the axes, each alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from explore.search.domain import Choice, Domain
from explore.search.samplers import distributions, quiet

FEWEST = 8  # evaluations from which a forest is worth fitting


def importance(
    domain: Domain, choices: Sequence[Choice], costs: np.ndarray, objectives: Sequence[str], seed: int
) -> Mapping[str, Mapping[str, float]]:
    """Objective -> axis -> share, largest first, adding to 1; costs (n, n_objectives), NaN where a point did not run.

    An axis that is not active in a point counts as having its first value there. An objective that is the same
    everywhere has no entry, nor any objective below FEWEST points.
    """
    kept = np.flatnonzero(np.isfinite(costs).all(axis=1)).tolist()
    if len(kept) < FEWEST or not domain.axes:
        return {}
    with quiet():
        study = optuna.create_study(directions=["minimize"] * len(objectives))
        space = distributions(domain)
        for index in kept:
            params = dict(zip(space, choices[index], strict=True))
            values = [float(value) for value in costs[index]]
            study.add_trial(optuna.trial.create_trial(params=params, distributions=space, values=values))
        return {
            name: _shares(study, column, seed)
            for column, name in enumerate(objectives)
            if np.ptp(costs[kept, column]) > 0
        }


def _shares(study: optuna.Study, column: int, seed: int) -> dict[str, float]:
    def target(trial: optuna.trial.FrozenTrial) -> float:
        return trial.values[column]

    found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed), target=target)
    total = math.fsum(found.values())
    return {name: float(value / total) for name, value in found.items()} if total > 0 else {}
