"""The picture of docs/sparse.md: lanes in sets, how activations reach them, and how rows are dealt."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from docs.drawing import CONTROL, DATAPATH, ENGINE, MEMORY, arrow, box, canvas, text
from reports.style import BLUE, FAINT, GREEN, GRID, INK, MUTED, ORANGE, PINK
from workloads.sparse.random_layers import pruned_weights
from workloads.sparse.rearranged import row_permutation

WIDTH, HEIGHT = 900, 640
_SETS = (132, 262)  # top edges of the two sets drawn
_SET_COLOURS = (BLUE, ORANGE)
_SEED = 1


def sparse_machine() -> Figure:
    """Streams, list memories, lanes, window or queues, adder trees, output path; below, the dealing of an example."""
    figure, axes = canvas(WIDTH, HEIGHT)
    box(axes, 112, 10, 672, 400, "", "white", edge=FAINT)
    _input(axes)
    _feed(axes)
    for top, colour, name in zip(_SETS, _SET_COLOURS, ("set 0", "set S - 1"), strict=True):
        _set(axes, top, colour, name)
    text(axes, 430, 395, "S sets of K = N / S lanes; entry: value, column, tag", color=MUTED)
    _output(axes)
    _dealing(axes)
    return figure


def _input(axes: Axes) -> None:
    box(axes, 10, 120, 84, 130, "beats in\n\nlists of a\nslice, then\nits vectors", ENGINE)
    box(axes, 128, 120, 92, 200, "Loader\n\nlengths,\nlists,\nbiases,\nactivations\n\nnb buffers\nof each", CONTROL)
    arrow(axes, [(94, 185), (128, 185)], BLUE)
    arrow(axes, [(174, 120), (174, 66), (250, 66)], BLUE)
    text(axes, 200, 55, "x", size=7, color=BLUE)


def _feed(axes: Axes) -> None:
    box(axes, 250, 24, 400, 84, "", MEMORY)
    text(axes, 262, 38, "Activations", ha="left", weight="bold")
    text(axes, 640, 38, "window: w banks, all lanes read the same w", ha="right", size=7)
    for column in range(16):
        inside = 5 <= column < 11
        corner = (262 + 23.5 * column, 50)
        fill = "#bfe0f5" if inside else "white"
        axes.add_patch(Rectangle(corner, 20, 18, facecolor=fill, edgecolor=MUTED, linewidth=0.6))
    text(axes, 389.5, 79, "h", size=7)
    text(axes, 507, 79, "h + w - 1", size=7)
    text(axes, 262, 96, "or queue: non-zeros are broadcast, each lane has a queue of D", ha="left", size=7)


def _set(axes: Axes, top: float, colour: str, name: str) -> None:
    box(axes, 238, top, 420, 116, "", "white", edge=colour)
    text(axes, 248, top + 12, name, ha="left", weight="bold", color=colour)
    for way, y in enumerate((top + 22, top + 70)):
        box(axes, 248, y, 118, 40, f"list of lane {way}\nnon-zeros of the set", MEMORY)
        box(axes, 396, y, 86, 40, "multiply, add", DATAPATH)
        box(axes, 512, y, 134, 40, "accumulators,\none a row of the set", MEMORY)
        arrow(axes, [(366, y + 12), (396, y + 12)], colour)
        arrow(axes, [(482, y + 20), (512, y + 20)], colour)
        arrow(axes, [(381, 108), (381, y + 30), (396, y + 30)], MUTED, dashed=True)
    arrow(axes, [(220, top + 58), (238, top + 58)], MUTED)
    box(axes, 682, top + 30, 88, 56, "adder tree\nof K sums", DATAPATH)
    arrow(axes, [(658, top + 58), (682, top + 58)], colour)


def _output(axes: Axes) -> None:
    words = "Drain\n\nbias,\nrequantize\n\n`folded`:\nS a cycle\n\n`restored`:\none, with\nits row"
    box(axes, 800, 140, 92, 230, words, DATAPATH)
    for top, y in zip(_SETS, (190, 320), strict=True):
        arrow(axes, [(770, top + 58), (800, y)], GREEN)
    arrow(axes, [(846, 370), (846, 404)], GREEN)
    text(axes, 846, 416, "results out", size=7.4)


def _dealing(axes: Axes) -> None:
    """A 12 x 16 matrix, dealt to two sets: rows by their non-zeros, in a snake."""
    weights = pruned_weights(12, 16, 0.6, "skewed", seed=_SEED) != 0
    counts = weights.sum(axis=1)
    order = row_permutation(counts, 2)
    text(axes, 20, 446, "How rows are dealt (S = 2): sorted by their non-zeros, each second pair reversed", ha="left",
         weight="bold")  # fmt: skip
    _matrix(axes, 60, weights, [INK] * 12, "rows as they are")
    _matrix(axes, 340, weights[order], [_SET_COLOURS[place % 2] for place in range(12)], "rows dealt: set by colour")
    loads = [int(counts[order][first::2].sum()) for first in (0, 1)]
    plain = [int(counts[first::2].sum()) for first in (0, 1)]
    for index, (title, values) in enumerate((("undealt", plain), ("dealt", loads))):
        for which, value in enumerate(values):
            y = 490 + 60 * index + 20 * which
            width = 150 * value / max(plain + loads)
            axes.add_patch(Rectangle((680, y), width, 14, facecolor=_SET_COLOURS[which], edgecolor="none"))
            text(axes, 680 + width + 14, y + 7, f"{value}", size=7)
        text(axes, 672, 507 + 60 * index, title, ha="right", size=7.4)
    text(axes, 680, 474, "non-zeros of each set", ha="left", size=7.4)
    arrow(axes, [(272, 540), (330, 540)], PINK)


def _matrix(axes: Axes, left: float, mask: np.ndarray, colours: list[str], title: str) -> None:
    size = 12
    text(axes, left + 96, 470, title, size=7.4)
    for row, columns in enumerate(mask):
        for column, kept in enumerate(columns):
            corner = (left + size * column, 480 + size * row)
            fill = colours[row] if kept else "white"
            axes.add_patch(Rectangle(corner, size, size, facecolor=fill, edgecolor=GRID, linewidth=0.4))
