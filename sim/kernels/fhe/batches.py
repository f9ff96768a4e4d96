"""The batches of a run (docs/fhe.md, section 3): LOAD, rotation with EXTRACT, KEY SWITCH with STORE.

How long a rotation takes depends on its slots alone where keys are not stalled: INIT waits until the ring of key rows
is as full as it gets, and from then on beats are there as soon as there is room. So it is given, and a batch is a few
sums.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner
from sim.kernels.fhe.rotation import KEY_ROWS, ROW_BEATS, STEPS, STREAMED, WORDS, rotate, take_row
from sim.kernels.receiver import drain

N_MACHINE = 5  # places of `machine`
(
    LATENCY,  # M
    OPERAND_BEATS,  # c_D
    SWITCH_BEATS,  # of the key-switching key, for each batch
    SWITCHERS,  # U
    INTERVAL,  # cycles of a rotation's bottleneck for each slot
) = range(N_MACHINE)

N_LENGTHS = 3  # columns of `lengths`
LENGTH, REFILLED, UNSTALLED = range(N_LENGTHS)

N_PHASES = 10  # where the cycles went
LOAD, KEY_FILL, INIT, ROTATION, PIPELINE, KEY_STALL, KEY_SWITCH, EXTRACT, DEPENDENCY, DRAIN = range(N_PHASES)

# Columns of `events`: first cycles of LOAD, INIT, EXTRACT, KEY SWITCH and STORE, and load_end .. store_end.
N_EVENTS = 10
(
    LOAD_FIRST, LOAD_END, INIT_FIRST, ROTATION_END, EXTRACT_FIRST, EXTRACT_END, SWITCH_FIRST, SWITCH_END, STORE_FIRST,
    STORE_END,
) = range(N_EVENTS)  # fmt: skip


@entry
def run_batches(
    batches: np.ndarray,
    machine: np.ndarray,
    lengths: np.ndarray,
    sizes: np.ndarray,
    stations: np.ndarray,
    inverse_after: np.ndarray,
    key_arrivals: np.ndarray,
    switch_arrivals: np.ndarray,
    read_arrivals: np.ndarray,
    next_ready: np.ndarray,
    events: np.ndarray,
) -> tuple[int, np.ndarray]:
    """(cycles, (N_PHASES,) int64 cycles by cause) of a whole run.

    `batches` (n_batches, 5): slots a, `after`, operands that are read, the most results of a core, results.
    `lengths` (largest a + 1, N_LENGTHS): cycles of INIT and rotation, cycles from INIT's first to the last beat of the
    first K rows of the next batch, and the former with rows that are always there. The others are those of `rotation`.
    Beat x of a key, or of all that is read, is offered from its arrival on, and what is read not before M cycles after
    its request; no arrivals (0,): nothing stalls. Memory takes a beat that is there in cycle t in cycle next_ready[t]
    (beyond the array: in t). `events` (n_batches, N_EVENTS) is filled; (0, N_EVENTS): not wanted.
    """
    n_batches = len(batches)
    phases, stored = np.zeros(N_PHASES, np.int64), np.zeros(n_batches, np.int64)
    rows = np.full(sizes[STEPS] + sizes[KEY_ROWS], -1, np.int64)
    key_there = _first_rows(sizes, machine, key_arrivals, rows)
    load_end, rotation_end, rotation_end_before, extract_end, n_read = 0, 0, 0, np.int64(-1), 0
    for batch in range(n_batches):
        n_slots, after, n_operands, most_results, n_results = batches[batch]
        wanted = max(load_end, rotation_end_before)
        dependency = stored[after - 1] if after else 0
        load_first = 1 + max(wanted, dependency)
        load_end = _read(load_first, n_operands, n_read, machine, read_arrivals) + 2
        n_read += n_operands * machine[OPERAND_BEATS]

        init_first = 1 + max(load_end, extract_end, key_there)
        waited = max(0, load_end - extract_end)
        phases[DEPENDENCY] += min(waited, max(0, dependency - wanted))
        phases[LOAD] += waited - min(waited, max(0, dependency - wanted))
        phases[KEY_FILL] += init_first - 1 - max(load_end, extract_end)

        rotation_end_before = rotation_end
        if len(key_arrivals):
            rotation_end, _ = rotate(
                sizes, stations, inverse_after, n_slots, init_first, batch * sizes[STEPS], key_arrivals, rows
            )
            if sizes[STREAMED]:
                rows[: sizes[KEY_ROWS]] = rows[sizes[STEPS] :]
                key_there = rows[sizes[KEY_ROWS] - 1]
        else:
            rotation_end = init_first + lengths[n_slots, LENGTH] - 1
            if sizes[STREAMED]:
                key_there = init_first + lengths[n_slots, REFILLED]
        phases[INIT] += n_slots * sizes[WORDS]
        phases[ROTATION] += n_slots * machine[INTERVAL]
        phases[PIPELINE] += lengths[n_slots, UNSTALLED] - n_slots * (sizes[WORDS] + machine[INTERVAL])
        phases[KEY_STALL] += rotation_end - init_first + 1 - lengths[n_slots, UNSTALLED]

        extract_first = 1 + max(rotation_end, stored[batch - 1] if batch else 0)
        extract_end = extract_first + n_slots * sizes[WORDS] + 1
        phases[KEY_SWITCH] += extract_first - 1 - rotation_end
        phases[EXTRACT] += extract_end - extract_first + 1

        interval = -(-most_results // machine[SWITCHERS])
        switch_end = _switch(extract_end + 1, interval, batch, machine, switch_arrivals) + interval + 2
        stored[batch] = drain(switch_end + 3, n_results * machine[OPERAND_BEATS], next_ready)
        if len(events):
            events[batch, LOAD_FIRST], events[batch, LOAD_END] = load_first, load_end
            events[batch, INIT_FIRST], events[batch, ROTATION_END] = init_first, rotation_end
            events[batch, EXTRACT_FIRST], events[batch, EXTRACT_END] = extract_first, extract_end
            events[batch, SWITCH_FIRST], events[batch, SWITCH_END] = extract_end + 1, switch_end
            events[batch, STORE_FIRST], events[batch, STORE_END] = switch_end + 1, stored[batch]
    phases[DRAIN] = stored[n_batches - 1] - extract_end
    return int(stored[n_batches - 1] + 1), phases


@inner
def _first_rows(sizes: np.ndarray, machine: np.ndarray, arrivals: np.ndarray, rows: np.ndarray) -> int:
    """When the last beat is taken of the last row that the first INIT waits for; `rows` of all up to it."""
    taken = np.int64(machine[LATENCY] - 1 if len(arrivals) == 0 else -1)
    for row in range(sizes[KEY_ROWS]):
        taken = take_row(taken + 1, row * sizes[ROW_BEATS], sizes, arrivals)
        rows[row] = taken
    return int(taken)


@inner
def _read(first: int, n_operands: int, n_read: int, machine: np.ndarray, arrivals: np.ndarray) -> int:
    """When the last beat of what a LOAD requests from cycle `first` on is taken."""
    taken = first + machine[LATENCY] - 1
    if len(arrivals) == 0:
        return int(taken + n_operands * machine[OPERAND_BEATS])
    for operand in range(n_operands):
        offered = first + operand + machine[LATENCY]
        for beat in range(operand * machine[OPERAND_BEATS], (operand + 1) * machine[OPERAND_BEATS]):
            taken = max(taken + 1, offered, arrivals[n_read + beat])
    return int(taken)


@inner
def _switch(first: int, interval: int, batch: int, machine: np.ndarray, arrivals: np.ndarray) -> int:
    """When the last beat of the key-switching key is taken for a batch whose key switch starts in cycle `first`."""
    n_beats = machine[SWITCH_BEATS]
    if len(arrivals) == 0:  # the first was offered long ago, and the others come faster than they are taken
        return int(first + (n_beats - 1) * interval)
    taken = first - interval
    for beat in range(batch * n_beats, (batch + 1) * n_beats):
        taken = max(taken + interval, arrivals[beat])
    return int(taken)
