"""How a total divides: cycles by phase, energy and area by part, one stacked bar for each chosen point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from reports import style
from reports.study import Chosen
from reports.units import listing, part_name, percent, quantity

_MOST_PARTS = 7
OTHER = "other"
VECTOR_UNIT = "vector_unit"  # its parts as one


class SharesData(NamedTuple):
    """`shares[bar][part]` of one; each bar adds up to 1 (to 0 where its total is 0). `totals` are texts with units."""

    bars: list[str]
    parts: list[str]
    shares: list[list[float]]
    totals: list[str]
    is_phases: bool


def shares_data(
    chosen: Sequence[Chosen],
    breakdown: str,
    total: str | None = None,
    grouped: Callable[[Mapping[str, float]], Mapping[str, float]] | None = None,
) -> SharesData | None:
    """Shares of `row[breakdown]` (a dict part -> amount); None where no chosen point has one. `grouped` joins parts.

    `total` is the row's key whose value is written at the end of the bar, with the unit of its suffix; without it the
    sum of the breakdown is, in the unit of the breakdown's own suffix. Parts beyond the largest become "other".
    """
    points = [c for c in chosen if c.row.get(breakdown)]
    if not points:
        return None
    amounts: list[Mapping[str, float]] = [c.row[breakdown] for c in points]
    if grouped is not None:
        amounts = [grouped(amount) for amount in amounts]
    parts = largest_parts(amounts, keep_order=breakdown == "phases")
    rows = []
    for amount in amounts:
        whole = sum(amount.values())
        named = [amount.get(part, 0) for part in parts if part != OTHER]
        values = [*named, whole - sum(named)] if OTHER in parts else named
        rows.append([value / whole if whole else 0.0 for value in values])
    stored = (total or breakdown).rsplit("_", 1)[1]
    totals = [quantity(c.row[total] if total else sum(c.row[breakdown].values()), stored) for c in points]
    bars = [f"{c.letter}  {c.role}" for c in points]
    return SharesData(bars, parts, rows, totals, breakdown == "phases")


def largest_parts(amounts: Sequence[Mapping[str, float]], *, keep_order: bool) -> list[str]:
    """Names of the parts to show: phases in the order of time, other parts by size; small ones become "other".

    The vector unit, where there is one, never does: what it adds to a machine is what readers look for.
    """
    largest: dict[str, float] = {}
    for amount in amounts:
        whole = sum(amount.values()) or 1
        for part, value in amount.items():
            largest[part] = max(largest.get(part, 0), value / whole)
    used = [part for part, share in largest.items() if share > 0]
    if keep_order:
        return used
    by_size = sorted(used, key=lambda part: (part != VECTOR_UNIT, -largest[part], part))
    shown = [part for part in by_size if part != OTHER][: _MOST_PARTS - 1]
    shown.sort(key=lambda part: (-largest[part], part))
    return shown if len(shown) == len(used) else [*shown, OTHER]


def takeaway(data: SharesData, what: str) -> str:
    """Names the largest part of each bar, shortly: "SRAM leads in A and B (45 to 60 %)"."""
    leaders: dict[str, list[tuple[str, float]]] = {}
    for bar, shares in zip(data.bars, data.shares, strict=True):
        if sum(shares) > 0:
            leading = max(range(len(shares)), key=lambda i: shares[i])
            leaders.setdefault(data.parts[leading], []).append((bar.split()[0], shares[leading]))
    phrases = []
    for part, points in sorted(leaders.items(), key=lambda item: (-len(item[1]), item[0])):
        low, high = min(s for _, s in points), max(s for _, s in points)
        span = percent(low) if percent(low) == percent(high) else f"{percent(low)} to {percent(high)}"
        phrases.append(f"{part_name(part)} in {listing(letter for letter, _ in points)} ({span})")
    return f"The largest part of {what} is {listing(phrases)}." if phrases else f"No {what} to divide."


def draw(data: SharesData, axis_label: str) -> Figure:
    """Horizontal bars from 0 to 100 %, shares written where they fit, totals at the right."""
    figure, axes = style.new_axes(0.95 + 0.34 * len(data.bars))
    colours = style.phase_colours(data.parts) if data.is_phases else dict(zip(data.parts, style.SERIES, strict=False))
    left = [0.0] * len(data.bars)
    positions = list(range(len(data.bars)))
    for index, part in enumerate(data.parts):
        widths = [100 * shares[index] for shares in data.shares]
        axes.barh(
            positions, widths, left=left, height=0.66, color=colours[part], label=part_name(part),
            edgecolor=style.PAPER, linewidth=0.6,
        )  # fmt: skip
        for position, width in enumerate(widths):
            if width >= 9:
                middle = left[position] + width / 2
                colour = style.text_on(colours[part])
                axes.text(middle, position, f"{width:.0f}", ha="center", va="center_baseline", color=colour)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for position, total in enumerate(data.totals):
        axes.text(101.5, position, total, ha="left", va="center_baseline")
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    style.categories(axes, "y", data.bars)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(axis_label)
    style.legend(figure, axes)
    return figure
