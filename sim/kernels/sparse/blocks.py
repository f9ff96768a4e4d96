"""Multiply phases and runs of sparse machines as programs of basic blocks, many points together (docs/batched.md).

The same recurrences as in window.py, queue.py and times.py, nothing stalled. benchmarks/bench_batched.py measures them
beside the forms that the simulator takes.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.blocks import next_block
from sim.kernels.compiled import entry, inner
from sim.kernels.sparse.times import OUTPUT_PIPELINE, PRIME, SETTLE

RUN, COLUMN, N_WINDOW_BLOCKS = range(3)


@entry
def multiply_windows_in_blocks(
    starts: np.ndarray, first_column: np.ndarray, n_columns: np.ndarray, lanes_of_runs: np.ndarray, counts: np.ndarray,
    n_lanes: int, windows: np.ndarray, tally: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(multiply cycles, sum over lanes of the cycles until each has ended), each (n,), of `multiply_window`.

    Point i has the runs starts[first_column[i] + c] to starts[first_column[i] + c + 1] - 1 of its column c; no point
    has more than `n_lanes` lanes.
    """
    n = len(windows)
    counters, lanes = np.full(n, COLUMN, np.int32), np.zeros(n, np.int32)
    column, run, end_run = np.full(n, -1, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    earliest, done = np.zeros(n, np.int64), np.zeros(n, np.int64)
    finished = np.zeros((n_lanes, n), np.int64)
    all_done = np.zeros((n_columns.max() if n else 0, n), np.int64)
    while True:
        block, n_here = next_block(counters, N_WINDOW_BLOCKS, lanes, tally)
        if n_here == 0:
            return done, finished.sum(axis=0)
        if block == RUN:
            for point in lanes[:n_here]:
                lane = lanes_of_runs[run[point]]
                finished[lane, point] = max(finished[lane, point], earliest[point]) + counts[run[point]]
                done[point] = max(done[point], finished[lane, point])
                run[point] += 1
                counters[point] = RUN if run[point] < end_run[point] else COLUMN
        else:
            for point in lanes[:n_here]:
                if column[point] >= 0:
                    all_done[column[point], point] = done[point]
                column[point] += 1
                now = column[point]
                if now == n_columns[point]:
                    counters[point] = N_WINDOW_BLOCKS
                    continue
                earliest[point] = all_done[now - windows[point], point] if now >= windows[point] else 0
                run[point], end_run[point] = starts[first_column[point] + now], starts[first_column[point] + now + 1]
                counters[point] = RUN if run[point] < end_run[point] else COLUMN


WORK, BROADCAST, N_QUEUE_BLOCKS = range(3)


@entry
def multiply_queues_in_blocks(
    pointers: np.ndarray, first: np.ndarray, n_columns: np.ndarray, n_lanes: np.ndarray, depths: np.ndarray,
    tally: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """(multiply cycles, cycles in which a broadcast waited), each (n,), of `multiply_queue`, all activations alive.

    Point i's pointer of lane l in column c is pointers[first[i] + c * n_lanes[i] + l].
    """
    n = len(depths)
    counters, lanes = np.full(n, BROADCAST, np.int32), np.zeros(n, np.int32)
    column, lane, place = np.full(n, -1, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    broadcast, last = np.full(n, -1, np.int64), np.full(n, -1, np.int64)
    ends = np.zeros((n_lanes.max() if n else 0, n), np.int64)
    latest = np.zeros((depths.max() if n else 0, n), np.int64)
    while True:
        block, n_here = next_block(counters, N_QUEUE_BLOCKS, lanes, tally)
        if n_here == 0:
            return last + 1, broadcast + 1 - n_columns
        if block == WORK:
            for point in lanes[:n_here]:
                at = place[point]
                step = max(np.int64(pointers[at + n_lanes[point]]) - pointers[at], 1)
                ended = max(ends[lane[point], point], broadcast[point]) + step
                ends[lane[point], point] = ended
                last[point] = max(last[point], ended)
                lane[point], place[point] = lane[point] + 1, at + 1
                counters[point] = WORK if lane[point] < n_lanes[point] else BROADCAST
        else:
            for point in lanes[:n_here]:
                if column[point] >= 0:
                    latest[column[point] % depths[point], point] = last[point]
                column[point] += 1
                now = column[point]
                if now == n_columns[point]:
                    counters[point] = N_QUEUE_BLOCKS
                    continue
                broadcast[point] += 1
                if now >= depths[point]:
                    broadcast[point] = max(broadcast[point], latest[now % depths[point], point] + 1)
                lane[point], place[point], last[point] = 0, first[point] + now * n_lanes[point], 0
                counters[point] = WORK


VECTOR, SLICE, N_TIMES_BLOCKS = range(3)


@entry
def run_times_in_blocks(
    multiply_cycles: np.ndarray, first_cycles: np.ndarray, slice_beats: np.ndarray, first_beats: np.ndarray,
    output_words: np.ndarray, first_words: np.ndarray, n_slices: np.ndarray, n_vectors: int, vector_beats: np.ndarray,
    n_buffers: np.ndarray, latency_cycles: np.ndarray, tally: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """`run_times_of_all`; machines have one or two buffers."""
    n = len(n_slices)
    counters, lanes = np.full(n, SLICE, np.int32), np.zeros(n, np.int32)
    index, run = np.full(n, -1, np.int64), np.zeros(n, np.int64)
    n_beats, taken = np.zeros(n, np.int64), np.zeros(n, np.int64)
    ended, drains, loaded = np.full(n, -1, np.int64), np.zeros(n, np.int64), np.full(n, -1, np.int64)
    slice_free, vector_free = np.zeros((2, n), np.int64), np.zeros((2, n), np.int64)
    while True:
        block, n_here = next_block(counters, N_TIMES_BLOCKS, lanes, tally)
        if n_here == 0:
            return ended + 1, drains
        if block == VECTOR:
            for point in lanes[:n_here]:
                buffer = run[point] % n_buffers[point]
                begin = _begin(taken[point], vector_free[buffer, point], latency_cycles[point] + n_beats[point])
                taken[point] = begin + vector_beats[point] - 1
                n_beats[point] += vector_beats[point]
                started = max(loaded[point], taken[point], ended[point]) + 1
                multiplied = started + PRIME + multiply_cycles[first_cycles[point] + run[point]]
                vector_free[buffer, point] = multiplied
                ended[point] = (
                    multiplied + SETTLE + OUTPUT_PIPELINE - 1 + output_words[first_words[point] + index[point]]
                )
                drains[point] += ended[point] + 1 - multiplied - SETTLE
                run[point] += 1
                counters[point] = SLICE if run[point] % n_vectors == 0 else VECTOR
        else:
            for point in lanes[:n_here]:
                if index[point] >= 0:
                    slice_free[index[point] % n_buffers[point], point] = ended[point] + 1
                index[point] += 1
                if index[point] == n_slices[point]:
                    counters[point] = N_TIMES_BLOCKS
                    continue
                beats = slice_beats[first_beats[point] + index[point]]
                loaded[point] = -1
                if beats:
                    free = slice_free[index[point] % n_buffers[point], point]
                    begin = _begin(taken[point], free, latency_cycles[point] + n_beats[point])
                    loaded[point] = taken[point] = begin + beats - 1
                    n_beats[point] += beats
                counters[point] = VECTOR


@inner
def _begin(taken: int, free: int, offered: int) -> int:
    """The cycle in which the first of some beats is taken."""
    return max(taken + 1, free, offered)
