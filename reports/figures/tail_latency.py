"""Tail latency of a server against the rate of its queries, system by system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from explore.scenarios.outcome import SystemOutcome
from reports import style
from reports.units import Unit, digits, unit_for

MOST_SYSTEMS = len(style.SERIES)  # more are not told apart by colour


class SystemCurve(NamedTuple):
    """One system: latencies by rate, ascending, and the largest rate that keeps the bound (None: not asked, or 0)."""

    name: str
    rates_per_s: list[float]
    tails_ns: list[float]
    largest_per_s: float | None
    largest_tail_ns: float | None


class TailLatencyData(NamedTuple):
    """The first MOST_SYSTEMS of `n_systems`, in their order."""

    curves: list[SystemCurve]
    percentile: float
    bound_ns: float | None
    n_systems: int


def tail_latency_data(systems: Sequence[SystemOutcome], percentile: float) -> TailLatencyData | None:
    """Curves of the systems that have one; None where none has."""
    curved = [system for system in systems if system.curve]
    if not curved:
        return None
    bounds = {system.server.bound_ns for system in curved if system.server}
    curves = [_curve(system) for system in curved[:MOST_SYSTEMS]]
    return TailLatencyData(curves, percentile, bounds.pop() if len(bounds) == 1 else None, len(curved))


def _curve(system: SystemOutcome) -> SystemCurve:
    """Rates of the curve, and the largest one found among them in its place."""
    points = {point.rate_per_s: point.latency_ns for point in system.curve}
    server = system.server
    largest = None
    if server is not None and server.latency_ns is not None:
        largest = server.rate_per_s, server.latency_ns
        points[server.rate_per_s] = server.latency_ns
    rates = sorted(points)
    return SystemCurve(
        name=system.name,
        rates_per_s=rates,
        tails_ns=[points[rate] for rate in rates],
        largest_per_s=largest and largest[0],
        largest_tail_ns=largest and largest[1],
    )


def takeaway(data: TailLatencyData) -> str:
    """Who serves most within the bound, and how many times the least of the others."""
    if data.bound_ns is None:
        return f"The {data.percentile:g}th percentile of the latency grows without end towards each system's capacity."
    unit = unit_for([data.bound_ns], "ns")
    keeping = sorted((c for c in data.curves if c.largest_per_s), key=lambda c: -(c.largest_per_s or 0))
    bound = f"{digits(data.bound_ns / unit.factor)} {unit.label}"
    if not keeping:
        return f"No system answers {data.percentile:g} % of its queries within {bound} at any rate."
    said = [f"{curve.name} {digits(curve.largest_per_s or 0)} queries a second" for curve in keeping[:4]]
    return f"With {data.percentile:g} % of the queries answered within {bound}: {', '.join(said)}."


def draw(data: TailLatencyData) -> Figure:
    """A line a system, the bound dashed, a dot at the largest rate that keeps it."""
    figure, axes = style.new_axes(3.2)
    tails = [tail for curve in data.curves for tail in curve.tails_ns]
    rates = [rate for curve in data.curves for rate in curve.rates_per_s]
    shown = [*tails, data.bound_ns] if data.bound_ns else tails
    latency, rate = unit_for(shown, "ns"), unit_for(rates, "per_s")
    for curve, colour in zip(data.curves, style.SERIES, strict=False):
        _draw_curve(axes, curve, colour, latency, rate)
    style.scale_axis(axes, "x", [value / rate.factor for value in rates])
    style.scale_axis(axes, "y", [value / latency.factor for value in shown])
    if data.bound_ns is not None:
        height = data.bound_ns / latency.factor
        axes.axhline(height, color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            "bound", (1, height), xycoords=("axes fraction", "data"), xytext=(3, 0), textcoords="offset points",
            color=style.MUTED, size=style.FONT_POINTS - 1, va="center",
        )  # fmt: skip
    axes.set_xlabel(f"queries a second ({rate.label})" if rate.factor > 1 else "queries a second")
    axes.set_ylabel(f"{data.percentile:g}th percentile of latency ({latency.label})")
    style.legend(figure, axes)
    return figure


def _draw_curve(axes: Axes, curve: SystemCurve, colour: str, latency: Unit, rate: Unit) -> None:
    axes.plot(
        [value / rate.factor for value in curve.rates_per_s],
        [value / latency.factor for value in curve.tails_ns],
        color=colour,
        label=curve.name,
    )
    if curve.largest_per_s is not None and curve.largest_tail_ns is not None:
        axes.plot(
            [curve.largest_per_s / rate.factor], [curve.largest_tail_ns / latency.factor], "o", color=colour,
            markersize=4.5, zorder=5,
        )  # fmt: skip
