"""Bootstraps a second against what a byte of the bootstrapping key serves: where memory is the limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from designs.families.fhe import Design
from reports import style
from reports.study import Chosen, Row
from reports.units import digits, percent

_APART = 1.5  # bandwidths closer than this share a label
_ABOVE = 4.0  # what stations could do is shown up to so many times the fastest point
_MOST_VECTOR_POINTS = 1500


class Machine(NamedTuple):
    """A point: bootstraps for each byte of the key that was read, and a second; whether a key row was waited for."""

    per_byte: float
    per_second: float
    bytes_per_second: float  # of the key's stream
    key_stall: float  # share of cycles


class WallData(NamedTuple):
    """Points, the bandwidths they have, and `marks` (letter, per byte, per second, at its stations' rate)."""

    machines: list[Machine]
    bandwidths: list[float]
    marks: list[tuple[str, float, float, float]]
    n_resident: int  # points that read the key once: no wall


def wall_data(ran: Sequence[Row], chosen: Sequence[Chosen]) -> WallData | None:
    """Where points of a sweep stand below their roofs; None where fewer than two stream the key."""
    streaming = [row for row in ran if not _design(row).resident]
    if len(streaming) < 2:
        return None
    machines = [_machine(row) for row in streaming]
    marks = [
        (c.letter, *_machine(c.row)[:2], c.row["activity"]["bootstraps"] / c.row["phases"]["compute"] * _hertz(c.row))
        for c in chosen
        if not _design(c.row).resident
    ]
    return WallData(machines, sorted({m.bytes_per_second for m in machines}), marks, len(ran) - len(streaming))


def _design(row: Row) -> Design:
    return Design(**row["point"])


def _hertz(row: Row) -> float:
    return _design(row).clock_mhz * 1e6


def _machine(row: Row) -> Machine:
    design = _design(row)
    beat_bytes = design.key_residues_per_cycle * design.residue_bytes
    return Machine(
        row["activity"]["bootstraps"] / (row["activity"]["key_beats"] * beat_bytes),
        row["bootstraps_per_s"],
        beat_bytes * design.clock_mhz * 1e6,
        row["phases"]["stall_key"] / row["cycles"],
    )


def takeaway(data: WallData) -> str:
    """How many points wait for the key most of the time, and what a key row must serve."""
    n_bound = sum(m.key_stall > 0.5 for m in data.machines)
    best = max(data.machines, key=lambda m: m.per_second)
    resident = f" Not shown: {data.n_resident:,} points that keep the whole key on chip." if data.n_resident else ""
    return (
        f"{n_bound:,} of {len(data.machines):,} points wait for key rows in more than half of their cycles. The "
        f"fastest makes {digits(best.per_second)} bootstraps a second with {digits(best.bytes_per_second / 1e9)} GB/s "
        f"of key, {digits(1e6 * best.per_byte)} for each MB, and waits for rows in {percent(best.key_stall)} of its "
        f"cycles. Diagonals: bandwidths of the key; short lines: what a named point's stations could do.{resident}"
    )


def draw(data: WallData) -> Figure:
    """Points and marks below the diagonals of the key's bandwidth, both axes logarithmic."""
    figure, axes = style.new_axes(3.4)
    xs = [1e6 * m.per_byte for m in data.machines]
    fastest = max(m.per_second for m in data.machines)
    tops = [top for *_, top in data.marks if top < _ABOVE * fastest]
    style.scale_axis(axes, "x", xs)
    style.scale_axis(axes, "y", [*(m.per_second for m in data.machines), *tops])
    (left, right), limits = axes.get_xlim(), axes.get_ylim()
    named = 0.0
    for bandwidth in data.bandwidths:
        ends = [x * bandwidth / 1e6 for x in (left, right)]
        axes.plot([left, right], ends, color=style.MUTED, linewidth=0.7, linestyle=(0, (4, 2)), zorder=1)
        if bandwidth > _APART * named:
            _name_roof(axes, bandwidth, left, right, limits[1])
            named = bandwidth
    for stalled, colour, label in ((False, style.BLUE, "less"), (True, style.ORANGE, "more")):
        shown = [m for m in data.machines if (m.key_stall > 0.5) == stalled]
        if shown:
            axes.scatter(
                [1e6 * m.per_byte for m in shown], [m.per_second for m in shown], s=7, color=colour, linewidths=0,
                label=f"waits for key rows in {label} than half of its cycles",
                rasterized=len(shown) > _MOST_VECTOR_POINTS,
            )  # fmt: skip
    for _, per_byte, _, top in data.marks:
        if top not in tops:
            continue
        axes.plot([per_byte * 0.8e6, per_byte * 1.25e6], [top, top], color=style.INK, linewidth=1)
    axes.set(xlim=(left, right), ylim=limits)
    marks = data.marks
    style.badge_points(figure, axes, [1e6 * m[1] for m in marks], [m[2] for m in marks], [m[0] for m in marks])
    axes.set_xlabel("Bootstraps for each MB of key read")
    axes.set_ylabel("Bootstraps a second")
    style.legend(figure, axes)
    return figure


def _name_roof(axes: Axes, bandwidth: float, left: float, right: float, top: float) -> None:
    """The bandwidth in GB/s where its diagonal leaves the figure."""
    x = min(right, 1e6 * top / bandwidth)
    if x > left:
        axes.annotate(
            f"{digits(bandwidth / 1e9)} GB/s", (x, min(x * bandwidth / 1e6, top)), xytext=(-2, -2),
            textcoords="offset points", ha="right", va="top", size=style.FONT_POINTS - 1.5, color=style.MUTED,
        )  # fmt: skip
