"""Searches FOR TESTS OF THE REPORTS ONLY: evaluations of given rows, found by nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from designs.axes import Axis
from designs.space import Space
from explore.pareto import pareto_front
from explore.search.result import Evaluation, SearchResult

OBJECTIVES = ("area_um2", "latency_ns")
SPACE = Space(
    name="toy", family="tensor",
    axes=(
        Axis("array_rows", (4, 8, 16, 32, 64), scale="log2"), Axis("array_cols", (4, 8, 16, 32, 64), scale="log2"),
        Axis("dataflow", ("weight_stationary", "output_stationary")), Axis("dram_bytes_per_cycle", (4, 8, 32)),
        Axis("clock_mhz", (250, 500), when=(("dataflow", ("weight_stationary",)),)),
    ),
)  # fmt: skip


def found(
    area: float, latency: float, *, share: float = 1.0, trial: int = -1, origin: str = "tpe", **more: Any
) -> Evaluation:
    """An evaluation with these metrics, of a point of its own; `result` gives it a trial of its own too."""
    feasible = more.pop("feasible", True)
    point = more.pop("point", SPACE.defaults | {"array_rows": int(area), "array_cols": int(latency)})
    row = {"point": point, "failure": None, "area_um2": area, "latency_ns": latency, "energy_pj": 1.0, **more}
    return Evaluation(row=row, share=share, trial=trial, origin=origin, feasible=feasible)


def result(evaluations: Sequence[Evaluation], sampler: str = "tpe", seed: int = 0, **more: Any) -> SearchResult:
    """A search that made these evaluations."""
    objectives = more.pop("objectives", OBJECTIVES)
    evaluations = [replace(e, trial=100 + i) if e.trial < 0 else e for i, e in enumerate(evaluations)]
    full = [e.row for e in evaluations if e.share == 1 and e.feasible]
    given = {
        "space": "toy", "family": "tensor", "workload": "toy_net", "budget": 4.0, "constraints": (), "n_refused": 1,
        "n_repeated": 2, "computed": len(evaluations), "cached": 0, "seconds": 1.0,
        "pareto_front": tuple(pareto_front(full, objectives)),
    }  # fmt: skip
    return SearchResult(
        sampler=sampler, seed=seed, objectives=objectives, evaluations=tuple(evaluations), **{**given, **more}
    )
