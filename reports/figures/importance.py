"""Which axes matter: how much of an objective's spread one axis explains by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from reports import style
from reports.study import OBJECTIVES, Row
from reports.units import listing, percent

_NAMES = {"latency_ns": "latency", "area_um2": "area", "energy_pj": "energy"}
_COLOURS = {"latency_ns": style.BLUE, "area_um2": style.ORANGE, "energy_pj": style.GREEN}
_MOST_AXES = 10


class ImportanceData(NamedTuple):
    """`explained[objective][axis]` in 0..1, axes by their largest value."""

    axes: list[str]
    explained: dict[str, list[float]]
    n_points: int
    together: dict[str, float]  # sum over all axes, those not drawn included


def importance_data(done: Sequence[Row], axes: Mapping[str, Sequence[Any]]) -> ImportanceData | None:
    """First-order share of the variance of each objective's logarithm: Var(E[log y | axis]) / Var(log y).

    A full grid makes the shares of all axes add up to at most 1; what is missing is interaction. On random points an
    axis with k values has a share of about (k - 1) / n by chance alone. None for fewer than 8 points or two axes.
    """
    if len(done) < 8 or len(axes) < 2:
        return None
    explained = {o: [_explained(done, o, axis) for axis in axes] for o in OBJECTIVES}
    names = list(axes)
    order = sorted(range(len(names)), key=lambda i: (-max(explained[o][i] for o in OBJECTIVES), names[i]))[:_MOST_AXES]
    return ImportanceData(
        [names[i] for i in order], {o: [shares[i] for i in order] for o, shares in explained.items()}, len(done),
        {o: sum(shares) for o, shares in explained.items()},
    )  # fmt: skip


def _explained(done: Sequence[Row], objective: str, axis: str) -> float:
    values = np.array([row[objective] for row in done], dtype=float)
    if np.any(values <= 0):
        return 0.0
    logs = np.log(values)
    _, group = np.unique([json.dumps(row["point"].get(axis)) for row in done], return_inverse=True)
    counts = np.bincount(group)
    means = np.bincount(group, weights=logs) / counts
    variance = logs.var()
    return float(counts @ (means - logs.mean()) ** 2 / len(done) / variance) if variance > 1e-18 else 0.0


def takeaway(data: ImportanceData) -> str:
    """The leading axis of each objective."""
    phrases = []
    for objective, shares in data.explained.items():
        best = max(range(len(shares)), key=lambda i: shares[i])
        if shares[best] > 0:
            phrases.append(f"{data.axes[best]} explains {percent(shares[best])} of the spread of {_NAMES[objective]}")
    if not phrases:
        return "No axis changes any objective."
    weak = [f"{percent(share)} of that of {_NAMES[o]}" for o, share in data.together.items() if 0 < share < 0.7]
    rest = f" All axes one by one explain only {listing(weak)}: the rest is how they act together." if weak else ""
    return f"Taken alone, {listing(phrases)}.{rest}"


def draw(data: ImportanceData) -> Figure:
    """Three thin bars for each axis."""
    figure, axes = style.new_axes(0.9 + 0.38 * len(data.axes))
    positions = np.arange(len(data.axes))
    for offset, (objective, shares) in zip((-0.25, 0.0, 0.25), data.explained.items(), strict=True):
        axes.barh(
            positions + offset, [100 * s for s in shares], height=0.22, color=_COLOURS[objective],
            label=_NAMES[objective],
        )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(len(data.axes) - 0.5, -0.5)
    axes.xaxis.grid(True)
    style.categories(axes, "y", data.axes)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Variance of the logarithm explained by the axis alone (%)")
    style.legend(figure, axes)
    return figure
