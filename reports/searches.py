"""Searches side by side: what each found when, and the front of them all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from designs.errors import InputError
from explore.search.result import Evaluation, SearchResult
from reports.study import Row, pareto_front

FULL = 1.0  # share of the workload that a full evaluation simulates


class Find(NamedTuple):
    """An evaluation and where it stands in its search."""

    result: SearchResult
    evaluation: Evaluation
    number: int  # in its search, from 1
    work: float  # simulated by its search so far, itself included, in full evaluations
    age: float  # share of its search's work that was done before it, 0 to 1
    first: Evaluation  # of its configuration: the same one unless that was promoted
    key: str  # equal for evaluations of the same point

    @property
    def row(self) -> Row:
        return self.evaluation.row

    @property
    def is_full(self) -> bool:
        return self.evaluation.share >= FULL

    @property
    def counts(self) -> bool:
        """Whether a front may have it: the whole workload ran, and every constraint is kept."""
        return self.is_full and self.evaluation.feasible and not self.row.get("failure")


def expect_comparable(results: Sequence[SearchResult]) -> None:
    """InputError unless there is a result and all are of one space, family, workload, objectives and constraints."""
    if not results:
        raise InputError("search page: wanted at least one search, got none; run `lockstep search` first")
    for name in ("family", "space", "workload", "objectives", "constraints"):
        first = getattr(results[0], name)
        other = next((getattr(r, name) for r in results if getattr(r, name) != first), first)
        if other != first:
            raise InputError(
                f"search page: wanted searches of one {name}, got {_words(first)} and {_words(other)}; "
                "write a page for each"
            )


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def finds(results: Iterable[SearchResult]) -> list[Find]:
    """Every evaluation of every search, search by search, in the order in which points were asked for."""
    found = []
    for result in results:
        work, total = 0.0, result.work
        first_of: dict[int, Evaluation] = {}
        for number, evaluation in enumerate(result.evaluations, start=1):
            age = work / total
            work += evaluation.share
            first = first_of.setdefault(evaluation.trial, evaluation)
            key = json.dumps(evaluation.row["point"], sort_keys=True)
            found.append(Find(result, evaluation, number, work, age, first, key))
    return found


def samplers(results: Iterable[SearchResult]) -> dict[str, list[SearchResult]]:
    """Searches by sampler, in the order in which samplers come first; of each by seed."""
    found: dict[str, list[SearchResult]] = {}
    for result in results:
        found.setdefault(result.sampler, []).append(result)
    return {sampler: sorted(of_it, key=lambda result: result.seed) for sampler, of_it in found.items()}


def distinct_rows(found: Iterable[Find]) -> list[Row]:
    """Rows of full evaluations, each point once, however many searches asked for it."""
    rows: dict[str, Row] = {}
    for find in found:
        if find.is_full:
            rows.setdefault(find.key, find.row)
    return list(rows.values())


def joint_front(found: Iterable[Find], objectives: Sequence[str]) -> list[Find]:
    """The front of all searches together, the best by the first objective in front.

    A point that several searches found is the find of the one that had simulated least by then; so is one of points
    that are equal in all objectives.
    """
    earliest: dict[str, Find] = {}
    for find in sorted((f for f in found if f.counts), key=lambda f: f.work):
        earliest.setdefault(find.key, find)
    candidates = list(earliest.values())
    return [candidates[index] for index in pareto_front([f.row for f in candidates], objectives)]


def origin_kind(find: Find) -> str:
    """How a point was found without what differs from one to the next: "generation 3" is "generation".

    Of a configuration that was promoted it is how that was found: "tpe, promoted".
    """
    words = re.sub(r"\s+", " ", re.sub(r"\b\d+\b", "", find.first.origin)).strip(" :,") or find.result.sampler
    return words if find.first.share == find.evaluation.share else f"{words}, promoted"
