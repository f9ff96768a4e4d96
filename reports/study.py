"""From result rows to studies: rows that may be compared, their axes, the Pareto front, the points worth a name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from designs.objectives import Constraint
from explore.pareto import front_indices

Row = Mapping[str, Any]  # one result row of the store; `failure` is None where the point ran

_KEYS = ("family", "space", "workload", "workload_digest", "model_version", "scaling")
OBJECTIVES = ("latency_ns", "area_um2", "energy_pj")  # all minimized


class Chosen(NamedTuple):
    """A point with a name: `letter` in the order of latency, `roles` say what it is the best at."""

    letter: str
    roles: tuple[str, ...]
    row: Row


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

    @property
    def ran(self) -> tuple[Row, ...]:
        """Every point with numbers, by latency: what figures about the whole space show."""
        return tuple(sorted((*self.done, *self.violating), key=_by_objectives))

    @property
    def n_points(self) -> int:
        return len(self.done) + len(self.violating) + len(self.failed)


def studies(rows: Iterable[Row], constraints: Sequence[Constraint] = ()) -> list[Study]:
    """Group `rows` into studies, in a fixed order that does not depend on the order of `rows`.

    Points that break one of `constraints` are kept apart: they are on no front and are not chosen.
    """
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = tuple(str(row.get(k) or "") for k in _KEYS)
        groups.setdefault(key, []).append(row)
    return [_study(key, groups[key], constraints) for key in sorted(groups)]


def _study(key: tuple[str, ...], rows: Sequence[Row], constraints: Sequence[Constraint]) -> Study:
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
    )


def pareto_front(rows: Sequence[Row], objectives: Sequence[str] = OBJECTIVES) -> list[int]:
    """Indices of the rows on the front of these objectives, by the first of them (see explore.pareto.front_indices)."""
    if not rows:
        return []
    return front_indices(np.array([[row[o] for o in objectives] for row in rows], dtype=float))


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


def choose(done: Sequence[Row]) -> list[Chosen]:
    """The points worth naming, in the order of latency; a point that is the best at two things is named once."""
    if len(done) < 2:
        return [Chosen("A", ("only point",), row) for row in done]
    roles: dict[int, list[str]] = {}

    def best(role: str, *objectives: str) -> None:
        index = min(range(len(done)), key=lambda i: tuple(_objective(done[i], o) for o in objectives))
        roles.setdefault(index, []).append(role)

    best("fastest", "latency_ns", "area_um2", "energy_pj")
    front = pareto_front(done, ("area_um2", "latency_ns"))
    at_knee = knee([(done[i]["area_um2"], done[i]["latency_ns"]) for i in front])
    if at_knee is not None:
        roles.setdefault(front[at_knee], []).append("knee")
    best("smallest", "area_um2", "latency_ns", "energy_pj")
    best("least energy", "energy_pj", "latency_ns", "area_um2")
    best("least energy × delay", "edp", "latency_ns", "area_um2")
    by_latency = sorted(roles, key=lambda i: (tuple(done[i][o] for o in OBJECTIVES), i))
    return [Chosen("ABCDEFGH"[n], tuple(roles[i]), done[i]) for n, i in enumerate(by_latency)]


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


def _objective(row: Row, name: str) -> float:
    return float(row["energy_pj"] * row["latency_ns"] if name == "edp" else row[name])


def _by_objectives(row: Row) -> tuple[float, ...]:
    return tuple(row[o] for o in OBJECTIVES)


def _canonical(row: Row) -> str:
    return json.dumps(row["point"], sort_keys=True, default=str)


def _value_order(value: Any) -> tuple[int, float, str]:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return (1, 0.0, str(value))
    return (0, float(value), "")
