"""Accuracy over LUTs of all points, with networks of others on the same data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import style
from reports.anchors import WHOLE, Network
from reports.figures import pareto
from reports.figures.pareto import ParetoData
from reports.study import Chosen, Row
from reports.units import listing

MARKERS = {"measured": "s", "primary": "D", "survey": "o", "recalled": "^"}
_MEANINGS = {
    "measured": "measured",
    "primary": "README",
    "survey": "survey",
    "recalled": "recalled",
}
_MOST_COMPARED = 2
_SAME_PERCENT = 1e-6  # two shares of the same samples are equal or differ by more


class AnchoredData(NamedTuple):
    """`plane` has LUTs on x and accuracy in per cent on y; `networks` are in the same units."""

    plane: ParetoData
    networks: tuple[Network, ...]
    n_samples: int  # of which accuracy is the share


def anchored_data(
    done: Sequence[Row], chosen: Sequence[Chosen], violating: Sequence[Row], networks: Sequence[Network]
) -> AnchoredData | None:
    """None for fewer than two points that know their accuracy."""
    plane = pareto.pareto_data(done, chosen, violating, x="luts", y="accuracy")
    n_samples = max((int(row.get("n_inferences") or 1) for row in done), default=1)
    return None if plane is None else AnchoredData(plane, tuple(networks), n_samples)


def takeaway(data: AnchoredData) -> str:
    """The trade along the front, what it takes to match whole networks of others, and what markers mean."""
    said = [pareto.sentences(data.plane)]
    if data.n_samples > 1:
        said.append(f"One test sample is {100 / data.n_samples:.2f} points.")
    said += _matched(data)
    partial = {network.counts for network in data.networks if network.counts != WHOLE}
    if partial:
        said.append(f"Hollow markers leave something out ({listing(sorted(partial))}).")
    return " ".join(said)


def _matched(data: AnchoredData) -> list[str]:
    """The fewest LUTs of ours that are as accurate as the best point of each network that is counted whole."""
    front = data.plane.front
    whole = [network for network in data.networks if network.counts == WHOLE]
    targets = sorted(
        ((*max(network.points, key=lambda p: (p[1], -p[0])), network.name) for network in whole),
        key=lambda target: (-target[1], target[0]),
    )[:_MOST_COMPARED]
    phrases = []
    for luts, accuracy, name in targets:
        enough = [x for x, y in front if y >= _rounded_down(accuracy, data.n_samples) - _SAME_PERCENT]
        answer = f"{min(enough):,.0f} LUTs here" if enough else "no point here"
        phrases.append(f"{name}'s {accuracy:g} % on {luts:,.0f} LUTs: {answer}")
    return [f"As accurate as {'; '.join(phrases)}."] if phrases else []


def _rounded_down(percent: float, n_samples: int) -> float:
    """The share of samples that a rounded per cent stands for: within half of its last digit, or itself."""
    nearest = 100 * round(percent / 100 * n_samples) / n_samples
    return min(percent, nearest) if abs(nearest - percent) <= 0.05 else percent


def draw(data: AnchoredData) -> Figure:
    """As a front; a marker for each certainty, a thin line through the points of one network, its name beside."""
    figure, axes = style.new_axes(3.9)
    plane = data.plane
    ours = plane.dominated + plane.front + plane.violating
    others = [point for network in data.networks for point in network.points]
    style.scale_axis(axes, "x", [x for x, _ in ours + others])
    style.scale_axis(axes, "y", [y for _, y in ours + others])
    pareto.draw_points(axes, plane)
    axes.scatter([], [], s=14, color=style.BLUE, linewidths=0, label="this study's front")
    for network in data.networks:
        _draw_network(axes, network)
    for index, certainty in enumerate(dict.fromkeys(network.certainty for network in data.networks)):
        label = _MEANINGS[certainty] if index else f"others: {_MEANINGS[certainty]}"
        axes.scatter([], [], s=22, color=style.VERMILLION, marker=MARKERS[certainty], linewidths=0, label=label)
    pareto.name_axes(axes, plane)
    if data.networks:
        style.legend(figure, axes)
    badges = [(letter, x, y) for letter, x, y in plane.marks]
    style.badge_points(figure, axes, [b[1] for b in badges], [b[2] for b in badges], [b[0] for b in badges])
    names = [(network.name, network.points) for network in data.networks]
    style.name_groups(figure, axes, names, [(x, y) for x, y in ours], colour=style.VERMILLION)
    return figure


def _draw_network(axes: Axes, network: Network) -> None:
    points = sorted(network.points)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    axes.plot(xs, ys, color=style.VERMILLION, linewidth=0.5, alpha=0.6, zorder=2)
    axes.scatter(
        xs, ys, s=20, marker=MARKERS[network.certainty], linewidths=0.9, zorder=5, edgecolors=style.VERMILLION,
        facecolors=style.VERMILLION if network.counts == WHOLE else style.PAPER,
    )  # fmt: skip
