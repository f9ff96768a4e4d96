"""The picture of docs/vector.md: the vector unit beside the array, and the passes of softmax."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from docs.drawing import CONTROL, DATAPATH, ENGINE, MEMORY, arrow, box, canvas, text
from reports.style import BLUE, FAINT, GREEN, INK, MUTED, ORANGE

WIDTH, HEIGHT = 900, 560


def vector_unit() -> Figure:
    """Memory port, loader, buffers, lanes, row unit, transposer, store; below, what a step of softmax does."""
    figure, axes = canvas(WIDTH, HEIGHT)
    box(axes, 10, 20, 60, 400, "DRAM", MEMORY, rotation=90, weight="bold")
    box(axes, 92, 20, 796, 60, "", CONTROL)
    text(axes, 104, 40, "Tensor array, docs/tensor.md", weight="bold", ha="left")
    words = "works between the vector unit's jobs, never beside them; one memory port, one set of formats"
    text(axes, 104, 60, words, ha="left")
    arrow(axes, [(70, 50), (92, 50)], BLUE)
    box(axes, 92, 96, 796, 324, "", "white", edge=FAINT)
    text(axes, 104, 112, "Vector unit", weight="bold", ha="left")
    words = "steps: whole lines in, passes, whole lines out, one step after the other"
    text(axes, 876, 112, words, ha="right", color=MUTED)
    _load(axes)
    _lanes(axes)
    _store(axes)
    _passes(axes)
    return figure


def _load(axes: Axes) -> None:
    words = "1 Load\n\na line request\na cycle, beats\nto words of\nR values\n\nnarrow or wide"
    box(axes, 104, 170, 96, 190, words, ENGINE)
    arrow(axes, [(70, 265), (104, 265)], BLUE)
    for y, words in (
        (140, "x: source"), (184, "z: second source"), (228, "ids of a gather"), (330, "parameters a channel"),
        (374, "table of 256"),
    ):  # fmt: skip
        box(axes, 226, y, 130, 32, words, MEMORY)
        arrow(axes, [(200, 265), (213, 265), (213, y + 16), (226, y + 16)], BLUE)


def _lanes(axes: Axes) -> None:
    box(axes, 396, 132, 236, 150, "", DATAPATH)
    text(axes, 514, 148, "2 V lanes, E register stages", weight="bold")
    for lane in range(4):
        box(axes, 408 + 56 * lane, 164, 46, 58, "exp\nGELU\nx - mean", "white", size=6.6)
        box(axes, 408 + 56 * lane, 230, 46, 38, "round,\nclip", "white", size=6.6)
    arrow(axes, [(356, 156), (396, 156)], BLUE)
    arrow(axes, [(356, 200), (396, 200)], BLUE)
    arrow(axes, [(356, 346), (376, 346), (376, 262), (396, 262)], BLUE)
    arrow(axes, [(356, 390), (386, 390), (386, 240), (396, 240)], BLUE)
    box(axes, 396, 308, 236, 52, "row unit: maximum, sums; divider and\nsquare root, k quotient bits a cycle", DATAPATH)
    arrow(axes, [(470, 282), (470, 308)], ORANGE)
    arrow(axes, [(560, 308), (560, 282)], ORANGE)
    text(axes, 446, 295, "items", size=7, color=ORANGE)
    text(axes, 590, 295, "factor", size=7, color=ORANGE)
    box(axes, 396, 374, 236, 32, "transposer R x R: keys, values to weights", DATAPATH, size=7.2)
    arrow(axes, [(356, 172), (366, 172), (366, 397), (396, 397)], INK)


def _store(axes: Axes) -> None:
    box(axes, 668, 180, 96, 120, "y: result\n\nR values a word:\nnarrow, wide,\nor weights", MEMORY)
    arrow(axes, [(632, 240), (668, 240)], GREEN)
    arrow(axes, [(632, 390), (716, 390), (716, 300)], INK)
    box(axes, 788, 180, 88, 120, "3 Store\n\nlines, or one\nline of weights\nas the array\nreads it", ENGINE)
    arrow(axes, [(764, 240), (788, 240)], GREEN)
    arrow(axes, [(832, 300), (832, 412), (70, 412)], GREEN)


def _passes(axes: Axes) -> None:
    text(axes, 20, 446, "A step of softmax (I-BERT): P rows of n words, s slices each", weight="bold", ha="left")
    parts = (
        ("load", "L + lines", ENGINE, 110), ("maximum", "P n s + E + 2", DATAPATH, 130),
        ("exp and sum", "P n s + E + 2", DATAPATH, 130), ("factor", "P (⌈33 / k⌉ + 2)", DATAPATH, 130),
        ("exp x factor", "P n s + E + 2", DATAPATH, 130), ("store", "1 + lines", ENGINE, 110),
    )  # fmt: skip
    left = 20.0
    for name, cycles, fill, width in parts:
        box(axes, left, 462, width, 54, "", fill)
        text(axes, left + width / 2, 480, name, weight="bold", size=7.4)
        text(axes, left + width / 2, 500, cycles, size=7.2)
        left += width + 12
    text(axes, 20, 538, "cycles of each part; they follow one another", ha="left", color=MUTED)
