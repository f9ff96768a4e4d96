"""Utilization of the array over its sizes: the best point of each size, and the median over all other axes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports import style
from reports.study import Row
from reports.units import percent


class Cell(NamedTuple):
    best: float
    median: float
    n_points: int


class HeatMapData(NamedTuple):
    """`cells[rows, cols]` for the sizes that ran; `failed` are sizes at which every point failed."""

    rows: list[int]
    cols: list[int]
    cells: dict[tuple[int, int], Cell]
    failed: set[tuple[int, int]]


def heat_map_data(done: Sequence[Row], failed: Sequence[Row]) -> HeatMapData | None:
    """Utilization (0..1) by array_rows x array_cols; None unless at least two sizes ran."""
    values: dict[tuple[int, int], list[float]] = {}
    for row in done:
        size = _size(row)
        if size is not None and row.get("utilization") is not None:
            values.setdefault(size, []).append(row["utilization"])
    if len(values) < 2:
        return None
    only_failed = {size for size in map(_size, failed) if size is not None and size not in values}
    sizes = set(values) | only_failed
    return HeatMapData(
        sorted({rows for rows, _ in sizes}),
        sorted({cols for _, cols in sizes}),
        {size: Cell(max(v), statistics.median(v), len(v)) for size, v in values.items()},
        only_failed,
    )


def _size(row: Row) -> tuple[int, int] | None:
    point = row["point"]
    return (point["array_rows"], point["array_cols"]) if "array_rows" in point and "array_cols" in point else None


def takeaway(data: HeatMapData) -> str:
    """The best-used and the worst-used size, each by its best point."""
    ordered = sorted(data.cells, key=lambda size: (-data.cells[size].best, size))
    (r1, c1), (r0, c0) = ordered[0], ordered[-1]
    return (
        f"An array of {r1} × {c1} can be kept {percent(data.cells[r1, c1].best)} busy; the best point with "
        f"{r0} × {c0} reaches {percent(data.cells[r0, c0].best)}. Large number and colour: best point of a size; "
        f"small: median over all other axes; empty: no such size{'; ×: every point failed' if data.failed else ''}."
    )


def draw(data: HeatMapData) -> Figure:
    """Colour and large number: best point; small number: median over the other axes; a cross: every point failed."""
    figure, axes = style.new_axes(0.75 + 0.5 * len(data.rows))
    colours = colormaps["cividis"]
    for (rows, cols), cell in data.cells.items():
        x, y = data.cols.index(cols), data.rows.index(rows)
        colour = colours(cell.best)
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour))
        text = "#101010" if 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 0.5 else "#f8f8f8"
        axes.text(x, y, percent(cell.best), ha="center", va="bottom", color=text, size=style.FONT_POINTS)
        if cell.n_points > 1:
            small = f"med {percent(cell.median)}" if len(data.cols) <= 6 else percent(cell.median)
            axes.text(x, y - 0.06, small, ha="center", va="top", color=text, size=style.FONT_POINTS - 2)
    for rows, cols in data.failed:
        x, y = data.cols.index(cols), data.rows.index(rows)
        axes.text(x, y, "×", ha="center", va="center", color=style.MUTED)
    axes.set_xlim(-0.55, len(data.cols) - 0.45)
    axes.set_ylim(-0.55, len(data.rows) - 0.45)
    style.categories(axes, "x", [str(c) for c in data.cols])
    style.categories(axes, "y", [str(r) for r in data.rows])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("Array columns")
    axes.set_ylabel("Array rows")
    return figure
