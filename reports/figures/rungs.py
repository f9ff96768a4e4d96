"""Multi-fidelity: how many configurations each rung saw, how many it passed on, and what that cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from explore.search.result import SearchResult
from reports import style
from reports.searches import samplers
from reports.units import percent, plain


class Rung(NamedTuple):
    """One share of the workload: means over the seeds of a sampler."""

    share: float
    n_evaluations: float
    n_promoted: float  # of these, configurations that were evaluated at a larger share too
    work: float  # in full evaluations


class RungsData(NamedTuple):
    """Rungs by sampler, the smallest share first; `n_seeds` searches of each."""

    samplers: dict[str, list[Rung]]
    n_seeds: dict[str, int]


def rungs_data(results: Sequence[SearchResult]) -> RungsData | None:
    """Rungs of the samplers that evaluated parts of the workload; None where none did."""
    found = {
        sampler: _rungs(of_it)
        for sampler, of_it in samplers(results).items()
        if any(evaluation.share < 1 for result in of_it for evaluation in result.evaluations)
    }
    return RungsData(found, {name: len(samplers(results)[name]) for name in found}) if found else None


def _rungs(results: Sequence[SearchResult]) -> list[Rung]:
    n_evaluations: dict[float, int] = {}
    n_promoted: dict[float, int] = {}
    for result in results:
        shares_of: dict[int, set[float]] = {}
        for evaluation in result.evaluations:
            shares_of.setdefault(evaluation.trial, set()).add(evaluation.share)
        for shares in shares_of.values():
            for share in shares:
                n_evaluations[share] = n_evaluations.get(share, 0) + 1
                n_promoted[share] = n_promoted.get(share, 0) + (share < max(shares))
    n = len(results)
    return [
        Rung(share, n_evaluations[share] / n, n_promoted[share] / n, share * n_evaluations[share] / n)
        for share in sorted(n_evaluations)
    ]


def takeaway(data: RungsData) -> str:
    """What part of the configurations was ever simulated whole, and for what part of the work."""
    phrases = []
    for sampler, rungs in data.samplers.items():
        n_begun = sum(rung.n_evaluations - rung.n_promoted for rung in rungs)
        n_whole = rungs[-1].n_evaluations if rungs[-1].share >= 1 else 0
        work = sum(rung.work for rung in rungs)
        of_parts = sum(rung.work for rung in rungs if rung.share < 1)
        phrases.append(
            f"{sampler} began {plain(n_begun)} configurations for {plain(work)} evaluations' worth of work "
            f"({percent(of_parts / work)} of it on parts) and simulated {plain(n_whole)} whole"
        )
    mean = " Numbers are means over seeds." if max(data.n_seeds.values()) > 1 else ""
    return f"{'; '.join(phrases)}. A rung simulates that share of the workload.{mean}"


def draw(data: RungsData) -> Figure:
    """Left: evaluations of each rung, those that were promoted strong. Right: the work they cost."""
    is_lone = len(data.samplers) == 1
    lines: list[tuple[str, Rung | None]] = []  # a heading for each sampler where there are several, and its rungs
    for sampler, rungs in data.samplers.items():
        lines += [] if is_lone else [(sampler, None)]
        lines += [(f"rung {number}: {plain(100 * rung.share)} %", rung) for number, rung in enumerate(rungs)]
    bars = [(position, rung) for position, (_, rung) in enumerate(lines) if rung is not None]
    figure, counts, works = style.new_pair(1.0 + 0.27 * len(lines), width_ratios=(3, 2))
    for position, rung in bars:
        rest = rung.n_evaluations - rung.n_promoted
        label = [""] * 2 if position != bars[0][0] else ["promoted", "not promoted"]
        counts.barh(position, rung.n_promoted, height=0.66, color=style.BLUE, label=label[0])
        counts.barh(position, rest, left=rung.n_promoted, height=0.66, color=style.SKY, label=label[1])
        works.barh(position, rung.work, height=0.66, color=style.SLATE)
        for axes, amount in ((counts, rung.n_evaluations), (works, rung.work)):
            axes.annotate(plain(amount), (amount, position), (3, 0), textcoords="offset points", va="center_baseline")
    for axes, most in ((counts, max(r.n_evaluations for _, r in bars)), (works, max(r.work for _, r in bars))):
        axes.set_xlim(0, 1.4 * most)
        axes.xaxis.grid(True)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=most >= 4))
        axes.spines["left"].set_visible(False)
    counts.set_ylim(len(lines) - 0.5, -0.5)
    style.categories(counts, "y", [name for name, _ in lines])
    works.tick_params(axis="y", length=0, labelleft=False)
    counts.set_xlabel("Evaluations")
    works.set_xlabel("Work (full evaluations)")
    style.legend(figure, counts)
    return figure
