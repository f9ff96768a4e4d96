"""Searches as text and as a JSON document."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from designs.space import Space
from explore.pareto import pareto_front
from explore.search.fidelity import LEAST, Fidelity
from explore.search.hypervolume import Box, box_of, full_costs, hypervolume
from explore.search.result import SearchResult
from lockstep.show import points_of
from reports.searches import samplers
from reports.tables import Cell, cell, make_table
from reports.units import metric_name


def document(results: Sequence[SearchResult], space: Space, store: Path) -> dict[str, Any]:
    """The JSON document of `lockstep search`. `box` is what hypervolumes are of; None where no point is feasible."""
    box = box_of(results)
    return {
        "space": space.name,
        "workload": results[0].workload,
        "store": str(store),
        "points": space.n_points,
        "objectives": list(results[0].objectives),
        "constraints": list(results[0].constraints),
        "box": None if box is None else {"ideal": list(box.ideal), "reference": list(box.reference)},
        "searches": [_search(result, box) for result in results],
        "pareto_front": _joint_front(results),
    }


def _search(result: SearchResult, box: Box | None) -> dict[str, Any]:
    return {
        "sampler": result.sampler,
        "seed": result.seed,
        "budget": result.budget,
        "evaluations": len(result.evaluations),
        "work": result.work,
        "refused": result.n_refused,
        "repeated": result.n_repeated,
        "computed": result.computed,
        "cached": result.cached,
        "seconds": result.seconds,
        "ended": result.ended,
        "fidelities": [_fidelity(each) for each in result.fidelities],
        "hypervolume": None if box is None else hypervolume(full_costs(result), box),
        "importance": {name: dict(shares) for name, shares in result.importance.items()},
        "pareto_front": [dict(row) for row in result.pareto_front],
    }


def _fidelity(found: Fidelity) -> dict[str, Any]:
    """NaN, where all trials are equal in an objective, is None."""
    correlations = [None if math.isnan(value) else value for value in found.correlations]
    return {
        "share": found.share,
        "trials": found.n_trials,
        "correlations": correlations,
        "doubtful": found.is_doubtful,
        "refused": found.is_refuted,
    }


def searched(results: Sequence[SearchResult], space: Space, store: Path, page: Path | None) -> str:
    """One line a sampler, then the front of all searches together."""
    first = results[0]
    constraints = "".join(f", {constraint}" for constraint in first.constraints)
    front = _joint_front(results)
    names = ", ".join(metric_name(name) for name in first.objectives)
    lines = [
        f"{first.workload} on {space.name}, {space.n_points:,} points: search for {names}{constraints}",
        "",
        _samplers(results),
        "",
        f"Pareto front of {'all searches' if len(results) > 1 else 'the search'}:" if front else "no point is feasible",
        *([points_of(space, front, [axis.name for axis in space.open_axes]).console()] if front else []),
        "",
        *_remarks(results, space),
        f"{sum(result.computed for result in results)} simulated, {sum(result.cached for result in results)} from the "
        f"store; {sum(result.seconds for result in results):.1f} s",
        f"store: {store}",
        *([f"page: {page / 'index.html'}"] if page is not None else []),
    ]
    return "\n".join(lines)


def _samplers(results: Sequence[SearchResult]) -> str:
    """Means over seeds, with the spread (sample standard deviation) of the hypervolume."""
    box = box_of(results)
    rows = [[cell(name), *_of_sampler(found, box)] for name, found in samplers(results).items()]
    return make_table([("sampler", False), *((name, True) for name in _COLUMNS)], rows).console()


_COLUMNS = ("seeds", "evaluations", "work", "refused", "repeated", "hypervolume", "front")


def _of_sampler(found: Sequence[SearchResult], box: Box | None) -> list[Cell]:
    of_each = [
        [len(result.evaluations), result.work, result.n_refused, result.n_repeated, len(result.pareto_front)]
        for result in found
    ]
    *counts, size = (cell(mean, f"{mean:.5g}") for mean in map(statistics.mean, zip(*of_each, strict=True)))
    volumes = [] if box is None else [hypervolume(full_costs(result), box) for result in found]
    return [cell(len(found)), *counts, _spread(volumes), size]


def _spread(values: Sequence[float]) -> Cell:
    if not values:
        return cell(None)
    mean = statistics.mean(values)
    return cell(mean, f"{mean:.4f}" + (f" +- {statistics.stdev(values):.4f}" if len(values) > 1 else ""))


def _remarks(results: Sequence[SearchResult], space: Space) -> list[str]:
    found = [f"{each.sampler}, seed {each.seed}: ended early: {each.ended}" for each in results if each.ended]
    found += [line for each in results for line in _fidelities(each)]
    unknown = [name for name in space.objectives if name not in results[0].objectives]
    if unknown:
        found.append(f"{', '.join(unknown)}: not known for any point (no labels?), so not among the objectives")
    return found


def _fidelities(result: SearchResult) -> list[str]:
    """How parts of the workload ranked designs, for a warning where they did so badly."""
    lines = []
    for each in result.fidelities:
        if not each.correlations:
            continue
        told = ", ".join(
            f"{metric_name(name)} {value:.2f}"
            for name, value in zip(result.objectives, each.correlations, strict=True)
            if not math.isnan(value)
        )
        verdict = (
            "; it was refused" if each.is_refuted else f"; below {LEAST}: do not trust it" if each.is_doubtful else ""
        )
        lines.append(
            f"{result.sampler}, seed {result.seed}: rank correlation of 1/{round(1 / each.share)} of the workload with "
            f"the whole, over {each.n_trials} trials: {told}{verdict}"
        )
    return lines


def _joint_front(results: Sequence[SearchResult]) -> list[dict[str, Any]]:
    rows = [row for result in results for row in result.pareto_front]
    return [dict(row) for row in pareto_front(rows, results[0].objectives)]
