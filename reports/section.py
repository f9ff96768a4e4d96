"""One study as a section of the page: sentences, tables and figures, ready for the template."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from designs.objectives import Constraint
from reports import style
from reports.figures import heat_map, importance, layers, pareto, roofline, shares, stalls
from reports.study import Chosen, Failure, Row, Study, choose, failures, pareto_front, primary, split_axes
from reports.tables import Table, cell, layer_table, make_table, points_table
from reports.units import listing, more, parameter, percent, quantity, ratio, settings

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
    front_note: str
    layers: Table | None
    layers_note: str
    missing: list[str]  # figures that the rows do not allow, and why


def make_section(study: Study, slug: str, constraints: Sequence[Constraint] = ()) -> Section:
    """Analyse and draw one study; `constraints` are those with which it was made."""
    chosen = choose(study.done)
    shown = primary(chosen)
    front = pareto_front(study.done)
    pictures, missing = _pictures(study, chosen, slug)
    return Section(
        study=study,
        slug=slug,
        summary=_summary(study, len(front), constraints),
        tiles=_tiles(study, chosen),
        headline=_headline(study, chosen)
        + _inaccurate(study, chosen)
        + _shared_by_front([study.done[i] for i in front], study),
        axes=_axes_table(study),
        fixed=settings(study.fixed),
        failures=[(f, settings(f.common)) for f in failures(study)],
        chosen=_chosen_table(study, chosen) if chosen else None,
        chosen_note=_common_note([c.row for c in chosen], study),
        pictures=pictures,
        front=_front(study, chosen, front) if front else None,
        front_note=_front_note(len(front)),
        layers=layer_table(shown.row) if shown and shown.row.get("layers") else None,
        layers_note=f"Point {shown.letter} ({listing(shown.roles)})" if shown else "",
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


def _summary(study: Study, n_front: int, constraints: Sequence[Constraint]) -> str:
    points = "1 point" if study.n_points == 1 else f"{study.n_points:,} points"
    axes = f"{len(study.axes)} {'axis' if len(study.axes) == 1 else 'axes'}" if study.axes else "no axis that varies"
    text = (
        f"{study.workload} on the space {study.space or 'of no name'}: {points} of the {study.family} family, {axes}."
    )
    if study.failed:
        text += f" {len(study.ran):,} ran, {len(study.failed):,} failed."
    if constraints:
        text += f" {len(study.violating):,} of those that ran break {listing(map(str, constraints), 'or')}."
    if len(study.done) > 1:
        of = f"Of the other {len(study.done):,}, " if study.violating else ""
        text += f" {of}{n_front:,} {'is' if n_front == 1 else 'are'} Pareto-optimal in latency, area and energy."
    return text


def _tiles(study: Study, chosen: Sequence[Chosen]) -> list[Tile]:
    by_role = {role: point for point in chosen for role in point.roles}
    if "only point" in by_role:
        (point,) = chosen
        return [
            Tile(label, quantity(point.row[key], key.rsplit("_", 1)[1]), point.letter, "")
            for label, key in (("Latency", "latency_ns"), ("Area", "area_um2"), ("Energy", "energy_pj"))
        ]
    wanted = (
        ("Best latency", "fastest", "latency_ns"),
        ("Best area", "smallest", "area_um2"),
        ("Best energy", "least energy", "energy_pj"),
    )
    differing, _ = split_axes([c.row for c in chosen], study.axes) if chosen else ([], {})

    def detail(point: Chosen) -> str:
        named = settings({axis: point.row["point"].get(axis) for axis in differing[:MOST_TILE_AXES]})
        return f"{named} ..." if len(differing) > MOST_TILE_AXES else named

    tiles = []
    for label, role, key in wanted:
        if role in by_role:
            point = by_role[role]
            value = quantity(point.row[key], key.rsplit("_", 1)[1])
            tiles.append(Tile(label, value, point.letter, detail(point)))
    if "knee" in by_role:
        point = by_role["knee"]
        value = f"{quantity(point.row['latency_ns'], 'ns')}, {quantity(point.row['area_um2'], 'um2')}"
        tiles.append(Tile("Knee of the front", value, point.letter, detail(point)))
    return tiles


def _headline(study: Study, chosen: Sequence[Chosen]) -> list[str]:
    """The trade in words; a single point is described by itself."""
    if not chosen:
        if study.violating:
            return ["Every point that ran breaks a constraint, so none is chosen."]
        return ["No point ran, so there is nothing to compare; the reasons are below."]
    if len(study.done) == 1:
        row = study.done[0]
        return [
            f"The point takes {quantity(row['latency_ns'], 'ns')} ({row['cycles']:,} cycles), "
            f"{quantity(row['area_um2'], 'um2')} and {quantity(row['energy_pj'], 'pj')}, and keeps its array "
            f"{percent(row['utilization'])} busy."
        ]
    by_role = {role: point for point in chosen for role in point.roles}
    fastest, smallest, frugal = by_role["fastest"], by_role["smallest"], by_role["least energy"]
    said = []
    if smallest is fastest:
        said.append(f"{fastest.letter} is both the fastest and the smallest point.")
    else:
        said.append(
            f"The fastest point, {fastest.letter}, is {ratio(smallest.row['latency_ns'], fastest.row['latency_ns'])} "
            f"faster than the smallest, {smallest.letter}, and takes "
            f"{more(fastest.row['area_um2'], smallest.row['area_um2'], 'area')}."
        )
    if "knee" in by_role and by_role["knee"] is not fastest:
        row = by_role["knee"].row
        said.append(
            f"The knee, {by_role['knee'].letter}, has {ratio(row['latency_ns'], fastest.row['latency_ns'])} the "
            f"latency of {fastest.letter} on {percent(row['area_um2'] / fastest.row['area_um2'])} of its area."
        )
    if frugal is not fastest:
        saved = 1 - frugal.row["energy_pj"] / fastest.row["energy_pj"]
        said.append(
            f"{frugal.letter} needs {percent(saved)} less energy than {fastest.letter}, at "
            f"{ratio(frugal.row['latency_ns'], fastest.row['latency_ns'])} its latency."
        )
    return said


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
    return points_table(rows, split_axes(rows, study.axes)[0], names)


def _front(study: Study, chosen: Sequence[Chosen], front: Sequence[int]) -> Table:
    rows = [study.done[i] for i in front[:MOST_FRONT_ROWS]]
    letters = {id(c.row): c.letter for c in chosen}
    names = {index: (letters[id(row)],) for index, row in enumerate(rows) if id(row) in letters}
    return points_table(rows, split_axes(rows, study.axes)[0], names)


def _common_note(rows: Sequence[Row], study: Study) -> str:
    """What all of several rows share among the axes: it says which choices the objectives leave no doubt about."""
    if len(rows) < 2:
        return ""
    _, common = split_axes(rows, study.axes)
    return f"All {len(rows):,} have {settings(common)}." if common else ""


def _front_note(n_front: int) -> str:
    if n_front <= MOST_FRONT_ROWS:
        return ""
    return f"The {MOST_FRONT_ROWS} fastest of {n_front:,}; all are in points.csv (column on_front)."


class _Plan(NamedTuple):
    """How one figure of the page comes about: its data (None: not possible), and why that can be."""

    name: str
    title: str
    data: Any
    takeaway: Callable[[Any], str]
    draw: Callable[[Any], Figure]
    why_not: str


def _plans(study: Study, chosen: Sequence[Chosen]) -> Iterator[_Plan]:
    shown = primary(chosen)
    of_shown = f"point {shown.letter}, {shown.roles[0]}" if shown else ""
    for x, y, title in (
        ("area_um2", "latency_ns", "Area and latency"),
        ("energy_pj", "latency_ns", "Energy and latency"),
    ):
        yield _Plan(
            f"front_{x.split('_')[0]}_{y.split('_')[0]}", title,
            pareto.pareto_data(study.done, chosen, study.violating, x=x, y=y),
            pareto.sentences, pareto.draw, "a front needs two points that ran",
        )  # fmt: skip
    yield _Plan(
        "roofline", "Roofline", roofline.roofline_data(chosen, shown) if shown else None,
        roofline.takeaway, roofline.draw, "no row with layers that multiply and move data",
    )  # fmt: skip
    yield _Plan(
        "layers", f"Latency by layer: {of_shown}", layers.layers_data(shown.row) if shown else None,
        layers.takeaway, layers.draw, "no row with layers",
    )  # fmt: skip
    for name, key, total, title in (
        ("phases", "phases", "latency_ns", "Cycles by phase"),
        ("energy", "energy_breakdown_pj", None, "Energy by part"),
        ("area", "area_breakdown_um2", None, "Area by part"),
    ):
        what = {"phases": "cycles"}.get(name, name)
        yield _Plan(
            name, title, shares.shares_data(chosen, key, total),
            partial(shares.takeaway, what=f"the {what}"), partial(shares.draw, axis_label=f"Share of {what} (%)"),
            "no row with a breakdown",
        )  # fmt: skip
    yield _Plan(
        "utilization", "Utilization by array size", heat_map.heat_map_data(study.ran, study.failed),
        heat_map.takeaway, heat_map.draw, "fewer than two array sizes ran",
    )  # fmt: skip
    yield _Plan(
        "stalls", "Where cycles go, over all points", stalls.stalls_data(study.ran),
        stalls.takeaway, stalls.draw, "fewer than three points ran",
    )  # fmt: skip
    yield _Plan(
        "importance", "What each axis decides", importance.importance_data(study.ran, study.axes),
        importance.takeaway, importance.draw, "fewer than eight points or two axes",
    )  # fmt: skip


def _pictures(study: Study, chosen: Sequence[Chosen], slug: str) -> tuple[list[Picture], list[str]]:
    pictures, missing = [], []
    for plan in _plans(study, chosen):
        if plan.data is None:
            missing.append(f"{plan.title.split(':')[0]} ({plan.why_not})")
            continue
        with style.house_style():
            figure = plan.draw(plan.data)
            style.settle(figure)
        name = f"{slug}_{plan.name}" if slug else plan.name
        pictures.append(Picture(name, plan.title, plan.takeaway(plan.data), figure))
    return pictures, missing


def _accuracy_note(study: Study) -> str:
    known = [row["accuracy"] for row in study.done if row.get("accuracy") is not None]
    if not known:
        return "Accuracy is not known here: a narrower machine looks better than it may be."
    low, high = f"{100 * min(known):.1f} %", f"{100 * max(known):.1f} %"
    span = low if low == high else f"{low} to {high}"
    return (
        f"Accuracy, measured in each machine's own arithmetic, is {span} over the points compared; it is not among the "
        "objectives of the front."
    )


def notes(study: Study) -> list[str]:
    """What a careful reader should know about the numbers of a study."""
    said = []
    kept = " that keeps the constraints" if study.violating else ""
    if study.done:
        clocks = sorted({row["point"]["clock_mhz"] for row in study.done if "clock_mhz" in row["point"]})
        clock = f" ({listing(f'{c:,} MHz' for c in clocks)})" if clocks else ""
        said.append(
            f"Latency is cycles at the clock that the design asks for{clock}. Whether the circuit closes timing "
            "at that clock is not checked here."
        )
    said.append("Points of the space that cannot be built leave no row and are not counted here.")
    if any(row.get("layers") for row in study.done):
        said.append(
            "Each layer runs in its fastest tiling, with DRAM traffic deciding between equals only; a slower tiling "
            "may need less energy. Energies of two points therefore differ by their tilings too."
        )
    widths = [axis for axis in split_axes(study.done, study.axes)[0] if axis.endswith("_bits")] if study.done else []
    if widths:
        said.append(f"Points that differ in {listing(widths)} do not compute the same numbers. {_accuracy_note(study)}")
    if study.failed:
        said.append(
            f"{len(study.failed):,} of {study.n_points:,} points failed, have no numbers and are in no figure; the "
            "front says nothing about them."
        )
    if len(study.done) > 1:
        said.append(
            f"Pareto-optimal means: no other point of this study{kept} is at least as good in latency, area and "
            "energy and better in one. Points outside the study may be better."
        )
    return said
