"""Cycles of a multiply phase with a shared window of activations (docs/sparse.md, section 3), without stepping cycles.

Let E[x] be the number of multiply cycles after which every entry of columns 0..x has been multiplied. The window begins
beyond column x from cycle E[x] on, so an entry of column c may run from cycle E[c - w] on (w: the window), and
for lane l with n entries in column c

    f[l] = max(f[l], E[c - w]) + n,   E[c] = the largest f of all lanes so far

where f[l] is the number of cycles after which lane l has done what it has up to column c. Only lanes with entries in a
column change, so the work is one step for each run of entries of a lane in a column, whatever the number of cycles.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner


@entry
def runs_of_lists(
    lengths: np.ndarray, columns: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(starts, lanes, counts) of the runs: entries of one lane in one column, column after column.

    `lengths` (n_lanes,) and `columns` (n_entries,), list after list, ascending in each list. The runs of column c are
    numbers starts[c] to starts[c + 1] - 1, lanes ascending; starts (n_columns + 1,) int64, the others (n_runs,) int32.
    """
    starts = np.zeros(n_columns + 1, np.int64)
    place = 0
    for lane in range(len(lengths)):
        last = np.int64(-1)
        for _ in range(lengths[lane]):
            if columns[place] != last:
                last = columns[place]
                starts[last + 1] += 1
            place += 1
    for column in range(n_columns):
        starts[column + 1] += starts[column]
    lanes = np.empty(starts[n_columns], np.int32)
    counts = np.empty(starts[n_columns], np.int32)
    free = starts[:-1].copy()
    place = 0
    for lane in range(len(lengths)):
        end = place + lengths[lane]
        while place < end:
            column, first = columns[place], place
            while place < end and columns[place] == column:
                place += 1
            at = free[column]
            lanes[at], counts[at], free[column] = lane, place - first, at + 1
    return starts, lanes, counts


@entry
def multiply_window(
    starts: np.ndarray, lanes: np.ndarray, counts: np.ndarray, n_lanes: int, window: int
) -> tuple[int, int, int]:
    """(multiply cycles T, sum over lanes of the cycles until each has ended, h in the last cycle or -1 where T = 0).

    The runs are those of `runs_of_lists`. A lane without entries ends after 0 cycles.
    """
    n_columns = len(starts) - 1
    finished = np.zeros(n_lanes, np.int32)
    all_done = np.zeros(n_columns, np.int32)  # E
    done = np.int32(0)
    for column in range(n_columns):
        earliest = all_done[column - window] if column >= window else np.int32(0)
        for run in range(starts[column], starts[column + 1]):
            lane = lanes[run]
            end = max(finished[lane], earliest) + counts[run]
            finished[lane] = end
            done = max(done, end)
        all_done[column] = done
    n_lane_cycles = np.int64(0)
    for lane in range(n_lanes):
        n_lane_cycles += finished[lane]
    return int(done), int(n_lane_cycles), _last_head(all_done, int(done))


@inner
def _last_head(all_done: np.ndarray, done: int) -> int:
    """The first column with an entry that is multiplied in cycle done - 1."""
    if done == 0:
        return -1
    low, high = 0, len(all_done) - 1
    while low < high:
        middle = (low + high) // 2
        if all_done[middle] < done:
            low = middle + 1
        else:
            high = middle
    return low
