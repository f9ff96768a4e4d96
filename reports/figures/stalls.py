"""Where cycles go over the whole space: every point's phases, from the busiest to the idlest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports import style
from reports.study import WORK, Row
from reports.units import percent

_MOST_COLUMNS = 120  # beyond, neighbours in rank are averaged


class StallsData(NamedTuple):
    """`shares[phase, column]` of one; columns are points by falling share of computing (or means of neighbours)."""

    phases: list[str]
    shares: np.ndarray
    means: dict[str, float]  # mean share of each phase over all points
    median_compute: float
    n_points: int


def stalls_data(done: Sequence[Row]) -> StallsData | None:
    """Phase shares of the points of `done`; None for fewer than three points."""
    ran = [row for row in done if row.get("phases") and row["cycles"]]
    if len(ran) < 3:
        return None
    phases = [p for p in ran[0]["phases"] if any(row["phases"].get(p) for row in ran)]
    phases.sort(key=lambda phase: phase != "compute")  # at the bottom, where its edge can be read
    shares = np.array([[row["phases"].get(p, 0) / row["cycles"] for row in ran] for p in phases])
    if "compute" in phases:
        shares = shares[:, np.argsort(-shares[phases.index("compute")], kind="stable")]
    means = dict(zip(phases, shares.mean(axis=1).tolist(), strict=True))
    median = float(np.median(shares[phases.index("compute")])) if "compute" in phases else 0.0
    groups = np.array_split(np.arange(len(ran)), min(len(ran), _MOST_COLUMNS))
    columns = np.stack([shares[:, group].mean(axis=1) for group in groups], axis=1)
    return StallsData(phases, columns, means, median, len(ran))


def takeaway(data: StallsData) -> str:
    """The median share of computing and the largest loss."""
    losses = {p: m for p, m in data.means.items() if p not in WORK}
    if not losses:
        return "Every point computes in every cycle."
    worst = max(losses, key=lambda p: losses[p])
    return (
        f"Half of the {data.n_points:,} points compute in at least {percent(data.median_compute)} of their cycles; "
        f"the largest loss is {worst.replace('_', ' ')}, {percent(losses[worst])} on average."
    )


def draw(data: StallsData) -> Figure:
    """Stacked shares against the rank of the point."""
    figure, axes = style.new_axes(2.9)
    colours = style.phase_colours(data.phases)
    n_columns = data.shares.shape[1]
    edges = 1 + np.arange(n_columns + 1) * data.n_points / n_columns - 0.5
    bottom = np.zeros(n_columns)
    for phase, share in zip(data.phases, 100 * data.shares, strict=True):
        axes.stairs(
            bottom + share, edges, baseline=bottom, fill=True, color=colours[phase], label=phase.replace("_", " ")
        )
        bottom = bottom + share
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(style.PlainTicks(same_decimals=True))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 100)
    axes.set_xlabel("Points, by share of computing")
    axes.set_ylabel("Share of cycles (%)")
    style.legend(figure, axes)
    return figure
