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
# Ready gates are in two heaps, greatest first: those that may go at once, and those that read what the batch before
# this one makes. A key is the height of a gate, then what its number lacks of _LOW: of equal heights the first goes.
_FREE, _FRESH = 0, 1
_LOW = (1 << 32) - 1


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
    keys = (heights.astype(np.int64) << 32) | (_LOW - np.arange(n))
    missing = np.zeros(n, np.int64)  # operands not yet in a batch
    heaps, sizes, cells = np.empty((2, n), np.int64), np.zeros(2, np.int64), np.zeros(2, np.int64)
    for gate in range(n):
        for read in operands[gate]:
            missing[gate] += read >= 0
        if missing[gate] == 0:
            _add(_FREE, keys[gate], weights[gate], heaps, sizes, cells)
    order, first = np.empty(n, np.int32), np.zeros(n + 1, np.int64)
    rest, n_batches, done = weights.sum(), 0, 0
    while done < n:
        waits = _waits(heaps, sizes, cells, rest, cores, batch, times)
        limit = _piece(min(cores * batch, cells.sum()), cores, times) if waits else cores * batch
        end = _take(waits, limit, cores, batch, weights, heaps, sizes, cells, order, done)
        while sizes[_FRESH]:  # what did not go need not wait for the next batch
            gate = _LOW - (heaps[_FRESH, 0] & _LOW)
            _add(_FREE, _pop(_FRESH, weights[gate], heaps, sizes, cells), weights[gate], heaps, sizes, cells)
        for gate in order[done:end]:
            rest -= weights[gate]
            for reader in readers[start[gate] : start[gate + 1]]:
                missing[reader] -= 1
                if missing[reader] == 0:
                    _add(_FRESH, keys[reader], weights[reader], heaps, sizes, cells)
        done = end
        n_batches += 1
        first[n_batches] = done
    return order, first[: n_batches + 1].copy()


@njit(cache=True)
def _take(
    waits: bool,
    limit: int,
    cores: int,
    batch: int,
    weights: np.ndarray,
    heaps: np.ndarray,
    sizes: np.ndarray,
    cells: np.ndarray,
    order: np.ndarray,
    done: int,
) -> int:
    """Put the gates of the next batch into order[done:], of about `limit` cells; where they end."""
    skipped = np.empty(MOST_SKIPPED, np.int64)
    taken = muxes = n_skipped = 0
    while taken < limit and n_skipped < MOST_SKIPPED and (sizes[_FREE] or (waits and sizes[_FRESH])):
        of_fresh = waits and sizes[_FRESH] and (sizes[_FREE] == 0 or heaps[_FRESH, 0] > heaps[_FREE, 0])
        kind = _FRESH if of_fresh else _FREE
        gate = _LOW - (heaps[kind, 0] & _LOW)
        key = _pop(kind, weights[gate], heaps, sizes, cells)
        is_mux = weights[gate] == 2
        if taken + weights[gate] > cores * batch or muxes + is_mux > cores * (batch // 2):
            skipped[n_skipped] = key
            n_skipped += 1
            continue
        taken += weights[gate]
        muxes += is_mux
        order[done] = gate
        done += 1
    for key in skipped[:n_skipped]:
        _add(_FREE, key, 2, heaps, sizes, cells)
    return done


@njit(cache=True)
def _waits(
    heaps: np.ndarray, sizes: np.ndarray, cells: np.ndarray, rest: int, cores: int, batch: int, times: np.ndarray
) -> bool:
    """Whether the next batch waits for the one before it; `rest` are the cells of all gates that are left."""
    most = cores * batch
    if sizes[_FRESH] == 0 or cells[_FREE] >= most:
        return False
    if sizes[_FREE] == 0:
        return True
    together = min(most, cells.sum())
    wait = _wait(together, cores, times)
    top_free, top_fresh = heaps[_FREE, 0] >> 32, heaps[_FRESH, 0] >> 32
    if top_fresh >= top_free and top_fresh * (times[_ROTATION + 1] + wait) * most >= rest * times[_ROTATION + batch]:
        return True
    alone = times[_ROTATION + (cells[_FREE] + cores - 1) // cores]
    return cells[_FREE] * (wait + times[_ROTATION + (together + cores - 1) // cores]) < together * alone


@njit(cache=True)
def _piece(ready: int, cores: int, times: np.ndarray) -> int:
    """How many of the ready cells are best taken at once, where all others follow without waiting."""
    slots = (ready + cores - 1) // cores
    best, least = ready, np.iinfo(np.int64).max
    for piece in range(slots, 0, -1):
        pieces = (slots + piece - 1) // piece
        rotation = times[_ROTATION + piece]
        time = rotation + (pieces - 1) * max(rotation, _key_switch(piece, times)) + _wait(piece * cores, cores, times)
        if time < least:
            best, least = piece * cores, time
    return best


@njit(cache=True)
def _wait(ready: int, cores: int, times: np.ndarray) -> int:
    """From the end of a batch's rotation to that of a next one's load that waits for it."""
    return times[_FIXED] + _key_switch((ready + cores - 1) // cores, times) + ready * (times[_STORE] + times[_LOAD])


@njit(cache=True)
def _key_switch(slots: int, times: np.ndarray) -> int:
    return (slots + times[_KEY_SWITCHERS] - 1) // times[_KEY_SWITCHERS] * times[_KEY_SWITCH]


@njit(cache=True)
def _add(kind: int, key: int, weight: int, heaps: np.ndarray, sizes: np.ndarray, cells: np.ndarray) -> None:
    """Put a gate of `weight` cells into a heap."""
    heap, place = heaps[kind], sizes[kind]
    while place > 0 and heap[(place - 1) >> 1] < key:
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = key
    sizes[kind] += 1
    cells[kind] += weight


@njit(cache=True)
def _pop(kind: int, weight: int, heaps: np.ndarray, sizes: np.ndarray, cells: np.ndarray) -> int:
    """Take the greatest key, that of a gate of `weight` cells, out of a heap."""
    heap, size = heaps[kind], sizes[kind] - 1
    greatest, last, place = heap[0], heap[size], 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= last:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = last
    sizes[kind] = size
    cells[kind] -= weight
    return greatest
