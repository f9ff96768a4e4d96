"""From result rows to studies: rows that may be compared, their axes, the Pareto front, the points worth a name."""

from __future__ import annotations

import json
import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from designs.objectives import MAXIMIZED, Constraint
from explore.pareto import front_indices, known
from reports.units import metric_name

Row = Mapping[str, Any]  # one result row of the store; `failure` is None where the point ran

_KEYS = ("family", "space", "workload", "workload_digest", "model_version", "scaling")
DETAILS = "details"  # key of a row: what only a page asks for, of named points (explore/families/<family>/details.py)
WORK = frozenset({"compute", "vector_compute"})  # phases in which array or vector unit compute: no loss
OBJECTIVES = ("latency_ns", "area_um2", "energy_pj")  # where nobody names others; all minimized


class Chosen(NamedTuple):
    """A point with a name: `letter` in the order of latency, `roles` say what it is the best at."""

    letter: str
    roles: tuple[str, ...]
    row: Row

    @property
    def role(self) -> str:
        """The first role, without what a constraint asks of it: short enough for a figure."""
        return _plain_role(self.roles[0])


class Failure(NamedTuple):
    """Failed points with one cause: messages that differ in numbers only. `common` holds the axis values all share."""

    example: str
    n_points: int
    common: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Study:
    """Rows of one family, space, workload, model version and scaling of prices: only these may be compared."""

    family: str
    space: str
    workload: str
    workload_digest: str
    model_version: str
    scaling: str  # how prices were scaled to the node; empty where rows do not say
    done: tuple[Row, ...]  # ran and keep every constraint; in the order of latency, then area, then energy
    violating: tuple[Row, ...]  # ran and break a constraint; the same order
    failed: tuple[Row, ...]
    axes: dict[str, tuple[Any, ...]]  # parameters with more than one value, failed points included
    fixed: dict[str, Any]
    objectives: tuple[str, ...] = OBJECTIVES  # metrics of the front; designs.objectives tells which are maximized
    constraints: tuple[Constraint, ...] = ()

    @property
    def ran(self) -> tuple[Row, ...]:
        """Every point with numbers, by latency: what figures about the whole space show."""
        return tuple(sorted((*self.done, *self.violating), key=_by_objectives))

    @property
    def n_points(self) -> int:
        return len(self.done) + len(self.violating) + len(self.failed)


def studies(
    rows: Iterable[Row], constraints: Sequence[Constraint] = (), objectives: Sequence[str] | None = None
) -> list[Study]:
    """Group `rows` into studies, in a fixed order that does not depend on the order of `rows`.

    Points that break one of `constraints` are kept apart: they are on no front and are not chosen. Without
    `objectives`, those of a study are latency, area and energy, and accuracy too where its points differ in it.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = tuple(str(row.get(k) or "") for k in _KEYS)
        groups.setdefault(key, []).append(row)
    return [_study(key, groups[key], constraints, objectives) for key in sorted(groups)]


def _study(
    key: tuple[str, ...], rows: Sequence[Row], constraints: Sequence[Constraint], objectives: Sequence[str] | None
) -> Study:
    rows = sorted(rows, key=_canonical)
    values: dict[str, dict[str, Any]] = {}
    for row in rows:
        for name, value in row["point"].items():
            values.setdefault(name, {})[json.dumps(value, sort_keys=True)] = value
    axes = {name: tuple(sorted(seen.values(), key=_value_order)) for name, seen in values.items() if len(seen) > 1}
    fixed = {name: next(iter(seen.values())) for name, seen in values.items() if len(seen) == 1}
    ran = sorted((r for r in rows if not r.get("failure")), key=_by_objectives)
    keeps = [all(constraint.holds(row) for constraint in constraints) for row in ran]
    family, space, workload, digest, version, scaling = key
    return Study(
        family=family,
        space=space,
        workload=workload,
        workload_digest=digest,
        model_version=version,
        scaling=scaling,
        done=tuple(row for row, kept in zip(ran, keeps, strict=True) if kept),
        violating=tuple(row for row, kept in zip(ran, keeps, strict=True) if not kept),
        failed=tuple(r for r in rows if r.get("failure")),
        axes=axes,
        fixed=fixed,
        objectives=_default_objectives(ran) if objectives is None else known(objectives, ran),
        constraints=tuple(constraints),
    )


def _default_objectives(ran: Sequence[Row]) -> tuple[str, ...]:
    accuracies = {row["accuracy"] for row in ran if row.get("accuracy") is not None}
    return (*OBJECTIVES, "accuracy") if len(accuracies) > 1 else OBJECTIVES


def pareto_front(rows: Sequence[Row], objectives: Sequence[str] = OBJECTIVES) -> list[int]:
    """Indices of the rows on the front of these objectives, the best by the first of them in front.

    As explore.pareto has it: metrics of which more is better count with their sign turned, a row that lacks one is on
    no front, the first of equal rows stands for all.
    """
    if not rows:
        return []
    return front_indices(np.array([[_cost(row, o) for o in objectives] for row in rows], dtype=float))


def _cost(row: Row, metric: str) -> float:
    value = row.get(metric)
    if value is None:
        return math.nan
    return -float(value) if metric in MAXIMIZED else float(value)


def knee(points: Sequence[tuple[float, float]]) -> int | None:
    """Index of the knee of a two-objective front: the point farthest below the chord between its ends.

    Both objectives are taken as logarithms scaled to 0..1 between the ends, so that units do not matter. None where
    fewer than three distinct points, a value that is not positive, or no point below the chord leaves no knee.
    """
    if len(set(points)) < 3 or any(v <= 0 for point in points for v in point):
        return None
    logs = np.log(np.array(points))
    low, high = logs.min(axis=0), logs.max(axis=0)
    if np.any(low == high):
        return None
    below = 1 - ((logs - low) / (high - low)).sum(axis=1)
    best = int(np.argmax(below))
    return best if below[best] > 1e-9 else None


def named_points(study: Study) -> list[Chosen]:
    """`choose` with the objectives and constraints of the study."""
    return choose(study.done, study.objectives, study.constraints)


def choose(
    done: Sequence[Row], objectives: Sequence[str] = OBJECTIVES, constraints: Sequence[Constraint] = ()
) -> list[Chosen]:
    """The points worth naming, in the order of latency; a point that is the best at two things is named once.

    Whatever the objectives, the fastest, the smallest and the most frugal have names, and the best by each objective
    beside these. The knee is that of area and latency; where accuracy is an objective, of area and the share of wrong
    answers. A lower bound on accuracy among the constraints, which all of `done` keep, is told with the smallest.
    """
    if len(done) < 2:
        return [Chosen("A", ("only point",), row) for row in done]
    roles: dict[int, list[str]] = {}

    def best(role: str, *metrics: str) -> None:
        index = min(range(len(done)), key=lambda i: tuple(_rank(done[i], m) for m in metrics))
        roles.setdefault(index, []).append(role)

    best("fastest", "latency_ns", "area_um2", "energy_pj")
    against = "accuracy" if "accuracy" in objectives else "latency_ns"
    front = pareto_front(done, ("area_um2", against))
    at_knee = knee([(done[i]["area_um2"], _to_lose(done[i], against)) for i in front])
    if at_knee is not None:
        roles.setdefault(front[at_knee], []).append("knee")
    best(f"smallest{_floor(constraints)}", "area_um2", "latency_ns", "energy_pj")
    best("least energy", "energy_pj", "latency_ns", "area_um2")
    best("least energy × delay", "edp", "latency_ns", "area_um2")
    if "accuracy" in objectives:
        best("most accurate", "accuracy", "area_um2", "latency_ns", "energy_pj")
    for metric in objectives:
        if metric not in _WITH_A_ROLE:
            best(f"best {metric_name(metric)}", metric, *OBJECTIVES)
    by_latency = sorted(roles, key=lambda i: (tuple(done[i][o] for o in OBJECTIVES), i))
    return [Chosen(string.ascii_uppercase[n], tuple(roles[i]), done[i]) for n, i in enumerate(by_latency)]


_WITH_A_ROLE = (*OBJECTIVES, "edp_pj_ns", "accuracy", "cycles")


def by_role(chosen: Sequence[Chosen]) -> dict[str, Chosen]:
    """Role -> point; the smallest is "smallest", whatever accuracy it has to have."""
    return {_plain_role(role): point for point in chosen for role in point.roles}


def _plain_role(role: str) -> str:
    return role.split(" with ")[0]


def _floor(constraints: Sequence[Constraint]) -> str:
    """What the constraints ask of accuracy, to be told with a role."""
    bounds = [c.bound for c in constraints if c.metric == "accuracy" and c.comparison in (">=", ">")]
    return f" with at least {100 * max(bounds):g} %" if bounds else ""


def _to_lose(row: Row, metric: str) -> float:
    return 1 - float(row[metric]) if metric == "accuracy" else float(row[metric])


def primary(chosen: Sequence[Chosen]) -> Chosen | None:
    """The chosen point that is shown layer by layer: the knee, or the fastest where there is none."""
    for role in ("knee", "fastest"):
        for point in chosen:
            if role in point.roles:
                return point
    return chosen[0] if chosen else None


def failures(study: Study) -> list[Failure]:
    """Why points failed, most frequent cause first."""
    causes: dict[str, list[Row]] = {}
    for row in study.failed:
        causes.setdefault(re.sub(r"\d+", "#", str(row["failure"])), []).append(row)
    found = []
    for rows in causes.values():
        _, common = split_axes(rows, study.axes)
        found.append(Failure(str(rows[0]["failure"]), len(rows), common if len(rows) > 1 else {}))
    return sorted(found, key=lambda f: (-f.n_points, f.example))


def split_axes(rows: Sequence[Row], axes: Iterable[str]) -> tuple[list[str], dict[str, Any]]:
    """(axes in which `rows` differ, value of each axis in which they do not)."""
    differing, common = [], {}
    for axis in axes:
        values = {json.dumps(row["point"].get(axis), sort_keys=True) for row in rows}
        if len(values) > 1:
            differing.append(axis)
        else:
            common[axis] = rows[0]["point"].get(axis)
    return differing, common


def layer_total(layer: Mapping[str, Any], key: str) -> float:
    """What the layer adds to the network's `key`: its own value times `repeat`."""
    return float(layer[key]) * int(layer.get("repeat") or 1)


def _rank(row: Row, metric: str) -> float:
    """What the best point has least of; a row that lacks the metric is the last."""
    cost = float(row["energy_pj"] * row["latency_ns"]) if metric == "edp" else _cost(row, metric)
    return math.inf if math.isnan(cost) else cost


def _by_objectives(row: Row) -> tuple[float, ...]:
    return tuple(row[o] for o in OBJECTIVES)


def _canonical(row: Row) -> str:
    return json.dumps(row["point"], sort_keys=True, default=str)


def _value_order(value: Any) -> tuple[int, float, str]:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return (1, 0.0, str(value))
    return (0, float(value), "")
