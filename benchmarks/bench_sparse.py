"""How fast sparse machines are simulated on one core: non-zeros and design points a second.

    python -m benchmarks.bench_sparse

`window` and `queue` are the kernels alone, on lists that have been dealt; `arranged` is what they need once a dealing;
`dealt` is the dealing itself, once for all points of a sweep that share it. Sweeps start with nothing dealt, compiled
code apart.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from benchmarks.timing import best_seconds
from designs.families.sparse import Design
from sim.families import sparse
from sim.kernels.sparse.queue import CYCLES, multiply_queue
from sim.kernels.sparse.window import multiply_window, runs_of_lists
from workloads.kinds.matrices import Matrices
from workloads.load import load_workload
from workloads.mapping.sparse import Slice, slices_of

MATRICES = ("sparse:512x512:0.77", "sparse:4096x4096:0.9")
ROOMY = Design(accumulators=512, lane_entries=65535, act_words=4096)  # one slice
MACHINES = {
    "RCSC, 64 lanes": replace(ROOMY, n_sets=64),
    "SA-RCSC, 64 lanes in 8 sets": ROOMY,
    "SA-RCSC, 1024 lanes in 8 sets": replace(ROOMY, n_macs=1024),
}
SWEPT = "sparse:512x512:0.77:rowvar"


def kernel_seconds(design: Design, slice_: Slice) -> dict[str, tuple[float, int]]:
    """What -> (CPU seconds, multiply cycles that were found)."""
    n_lanes, n_columns = design.n_macs, int(slice_.columns.max()) + 1
    runs = runs_of_lists(slice_.lengths, slice_.columns, n_columns)
    assert slice_.pointers is not None
    pointers = np.ascontiguousarray(slice_.pointers.T, np.int32)
    alive, shift = np.ones((1, n_columns), bool), 3
    return {
        "window 16": (
            best_seconds(lambda: multiply_window(*runs, n_lanes, 16)), multiply_window(*runs, n_lanes, 16)[0]
        ),
        "queue 8": (
            best_seconds(lambda: multiply_queue(pointers, alive, 8, shift)),
            int(multiply_queue(pointers, alive, 8, shift)[0, CYCLES]),
        ),
        "arranged": (best_seconds(lambda: runs_of_lists(slice_.lengths, slice_.columns, n_columns)), 0),
    }  # fmt: skip


def dealing_seconds(workload: Matrices) -> float:
    """CPU seconds of one dealing with its checks; other sets each time, so that none is kept."""
    found = []
    for n_sets in (8, 16, 32, 64):
        start = time.process_time()
        slices_of(replace(ROOMY, n_sets=n_sets), workload.layers[0])
        found.append(time.process_time() - start)
    return min(found[1:])


def swept(dealings: bool) -> Iterator[Design]:
    """Points of a sweep: 240 that share one dealing, or 2,304 over 24 dealings."""
    lanes = product((64, 128, 256, 512), (8, 32, 64), (True, False)) if dealings else [(128, 8, True)]
    for n_macs, n_sets, sort_rows in lanes:
        for window, bytes_per_cycle, double, latency in product(
            (1, 2, 4, 8, 16, 32), (16, 32, 64, 128), (True, False), (10, 20, 40, 80, 160)
        ):
            if not dealings or latency < 30:
                yield Design(
                    n_macs=n_macs, n_sets=n_sets, sort_rows=sort_rows, window=window, double_buffered=double,
                    dram_bytes_per_cycle=bytes_per_cycle, dram_latency_cycles=latency,
                )  # fmt: skip


def points_a_second(designs: list[Design]) -> float:
    """Design points a CPU second on a workload that nobody has looked at."""
    workload = load_workload(SWEPT)
    assert isinstance(workload, Matrices)
    start = time.process_time()
    runs = sparse.simulate(designs, workload)
    seconds = time.process_time() - start
    assert all(run.failure is None for run in runs)
    return len(designs) / seconds


def main() -> None:
    """Print all figures."""
    for name in MATRICES:
        workload = load_workload(name)
        assert isinstance(workload, Matrices)
        (layer,) = workload.layers
        nnz = layer.matrix.nnz
        for machine, design in MACHINES.items():
            (slice_,) = slices_of(replace(design, feed="queue"), layer)
            for what, (seconds, cycles) in kernel_seconds(design, slice_).items():
                found = f", {cycles} cycles, utilization {nnz / design.n_macs / cycles:.3f}" if cycles else ""
                print(f"[bench] {name}, {machine}, {what}: {nnz / seconds / 1e6:,.0f} M non-zeros a second{found}")
        seconds = dealing_seconds(workload)
        print(f"[bench] {name}, dealt: {nnz / seconds / 1e6:,.1f} M non-zeros a second", flush=True)
    points_a_second(list(swept(False))[:2])  # compiles
    for dealings in (False, True):
        designs = list(swept(dealings))
        rate = points_a_second(designs)
        print(f"[bench] {SWEPT}: {rate:,.0f} design points a second ({len(designs)} points)")


if __name__ == "__main__":
    main()
