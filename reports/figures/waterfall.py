"""How a count comes about: from a first total, by what is added and taken away, to the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from reports import style
from reports.units import listing


class Step(NamedTuple):
    """A bar; `n` is what it changes, or the total so far where `is_total`."""

    name: str
    n: int
    is_total: bool = False


class WaterfallData(NamedTuple):
    """Steps in order, the last a total; each total is what the steps before it add up to."""

    letter: str
    unit: str
    steps: tuple[Step, ...]


def waterfall_data(letter: str, unit: str, steps: Sequence[Step]) -> WaterfallData | None:
    """Steps that change nothing are left out; None for no steps. ValueError where the steps do not add up."""
    if not steps:
        return None
    level = 0
    for index, step in enumerate(steps):
        if step.is_total and index and step.n != level:
            raise ValueError(f"{step.name}: wanted the sum of the steps before it ({level}), got {step.n}")
        level = step.n if step.is_total else level + step.n
    return WaterfallData(letter, unit, tuple(step for step in steps if step.n or step.is_total))


def takeaway(data: WaterfallData) -> str:
    """First and last total, and the largest changes either way."""
    start = next(index for index, step in enumerate(data.steps) if step.is_total)
    first, last = data.steps[start], data.steps[-1]
    changes = sorted((step for step in data.steps[start:] if not step.is_total), key=lambda step: -abs(step.n))
    said = [f"{step.name.lower()} {step.n:+,}".replace("-", "\u2212") for step in changes[:3]]
    largest = f" Most change: {listing(said)}." if said else ""
    name = first.name[0].lower() + first.name[1:]
    return f"In {data.letter}, {first.n:,} {data.unit} ({name}) become {last.n:,}.{largest}"


def draw(data: WaterfallData) -> Figure:
    """Totals in blue from 0, what is added in orange, what is taken away in green, each from where the last ended."""
    figure, axes = style.new_axes(0.8 + 0.29 * len(data.steps))
    level, ends = 0, []
    for position, step in enumerate(data.steps):
        start, end = (0, step.n) if step.is_total else (level, level + step.n)
        colour = style.BLUE if step.is_total else style.ORANGE if step.n > 0 else style.GREEN
        axes.barh(position, end - start, left=start, height=0.66, color=colour)
        text = f"{step.n:,}" if step.is_total else f"{step.n:+,}".replace("-", "\u2212")
        axes.annotate(
            text,
            (max(start, end), position),
            xytext=(3, 0),
            textcoords="offset points",
            ha="left",
            va="center_baseline",
        )
        level = end
        ends.append(end)
    for position, end in enumerate(ends[:-1]):
        axes.plot([end, end], [position + 0.33, position + 0.67], color=style.MUTED, linewidth=0.6)
    axes.set_ylim(len(data.steps) - 0.4, -0.6)
    style.scale_axis(axes, "x", [0.0, float(max(ends))])
    axes.set_xlim(0, max(1, *ends) * 1.13)
    style.categories(axes, "y", [step.name for step in data.steps])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(data.unit)
    return figure
