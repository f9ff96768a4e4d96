"""The page of searches: how they went, on top of the ordinary page of the points that they evaluated in full."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from designs import families
from designs.objectives import Constraint, parse_constraint
from designs.space import Space
from explore.pareto import known
from explore.search.result import SearchResult
from reports.page import EVALUATIONS, POINTS, expect_folder, points_csv, write_page
from reports.search_section import make_lead
from reports.searches import distinct_rows, expect_comparable, finds
from reports.study import Row, studies


def write_search_page(
    results: Sequence[SearchResult],
    out_dir: Path | str,
    *,
    space: Space,
    title: str,
    command: str,
    store_path: Path | str | None = None,
    layers_of: Callable[[list[dict[str, Any]]], Sequence[Row]] | None = None,
) -> list[Path]:
    """Write the page, its figures, `points.csv` and `evaluations.csv` into `out_dir`; the paths of page and tables.

    `results` are of one space, family, workload, objectives and constraints (InputError otherwise); of full
    evaluations the page shows each point once. Objectives that no row knows, as accuracy where nothing has labels,
    are left out. `layers_of` is given these rows and answers the same rows, those that the page names with their
    layers and details. The same arguments give the same bytes; files are written as `reports.page.write_report` does.
    """
    out = expect_folder(out_dir)
    expect_comparable(results)
    # a row from the store has the space it was first explored in
    rows = [{**row, "space": results[0].space} for row in distinct_rows(finds(results))]
    ran = [row for row in rows if not row.get("failure")]
    objectives = known(results[0].objectives, ran)
    results = [_in_objectives(result, objectives) for result in results]
    shown: Sequence[Row] = layers_of(rows) if layers_of is not None else rows
    found = studies(shown, constraints_of(results[0], space), objectives)
    tables = {POINTS: points_csv(found), EVALUATIONS: evaluations_csv(results, space)}
    lead = make_lead(results, space, EVALUATIONS)
    page = write_page(found, out, tables, title=title, command=command, store_path=store_path, lead=lead)
    return [page, *(out / name for name in tables)]


def _in_objectives(result: SearchResult, objectives: tuple[str, ...]) -> SearchResult:
    """The search as told in some of its objectives."""
    kept = [result.objectives.index(name) for name in objectives]
    fidelities = tuple(
        dataclasses.replace(each, correlations=tuple(each.correlations[i] for i in kept) if each.correlations else ())
        for each in result.fidelities
    )
    return dataclasses.replace(result, objectives=objectives, fidelities=fidelities)


def constraints_of(result: SearchResult, space: Space) -> list[Constraint]:
    """The constraints of a search; those that the space states too with all the digits of their bounds."""
    exact = {str(constraint): constraint for constraint in space.subject_to}
    own_metrics = families.metrics(result.family)
    return [exact.get(text) or parse_constraint(text, own_metrics) for text in result.constraints]


def evaluations_csv(results: Sequence[SearchResult], space: Space) -> str:
    """A line for each evaluation, search by search: what it was, how it was found, its objectives, its open axes.

    `work` is what its search had simulated by then, in full evaluations.
    """
    lines: list[dict[str, Any]] = []
    for find in finds(results):
        evaluation, row = find.evaluation, find.row
        metrics = {name: row.get(name) for name in find.result.objectives}
        lines.append(
            {"sampler": find.result.sampler, "seed": find.result.seed, "evaluation": find.number,
             "trial": evaluation.trial, "share": evaluation.share, "work": round(find.work, 9),
             "origin": evaluation.origin, "feasible": int(evaluation.feasible), "failure": row.get("failure") or ""}
            | metrics | {axis.name: row["point"][axis.name] for axis in space.open_axes}
        )  # fmt: skip
    columns = ["sampler", "seed", "evaluation", "trial", "share", "work", "origin", "feasible", "failure"]
    columns += [*results[0].objectives, *(axis.name for axis in space.open_axes)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()
