"""Costs of rows and the hypervolume of fronts, as docs/search.md section 3 states them; the volume itself by moocore.

A cost is less where a row is better: log10 of metrics that are positive and have a unit, so that each halving counts
the same; the value of shares and counts; negated where more is better.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np

from designs.errors import InputError
from designs.objectives import MAXIMIZED
from explore.search.result import SearchResult

MARGIN = 0.1  # how much farther than the worst of a known front its reference lies: its ends count too
_UNITS = "ns us ms s pj nj uj mj um2 mm2 mw bytes bits cycles ns_per_token pj_per_token".split()
_WITH_UNIT = re.compile(rf"cycles|.*_({'|'.join(_UNITS)})")


def is_logarithmic(metric: str) -> bool:
    """Whether the cost of a metric is its logarithm: it has a unit, by its name, and is positive."""
    return _WITH_UNIT.fullmatch(metric) is not None


def cost(metric: str, value: float | None) -> float:
    """The cost of one value; NaN where there is none. InputError where a logarithm is of no positive number."""
    if value is None:
        return math.nan
    if is_logarithmic(metric):
        if value <= 0:
            raise InputError(f"{metric}: wanted a number above 0 to search by, got {value:g}; name another objective")
        value = math.log10(value)
    return -float(value) if metric in MAXIMIZED else float(value)


def costs(rows: Sequence[Mapping[str, Any]], objectives: Sequence[str]) -> np.ndarray:
    """(n_rows, n_objectives); NaN where a row does not know a metric."""
    found = [[cost(name, row.get(name)) for name in objectives] for row in rows]
    return np.array(found, dtype=float).reshape(len(rows), len(objectives))


def full_costs(result: SearchResult) -> np.ndarray:
    """(n_full, n_objectives) of the evaluations of the whole workload, in their order; NaN where infeasible."""
    full = [evaluation for evaluation in result.evaluations if evaluation.share == 1]
    found = costs([evaluation.row for evaluation in full], result.objectives)
    found[[index for index, evaluation in enumerate(full) if not evaluation.feasible]] = math.nan
    return found


def box_of(results: Sequence[SearchResult]) -> Box | None:
    """From the best to the worst of all feasible full evaluations; None where there is none."""
    found = np.concatenate([full_costs(result) for result in results])
    return Box.around(found) if np.isfinite(found).all(axis=1).any() else None


def full_work(result: SearchResult) -> np.ndarray:
    """(n_full,) simulated work when each full evaluation had ended, in full evaluations; a part counts as its share."""
    done = np.cumsum([evaluation.share for evaluation in result.evaluations])
    return done[[evaluation.share == 1 for evaluation in result.evaluations]]


@dataclass(frozen=True)
class Box:
    """What costs are scaled by: 0 is the best of each objective, 1 the worst that counts."""

    ideal: tuple[float, ...]
    reference: tuple[float, ...]

    @classmethod
    def around(cls, costs: np.ndarray) -> Box:
        """From the best to the worst of each objective over points; points with a NaN do not count."""
        known = _finite(costs)
        if not len(known):
            raise InputError("hypervolume: wanted at least one feasible point, got none; loosen the constraints")
        return cls(tuple(known.min(axis=0).tolist()), tuple(known.max(axis=0).tolist()))

    @classmethod
    def of_front(cls, front: np.ndarray) -> Box:
        """Of a known front: its reference lies MARGIN of the way from best to worst beyond the worst."""
        near = cls.around(front)
        far = (worst + MARGIN * (worst - best) for best, worst in zip(near.ideal, near.reference, strict=True))
        return cls(near.ideal, tuple(far))

    def scaled(self, costs: np.ndarray) -> np.ndarray:
        """Costs as parts of the box, cut to 0..1. An objective in which the box is flat: 0 up to it, 1 beyond."""
        ideal, span = np.array(self.ideal), np.subtract(self.reference, self.ideal)
        flat = np.where(costs > ideal, 1.0, 0.0)
        within = (costs - ideal) / np.where(span > 0, span, 1.0)
        return np.clip(np.where(span > 0, within, flat), 0.0, 1.0)


def hypervolume(costs: np.ndarray, box: Box) -> float:
    """Share of the box that points dominate, 0 to 1; points with a NaN dominate nothing."""
    scaled = box.scaled(_finite(costs))
    inside = scaled[(scaled < 1).all(axis=1)]
    if not len(inside):
        return 0.0
    if inside.shape[1] == 1:
        return 1.0 - float(inside.min())
    return float(moocore.hypervolume(inside, ref=np.ones(inside.shape[1])))


def trace(costs: np.ndarray, box: Box) -> np.ndarray:
    """(n,) hypervolume of the first 1, 2, ... n points."""
    found = np.zeros(len(costs))
    front = np.empty((0, costs.shape[1]))
    volume = 0.0
    for index, point in enumerate(costs):
        after = grown(front, point)
        if after is not front:
            front, volume = after, hypervolume(after, box)
        found[index] = volume
    return found


def grown(front: np.ndarray, point: np.ndarray) -> np.ndarray:
    """The front with a point more: itself where the point is not on it, or has a NaN."""
    if np.isnan(point).any() or (front <= point).all(axis=1).any():
        return front
    return np.vstack([front[~(front >= point).all(axis=1)], point])


def share_of_front(costs: np.ndarray, front: np.ndarray) -> float:
    """Hypervolume of points over that of the known front, in the front's own box."""
    box = Box.of_front(front)
    return hypervolume(costs, box) / hypervolume(front, box)


def _finite(costs: np.ndarray) -> np.ndarray:
    return costs[np.isfinite(costs).all(axis=1)]
