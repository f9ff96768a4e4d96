"""Roofline: what the layers of one point reach, below what the array and the memory port of the chosen points allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import style
from reports.figures.layers import layer_label
from reports.study import Chosen, Row, layer_total
from reports.units import percent


class Roof(NamedTuple):
    letters: str
    peak_macs_per_cycle: float
    bytes_per_cycle: float


class LayerPoint(NamedTuple):
    """One layer: MACs for each byte on DRAM, MACs for each cycle, share of the point's cycles."""

    name: str
    intensity: float
    macs_per_cycle: float
    share: float


class RooflineData(NamedTuple):
    """The roofs of the chosen points and the layers of the one of them called `letter`."""

    roofs: list[Roof]
    letter: str
    layers: list[LayerPoint]
    n_left_out: int  # layers without a MAC or without traffic, such as pooling


def machine(row: Row) -> tuple[float, float] | None:
    """(PEs, DRAM bytes a cycle) of a row's point; None where its parameters do not tell."""
    point = row["point"]
    keys = ("array_rows", "array_cols", "dram_bytes_per_cycle")
    if any(key not in point for key in keys):
        return None
    return float(point["array_rows"] * point["array_cols"]), float(point["dram_bytes_per_cycle"])


def roofline_data(chosen: Sequence[Chosen], shown: Chosen) -> RooflineData | None:
    """Roofs of `chosen`, layers of `shown`; None where no layer of it has both MACs and traffic."""
    layers = shown.row.get("layers") or []
    total = sum(layer_total(layer, "cycles") for layer in layers)
    points = []
    for layer in layers:
        activity = layer["activity"]
        n_bytes = activity.get("dram_read_bytes", 0) + activity.get("dram_write_bytes", 0)
        if layer["n_macs"] and n_bytes and layer["cycles"]:
            share = layer_total(layer, "cycles") / total
            intensity, speed = layer["n_macs"] / n_bytes, layer["n_macs"] / layer["cycles"]
            points.append(LayerPoint(layer_label(layer), intensity, speed, share))
    if not points:
        return None
    letters: dict[tuple[float, float], str] = {}
    for point in chosen:
        roof = machine(point.row)
        if roof is not None:
            letters[roof] = letters.get(roof, "") + point.letter
    roofs = [Roof(name, peak, bandwidth) for (peak, bandwidth), name in letters.items()]
    return RooflineData(roofs, shown.letter, points, len(layers) - len(points))


def own_roof(data: RooflineData) -> Roof | None:
    """The roof over the layers shown."""
    return next((roof for roof in data.roofs if data.letter in roof.letters), None)


def takeaway(data: RooflineData) -> str:
    """How many layers sit under which part of their roof, weighted by time, and how close the best comes."""
    roof = own_roof(data)
    if roof is None:
        return f"Layers of {data.letter}; its parameters do not tell a roof."
    ridge = roof.peak_macs_per_cycle / roof.bytes_per_cycle
    bound = [layer for layer in data.layers if layer.intensity < ridge]
    best = max(data.layers, key=lambda layer: layer.macs_per_cycle)
    share = percent(sum(layer.share for layer in bound))
    n_bound = f"{len(bound)} of {len(data.layers)} layers ({share} of the cycles)" if bound else "no layer"
    without = f" Layers that multiply nothing are not shown ({data.n_left_out})." if data.n_left_out else ""
    return (
        f"In {data.letter}, {n_bound} {'are' if len(bound) > 1 else 'is'} memory bound; the best, {best.name}, reaches "
        f"{percent(best.macs_per_cycle / roof.peak_macs_per_cycle)} of the array's peak.{without}"
    )


def draw(data: RooflineData) -> Figure:
    """Log-log; the area of a marker is the layer's share of the time; the three longest layers are named."""
    figure, axes = style.new_axes(3.5)
    ridges = [roof.peak_macs_per_cycle / roof.bytes_per_cycle for roof in data.roofs]
    xs = [layer.intensity for layer in data.layers] + ridges
    ys = [layer.macs_per_cycle for layer in data.layers] + [roof.peak_macs_per_cycle for roof in data.roofs]
    style.scale_axis(axes, "x", [min(xs) / 1.6, max(xs) * 6])
    style.scale_axis(axes, "y", [min(ys) / 1.6, max(ys) * 1.5])
    own = own_roof(data)
    x_low, x_high = axes.get_xlim()
    for roof in data.roofs:
        ridge = roof.peak_macs_per_cycle / roof.bytes_per_cycle
        axes.plot(
            [min(x_low, ridge), ridge, x_high],
            [min(x_low, ridge) * roof.bytes_per_cycle, roof.peak_macs_per_cycle, roof.peak_macs_per_cycle],
            color=style.INK if roof is own else style.FAINT,
            linewidth=1.3 if roof is own else 0.9,
            zorder=3 if roof is own else 2,
        )
    for peak, letters in _by_peak(data.roofs):
        text = f"{', '.join(sorted(letters))}: {peak:,.0f}"
        axes.annotate(text, (x_high, peak), xytext=(-2, 2), textcoords="offset points", ha="right", va="bottom")
    for layers, colour, name in _bounds(data, own):
        if layers:
            axes.scatter([], [], s=24, color=colour, linewidths=0, label=name)
            sizes = [16 + 260 * layer.share for layer in layers]
            axes.scatter(
                [layer.intensity for layer in layers], [layer.macs_per_cycle for layer in layers], s=sizes,
                color=colour, alpha=0.85, edgecolors=style.PAPER, linewidths=0.5, zorder=4,
            )  # fmt: skip
    axes.set_xlabel("Arithmetic intensity (MAC / DRAM byte)")
    axes.set_ylabel("Performance (MAC / cycle)")
    if own is not None:
        style.legend(figure, axes)
    _name_layers(figure, axes, data.layers)  # last: all else moves the markers
    return figure


def _bounds(data: RooflineData, own: Roof | None) -> list[tuple[list[LayerPoint], str, str]]:
    if own is None:
        return [(data.layers, style.BLUE, "layers")]
    ridge = own.peak_macs_per_cycle / own.bytes_per_cycle
    memory = [layer for layer in data.layers if layer.intensity < ridge]
    compute = [layer for layer in data.layers if layer.intensity >= ridge]
    return [
        (compute, style.BLUE, f"compute-bound layers of {data.letter}"),
        (memory, style.VERMILLION, f"memory-bound layers of {data.letter}"),
    ]


def _by_peak(roofs: Sequence[Roof]) -> list[tuple[float, str]]:
    peaks: dict[float, str] = {}
    for roof in roofs:
        peaks[roof.peak_macs_per_cycle] = peaks.get(roof.peak_macs_per_cycle, "") + roof.letters
    return sorted(peaks.items())


def _name_layers(figure: Figure, axes: Axes, layers: Sequence[LayerPoint]) -> None:
    """Name the three longest layers, one below the other under their markers, where no roof can pass."""
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    longest = sorted(layers, key=lambda la: (-la.share, la.name))[:3]
    spots = [axes.transData.transform((layer.intensity, layer.macs_per_cycle)) / scale for layer in longest]
    _, y_floor = axes.transAxes.transform((0, 0)) / scale
    x_right, y_top = axes.transAxes.transform((1, 1)) / scale
    floor = min(y for _, y in spots)
    upwards = floor - y_floor < 60  # no room below
    edge = max(y for _, y in spots) if upwards else floor
    texts = [f"{layer.name}  {percent(layer.share)}" for layer in longest]
    to_left = any(x + 8 + 4.8 * len(text) > x_right for (x, _), text in zip(spots, texts, strict=True))
    # Names grow away from the leaders that are still to come, so no leader crosses a name.
    order = sorted(range(len(spots)), key=lambda i: (spots[i][0] if to_left else -spots[i][0], i))
    for step, index in enumerate(order):
        y, layer, text = spots[index][1], longest[index], texts[index]
        target = min(edge + 18 + 11 * step, y_top - 6) if upwards else edge - 18 - 11 * step
        axes.annotate(
            text, (layer.intensity, layer.macs_per_cycle), xytext=(-6 if to_left else 6, target - y),
            textcoords="offset points", ha="right" if to_left else "left", va="center",
            size=style.FONT_POINTS - 1, color=style.INK, zorder=5,
            bbox={"facecolor": style.PAPER, "alpha": 0.85, "pad": 0.8, "edgecolor": "none"},
            arrowprops={"arrowstyle": "-", "color": style.MUTED, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3,
                        "relpos": (1 if to_left else 0, 0.5)},
        )  # fmt: skip
