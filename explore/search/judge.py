"""What a row is worth to a search: costs, and by how much it breaks constraints."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from designs.errors import InputError
from designs.objectives import Constraint
from designs.space import Space
from explore.evaluate import Row
from explore.search.hypervolume import cost, is_logarithmic

if TYPE_CHECKING:
    from workloads.load import Workload

_SQUARES = ("edp_pj_ns",)
_SUMS = ("_ns", "_pj", "cycles", "_per_token")  # ends of metrics that add up over the parts of a workload
_RATES = ("_per_s",)


class Verdict(NamedTuple):
    """Of one row."""

    costs: tuple[float, ...] | None  # one an objective of the space; None where the point did not run
    excesses: tuple[float, ...]  # above 0: broken. First whether it runs at all (1 or -1), then one a constraint
    feasible: bool
    violation: float  # sum of the excesses above 0; infinite where it did not run


class Judge:
    """Judges rows of one space on one workload.

    An objective that the first row that ran does not know, as accuracy where there are no labels, is known by none: it
    costs 0 everywhere. InputError where that holds for all objectives, or for a constraint's metric. Parts of a
    workload may know less: what is constrained and not known there is judged once the whole is simulated.
    """

    def __init__(self, space: Space, workload: Workload) -> None:
        self._space, self._workload = space, workload
        self._known: dict[bool, frozenset[str]] = {}  # by whether a row is of the whole workload

    def of_refused(self) -> Verdict:
        """Of a point that cannot be built."""
        return Verdict(None, (1.0, *(0.0 for _ in self._space.subject_to)), False, math.inf)

    def of_row(self, row: Row, scale: float = 1.0) -> Verdict:
        """Of a row of a part of the workload, the whole being `scale` times it; of a failed row area still counts."""
        row = scaled_to_whole(row, scale)
        known = self._objectives(row) if row["failure"] is None else frozenset()
        names = self._space.objectives
        ran = row["failure"] is None and all(row.get(name) is not None for name in known)
        costs = tuple(cost(name, row[name]) if name in known else 0.0 for name in names) if ran else None
        excesses = (-1.0 if ran else 1.0, *(excess(constraint, row) for constraint in self._space.subject_to))
        feasible = all(each <= 0 for each in excesses)
        violation = sum(each for each in excesses if each > 0) if ran else math.inf
        return Verdict(costs, excesses, feasible, violation)

    def _objectives(self, row: Row) -> frozenset[str]:
        is_whole = row["workload_digest"] == self._workload.digest
        if is_whole not in self._known:
            known = frozenset(name for name in self._space.objectives if row.get(name) is not None)
            where = f"{self._space.name} on {row['workload']}"
            if not known:
                wanted = ", ".join(self._space.objectives)
                raise InputError(
                    f"{where}: wanted an objective that rows know, got {wanted}; name latency_ns or others"
                )
            unknown = next((each for each in self._space.subject_to if row.get(each.metric) is None), None)
            if unknown is not None and is_whole:
                raise InputError(
                    f"{where}: wanted constraints on what rows know, got '{unknown}', of which they know nothing; "
                    f"take it out or choose a workload that tells (accuracy needs labels)"
                )
            self._known[is_whole] = known
        return self._known[is_whole]


def scaled_to_whole(row: Row, scale: float) -> Row:
    """A part's row with what adds up over parts multiplied by `scale`; others, as area and accuracy, as they are."""
    if scale == 1:
        return row
    return row | {
        name: value * scale ** _power(name)
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _power(metric: str) -> int:
    if metric in _SQUARES:
        return 2
    if metric.endswith(_RATES):
        return -1
    return 1 if metric.endswith(_SUMS) else 0


def excess(constraint: Constraint, row: Row) -> float:
    """By how much a row breaks a constraint: above 0 where it does, else at most 0; 0 where the metric is not known.

    In the units of costs: 1 is ten times too much of a metric with a unit, or 1 too much of a share.
    """
    value = row.get(constraint.metric)
    if value is None:
        return 0.0
    sign = 1.0 if constraint.comparison.startswith("<") else -1.0
    if is_logarithmic(constraint.metric) and value > 0 and constraint.bound > 0:
        distance = math.log10(value / constraint.bound)
    else:
        distance = value - constraint.bound
    if constraint.holds(row):
        return min(sign * distance, 0.0)
    return max(sign * distance, sys.float_info.epsilon)  # a bound that is met, but had to be kept away from


def known_objectives(space: Space, rows: Sequence[Row]) -> tuple[str, ...]:
    """Objectives that rows that ran know."""
    ran = [row for row in rows if row["failure"] is None]
    return tuple(name for name in space.objectives if any(row.get(name) is not None for row in ran))
