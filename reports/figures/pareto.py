"""Two objectives of every point, and the front that nobody dominates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from designs.objectives import MAXIMIZED
from reports import style
from reports.study import Chosen, Row, pareto_front
from reports.units import Unit, capital, digits, listing, metric_name, metric_unit, more, ratio

_MOST_VECTOR_POINTS = 1500  # more dominated points than this are drawn as pixels, or the page would weigh megabytes


class ParetoData(NamedTuple):
    """Values in the units shown. `front` is sorted by x; `marks` are (letter, x, y) of the chosen ones."""

    x_name: str
    y_name: str
    x_unit: Unit
    y_unit: Unit
    dominated: list[tuple[float, float]]
    front: list[tuple[float, float]]
    n_front: int  # points on the front; equal points are drawn once
    marks: list[tuple[str, float, float]]
    violating: list[tuple[float, float]]  # break a constraint
    is_y_maximized: bool = False


def pareto_data(
    done: Sequence[Row], chosen: Sequence[Chosen], violating: Sequence[Row] = (), *, x: str, y: str
) -> ParetoData | None:
    """The points of a plot of two metrics, of which less is better in `x`; rows that lack one are left out.

    None for fewer than two points: no trade to show.
    """
    done, violating = ([row for row in rows if None not in (row.get(x), row.get(y))] for rows in (done, violating))
    chosen = [c for c in chosen if None not in (c.row.get(x), c.row.get(y))]
    if len(done) < 2:
        return None
    x_unit, y_unit = metric_unit(x, (r[x] for r in done)), metric_unit(y, (r[y] for r in done))

    def shown(row: Row) -> tuple[float, float]:
        return row[x] / x_unit.factor, row[y] / y_unit.factor

    on_front = set(pareto_front(done, (x, y)))
    return ParetoData(
        capital(metric_name(x)),
        capital(metric_name(y)),
        x_unit,
        y_unit,
        [shown(row) for index, row in enumerate(done) if index not in on_front],
        sorted({shown(done[index]) for index in on_front}),
        len(on_front),
        [(c.letter, *shown(c.row)) for c in chosen],
        [shown(row) for row in violating],
        y in MAXIMIZED,
    )


def takeaway(data: ParetoData) -> str:
    """What the front trades, in one sentence."""
    n_points = len(data.dominated) + data.n_front
    if len(data.front) == 1:
        which = "One" if data.n_front == 1 else f"{data.n_front:,}"
        verb = "is" if data.n_front == 1 else "are equal and"
        return f"{which} of {n_points:,} points {verb} the best in both: there is nothing to trade."
    (x_low, y_first), (x_high, y_last) = data.front[0], data.front[-1]
    x_name, y_name = (name if name.startswith("LUT") else name.lower() for name in (data.x_name, data.y_name))
    if not data.is_y_maximized:
        bought = f"a {ratio(y_first, y_last)} lower {y_name}"
    elif data.y_unit.label == "%":
        bought = f"{digits(y_last - y_first)} points of {y_name} ({y_first:.1f} to {y_last:.1f} %)"
    else:
        bought = f"{ratio(y_last, y_first)} the {y_name}"
    return (
        f"Along the front, {more(x_high, x_low, x_name)} buys {bought}; "
        f"{data.n_front:,} of {n_points:,} points are on it."
    )


def sentences(data: ParetoData) -> str:
    """The takeaway, which letters are not on this front, and what hollow points are."""
    hollow = "Hollow points break a constraint." if data.violating else ""
    return " ".join(filter(None, (takeaway(data), beside_front(data), hollow)))


def draw(data: ParetoData) -> Figure:
    """Dominated points in grey, those that break a constraint hollow, the front a staircase, chosen ones by letter."""
    figure, axes = style.new_axes(3.3)
    every = data.dominated + data.front + data.violating
    style.scale_axis(axes, "x", [x for x, _ in every])
    style.scale_axis(axes, "y", [y for _, y in every])
    draw_points(axes, data)
    style.badge_points(figure, axes, [m[1] for m in data.marks], [m[2] for m in data.marks], [m[0] for m in data.marks])
    name_axes(axes, data)
    return figure


def name_axes(axes: Axes, data: ParetoData) -> None:
    """Names and units of both axes."""
    axes.set_xlabel(axis_label(data.x_name, data.x_unit))
    axes.set_ylabel(axis_label(data.y_name, data.y_unit))


def axis_label(name: str, unit: Unit) -> str:
    """ "Area (mm²)"; the name alone of what is counted."""
    return f"{name} ({unit.label})" if unit.label else name


def draw_points(axes: Axes, data: ParetoData) -> None:
    """Everything but the letters, into axes whose limits are set."""
    if data.violating:
        axes.scatter(
            [x for x, _ in data.violating], [y for _, y in data.violating], s=6, facecolors="none",
            edgecolors=style.FAINT, linewidths=0.5, rasterized=len(data.violating) > _MOST_VECTOR_POINTS,
        )  # fmt: skip
    if data.dominated:
        axes.scatter(
            [x for x, _ in data.dominated],
            [y for _, y in data.dominated],
            s=7,
            color=style.FAINT,
            linewidths=0,
            rasterized=len(data.dominated) > _MOST_VECTOR_POINTS,
        )
    xs, ys = zip(*data.front, strict=True)
    x_end, y_end = axes.get_xlim()[1], axes.get_ylim()[0 if data.is_y_maximized else 1]
    axes.step([xs[0], *xs, x_end], [y_end, *ys, ys[-1]], where="post", color=style.BLUE, linewidth=1)
    axes.scatter(xs, ys, s=14, color=style.BLUE, zorder=4, linewidths=0)
    on_front = set(data.front)
    beside = [(x, y) for _, x, y in data.marks if (x, y) not in on_front]
    if beside:  # chosen for another objective
        axes.scatter([x for x, _ in beside], [y for _, y in beside], s=14, color=style.INK, zorder=4, linewidths=0)


def beside_front(data: ParetoData) -> str:
    """Says which letters are not on this front, and so were chosen for another objective; empty where all are."""
    on_front = set(data.front)
    letters = [letter for letter, x, y in data.marks if (x, y) not in on_front]
    return f"{listing(letters)} {'is' if len(letters) == 1 else 'are'} the best at something else." if letters else ""
