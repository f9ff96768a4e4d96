"""Samplers side by side: hypervolume against simulated work, what ASHA saves, and how near a known front they come.

    python -m benchmarks.bench_search                                   # resnet50_search, 300 evaluations, 10 seeds
    python -m benchmarks.bench_search --exhaustive resnet50_grid        # the whole space, then 500 evaluations of it

Searches are kept in --out, rows in a store beside them: what was interrupted goes on. Hypervolumes are those of
docs/search.md, section 3; work is counted in full evaluations, a part of the workload as its share. CPU seconds are
those of simulating and pricing one point at a time, the median over some points, times the points of each share: they
do not depend on what else the machine does. What samplers need is told beside them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.searches import Found, Task, run_all, store_of
from designs.space import Space, load_space
from explore.evaluate import evaluate
from explore.search.hypervolume import Box, costs, full_costs, full_work, share_of_front, trace
from explore.search.result import SearchResult
from explore.store import Store
from explore.sweep import sweep
from reports import style
from reports.figures import hypervolume as figure
from workloads.load import Workload, load_workload
from workloads.parts import part_of

MARKS = (1 / 6, 1 / 3, 2 / 3, 1)  # of the budget: where hypervolumes are told
MARKS_OF_FRONT = (0.1, 0.2, 0.4, 0.6, 0.8, 1)  # where shares of a known front are told
TIMED_POINTS = 200


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_search", description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="resnet50_search")
    parser.add_argument("--exhaustive", metavar="SPACE", help="sweep this space, and search it")
    parser.add_argument("--budget", type=float, help="full evaluations; default 300, with --exhaustive 500")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--samplers", help="by commas, +asha behind a name simulates parts first")
    parser.add_argument("--eta", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("out/bench_search"))
    parser.add_argument("--processes", type=int, help="default: one a core")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    space = load_space(told.exhaustive or told.space)
    budget = told.budget or (500 if told.exhaustive else 300)
    default = "random,qmc,tpe,nsga2" if told.exhaustive else "random,tpe,nsga2,random+asha,tpe+asha"
    samplers = (told.samplers or default).split(",")
    began = time.monotonic()
    if told.exhaustive:
        front = true_front(space, told.out, told.processes)
    tasks = [
        Task(told.exhaustive or told.space, sampler, seed, budget, told.eta, told.out)
        for seed in range(told.seeds)
        for sampler in samplers
    ]
    found = run_all(tasks, told.processes)
    by_sampler = {
        name: [one for task, one in zip(tasks, found, strict=True) if task.sampler == name] for name in samplers
    }
    print(f"{space.name}: {space.n_points:,} points, {space.workload}; {budget:g} evaluations, {told.seeds} seeds")
    if told.exhaustive:
        print_shares(by_sampler, front, budget)
    else:
        print_hypervolumes(by_sampler, budget)
        print_savings(by_sampler, _cpu_of_shares(space, by_sampler))
        print_fidelities(by_sampler)
    draw(found, told.out / f"{space.name}-hypervolume.png")
    print(f"{time.monotonic() - began:.0f} s; searches and rows that were kept took none of it")


def true_front(space: Space, folder: Path, processes: int | None) -> np.ndarray:
    """Costs of the whole Pareto front: every point is simulated, once."""
    with Store(store_of(folder, space.name)) as store:
        swept = sweep(space, load_workload(space.workload or ""), store, workers=processes, progress=True)
    print(
        f"{space.name}: {swept.points:,} points swept ({swept.computed:,} now, {swept.seconds:.0f} s), "
        f"{swept.failed:,} do not fit, front of {len(swept.pareto_front)}"
    )
    return costs(swept.pareto_front, space.objectives)


def print_shares(by_sampler: Mapping[str, Sequence[Found]], front: np.ndarray, budget: float) -> None:
    """Mean share of the true front's hypervolume at some amounts of work, and the lowest of all seeds at the end."""
    marks = [budget * mark for mark in MARKS_OF_FRONT]
    heads = [*(f"at {mark:g}" for mark in marks), "lowest"]
    print(f"{'share of front':14}{''.join(f'{head:>10}' for head in heads)}{'CPU s a search':>16}")
    for name, found in by_sampler.items():
        shares = np.array(
            [[share_of_front(_known_at(one.result, mark), front) for mark in marks] for one in found]
        )  # (n_seeds, n_marks)
        columns = "".join(f"{share:10.4f}" for share in (*shares.mean(axis=0), shares[:, -1].min()))
        print(f"{name:14}{columns}{statistics.fmean(one.cpu_seconds for one in found):16.1f}")


def print_hypervolumes(by_sampler: Mapping[str, Sequence[Found]], budget: float) -> None:
    """Mean and standard deviation of the hypervolume at some amounts of work."""
    box = _box(by_sampler)
    marks = [budget * mark for mark in MARKS]
    head = "".join(f"{f'at {mark:g}':>18}" for mark in marks)
    print(f"{'hypervolume':14}{head}{'full, parts a search':>24}{'CPU s a search':>16}")
    for name, found in by_sampler.items():
        columns = ""
        for mark in marks:
            values = [_value_at(one.result, box, mark) for one in found]
            columns += f"{f'{statistics.fmean(values):.4f} +- {_deviation(values):.4f}':>18}"
        n_full = statistics.fmean(sum(each.share == 1 for each in one.result.evaluations) for one in found)
        n_parts = statistics.fmean(sum(each.share < 1 for each in one.result.evaluations) for one in found)
        cpu = statistics.fmean(one.cpu_seconds for one in found)
        print(f"{name:14}{columns}{f'{n_full:.0f}, {n_parts:.0f}':>24}{cpu:16.1f}")


def print_savings(by_sampler: Mapping[str, Sequence[Found]], cpu_of: Mapping[float, float]) -> None:
    """Work and CPU seconds with which ASHA gets to where the same sampler without it ends, seed by seed."""
    box = _box(by_sampler)
    shares = ", ".join(
        f"{Fraction(share).limit_denominator(4096)} in {1e3 * cpu:.2f} ms" for share, cpu in cpu_of.items()
    )
    print(f"a point: {shares}")
    for name, found in by_sampler.items():
        plain = name.partition("+")[0]
        for other in dict.fromkeys((plain, "random")):
            if "+" not in name or other not in by_sampler:
                continue
            pairs = [(one.result, against.result) for one, against in zip(found, by_sampler[other], strict=True)]
            print(f"{name} against {other}: {_saving(pairs, box, cpu_of)}")


def print_fidelities(by_sampler: Mapping[str, Sequence[Found]]) -> None:
    """Rank correlations of parts with the whole among the trials that were simulated on both; mean and lowest."""
    for name, found in by_sampler.items():
        for of_share in zip(*(one.result.fidelities for one in found), strict=True):
            known = [each.correlations for each in of_share if each.correlations]
            told = [
                f"{metric} {np.nanmean(values):.2f} ({np.nanmin(values):.2f})"
                for metric, values in zip(found[0].result.objectives, zip(*known, strict=True), strict=True)
            ]
            share = Fraction(of_share[0].share).limit_denominator(4096)
            n_trials = statistics.fmean(each.n_trials for each in of_share)
            print(f"{name}, {share} and the whole, {n_trials:.0f} trials: rank correlations {', '.join(told)}")


def _saving(pairs: Sequence[tuple[SearchResult, SearchResult]], box: Box, cpu_of: Mapping[float, float]) -> str:
    work_shares, cpu_shares, wins = [], [], 0
    for result, against in pairs:
        target = _value_at(against, box, against.budget)
        wins += _value_at(result, box, against.budget) > target
        reached = np.flatnonzero(trace(full_costs(result), box) >= target)
        if len(reached):
            work_shares.append(float(full_work(result)[reached[0]]) / against.work)
            last = np.flatnonzero([each.share == 1 for each in result.evaluations])[reached[0]]
            cpu_shares.append(_cpu(result.evaluations[: last + 1], cpu_of) / _cpu(against.evaluations, cpu_of))
    said = f"higher at equal work for {wins} of {len(pairs)} seeds"
    if work_shares:
        said += (
            f"; gets to its end in {len(work_shares)} with {statistics.fmean(work_shares):.2f} of the work "
            f"(at most {max(work_shares):.2f}) and {statistics.fmean(cpu_shares):.2f} of the CPU time of simulating"
        )
    return said


def _cpu(evaluations: Sequence, cpu_of: Mapping[float, float]) -> float:
    return sum(cpu_of[each.share] for each in evaluations)


def _cpu_of_shares(space: Space, by_sampler: Mapping[str, Sequence[Found]]) -> dict[float, float]:
    shares = {each.share for found in by_sampler.values() for one in found for each in one.result.evaluations}
    return cpu_of_shares(space, load_workload(space.workload or ""), sorted(shares))


def cpu_of_shares(space: Space, workload: Workload, shares: Sequence[float]) -> dict[float, float]:
    """Share -> median CPU seconds to simulate and price one random point alone on such a part; of points that run.

    Points are other ones for each share, for much of a machine is priced once, and shares take turns.
    """
    parts = {share: part_of(workload, share).workload for share in shares}
    points = iter(space.random_points((TIMED_POINTS + 1) * len(parts), seed=1))
    found: dict[float, list[float]] = {share: [] for share in parts}
    for turn in range(TIMED_POINTS + 1):
        for share, part in parts.items():
            began = time.process_time()
            (row,) = evaluate(space.family, [next(points)], part)
            if turn and row["failure"] is None:  # the first compiles
                found[share].append(time.process_time() - began)
    return {share: statistics.median(seconds) for share, seconds in found.items()}


def _box(by_sampler: Mapping[str, Sequence[Found]]) -> Box:
    return Box.around(np.concatenate([full_costs(one.result) for found in by_sampler.values() for one in found]))


def _value_at(result: SearchResult, box: Box, work: float) -> float:
    """Hypervolume of what was known when so much had been simulated."""
    known = _known_at(result, work)
    return float(trace(known, box)[-1]) if len(known) else 0.0


def _known_at(result: SearchResult, work: float) -> np.ndarray:
    """Costs of the points that were simulated whole by then."""
    return full_costs(result)[: int(np.searchsorted(full_work(result), work * (1 + 1e-9), side="right"))]


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def draw(found: Sequence[Found], path: Path) -> None:
    """Hypervolume against work."""
    data = figure.hypervolume_data([one.result for one in found])
    if data is not None:
        with style.house_style():
            style.write_png(figure.draw(data), path)
        print(path)


if __name__ == "__main__":
    main()
