"""When the runs of a sparse machine begin and end (docs/sparse.md, section 3): beats, buffers, phases, results."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner
from sim.kernels.receiver import drain

PRIME, SETTLE, OUTPUT_PIPELINE = 2, 2, 3  # cycles

# Columns of `events`: cycles of the first and last beat of the slice (-1: none for this run) and of the vector, the
# first cycles of the run, of its multiply phase and of what follows that, and the last cycle of the run.
N_EVENTS = 8
SLICE_FIRST, SLICE_LAST, VECTOR_FIRST, VECTOR_LAST, STARTED, PRIMED, MULTIPLIED, ENDED = range(N_EVENTS)


@entry
def run_times(
    multiply_cycles: np.ndarray,
    slice_beats: np.ndarray,
    vector_beats: int,
    output_words: np.ndarray,
    n_buffers: int,
    latency_cycles: int,
    arrivals: np.ndarray,
    next_ready: np.ndarray,
    events: np.ndarray,
) -> tuple[int, int]:
    """(cycles, drain cycles of all runs) of the whole machine.

    `multiply_cycles` (n_slices, n_vectors); `slice_beats` and `output_words` (n_slices,), of a run the latter. Beat i
    is offered from cycle arrivals[i] on; with no arrivals (0,) from latency_cycles + i. The receiver takes a word that
    is there in cycle t in cycle next_ready[t] (beyond the array: in t). `events` (n_slices * n_vectors, N_EVENTS) is
    filled run by run; (0, N_EVENTS): not wanted.
    """
    return _times(
        multiply_cycles.ravel(), slice_beats, vector_beats, output_words, n_buffers, latency_cycles, arrivals,
        next_ready, events,
    )  # fmt: skip


@entry
def run_times_of_all(
    multiply_cycles: np.ndarray,
    first_cycles: np.ndarray,
    slice_beats: np.ndarray,
    first_beats: np.ndarray,
    output_words: np.ndarray,
    first_words: np.ndarray,
    n_slices: np.ndarray,
    n_vectors: int,
    vector_beats: np.ndarray,
    n_buffers: np.ndarray,
    latency_cycles: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(cycles, drain cycles), each (n_machines,) int64, of `run_times` on many machines, nothing stalled.

    What is read of slices lies in three pools, from first_*[machine] on; the others are (n_machines,) int64.
    """
    n_machines = len(n_slices)
    cycles, drains = np.empty(n_machines, np.int64), np.empty(n_machines, np.int64)
    always, no_events = np.zeros(0, np.int64), np.zeros((0, N_EVENTS), np.int64)
    for i in range(n_machines):
        n = n_slices[i]
        cycles[i], drains[i] = _times(
            multiply_cycles[first_cycles[i] : first_cycles[i] + n * n_vectors],
            slice_beats[first_beats[i] : first_beats[i] + n], vector_beats[i],
            output_words[first_words[i] : first_words[i] + n], n_buffers[i], latency_cycles[i], always, always,
            no_events,
        )  # fmt: skip
    return cycles, drains


@inner
def _times(
    multiply_cycles: np.ndarray,
    slice_beats: np.ndarray,
    vector_beats: int,
    output_words: np.ndarray,
    n_buffers: int,
    latency_cycles: int,
    arrivals: np.ndarray,
    next_ready: np.ndarray,
    events: np.ndarray,
) -> tuple[int, int]:
    """`run_times`, multiply cycles (n_slices * n_vectors,) of run after run."""
    n_slices = len(slice_beats)
    n_vectors = len(multiply_cycles) // n_slices
    slice_free = np.zeros(n_buffers, np.int64)  # first cycle in which a buffer takes a beat
    vector_free = np.zeros(n_buffers, np.int64)
    # No beat is taken before cycle 1.
    n_beats, taken, ended, n_drain = 0, np.int64(0), np.int64(-1), np.int64(0)
    for index in range(n_slices):
        first, loaded = np.int64(-1), np.int64(-1)
        if slice_beats[index]:
            earliest = max(taken + 1, slice_free[index % n_buffers])
            first, loaded = _take(earliest, n_beats, slice_beats[index], latency_cycles, arrivals)
            taken = loaded
            n_beats += slice_beats[index]
        for vector in range(n_vectors):
            run = index * n_vectors + vector
            earliest = max(taken + 1, vector_free[run % n_buffers])
            vector_first, taken = _take(earliest, n_beats, vector_beats, latency_cycles, arrivals)
            n_beats += vector_beats
            started = max(loaded, taken, ended) + 1
            multiplied = started + PRIME + multiply_cycles[run]
            vector_free[run % n_buffers] = multiplied
            drained = multiplied + SETTLE
            ended = drain(drained + OUTPUT_PIPELINE, output_words[index], next_ready)
            n_drain += ended + 1 - drained
            if len(events):
                events[run, SLICE_FIRST], events[run, SLICE_LAST] = (first, loaded) if vector == 0 else (-1, -1)
                events[run, VECTOR_FIRST], events[run, VECTOR_LAST] = vector_first, taken
                events[run, STARTED], events[run, PRIMED] = started, started + PRIME
                events[run, MULTIPLIED], events[run, ENDED] = multiplied, ended
        slice_free[index % n_buffers] = ended + 1
    return int(ended + 1), int(n_drain)


@inner
def _take(earliest: int, first: int, n: int, latency_cycles: int, arrivals: np.ndarray) -> tuple[int, int]:
    """The cycles in which the first and the last of n beats from number `first` on are taken."""
    if len(arrivals) == 0:
        begin = max(earliest, latency_cycles + first)
        return begin, begin + n - 1
    begin = max(earliest, int(arrivals[first]))
    taken = begin
    for beat in range(first + 1, first + n):
        taken = max(taken + 1, int(arrivals[beat]))
    return begin, taken
