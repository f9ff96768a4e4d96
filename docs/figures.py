"""The pictures of docs/: `python -m docs.figures` draws tensor.svg, timeline.svg, vector.svg, sparse.svg, lut.svg
and fhe.svg.

Block diagrams are drawings; the timeline is a run of the simulator, so it changes when the machine does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from designs.families.tensor import Design
from docs.drawing import CONTROL, DATAPATH, ENGINE, MEMORY, arrow, box, canvas, text
from docs.figures_fhe import bootstrapping_machine
from docs.figures_lut import lut_machine
from docs.figures_sparse import sparse_machine
from docs.figures_vector import vector_unit
from reports.style import BLUE, FAINT, GREEN, GRID, INK, MUTED, ORANGE, PINK, SKY, SLATE, house_style
from sim.families.tensor import timeline
from workloads.layer import Layer
from workloads.load import load_workload
from workloads.mapping.tensor import Tiling

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 900, 735  # of the block diagram: units are pixels at 100 dots an inch


def block_diagram() -> Figure:
    """The whole machine: memory port, DMA, scratchpads, array, output path, controller; below, the three dataflows."""
    figure, axes = canvas(WIDTH, HEIGHT)
    box(axes, 85, 12, 806, 518, "", "white", edge=FAINT)
    _controller(axes)
    _dma(axes)
    _scratchpads(axes)
    _array(axes)
    _output_path(axes)
    _dataflows(axes)
    return figure


def timeline_figure() -> Figure:
    """Load, compute, output and store of one layer over cycles, with double and with single buffers."""
    layer, tiling = _timeline_case()
    figure = Figure(figsize=(9, 3.9), layout="constrained", facecolor="white")
    panels = figure.subplots(2, 1, sharex=True)
    for axes, double_buffered in zip(panels, (True, False), strict=True):
        events = timeline(timeline_design(double_buffered), layer, tiling)
        _gantt(axes, events, "double buffered" if double_buffered else "single buffered")
    panels[0].set_xlim(left=0)
    panels[1].set_xlabel(
        f"cycle  ({layer.name} of digits_cnn, array 8 × 8, weight stationary, 8 bytes a cycle to DRAM)"
    )
    return figure


def timeline_design(double_buffered: bool) -> Design:
    """The machine of the timeline."""
    return Design(
        dataflow="weight_stationary", array_rows=8, array_cols=8, act_bits=8, weight_bits=8, acc_bits=32,
        double_buffered=double_buffered, dram_bytes_per_cycle=8, dram_latency_cycles=20,
    )  # fmt: skip


def main() -> None:
    """Draw all pictures into docs/."""
    with house_style(), mpl.rc_context({"svg.fonttype": "path"}):  # GitHub has not our fonts
        for name, figure in (
            ("tensor", block_diagram()), ("timeline", timeline_figure()), ("vector", vector_unit()),
            ("sparse", sparse_machine()), ("lut", lut_machine()), ("fhe", bootstrapping_machine()),
        ):  # fmt: skip
            figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None, "Creator": None}, facecolor="white")


def _timeline_case() -> tuple[Layer, Tiling]:
    """conv3 of the digits network, in row tiles."""
    layer = next(layer for layer in load_workload("digits_cnn").layers if layer.name == "conv3")
    return layer, Tiling(rows=2, blocks=1, channels=16)


def _controller(axes: Axes) -> None:
    box(axes, 265, 24, 610, 62, "", CONTROL)
    text(axes, 275, 38, "Controller", weight="bold", ha="left")
    text(axes, 275, 55, "program: layer configuration,", ha="left")
    text(axes, 275, 71, "list of tiles, list of outputs", ha="left")
    for row, name in enumerate(("ring of tiles", "ring of outputs")):
        y = 36 + 26 * row
        text(axes, 476, y + 7, name, ha="left")
        for slot in range(8):
            axes.add_patch(Rectangle((562 + 11 * slot, y), 11, 14, facecolor="white", edgecolor=MUTED, linewidth=0.6))
    text(axes, 668, 38, "counters that all engines see:", ha="left")
    text(axes, 668, 55, "requested  loaded  released", ha="left")
    text(axes, 668, 71, "completed  outputs  stores", ha="left")
    arrow(axes, [(265, 70), (160, 70), (160, 110)], MUTED, dashed=True)
    arrow(axes, [(460, 86), (460, 110)], MUTED, dashed=True)
    arrow(axes, [(875, 70), (884, 70), (884, 442), (870, 442)], MUTED, dashed=True)
    text(axes, 172, 56, "descriptors", color=MUTED, ha="left")


def _dma(axes: Axes) -> None:
    box(axes, 12, 110, 50, 420, "DRAM", MEMORY, rotation=90, weight="bold")
    box(axes, 105, 110, 112, 58, "1 Request engine\nline addresses,\none line a cycle", ENGINE)
    box(axes, 105, 196, 112, 62, "2 Data engine\nread gearbox:\nbeats to words", ENGINE)
    box(axes, 105, 452, 112, 62, "2 Data engine\nwrite gearbox:\nwords to beats", ENGINE)
    arrow(axes, [(105, 139), (62, 139)], MUTED)
    arrow(axes, [(62, 227), (105, 227)], BLUE)
    arrow(axes, [(105, 483), (62, 483)], GREEN)
    for y in (148, 285, 388):
        arrow(axes, [(217, 227), (240, 227), (240, y), (265, y)], BLUE)
    arrow(axes, [(217, 227), (240, 227), (240, 466), (265, 466)], BLUE)
    bus = "One bus of B bytes\na cycle, shared by\nreads and writes;\nL cycles from\nrequest to data"
    text(axes, 95, 330, bus, color=MUTED, ha="left")


def _scratchpads(axes: Axes) -> None:
    _memory(axes, 265, 110, 118, 104, "Act scratchpad", "R lanes a word", "half")
    _memory(axes, 265, 236, 118, 104, "Weight scratchpad", "C or R lanes", "half")
    box(axes, 265, 362, 118, 50, "Parameters\nbias, multiplier,\nshift", MEMORY)
    _memory(axes, 265, 436, 118, 82, "Output buffer", "", "half")
    box(axes, 415, 110, 112, 62, "3 Compute engine\nim2col: address of\neach tap; padding", ENGINE)
    box(axes, 415, 196, 112, 34, "− zero point", DATAPATH)
    box(axes, 415, 248, 112, 52, "skew (WS, IS)\ntransposer (OS)", DATAPATH)
    box(axes, 415, 330, 112, 34, "max (pooling)", DATAPATH)
    arrow(axes, [(415, 134), (383, 134)], MUTED)
    text(axes, 399, 126, "addr.", color=MUTED, size=7)
    arrow(axes, [(383, 206), (415, 206)], BLUE)
    arrow(axes, [(471, 230), (471, 248)], BLUE)
    arrow(axes, [(383, 280), (415, 280)], ORANGE)
    arrow(axes, [(400, 206), (400, 340), (415, 340)], BLUE)


def _memory(axes: Axes, x: float, y: float, width: float, height: float, title: str, note: str, part: str) -> None:
    """A double-buffered memory: two halves, each of some banks."""
    box(axes, x, y, width, height, "", MEMORY)
    text(axes, x + width / 2, y + 14, title, weight="bold", size=7.4)
    if note:
        text(axes, x + width / 2, y + 30, note)
    top = y + (42 if note else 26)
    for half in range(2):
        left, half_width = x + 8 + half * (width - 12) / 2, (width - 20) / 2
        bank_height = (y + height - top - 22) / 2
        for bank in range(2):
            corner = (left, top + bank * bank_height)
            axes.add_patch(
                Rectangle(corner, half_width, bank_height, facecolor="white", edgecolor=MUTED, linewidth=0.6)
            )
            if note:
                text(axes, left + half_width / 2, top + (bank + 0.5) * bank_height, "bank", size=6.5, color=MUTED)
        text(axes, left + half_width / 2, y + height - 12, f"{part} {half}", size=7, color=MUTED)


def _array(axes: Axes) -> None:
    x, y, side, gap = 640, 128, 30, 12
    box(axes, 606, 106, 254, 214, "", DATAPATH)
    for row in range(4):
        for column in range(4):
            corner = (x + column * (side + gap), y + row * (side + gap))
            axes.add_patch(Rectangle(corner, side, side, facecolor="white", edgecolor=INK, linewidth=0.8))
            text(axes, corner[0] + side / 2, corner[1] + side / 2, "PE", size=7)
            if column < 3:
                arrow(axes, [(corner[0] + side, corner[1] + 15), (corner[0] + side + gap, corner[1] + 15)], BLUE, 5)
            if row < 3:
                arrow(axes, [(corner[0] + 15, corner[1] + side), (corner[0] + 15, corner[1] + side + gap)], ORANGE, 5)
    text(axes, 829, 196, "R × C\narray of\nPEs", weight="bold", size=8)
    text(axes, 722, 306, "C columns", color=MUTED, size=7.5)
    text(axes, 622, 206, "R rows", color=MUTED, size=7.5, rotation=90)
    arrow(axes, [(527, 262), (606, 262)], BLUE)
    arrow(axes, [(527, 286), (606, 286)], ORANGE)
    text(axes, 564, 253, "activations", color=MUTED, size=7)
    text(axes, 564, 295, "weights", color=MUTED, size=7)
    box(axes, 606, 344, 254, 46, "Accumulators\nC lanes a word; 1 or 2 memories", MEMORY)
    arrow(axes, [(733, 320), (733, 344)], GREEN)
    text(axes, 740, 333, "sums, deskewed", color=MUTED, size=7, ha="left")


def _output_path(axes: Axes) -> None:
    y, height = 436, 82
    stages = (
        (790, 80, "4 Output\nengine\n+ bias"), (708, 62, "×\nmulti-\nplier"),
        (606, 82, "round,\n>> shift,\n+ zero,\nclip"), (508, 78, "assemble\nR lanes;\ntransposer\n(IS)"),
        (415, 73, "+ residual,\nrescaled,\nclip"),
    )  # fmt: skip
    for x, width, words in stages:
        box(axes, x, y, width, height, words, ENGINE if words.startswith("4") else DATAPATH)
    for (right, _, _), (left, width, _) in zip(stages, stages[1:], strict=False):
        arrow(axes, [(right, 477), (left + width, 477)], GREEN)
    arrow(axes, [(835, 390), (835, 436)], GREEN)
    arrow(axes, [(383, 404), (739, 404), (739, 436)], PINK)
    arrow(axes, [(383, 404), (805, 404), (805, 436)], PINK)
    arrow(axes, [(415, 494), (383, 494)], GREEN)
    arrow(axes, [(383, 458), (415, 458)], BLUE)
    arrow(axes, [(265, 494), (217, 494)], GREEN)
    arrow(axes, [(415, 354), (392, 354), (392, 444), (383, 444)], GREEN)


def _dataflows(axes: Axes) -> None:
    lanes, channels = "rows: lanes of a k-block", "columns: output channels"
    flows = (
        ("Weight stationary", "W", f"{lanes}\n{channels}\npixels stream", "A", "", "sums"),
        ("Input stationary", "A", f"{lanes}\ncolumns: pixels\noutput channels stream", "W", "", "sums"),
        ("Output stationary", "Σ", f"rows: pixels\n{channels}\nlanes of k-blocks stream", "A", "W", "sums at the end"),
    )
    for index, (title, kept, note, left, top, foot) in enumerate(flows):
        x, y, side = 55 + 290 * index, 594, 30
        text(axes, x - 25, 552, title, weight="bold", ha="left")
        for row in range(3):
            for column in range(3):
                corner = (x + column * side, y + row * side)
                axes.add_patch(Rectangle(corner, side, side, facecolor=MEMORY, edgecolor=INK, linewidth=0.7))
                text(axes, corner[0] + 15, corner[1] + 15, kept)
            arrow(axes, [(x - 22, y + row * side + 15), (x - 2, y + row * side + 15)], BLUE if left == "A" else ORANGE)
            if top:
                arrow(axes, [(x + row * side + 15, y - 20), (x + row * side + 15, y - 2)], ORANGE)
            arrow(axes, [(x + row * side + 15, y + 92), (x + row * side + 15, y + 110)], GREEN, dashed=bool(top))
        text(axes, x - 32, y + 45, left)
        if top:
            text(axes, x + 100, y - 13, top)
        text(axes, x + 45, y + 122, foot, color=MUTED)
        text(axes, x + 104, y + 45, note, ha="left", size=7.5)


def _gantt(axes: Axes, events: Sequence[dict[str, Any]], title: str) -> None:
    colours = {"load": SKY, "compute": BLUE, "output": ORANGE, "store": GREEN}
    rows = {name: index for index, name in enumerate(colours)}
    last = max(event["end_cycle"] for event in events)
    for event in events:
        kind = event["name"].split()[0]
        if kind in rows:
            span = (event["start_cycle"], event["end_cycle"] - event["start_cycle"])
            axes.broken_barh(
                [span], (rows[kind] - 0.36, 0.72), facecolor=colours[kind], edgecolor="white", linewidth=0.5
            )
            if span[1] > last / 45:
                text(axes, span[0] + span[1] / 2, rows[kind], str(event["tile"]), size=7, color="white")
    axes.set(yticks=list(rows.values()), yticklabels=list(rows), ylim=(3.6, -0.6))
    axes.tick_params(length=0)
    axes.grid(axis="x", color=GRID)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.axvline(last, color=SLATE, linewidth=0.8, linestyle="--")
    axes.set_title(f"{title}: {last:,} cycles", loc="left", size=9, weight="bold")


if __name__ == "__main__":
    main()
