"""Where the time of one point goes: latency of every layer, split by phase and cause of stall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from reports import style
from reports.stages import joined_steps
from reports.study import WORK, Row, layer_total
from reports.units import Unit, percent, unit_for

MOST_LAYERS = 40


class LayersData(NamedTuple):
    """`times[phase][layer]` in `unit`; layers in the order of the network, the shortest merged into the last bar."""

    layers: list[str]
    phases: list[str]
    times: list[list[float]]
    unit: Unit
    n_merged: int


def layers_data(row: Row) -> LayersData | None:
    """Latency by layer (repeats included) and phase; None where the row keeps no layers."""
    layers = joined_steps(row.get("layers") or [])
    if not layers or not row["cycles"]:
        return None
    shown, merged = _longest(layers)
    ns_per_cycle = row["latency_ns"] / row["cycles"]
    phases = [p for p in layers[0]["phases"] if any(layer["phases"].get(p) for layer in layers)]
    bars: list[list[Mapping[str, Any]]] = [[layer] for layer in shown] + ([merged] if merged else [])
    in_ns = [
        [sum(layer["phases"].get(p, 0) * int(layer.get("repeat") or 1) for layer in bar) * ns_per_cycle for bar in bars]
        for p in phases
    ]
    unit = unit_for([max(sum(column) for column in zip(*in_ns, strict=True))], "ns")
    names = [layer_label(layer) for layer in shown] + ([f"{len(merged)} shorter layers"] if merged else [])
    return LayersData(names, phases, [[t / unit.factor for t in times] for times in in_ns], unit, len(merged))


def layer_label(layer: Mapping[str, Any]) -> str:
    """The layer's name, with its number of repeats where it stands for several."""
    repeat = int(layer.get("repeat") or 1)
    return f"{layer['name']} ×{repeat:,}" if repeat > 1 else str(layer["name"])


def _longest(layers: list[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    if len(layers) <= MOST_LAYERS:
        return layers, []
    by_time = sorted(range(len(layers)), key=lambda i: (-layer_total(layers[i], "cycles"), i))
    kept = set(by_time[: MOST_LAYERS - 1])
    return [la for i, la in enumerate(layers) if i in kept], [la for i, la in enumerate(layers) if i not in kept]


def takeaway(data: LayersData) -> str:
    """Names the longest layer and how much of all time is not computing."""
    totals = [sum(column) for column in zip(*data.times, strict=True)]
    whole = sum(totals)
    named = totals[:-1] if data.n_merged else totals
    longest = max(range(len(named)), key=lambda i: named[i])
    computing = sum(data.times[data.phases.index("compute")]) if "compute" in data.phases else 0.0
    text = f"{data.layers[longest]} takes {percent(named[longest] / whole)} of the time"
    if len(totals) == 1:
        text = f"The time of {data.layers[0]}"
    waits = {p: sum(t) for p, t in zip(data.phases, data.times, strict=True) if p not in WORK}
    if not waits:
        return f"{text}; the array computes in every cycle."
    worst = max(waits, key=lambda p: waits[p])
    in_unit = sum(data.times[data.phases.index("vector_compute")]) if "vector_compute" in data.phases else 0.0
    beside = f", the vector unit in {percent(in_unit / whole)}" if in_unit else ""
    return (
        f"{text}; the array computes in {percent(computing / whole)} of all cycles{beside}, and the largest loss is "
        f"{worst.replace('_', ' ')} ({percent(waits[worst] / whole)})."
    )


def draw(data: LayersData) -> Figure:
    """One horizontal bar a layer, first layer on top."""
    n_layers = len(data.layers)
    pitch = 0.24 if n_layers <= 16 else 0.17
    figure, axes = style.new_axes(0.95 + pitch * max(n_layers, 2))
    colours = style.phase_colours(data.phases)
    left = [0.0] * n_layers
    for phase, times in zip(data.phases, data.times, strict=True):
        axes.barh(range(n_layers), times, left=left, height=0.74, color=colours[phase], label=phase.replace("_", " "))
        left = [start + time for start, time in zip(left, times, strict=True)]
    style.scale_axis(axes, "x", [0.0, max(left)])
    axes.set_xlim(0, max(left) * 1.03)
    axes.set_ylim(n_layers - 0.4, -0.6)
    style.categories(axes, "y", [name if len(name) <= 26 else f"{name[:12]}...{name[-11:]}" for name in data.layers])
    if n_layers > 16:
        axes.tick_params(axis="y", labelsize=style.FONT_POINTS - 1.5)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"Latency ({data.unit.label})")
    style.legend(figure, axes)
    return figure
