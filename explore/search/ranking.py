"""Which of several results are best: by constraints, by Pareto rank, by what each adds to the hypervolume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import moocore
import numpy as np


@dataclass(frozen=True)
class Outcome:
    """A result as ranks see it."""

    costs: tuple[
        float, ...
    ]  # to be minimized (docs/search.md, section 3); those of an infeasible one are not looked at
    violation: float = 0.0  # 0: keeps every constraint; else by how much it breaks them; infinite where it did not run


def best_first(outcomes: Sequence[Outcome]) -> list[int]:
    """Positions from the best to the worst (docs/search.md, section 4).

    Feasible ones come first, front by front (non-dominated sorting); within a front those that add most to its
    hypervolume, with the worst of each cost among all feasible ones as the reference. Infeasible ones follow, those
    that break least first; those that did not run are left out. Of equals the earlier is better.
    """
    feasible = [i for i, outcome in enumerate(outcomes) if outcome.violation == 0]
    broken = [i for i, outcome in enumerate(outcomes) if 0 < outcome.violation < math.inf]
    broken.sort(key=lambda i: outcomes[i].violation)
    if not feasible:
        return broken
    scaled = _scaled(np.array([outcomes[i].costs for i in feasible], dtype=float))
    ranks = moocore.pareto_rank(scaled)
    added = np.zeros(len(feasible))
    for rank in range(int(ranks.max()) + 1):
        of_rank = ranks == rank
        added[of_rank] = _contributions(scaled[of_rank])
    order = np.lexsort((np.arange(len(feasible)), -added, ranks))
    return [feasible[i] for i in order] + broken


def _scaled(costs: np.ndarray) -> np.ndarray:
    """Each cost from 0, the best, to 1, the worst; 0 where all are equal."""
    low, span = costs.min(axis=0), np.ptp(costs, axis=0)
    return np.asarray((costs - low) / np.where(span > 0, span, 1.0))


def _contributions(front: np.ndarray) -> np.ndarray:
    if front.shape[1] == 1:  # the best of one cost are equal
        return np.zeros(len(front))
    return np.asarray(moocore.hv_contributions(front, ref=np.ones(front.shape[1])))
