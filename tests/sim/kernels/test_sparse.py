"""Kernels of sparse machines against the definition's own words, stepped or written out (docs/sparse.md, section 3)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.sparse.queue import BROADCASTS, CYCLES, ENTRY_READS, LONGEST, QUEUE_STALLS, multiply_queue
from sim.kernels.sparse.times import N_EVENTS, run_times
from sim.kernels.sparse.window import multiply_window, runs_of_lists

SEEDS = st.integers(0, 2**32 - 1)


def random_lists(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """(lengths, columns, number of columns) of lists of any lengths, columns ascending and often the same."""
    n_lanes, n_columns = int(rng.integers(1, 20)), int(rng.integers(1, 60))
    lengths = rng.integers(0, rng.integers(1, 40), n_lanes)
    columns = [np.sort(rng.integers(0, n_columns, length)) for length in lengths]
    return lengths, np.concatenate([*columns, np.zeros(0, np.int64)]).astype(np.int64), n_columns


def stepped_window(lengths: np.ndarray, columns: np.ndarray, window: int) -> tuple[int, int, int]:
    """Every lane whose next column lies in the window moves on, cycle by cycle."""
    lists = [list(part) for part in np.split(columns, np.cumsum(lengths)[:-1])]
    cycles, lane_cycles, head = 0, 0, -1
    while any(lists):
        head = min(of_lane[0] for of_lane in lists if of_lane)
        lane_cycles += sum(bool(of_lane) for of_lane in lists)
        for of_lane in lists:
            if of_lane and of_lane[0] < head + window:
                of_lane.pop(0)
        cycles += 1
    return cycles, lane_cycles, int(head)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from([1, 2, 3, 8, 64]))
def test_window_is_what_stepping_gives(seed: int, window: int) -> None:
    lengths, columns, n_columns = random_lists(np.random.default_rng(seed))
    runs = runs_of_lists(lengths, columns, n_columns)
    assert multiply_window(*runs, len(lengths), window) == stepped_window(lengths, columns, window)


def test_runs_by_hand() -> None:
    starts, lanes, counts = runs_of_lists(np.array([3, 0, 4]), np.array([0, 2, 2, 0, 0, 0, 3]), 4)
    assert starts.tolist() == [0, 2, 2, 3, 4]
    assert (lanes.tolist(), counts.tolist()) == ([0, 2, 0, 2], [1, 3, 2, 1])


def written_out_queue(pointers: np.ndarray, alive: np.ndarray, depth: int) -> tuple[int, int, int]:
    """(cycles, broadcasts, cycles in which one waited) by the definition's two formulas, all terms kept."""
    columns = np.flatnonzero(alive)
    counts = np.maximum(np.diff(pointers, axis=0)[columns], 1)
    broadcasts: list[int] = []
    ends: list[np.ndarray] = []
    for k, of_lanes in enumerate(counts):
        before = broadcasts[-1] if k else -1
        broadcasts.append(max([before + 1, *([int(ends[k - depth].max()) + 1] if k >= depth else [])]))
        free = ends[-1] + 1 if k else np.zeros(len(of_lanes), np.int64)
        ends.append(np.maximum(broadcasts[-1] + 1, free) + of_lanes - 1)
    if not broadcasts:
        return 0, 0, 0
    return int(ends[-1].max()) + 1, len(broadcasts), broadcasts[-1] + 1 - len(broadcasts)


def words_read(pointers: np.ndarray, alive: np.ndarray, per_word: int) -> int:
    """Entry by entry, lane by lane."""
    n_reads = 0
    for of_lane in pointers.T.tolist():
        held = None
        for column in np.flatnonzero(alive):
            for place in range(of_lane[column], of_lane[column + 1]):
                n_reads += held != place // per_word
                held = place // per_word
    return n_reads


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 12), st.integers(0, 4))
def test_queue_is_what_the_formulas_give(seed: int, depth: int, word_shift: int) -> None:
    rng = np.random.default_rng(seed)
    n_columns, n_lanes, n_vectors = int(rng.integers(1, 40)), int(rng.integers(1, 40)), int(rng.integers(1, 4))
    counts = rng.poisson(rng.choice([0.2, 1.0, 4.0]), (n_columns, n_lanes))
    pointers = np.concatenate([np.zeros((1, n_lanes)), np.cumsum(counts, axis=0)]).astype(np.int32)
    alive = rng.random((n_vectors, n_columns)) < rng.random((n_vectors, 1))
    for facts, of_vector in zip(multiply_queue(pointers, alive, depth, word_shift), alive, strict=True):
        found = tuple(int(facts[name]) for name in (CYCLES, BROADCASTS, QUEUE_STALLS))
        assert found == written_out_queue(pointers, of_vector, depth)
        assert facts[LONGEST] == np.maximum(counts[of_vector], 1).sum(axis=0).max(initial=0)
        assert facts[ENTRY_READS] == words_read(pointers, of_vector, 1 << word_shift)


NONE = np.zeros(0, np.int64)
NO_EVENTS = np.zeros((0, N_EVENTS), np.int64)


@pytest.mark.parametrize("n_buffers", [1, 2])
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_times_without_stalls_are_those_of_arrays_without_stalls(n_buffers: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_slices, n_vectors = int(rng.integers(1, 5)), int(rng.integers(1, 6))
    multiply_cycles = rng.integers(0, 30, (n_slices, n_vectors))
    slice_beats, vector_beats = rng.integers(0, 50, n_slices), int(rng.integers(1, 20))
    words, latency_cycles = rng.integers(1, 30, n_slices), int(rng.integers(1, 50))
    n_beats = int(slice_beats.sum()) + n_slices * n_vectors * vector_beats
    arguments = (multiply_cycles, slice_beats, vector_beats, words, n_buffers, latency_cycles)
    cycles, drain = run_times(*arguments, NONE, NONE, NO_EVENTS)
    assert drain == n_vectors * int((words + 3).sum())
    assert run_times(*arguments, latency_cycles + np.arange(n_beats), NONE, NO_EVENTS) == (cycles, drain)
    assert run_times(*arguments, NONE, np.arange(cycles // 2), NO_EVENTS) == (cycles, drain)
    # One cycle later for all: beats that come later, not for all: a receiver that lets one word wait.
    assert run_times(*arguments, latency_cycles + 1 + np.arange(n_beats), NONE, NO_EVENTS)[0] == cycles + 1
    last_word_waits = np.arange(cycles)
    last_word_waits[-1] = cycles
    assert run_times(*arguments, NONE, last_word_waits, NO_EVENTS) == (cycles + 1, drain + 1)
