"""Programs of basic blocks that many points run together, one block at a time (docs/batched.md).

Every point has a counter, the number of the block that it is at; the number after the last block is the exit. The
smallest counter of all points that are not at the exit runs next, for all points that are at it, until none is left. So
points that run ahead to a later block wait there for those behind, and go on together. A point that calls itself keeps
what it must come back to on stacks that were allocated before.

A program is one kernel of this form, with its blocks as inner functions over arrays that have a place for each point:

    while True:
        block, n_here = next_block(counters, N_BLOCKS, lanes, tally)
        if n_here == 0:
            break
        elif block == LOAD:
            _load(lanes[:n_here], counters, ...)

`lanes` is the mask as a list: a block reads and writes nothing of points that are not in it. A block moves counters on.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import inner

# Places of `tally`: blocks that were run, and points that they were run for.
N_TALLY = 2
BLOCKS_RUN, USEFUL = range(N_TALLY)


@inner
def next_block(counters: np.ndarray, n_blocks: int, lanes: np.ndarray, tally: np.ndarray) -> tuple[int, int]:
    """(block, how many points are at it), whose numbers fill `lanes` from its first place on; (n_blocks, 0) at the end.

    `counters` and `lanes` (n_points,) int32; `tally` (N_TALLY,) int64 counts up.
    """
    block = np.int32(n_blocks)
    for point in range(len(counters)):
        counter = counters[point]
        block = counter if counter < block else block
    n_here = 0
    if block == n_blocks:
        return n_blocks, n_here
    for point in range(len(counters)):
        lanes[n_here] = point
        n_here += counters[point] == block  # without a branch: what comes next writes over a point that is elsewhere
    tally[BLOCKS_RUN] += 1
    tally[USEFUL] += n_here
    return int(block), n_here


def lane_utilization(tally: np.ndarray, n_points: int) -> float:
    """Share of useful lanes in all that were there while blocks ran."""
    return float(tally[USEFUL] / (tally[BLOCKS_RUN] * n_points))
