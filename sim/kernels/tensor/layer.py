"""The recurrences over a layer's tiles, which are made on the way; leaps over equal ones once the state repeats.

The machine is a max-plus system: every time is a sum of constants added to the largest of earlier times. If two states
differ by one number in all times, then so do the states after equal tiles; a state that repeats in this sense after p
members of a run of equal members does so after every p of them, and all but the first p are leapt over, exactly.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import inner
from sim.kernels.tensor import columns as c
from sim.kernels.tensor.job import act_rows_of

# The machine's state between two tiles: the last cycles of engines and events. The first N_TILE_STATE change with every
# tile, the rest with outputs; then come sums. *0 is the buffer in use, *1 the other one: last use of what it holds.
S_REQUEST, S_DATA, S_ISSUE, S_ACT0, S_ACT1, S_WEIGHT0, S_WEIGHT1 = range(7)
S_PARAM0, S_PARAM1, S_OUTPUT, S_DONE1, S_DONE2, S_STORED1, S_STORED2 = range(7, 14)  # DONE1: the output before, ...
N_TILE_STATE, N_STATE = 7, 14
# S_FILL to S_DATA_LEFT are sums of cycles, the *_LEFT of busy cycles to come; S_PENDING those of the store to come.
S_FILL, S_STALL_LOAD, S_STALL_OUTPUT, S_ISSUE_LEFT, S_DATA_LEFT, S_PENDING = range(14, 20)
N_STATE_AND_SUMS = 20
LEVEL_K, LEVEL_INNER, LEVEL_OUTER, LEVEL_GROUP = range(4)
N_LEVELS = 4


@inner
def _repeats(state: np.ndarray, anchor: np.ndarray, n: int) -> bool:
    """Whether the first `n` times of two states differ by one number; then equal tiles take equal time from both."""
    shift = state[S_DATA] - anchor[S_DATA]
    if state[S_ISSUE] - anchor[S_ISSUE] != shift or state[S_REQUEST] - anchor[S_REQUEST] != shift:
        return False
    _forget(state)
    for i in range(S_ACT0, n):
        if state[i] - anchor[i] != shift:
            return False
    return True


@inner
def _forget(state: np.ndarray) -> None:
    """Lift uses of buffers that ended before the request engine's last cycle to it: it cannot tell them apart."""
    for i in range(S_ACT0, S_PARAM1 + 1):
        state[i] = max(state[i], state[S_REQUEST])


@inner
def _set_anchor(anchor: np.ndarray, state: np.ndarray) -> None:
    _forget(state)
    for i in range(N_STATE_AND_SUMS):
        anchor[i] = state[i]


@inner
def _leap(state: np.ndarray, anchor: np.ndarray, n: int, times: int) -> None:
    """Repeat what happened since `anchor` another `times` times."""
    shift = (state[S_DATA] - anchor[S_DATA]) * times
    for i in range(n):
        state[i] += shift
    for i in range(S_STALL_LOAD, S_PENDING):
        state[i] += (state[i] - anchor[i]) * times


@inner
def _store(state: np.ndarray) -> None:
    """The data engine stores the pending output, which is the last one that was done."""
    state[S_DATA] = max(state[S_DATA], state[S_DONE1]) + state[S_PENDING]
    state[S_DATA_LEFT] -= state[S_PENDING]
    state[S_STORED2] = state[S_STORED1]
    state[S_STORED1] = state[S_DATA]
    state[S_PENDING] = 0


@inner
def _run_tile(
    job: np.ndarray, state: np.ndarray, lines: int, load: int, issue: int, load_act: bool, load_weights: bool,
    load_params: bool, load_residual: bool, first: bool,
) -> None:  # fmt: skip
    """Request, load and compute one tile; with two buffers, the output before is stored after its loads."""
    twice = job[c.J_N_BUFFERS] == 2
    start = state[S_REQUEST]
    if load_act:
        if twice:
            state[S_ACT0], state[S_ACT1] = state[S_ACT1], state[S_ACT0]
        start = max(start, state[S_ACT0])
    if load_weights:
        if twice:
            state[S_WEIGHT0], state[S_WEIGHT1] = state[S_WEIGHT1], state[S_WEIGHT0]
        start = max(start, state[S_WEIGHT0])
    if load_params:
        if twice:
            state[S_PARAM0], state[S_PARAM1] = state[S_PARAM1], state[S_PARAM0]
        start = max(start, state[S_PARAM0])
    if load_residual:
        # The store of the output before the last is the last store, until the pending one is done.
        start = max(start, state[S_STORED2] if twice and not first else state[S_STORED1])
    state[S_REQUEST] = start + lines
    loaded = max(state[S_DATA], start + job[c.J_LATENCY]) + load
    state[S_DATA] = loaded
    state[S_DATA_LEFT] -= load
    if state[S_PENDING]:
        _store(state)
    begin, free = max(state[S_ISSUE], loaded), -1
    if first:
        if job[c.J_KIND] == c.POOLING:
            free = state[S_STORED2] if twice else state[S_STORED1]
        else:
            free = state[S_DONE2] if twice else state[S_DONE1]
    if state[S_ISSUE] == c.FIRST_CYCLE - 1:
        state[S_FILL] = begin - state[S_ISSUE]
    elif free > begin:
        state[S_STALL_OUTPUT] += free - state[S_ISSUE]
        begin = free
    else:
        state[S_STALL_LOAD] += begin - state[S_ISSUE]
    state[S_ISSUE] = begin + issue
    state[S_ISSUE_LEFT] -= issue
    state[S_ACT0] = state[S_WEIGHT0] = state[S_ISSUE] + job[c.J_RHO]


@inner
def _run_output(
    job: np.ndarray, state: np.ndarray, anchor: np.ndarray, group: np.ndarray, of_tile: np.ndarray, rows: int,
    factor: int, act_rows: int, load_act: bool, load_weights: bool, load_params: bool,
) -> None:  # fmt: skip
    """The tiles of one output of `rows` rows, its output path, and with one buffer its store.

    `factor` is `pixel_factor` of its pixels, `of_tile` the numbers (C_*) of its channel tile.
    """
    n_k, blocks, last_blocks = group[c.G_K_TILES], group[c.G_BLOCKS], group[c.G_LAST_BLOCKS]
    tile_blocks = (blocks - last_blocks) // (n_k - 1) if n_k > 1 else last_blocks
    block_issue = job[c.J_TAPS] * factor * of_tile[c.C_FACTOR]
    out_lines = rows * of_tile[c.C_OUT_BLOCKS]
    k, anchor_k, power = 0, -1, 1
    while k < n_k:
        first, last = k == 0, k == n_k - 1
        n_blocks = last_blocks if last else tile_blocks
        lines, load = 0, 0
        if load_act:
            lines += act_rows * n_blocks
            load += act_rows * n_blocks * job[c.J_ACT_LINE]
        if load_weights:
            lines += 1
            load += of_tile[c.C_LAST_WEIGHTS] if last else of_tile[c.C_WEIGHTS]
        if load_params and first:
            lines += 1
            load += of_tile[c.C_PARAMS]
        load_residual = last and job[c.J_RESIDUAL] != 0
        if load_residual:
            lines += out_lines
            load += out_lines * job[c.J_RESIDUAL_LINE]
        _run_tile(
            job, state, lines, load, n_blocks * block_issue, load_act, load_weights, load_params and first,
            load_residual, first,
        )  # fmt: skip
        k += 1
        if 1 < k < n_k - 1:  # between two equal tiles
            if anchor_k > 0 and _repeats(state, anchor, N_TILE_STATE):
                times = (n_k - 1 - k) // (k - anchor_k)
                k += times * (k - anchor_k)
                _leap(state, anchor, N_TILE_STATE, times)
                anchor_k, power = -1, n_k
            elif (anchor_k < 0 or k - anchor_k >= power) and power < n_k:
                _set_anchor(anchor, state)
                anchor_k = k
                power *= 2
    if job[c.J_KIND] == c.POOLING:
        cycles = 1
    elif job[c.J_KIND] == c.INPUT_STATIONARY:
        cycles = factor * of_tile[c.C_OUT_BLOCKS] * (max(job[c.J_ROWS], job[c.J_COLS]) + job[c.J_COLS])
    else:
        cycles = out_lines * job[c.J_OUT_W] * job[c.J_SLICES]
    twice = job[c.J_N_BUFFERS] == 2
    free = state[S_STORED2] if twice else state[S_STORED1]
    state[S_OUTPUT] = max(state[S_OUTPUT], state[S_ISSUE] + job[c.J_DELTA], free) + cycles
    state[S_DONE2] = state[S_DONE1]
    state[S_DONE1] = state[S_PARAM0] = state[S_OUTPUT] + job[c.J_POST]
    state[S_PENDING] = 1 + out_lines * job[c.J_STORE_LINE]
    if not twice:
        _store(state)


@inner
def _run_group(
    job: np.ndarray, rows: np.ndarray, group: np.ndarray, order: int, loads_weights: bool, tail: int,
    most_cycles: int, state: np.ndarray, anchors: np.ndarray,
) -> bool:  # fmt: skip
    """One group; False when it became certain that the layer takes more than `most_cycles`.

    The two loops around the outputs of a group are over row tiles and channel tiles. Each has runs of equal members,
    and after each member of a run the machine's state is compared with that after an earlier one (Brent's method).
    """
    n_channel_tiles, n_full, many_k = group[c.G_CHANNEL_TILES], group[c.G_FULL_TILES], group[c.G_K_TILES] > 1
    n_row_tiles, all_row_tiles, tile_rows = rows[c.R_TILES], rows[c.R_ALL_TILES], rows[c.R_TILE_ROWS]
    convolution, rows_outer = job[c.J_KIND] != c.POOLING, order == c.ROWS_OUTER
    # A run of row tiles leaves out the first, which may load what the others find; a run of channel tiles does too.
    row_low, row_high = max(rows[c.R_EQUAL_FIRST], 1), rows[c.R_EQUAL_LAST]
    if rows_outer:
        n_outer, outer_period, outer_low, outer_high = all_row_tiles, n_row_tiles, row_low, row_high
        n_inner, inner_period, inner_low, inner_high = n_channel_tiles, n_channel_tiles, 1, n_full - 1
    else:
        n_outer, outer_period, outer_low, outer_high = n_channel_tiles, n_channel_tiles, 1, n_full - 1
        n_inner, inner_period, inner_low, inner_high = all_row_tiles, n_row_tiles, row_low, row_high
    outer, outer_anchor, outer_power = 0, -1, 1
    while outer < n_outer:
        inner, inner_anchor, inner_power = 0, -1, 1
        while inner < n_inner:
            row_tile, channel_tile = (outer, inner) if rows_outer else (inner, outer)
            index = row_tile % n_row_tiles
            if rows_outer:
                load_act = many_k or channel_tile == 0
                new_channels = n_channel_tiles > 1 or row_tile == 0
            else:
                load_act = many_k or all_row_tiles > 1 or channel_tile == 0
                new_channels = row_tile == 0
            whole = index < n_row_tiles - 1
            offset = c.G_FULL if channel_tile < n_full else c.G_LAST
            _run_output(
                job, state, anchors[LEVEL_K], group, group[offset : offset + 6],
                tile_rows if whole else rows[c.R_LAST_ROWS], rows[c.R_FACTOR] if whole else rows[c.R_LAST_FACTOR],
                act_rows_of(job, tile_rows, index), load_act,
                convolution and (many_k or (new_channels and loads_weights)), convolution and new_channels,
            )  # fmt: skip
            if max(state[S_ISSUE] + state[S_ISSUE_LEFT] + tail, state[S_DATA] + state[S_DATA_LEFT] + 1) > most_cycles:
                return False
            place = inner % inner_period
            inner += 1
            if inner_low <= place < inner_high:  # between two equal outputs
                if inner_anchor > 0 and _repeats(state, anchors[LEVEL_INNER], N_STATE):
                    period = inner - inner_anchor
                    times = (inner_high - place) // period
                    _leap(state, anchors[LEVEL_INNER], N_STATE, times)
                    inner += times * period
                    inner_anchor, inner_power = -1, n_inner
                elif (inner_anchor < 0 or inner - inner_anchor >= inner_power) and inner_power < n_inner:
                    _set_anchor(anchors[LEVEL_INNER], state)
                    inner_anchor = inner
                    inner_power *= 2
            else:
                inner_anchor, inner_power = -1, 1
        place = outer % outer_period
        outer += 1
        if outer_low <= place < outer_high:  # between two equal inner loops
            if outer_anchor > 0 and _repeats(state, anchors[LEVEL_OUTER], N_STATE):
                period = outer - outer_anchor
                times = (outer_high - place) // period
                _leap(state, anchors[LEVEL_OUTER], N_STATE, times)
                outer += times * period
                outer_anchor, outer_power = -1, n_outer
            elif (outer_anchor < 0 or outer - outer_anchor >= outer_power) and outer_power < n_outer:
                _set_anchor(anchors[LEVEL_OUTER], state)
                outer_anchor = outer
                outer_power *= 2
        else:
            outer_anchor, outer_power = -1, 1
    return True


@inner
def simulate_tiling(
    job: np.ndarray, rows: np.ndarray, groups: np.ndarray, order: int, sums: np.ndarray, most_cycles: int,
    state: np.ndarray, anchors: np.ndarray, phases: np.ndarray,
) -> int:  # fmt: skip
    """Cycles of a layer in the tiles of a row table and group tables, with its phases; -1 above `most_cycles`.

    `sums` (`sum_layer`) serve to give up early; `state` and `anchors` are scratch.
    """
    state[:N_STATE] = -1
    state[S_REQUEST] = state[S_DATA] = state[S_ISSUE] = state[S_OUTPUT] = c.FIRST_CYCLE - 1
    state[N_STATE:N_STATE_AND_SUMS] = 0
    state[S_ISSUE_LEFT], state[S_DATA_LEFT] = sums[c.SUM_ISSUE], sums[c.SUM_DATA]
    n_groups = job[c.J_N_GROUPS]
    n_equal = groups[0, c.G_COUNT]
    anchor = anchors[LEVEL_GROUP]
    index, group_anchor, power = 0, -1, 1
    while index < n_groups:
        # Weights that all groups share are in the scratchpad after the first group, if they are one tile.
        one_tile = groups[0, c.G_K_TILES] == 1 and groups[0, c.G_CHANNEL_TILES] == 1
        loads_weights = not (job[c.J_SHARED] and one_tile) or index == 0 or index >= n_equal
        group = groups[0 if index < n_equal else 1]
        if not _run_group(job, rows, group, order, loads_weights, sums[c.SUM_TAIL], most_cycles, state, anchors):
            return -1
        index += 1
        if 1 < index < n_equal:  # between two equal groups
            if group_anchor > 0 and _repeats(state, anchor, N_STATE):
                times = (n_equal - index) // (index - group_anchor)
                index += times * (index - group_anchor)
                _leap(state, anchor, N_STATE, times)
                group_anchor, power = -1, n_groups
            elif (group_anchor < 0 or index - group_anchor >= power) and power < n_groups:
                _set_anchor(anchor, state)
                group_anchor = index
                power *= 2
    if state[S_PENDING]:
        _store(state)
    cycles = state[S_DATA] + 1
    if cycles > most_cycles:
        return -1
    phases[c.START] = c.FIRST_CYCLE
    phases[c.FILL] = state[S_FILL]
    phases[c.COMPUTE] = sums[c.SUM_ISSUE]
    phases[c.STALL_LOAD] = state[S_STALL_LOAD]
    phases[c.STALL_OUTPUT] = state[S_STALL_OUTPUT]
    phases[c.DRAIN] = state[S_DATA] - state[S_ISSUE]
    return cycles
