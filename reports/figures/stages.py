"""What the stages of a network take, side by side: a panel each, with a bar for every chosen point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports import style
from reports.figures.shares import OTHER, largest_parts
from reports.stages import share, stages_of
from reports.study import Chosen
from reports.units import Unit, capital, digits, part_name, percent, unit_for

Grouped: TypeAlias = Callable[[Mapping[str, float]], Mapping[str, float]]


class Panel(NamedTuple):
    """One stage: `amounts[bar][part]` in `unit`."""

    stage: str
    per_token: bool
    unit: Unit
    amounts: list[list[float]]

    @property
    def title(self) -> str:
        """ "Decode, per token (ms)"."""
        return f"{capital(self.stage)}{', per token' if self.per_token else ''} ({self.unit.label})"


class StagesData(NamedTuple):
    """Bars and parts are those of all panels; `what` is "latency" or "energy"."""

    what: str
    bars: list[str]
    parts: list[str]
    panels: list[Panel]


def stages_data(chosen: Sequence[Chosen], what: str, grouped: Grouped = dict) -> StagesData | None:
    """Latency by phase or energy by part of each stage; None where the network has fewer than two stages.

    `what` is "latency" or "energy"; `grouped` joins parts of energy that belong together.
    """
    points = [c for c in chosen if len(stages_of(c.row)) > 1]
    if not points:
        return None
    stored = {"latency": "ns", "energy": "pj"}[what]
    shares = [[share(stage) for stage in stages_of(point.row)] for point in points]
    amounts = [
        [one.phases if what == "latency" else grouped(one.energy_breakdown_pj) for one in of_point]
        for of_point in shares
    ]
    parts = largest_parts([one for of_point in amounts for one in of_point], keep_order=what == "latency")
    panels = []
    for index, stage in enumerate(shares[0]):
        of_stage = [_in_parts(of_point[index], parts) for of_point in amounts]
        unit = unit_for([sum(one) for one in of_stage], stored)
        panels.append(
            Panel(stage.name, stage.per_token, unit, [[value / unit.factor for value in one] for one in of_stage])
        )
    return StagesData(what, [f"{c.letter}  {c.role}" for c in points], parts, panels)


def _in_parts(amounts: Mapping[str, float], parts: Sequence[str]) -> list[float]:
    named = [amounts.get(part, 0.0) for part in parts if part != OTHER]
    return [*named, sum(amounts.values()) - sum(named)] if OTHER in parts else named


def takeaway(data: StagesData) -> str:
    """Of each stage the least and the most, and the largest part of the least."""
    said = []
    for panel in data.panels:
        totals = [sum(amounts) for amounts in panel.amounts]
        best, worst = (pick(range(len(totals)), key=totals.__getitem__) for pick in (min, max))
        largest = max(range(len(data.parts)), key=lambda i: panel.amounts[best][i])
        of_it = f"{percent(panel.amounts[best][largest] / totals[best])} {part_name(data.parts[largest])}"
        text = f"{capital(panel.stage)}{' of a token' if panel.per_token else ''} takes "
        text += f"{digits(totals[best])} {panel.unit.label} in {_letter(data, best)} ({of_it})"
        if totals[worst] > totals[best]:
            text += f", up to {digits(totals[worst])} {panel.unit.label} in {_letter(data, worst)}"
        said.append(f"{text}.")
    return " ".join(said)


def _letter(data: StagesData, bar: int) -> str:
    return data.bars[bar].split()[0]


def draw(data: StagesData) -> Figure:
    """Stacked bars, a panel a stage, each with its own unit and scale; totals at the ends of the bars."""
    figure = Figure(figsize=(style.WIDTH_INCHES, 1.15 + 0.34 * len(data.bars)), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, len(data.panels), sharey=True)
    colours = (
        style.phase_colours(data.parts)
        if data.what == "latency"
        else dict(zip(data.parts, style.SERIES, strict=False))
    )
    for axes, panel in zip(panels, data.panels, strict=True):
        _draw_panel(axes, data, panel, colours)
    panels[0].set_ylim(len(data.bars) - 0.5, -0.5)
    style.categories(panels[0], "y", data.bars)
    for axes in panels[1:]:
        axes.tick_params(axis="y", length=0)
    style.legend(figure, panels[0])
    return figure


def _draw_panel(axes: Axes, data: StagesData, panel: Panel, colours: Mapping[str, str]) -> None:
    left = [0.0] * len(data.bars)
    for index, part in enumerate(data.parts):
        widths = [amounts[index] for amounts in panel.amounts]
        axes.barh(
            range(len(data.bars)), widths, left=left, height=0.66, color=colours[part], label=part_name(part),
            edgecolor=style.PAPER, linewidth=0.4,
        )  # fmt: skip
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, total in enumerate(left):
        axes.annotate(
            digits(total), (total, place), xytext=(3, 0), textcoords="offset points", ha="left", va="center_baseline"
        )
    style.scale_axis(axes, "x", [0.0, max(left)])
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.set_xlim(0, max(left) * 1.25)  # room for the total of the longest
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(panel.title)
