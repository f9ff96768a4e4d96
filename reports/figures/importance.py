"""Which axes matter: how much of an objective's spread one axis explains by itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from reports import style
from reports.study import OBJECTIVES, Row
from reports.units import listing, metric_name, percent

MOST_AXES = 10


class ImportanceData(NamedTuple):
    """`explained[objective][axis]` in 0..1, axes by their largest value."""

    axes: list[str]
    explained: dict[str, list[float]]
    n_points: int
    together: dict[str, float]  # sum over all axes, those not drawn included


def importance_data(
    done: Sequence[Row], axes: Mapping[str, Sequence[Any]], objectives: Sequence[str] = OBJECTIVES
) -> ImportanceData | None:
    """First-order share of the variance of each objective's logarithm: Var(E[log y | axis]) / Var(log y).

    Of accuracy it is the variance of accuracy itself. At most four objectives; rows that lack one are left out.
    A full grid makes the shares of all axes add up to at most 1; what is missing is interaction. On random points an
    axis with k values has a share of about (k - 1) / n by chance alone. None for fewer than 8 points or two axes.
    """
    if len(done) < 8 or len(axes) < 2:
        return None
    done = [row for row in done if all(row.get(o) is not None for o in objectives)]
    explained = {o: [_explained(done, o, axis) for axis in axes] for o in objectives}
    names = list(axes)
    order = sorted(range(len(names)), key=lambda i: (-max(explained[o][i] for o in objectives), names[i]))[:MOST_AXES]
    return ImportanceData(
        [names[i] for i in order], {o: [shares[i] for i in order] for o, shares in explained.items()}, len(done),
        {o: sum(shares) for o, shares in explained.items()},
    )  # fmt: skip


def _explained(done: Sequence[Row], objective: str, axis: str) -> float:
    values = np.array([row[objective] for row in done], dtype=float)
    if len(values) == 0 or (objective != "accuracy" and np.any(values <= 0)):
        return 0.0
    logs = values if objective == "accuracy" else np.log(values)
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
            phrases.append(
                f"{data.axes[best]} explains {percent(shares[best])} of the spread of {metric_name(objective)}"
            )
    if not phrases:
        return "No axis changes any objective."
    weak = [f"{percent(share)} of that of {metric_name(o)}" for o, share in data.together.items() if 0 < share < 0.7]
    rest = f" All axes one by one explain only {listing(weak)}: the rest is how they act together." if weak else ""
    return f"Taken alone, {listing(phrases)}.{rest}"


def draw(data: ImportanceData) -> Figure:
    """A thin bar for each objective and axis."""
    own = "Variance explained (logarithms; accuracy: itself) (%)"
    logs = "Variance of the logarithm explained by the axis alone (%)"
    return bars(data, own if "accuracy" in data.explained else logs)


def bars(data: ImportanceData, label: str, most: float = 100) -> Figure:
    """A thin bar for each objective and axis, in per cent up to `most`; `label` says of what."""
    figure, axes = style.new_axes(0.9 + 0.38 * len(data.axes))
    positions = np.arange(len(data.axes))
    n_bars = len(data.explained)
    step = 0.75 / n_bars
    for index, (objective, shares) in enumerate(data.explained.items()):
        axes.barh(
            positions + step * (index - (n_bars - 1) / 2), [100 * s for s in shares], height=0.88 * step,
            color=style.SERIES[index % len(style.SERIES)], label=metric_name(objective),
        )  # fmt: skip
    axes.set_xlim(0, most)
    axes.set_ylim(len(data.axes) - 0.5, -0.5)
    axes.xaxis.grid(True)
    style.categories(axes, "y", data.axes)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(label)
    style.legend(figure, axes)
    return figure
