"""What a page says of searches before it shows their points: sentences, a table, figures."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from decimal import Decimal

from designs.objectives import MAXIMIZED
from designs.space import Space
from explore.search.fidelity import LEAST
from explore.search.result import SearchResult
from reports.figures import found, hypervolume, parallel, rungs, search_importance
from reports.plan import FamilyTable, Plan
from reports.searches import Find, finds, joint_front, samplers
from reports.section import Lead, draw_plans
from reports.tables import Cell, Table, cell, make_table
from reports.units import digits, listing, metric_name, plain, readable_unit, superscript


def make_lead(results: Sequence[SearchResult], space: Space, evaluations_csv: str) -> Lead:
    """Analyse and draw some searches of one space; `evaluations_csv` is the name of the table with all evaluations."""
    every = finds(results)
    front = joint_front(every, results[0].objectives)
    data = hypervolume.hypervolume_data(results)
    pictures, missing = draw_plans(_plans(results, every, front, space, data))
    table = search_table(results, every, front, data)
    remark = "Means over the seeds of a sampler; computed and from store are sums. Notes are below the figures."
    return Lead(
        title="The searches",
        sentences=[_asked(results, space), _came_to(every), *_ended(results)],
        tables=[FamilyTable("Samplers side by side", remark, table), *_fidelities(results)],
        pictures=pictures,
        missing=missing,
        notes=_notes(results, every, has_volume=data is not None),
        points_title="The points",
        files=[(evaluations_csv, "every evaluation of every search, in order")],
    )


def _asked(results: Sequence[SearchResult], space: Space) -> str:
    """What was searched, by whom, for how long, towards what."""
    first, by_sampler = results[0], samplers(results)
    count = "One search" if len(results) == 1 else f"{len(results):,} searches"
    budgets = sorted({result.budget for result in results})
    budget = digits_of_work(budgets[0]) if len(budgets) == 1 else f"{budgets[0]:g} to {digits_of_work(budgets[-1])}"
    goals = listing(f"{'largest' if o in MAXIMIZED else 'least'} {metric_name(o)}" for o in first.objectives)
    text = (
        f"{count} of {first.space} ({n_points_text(space.n_points)} of the {first.family} family) for {goals} on "
        f"{first.workload}: {listing(by_sampler)}, {_seeds(by_sampler)}, with a budget of {budget} each."
    )
    return text + (f" Points have to keep {listing(first.constraints)}." if first.constraints else "")


def _seeds(by_sampler: dict[str, list[SearchResult]]) -> str:
    seeds = {tuple(result.seed for result in of_it) for of_it in by_sampler.values()}
    if len(seeds) > 1:
        return "each with seeds of its own"
    (of_all,) = seeds
    return f"seed {of_all[0]}" if len(of_all) == 1 else f"{len(of_all)} seeds"


def digits_of_work(work: float) -> str:
    """Work in words: "60 full evaluations", "15.7 full evaluations"."""
    amount = f"{work:,.0f}" if work == round(work) else digits(work)
    return f"{amount} full {'evaluation' if work == 1 else 'evaluations'}"


def n_points_text(n: int) -> str:
    """A number of points: all digits of one below 10^12, else a power of ten."""
    if n < 10**12:
        return "1 point" if n == 1 else f"{n:,} points"
    mantissa, exponent = f"{Decimal(n):.2e}".split("e+")
    return f"{mantissa} × 10{superscript(int(exponent))} points"


def _came_to(every: Sequence[Find]) -> str:
    """Evaluations, and how many of them count; plainly where none does."""
    if not every:
        return "Nothing was simulated: no point that was asked for can be built, or there was no budget."
    n_full = sum(find.is_full for find in every)
    n_counting = sum(find.counts for find in every)
    n_failed = sum(find.is_full and bool(find.row.get("failure")) for find in every)
    text = f"{len(every):,} {'evaluation' if len(every) == 1 else 'evaluations'}"
    text += f", {n_full:,} of them of the whole workload." if n_full < len(every) else " of the whole workload."
    if not n_full:
        return f"{text} No point was simulated whole, so there is no front."
    if not n_counting:
        why = "every one of them failed" if n_failed == n_full else "none keeps the constraints"
        return f"{text} There is no front: {why}."
    if n_counting < n_full:
        text += f" {n_counting:,} are feasible; {n_failed:,} failed"
        n_breaking = n_full - n_counting - n_failed
        text += f" and {n_breaking:,} break a constraint." if n_breaking else "."
    n_distinct = len({find.key for find in every if find.is_full})
    return text + (f" They are {n_distinct:,} different points." if n_distinct < n_full else "")


def _ended(results: Sequence[SearchResult]) -> list[str]:
    """Why searches ended before their budget was used, each reason once."""
    reasons: dict[str, list[str]] = {}
    for result in results:
        if result.ended:
            reasons.setdefault(result.ended, []).append(f"{result.sampler} with seed {result.seed}")
    return [f"Ended early, {why}: {listing(who)}." for why, who in reasons.items()]


def _fidelities(results: Sequence[SearchResult]) -> list[FamilyTable]:
    """How parts of the workload rank designs, where they were simulated."""
    if not any(result.fidelities for result in results):
        return []
    objectives = results[0].objectives
    columns = [
        ("sampler", False),
        ("share", True),
        ("configurations", True),
        *((metric_name(o), True) for o in objectives),
    ]
    lines = []
    for sampler, of_it in samplers(results).items():
        every = [each for result in of_it for each in result.fidelities]
        for share in sorted({each.share for each in every}):
            alike = [each for each in every if each.share == share]
            told = [each.correlations for each in alike if each.correlations]
            correlations = [[one[i] for one in told if not math.isnan(one[i])] for i in range(len(objectives))]
            lines.append(
                [cell(sampler), cell(share, f"{plain(100 * share)} %"), cell(sum(each.n_trials for each in alike)),
                 *(_correlation(values) for values in correlations)]
            )  # fmt: skip
    remark = (
        "Spearman's rank correlation between a part of the workload and all of it, over the configurations that were "
        f"simulated on both: 1 where both rank alike, below {LEAST} a part says too little. These are the best ones "
        "only, which lie close together. Means over the seeds of a sampler."
    )
    return [FamilyTable("How parts of the workload rank designs", remark, make_table(columns, lines))]


def _correlation(values: Sequence[float]) -> Cell:
    return Cell(f"{statistics.fmean(values):.2f}", statistics.fmean(values)) if values else Cell("-", -2.0)


def _plans(
    results: Sequence[SearchResult],
    every: Sequence[Find],
    front: Sequence[Find],
    space: Space,
    data: hypervolume.HypervolumeData | None,
) -> Iterator[Plan]:
    objectives = results[0].objectives
    yield Plan(
        "search_hypervolume", "Hypervolume against work", data, hypervolume.takeaway, hypervolume.draw,
        "two feasible points that differ are needed",
    )  # fmt: skip
    for number, (x, y) in enumerate(pairs(objectives), start=1):
        of = f"{metric_name(x)} and {metric_name(y)}" if x else metric_name(y)
        yield Plan(
            f"search_found_{number}", f"How the front was found, {of}", found.found_data(every, front, x, y),
            found.takeaway if number == 1 else found.same_points, found.draw, "no point ran on the whole workload",
        )  # fmt: skip
    yield Plan(
        "search_parallel", "Parameters of the front",
        parallel.parallel_data(every, front, space.open_axes, objectives, mean_importance(results)),
        parallel.takeaway, parallel.draw, "no feasible point, or fewer than two axes and objectives",
    )  # fmt: skip
    yield Plan(
        "search_importance", "Importance of axes", search_importance.search_importance_data(results),
        search_importance.takeaway, search_importance.draw, "too few evaluations to tell, or no axis",
    )  # fmt: skip
    if any(not find.is_full for find in every):
        yield Plan("search_rungs", "Rungs", rungs.rungs_data(results), rungs.takeaway, rungs.draw, "no parts")


def pairs(objectives: Sequence[str]) -> Sequence[tuple[str | None, str]]:
    """Pairs of objectives to draw: those of the first three; a lone one is drawn against work (None)."""
    if len(objectives) == 1:
        return [(None, objectives[0])]
    return list(itertools.combinations(objectives[:3], 2))


def mean_importance(results: Sequence[SearchResult]) -> dict[str, float]:
    """Axis -> its importance, the mean over all searches and objectives that tell one."""
    told: dict[str, list[float]] = {}
    for shares in (shares for result in results for shares in result.importance.values()):
        for axis, share in shares.items():
            told.setdefault(axis, []).append(share)
    return {axis: statistics.fmean(shares) for axis, shares in told.items()}


def search_table(
    results: Sequence[SearchResult],
    every: Sequence[Find],
    front: Sequence[Find],
    data: hypervolume.HypervolumeData | None,
) -> Table:
    """A line for each sampler; `data` brings hypervolumes, `front` is that of all searches."""
    columns = [
        ("sampler", False), ("seeds", True), ("evaluations", True), ("of parts", True), ("work", True),
        ("hypervolume", True), ("standard deviation", True), ("lowest", True), ("highest", True), ("front size", True),
        ("on joint front", True), ("refused", True), ("repeated", True), ("computed", True), ("from store", True),
    ]  # fmt: skip
    best = {find.key for find in front}
    finals = {curve.sampler: curve.finals for curve in data.curves} if data else {}
    lines = []
    for sampler, of_it in samplers(results).items():
        mine = {find.key for find in every if find.counts and find.result.sampler == sampler}
        lines.append([
            cell(sampler), cell(len(of_it)),
            _mean([len(r.evaluations) for r in of_it]), _mean([sum(e.share < 1 for e in r.evaluations) for r in of_it]),
            _mean([r.work for r in of_it]), *_volumes(finals.get(sampler, [])),
            _mean([len(r.pareto_front) for r in of_it]), cell(len(best & mine)),
            _mean([r.n_refused for r in of_it]), _mean([r.n_repeated for r in of_it]),
            cell(sum(r.computed for r in of_it)), cell(sum(r.cached for r in of_it)),
        ])  # fmt: skip
    has_parts = any(find.evaluation.share < 1 for find in every)
    table = make_table(columns, lines)
    return table if has_parts else _without(table, "of parts")


def _without(table: Table, column: str) -> Table:
    at = table.columns.index(column)
    return Table(
        table.columns[:at] + table.columns[at + 1 :],
        table.numeric[:at] + table.numeric[at + 1 :],
        [row[:at] + row[at + 1 :] for row in table.rows],
    )


def _mean(values: Sequence[float]) -> Cell:
    mean = statistics.fmean(values)
    return Cell(f"{mean:,.0f}" if mean == round(mean) else f"{mean:,.1f}", mean)


def _volumes(finals: Sequence[float]) -> list[Cell]:
    """Mean, sample standard deviation, smallest and largest."""
    if not finals:
        return [Cell("-", -1.0)] * 4
    spread = statistics.stdev(finals) if len(finals) > 1 else None
    values = (statistics.fmean(finals), spread, min(finals), max(finals))
    return [Cell("-", -1.0) if value is None else Cell(f"{value:.3f}", value) for value in values]


def _notes(results: Sequence[SearchResult], every: Sequence[Find], *, has_volume: bool) -> list[str]:
    said = []
    if has_volume:
        said.append(
            "Hypervolume is the share of a box that a search's feasible points dominate. The box reaches from the best "
            "to the worst of each objective over all feasible points of all searches on this page (logarithms of what "
            f"has a unit): {_box(every, results[0].objectives)}. Hypervolumes of two pages have two boxes: compare "
            "within a page."
        )
    said.append(
        "Work is counted in full evaluations; a part of the workload counts as its share. Points that cannot be built "
        "(refused) and points that were evaluated before (repeated) cost nothing."
    )
    if any(result.importance for result in results):
        said.append(
            "Importance is the share of an axis alone in the variance of an objective over the space, by a random "
            "forest fitted to each search's evaluations (fANOVA). Where a search went is where it knows most."
        )
    if any(find.counts for find in every):
        said.append("The front of all searches is exact over what they evaluated; the space may hold better points.")
    return said


def _box(every: Sequence[Find], objectives: Sequence[str]) -> str:
    """Ends of each objective over all feasible points."""
    spans = []
    for name in objectives:
        values = [find.row[name] for find in every if find.counts and find.row.get(name) is not None]
        best, worst = (max, min) if name in MAXIMIZED else (min, max)
        unit = readable_unit(name, values)
        ends = " to ".join(digits(end(values) / unit.factor) for end in (best, worst))
        spans.append(f"{metric_name(name)} {ends} {unit.label}".rstrip())
    return listing(spans)
