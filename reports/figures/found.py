"""How the front was found: every full evaluation in two objectives, its age as tone, the front by origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from reports import style
from reports.figures.pareto import axis_label
from reports.searches import Find, origin_kind
from reports.units import Unit, capital, listing, metric_name, readable_unit

N_TONES = 4  # ages of evaluations told apart: quarters of a search
MOST_ORIGINS = 6  # beyond these, origins become "other"
_MOST_VECTOR_POINTS = 1500
_MARKERS = ("o", "D", "^", "s", "v", "P", "X")
_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PINK, style.ORANGE, style.SKY, style.INK)
_OTHER = "other"
WORK = Unit(1, "full evaluations")

Point = tuple[float, float]


class FoundData(NamedTuple):
    """Values in the units shown. `front` is by origin, the most frequent first; it is that of all objectives."""

    x_name: str
    y_name: str
    x_unit: Unit
    y_unit: Unit
    front: dict[str, list[Point]]
    by_sampler: dict[str, int]  # points of the front that a sampler found first
    tones: list[list[Point]]  # feasible points beside the front by the quarter of their search, the earliest in front
    infeasible: list[Point]  # ran, and break a constraint
    n_failed: int  # full evaluations that did not run: they have no place here
    n_parts: int  # evaluations of a part of the workload: their metrics are not those of the whole

    @property
    def n_front(self) -> int:
        return sum(map(len, self.front.values()))


def found_data(every: Sequence[Find], front: Sequence[Find], x: str | None, y: str) -> FoundData | None:
    """All full evaluations of all searches in two metrics; a point that is asked for again counts where it was first.

    `front` is that of all searches (`reports.searches.joint_front`). Without `x` it is the work that a search had
    simulated by then. None where no full evaluation knows both metrics.
    """
    known = [find for find in _first_of_each(every) if _knows(find, y) and (x is None or _knows(find, x))]
    if not known:
        return None
    x_unit = WORK if x is None else readable_unit(x, (find.row[x] for find in known))
    y_unit = readable_unit(y, (find.row[y] for find in known))

    def place(find: Find) -> Point:
        return (find.work if x is None else find.row[x] / x_unit.factor), find.row[y] / y_unit.factor

    on_front = {id(find.evaluation) for find in front}
    tones: list[list[Point]] = [[] for _ in range(N_TONES)]
    for find in known:
        if find.counts and id(find.evaluation) not in on_front:
            tones[min(int(N_TONES * find.age), N_TONES - 1)].append(place(find))
    return FoundData(
        "Simulated work" if x is None else capital(metric_name(x)), capital(metric_name(y)), x_unit, y_unit,
        _by_origin(front, [place(find) for find in front]),
        dict(Counter(find.result.sampler for find in front).most_common()), tones,
        [place(find) for find in known if not find.counts],
        sum(f.is_full and bool(f.row.get("failure")) for f in every), sum(not f.is_full for f in every),
    )  # fmt: skip


def _first_of_each(found: Sequence[Find]) -> list[Find]:
    """Full evaluations that ran, each point once: where least had been simulated."""
    earliest: dict[str, Find] = {}
    for find in sorted((f for f in found if f.is_full and not f.row.get("failure")), key=lambda f: f.work):
        earliest.setdefault(find.key, find)
    return list(earliest.values())


def _knows(find: Find, metric: str) -> bool:
    return find.row.get(metric) is not None


def _by_origin(front: Sequence[Find], places: Sequence[Point]) -> dict[str, list[Point]]:
    kinds = [origin_kind(find) for find in front]
    names = [name for name, _ in Counter(kinds).most_common()]
    kept = names if len(names) <= MOST_ORIGINS + 1 else names[:MOST_ORIGINS]
    found: dict[str, list[Point]] = {name: [] for name in kept}
    for kind, at in zip(kinds, places, strict=True):
        found.setdefault(kind if kind in kept else _OTHER, []).append(at)
    return found


def takeaway(data: FoundData) -> str:
    """Where the front came from, and what is not drawn."""
    if not data.front:
        said = "No full evaluation keeps the constraints: there is no front."
    else:
        origins = listing(f"{origin} ({len(points):,})" for origin, points in data.front.items())
        n_points = "one point" if data.n_front == 1 else f"{data.n_front:,} points"
        said = f"The front of all searches has {n_points}: {origins}."
        if len(data.by_sampler) > 1:
            said += f" First found by {listing(f'{s} ({n:,})' for s, n in data.by_sampler.items())}."
    if any(data.tones):
        said += " Grey points are off it, stronger where found later."
    if data.infeasible:
        said += f" Crosses break a constraint ({len(data.infeasible):,})."
    if data.n_failed:
        said += f" {data.n_failed:,} failed and have no place."
    if data.n_parts:
        said += f" {data.n_parts:,} evaluations of parts of the workload are left out: they measure something else."
    return said


def same_points(data: FoundData) -> str:
    """What a further figure of the same searches shows."""
    return f"The same points in {data.x_name.lower()} and {data.y_name.lower()}; the front is that of all objectives."


def draw(data: FoundData) -> Figure:
    """Infeasible ones as faint crosses, ages in grey, the front coloured and marked by origin."""
    figure, axes = style.new_axes(3.5)
    places = [p for points in (data.infeasible, *data.tones, *data.front.values()) for p in points]
    if data.x_unit == WORK:
        axes.set_xlim(0, 1.03 * max(x for x, _ in places))
        axes.xaxis.grid(True)
    else:
        style.scale_axis(axes, "x", [x for x, _ in places])
    style.scale_axis(axes, "y", [y for _, y in places])
    is_raster = len(places) > _MOST_VECTOR_POINTS
    size, strongest = (4, 0.6) if is_raster else (9, 1.0)
    if data.infeasible:
        xs, ys = zip(*data.infeasible, strict=True)
        axes.scatter(xs, ys, s=size, marker="x", color=style.FAINT, linewidths=0.6, rasterized=is_raster)
    for quarter, points in enumerate(data.tones):
        if points:
            xs, ys = zip(*points, strict=True)
            alpha = strongest * (0.25 + 0.75 * quarter / (N_TONES - 1))
            axes.scatter(xs, ys, s=size, color=style.SLATE, alpha=alpha, linewidths=0, rasterized=is_raster)
    for index, (origin, points) in enumerate(data.front.items()):
        xs, ys = zip(*points, strict=True)
        axes.scatter(xs, ys, s=20, marker=_MARKERS[index], color=_COLOURS[index], linewidths=0, zorder=4, label=origin)
    axes.set_xlabel(axis_label(data.x_name, data.x_unit))
    axes.set_ylabel(axis_label(data.y_name, data.y_unit))
    style.legend(figure, axes)
    return figure
