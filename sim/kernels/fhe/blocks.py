"""Rotations and batches as programs of basic blocks, many points together (docs/batched.md).

The same recurrences as in rotation.py and batches.py, nothing stalled. benchmarks/bench_batched.py measures them beside
the forms that the simulator takes.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.blocks import next_block
from sim.kernels.compiled import entry, inner
from sim.kernels.fhe import batches as b
from sim.kernels.fhe import machines as m
from sim.kernels.fhe import rotation as r
from sim.kernels.fhe.rotation import AHEAD, BUSY, N_COLUMNS, N_SIZES, ROOM
from sim.kernels.fhe.stations import INVERSE_GROUPS, MOST_RANKS, RANKS, STEPS, fill_tables

_LONG_AGO = -(1 << 60)
_KEPT = 8  # states, and so the longest period that is seen

# A job at a station before MAC; at MAC; at one after it; the end of a slot's turn; the end of a step.
FORWARD, MULTIPLY, INVERSE, SLOT, STEP, N_ROTATION_BLOCKS = range(6)

# Rows of a point's place in the program.
_N_PLACE = 10
_STATION, _STARTED, _GROUP, _JOB, _MULTIPLIED, _SLOT, _STEP, _OLDEST, _NATURAL, _FREED = range(_N_PLACE)


@entry
def rotate_in_blocks(
    shapes: np.ndarray, slots: np.ndarray, streamed: np.ndarray, tally: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(rot_end, when the last row was there), each (n,) int64, of rotations whose INIT starts in cycle 0.

    `shapes` (n, stations.N_SHAPE), `slots` (n,); not `streamed` (n,) bool: rows of the key are always there. Leaps over
    steps as `rotate` does.
    """
    n, most_steps = len(shapes), shapes[:, STEPS].max() if len(shapes) else 0
    sizes = np.zeros((N_SIZES, n), np.int64)
    n_stations, most_slots = 2 * MOST_RANKS + 3, slots.max() if n else 0
    stations = np.zeros((n_stations, N_COLUMNS, n), np.int64)
    inverse_after = np.zeros((shapes[:, INVERSE_GROUPS].max() if n else 0, n), np.int64)
    n_state = 2 * n_stations + 2 + most_slots
    state = np.full((n_state, n), _LONG_AGO, np.int64)
    kept = np.empty((_KEPT, n_state, n), np.int64)
    natural, freed = np.empty((most_steps, n), np.int64), np.empty((most_steps, n), np.int64)
    loaded = np.full((2 * most_steps, n), -1, np.int64)
    place = np.zeros((_N_PLACE, n), np.int64)
    counters, lanes = np.zeros(n, np.int32), np.zeros(n, np.int32)
    of_point = np.zeros((n_stations, N_COLUMNS), np.int64)
    sizes_of_point, after_of_point = np.zeros(N_SIZES, np.int64), np.zeros(len(inverse_after), np.int64)
    for point in range(n):
        fill_tables(shapes[point], sizes_of_point, of_point, after_of_point)
        sizes[:, point], stations[:, :, point], inverse_after[:, point] = sizes_of_point, of_point, after_of_point
        sizes[r.STREAMED, point] &= streamed[point]
        state[_stored(shapes[point]) :, point] = slots[point] * sizes[r.WORDS, point]
        _begin(point, sizes, state, place)
    while True:
        block, n_here = next_block(counters, N_ROTATION_BLOCKS, lanes, tally)
        if n_here == 0:
            break
        here = lanes[:n_here]
        if block == FORWARD:
            _forward(here, counters, sizes, stations, state, place)
        elif block == MULTIPLY:
            _multiply(here, counters, sizes, stations, state, loaded, inverse_after, place)
        elif block == INVERSE:
            _inverse(here, counters, sizes, stations, state, inverse_after, place)
        elif block == SLOT:
            _slot(here, counters, sizes, stations, slots, state, place)
        else:
            _step(here, counters, sizes, slots, state, kept, natural, freed, loaded, place)
    ends, rows = np.empty(n, np.int64), np.empty(n, np.int64)
    for point in range(n):
        ends[point] = state[_stored(shapes[point]) + slots[point] - 1, point]
        rows[point] = loaded[sizes[r.STEPS, point] + sizes[r.KEY_ROWS, point] - 1, point]
    return ends, rows


@inner
def _stored(shape: np.ndarray) -> int:
    """The first row of a point's state in which the ends of slots are; those of its last two sums are before it."""
    return int(2 * (2 * shape[RANKS] + 3) + 2)


@inner
def _sums(sizes: np.ndarray, point: int) -> int:
    return int(4 * sizes[r.MAC, point] + 2)  # 2 n_stations, which are 2 MAC + 1


@inner
def _begin(point: int, sizes: np.ndarray, state: np.ndarray, place: np.ndarray) -> None:
    """A job of ROT for the group that is next."""
    place[_STATION, point] = 0
    place[_STARTED, point] = state[_sums(sizes, point) + 2 + place[_SLOT, point], point]


@inner
def _forward(
    lanes: np.ndarray, counters: np.ndarray, sizes: np.ndarray, stations: np.ndarray, state: np.ndarray,
    place: np.ndarray,
) -> None:  # fmt: skip
    for point in lanes:
        station, started = place[_STATION, point], place[_STARTED, point]
        started = max(started, state[2 * station + 1, point] + stations[station, BUSY, point])
        started = max(started, state[2 * station + 2, point] + stations[station, ROOM, point])
        state[2 * station, point], state[2 * station + 1, point] = state[2 * station + 1, point], started
        place[_STARTED, point] = started + stations[station, AHEAD, point]
        place[_STATION, point] = station + 1
        counters[point] = MULTIPLY if station + 1 == sizes[r.MAC, point] else FORWARD


@inner
def _multiply(
    lanes: np.ndarray, counters: np.ndarray, sizes: np.ndarray, stations: np.ndarray, state: np.ndarray,
    loaded: np.ndarray, inverse_after: np.ndarray, place: np.ndarray,
) -> None:  # fmt: skip
    for point in lanes:
        mac = sizes[r.MAC, point]
        started = max(place[_STARTED, point], state[2 * mac + 1, point] + stations[mac, BUSY, point])
        if place[_GROUP, point] == 0:
            started = max(started, state[_sums(sizes, point), point] + sizes[r.SUM_ROOM, point])
            if place[_SLOT, point] == 0:
                place[_NATURAL, point] = started
                started = max(started, loaded[place[_STEP, point], point] + 1)
        state[2 * mac, point], state[2 * mac + 1, point] = state[2 * mac + 1, point], started
        place[_GROUP, point] += 1
        if place[_GROUP, point] < sizes[r.GROUPS, point]:
            _begin(point, sizes, state, place)
            counters[point] = FORWARD
        else:
            place[_MULTIPLIED, point], place[_JOB, point] = started, 0
            place[_STARTED, point], place[_STATION, point] = started + inverse_after[0, point], mac + 1
            counters[point] = INVERSE


@inner
def _inverse(
    lanes: np.ndarray, counters: np.ndarray, sizes: np.ndarray, stations: np.ndarray, state: np.ndarray,
    inverse_after: np.ndarray, place: np.ndarray,
) -> None:  # fmt: skip
    for point in lanes:
        station, started, last = place[_STATION, point], place[_STARTED, point], 2 * sizes[r.MAC, point]
        started = max(started, state[2 * station + 1, point] + stations[station, BUSY, point])
        if station < last:
            started = max(started, state[2 * station + 2, point] + stations[station, ROOM, point])
        state[2 * station, point], state[2 * station + 1, point] = state[2 * station + 1, point], started
        place[_STARTED, point] = started + stations[station, AHEAD, point]
        place[_STATION, point] = station + 1
        if station == last:
            job = place[_JOB, point] + 1
            place[_JOB, point], place[_STATION, point] = job, sizes[r.MAC, point] + 1
            if job == sizes[r.INVERSES, point]:
                counters[point] = SLOT
            else:
                place[_STARTED, point] = place[_MULTIPLIED, point] + inverse_after[job, point]


@inner
def _slot(
    lanes: np.ndarray, counters: np.ndarray, sizes: np.ndarray, stations: np.ndarray, slots: np.ndarray,
    state: np.ndarray, place: np.ndarray,
) -> None:  # fmt: skip
    for point in lanes:
        sums, mac, slot = _sums(sizes, point), sizes[r.MAC, point], place[_SLOT, point]
        state[sums, point], state[sums + 1, point] = state[sums + 1, point], state[2 * mac + 3, point]
        state[sums + 2 + slot, point] = state[sums - 1, point] + 2 + sizes[r.WORDS, point] - 1
        place[_SLOT, point], place[_GROUP, point] = slot + 1, 0
        if slot + 1 < slots[point]:
            _begin(point, sizes, state, place)
            counters[point] = FORWARD
        else:
            place[_FREED, point] = state[2 * mac + 1, point] + stations[mac, BUSY, point]
            counters[point] = STEP


@inner
def _step(
    lanes: np.ndarray, counters: np.ndarray, sizes: np.ndarray, slots: np.ndarray, state: np.ndarray,
    kept: np.ndarray, natural: np.ndarray, freed: np.ndarray, loaded: np.ndarray, place: np.ndarray,
) -> None:  # fmt: skip
    """The row that the step frees, and all steps that are equal to earlier ones."""
    for point in lanes:
        step, n_steps, n_state = place[_STEP, point], sizes[r.STEPS, point], _sums(sizes, point) + 2 + slots[point]
        natural[step, point], freed[step, point] = place[_NATURAL, point], place[_FREED, point]
        _load(point, step, sizes, freed, loaded)
        for i in range(n_state):
            kept[step % _KEPT, i, point] = state[i, point]
        step += 1
        period = _period(kept, step - 1, place[_OLDEST, point], n_state, point)
        if period:
            moved = kept[(step - 1) % _KEPT, 0, point] - kept[(step - 1 - period) % _KEPT, 0, point]
            last = step
            while step < n_steps:
                before = max(natural[step - period, point], loaded[step - period, point] + 1)
                if max(natural[step - period, point] + moved, loaded[step, point] + 1) != before + moved:
                    break
                natural[step, point] = natural[step - period, point] + moved
                freed[step, point] = freed[step - period, point] + moved
                _load(point, step, sizes, freed, loaded)
                step += 1
            n_periods = (step - last + period - 1) // period
            for i in range(n_state):
                state[i, point] = kept[(step - 1 - n_periods * period) % _KEPT, i, point] + n_periods * moved
                kept[(step - 1) % _KEPT, i, point] = state[i, point]
            place[_OLDEST, point] = step - 1
        place[_STEP, point], place[_SLOT, point], place[_GROUP, point] = step, 0, 0
        _begin(point, sizes, state, place)
        counters[point] = FORWARD if step < n_steps else N_ROTATION_BLOCKS


@inner
def _load(point: int, step: int, sizes: np.ndarray, freed: np.ndarray, loaded: np.ndarray) -> None:
    if sizes[r.STREAMED, point]:
        row = step + sizes[r.KEY_ROWS, point]
        loaded[row, point] = max(loaded[row - 1, point] + 1, freed[step, point]) + sizes[r.ROW_BEATS, point] - 1


@inner
def _period(kept: np.ndarray, step: int, oldest: int, n_state: int, point: int) -> int:
    """The fewest steps before `step` of which the state was the same but for time; 0 where none is kept."""
    for period in range(1, min(_KEPT, step - oldest + 1)):
        moved = kept[step % _KEPT, 0, point] - kept[(step - period) % _KEPT, 0, point]
        equal = True
        for i in range(n_state):
            if kept[step % _KEPT, i, point] - kept[(step - period) % _KEPT, i, point] != moved:
                equal = False
                break
        if equal:
            return period
    return 0


LOAD, ROTATE, STORE, N_BATCH_BLOCKS = range(4)

# Rows of what a point carries from block to block.
_N_CARRIED = 7
_BATCH, _LOAD_END, _ROTATION_END, _BEFORE, _EXTRACT_END, _KEY_THERE, _INIT_FIRST = range(_N_CARRIED)


@entry
def run_batches_in_blocks(
    batches: np.ndarray,
    first: np.ndarray,
    n_batches: np.ndarray,
    machines: np.ndarray,
    lengths: np.ndarray,
    slot_kinds: np.ndarray,
    tally: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """(cycles (n,), phases (N_PHASES, n)) int64: point i runs batches[first[i] : first[i] + n_batches[i]].

    `batches` (all, 5) as `run_batches` has it; `slot_kinds` (all,) the first place of each batch's kind in `lengths`
    (n_kinds, machines.N_LENGTHS, n); `machines` (machines.N_MACHINE, n).
    """
    n = len(first)
    phases = np.zeros((b.N_PHASES, n), np.int64)
    carried = np.zeros((_N_CARRIED, n), np.int64)
    stored = np.zeros((n_batches.max() + 1 if n else 1, n), np.int64)
    counters, lanes = np.zeros(n, np.int32), np.zeros(n, np.int32)
    for point in range(n):
        carried[_EXTRACT_END, point], carried[_KEY_THERE, point] = -1, machines[m.KEY_THERE, point]
    while True:
        block, n_here = next_block(counters, N_BATCH_BLOCKS, lanes, tally)
        if n_here == 0:
            break
        here = lanes[:n_here]
        if block == LOAD:
            _load_batch(here, counters, batches, first, machines, stored, carried, phases)
        elif block == ROTATE:
            _rotate_batch(here, counters, batches, first, machines, lengths, slot_kinds, carried, phases)
        else:
            _store_batch(
                here, counters, batches, first, n_batches, machines, lengths, slot_kinds, stored, carried, phases
            )
    cycles = np.empty(n, np.int64)
    for point in range(n):
        cycles[point] = stored[n_batches[point], point] + 1
        phases[b.DRAIN, point] = cycles[point] - 1 - carried[_EXTRACT_END, point]
    return cycles, phases


@inner
def _load_batch(
    lanes: np.ndarray, counters: np.ndarray, batches: np.ndarray, first: np.ndarray, machines: np.ndarray,
    stored: np.ndarray, carried: np.ndarray, phases: np.ndarray,
) -> None:  # fmt: skip
    for point in lanes:
        batch = first[point] + carried[_BATCH, point]
        wanted = max(carried[_LOAD_END, point], carried[_BEFORE, point])
        dependency = stored[batches[batch, 1], point]
        beats = batches[batch, 2] * machines[m.OPERAND_BEATS, point]
        load_end = max(wanted, dependency) + machines[m.LATENCY, point] + beats + 2
        before = carried[_EXTRACT_END, point]
        ready = max(load_end, before)
        of_operands = min(ready - before, max(dependency, wanted) - wanted)
        phases[b.DEPENDENCY, point] += of_operands
        phases[b.LOAD, point] += ready - before - of_operands
        carried[_LOAD_END, point] = load_end
        carried[_INIT_FIRST, point] = 1 + max(ready, carried[_KEY_THERE, point])
        phases[b.KEY_FILL, point] += carried[_INIT_FIRST, point] - 1 - ready
        counters[point] = ROTATE


@inner
def _rotate_batch(
    lanes: np.ndarray, counters: np.ndarray, batches: np.ndarray, first: np.ndarray, machines: np.ndarray,
    lengths: np.ndarray, slot_kinds: np.ndarray, carried: np.ndarray, phases: np.ndarray,
) -> None:  # fmt: skip
    for point in lanes:
        batch = first[point] + carried[_BATCH, point]
        kind, n_slots, init_first = slot_kinds[batch], batches[batch, 0], carried[_INIT_FIRST, point]
        length, unstalled = lengths[kind, m.LENGTH, point], lengths[kind, m.UNSTALLED, point]
        carried[_BEFORE, point] = carried[_ROTATION_END, point]
        carried[_ROTATION_END, point] = init_first + length - 1
        if lengths[kind, m.REFILLED, point] >= 0:
            carried[_KEY_THERE, point] = init_first + lengths[kind, m.REFILLED, point]
        init, rotation = n_slots * machines[m.WORDS, point], n_slots * machines[m.INTERVAL, point]
        phases[b.INIT, point] += init
        phases[b.ROTATION, point] += rotation
        phases[b.PIPELINE, point] += unstalled - init - rotation
        phases[b.KEY_STALL, point] += length - unstalled
        counters[point] = STORE


@inner
def _store_batch(
    lanes: np.ndarray, counters: np.ndarray, batches: np.ndarray, first: np.ndarray, n_batches: np.ndarray,
    machines: np.ndarray, lengths: np.ndarray, slot_kinds: np.ndarray, stored: np.ndarray, carried: np.ndarray,
    phases: np.ndarray,
) -> None:  # fmt: skip
    for point in lanes:
        number = carried[_BATCH, point]
        batch = first[point] + number
        rotation_end, init = carried[_ROTATION_END, point], batches[batch, 0] * machines[m.WORDS, point]
        begin = max(rotation_end, stored[number, point])
        phases[b.KEY_SWITCH, point] += begin - rotation_end
        phases[b.EXTRACT, point] += init + 2
        extract_end = begin + init + 2
        carried[_EXTRACT_END, point] = extract_end
        switch = machines[m.SWITCH_BEATS, point] * lengths[slot_kinds[batch], m.SWITCH_INTERVAL, point]
        results = batches[batch, 4] * machines[m.OPERAND_BEATS, point]
        stored[number + 1, point] = extract_end + switch + results + 5
        carried[_BATCH, point] = number + 1
        counters[point] = LOAD if number + 1 < n_batches[point] else N_BATCH_BLOCKS
