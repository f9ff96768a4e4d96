"""Energy of one inference, part by part, of named points and of other classifiers on the same data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from reports import style
from reports.units import listing, percent, quantity, ratio, unit_for

PARTS = ("switching", "memory", "leakage")
_COLOURS = {"switching": style.BLUE, "memory": style.ORANGE, "leakage": style.SLATE}


class Machine(NamedTuple):
    """One classifier; `parts` in pJ, in the order of PARTS."""

    name: str
    accuracy: float | None
    parts: tuple[float, float, float]
    is_ours: bool

    @property
    def total_pj(self) -> float:
        return sum(self.parts)


class EnergyData(NamedTuple):
    """Ours in front; `n_samples` is what accuracy is the share of."""

    machines: tuple[Machine, ...]
    n_samples: int


def parts_of(breakdown: Mapping[str, float], memory: Sequence[str] = ()) -> tuple[float, float, float]:
    """A row's breakdown, or a baseline's, in PARTS: slices named in `memory`, leakage, and the rest as switching."""
    in_memory = sum(breakdown.get(name, 0.0) for name in memory)
    leakage = breakdown.get("leakage", 0.0)
    return sum(breakdown.values()) - in_memory - leakage, in_memory, leakage


def energy_data(machines: Sequence[Machine], n_samples: int) -> EnergyData | None:
    """None where there is nothing to compare with, or nothing of ours."""
    ours = [machine.is_ours for machine in machines]
    return EnergyData(tuple(machines), n_samples) if any(ours) and not all(ours) else None


def takeaway(data: EnergyData) -> str:
    """What the most accurate of ours takes, and how many times that the others do; the static share is told."""
    ours = [machine for machine in data.machines if machine.is_ours]
    best = max(ours, key=lambda machine: (machine.accuracy or 0.0, -machine.total_pj))
    said = f"{best.name.split()[0]}{_right(best)} takes {quantity(best.total_pj, 'pj')} a classification, "
    said += f"{percent(best.parts[2] / best.total_pj)} of it leakage."
    phrases = [
        f"{other.name}{_right(other)} {ratio(other.total_pj, best.total_pj)}"
        for other in data.machines
        if not other.is_ours
    ]
    said += f" As many times that take: {listing(phrases)}."
    near = [m.name for m in data.machines if not m.is_ours and _samples_apart(m, best, data.n_samples) <= 2]
    if near:
        said += f" Accuracies within two test samples of {best.name.split()[0]}'s: {listing(near)}."
    return said


def _right(machine: Machine) -> str:
    return "" if machine.accuracy is None else f" ({100 * machine.accuracy:.1f} % right)"


def _samples_apart(one: Machine, other: Machine, n_samples: int) -> int:
    if one.accuracy is None or other.accuracy is None:
        return n_samples
    return abs(round((one.accuracy - other.accuracy) * n_samples))


def draw(data: EnergyData) -> Figure:
    """Three thin bars a machine, as stacked ones would lie on a logarithmic axis; total and accuracy at the right."""
    figure, axes = style.new_axes(1.05 + 0.46 * len(data.machines))
    amounts = [amount for machine in data.machines for amount in machine.parts if amount > 0]
    unit = unit_for(amounts, "pj")
    shown = [amount / unit.factor for amount in amounts]
    style.scale_axis(axes, "x", [min(shown) / 1.5, max(shown) * 1.2])
    left = axes.get_xlim()[0]
    for index, part in enumerate(PARTS):
        rows = [(place, m.parts[index] / unit.factor) for place, m in enumerate(data.machines) if m.parts[index] > 0]
        axes.barh(
            [place + 0.24 * (index - 1) for place, _ in rows], [amount - left for _, amount in rows], left=left,
            height=0.2, color=_COLOURS[part], label=part,
        )  # fmt: skip
    for place, machine in enumerate(data.machines):
        right = "" if machine.accuracy is None else f"\n{100 * machine.accuracy:.1f} %"
        text = f"{quantity(machine.total_pj, 'pj')}{right}"
        axes.annotate(
            text, (1, place), xycoords=("axes fraction", "data"), xytext=(5, 0), textcoords="offset points",
            ha="left", va="center", linespacing=1.15,
        )  # fmt: skip
    axes.set_ylim(len(data.machines) - 0.5, -0.5)
    style.categories(axes, "y", [machine.name for machine in data.machines])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"Energy of one classification ({unit.label})")
    style.legend(figure, axes)
    return figure
