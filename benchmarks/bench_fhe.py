"""How fast bootstrapping machines are simulated on one core: design points a second, and a circuit of a million gates.

    python -m benchmarks.bench_fhe

Points of a sweep differ in their stations, so most have rotations of their own; the bound is what the kernels alone
take for the same points: the rotation of each number of slots, with keys as they come and with endless ones, and the
batches. The rotation itself is told beside what it takes without leaps, one step after the other. Of the million gates,
the bound of the simulation alone is a pass over the table of batches that adds it up.
"""

from __future__ import annotations

import resource
import time
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
from numba import njit

from benchmarks.timing import best_seconds
from designs.errors import DesignError
from designs.families.fhe import Design
from sim.families import fhe
from sim.kernels.fhe import rotation as kernel
from sim.kernels.fhe.batches import N_EVENTS, N_LENGTHS, N_MACHINE, run_batches
from sim.kernels.fhe.rotation import rotate
from sim.parts.fhe_rotation import Shape, length, shape_of, tables
from workloads.circuits.circuit import Circuit
from workloads.load import load_workload
from workloads.mapping.fhe import program_of

SWEPT = "random_gates:2000:100"
MILLION = "random_gates:1000000"
_NONE = np.zeros(0, np.int64)


def swept() -> list[Design]:
    """Machines with stations, keys and key switches of their own; all share one schedule."""
    found = []
    for coefficients, rotators, columns, inverses, ranks, stages, rows, residues, switchers in product(
        (16, 32, 64, 128), (1, 2), (1, 2), (1, 2), (2, 5, 10), (2, 4, 6), (2, 4, 8, 630), (8, 32), (1, 2)
    ):
        design = Design(
            coefficients_per_cycle=coefficients, rotators=rotators, key_columns=columns, inverse_ntts=inverses,
            ntt_ranks=ranks, multiplier_stages=stages, key_rows=rows, key_residues_per_cycle=residues,
            key_switchers=switchers,
        )  # fmt: skip
        try:
            design.check()
        except DesignError:
            continue
        found.append(design)
    return found


def circuit_of(name: str) -> Circuit:
    found = load_workload(name)
    assert isinstance(found, Circuit)
    return found


def rates(designs: list[Design]) -> tuple[float, float]:
    """(design points a CPU second on a circuit that nobody has looked at, the same of the kernels alone)."""
    circuit = circuit_of(SWEPT)
    length.cache_clear()
    start = time.process_time()
    runs = fhe.simulate(designs, circuit)
    seconds = time.process_time() - start
    assert all(run.failure is None for run in runs)
    batches = fhe.batches_of(program_of(designs[0], circuit), designs[0].cores)
    slots = np.unique(batches.table[:, 0]).tolist()
    shapes = list(dict.fromkeys(map(shape_of, designs)))
    arguments = {shape: tables(shape) for shape in shapes}
    rows = np.full(2 * 4096, -1, np.int64)
    machine, lengths = np.ones(N_MACHINE, np.int64), np.zeros((slots[-1] + 1, N_LENGTHS), np.int64)
    events = np.zeros((0, N_EVENTS), np.int64)
    start = time.process_time()
    for shape in shapes:
        for n_slots in slots:
            rotate(*arguments[shape], n_slots, 0, 0, _NONE, rows)
            rotate(*arguments[shape], n_slots, 0, 0, _NONE, rows)
    for design in designs:
        found = arguments[shape_of(design)]
        run_batches(batches.table, machine, lengths, *found, _NONE, _NONE, _NONE, _NONE, events)
    return len(designs) / seconds, len(designs) / (time.process_time() - start)


def stepwise_seconds(shape: Shape, n_slots: int) -> float:
    """CPU seconds of a rotation whose steps are all computed: batches of one step."""
    sizes, stations, inverse_after = tables(shape)
    single = sizes.copy()
    single[kernel.STEPS] = 1
    rows = np.full(shape.n_steps + shape.key_rows, -1, np.int64)

    def steps() -> None:
        for _ in range(shape.n_steps):
            rotate(single, stations, inverse_after, n_slots, 0, 0, _NONE, rows)

    return best_seconds(steps)


@njit
def _sum(table: np.ndarray) -> int:
    found = 0
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            found += table[row, column]
    return found


def million(design: Design) -> None:
    """A circuit of a million gates, from its name to cycles."""
    start = time.process_time()
    circuit = circuit_of(MILLION)
    built = time.process_time()
    batches = fhe.batches_of(program_of(design, circuit), design.cores)
    scheduled = time.process_time()
    (run,) = fhe.simulate([design], circuit)
    first = time.process_time() - scheduled  # with a schedule of its own
    again = best_seconds(lambda: fhe.simulate([design], circuit))
    bound = best_seconds(lambda: _sum(batches.table))
    n_batches, peak = len(batches.table), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"[bench] {MILLION}: built {built - start:.2f} s, scheduled {scheduled - built:.2f} s, scheduled and simulated "
        f"{first:.2f} s, simulated alone {again * 1e3:.1f} ms ({again / bound:.0f} times the bound, "
        f"{n_batches} batches, {run.cycles:,} cycles), memory {peak:.2f} GB"
    )


def main() -> None:
    """Print all figures."""
    fhe.simulate([Design()], circuit_of("random_gates:100:10"))  # compiles
    designs = swept()
    found, bound = rates(designs)
    print(
        f"[bench] {SWEPT}: {found:,.0f} design points a second ({len(designs)} points), "
        f"{bound / found:.1f} times the kernels alone"
    )
    for design in (Design(), replace(Design(), key_residues_per_cycle=2)):
        shape = shape_of(design)
        rows = np.full(shape.n_steps + shape.key_rows, -1, np.int64)
        _, n_computed = rotate(*tables(shape), design.batch, 0, 0, _NONE, rows)
        leapt = best_seconds(partial(rotate, *tables(shape), design.batch, 0, 0, _NONE, rows))
        print(
            f"[bench] rotation of {design.batch} slots, {design.key_residues_per_cycle} residues a cycle: "
            f"{leapt * 1e6:.0f} us, {n_computed} of {shape.n_steps} steps computed, "
            f"{stepwise_seconds(shape, design.batch) / leapt:.0f} times faster than all of them"
        )
    million(Design())


if __name__ == "__main__":
    main()
