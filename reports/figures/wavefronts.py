"""A circuit on a bootstrapping machine: how wide its levels are, and how full the batches that they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import style
from reports.units import digits, percent

_MOST_COLUMNS = 240  # beyond, neighbours are averaged


class WavefrontsData(NamedTuple):
    """`widths[level]` in bootstraps; `filled[column]` cells at work, over `milliseconds` in equal columns."""

    letter: str
    widths: np.ndarray
    filled: np.ndarray
    milliseconds: float
    n_cells: int  # of the machine
    n_batches: int
    rotating: float  # share of the time in which some batch rotates


def wavefronts_data(letter: str, circuit: Mapping[str, Any], clock_mhz: float) -> WavefrontsData:
    """From `widths` of levels, `batches` (first cycle, cycle after the last, cells), `cycles` in all and `n_cells`."""
    batches = np.asarray(circuit["batches"], np.float64).reshape(-1, 3)
    n_columns = min(_MOST_COLUMNS, max(1, int(circuit["cycles"])))
    edges = np.linspace(0, circuit["cycles"], n_columns + 1)
    first, last, cells = batches.T
    # Cell cycles up to a time are linear between the ends of rotations, which do not overlap.
    times = np.column_stack([first, last]).ravel()
    work = cells * (last - first)
    done = np.column_stack([np.cumsum(work) - work, np.cumsum(work)]).ravel()
    filled = np.diff(np.interp(edges, times, done)) / np.diff(edges)
    return WavefrontsData(
        letter, np.asarray(circuit["widths"]), filled, circuit["cycles"] / clock_mhz / 1e3, int(circuit["n_cells"]),
        len(batches), float((last - first).sum() / circuit["cycles"]),
    )  # fmt: skip


def takeaway(data: WavefrontsData) -> str:
    """How wide the circuit is beside the machine, and what that leaves idle."""
    n_narrow = int((data.widths < data.n_cells).sum())
    mean = float(data.filled.mean())
    return (
        f"{len(data.widths):,} levels of {digits(float(data.widths.mean()))} bootstraps on average, {n_narrow:,} of "
        f"them narrower than the {data.n_cells:,} cells of {data.letter}; in {data.n_batches:,} batches cells are at "
        f"work {percent(mean / data.n_cells)} of the time, and some batch rotates {percent(data.rotating)} of it."
    )


def draw(data: WavefrontsData) -> Figure:
    """Widths of levels above, cells at work over time below; the line is the machine."""
    figure = Figure(figsize=(style.WIDTH_INCHES, 3.9), layout="constrained")
    above, below = figure.subplots(2, 1)
    _steps(above, data.widths.astype(float), np.arange(len(data.widths) + 1.0), style.SLATE)
    above.set(xlabel="Level of the circuit", ylabel="Bootstraps")
    _steps(below, data.filled, np.linspace(0, data.milliseconds, len(data.filled) + 1), style.BLUE)
    below.set(xlabel="Time (ms)", ylabel="Cells at work")
    for axes in (above, below):
        axes.axhline(data.n_cells, color=style.INK, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.grid(True, axis="y")
    return figure


def _steps(axes: Axes, values: np.ndarray, edges: np.ndarray, colour: str) -> None:
    if len(values) > _MOST_COLUMNS:
        parts = np.array_split(np.arange(len(values)), _MOST_COLUMNS)
        values = np.array([values[part].mean() for part in parts])
        edges = np.array([*(edges[part[0]] for part in parts), edges[-1]])
    axes.stairs(values, edges, fill=True, color=colour)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
