"""One study as a section of the page: sentences, tables and figures, ready for the template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from reports import families, style
from reports.plan import FamilyTable, Plan
from reports.study import Chosen, Failure, Row, Study, by_role, failures, named_points, pareto_front, split_axes
from reports.tables import Table, cell, make_table, points_table
from reports.units import digits, listing, metric_name, metric_text, more, parameter, percent, quantity, ratio, settings

MOST_FRONT_ROWS = 200
MOST_TILE_AXES = 5
WORSE_ACCURACY = 0.02  # below the most accurate point: worth a warning


class Picture(NamedTuple):
    """A figure of the page; `name` is the stem of its files."""

    name: str
    title: str
    takeaway: str
    figure: Figure

    @property
    def n_rows(self) -> int:
        """Rows of the page's grid that the figure spans beside others."""
        return max(1, round(self.figure.get_figheight() / 2.8))

    @property
    def is_wide(self) -> bool:
        """Whether the figure takes a whole line of the page."""
        return bool(self.figure.get_figwidth() > style.WIDTH_INCHES)


class Tile(NamedTuple):
    """A headline number: what, how much, of which chosen point, and how it is configured."""

    label: str
    value: str
    letter: str
    detail: str


class Section(NamedTuple):
    """Everything the template prints about one study."""

    study: Study
    slug: str
    summary: str
    tiles: list[Tile]
    headline: list[str]
    axes: Table
    fixed: str
    failures: list[tuple[Failure, str]]
    chosen: Table | None
    chosen_note: str
    pictures: list[Picture]
    front: Table | None
    front_title: str
    front_note: str
    has_bound: bool  # whether tables of points have columns on utilization and the roofline bound
    tables: list[FamilyTable]
    notes: list[str]
    missing: list[str]  # figures that the rows do not allow, and why


class Lead(NamedTuple):
    """What stands above the studies of a page, where it has more to tell than its points."""

    title: str
    sentences: list[str]
    tables: list[FamilyTable]
    pictures: list[Picture]
    missing: list[str]  # figures that are not possible, and why
    notes: list[str]
    points_title: str  # over the study below
    files: list[tuple[str, str]]  # further tables beside the page: file name and what is in it


def make_section(study: Study, slug: str) -> Section:
    """Analyse and draw one study."""
    chosen = named_points(study)
    front = pareto_front(study.done, study.objectives)
    pictures, missing = draw_plans(families.of(study.family, "plans")(study, chosen), slug)
    return Section(
        study=study,
        slug=slug,
        summary=_summary(study, len(front)),
        tiles=_tiles(study, chosen),
        headline=_headline(study, chosen)
        + _most_accurate(study, chosen)
        + _inaccurate(study, chosen)
        + _shared_by_front([study.done[i] for i in front], study),
        axes=_axes_table(study),
        fixed=settings(study.fixed),
        failures=[(f, settings(f.common)) for f in failures(study)],
        chosen=_chosen_table(study, chosen) if chosen else None,
        chosen_note=_common_note([c.row for c in chosen], study),
        pictures=pictures,
        front=_front(study, chosen, front) if front else None,
        front_title=f"Pareto front: {listing(map(metric_name, study.objectives))}",
        front_note=_front_note(study, len(front)),
        has_bound=any(column.name == "cycles / bound" for column in families.of(study.family, "COLUMNS")),
        tables=families.of(study.family, "tables")(study, chosen),
        notes=families.of(study.family, "notes")(study),
        missing=missing,
    )


def slugs(studies: Sequence[Study]) -> list[str]:
    """A short name for each study, safe in a file name, unique; empty for a lone study."""
    if len(studies) == 1:
        return [""]
    return [
        f"{number}_{re.sub(r'[^a-z0-9]+', '_', study.workload.lower()).strip('_')}"[:40].strip("_")
        for number, study in enumerate(studies, start=1)
    ]


def _summary(study: Study, n_front: int) -> str:
    points = "1 point" if study.n_points == 1 else f"{study.n_points:,} points"
    axes = f"{len(study.axes)} {'axis' if len(study.axes) == 1 else 'axes'}" if study.axes else "no axis that varies"
    text = (
        f"{study.workload} on the space {study.space or 'of no name'}: {points} of the {study.family} family, {axes}."
    )
    if study.failed:
        text += f" {len(study.ran):,} ran, {len(study.failed):,} failed."
    if study.constraints:
        text += f" {len(study.violating):,} of those that ran break {listing(map(str, study.constraints), 'or')}."
    if len(study.done) > 1:
        of = f"Of the other {len(study.done):,}, " if study.violating else ""
        objectives = listing(map(metric_name, study.objectives))
        text += f" {of}{n_front:,} {'is' if n_front == 1 else 'are'} Pareto-optimal in {objectives}."
    return text


def _tiles(study: Study, chosen: Sequence[Chosen]) -> list[Tile]:
    roles = by_role(chosen)
    if "only point" in roles:
        (point,) = chosen
        return [
            Tile(label, quantity(point.row[key], key.rsplit("_", 1)[1]), point.letter, "")
            for label, key in (("Latency", "latency_ns"), ("Area", "area_um2"), ("Energy", "energy_pj"))
        ]
    wanted = (
        ("Best latency", "fastest", "latency_ns"),
        ("Best area", "smallest", "area_um2"),
        ("Best energy", "least energy", "energy_pj"),
        ("Best accuracy", "most accurate", "accuracy"),
    )
    differing, _ = split_axes([c.row for c in chosen], study.axes) if chosen else ([], {})

    def detail(point: Chosen) -> str:
        named = settings({axis: point.row["point"].get(axis) for axis in differing[:MOST_TILE_AXES]})
        return f"{named} ..." if len(differing) > MOST_TILE_AXES else named

    tiles = []
    for label, role, key in wanted:
        if role in roles:
            point = roles[role]
            tiles.append(Tile(label, metric_text(point.row[key], key), point.letter, detail(point)))
    if "knee" in roles:
        point = roles["knee"]
        other = "accuracy" if "accuracy" in study.objectives else "latency_ns"
        value = f"{metric_text(point.row[other], other)}, {quantity(point.row['area_um2'], 'um2')}"
        tiles.append(Tile("Knee of the front", value, point.letter, detail(point)))
    return tiles


def _headline(study: Study, chosen: Sequence[Chosen]) -> list[str]:
    """The trade in words; a single point is described by itself."""
    if not chosen:
        if study.violating:
            return ["Every point that ran breaks a constraint, so none is chosen."]
        return ["No point ran, so there is nothing to compare; the reasons are below."]
    if len(study.done) == 1:
        return [families.of(study.family, "only_point")(study.done[0])]
    roles = by_role(chosen)
    fastest, smallest, frugal = roles["fastest"], roles["smallest"], roles["least energy"]
    said = []
    if smallest is fastest:
        said.append(f"{fastest.letter} is both the fastest and the smallest point.")
    elif fastest.row["latency_ns"] == smallest.row["latency_ns"]:
        said.append(f"The smallest point, {smallest.letter}, is as fast as the fastest, {fastest.letter}.")
    else:
        said.append(
            f"The fastest point, {fastest.letter}, is {ratio(smallest.row['latency_ns'], fastest.row['latency_ns'])} "
            f"faster than the smallest, {smallest.letter}, and takes "
            f"{more(fastest.row['area_um2'], smallest.row['area_um2'], 'area')}."
        )
    if "knee" in roles and roles["knee"] is not fastest and "accuracy" not in study.objectives:
        row = roles["knee"].row
        said.append(
            f"The knee, {roles['knee'].letter}, has {ratio(row['latency_ns'], fastest.row['latency_ns'])} the "
            f"latency of {fastest.letter} on {percent(row['area_um2'] / fastest.row['area_um2'])} of its area."
        )
    if frugal is not fastest:
        saved = 1 - frugal.row["energy_pj"] / fastest.row["energy_pj"]
        said.append(
            f"{frugal.letter} needs {percent(saved)} less energy than {fastest.letter}, at "
            f"{ratio(frugal.row['latency_ns'], fastest.row['latency_ns'])} its latency."
        )
    return said


def _most_accurate(study: Study, chosen: Sequence[Chosen]) -> list[str]:
    """What accuracy costs, with what one sample is worth, where accuracy is an objective."""
    roles = by_role(chosen)
    if "most accurate" not in roles or roles["most accurate"].row.get("accuracy") is None:
        return []
    best = roles["most accurate"]
    row = best.row
    n_equal = sum(other.get("accuracy") == row["accuracy"] for other in study.done)
    said = f"The most accurate point, {best.letter}, answers {_right(row)}"
    said += f"; it is the smallest of {n_equal:,} that do." if n_equal > 1 else "."
    n_samples = row.get("n_inferences") or 1
    if n_samples > 1:
        near = [r for r in study.done if r.get("accuracy") is not None and _errors(r) <= _errors(row) + 2]
        cheap = min(near, key=lambda r: (r["area_um2"], r["latency_ns"]))
        said += f" One sample is {100 / n_samples:.2f} points"
        if cheap["area_um2"] < row["area_um2"]:
            said += (
                f": {len(near):,} points are within two samples of it, the smallest of them on "
                f"{percent(cheap['area_um2'] / row['area_um2'])} of its area"
            )
        said += "."
    if "knee" in roles and roles["knee"] is not best:
        knee = roles["knee"]
        lost = 100 * (row["accuracy"] - knee.row["accuracy"])
        said += (
            f" The knee, {knee.letter}, is {digits(lost)} points less accurate on "
            f"{percent(knee.row['area_um2'] / row['area_um2'])} of its area."
        )
    return [said]


def _right(row: Row) -> str:
    n_samples = row.get("n_inferences") or 1
    share = f"{100 * row['accuracy']:.1f} % right"
    return f"{share} ({round(row['accuracy'] * n_samples):,} of {n_samples:,})" if n_samples > 1 else share


def _errors(row: Row) -> int:
    return round((1 - row["accuracy"]) * (row.get("n_inferences") or 1))


def _inaccurate(study: Study, chosen: Sequence[Chosen]) -> list[str]:
    """A warning where a named point pays for its place with wrong answers."""
    known = [row["accuracy"] for row in study.done if row.get("accuracy") is not None]
    if not known:
        return []
    best = max(known)
    wrong = [c for c in chosen if c.row.get("accuracy") is not None and c.row["accuracy"] < best - WORSE_ACCURACY]
    if not wrong:
        return []
    told = listing(f"{c.letter} answers {100 * c.row['accuracy']:.1f} % right" for c in wrong)
    return [
        f"Beware: {told}, the most accurate point {100 * best:.1f} %. A constraint on accuracy keeps such points out."
    ]


def _shared_by_front(front: Sequence[Row], study: Study) -> list[str]:
    if len(front) < 3:
        return []
    _, common = split_axes(front, study.axes)
    return [f"Every Pareto-optimal point has {settings(common)}."] if common else []


def _axes_table(study: Study) -> Table:
    columns = [("axis", False), ("values", True), ("", False)]
    rows = []
    for name, values in study.axes.items():
        shown = [parameter(v) for v in values]
        if len(shown) > 12:
            shown = [*shown[:6], "...", *shown[-3:]]
        rows.append([cell(name), cell(len(values)), cell(", ".join(shown))])
    return make_table(columns, rows)


def _chosen_table(study: Study, chosen: Sequence[Chosen]) -> Table:
    rows = [c.row for c in chosen]
    names = {index: (c.letter, listing(c.roles)) for index, c in enumerate(chosen)}
    columns = families.of(study.family, "COLUMNS")
    return points_table(rows, split_axes(rows, study.axes)[0], names, columns=columns)


def _front(study: Study, chosen: Sequence[Chosen], front: Sequence[int]) -> Table:
    rows = [study.done[i] for i in front[:MOST_FRONT_ROWS]]
    letters = {id(c.row): c.letter for c in chosen}
    names = {index: (letters[id(row)],) for index, row in enumerate(rows) if id(row) in letters}
    columns = families.of(study.family, "COLUMNS")
    return points_table(rows, split_axes(rows, study.axes)[0], names, columns=columns)


def _common_note(rows: Sequence[Row], study: Study) -> str:
    """What all of several rows share among the axes: it says which choices the objectives leave no doubt about."""
    if len(rows) < 2:
        return ""
    _, common = split_axes(rows, study.axes)
    return f"All {len(rows):,} have {settings(common)}." if common else ""


def _front_note(study: Study, n_front: int) -> str:
    if n_front <= MOST_FRONT_ROWS:
        return ""
    by = {"latency_ns": "fastest", "area_um2": "smallest"}.get(study.objectives[0], "best")
    return f"The {MOST_FRONT_ROWS} {by} of {n_front:,}; all are in points.csv (column on_front)."


def draw_plans(plans: Iterable[Plan], slug: str = "") -> tuple[list[Picture], list[str]]:
    """The figures that are possible, and of the others what is missing and why. `slug` goes before file names."""
    pictures, missing = [], []
    for plan in plans:
        if plan.data is None:
            missing.append(f"{plan.title.split(':')[0]} ({plan.why_not})")
            continue
        with style.house_style():
            figure = plan.draw(plan.data)
            style.settle(figure)
        name = f"{slug}_{plan.name}" if slug else plan.name
        pictures.append(Picture(name, plan.title, plan.takeaway(plan.data), figure))
    return pictures, missing
