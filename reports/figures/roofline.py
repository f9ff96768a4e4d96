"""Roofline: what the layers of one point reach, below what the array and the memory port of the chosen points allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import style
from reports.figures.layers import layer_label
from reports.stages import joined_steps, stage_of, stages_of
from reports.study import Chosen, Row, layer_total
from reports.units import listing, percent

Line: TypeAlias = tuple[list[float], list[float]]  # x and y of the corners of a roof


class Roof(NamedTuple):
    letters: str
    peak_macs_per_cycle: float
    bytes_per_cycle: float


class LayerPoint(NamedTuple):
    """One layer: operations for each byte on DRAM and for each cycle, share of the point's cycles.

    Operations are MACs of the array; of a layer of the vector unit (`is_vector`), operations of its lanes.
    """

    name: str
    intensity: float
    per_cycle: float
    share: float
    stage: str = ""
    is_vector: bool = False


class RooflineData(NamedTuple):
    """The roofs of the chosen points and the layers of the one of them called `letter`."""

    roofs: list[Roof]
    letter: str
    layers: list[LayerPoint]
    n_left_out: int  # layers without operations or without traffic, such as pooling
    stages: tuple[str, ...] = ()  # of the network, in order, where there are several
    n_lanes: int = 0  # of the vector unit of the point called `letter`


def machine(row: Row) -> tuple[float, float] | None:
    """(PEs, DRAM bytes a cycle) of a row's point; None where its parameters do not tell."""
    point = row["point"]
    keys = ("array_rows", "array_cols", "dram_bytes_per_cycle")
    if any(key not in point for key in keys):
        return None
    return float(point["array_rows"] * point["array_cols"]), float(point["dram_bytes_per_cycle"])


def roofline_data(chosen: Sequence[Chosen], shown: Chosen) -> RooflineData | None:
    """Roofs of `chosen`, layers of `shown`; None where no layer of it has both MACs and traffic."""
    layers, stages = joined_steps(shown.row.get("layers") or []), stages_of(shown.row)
    total = sum(layer_total(layer, "cycles") for layer in layers)
    points = [
        LayerPoint(
            layer_label(layer), n_operations / n_bytes, n_operations / layer["cycles"],
            layer_total(layer, "cycles") / total, stage_of(layer, stages), not layer["n_macs"],
        )
        for layer in layers
        if (n_operations := _operations(layer)) and (n_bytes := _bytes(layer)) and layer["cycles"]
    ]  # fmt: skip
    if all(point.is_vector for point in points):
        return None
    letters: dict[tuple[float, float], str] = {}
    for point in chosen:
        roof = machine(point.row)
        if roof is not None:
            letters[roof] = letters.get(roof, "") + point.letter
    roofs = [Roof(name, peak, bandwidth) for (peak, bandwidth), name in letters.items()]
    names = tuple(stage["name"] for stage in stages) if len(stages) > 1 else ()
    return RooflineData(
        roofs, shown.letter, points, len(layers) - len(points), names,
        int(shown.row["point"].get("vector_lanes") or 0),
    )  # fmt: skip


def _operations(layer: Mapping[str, Any]) -> float:
    return float(layer["n_macs"] or layer["activity"].get("vector_ops", 0))


def _bytes(layer: Mapping[str, Any]) -> float:
    activity = layer["activity"]
    return float(activity.get("dram_read_bytes", 0) + activity.get("dram_write_bytes", 0))


def own_roof(data: RooflineData) -> Roof | None:
    """The roof over the layers shown."""
    return next((roof for roof in data.roofs if data.letter in roof.letters), None)


def takeaway(data: RooflineData) -> str:
    """How much of the time is spent in memory-bound layers of the array, in each stage, and what the best reaches."""
    roof = own_roof(data)
    if roof is None:
        return f"Layers of {data.letter}; its parameters do not tell a roof."
    ridge = roof.peak_macs_per_cycle / roof.bytes_per_cycle
    multiplying = [layer for layer in data.layers if not layer.is_vector]
    best = max(multiplying, key=lambda layer: layer.per_cycle)
    of_peak = percent(best.per_cycle / roof.peak_macs_per_cycle)
    reached = f"the best, {best.name}, reaches {of_peak} of the array's peak."
    without = f" Layers that multiply nothing are not shown ({data.n_left_out})." if data.n_left_out else ""
    if data.n_lanes:
        jobs = "job" if data.n_left_out == 1 else "jobs"
        without = f" Not shown: {data.n_left_out} {jobs} without arithmetic." if data.n_left_out else ""
    if data.stages:
        said = [_bound_of(stage, multiplying, ridge) for stage in data.stages]
        return f"Memory bound in {data.letter}: {listing(filter(None, said))}; {reached}{_unit_share(data)}{without}"
    bound = [layer for layer in multiplying if layer.intensity < ridge]
    share = percent(sum(layer.share for layer in bound))
    n_bound = f"{len(bound)} of {len(multiplying)} layers ({share} of the cycles)" if bound else "no layer"
    verb = "are" if len(bound) > 1 else "is"
    return f"In {data.letter}, {n_bound} {verb} memory bound; {reached}{_unit_share(data)}{without}"


def _bound_of(stage: str, layers: Sequence[LayerPoint], ridge: float) -> str:
    """ "12 of 13 products of decode"."""
    own = [layer for layer in layers if layer.stage == stage]
    n_bound = sum(layer.intensity < ridge for layer in own)
    return f"{n_bound or 'none'} of {len(own)} products of {stage}" if own else ""


def _unit_share(data: RooflineData) -> str:
    share = sum(layer.share for layer in data.layers if layer.is_vector)
    return f" The vector unit's jobs shown take {percent(share)} of the cycles." if share else ""


def draw(data: RooflineData) -> Figure:
    """Log-log; the area of a marker is the layer's share of the time; the three longest layers are named.

    Of networks with stages, colours are stages; of others, colours tell on which side of the ridge a layer is.
    """
    figure, axes = style.new_axes(3.5)
    ridges = [roof.peak_macs_per_cycle / roof.bytes_per_cycle for roof in data.roofs]
    xs = [layer.intensity for layer in data.layers] + ridges
    ys = [layer.per_cycle for layer in data.layers] + [roof.peak_macs_per_cycle for roof in data.roofs]
    style.scale_axis(axes, "x", [min(xs) / 1.6, max(xs) * 6])
    style.scale_axis(axes, "y", [min(ys) / 1.6, max(ys) * 1.5])
    own = own_roof(data)
    x_low, x_high = axes.get_xlim()
    lines: list[Line] = []
    for roof in data.roofs:
        lines.append(_line(roof.peak_macs_per_cycle, roof.bytes_per_cycle, x_low, x_high))
        axes.plot(
            *lines[-1],
            color=style.INK if roof is own else style.FAINT,
            linewidth=1.3 if roof is own else 0.9,
            zorder=3 if roof is own else 2,
        )
    for peak, letters in _by_peak(data.roofs):
        text = f"{', '.join(sorted(letters))}: {peak:,.0f}"
        axes.annotate(text, (x_high, peak), xytext=(-2, 2), textcoords="offset points", ha="right", va="bottom")
    has_vector_layers = any(layer.is_vector for layer in data.layers)
    if own is not None and has_vector_layers:  # an operation a lane and cycle, under the same memory port
        lines.append(_line(data.n_lanes, own.bytes_per_cycle, x_low, x_high))
        axes.plot(*lines[-1], color=style.INK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=3)
    for layers, colour, name in _groups(data, own):
        axes.scatter([], [], s=24, color=colour, linewidths=0, label=name)
        for is_vector, marker in ((False, "o"), (True, "^")):
            some = [layer for layer in layers if layer.is_vector == is_vector]
            axes.scatter(
                [layer.intensity for layer in some], [layer.per_cycle for layer in some],
                s=[14 + 180 * layer.share for layer in some], marker=marker,
                color=colour, alpha=0.85, edgecolors=style.PAPER, linewidths=0.5, zorder=4,
            )  # fmt: skip
    if has_vector_layers:
        lanes = f"vector unit ({data.n_lanes} lanes, dashed)"
        axes.scatter([], [], s=24, marker="^", color=style.MUTED, linewidths=0, label=lanes)
    operation = "MAC or lane operation" if has_vector_layers else "MAC"
    axes.set_xlabel(f"Arithmetic intensity ({operation} / DRAM byte)")
    axes.set_ylabel(f"Performance ({operation} / cycle)")
    if own is not None:
        style.legend(figure, axes)
    _name_layers(figure, axes, data.layers, lines)  # last: all else moves the markers
    return figure


def _line(peak: float, bytes_per_cycle: float, x_low: float, x_high: float) -> Line:
    """A roof: along the memory port to the ridge, level from there on."""
    ridge = peak / bytes_per_cycle
    start = min(x_low, ridge)
    return [start, ridge, max(x_high, ridge)], [start * bytes_per_cycle, peak, peak]


_STAGE_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.ORANGE)


def _groups(data: RooflineData, own: Roof | None) -> list[tuple[list[LayerPoint], str, str]]:
    """(layers, colour, name in the legend), without empty ones."""
    if data.stages:
        found = [
            ([layer for layer in data.layers if layer.stage == stage], colour, f"{stage} of {data.letter}")
            for stage, colour in zip(data.stages, cycle(_STAGE_COLOURS))  # noqa: B905 (the colours never end)
        ]
    elif own is None:
        found = [(data.layers, style.BLUE, "layers")]
    else:
        peaks = {False: own.peak_macs_per_cycle, True: data.n_lanes}
        ridges = {unit: peak / own.bytes_per_cycle for unit, peak in peaks.items()}
        memory = [layer for layer in data.layers if layer.intensity < ridges[layer.is_vector]]
        compute = [layer for layer in data.layers if layer.intensity >= ridges[layer.is_vector]]
        found = [
            (compute, style.BLUE, f"compute-bound layers of {data.letter}"),
            (memory, style.VERMILLION, f"memory-bound layers of {data.letter}"),
        ]
    return [group for group in found if group[0]]


def _by_peak(roofs: Sequence[Roof]) -> list[tuple[float, str]]:
    peaks: dict[float, str] = {}
    for roof in roofs:
        peaks[roof.peak_macs_per_cycle] = peaks.get(roof.peak_macs_per_cycle, "") + roof.letters
    return sorted(peaks.items())


def _name_layers(figure: Figure, axes: Axes, layers: Sequence[LayerPoint], lines: Sequence[Line]) -> None:
    """Name the three longest layers, clear of other markers and of the roofs where there is room."""
    longest = sorted(layers, key=lambda la: (-la.share, la.name))[:3]
    named = [(f"{la.name}  {percent(la.share)}", [(la.intensity, la.per_cycle)]) for la in longest]
    others = [(la.intensity, la.per_cycle) for la in layers if la not in longest]
    style.name_groups(figure, axes, named, [*others, *_along(axes, lines)], colour=style.INK)


def _along(axes: Axes, lines: Sequence[Line], n_points: int = 40) -> list[tuple[float, float]]:
    """Points of polylines on logarithmic axes, evenly between their ends."""
    found: list[tuple[float, float]] = []
    for xs, ys in lines:
        at = np.geomspace(xs[0], xs[-1], n_points)
        found += zip(at.tolist(), np.exp(np.interp(np.log(at), np.log(xs), np.log(ys))).tolist(), strict=True)
    return found
