"""Parallel coordinates: an axis for each parameter and objective, a line for each point."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from designs.axes import Axis
from designs.objectives import MAXIMIZED
from reports import style
from reports.searches import Find
from reports.study import Row
from reports.units import capital, metric_name, parameter, plain, readable_unit, unit_for

MOST_SCALES = 15  # more would not be readable
MOST_FRONT = 200  # lines of the front
MOST_OTHERS = 60  # lines off it
MOST_SLOTS = 9  # an axis of more numbers than this is a scale rather than a list
INACTIVE = "not active"
_INACTIVE_AT = -0.17  # below the lowest value, with a gap between
_THIRDS = (style.BLUE, style.GREEN, style.ORANGE)  # of the front, by the first objective
_NAME_CHARACTERS = 11  # of a line of a scale's name

Position = float | None  # 0..1 on a scale; None where the axis is not active
Line = list[Position]


class Scale(NamedTuple):
    """One vertical axis with labels at positions 0..1."""

    name: str
    unit: str
    ticks: list[tuple[float, str]]
    is_list: bool = False  # values have places of their own, evenly spaced
    is_conditional: bool = False
    better: str = ""  # of an objective: "low" or "high"


class ParallelData(NamedTuple):
    """A position for each scale and line. `front` is in the order of the first objective, the best in front."""

    scales: list[Scale]
    front: list[Line]
    others: list[Line]  # a sample, in the same order
    n_front: int
    n_others: int
    by: str  # the first objective, in words
    left_out: list[str]  # axes for which there is no room, the least important ones


def parallel_data(
    every: Sequence[Find],
    front: Sequence[Find],
    axes: Sequence[Axis],
    objectives: Sequence[str],
    importance: Mapping[str, float],
) -> ParallelData | None:
    """Feasible full evaluations on the space's open `axes` and the objectives; `front` is that of all searches.

    `importance` of axes decides which stay where there are more than fit. Lines are sampled evenly along the first
    objective where there are too many. None where no evaluation counts, or where there are not two scales.
    """
    ranked = sorted(axes, key=lambda axis: -importance.get(axis.name, 0.0))  # stable: file order among equals
    names = {axis.name for axis in ranked[: max(MOST_SCALES - len(objectives), 4)]}
    shown = [axis for axis in axes if axis.name in names]
    if not front or len(shown) + len(objectives) < 2:
        return None
    seen = {find.key for find in front}
    others = list({find.key: find.row for find in every if find.counts and find.key not in seen}.values())
    others.sort(key=lambda row: (-1 if objectives[0] in MAXIMIZED else 1) * row[objectives[0]])
    drawn, beside = _sample([find.row for find in front], MOST_FRONT), _sample(others, MOST_OTHERS)
    columns = [_parameter_column(axis, [*drawn, *beside]) for axis in shown]
    columns += [_objective_column(name, [*drawn, *beside]) for name in objectives]
    lines = [list(line) for line in zip(*(positions for _, positions in columns), strict=True)]
    return ParallelData(
        [scale for scale, _ in columns], lines[: len(drawn)], lines[len(drawn) :], len(front), len(others),
        metric_name(objectives[0]), [axis.name for axis in axes if axis.name not in names],
    )  # fmt: skip


def _sample(rows: Sequence[Row], most: int) -> list[Row]:
    """At most that many, evenly spaced, both ends among them."""
    if len(rows) <= most:
        return list(rows)
    return [rows[round(index * (len(rows) - 1) / (most - 1))] for index in range(most)]


def _parameter_column(axis: Axis, rows: Sequence[Row]) -> tuple[Scale, list[Position]]:
    values = [row["point"][axis.name] if axis.is_active(row["point"]) else None for row in rows]
    is_conditional = bool(axis.when)
    if len(axis.values) <= MOST_SLOTS or any(isinstance(value, bool | str) for value in values):
        slots = list(dict.fromkeys([*axis.values, *(value for value in values if value is not None)]))
        if not any(isinstance(value, str) for value in slots):
            slots.sort()
        at = {value: index / (len(slots) - 1) if len(slots) > 1 else 0.5 for index, value in enumerate(slots)}
        unit, labels = _labels(axis.name, slots)
        scale = Scale(axis.name, unit, list(zip(at.values(), labels, strict=True)), True, is_conditional)
        return scale, [None if value is None else at[value] for value in values]
    ends = (float(axis.values[0]), float(axis.values[-1]))  # of a range: they are in order
    place, at_ticks = _numeric(min(ends), max(ends), is_log=axis.scale == "log2", base=2)
    unit, labels = _labels(axis.name, [round(tick) if tick == round(tick) else tick for tick in at_ticks])
    ticks = [(place(tick), label) for tick, label in zip(at_ticks, labels, strict=True)]
    return Scale(axis.name, unit, ticks, False, is_conditional), [None if v is None else place(v) for v in values]


def _labels(name: str, values: Sequence[Any]) -> tuple[str, list[str]]:
    """The unit of the values of a parameter, where it has to be told, and the values as they are written."""
    if name.endswith("_bytes") and values and all(isinstance(value, int) and value > 0 for value in values):
        labels = []
        for value in values:
            unit = unit_for([value], "bytes")
            labels.append(f"{plain(value / unit.factor)} {unit.label}")
        return "", labels
    return "", [parameter(value) for value in values]


def _objective_column(metric: str, rows: Sequence[Row]) -> tuple[Scale, list[Position]]:
    unit = readable_unit(metric, (row[metric] for row in rows))
    values = [row[metric] / unit.factor for row in rows]
    place, at_ticks = _numeric(min(values), max(values), is_log=style.is_wide(values), base=10)
    better = "high" if metric in MAXIMIZED else "low"
    ticks = [(place(tick), plain(tick)) for tick in at_ticks]
    return Scale(capital(metric_name(metric)), unit.label, ticks, better=better), [place(value) for value in values]


def _numeric(low: float, high: float, *, is_log: bool, base: int) -> tuple[Callable[[float], float], list[float]]:
    """Position 0..1 of a number between two ends, and numbers to label."""
    if low == high:
        return (lambda value: 0.5), [low]
    if is_log:
        subs = (1.0,) if base == 2 or high / low >= 500 else (1.0, 2.0, 5.0)
        ticks = LogLocator(base=base, subs=subs, numticks=8).tick_values(low, high)
    else:
        ticks = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    start, span = (math.log(low), math.log(high / low)) if is_log else (low, high - low)

    def place(value: float) -> float:
        return float(((math.log(value) if is_log else value) - start) / span)

    return place, [float(tick) for tick in ticks if low <= tick <= high]


def takeaway(data: ParallelData) -> str:
    """What lines and colours mean, and what is not drawn."""
    n_drawn = len(data.front)
    every = "every point" if n_drawn == data.n_front else f"{n_drawn:,} of {data.n_front:,} points"
    said = f"A strong line for {every} of the front of all searches"
    if n_drawn >= len(_THIRDS):
        said += f": blue the best third by {data.by}, green the middle, orange the last"
    if data.others:
        which = "all" if len(data.others) == data.n_others else f"{len(data.others):,} of"
        said += f". Grey: {which} {data.n_others:,} feasible points off it"
    said += ". Arrows point to better values."
    if any(scale.is_conditional for scale in data.scales):
        said += f" Below the gap an axis is {INACTIVE}."
    if data.left_out:
        said += f" Not drawn, being less important: {', '.join(data.left_out)}."
    return said


def draw(data: ParallelData) -> Figure:
    """Lines first, scales and their labels on top."""
    figure, axes = style.new_axes(4.2, style.WIDE_INCHES)
    lowest = _INACTIVE_AT if any(scale.is_conditional for scale in data.scales) else 0.0
    axes.set_xlim(-0.25, len(data.scales) - 0.25)
    axes.set_ylim(lowest - 0.05, 1.05)
    axes.set_axis_off()
    _lines(axes, data.scales, data.others, [style.FAINT], 0.6, 0.75)
    width = 1.5 if len(data.front) <= 20 else 1.0 if len(data.front) <= 60 else 0.7
    _lines(axes, data.scales, data.front, _THIRDS if len(data.front) >= len(_THIRDS) else _THIRDS[:1], width, 0.9)
    for x, scale in enumerate(data.scales):
        _scale(axes, x, scale, style.FONT_POINTS - (1 if len(data.scales) <= 13 else 1.8))
    return figure


def _lines(
    axes: Axes, scales: Sequence[Scale], lines: Sequence[Line], colours: Sequence[str], width: float, alpha: float
) -> None:
    if not lines:
        return
    drawn = []
    for index, line in enumerate(lines):
        offset = index / (len(lines) - 1) - 0.5 if len(lines) > 1 else 0.0
        drawn.append([(x, _height(scale, at, offset)) for x, (scale, at) in enumerate(zip(scales, line, strict=True))])
    shades = [colours[index * len(colours) // len(lines)] for index in range(len(lines))]
    # the best by the first objective on top
    axes.add_collection(LineCollection(drawn[::-1], colors=shades[::-1], linewidths=width, alpha=alpha))


def _height(scale: Scale, at: Position, offset: float) -> float:
    """Where a line crosses a scale; lines at one value of a list are spread around it, to be told apart."""
    if at is None:
        return _INACTIVE_AT + 0.04 * offset
    return at + offset * min(0.05, 0.6 / len(scale.ticks)) if scale.is_list else at


def _scale(axes: Axes, x: int, scale: Scale, name_points: float) -> None:
    axes.plot([x, x], [0, 1], color=style.MUTED, linewidth=0.8, zorder=3)
    if scale.is_conditional:
        axes.plot([x, x], [_INACTIVE_AT - 0.02, _INACTIVE_AT + 0.02], color=style.MUTED, linewidth=0.8, zorder=3)
    labels = [*scale.ticks, *([(_INACTIVE_AT, INACTIVE)] if scale.is_conditional else [])]
    for at, label in labels:
        axes.annotate(
            broken(label), (x, at), (3, 0), textcoords="offset points", va="center", ha="left", zorder=5,
            size=style.FONT_POINTS - 2, linespacing=1.05,
            bbox={"boxstyle": "square,pad=0.08", "facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.75},
        )  # fmt: skip
    arrow = {"low": " ↓", "high": " ↑"}.get(scale.better, "")
    name = broken(scale.name) + (f"\n({scale.unit})" if scale.unit else "") + arrow
    axes.annotate(
        name, (x, 1), (0, 9), textcoords="offset points", va="bottom", ha="center", size=name_points,
        weight="bold" if scale.better else "normal", annotation_clip=False,
    )  # fmt: skip


def broken(name: str) -> str:
    """A name over several lines, broken behind underscores and at spaces where it is long."""
    lines = [""]
    for word in name.replace("_", "_\0").replace(" ", " \0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > _NAME_CHARACTERS:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)
