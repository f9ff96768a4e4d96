"""Many design points at a time against one at a time, on one core (docs/batched.md).

    python -m benchmarks.bench_batched

First the data-dependent kernels alone, in three forms: a call for each point, one call that loops over points, one call
of a program of blocks (with its lane utilization). Then whole simulations, Runs included: `simulate_one` for each
design, and `simulate` for all of them; what designs share is kept from the pass before. Forms are checked to be equal.
CPU seconds, the best of three.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numba import njit

from designs.errors import DesignError
from designs.families.fhe import Design as FheDesign
from designs.families.lut import Design as LutDesign
from designs.families.sparse import Design as SparseDesign
from designs.space import load_space
from sim.families import fhe, lut, sparse, tensor
from sim.kernels.blocks import N_TALLY, lane_utilization
from sim.kernels.fhe import batches
from sim.kernels.fhe.batches import run_batches
from sim.kernels.fhe.blocks import rotate_in_blocks, run_batches_in_blocks
from sim.kernels.fhe.machines import (
    INTERVAL,
    KEY_THERE,
    LATENCY,
    N_LENGTHS,
    N_MACHINE,
    OPERAND_BEATS,
    REFILLED,
    SWITCH_BEATS,
    SWITCH_INTERVAL,
    run_machines,
)
from sim.kernels.fhe.machines import WORDS as WORDS_OF_MACHINE
from sim.kernels.fhe.rotation import N_SIZES, STREAMED, WORDS
from sim.kernels.fhe.stations import rotation_lengths
from sim.kernels.sparse.blocks import multiply_queues_in_blocks, multiply_windows_in_blocks, run_times_in_blocks
from sim.kernels.sparse.queue import CYCLES, multiply_queue
from sim.kernels.sparse.times import N_EVENTS, run_times, run_times_of_all
from sim.kernels.sparse.window import multiply_window, runs_of_lists
from sim.parts.fhe_columns import Columns
from workloads.load import load_workload
from workloads.mapping.sparse import slices_of

N_POINTS = (1, 64, 4096)
MOST_ALONE = 1024  # points of the form that takes longest, from which its rate follows
NONE, NO_EVENTS = np.zeros(0, np.int64), np.zeros((0, N_EVENTS), np.int64)

SPARSE_AXES = {
    "n_macs": (64, 128, 256), "n_sets": (8, 32, 64), "sort_rows": (True, False), "feed": ("window", "queue"),
    "window": (1, 2, 4, 8, 16, 32), "queue_depth": (1, 2, 4, 8, 16), "dram_bytes_per_cycle": (16, 32, 64, 128),
    "double_buffered": (True, False), "dram_latency_cycles": range(10, 200, 10), "clock_mhz": range(100, 1000, 100),
    "output_order": ("folded", "restored"),
}  # fmt: skip
FHE_AXES = {
    "coefficients_per_cycle": (16, 32, 64, 128), "rotators": (1, 2), "key_columns": (1, 2), "inverse_ntts": (1, 2),
    "ntt_ranks": (2, 5, 10), "multiplier_stages": (2, 4, 6), "key_rows": (2, 4, 8, 630), "cores": (1, 2, 4),
    "key_residues_per_cycle": (8, 32), "key_switchers": (1, 2), "batch": (2, 4, 8, 16),
    "memory_latency_cycles": range(10, 200, 10),
}  # fmt: skip
LUT_AXES = {
    "score_bits": (1, 3), "output": ("class", "scores"), "lut_inputs": (4, 6), "fracturable": (False, True),
    "levels_per_stage": (0, 1, 2, 3), "copies": range(1, 17), "clock_mhz": range(100, 900, 10),
}  # fmt: skip


def drawn(base: Any, axes: dict[str, Any], n: int) -> list[Any]:
    """Designs that can be built."""
    rng, found = random.Random(0), []
    while len(found) < n:
        design = replace(base, **{name: rng.choice(values) for name, values in axes.items()})
        try:
            design.check()
        except DesignError:
            continue
        found.append(design)
    return found


def cases() -> Iterator[tuple[str, Any, list[Any], Any]]:
    """Family, its simulator, designs, workload."""
    most = max(N_POINTS)
    roomy = SparseDesign(accumulators=512, lane_entries=65535, act_words=4096)
    yield "sparse", sparse, drawn(roomy, SPARSE_AXES, most), load_workload("sparse:512x512:0.77:rowvar")
    yield "fhe", fhe, drawn(FheDesign(), FHE_AXES, most), load_workload("random_gates:2000:100")
    small = LutDesign(classifier="boosted", tree_inputs=4, trees_per_class=4)
    yield "lut", lut, drawn(small, LUT_AXES, most), load_workload("digits")
    space = load_space("designs/resnet50_arrays.yaml")
    yield "tensor", tensor, [space.design(p) for p in space.random_points(most, 0)], load_workload("digits_cnn")


def seconds_of(work: Callable[[], object]) -> float:
    found = []
    for _ in range(3):
        start = time.process_time()
        kept = work()
        found.append(time.process_time() - start)
        del kept
    return min(found)


def whole_simulations() -> None:
    """Points a second of simulators."""
    print(f"{'family':8}{'points':>8}{'one at a time':>16}{'together':>14}{'ratio':>8}  points a second, Runs included")
    for name, module, designs, workload in cases():
        one: Callable[[Any, Any], Any] = getattr(module, "simulate_one", lambda d, w, m=module: m.simulate([d], w)[0])
        together = module.simulate(designs, workload)
        assert together[:64] == [one(design, workload) for design in designs[:64]]
        del together
        for n in N_POINTS:
            few = designs[: min(n, MOST_ALONE)]
            repeats = max(1, 16 // n)
            alone = len(few) * repeats / seconds_of(partial(_all_alone, one, few * repeats, workload))
            rate = n * repeats / seconds_of(partial(_all_together, module, designs[:n], workload, repeats))
            print(f"{name:8}{n:8}{alone:16,.0f}{rate:14,.0f}{rate / alone:8.1f}", flush=True)


def _all_alone(one: Callable[[Any, Any], Any], designs: Sequence[Any], workload: Any) -> list[Any]:
    return [one(design, workload) for design in designs]


def _all_together(module: Any, designs: Sequence[Any], workload: Any, repeats: int) -> list[Any]:
    return [module.simulate(designs, workload) for _ in range(repeats)]


Form = Callable[[], Any]


def kernels(n: int) -> Iterator[tuple[str, Form, Form, Form]]:
    """(what, a call for each point, one call with a loop, one call of blocks, which answers its tally last)."""
    designs = drawn(FheDesign(), FHE_AXES, n)
    columns = Columns(designs)
    shapes, slots = columns.shapes(), columns.batch
    yield (
        "fhe rotations",
        lambda: np.concatenate([rotation_lengths(shapes[i : i + 1], slots[i : i + 1])[:, 0] for i in range(n)]),
        lambda: rotation_lengths(shapes, slots)[:, 0],
        lambda: _with_tally(lambda tally: rotate_in_blocks(shapes, slots, np.ones(n, bool), tally)[0] + 1),
    )
    yield _batches(designs, n)
    yield from _multiplied(n)
    yield _times(n)


def _with_tally(work: Callable[[np.ndarray], Any]) -> tuple[Any, np.ndarray]:
    tally = np.zeros(N_TALLY, np.int64)
    return work(tally), tally


def _batches(designs: Sequence[FheDesign], n: int) -> tuple[str, Form, Form, Form]:
    """Programs of designs, on machines that are drawn; "a loop" here is a call for all machines of each program."""
    circuit, rng = load_workload("random_gates:2000:100"), np.random.default_rng(0)
    programs: dict[tuple[int, int], Any] = {}
    which = [programs.setdefault((d.cores, d.batch), (len(programs), d))[0] for d in designs]
    tables = [fhe._batches(d, circuit).table for _, d in programs.values()]  # type: ignore[arg-type]
    sizes = np.array([len(table) for table in tables])
    places, pool, of = np.cumsum(sizes) - sizes, np.concatenate(tables), np.array(which)
    machines = rng.integers(1, 100, (N_MACHINE, n))
    lengths = rng.integers(1000, 9000, (17, N_LENGTHS, n))
    lengths[:, REFILLED] = np.where(rng.integers(0, 2, n), lengths[:, 0] + 9, -1)
    sizes_of = np.ones((n, N_SIZES), np.int64)
    sizes_of[:, WORDS], sizes_of[:, STREAMED] = machines[WORDS_OF_MACHINE], lengths[0, REFILLED] >= 0
    machines[KEY_THERE] = machines[LATENCY]  # after one row of one beat
    told = np.zeros((n, batches.N_MACHINE), np.int64)
    told[:, [batches.LATENCY, batches.OPERAND_BEATS, batches.SWITCH_BEATS, batches.INTERVAL]] = machines[
        [LATENCY, OPERAND_BEATS, SWITCH_BEATS, INTERVAL]
    ].T
    told[:, batches.SWITCHERS], lengths[:, SWITCH_INTERVAL] = 1 << 20, 1  # one for each result
    of_points = np.ascontiguousarray(lengths[:, :SWITCH_INTERVAL].transpose(2, 0, 1))
    no_events, unused = np.zeros((0, batches.N_EVENTS), np.int64), np.zeros((0, 3), np.int64)

    def alone() -> np.ndarray:
        found = [
            run_batches(
                tables[p], told[i], of_points[i], sizes_of[i], unused, NONE, NONE, NONE, NONE, NONE, no_events
            )[0] for i, p in enumerate(which)
        ]  # fmt: skip
        return np.array(found)

    def by_program() -> np.ndarray:
        found = np.empty(n, np.int64)
        for p, table in enumerate(tables):
            at = np.flatnonzero(of == p)
            slots = np.ascontiguousarray(table[:, 0])
            found[at] = run_machines(
                table, slots, np.ascontiguousarray(machines[:, at]), np.ascontiguousarray(lengths[:, :, at])
            )[0]
        return found

    def blocks(tally: np.ndarray) -> np.ndarray:
        slots = np.ascontiguousarray(pool[:, 0])
        return run_batches_in_blocks(pool, places[of], sizes[of], machines, lengths, slots, tally)[0]

    return "fhe batches", alone, by_program, lambda: _with_tally(blocks)


@njit
def _windows(starts, columns, n_columns, lanes, counts, n_lanes, windows):  # type: ignore[no-untyped-def]
    found = np.empty(len(windows), np.int64)
    for i in range(len(windows)):
        of = starts[columns[i] : columns[i] + n_columns[i] + 1]
        first, end = of[0], of[-1]
        found[i] = multiply_window(of - first, lanes[first:end], counts[first:end], n_lanes, windows[i])[0]
    return found


@njit
def _queues(pointers, first, n_columns, n_lanes, depths):  # type: ignore[no-untyped-def]
    found = np.empty(len(depths), np.int64)
    for i in range(len(depths)):
        n = (n_columns[i] + 1) * n_lanes[i]
        of = pointers[first[i] : first[i] + n].reshape((n_columns[i] + 1, n_lanes[i]))
        found[i] = multiply_queue(of, np.ones((1, n_columns[i]), np.bool_), depths[i], 3)[0, CYCLES]
    return found


def _multiplied(n: int) -> Iterator[tuple[str, Form, Form, Form]]:
    """Multiply phases of 64 x 64 weights, dealt in twelve ways; each point has one of them, and a window or depth."""
    layer, rng = load_workload("sparse:64x64:0.77:rowvar").layers[0], np.random.default_rng(0)
    base = SparseDesign(feed="queue", accumulators=64)
    dealt = [
        slices_of(replace(base, n_macs=lanes, n_sets=sets, sort_rows=sort), layer)[0]
        for lanes in (16, 32, 64) for sets in (8, 16) for sort in (True, False)
    ]  # fmt: skip
    of, windows = rng.integers(0, len(dealt), n), rng.choice([1, 2, 4, 8, 16, 32], n)
    runs = [runs_of_lists(one.lengths, one.columns, 64) for one in dealt]
    sizes = np.array([len(counts) for *_, counts in runs])
    before = np.cumsum(sizes) - sizes
    starts = np.concatenate([one[0] + first for one, first in zip(runs, before, strict=True)])
    lanes, counts = (np.concatenate([one[place] for one in runs]) for place in (1, 2))
    columns, n_columns = of * 65, np.full(n, 64)
    yield (
        "sparse windows",
        lambda: np.array([multiply_window(*runs[of[i]], 64, windows[i])[0] for i in range(n)]),
        lambda: _windows(starts, columns, n_columns, lanes, counts, 64, windows),
        lambda: _with_tally(
            lambda tally: multiply_windows_in_blocks(starts, columns, n_columns, lanes, counts, 64, windows, tally)[0]
        ),
    )
    pointers = [np.ascontiguousarray(one.pointers.T, np.int32) for one in dealt if one.pointers is not None]
    sizes = np.array([one.size for one in pointers])
    first, pool = (np.cumsum(sizes) - sizes)[of], np.concatenate([one.ravel() for one in pointers])
    n_lanes, alive = np.array([one.shape[1] for one in pointers])[of], np.ones((1, 64), bool)
    yield (
        "sparse queues",
        lambda: np.array([multiply_queue(pointers[of[i]], alive, windows[i], 3)[0, CYCLES] for i in range(n)]),
        lambda: _queues(pool, first, n_columns, n_lanes, windows),
        lambda: _with_tally(
            lambda tally: multiply_queues_in_blocks(pool, first, n_columns, n_lanes, windows, tally)[0]
        ),
    )


def _times(n: int) -> tuple[str, Form, Form, Form]:
    """Runs of 1 to 16 slices with 4 vectors."""
    rng = np.random.default_rng(0)
    n_slices = rng.integers(1, 17, n)
    first, total = np.cumsum(n_slices) - n_slices, n_slices.sum()
    multiply, beats, words = rng.integers(0, 99, total * 4), rng.integers(1, 99, total), rng.integers(1, 99, total)
    vector_beats, buffers, latency = rng.integers(1, 9, n), rng.integers(1, 3, n), rng.integers(1, 99, n)
    arguments = multiply, first * 4, beats, first, words, first, n_slices, 4, vector_beats, buffers, latency

    def one(i: int) -> int:
        of = slice(first[i], first[i] + n_slices[i])
        of_runs = multiply.reshape(-1, 4)[of]
        return run_times(
            of_runs, beats[of], vector_beats[i], words[of], buffers[i], latency[i], NONE, NONE, NO_EVENTS
        )[0]  # fmt: skip

    return (
        "sparse runs",
        lambda: np.array([one(i) for i in range(n)]),
        lambda: run_times_of_all(*arguments)[0],
        lambda: _with_tally(lambda tally: run_times_in_blocks(*arguments, tally)[0]),
    )


def kernels_alone() -> None:
    """Points a second of kernels, and how many lanes of a program of blocks are useful."""
    print(
        f"{'kernel':16}{'points':>8}{'a call each':>14}{'one loop':>14}{'blocks':>14}{'lanes':>8}"
        f"{'loop/each':>11}{'blocks/loop':>13}  points a second"
    )
    for n in N_POINTS:
        for what, alone, loop, blocks in kernels(n):
            found, tally = blocks()
            assert np.array_equal(alone(), found) and np.array_equal(loop(), found)  # compiles too
            each, looped, blocked = (n / seconds_of(form) for form in (alone, loop, blocks))
            print(
                f"{what:16}{n:8}{each:14,.0f}{looped:14,.0f}{blocked:14,.0f}{lane_utilization(tally, n):8.0%}"
                f"{looped / each:11.1f}{blocked / looped:13.2f}",
                flush=True,
            )


def main() -> None:
    """Print both tables."""
    kernels_alone()
    whole_simulations()


if __name__ == "__main__":
    main()
