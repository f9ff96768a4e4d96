"""Sparse kernels on many points at a time against one after the other (docs/batched.md)."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.blocks import N_TALLY, lane_utilization
from sim.kernels.sparse.blocks import multiply_queues_in_blocks, multiply_windows_in_blocks, run_times_in_blocks
from sim.kernels.sparse.queue import CYCLES, QUEUE_STALLS, multiply_queue
from sim.kernels.sparse.times import N_EVENTS, run_times, run_times_of_all
from sim.kernels.sparse.window import multiply_window, runs_of_lists
from tests.sim.kernels.test_sparse import random_lists

SEEDS = st.integers(0, 2**32 - 1)
NONE, NO_EVENTS = np.zeros(0, np.int64), np.zeros((0, N_EVENTS), np.int64)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = [random_lists(rng) for _ in range(int(rng.integers(1, 8)))]
    windows, tally = rng.choice([1, 2, 4, 16], len(drawn)), np.zeros(N_TALLY, np.int64)
    runs = [runs_of_lists(*lists) for lists in drawn]
    n_columns = np.array([n for *_, n in drawn])
    n_runs = np.array([len(counts) for *_, counts in runs])
    before = np.cumsum(n_runs) - n_runs
    starts = np.concatenate([one[0] + first for one, first in zip(runs, before, strict=True)])
    pools = [np.concatenate([one[place] for one in runs]) for place in (1, 2)]
    first_column = np.cumsum(n_columns + 1) - n_columns - 1
    most_lanes = max(len(lengths) for lengths, *_ in drawn)
    found = multiply_windows_in_blocks(starts, first_column, n_columns, *pools, most_lanes, windows, tally)
    wanted = [multiply_window(*one, len(d[0]), w)[:2] for one, d, w in zip(runs, drawn, windows.tolist(), strict=True)]
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == wanted
    assert 0 < lane_utilization(tally, len(drawn)) <= 1


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_queues(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 8))
    n_columns, n_lanes, depths = rng.integers(1, 30, n), rng.integers(1, 12, n), rng.integers(1, 5, n)
    drawn = [
        np.cumsum(rng.integers(0, 4, (columns + 1, lanes)), axis=0).astype(np.int32)
        for columns, lanes in zip(n_columns, n_lanes, strict=True)
    ]
    sizes = np.array([pointers.size for pointers in drawn])
    pool, first, tally = np.concatenate([p.ravel() for p in drawn]), np.cumsum(sizes) - sizes, np.zeros(N_TALLY, np.int64)
    cycles, stalls = multiply_queues_in_blocks(pool, first, n_columns, n_lanes, depths, tally)
    for i, pointers in enumerate(drawn):
        ((wanted),) = multiply_queue(pointers, np.ones((1, n_columns[i]), bool), int(depths[i]), 3)
        assert (cycles[i], stalls[i]) == (wanted[CYCLES], wanted[QUEUE_STALLS])


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_times(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, n_vectors, tally = int(rng.integers(1, 8)), int(rng.integers(1, 4)), np.zeros(N_TALLY, np.int64)
    n_slices, n_buffers = rng.integers(1, 6, n), rng.integers(1, 3, n)
    vector_beats, latency = rng.integers(1, 20, n), rng.integers(1, 50, n)
    slices, before = n_slices.sum(), np.cumsum(n_slices) - n_slices
    multiply, words = rng.integers(0, 60, slices * n_vectors), rng.integers(1, 30, slices)
    beats = rng.integers(0, 40, slices) * rng.integers(0, 2)  # resident in half of the cases
    arguments = (
        multiply, before * n_vectors, beats, before, words, before, n_slices, n_vectors, vector_beats, n_buffers, latency
    )  # fmt: skip
    found = run_times_in_blocks(*arguments, tally)
    together = run_times_of_all(*arguments)
    for i in range(n):
        of = slice(before[i], before[i] + n_slices[i])
        of_runs = multiply.reshape(slices, n_vectors)[of]
        alone = run_times(
            of_runs, beats[of], int(vector_beats[i]), words[of], int(n_buffers[i]), int(latency[i]), NONE, NONE, NO_EVENTS
        )
        assert (found[0][i], found[1][i]) == alone == (together[0][i], together[1][i])
