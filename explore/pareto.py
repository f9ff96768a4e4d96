"""Exact Pareto fronts. Costs are minimized; ties are settled by the order of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from designs.objectives import MAXIMIZED

Row = Mapping[str, Any]


def front_indices(costs: np.ndarray) -> list[int]:
    """Rows of `costs` (n, n_objectives) that no other row dominates, sorted by their costs, first objective first.

    A row dominates another when it is nowhere larger and somewhere smaller. Of rows with equal costs the first stands
    for all. Rows with a cost that is not finite never are on the front.
    """
    costs = np.asarray(costs, dtype=float)
    keep = np.flatnonzero(np.isfinite(costs).all(axis=1))
    order = keep[np.lexsort((keep, *costs[keep].T[::-1]))]
    if costs.shape[1] == 2:
        return _front_of_two(costs, order)
    front: list[int] = []
    kept = np.empty((0, costs.shape[1]))
    for index in order:  # sorted: only an earlier row can dominate or equal this one
        if not (kept <= costs[index]).all(axis=1).any():
            front.append(int(index))
            kept = np.vstack([kept, costs[index]])
    return front


def known(objectives: Sequence[str], rows: Sequence[Row]) -> tuple[str, ...]:
    """The objectives that at least one row knows: where no sample has a label, none knows its accuracy."""
    return tuple(name for name in objectives if not rows or any(row.get(name) is not None for row in rows))


def pareto_front(rows: Sequence[Row], objectives: Sequence[str]) -> list[Row]:
    """The rows on the exact front of these metrics, the best by the first in front; rows that lack one never are.

    Metrics of `designs.objectives.MAXIMIZED` count with their sign turned.
    """
    if not rows:
        return []
    costs = np.array([[_cost(row, name) for name in objectives] for row in rows], dtype=float)
    return [rows[index] for index in front_indices(costs)]


def _front_of_two(costs: np.ndarray, order: np.ndarray) -> list[int]:
    second = costs[order, 1]
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(second)])[:-1]
    return [int(index) for index in order[second < best_before]]


def _cost(row: Row, name: str) -> float:
    value = row.get(name)
    if value is None:
        return float("nan")
    return -float(value) if name in MAXIMIZED else float(value)
