"""The blind rotation of one batch (docs/fhe.md, section 3): when each job of each station starts, without cycles.

Starts obey a recurrence of maxima and sums, job after job. Relative to time its state repeats sooner or later, so a
step is computed only while it differs from the one a period before; others are that one, moved. The only input that
steps do not make themselves is when a key row is there. It is compared in each step, so the result is exact whatever
keys do.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner

# Columns of `stations`: cycles that a job keeps the station (T), from its start to the earliest start of the next
# station (Lo + So), and from the start of the next station's job two before (max(1, Rd - Lo)).
N_COLUMNS = 3
BUSY, AHEAD, ROOM = range(N_COLUMNS)

# Places of `sizes`.
N_SIZES = 10
(
    STEPS,  # n
    GROUPS,  # G, jobs of ROT to MAC in a step of one ciphertext
    INVERSES,  # jobs of I_0 to WB in it
    MAC,  # number of that station; I_0 comes next
    WORDS,  # W
    SUM_ROOM,  # from the last start of I_0 in a ciphertext to the MAC that overwrites what it read
    KEY_ROWS,  # K, at most n
    STREAMED,  # 0: rows that are there stay, and are all that there are
    ROW_BEATS,
    TOTAL_BEATS,  # of the bootstrapping key in the whole run
) = range(N_SIZES)

_LONG_AGO = -(1 << 60)
_KEPT = 8  # states, and so the longest period that is seen


@entry
def rotate(
    sizes: np.ndarray,
    stations: np.ndarray,
    inverse_after: np.ndarray,
    n_slots: int,
    start: int,
    first_row: int,
    arrivals: np.ndarray,
    loaded: np.ndarray,
) -> tuple[int, int]:
    """(rot_end, steps that were computed) of a batch of `n_slots` whose INIT starts in cycle `start`.

    `stations` (n_stations, N_COLUMNS) from ROT to WB, `inverse_after` (jobs of I_0,) from the start of the last MAC of
    a ciphertext to each of its inverse jobs. `loaded` (n + K,) int64: when the last beat of each row from `first_row`
    on was taken, the first K given, the others found (as if rows never ended); all given where rows are not STREAMED.
    Beat x is offered from arrivals[x] on; with no arrivals (0,) as soon as it can be taken.
    """
    n_steps = sizes[STEPS]
    n_stations = len(stations)
    state = np.full(2 * n_stations + 2 + n_slots, _LONG_AGO, np.int64)
    state[2 * n_stations + 2 :] = start + n_slots * sizes[WORDS]
    kept = np.empty((_KEPT, len(state)), np.int64)
    natural = np.empty(n_steps, np.int64)  # when the first MAC of a step would start with its row there
    freed = np.empty(n_steps, np.int64)  # when the row of a step may be overwritten
    unlisted = np.empty((0, 0), np.int64)
    step, oldest, n_computed = 0, 0, 0
    while step < n_steps:
        there = loaded[step] + 1
        natural[step], freed[step] = _step(sizes, stations, inverse_after, n_slots, there, state, step, unlisted)
        _load(sizes, step, first_row, freed, arrivals, loaded)
        kept[step % _KEPT] = state
        n_computed += 1
        step += 1
        period = _period(kept, step - 1, oldest)
        if period == 0:
            continue
        moved = kept[(step - 1) % _KEPT, 0] - kept[(step - 1 - period) % _KEPT, 0]
        last = step
        while step < n_steps:
            before = max(natural[step - period], loaded[step - period] + 1)
            if max(natural[step - period] + moved, loaded[step] + 1) != before + moved:
                break
            natural[step], freed[step] = natural[step - period] + moved, freed[step - period] + moved
            _load(sizes, step, first_row, freed, arrivals, loaded)
            step += 1
        n_periods = (step - last + period - 1) // period
        state[:] = kept[(step - 1 - n_periods * period) % _KEPT] + n_periods * moved
        oldest = step - 1
        kept[oldest % _KEPT] = state
    return int(state[-1]), n_computed


@entry
def first_steps(
    sizes: np.ndarray,
    stations: np.ndarray,
    inverse_after: np.ndarray,
    n_slots: int,
    n_listed: int,
    loaded: np.ndarray,
    starts: np.ndarray,
) -> None:
    """When each job of the first `n_listed` steps starts, INIT being in cycle 0 and no beat of the key late.

    Fills `starts` (n_stations, jobs) int64: those of step i and slot s come after those of the slot before. `loaded` as
    `rotate` has it.
    """
    n_stations = len(stations)
    state = np.full(2 * n_stations + 2 + n_slots, _LONG_AGO, np.int64)
    state[2 * n_stations + 2 :] = n_slots * sizes[WORDS]
    freed, on_time = np.empty(n_listed, np.int64), np.empty(0, np.int64)
    for step in range(n_listed):
        there = loaded[step] + 1
        _, freed[step] = _step(sizes, stations, inverse_after, n_slots, there, state, step, starts)
        _load(sizes, step, 0, freed, on_time, loaded)


@inner
def _step(
    sizes: np.ndarray,
    stations: np.ndarray,
    inverse_after: np.ndarray,
    n_slots: int,
    key_there: int,
    state: np.ndarray,
    step: int,
    starts: np.ndarray,
) -> tuple[int, int]:
    """Moves `state` by a step; when its first MAC would start with the key there, and when its row is free again.

    Starts are listed too where there is room for them.

    State: of each station the starts of the last two jobs, the earlier first; the starts of the last job of I_0 in the
    last two ciphertexts; when the last word of ACC of each slot was stored.
    """
    mac, words = sizes[MAC], sizes[WORDS]
    n_stations = len(stations)
    sums, stored = 2 * n_stations, 2 * n_stations + 2
    natural, started = np.int64(0), np.int64(0)
    n_listed = starts.shape[1]
    for slot in range(n_slots):
        turn = step * n_slots + slot
        for group in range(sizes[GROUPS]):
            listed = turn * sizes[GROUPS] + group
            started = state[stored + slot]
            for station in range(mac):
                started = max(started, state[2 * station + 1] + stations[station, BUSY])
                started = max(started, state[2 * station + 2] + stations[station, ROOM])
                state[2 * station], state[2 * station + 1] = state[2 * station + 1], started
                if listed < n_listed:
                    starts[station, listed] = started
                started += stations[station, AHEAD]
            started = max(started, state[2 * mac + 1] + stations[mac, BUSY])
            if group == 0:
                started = max(started, state[sums] + sizes[SUM_ROOM])
                if slot == 0:
                    natural = started
                    started = max(started, np.int64(key_there))
            state[2 * mac], state[2 * mac + 1] = state[2 * mac + 1], started
            if listed < n_listed:
                starts[mac, listed] = started
        multiplied = started
        for job in range(sizes[INVERSES]):
            listed = turn * sizes[INVERSES] + job
            started = multiplied + inverse_after[job]
            for station in range(mac + 1, n_stations):
                started = max(started, state[2 * station + 1] + stations[station, BUSY])
                if station + 1 < n_stations:
                    started = max(started, state[2 * station + 2] + stations[station, ROOM])
                state[2 * station], state[2 * station + 1] = state[2 * station + 1], started
                if listed < n_listed:
                    starts[station, listed] = started
                started += stations[station, AHEAD]
        state[sums], state[sums + 1] = state[sums + 1], state[2 * mac + 3]
        state[stored + slot] = state[2 * n_stations - 1] + 2 + words - 1
    return int(natural), int(state[2 * mac + 1] + stations[mac, BUSY])


@inner
def _load(
    sizes: np.ndarray, step: int, first_row: int, freed: np.ndarray, arrivals: np.ndarray, loaded: np.ndarray
) -> None:
    """The row that takes the place of the one of `step`."""
    if sizes[STREAMED] == 0:
        return
    row = step + sizes[KEY_ROWS]
    earliest = max(loaded[row - 1] + 1, freed[step])
    loaded[row] = take_row(earliest, (first_row + row) * sizes[ROW_BEATS], sizes, arrivals)


@inner
def take_row(earliest: int, first_beat: int, sizes: np.ndarray, arrivals: np.ndarray) -> int:
    """When the last beat of a row is taken, the first not before `earliest`; `earliest` of a row that never comes."""
    if len(arrivals) == 0:  # beat x is offered from M + x on, and none was taken earlier than that
        return int(earliest + sizes[ROW_BEATS] - 1)
    if first_beat >= sizes[TOTAL_BEATS]:
        return int(earliest)
    taken = np.int64(earliest - 1)
    for beat in range(first_beat, first_beat + sizes[ROW_BEATS]):
        taken = max(taken + 1, arrivals[beat])
    return int(taken)


@inner
def _period(kept: np.ndarray, step: int, oldest: int) -> int:
    """The fewest steps before `step` of which the state was the same but for time; 0 where none is kept."""
    now = kept[step % _KEPT]
    for period in range(1, min(_KEPT, step - oldest + 1)):
        before = kept[(step - period) % _KEPT]
        moved = now[0] - before[0]
        equal = True
        for place in range(len(now)):
            if now[place] - before[place] != moved:
                equal = False
                break
        if equal:
            return period
    return 0
