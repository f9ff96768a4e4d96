"""One hand for all figures: fonts, a palette safe for colour-blind readers, axes, labels, and files that never differ.

A figure's colours are the constants below. In the page they become CSS variables (`inline_svg`), so that the same
drawing serves paper, a light and a dark screen; in files they stay as they are.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, Formatter, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox

from reports.units import plain

WIDTH_INCHES = 4.8  # the same for all figures but wide ones; a phone shows it one to one
WIDE_INCHES = 10.2  # a figure that takes a whole line of the page; a phone scrolls it
FONT_POINTS = 8.5

INK, MUTED, GRID, FAINT, PAPER = "#1b1f24", "#656d76", "#dfe3e8", "#b6bdc6", "#fefefe"
# Okabe and Ito's palette without its yellow, which vanishes on white.
BLUE, SKY, GREEN, ORANGE, VERMILLION, PINK = "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7"
SLATE = "#7f8a99"
_PHASE_COLOURS = {"compute": BLUE, "vector_compute": GREEN, "vector_load": "#6cc5a5", "vector_store": "#14705a"}
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, VERMILLION, SLATE, FAINT)

_VARIABLES = {
    INK: "ink", MUTED: "muted", GRID: "grid", FAINT: "faint", PAPER: "paper", SLATE: "slate", BLUE: "blue",
    SKY: "sky", GREEN: "green", ORANGE: "orange", VERMILLION: "vermillion", PINK: "pink",
}  # fmt: skip
_DECIMALS = re.compile(r"(\.\d\d)\d+")  # a hundredth of a point is enough on paper and halves the file
_SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so layouts are the same on every machine
    "font.size": FONT_POINTS,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.labelsize": FONT_POINTS,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": FONT_POINTS - 0.5,
    "ytick.labelsize": FONT_POINTS - 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "grid.color": GRID,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "patch.linewidth": 0,
    "legend.frameon": False,
    "legend.fontsize": FONT_POINTS - 0.5,
    "legend.handlelength": 0.9,
    "legend.handleheight": 0.9,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.0,
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes the page's font
    "svg.hashsalt": "lockstep",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's settings for the time of drawing and saving one figure."""
    with mpl.rc_context(_SETTINGS):
        yield


def new_axes(height_inches: float = 3.2, width_inches: float = WIDTH_INCHES) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, outside pyplot's global state."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    return figure, figure.add_subplot()


def new_pair(height_inches: float, width_ratios: tuple[float, float]) -> tuple[Figure, Axes, Axes]:
    """A figure of the house's width with two pairs of axes side by side that share y."""
    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=width_ratios)
    return figure, left, right


def text_on(colour: str) -> str:
    """Colour of text on a bar of a house colour: dark on the light ones, paper on the others (on a dark screen too)."""
    return "#111418" if colour in (SKY, ORANGE, PINK, FAINT) else PAPER


def phase_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each phase: work is blue, stalls are warm, a vector unit's are green, the rest is cool or grey."""
    warm = iter((VERMILLION, ORANGE, PINK, "#a6423a", "#8c6d1f"))
    cool = iter((SKY, SLATE, FAINT, "#3d4f66"))

    def colour(name: str) -> str:
        if name in _PHASE_COLOURS:
            return _PHASE_COLOURS[name]
        return next(warm if name.startswith("stall") else cool, FAINT)

    return {name: colour(name) for name in names}


def is_wide(values: Sequence[float]) -> bool:
    """Whether positive `values` span enough (10x and more) to ask for a logarithmic axis."""
    return bool(values) and min(values) > 0 and max(values) >= 10 * min(values)


class PlainTicks(Formatter):
    """Plain numbers without exponents; on a linear axis all with as many decimals as the finest needs."""

    def __init__(self, *, same_decimals: bool) -> None:
        self._same_decimals = same_decimals

    def __call__(self, x: float, pos: int | None = None) -> str:
        return plain(x)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels of all ticks of an axis."""
        labels = [plain(value) for value in values]
        if not self._same_decimals:
            return labels
        n_decimals = max((len(label.partition(".")[2]) for label in labels), default=0)
        return [f"{value:,.{n_decimals}f}" for value in values]


def scale_axis(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Linear or logarithmic by the range of `values`, with a margin, plain numbers at the ticks and a thin grid."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    set_limits = axes.set_xlim if which == "x" else axes.set_ylim
    low, high = min(values), max(values)
    if is_wide(values):
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        margin = (high / low) ** 0.07
        set_limits(low / margin, high * margin)
        n_decades = (high / low) * margin**2
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if n_decades < 500 else (1, 3) if n_decades < 5e4 else (1,)))
        axis.set_minor_locator(NullLocator())
    else:
        margin = (high - low) * 0.08 or abs(high) * 0.5 or 1.0
        set_limits(max(low - margin, 0) if low >= 0 else low - margin, high + margin)
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(PlainTicks(same_decimals=not is_wide(values)))
    axis.grid(True)


def categories(axes: Axes, which: str, labels: Sequence[str]) -> None:
    """Name the positions 0, 1, 2 ... of an axis, without tick marks."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(range(len(labels)))))
    axis.set_ticklabels(labels)
    axis.set_tick_params(length=0)


def legend(figure: Figure, axes: Axes) -> None:
    """Names of the series above the axes: one line where it fits, else rows that read from left to right."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    longest = max(map(len, labels))
    n_columns = len(labels) if sum(map(len, labels)) + 4 * len(labels) <= 68 else max(1, 68 // (longest + 4))
    n_rows = -(-len(labels) // n_columns)
    # matplotlib fills columns first
    order = [row * n_columns + column for column in range(n_columns) for row in range(n_rows)]
    order = [index for index in order if index < len(labels)]
    figure.legend([handles[i] for i in order], [labels[i] for i in order], loc="outside upper left", ncols=n_columns)


def badge_points(figure: Figure, axes: Axes, xs: Sequence[float], ys: Sequence[float], letters: Sequence[str]) -> None:
    """Letters beside points, each in the first direction in which it meets no other badge and no other point.

    Call it when the limits of the axes are set: directions are tried in units of the paper.
    """
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    spots = [tuple(axes.transData.transform(xy) / scale) for xy in zip(xs, ys, strict=True)]
    box = axes.get_window_extent()
    taken = list(spots)
    for spot, x, y, letter in zip(spots, xs, ys, letters, strict=True):
        candidates = [
            (radius * dx, radius * dy)
            for radius in (12, 18, 25)
            for dx, dy in ((0.7, 0.7), (0, 1), (1, 0), (-0.7, -0.7), (-0.7, 0.7), (0.7, -0.7), (-1, 0), (0, -1))
        ]

        def clearance(offset: tuple[float, float], spot: tuple[float, ...] = spot) -> float:
            at = (spot[0] + offset[0], spot[1] + offset[1])
            inside = min(at[0] - box.x0 / scale, box.x1 / scale - at[0], at[1] - box.y0 / scale, box.y1 / scale - at[1])
            others = [((at[0] - t[0]) ** 2 + (at[1] - t[1]) ** 2) ** 0.5 for t in taken if t != spot]
            return min([inside + 6, *others])

        offset = next((c for c in candidates if clearance(c) >= 11), max(candidates, key=clearance))
        taken.append((spot[0] + offset[0], spot[1] + offset[1]))
        axes.annotate(
            letter,
            (x, y),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            color=PAPER,
            weight="bold",
            size=FONT_POINTS - 1,
            bbox={"boxstyle": "circle,pad=0.22", "facecolor": INK, "edgecolor": "none"},
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2},
            zorder=6,
        )


def name_groups(
    figure: Figure,
    axes: Axes,
    groups: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    others: Sequence[tuple[float, float]],
    *,
    colour: str,
) -> None:
    """A name beside one point of each group, where it lies inside the axes and on as little else as possible.

    A name that has to stand off has a thin line to its point. `others` are further points to keep clear of. Call it
    last: texts that stand already are kept clear of too.
    """
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    box = axes.get_window_extent()
    taken = [text.get_window_extent() for text in axes.texts]

    def on_paper(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [tuple(axes.transData.transform(point)) for point in points]

    spots = on_paper([*others, *(point for _, points in groups for point in points)])
    for name, points in groups:
        text = axes.annotate(
            name, points[0], xytext=(0, 0), textcoords="offset points", color=colour, size=FONT_POINTS - 1.5,
            ha="left", va="center", zorder=6,
        )  # fmt: skip
        size = text.get_window_extent()
        best: tuple[float, tuple[float, float], tuple[float, float], bool, Bbox] | None = None
        for point, spot in zip(points, on_paper(points), strict=True):
            for dx, dy, is_far in _name_offsets(size.width / scale, size.height / scale):
                at = Bbox.from_bounds(
                    spot[0] + dx * scale, spot[1] + dy * scale - size.height / 2, size.width, size.height
                )
                outside = at.x0 < box.x0 or at.x1 > box.x1 + 8 or at.y0 < box.y0 or at.y1 > box.y1 + 4
                hits = sum(at.overlaps(other) for other in taken)
                covered = sum(at.padded(1.5 * scale).contains(*other) for other in spots)
                penalty = 1000.0 * outside + 100 * hits + 4 * covered + 3 * is_far + abs(dy) / 100
                if best is None or penalty < best[0]:
                    best = (penalty, point, (dx, dy), is_far, at)
        assert best is not None  # a group has points
        _, text.xy, offset, is_far, at = best
        text.set_position(offset)
        taken.append(at)
        if is_far:
            end = axes.transData.inverted().transform((min(max(on_paper([text.xy])[0][0], at.x0), at.x1),
                                                       at.y0 if offset[1] > 0 else at.y1))  # fmt: skip
            axes.plot([text.xy[0], end[0]], [text.xy[1], end[1]], color=colour, linewidth=0.5, zorder=3)


def _name_offsets(width: float, height: float) -> list[tuple[float, float, bool]]:
    """Where the left end and the middle of a name may lie from its point, and whether that is far from it."""
    near = [(5.0, 0.0), (-width - 5, 0.0), (-width / 2, height), (-width / 2, -height), (5, height * 0.8)]
    near += [(5, -height * 0.8), (-width - 5, height * 0.8), (-width - 5, -height * 0.8)]
    far = [(share * width, lines * height) for lines in (2, -2, 3, -3, 4, -4) for share in (-0.5, 0.0, -1.0)]
    return [(x, y, False) for x, y in near] + [(x, y, True) for x, y in far]


def settle(figure: Figure) -> None:
    """Compute the layout of a finished figure once and keep it, instead of once for each file that is written."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def svg_text(figure: Figure) -> str:
    """The figure as SVG: the same text for the same drawing, no date, no metadata."""
    buffer = io.StringIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", buffer.getvalue(), flags=re.DOTALL)
    return re.sub(r'\b(?:d|x|y|transform)="[^"]*"', lambda match: _DECIMALS.sub(r"\1", match[0]), text)


def write_png(figure: Figure, path: Path) -> None:
    """The figure as PNG on white, 200 dots an inch."""
    with house_style():
        figure.savefig(path, format="png", dpi=200, facecolor="white", metadata={"Software": None})


def inline_svg(svg: str, prefix: str, label: str) -> str:
    """SVG for inside HTML: ids made unique by `prefix`, house colours as CSS variables, `label` for screen readers."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # the page has it
    body = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{prefix}-\1"', body)
    body = re.sub(r'xlink:href="data:', 'href="data:', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", body)
    for colour, name in _VARIABLES.items():
        body = re.sub(colour, f"var(--{name})", body, flags=re.IGNORECASE)
    body = re.sub(r"font-family: [^;\"]+;?|(font: [^;\"]*?px) [^;\"]+", r"\1", body)
    view = re.search(r'viewBox="[^"]+"', body)
    if view is None:
        raise ValueError("inline_svg: wanted an SVG with a viewBox, got one without")
    escaped = label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return re.sub(r"<svg[^>]*>", f'<svg {view[0]} role="img" aria-label="{escaped}">', body, count=1)
