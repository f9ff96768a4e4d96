"""The picture of docs/lut.md: what one copy of the machine is made of, drawn by `python -m docs.figures`."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from docs.drawing import CONTROL, DATAPATH, ENGINE, MEMORY, arrow, box, canvas, text
from reports.style import BLUE, FAINT, GREEN, INK, MUTED, ORANGE

WIDTH, HEIGHT = 900, 450
_BANKS = (150, 400, 650)  # left edges of the banks of an example with two stages
_TOP, _TALL = 92, 236


def lut_machine() -> Figure:
    """Streams, register banks, stages of levels, the handshake of the banks; below, a LUT and what roles it has."""
    figure, axes = canvas(WIDTH, HEIGHT)
    for offset in (10, 5, 0):  # copies stand side by side and share nothing
        shape = "round,pad=0,rounding_size=5"
        corner = (112 + offset, 14 + offset)
        axes.add_patch(FancyBboxPatch(corner, 640, 326, shape, facecolor="white", edgecolor=FAINT, linewidth=0.8))
    text(axes, 126, 30, "one of `copies` equal pipelines", ha="left", weight="bold")
    for index, left in enumerate(_BANKS):
        _bank(axes, index, left)
    for stage, left in enumerate(_BANKS[:-1], start=1):
        _stage(axes, stage, left + 62)
    _streams(axes)
    _handshake(axes)
    _roles(axes)
    return figure


def _bank(axes: Axes, index: int, left: float) -> None:
    box(axes, left, _TOP, 46, _TALL, "", MEMORY)
    text(axes, left + 23, _TOP + 14, f"bank {index}", weight="bold", size=7.4)
    for bit in range(8):
        corner = (left + 13, _TOP + 30 + 16 * bit)
        axes.add_patch(Rectangle(corner, 20, 12, facecolor="white", edgecolor=MUTED, linewidth=0.6))
    corner = (left + 13, _TOP + 192)
    axes.add_patch(Rectangle(corner, 20, 12, facecolor=CONTROL, edgecolor=MUTED, linewidth=0.6))
    text(axes, left + 23, _TOP + 226, "valid", size=7)


def _stage(axes: Axes, stage: int, left: float) -> None:
    box(axes, left, _TOP, 172, 178, "", DATAPATH)
    text(axes, left + 86, _TOP + 14, f"stage {stage}: m levels", weight="bold", size=7.4)
    rng = np.random.default_rng(stage)
    xs, ys = [left + 34, left + 86, left + 138], [_TOP + 34 + 26 * row for row in range(5)]
    for column in range(2):
        for row in range(5):
            for source in rng.choice(5, 2, replace=False):
                ends = [xs[column] + 14, xs[column + 1] - 14], [ys[source] + 9, ys[row] + 9]
                axes.plot(*ends, color=BLUE, linewidth=0.5)
    for column, x in enumerate(xs):
        for y in ys:
            axes.add_patch(Rectangle((x - 14, y), 28, 18, facecolor="white", edgecolor=INK, linewidth=0.7))
            text(axes, x, y + 9, "LUT", size=6.5)
        level = f"level {1 + column}" if stage == 1 else ("level m + 1", "...", "level D")[column]
        text(axes, x, _TOP + 167, level, size=6.8, color=MUTED)
    arrow(axes, [(left - 16, _TOP + 90), (left, _TOP + 90)], BLUE)
    arrow(axes, [(left + 172, _TOP + 90), (left + 188, _TOP + 90)], BLUE)


def _streams(axes: Axes) -> None:
    box(axes, 10, _TOP + 30, 84, 118, "samples\n\nall inputs\nat once,\none a cycle", ENGINE)
    arrow(axes, [(94, _TOP + 90), (150, _TOP + 90)], BLUE)
    box(axes, 790, _TOP + 30, 84, 118, "answers\n\nclass index,\nor scores", ENGINE)
    arrow(axes, [(696, _TOP + 90), (790, _TOP + 90)], GREEN)
    text(axes, 452, 50, "latency: stages + 1 cycles; initiation interval: 1 cycle", color=MUTED)
    text(axes, 452, 69, "signals that a later stage reads pass through the banks between", color=MUTED)


def _handshake(axes: Axes) -> None:
    y = _TOP + 198
    for left, right in zip((94, *(b + 46 for b in _BANKS)), (*_BANKS, 790), strict=True):
        arrow(axes, [(left, y), (right, y)], INK)
        arrow(axes, [(right, y + 20), (left, y + 20)], ORANGE, dashed=True)
    text(axes, 298, y - 9, "valid", size=7)
    text(axes, 298, y + 29, "room: empty, or emptied in this cycle", size=7, color=ORANGE)
    text(axes, 743, y - 9, "valid", size=7)
    text(axes, 743, y + 29, "ready", size=7, color=ORANGE)


def _roles(axes: Axes) -> None:
    names = (
        ("encoder", "feature ≥ t"), ("tree", "P features,\n2^P leaves"), ("MAT", "weighted\nmajority"),
        ("score", "a bit of a\nclass's score"), ("sum", "counters"), ("argmax", "largest score"),
    )  # fmt: skip
    text(axes, 16, 399, "What LUTs\nare there for:", ha="left", weight="bold")
    for index, (name, meaning) in enumerate(names):
        left = 130 + 127 * index
        box(axes, left, 368, 108, 62, "", DATAPATH)
        text(axes, left + 54, 382, name, weight="bold", size=7.4)
        text(axes, left + 54, 409, meaning, size=7)
