"""Which gates a bootstrapping machine does together, and in which order: list scheduling of a circuit into batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from designs.families.fhe import Design

# What the schedule is told of time, as one array: positions in it (see `estimates`).
_KEY_SWITCH, _KEY_SWITCHERS, _STORE, _LOAD, _FIXED, _ROTATION = range(6)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gates:
    """The gates that bootstrap, in topological order, without the NOTs between them. Gate i is number i here."""

    operands: np.ndarray  # (n, 3) int32: gates, or -1 where the operand is an input of the circuit or there is none
    weights: np.ndarray  # (n,) int64: cells that the gate takes, 1, or 2 for a MUX


@dataclass(frozen=True, kw_only=True, eq=False)
class Schedule:
    """Gates in batches. Those of batch b are order[first[b]:first[b + 1]]."""

    order: np.ndarray  # (n,) int32: gates by batch
    first: np.ndarray  # (n_batches + 1,) int64
    after: np.ndarray  # (n_batches,) int64: the least number of batches whose results batch b reads


def schedule_gates(design: Design, gates: Gates) -> Schedule:
    """Batches of at most cores x batch cells in which no gate reads one of its own batch, by the design's policy.

    `wide_first` goes level by level (levels as early as can be); a batch never holds gates of two levels, and those of
    a level go in the order in which their operands were made. `critical_path` takes of all gates that are ready those
    with the longest path after them, and decides for each batch whether it waits for the results of the one before it,
    or is made of gates that need not, which overlap with that one's key switch: by which of the two does more in its
    time (`estimates`), and, while the longest path outweighs the remaining work, by waiting for it. What waits goes in
    pieces, where rotations of fewer slots are shorter: the key switch of one overlaps with the rotation of the next.
    """
    most_muxes = design.cores * (design.batch // 2)
    if design.schedule == "wide_first":
        levels = levels_of_gates(gates.operands)
        order, first = _wide_first(gates.operands, gates.weights, levels, design.cores * design.batch, most_muxes)
    else:
        heights = heights_of_gates(gates.operands)
        start, readers = _readers(gates.operands)
        order, first = _critical_path(
            gates.operands, gates.weights, heights, start, readers, design.cores, design.batch, estimates(design)
        )
    return Schedule(order=order, first=first, after=_after(gates.operands, order, first))


def estimates(design: Design) -> np.ndarray:
    """What a batch takes, about: the schedule's choices rest on it, cycles do not (docs/fhe.md has those).

    int64: cycles of a key switch of up to `key_switchers` results a core, key_switchers, cycles to store a result, to
    load a cell, of a wait besides these; then rotations of 0, 1, .. batch slots.
    """
    p, words = design.parameters, design.poly_words
    jobs = design.n_groups
    interval = max(words, words // 2 + 3 + design.multiplier_stages)
    ranks = [(stages - 1) * interval + words for stages in design.rank_stages]
    slot = max(jobs * max(*ranks, words * design.column_passes), design.inverse_groups * max(*ranks, words))
    way = sum((stages - 1) * interval + design.multiplier_stages + 2 + words // 2 + 1 for stages in design.rank_stages)
    latency = slot + 2 * way + 2 * words + words * design.column_passes
    step = np.maximum(np.maximum(slot * np.arange(design.batch + 1), design.row_beats), latency)
    key_switch = p.glwe_dimension * p.ring_degree * p.key_switch_levels * design.key_switch_chunks
    beats = design.ciphertext_beats
    head = [key_switch, design.key_switchers, beats, 2 * beats, design.memory_latency_cycles]
    return np.concatenate([head, p.lwe_dimension * step]).astype(np.int64)


@njit(cache=True)
def levels_of_gates(operands: np.ndarray) -> np.ndarray:
    """(n,) int32: 0 for gates that read inputs only, else one more than the latest that they read."""
    levels = np.zeros(len(operands), np.int32)
    for gate in range(len(operands)):
        for read in operands[gate]:
            if read >= 0:
                levels[gate] = max(levels[gate], levels[read] + 1)
    return levels


@njit(cache=True)
def heights_of_gates(operands: np.ndarray) -> np.ndarray:
    """(n,) int32: gates on the longest path that begins with this one."""
    heights = np.ones(len(operands), np.int32)
    for gate in range(len(operands) - 1, -1, -1):
        for read in operands[gate]:
            if read >= 0:
                heights[read] = max(heights[read], heights[gate] + 1)
    return heights


@njit(cache=True)
def _readers(operands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Readers of gate i are readers[start[i]:start[i + 1]], one for each place that reads it."""
    start = np.zeros(len(operands) + 1, np.int64)
    for gate in range(len(operands)):
        for read in operands[gate]:
            if read >= 0:
                start[read + 1] += 1
    start = np.cumsum(start)
    place = start.copy()
    readers = np.empty(start[-1], np.int32)
    for gate in range(len(operands)):
        for read in operands[gate]:
            if read >= 0:
                readers[place[read]] = gate
                place[read] += 1
    return start, readers


@njit(cache=True)
def _after(operands: np.ndarray, order: np.ndarray, first: np.ndarray) -> np.ndarray:
    batch_of = np.empty(len(order), np.int64)
    for batch in range(len(first) - 1):
        batch_of[order[first[batch] : first[batch + 1]]] = batch
    after = np.zeros(len(first) - 1, np.int64)
    for gate in range(len(order)):
        for read in operands[gate]:
            if read >= 0:
                after[batch_of[gate]] = max(after[batch_of[gate]], batch_of[read] + 1)
    return after


@njit(cache=True)
def _wide_first(
    operands: np.ndarray, weights: np.ndarray, levels: np.ndarray, most_cells: int, most_muxes: int
) -> tuple[np.ndarray, np.ndarray]:
    n = len(operands)
    by_level = np.argsort(levels, kind="mergesort")
    made = np.full(n, -1, np.int64)  # the batch of a gate
    order, first = np.empty(n, np.int32), np.zeros(n + 1, np.int64)
    n_batches = done = 0
    while done < n:
        end = done
        while end < n and levels[by_level[end]] == levels[by_level[done]]:
            end += 1
        here = by_level[done:end]
        latest = np.full(end - done, -1, np.int64)
        for index in range(end - done):
            for read in operands[here[index]]:
                if read >= 0:
                    latest[index] = max(latest[index], made[read])
        here = here[np.argsort(latest, kind="mergesort")]
        cells = muxes = 0
        for index in range(end - done):
            gate = here[index]
            weight = weights[gate]
            if index and (cells + weight > most_cells or muxes + (weight == 2) > most_muxes):
                n_batches += 1
                first[n_batches] = done + index
                cells = muxes = 0
            cells += weight
            muxes += weight == 2
            made[gate] = n_batches
            order[done + index] = gate
        done = end
        n_batches += 1
        first[n_batches] = done
    return order, first[: n_batches + 1].copy()


# --- critical path ---

MOST_SKIPPED = 64  # ready MUXes at most that are passed over to fill the last places of a batch


@njit(cache=True)
def _push(heap: np.ndarray, size: int, key: int) -> int:
    """Heaps of keys, greatest first; the new size."""
    place = size
    while place > 0 and heap[(place - 1) >> 1] < key:
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = key
    return size + 1


@njit(cache=True)
def _pop(heap: np.ndarray, size: int) -> int:
    """Take the greatest key out; the new size."""
    size -= 1
    key = heap[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= key:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key
    return size


@njit(cache=True)
def _key_switch(slots: int, times: np.ndarray) -> int:
    return (slots + times[_KEY_SWITCHERS] - 1) // times[_KEY_SWITCHERS] * times[_KEY_SWITCH]


@njit(cache=True)
def _wait(cells: int, cores: int, times: np.ndarray) -> int:
    """From the end of a batch's rotation to that of a next one's load that waits for it."""
    return times[_FIXED] + _key_switch((cells + cores - 1) // cores, times) + cells * (times[_STORE] + times[_LOAD])


@njit(cache=True)
def _piece(cells: int, cores: int, times: np.ndarray) -> int:
    """How many of the ready cells are best taken at once, where all others follow without waiting."""
    slots = (cells + cores - 1) // cores
    best, least = cells, np.iinfo(np.int64).max
    for piece in range(slots, 0, -1):
        pieces = (slots + piece - 1) // piece
        rotation = times[_ROTATION + piece]
        time = rotation + (pieces - 1) * max(rotation, _key_switch(piece, times)) + _wait(piece * cores, cores, times)
        if time < least:
            best, least = piece * cores, time
    return best


@njit(cache=True)
def _waits(
    ready: tuple[int, int], tops: tuple[int, int], rest: int, cores: int, batch: int, times: np.ndarray
) -> bool:
    """Whether the next batch waits for the one before it.

    `ready` are the cells of gates that need not wait, and of those that must; `tops` their greatest heights; `rest` the
    cells of all gates that are left.
    """
    free_cells, fresh_cells = ready
    free_top, fresh_top = tops
    most = cores * batch
    if fresh_cells == 0 or free_cells >= most:
        return False
    if free_cells == 0:
        return True
    together = min(most, free_cells + fresh_cells)
    wait = _wait(together, cores, times)
    path = max(free_top, fresh_top) * (times[_ROTATION + 1] + wait)
    if fresh_top >= free_top and path * most >= rest * times[_ROTATION + batch]:
        return True
    alone = times[_ROTATION + (free_cells + cores - 1) // cores]
    return free_cells * (wait + times[_ROTATION + (together + cores - 1) // cores]) < together * alone


@njit(cache=True)
def _critical_path(
    operands: np.ndarray,
    weights: np.ndarray,
    heights: np.ndarray,
    start: np.ndarray,
    readers: np.ndarray,
    cores: int,
    batch: int,
    times: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    n = len(operands)
    most_cells, most_muxes = cores * batch, cores * (batch // 2)
    missing = np.zeros(n, np.int64)  # operands not yet in a batch
    free, fresh = np.empty(n, np.int64), np.empty(n, np.int64)  # ready; fresh read what the batch before makes
    n_free = n_fresh = free_cells = fresh_cells = 0
    low = (1 << 32) - 1
    rest = weights.sum()
    for gate in range(n):
        for read in operands[gate]:
            missing[gate] += read >= 0
        if missing[gate] == 0:
            n_free = _push(free, n_free, (np.int64(heights[gate]) << 32) | (low - gate))
            free_cells += weights[gate]
    order, first = np.empty(n, np.int32), np.zeros(n + 1, np.int64)
    skipped = np.empty(MOST_SKIPPED, np.int64)
    n_batches = done = 0
    while done < n:
        tops = (free[0] >> 32 if n_free else 0, fresh[0] >> 32 if n_fresh else 0)
        wait = _waits((free_cells, fresh_cells), tops, rest, cores, batch, times)
        cells = muxes = n_skipped = 0
        begin = done
        limit = _piece(min(most_cells, free_cells + fresh_cells), cores, times) if wait else most_cells
        while cells < limit and n_skipped < MOST_SKIPPED and (n_free or (wait and n_fresh)):
            of_fresh = wait and n_fresh > 0 and (n_free == 0 or fresh[0] > free[0])
            key = fresh[0] if of_fresh else free[0]
            gate = low - (key & low)
            weight = weights[gate]
            if of_fresh:
                n_fresh = _pop(fresh, n_fresh)
                fresh_cells -= weight
            else:
                n_free = _pop(free, n_free)
                free_cells -= weight
            if cells + weight > most_cells or muxes + (weight == 2) > most_muxes:
                skipped[n_skipped] = key
                n_skipped += 1
                continue
            cells += weight
            muxes += weight == 2
            order[done] = gate
            done += 1
        for index in range(n_skipped):
            n_free = _push(free, n_free, skipped[index])
            free_cells += weights[low - (skipped[index] & low)]
        for index in range(n_fresh):
            n_free = _push(free, n_free, fresh[index])
        free_cells += fresh_cells
        n_fresh = fresh_cells = 0
        for place in range(begin, done):
            gate = order[place]
            for reader in readers[start[gate] : start[gate + 1]]:
                missing[reader] -= 1
                if missing[reader] == 0:
                    n_fresh = _push(fresh, n_fresh, (np.int64(heights[reader]) << 32) | (low - reader))
                    fresh_cells += weights[reader]
        rest -= cells
        n_batches += 1
        first[n_batches] = done
    return order, first[: n_batches + 1].copy()
