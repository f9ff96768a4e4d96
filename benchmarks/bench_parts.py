"""Whether parts of workloads rank designs as the whole does, and what they save.

    python -m benchmarks.bench_parts [SPACE ...] [--points 150]

For each space and share: Spearman's rank correlation of each objective with that on the whole, over random points that
run on both; machines that fail on the whole of which the part says so; simulated work by each measure of
workloads/parts; and CPU time of a batch of these points, as parts of that on the whole.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from fractions import Fraction

from designs.space import Point, Space, load_space
from explore.evaluate import Row, evaluate
from explore.search.fidelity import fidelity_of
from explore.search.hypervolume import costs
from workloads.load import Workload, load_workload
from workloads.parts import part_of

SPACES = ("resnet50_search", "resnet50_grid", "resnet50_arrays", "edge_llm", "optimus", "lut", "fhe")
SHARES = (Fraction(1, 64), Fraction(1, 16), Fraction(1, 4))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_parts", description=__doc__.splitlines()[0])
    parser.add_argument("spaces", nargs="*", default=SPACES)
    parser.add_argument("--points", type=int, default=150)
    told = parser.parse_args()
    for name in told.spaces:
        print_space(load_space(name), told.points)


def print_space(space: Space, n_points: int) -> None:
    """A line a share."""
    name = space.workload or "digits_cnn"
    points = space.random_points(n_points, seed=1)
    evaluate(
        space.family, points, part_of(load_workload(name), SHARES[0]).workload
    )  # compiles, and prices each machine
    whole, seconds = timed(space, points, load_workload(name))
    failed = [i for i, row in enumerate(whole) if row["failure"] is not None]
    print(f"{space.name}: {n_points} points, {1e3 * seconds / n_points:.2f} ms a point, {len(failed)} do not run")
    for share in SHARES:
        part = part_of(load_workload(name), share)  # loaded anew: nothing is known of it yet
        rows, seconds_of_part = timed(space, points, part.workload)
        found = sum(rows[i]["failure"] is not None for i in failed)
        work = ", ".join(f"{measure} {float(value):.3f}" for measure, value in part.measures.items())
        print(f"  {share}: {_correlations(space, rows, whole)}")
        print(f"      {work}; CPU {seconds_of_part / seconds:.2f}; {found} of those that do not run found")


def timed(space: Space, points: Sequence[Point], workload: Workload) -> tuple[list[Row], float]:
    """Rows, and the CPU seconds of one batch."""
    began = time.process_time()
    rows = evaluate(space.family, points, workload)
    return rows, time.process_time() - began


def _correlations(space: Space, part: Sequence[Row], whole: Sequence[Row]) -> str:
    both = [i for i, pair in enumerate(zip(part, whole, strict=True)) if all(row["failure"] is None for row in pair)]
    known = [
        name
        for name in space.objectives
        if all(part[i].get(name) is not None and whole[i].get(name) is not None for i in both)
    ]
    pairs = costs([part[i] for i in both], known), costs([whole[i] for i in both], known)
    found = fidelity_of(0.0, *(of.tolist() for of in pairs))
    said = ", ".join(
        f"{name} {'-' if math.isnan(value) else f'{value:.3f}'}"
        for name, value in zip(known, found.correlations, strict=True)
    )
    return f"{said} ({len(both)} points)"


if __name__ == "__main__":
    main()
