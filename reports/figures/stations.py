"""One bootstrap on a machine: which station works on which step, and what a batch does from load to store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports import style
from reports.units import digits, percent

Span = tuple[str, int, int, int]  # row, first cycle, cycle after the last, step or batch


class StationsData(NamedTuple):
    """Spans of stations in the first steps of a rotation, and of the parts of the first batches."""

    letter: str
    stations: list[Span]
    batches: list[Span]
    clock_mhz: float
    busiest: tuple[str, float]  # station, share of the steps' time it works


def stations_data(letter: str, bootstrap: Mapping[str, Any], clock_mhz: float) -> StationsData:
    """From `stations` and `batches`, events as the simulator's timeline has them."""
    stations, batches = (_spans(bootstrap[key]) for key in ("stations", "batches"))
    first, last = min(s[1] for s in stations), max(s[2] for s in stations)
    busy: dict[str, int] = {}
    for row, start, end, _ in stations:
        busy[row] = busy.get(row, 0) + end - start
    name = max(busy, key=lambda row: busy[row])
    return StationsData(letter, stations, batches, clock_mhz, (name, busy[name] / (last - first)))


def _spans(events: Sequence[Mapping[str, Any]]) -> list[Span]:
    return [(e["track"], e["start_cycle"], e["end_cycle"], e["tile"]) for e in events]


def takeaway(data: StationsData) -> str:
    """How long the steps shown take, and how busy the busiest station is in them."""
    n_steps = 1 + max(step for *_, step in data.stations)
    cycles = max(end for _, _, end, _ in data.stations) - min(start for _, start, _, _ in data.stations)
    name, share = data.busiest
    return (
        f"The first {n_steps} steps of a rotation of {data.letter} take {cycles:,} cycles; {name}, the busiest, works "
        f"{percent(share)} of them. Shades tell steps and batches apart. Below, what the first batches do: loading and "
        f"key switching are hidden behind the rotation of other batches where these do not wait for them."
    )


def draw(data: StationsData) -> Figure:
    """Stations over cycles above, parts of batches over time below."""
    rows = (_order(data.stations), _order(data.batches))
    figure = Figure(figsize=(style.WIDTH_INCHES, 1.5 + 0.19 * sum(map(len, rows))), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[max(len(r), 3) for r in rows])
    origin = min(start for _, start, _, _ in data.stations)
    _gantt(above, rows[0], [(row, start - origin, end - origin, k) for row, start, end, k in data.stations], 1.0)
    above.set_xlabel("Cycles from the first step's start")
    _gantt(below, rows[1], data.batches, data.clock_mhz)
    below.set_xlabel(f"Time (µs), at {digits(data.clock_mhz)} MHz")
    return figure


def _order(spans: Sequence[Span]) -> list[str]:
    return list(dict.fromkeys(row for row, *_ in spans))


def _gantt(axes: Axes, rows: Sequence[str], spans: Sequence[Span], scale: float) -> None:
    for index, row in enumerate(reversed(rows)):
        for shade, colour in enumerate((style.BLUE, style.SKY, style.GREEN)):
            chosen = [(start, end) for r, start, end, k in spans if r == row and k % 3 == shade]
            parts = [(start / scale, (end - start) / scale) for start, end in chosen]
            axes.broken_barh(parts, (index - 0.4, 0.8), facecolors=colour)
    style.categories(axes, "y", list(reversed(rows)))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlim(left=0)
    axes.grid(True, axis="x")
