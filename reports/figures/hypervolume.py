"""How much of the objectives' unit box searches dominate, against the work they simulated."""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from explore.search.hypervolume import Box, box_of, full_costs, full_work, trace
from explore.search.result import SearchResult
from reports import style
from reports.searches import samplers
from reports.units import listing, percent, plain

MOST_BANDS = 5  # of more samplers only the means are drawn
MOST_SEED_LINES = 12  # more searches than this are shown by their band only
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)))

Steps = list[tuple[float, float]]  # (work in full evaluations, hypervolume from there on); before the first it is 0


class SamplerCurve(NamedTuple):
    """One sampler: its searches by seed, and their mean, smallest and largest at every work at which one changes."""

    sampler: str
    seeds: list[Steps]
    mean: Steps
    low: Steps
    high: Steps

    @property
    def finals(self) -> list[float]:
        """Hypervolume of each search at its end."""
        return [steps[-1][1] for steps in self.seeds]


class HypervolumeData(NamedTuple):
    """Samplers in the order of the results; `end` is the work of the longest search."""

    curves: list[SamplerCurve]
    end: float


def hypervolume_data(results: Sequence[SearchResult]) -> HypervolumeData | None:
    """Hypervolume of what each search knew when, as docs/search.md section 3 has it, and the spread over its seeds.

    Ideal and reference are the best and worst of all feasible full evaluations of all `results`. Parts of the workload
    cost work and bring none. None where all feasible points are equal in all objectives, or there is none: then there
    is nothing between ideal and reference.
    """
    box = box_of(results)
    if box is None or box.ideal == box.reference:
        return None
    curves = [_curve(name, [_steps(result, box) for result in of_it]) for name, of_it in samplers(results).items()]
    return HypervolumeData(curves, max(result.work for result in results))


def _curve(sampler: str, seeds: list[Steps]) -> SamplerCurve:
    works = sorted({work for steps in seeds for work, _ in steps})
    values = [[value_at(steps, work) for steps in seeds] for work in works]
    mean, low, high = (
        [(work, of_all(all_seeds)) for work, all_seeds in zip(works, values, strict=True)]
        for of_all in (statistics.fmean, min, max)
    )
    return SamplerCurve(sampler, seeds, mean, low, high)


def _steps(result: SearchResult, box: Box) -> Steps:
    """Where the hypervolume of one search grows, and its end."""
    steps: Steps = []
    reached = 0.0
    for work, value in zip(full_work(result).tolist(), trace(full_costs(result), box).tolist(), strict=True):
        if value > reached:
            steps.append((work, value))
            reached = value
    return [*steps, (result.work, reached)] if not steps or steps[-1][0] < result.work else steps


def value_at(steps: Steps, work: float) -> float:
    """Hypervolume when that much had been simulated; what a search ended with stays."""
    index = bisect_right(steps, work, key=lambda step: step[0])
    return steps[index - 1][1] if index else 0.0


def work_to(steps: Steps, value: float) -> float | None:
    """Work at which that hypervolume was reached; None where it never was."""
    return next((work for work, reached in steps if reached >= value), None)


def takeaway(data: HypervolumeData) -> str:
    """Who dominates most at the end, and how much sooner the best gets where the next ends."""
    ranked = sorted(data.curves, key=lambda curve: -curve.mean[-1][1])
    shortest = min(steps[-1][0] for curve in data.curves for steps in curve.seeds)
    after = plain(data.end) if shortest > 0.95 * data.end else f"{plain(shortest)} to {plain(data.end)}"
    best, *others = (_ends(curve) for curve in ranked[:4])
    said = f"After {after} evaluations' worth of work {ranked[0].sampler} dominates {best} of the box between the best "
    said += "and the worst point known"
    said += f", {listing(f'{c.sampler} {end}' for c, end in zip(ranked[1:4], others, strict=True))}" if others else ""
    said += f"; {len(ranked) - 4} more samplers have less." if len(ranked) > 4 else "."
    said += _sooner(ranked[0], ranked[1]) if others else ""
    return f"{said} {_shown(data)}".strip()


def _ends(curve: SamplerCurve) -> str:
    mean, low, high = curve.mean[-1][1], curve.low[-1][1], curve.high[-1][1]
    return f"{mean:.3f} ({low:.3f} to {high:.3f})" if len(curve.seeds) > 1 else f"{mean:.3f}"


def _sooner(best: SamplerCurve, second: SamplerCurve) -> str:
    target, end = second.mean[-1][1], work_to(second.mean, second.mean[-1][1])
    reached = work_to(best.mean, target)
    if reached is None or end is None or reached >= end:
        return ""
    return f" {best.sampler} gets to where {second.sampler} ends with {percent(reached / end)} of its work."


def _shown(data: HypervolumeData) -> str:
    """What lines and bands are, where a sampler has several seeds."""
    if max(len(curve.seeds) for curve in data.curves) == 1:
        return ""
    bands = "ranges" if len(data.curves) > MOST_BANDS else "bands and ranges"
    lines = "; thin lines are seeds" if shows_seeds(data) else ""
    return f"Lines are means over seeds, {bands} reach from the lowest seed to the highest{lines}."


def shows_seeds(data: HypervolumeData) -> bool:
    """Whether searches are few enough for a line each."""
    return len(data.curves) <= MOST_BANDS and sum(len(curve.seeds) for curve in data.curves) <= MOST_SEED_LINES


def draw(data: HypervolumeData) -> Figure:
    """Steps from left to right: a mean for each sampler in its band, seeds thin where they are few."""
    figure, axes = style.new_axes(3.3)
    for index, curve in enumerate(data.curves):
        colour, dashes = style.SERIES[index % len(style.SERIES)], _DASHES[index // len(style.SERIES) % len(_DASHES)]
        if len(curve.seeds) > 1 and len(data.curves) <= MOST_BANDS:
            works = _until([work for work, _ in curve.mean], data.end)
            low, high = (_until([v for _, v in steps], steps[-1][1]) for steps in (curve.low, curve.high))
            axes.fill_between(works, low, high, step="post", color=colour, alpha=0.14, linewidth=0)
            for steps in curve.seeds if shows_seeds(data) else ():
                axes.step(*_line(steps, data.end), where="post", color=colour, linewidth=0.5, alpha=0.55)
        axes.step(*_line(curve.mean, data.end), where="post", color=colour, linestyle=dashes, linewidth=1.6,
                  label=curve.sampler, zorder=4)  # fmt: skip
    axes.set_xlim(0, data.end)
    axes.set_ylim(_floor(data), min(1.05 * max(curve.high[-1][1] for curve in data.curves) or 1.0, 1.01))
    axes.grid(True)
    axes.set_xlabel("Simulated work (full evaluations)")
    axes.set_ylabel("Hypervolume (share of the box)")
    style.legend(figure, axes)
    return figure


def _line(steps: Steps, end: float) -> tuple[list[float], list[float]]:
    return _until([work for work, _ in steps], end), _until([value for _, value in steps], steps[-1][1])


def _until(values: Sequence[float], last: float) -> list[float]:
    return [*values, last]


def _floor(data: HypervolumeData) -> float:
    """Where the axis begins: at 0, or a little below where the lowest search stood after a tenth of the work."""
    early = min(value_at(steps, 0.1 * data.end) for curve in data.curves for steps in curve.seeds)
    return 0.0 if early < 0.5 else 0.9 * early
