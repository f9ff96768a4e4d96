"""Parameter importance as the searches' own evaluator tells it, over the points that they asked for."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from explore.search.result import SearchResult
from reports.figures import importance
from reports.figures.importance import MOST_AXES, ImportanceData
from reports.units import listing, metric_name, percent


def search_importance_data(results: Sequence[SearchResult]) -> ImportanceData | None:
    """Share of each axis in what decides an objective, the mean over the searches that tell one; adds up to 1.

    `n_points` are the full evaluations behind it. None where no search tells any.
    """
    telling = [result for result in results if any(result.importance.values())]
    objectives = [o for o in results[0].objectives if any(result.importance.get(o) for result in telling)]
    if not objectives:
        return None
    axes = dict.fromkeys(axis for result in telling for shares in result.importance.values() for axis in shares)
    means = {o: {axis: _mean(telling, o, axis) for axis in axes} for o in objectives}
    order = sorted(axes, key=lambda axis: (-max(means[o][axis] for o in objectives), axis))[:MOST_AXES]
    n_points = sum(evaluation.share >= 1 for result in telling for evaluation in result.evaluations)
    together = {o: sum(means[o].values()) for o in objectives}
    return ImportanceData(order, {o: [means[o][axis] for axis in order] for o in objectives}, n_points, together)


def _mean(results: Sequence[SearchResult], objective: str, axis: str) -> float:
    told = [shares.get(axis, 0.0) for result in results if (shares := result.importance.get(objective))]
    return statistics.fmean(told)


def takeaway(data: ImportanceData) -> str:
    """The leading axis of each objective."""
    phrases = []
    for objective, shares in data.explained.items():
        best = max(range(len(shares)), key=lambda i: shares[i])
        phrases.append(f"{data.axes[best]} for {metric_name(objective)} ({percent(shares[best])})")
    return f"What decides most: {listing(phrases)}. Shares are means over the searches."


def draw(data: ImportanceData) -> Figure:
    """A thin bar for each objective and axis."""
    largest = max(share for shares in data.explained.values() for share in shares)
    figure = importance.bars(data, "Importance of the axis (%)", most=min(100, 20 * math.ceil(5 * largest + 0.25)))
    figure.axes[0].xaxis.set_major_locator(MultipleLocator(20 if largest > 0.4 else 10 if largest > 0.2 else 5))
    return figure
