"""One program on many machines at a time (docs/batched.md): the recurrence of `run_batches`, batch by batch for all.

Nothing stalls: keys and operands come as soon as they can, and memory takes results at once. Then all machines go
through the same batches: points never diverge, and a batch is a loop over machines without branches or gathers.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry
from sim.kernels.fhe import batches as b

N_MACHINE = 6  # rows of `machines`
(
    LATENCY,  # M
    OPERAND_BEATS,  # c_D
    INTERVAL,  # cycles of a rotation's bottleneck for each slot
    WORDS,  # W
    KEY_THERE,  # when the last beat is taken of the first K rows
    SWITCH_BEATS,  # of the key-switching key, for each batch
) = range(N_MACHINE)

N_LENGTHS = 4  # of each kind of batch: those of `run_batches`, and cycles from one key-switching beat to the next
LENGTH, REFILLED, UNSTALLED, SWITCH_INTERVAL = range(N_LENGTHS)  # REFILLED: -1 where all rows stay

TOGETHER = 128  # machines; measured best between 32 and 512: what they carry stays near

# Rows of what the kernel works on: the machines', how far they are, causes that take turns.
_LATENCY, _BEATS, _LOAD_END, _ROTATION_END, _BEFORE, _EXTRACT_END, _KEY_END = range(7)
_WAITED, _DEPENDENCY, _KEY_FILL, _KEY_SWITCH = range(7, 11)
_N_WORK = 11
_LENGTH, _REFILLED, _INIT, _SWITCH, _N_KIND = range(5)


@entry
def run_machines(
    batches: np.ndarray, kinds: np.ndarray, machines: np.ndarray, lengths: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(cycles (n_machines,), phases (N_PHASES, n_machines)) int64 of a whole run on each machine.

    `batches` (n_batches, 5) as `run_batches` has it, `kinds` (n_batches,) the kind of each, `machines`
    (N_MACHINE, n_machines), `lengths` (n_kinds, N_LENGTHS, n_machines). Batches of a kind have equally many slots.
    """
    n_machines, n_batches, n_kinds = machines.shape[1], len(batches), len(lengths)
    cycles, phases = np.empty(n_machines, np.int64), np.zeros((b.N_PHASES, n_machines), np.int64)
    slots, n_of_kind = np.zeros(n_kinds, np.int64), np.zeros(n_kinds, np.int64)
    for batch in range(n_batches):
        slots[kinds[batch]] = batches[batch, 0]
        n_of_kind[kinds[batch]] += 1
    # Widths are known to the compiler: so it sees that rows do not overlap.
    work = np.empty((_N_WORK, TOGETHER), np.int64)
    of_kinds = np.zeros((n_kinds, _N_KIND, TOGETHER), np.int64)
    stored = np.empty((n_batches + 1, TOGETHER), np.int64)  # when batch i - 1 was, in row i; row 0: nothing, never
    for first in range(0, n_machines, TOGETHER):
        n = min(TOGETHER, n_machines - first)
        work[:], stored[0] = 0, 0
        for point in range(n):
            machine = machines[:, first + point]
            work[_LATENCY, point], work[_BEATS, point] = machine[LATENCY], machine[OPERAND_BEATS]
            work[_KEY_END, point], work[_EXTRACT_END, point] = machine[KEY_THERE], -1
            for kind in range(n_kinds):
                length = lengths[kind, :, first + point]
                of_kinds[kind, _LENGTH, point], of_kinds[kind, _REFILLED, point] = length[LENGTH], length[REFILLED]
                of_kinds[kind, _INIT, point] = slots[kind] * machine[WORDS]
                of_kinds[kind, _SWITCH, point] = machine[SWITCH_BEATS] * length[SWITCH_INTERVAL] + 5
        for batch in range(n_batches):
            kind, after, n_operands, n_results = kinds[batch], batches[batch, 1], batches[batch, 2], batches[batch, 4]
            for point in range(n):
                wanted = max(work[_LOAD_END, point], work[_BEFORE, point])
                dependency, before = stored[after, point], work[_EXTRACT_END, point]
                load_end = max(wanted, dependency) + work[_LATENCY, point] + n_operands * work[_BEATS, point] + 2
                ready, key_there = max(load_end, before), work[_KEY_END, point]
                init_first = 1 + max(ready, key_there)
                waited = ready - before
                work[_WAITED, point] += waited
                work[_DEPENDENCY, point] += min(waited, max(dependency, wanted) - wanted)
                work[_KEY_FILL, point] += init_first - 1 - ready
                refilled = of_kinds[kind, _REFILLED, point]
                rotation_end = init_first + of_kinds[kind, _LENGTH, point] - 1
                work[_BEFORE, point] = work[_ROTATION_END, point]
                work[_LOAD_END, point], work[_ROTATION_END, point] = load_end, rotation_end
                work[_KEY_END, point] = init_first + refilled if refilled >= 0 else key_there
                begin = max(rotation_end, stored[batch, point])
                work[_KEY_SWITCH, point] += begin - rotation_end
                extract_end = begin + of_kinds[kind, _INIT, point] + 2
                work[_EXTRACT_END, point] = extract_end
                stored[batch + 1, point] = (
                    extract_end + of_kinds[kind, _SWITCH, point] + n_results * work[_BEATS, point]
                )
        for point in range(n):
            found, last = phases[:, first + point], stored[n_batches, point]
            found[b.LOAD] = work[_WAITED, point] - work[_DEPENDENCY, point]
            found[b.DEPENDENCY], found[b.KEY_FILL] = work[_DEPENDENCY, point], work[_KEY_FILL, point]
            found[b.KEY_SWITCH], found[b.DRAIN] = work[_KEY_SWITCH, point], last - work[_EXTRACT_END, point]
            cycles[first + point] = last + 1
    for kind in range(n_kinds):  # what every batch of a kind takes
        times = n_of_kind[kind]
        for point in range(n_machines):
            length, unstalled = lengths[kind, LENGTH, point], lengths[kind, UNSTALLED, point]
            init, rotation = slots[kind] * machines[WORDS, point], slots[kind] * machines[INTERVAL, point]
            phases[b.INIT, point] += times * init
            phases[b.ROTATION, point] += times * rotation
            phases[b.PIPELINE, point] += times * (unstalled - init - rotation)
            phases[b.KEY_STALL, point] += times * (length - unstalled)
            phases[b.EXTRACT, point] += times * (init + 2)
    return cycles, phases
