"""Boxes, texts and arrows of the drawings in docs/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from reports.style import INK, MUTED

MEMORY, ENGINE, DATAPATH, CONTROL = "#e3f1fa", "#fdf0d5", "#e2f4ec", "#f6e6ef"
TEXT_SIZE = 7.6

Point = tuple[float, float]


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty drawing; units are pixels at 100 dots an inch, from the upper left corner."""
    figure = Figure(figsize=(width / 100, height / 100), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return figure, axes


def box(
    axes: Axes, x: float, y: float, width: float, height: float, words: str, fill: str,
    *, edge: str = MUTED, **font: Any,
) -> None:  # fmt: skip
    shape = "round,pad=0,rounding_size=5"
    axes.add_patch(FancyBboxPatch((x, y), width, height, shape, facecolor=fill, edgecolor=edge, linewidth=0.8))
    head, *rest = words.split("\n")
    named = head[:1].isdigit() or head in ("Parameters", "Accumulators")
    if named and rest:  # the name in bold above its lines
        middle, step = y + height / 2, 15
        lines = [head, *rest]
        for index, line in enumerate(lines):
            at = middle + (index - (len(lines) - 1) / 2) * step
            text(axes, x + width / 2, at, line, size=TEXT_SIZE if index else 7.2, weight="normal" if index else "bold")
    else:
        text(axes, x + width / 2, y + height / 2, words, **font)


def text(axes: Axes, x: float, y: float, words: str, **font: Any) -> None:
    options: dict[str, Any] = {"size": TEXT_SIZE, "color": INK, "ha": "center", "va": "center", **font}
    axes.text(x, y, words, linespacing=1.35, **options)


def arrow(axes: Axes, points: Sequence[Point], colour: str, head: float = 8, *, dashed: bool = False) -> None:
    """A line through `points` that ends in a head."""
    style = (0, (3, 2)) if dashed else "-"
    xs, ys = zip(*points, strict=True)
    axes.plot(xs[:-1], ys[:-1], color=colour, linewidth=1.3, linestyle=style, solid_joinstyle="round")
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.3, "shrinkA": 0, "shrinkB": 0, "linestyle": style,
             "mutation_scale": head}  # fmt: skip
    axes.annotate("", points[-1], points[-2], arrowprops=arrow)
