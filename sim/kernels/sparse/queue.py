"""Cycles of a multiply phase with a queue of activations in front of each lane (docs/sparse.md, section 3).

Broadcast k waits for room in every queue, which is when the slowest lane has ended k - D: only the latest end of all
lanes has to be kept for D broadcasts. So a broadcast is one pass over the lanes, without cycles.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner

N_FACTS = 5
CYCLES, BROADCASTS, QUEUE_STALLS, LONGEST, ENTRY_READS = range(N_FACTS)  # columns of the answer


@entry
def multiply_queue(pointers: np.ndarray, alive: np.ndarray, depth: int, word_shift: int) -> np.ndarray:
    """(n_vectors, N_FACTS) int64: for each vector multiply cycles, broadcasts, cycles in which one waited, the longest
    lane (sum of max(1, entries) over its broadcasts) and words of 2^word_shift entries read from lane memories.

    `pointers` (n_columns + 1, n_lanes) int32: the first entry of each lane in each column; `alive`
    (n_vectors, n_columns) bool: what is broadcast.
    """
    n_columns, n_lanes = pointers.shape[0] - 1, pointers.shape[1]
    found = np.zeros((len(alive), N_FACTS), np.int64)
    ends = np.empty(n_lanes, np.int32)  # F of the last broadcast
    works = np.empty(n_lanes, np.int32)
    words = np.empty(n_lanes, np.int32)  # word that each lane read last
    latest = np.empty(depth, np.int32)  # the largest F of each of the last `depth` broadcasts
    for vector in range(len(alive)):
        ends[:], works[:], words[:] = 0, 0, -1
        broadcast, n_broadcasts, n_reads, last = -1, 0, 0, -1
        for column in range(n_columns):
            if not alive[vector, column]:
                continue
            broadcast += 1
            if n_broadcasts >= depth:
                broadcast = max(broadcast, latest[n_broadcasts % depth] + 1)
            last = _work(pointers[column], pointers[column + 1], np.int32(broadcast), ends, works)
            n_reads += _read(pointers[column], pointers[column + 1], word_shift, words)
            latest[n_broadcasts % depth] = last
            n_broadcasts += 1
        found[vector, CYCLES] = last + 1
        found[vector, BROADCASTS] = n_broadcasts
        found[vector, QUEUE_STALLS] = broadcast + 1 - n_broadcasts
        found[vector, LONGEST] = works.max()
        found[vector, ENTRY_READS] = n_reads
    return found


@inner
def _work(first: np.ndarray, end: np.ndarray, broadcast: int, ends: np.ndarray, works: np.ndarray) -> int:
    """Every lane works on one broadcast; the last cycle of the slowest."""
    one = np.int32(1)  # numba's arithmetic is wider than its operands: casts keep the loop in vectors of 32 bits
    last = np.int32(0)
    for lane in range(len(ends)):
        n_entries = np.int32(end[lane] - first[lane])
        step = n_entries if n_entries > one else one
        ended = ends[lane]
        ended = np.int32((ended if ended > broadcast else broadcast) + step)
        ends[lane] = ended
        works[lane] = np.int32(works[lane] + step)
        last = ended if ended > last else last
    return int(last)


@inner
def _read(first: np.ndarray, end: np.ndarray, word_shift: int, words: np.ndarray) -> int:
    """Words that the lanes read for the entries of one broadcast: those after the word that each of them holds."""
    zero, one = np.int32(0), np.int32(1)
    shift = word_shift & 31  # known to be small, it does not widen the loop
    n_reads = zero
    for lane in range(len(words)):
        held = words[lane]
        low = np.int32(first[lane] >> shift)
        high = np.int32(np.int32(end[lane] - one) >> shift)
        high = high if end[lane] > first[lane] else np.int32(-1)
        following = np.int32(held + one)
        n_words = np.int32(high - (low if low > following else following) + one)
        n_reads = np.int32(n_reads + (n_words if n_words > zero else zero))
        words[lane] = high if high > held else held
    return int(n_reads)
