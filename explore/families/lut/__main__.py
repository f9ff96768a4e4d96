"""Long verification of LUT machines: `python -m explore.families.lut --points 20 --vectors 10000 --digits 3`.

Random points of a space with random circuits, `--vectors` samples each, back to back and with stalls; then all 450 test
digits on the classifiers of `--digits` points. Prints every case; exit status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import sys

from designs.space import load_space
from explore.families.lut import verify_network, verify_point
from workloads.classifiers.data import digits
from workloads.kinds.classification import classification_of


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m explore.families.lut", description=__doc__.partition("\n")[0])
    parser.add_argument("--space", default="lut", help="name or file of a design space")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--vectors", type=int, default=10_000, help="random samples of each point")
    parser.add_argument("--digits", type=int, default=3, help="points whose classifier runs on all test digits")
    parser.add_argument("--simulator", choices=("icarus", "verilator"), default=None)
    arguments = parser.parse_args()
    space = load_space(arguments.space)
    n_cases = n_cycles = n_differences = 0
    points = space.random_points(max(arguments.points, arguments.digits), arguments.seed)
    for index, point in enumerate(points[: arguments.points]):
        for result in verify_point(
            space.design(point),
            point=point,
            index=index,
            seed=arguments.seed,
            simulator=arguments.simulator,
            waves_dir=None,
            n_vectors=arguments.vectors,
        ):
            n_cases, n_cycles = n_cases + 1, n_cycles + result.rtl_cycles
            n_differences += len(result.differences)
            print(
                f"point {index}: {result.layer}: {result.rtl_cycles} cycles, {result.differences or 'equal'}",
                flush=True,
            )
    for index, point in enumerate(points[: arguments.digits]):
        found = verify_network(space.design(point), classification_of(digits(0)), 450, simulator=arguments.simulator)
        n_cycles, n_differences = n_cycles + found.rtl_cycles, n_differences + len(found.differences)
        print(
            f"digits on point {index}: {found.n_samples} samples, RTL {found.accuracy:.2%} right, "
            f"netlist {found.interpreter_accuracy:.2%}, {found.differences or 'equal'}",
            flush=True,
        )
    print(
        f"{n_cases} cases, {arguments.points} points with {arguments.vectors:,} vectors each, twice, "
        f"{n_cycles:,} RTL cycles: {n_differences or 'no'} differences"
    )
    return 1 if n_differences else 0


if __name__ == "__main__":
    sys.exit(main())
