"""What a page has of every family; `reports/families/<family>.py` may put its own in place of each of these."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from markupsafe import Markup

from designs.objectives import MAXIMIZED
from reports.figures import importance, pareto, shares
from reports.plan import FamilyTable, Plan
from reports.study import OBJECTIVES, Chosen, Row, Study, split_axes
from reports.tables import metric_column
from reports.units import capital, listing, metric_name, quantity

COLUMNS = tuple(map(metric_column, ("latency_ns", "area_um2", "energy_pj", "cycles")))  # of tables of points
PRICES: tuple[str, ...] | None = None  # technology tables that the family's parts are priced with; None: all
FIGURES = (
    "front_area_latency", "front_energy_latency", "front_area_accuracy", "front_energy_accuracy", "phases", "energy",
    "area", "importance",
)  # fmt: skip


def plans(study: Study, chosen: Sequence[Chosen]) -> Iterator[Plan]:
    """The figures of a page, in its order."""
    yield from fronts(study, chosen)
    yield from divided(chosen)
    yield decided(study)


def tables(study: Study, chosen: Sequence[Chosen]) -> list[FamilyTable]:
    """Tables behind that of the front."""
    return []


def fronts(study: Study, chosen: Sequence[Chosen]) -> Iterator[Plan]:
    """Area and energy against latency, and against whatever of the objectives is to be large."""
    for y in ("latency_ns", *(o for o in study.objectives if o in MAXIMIZED)):
        for x in ("area_um2", "energy_pj"):
            yield front(study, chosen, x, y)


def front(study: Study, chosen: Sequence[Chosen], x: str, y: str) -> Plan:
    """Two metrics of all points."""
    return Plan(
        f"front_{x.split('_')[0]}_{y.split('_')[0]}", f"{capital(metric_name(x))} and {metric_name(y)}",
        pareto.pareto_data(study.done, chosen, study.violating, x=x, y=y),
        pareto.sentences, pareto.draw, "a front needs two points that ran",
    )  # fmt: skip


def divided(
    chosen: Sequence[Chosen],
    names: Collection[str] = ("phases", "energy", "area"),
    grouped: Callable[[Mapping[str, float]], Mapping[str, float]] | None = None,
) -> Iterator[Plan]:
    """Cycles, energy and area of the named points by what they go to; `grouped` joins parts that belong together."""
    for name, key, total, title in (
        ("phases", "phases", "latency_ns", "Cycles by phase"),
        ("energy", "energy_breakdown_pj", None, "Energy by part"),
        ("area", "area_breakdown_um2", None, "Area by part"),
    ):
        what = {"phases": "cycles"}.get(name, name)
        if name in names:
            yield Plan(
                name, title, shares.shares_data(chosen, key, total, grouped if name != "phases" else None),
                partial(shares.takeaway, what=f"the {what}"),
                partial(shares.draw, axis_label=f"Share of {what} (%)"),
                "no row with a breakdown",
            )  # fmt: skip


def decided(study: Study) -> Plan:
    """Which axes matter."""
    more = [o for o in study.objectives if o == "accuracy"]
    return Plan(
        "importance", "What each axis decides",
        importance.importance_data(study.ran, study.axes, (*OBJECTIVES, *more)),
        importance.takeaway, importance.draw, "fewer than eight points or two axes",
    )  # fmt: skip


def only_point(row: Row) -> str:
    """A study of one point in a sentence."""
    return (
        f"The point takes {quantity(row['latency_ns'], 'ns')} ({row['cycles']:,} cycles), "
        f"{quantity(row['area_um2'], 'um2')} and {quantity(row['energy_pj'], 'pj')}."
    )


def notes(study: Study) -> list[str]:
    """What a careful reader should know about the numbers of a study."""
    return [*clock_note(study), "Points of the space that cannot be built leave no row and are not counted here.",
            *width_note(study), *common_notes(study)]  # fmt: skip


def clock_note(study: Study) -> list[str]:
    """That nobody has checked the clock."""
    if not study.done:
        return []
    clocks = sorted({row["point"]["clock_mhz"] for row in study.done if "clock_mhz" in row["point"]})
    clock = f" ({listing(f'{c:,} MHz' for c in clocks)})" if clocks else ""
    return [
        f"Latency is cycles at the clock that the design asks for{clock}. Whether the circuit closes timing "
        "at that clock is not checked here."
    ]


def width_note(study: Study) -> list[str]:
    """That points of other widths compute something else."""
    widths = [axis for axis in split_axes(study.done, study.axes)[0] if axis.endswith("_bits")] if study.done else []
    if not widths:
        return []
    return [f"Points that differ in {listing(widths)} do not compute the same numbers. {_accuracy_note(study)}"]


def _accuracy_note(study: Study) -> str:
    known = [row["accuracy"] for row in study.done if row.get("accuracy") is not None]
    if not known:
        return "Accuracy is not known here: a narrower machine looks better than it may be."
    low, high = f"{100 * min(known):.1f} %", f"{100 * max(known):.1f} %"
    span = low if low == high else f"{low} to {high}"
    place = "one of" if "accuracy" in study.objectives else "not among"
    return (
        f"Accuracy, measured in each machine's own arithmetic, is {span} over the points compared; it is {place} the "
        "objectives of the front."
    )


def common_notes(study: Study) -> list[str]:
    """Failed points, and what the front means."""
    said = []
    kept = " that keeps the constraints" if study.violating else ""
    if study.failed:
        said.append(
            f"{len(study.failed):,} of {study.n_points:,} points failed, have no numbers and are in no figure; the "
            "front says nothing about them."
        )
    if len(study.done) > 1:
        said.append(
            f"Pareto-optimal means: no other point of this study{kept} is at least as good in "
            f"{listing(map(metric_name, study.objectives))} and better in one. Points outside the study may be better."
        )
    return said


def at_nodes(nodes: Sequence[int]) -> str:
    """ " at 16, 45 nm"; nothing without nodes."""
    return f" at {', '.join(map(str, nodes))} nm" if nodes else ""


def explanations(nodes: Sequence[int]) -> list[Markup]:
    """How the numbers of the family's rows come about, an item of a list each; `nodes` in nm are those in use."""
    return [
        Markup(
            "<b>Cycles</b> come from Lockstep's simulator; phases add up to cycles. <code>lockstep verify</code> holds "
            "the simulator against the generated RTL, cycle for cycle and bit for bit. This page reads results and "
            "does not repeat that check."
        ),
        Markup(
            f"<b>Area</b> is the inventory of parts times the technology tables{at_nodes(nodes)}; <b>energy</b> is "
            "counted activity times the tables, plus leakage over time. Clock tree and pads are not priced."
        ),
        KNEE,
    ]


KNEE = Markup(
    "<b>Knee</b>: the point of the area-latency front farthest below the straight line between its ends, both axes "
    "logarithmic."
)
