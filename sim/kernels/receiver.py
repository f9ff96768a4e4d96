"""A stream of words out of a machine, and the receiver that takes one a cycle where it is ready."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import inner


def next_ready(ready: np.ndarray) -> np.ndarray:
    """(n,) int64: for each cycle the first from it on in which the receiver is ready; n where none of these is."""
    cycles = np.where(ready, np.arange(len(ready)), len(ready))
    return np.ascontiguousarray(np.minimum.accumulate(cycles[::-1])[::-1], np.int64)


@inner
def drain(first: int, n: int, ready: np.ndarray) -> int:
    """The cycle in which the last of n words is taken, the first of which is there in cycle `first`.

    The receiver takes a word that is there in cycle t in cycle ready[t], of `next_ready`; beyond the array, in t.
    """
    taken = np.int64(first - 1)
    for word in range(n):
        if taken + 1 >= len(ready):
            return int(taken + n - word)
        taken = ready[taken + 1]
    return int(taken)
