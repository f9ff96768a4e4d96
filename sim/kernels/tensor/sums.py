"""Sums over all tiles of a layer in closed form: busy cycles, a lower bound of the cycles, activity."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import inner
from sim.kernels.tensor import columns as c
from sim.kernels.tensor.activity import (
    add_compute_activity,
    add_lines_read,
    add_lines_written,
    add_output_activity,
    taps_inside,
)
from sim.kernels.tensor.job import load_times, weight_words_of
from sim.kernels.tensor.times import ceil_div, output_cycles


@inner
def sum_layer(sums: np.ndarray, job: np.ndarray, rows: np.ndarray, groups: np.ndarray, order: int) -> None:
    """Fill `sums` (SUM_*) for a layer cut into the tiles of a row table and group tables."""
    n_tiles, n_outputs, issue, loads, stores, output_sum = 0, 0, 0, 0, 0, 0
    later_issue, later_loads, n_params = 0, 0, 0  # later: of the k tiles after an output's first; loads of the second
    one_k, many_k = True, True
    image_rows = job[c.J_N_IMAGES] * job[c.J_OUT_H]
    for cls in range(job[c.J_N_CLASSES]):
        group = groups[cls]
        n_k, blocks, count = group[c.G_K_TILES], group[c.G_BLOCKS], group[c.G_COUNT]
        group_outputs = count * rows[c.R_ALL_TILES] * group[c.G_CHANNEL_TILES]
        act_times, weight_times, param_times = load_times(job, rows, group, order)
        one_k, many_k = one_k and n_k == 1, many_k and n_k > 1
        n_tiles += group_outputs * n_k
        n_outputs += group_outputs
        n_params += param_times * group[c.G_CHANNEL_TILES]
        block_issue = count * job[c.J_TAPS] * rows[c.R_FACTOR_SUM] * group[c.G_FACTOR_SUM]
        block_load = rows[c.R_ACT_ROWS_SUM] * job[c.J_ACT_LINE]
        lines = count * image_rows * group[c.G_OUT_BLOCKS_SUM]
        issue += block_issue * blocks
        loads += act_times * blocks * block_load
        loads += weight_times * group[c.G_WEIGHTS_SUM] + param_times * group[c.G_PARAMS_SUM]
        loads += lines * job[c.J_RESIDUAL_LINE] * job[c.J_RESIDUAL]
        stores += lines * job[c.J_STORE_LINE] + group_outputs
        if job[c.J_KIND] == c.POOLING:
            output_sum += group_outputs
        elif job[c.J_KIND] == c.INPUT_STATIONARY:
            slots = max(job[c.J_ROWS], job[c.J_COLS]) + job[c.J_COLS]
            output_sum += count * rows[c.R_FACTOR_SUM] * group[c.G_OUT_BLOCKS_SUM] * slots
        else:
            output_sum += lines * job[c.J_OUT_W] * job[c.J_SLICES]
        if n_k > 1:
            tile_blocks = (blocks - group[c.G_LAST_BLOCKS]) // (n_k - 1)
            later_issue += block_issue * (blocks - tile_blocks)
            column = c.C_WEIGHTS if n_k > 2 else c.C_LAST_WEIGHTS
            n_last = group[c.G_CHANNEL_TILES] - group[c.G_FULL_TILES]
            weights = group[c.G_FULL_TILES] * group[c.G_FULL + column] + n_last * group[c.G_LAST + column]
            later_loads += count * rows[c.R_ALL_TILES] * weights
            second_blocks = tile_blocks if n_k > 2 else group[c.G_LAST_BLOCKS]
            later_loads += count * group[c.G_CHANNEL_TILES] * second_blocks * block_load
    # The first tile and the largest output are of class 0, the last tile and output of the last class.
    first = groups[0]
    tile = c.G_FULL if first[c.G_FULL_TILES] else c.G_LAST
    many_first = first[c.G_K_TILES] > 1
    first_blocks = (
        (first[c.G_BLOCKS] - first[c.G_LAST_BLOCKS]) // (first[c.G_K_TILES] - 1) if many_first else first[c.G_BLOCKS]
    )
    first_load = rows[c.R_FIRST_ACT_ROWS] * first_blocks * job[c.J_ACT_LINE] + first[tile + c.C_PARAMS]
    first_load += first[tile + c.C_WEIGHTS] if many_first else first[tile + c.C_LAST_WEIGHTS]
    most_path = _output_issue(job, rows[c.R_TILE_ROWS], first[tile + c.C_OUT_BLOCKS])
    most_store = 1 + rows[c.R_TILE_ROWS] * first[tile + c.C_OUT_BLOCKS] * job[c.J_STORE_LINE]
    last = groups[job[c.J_N_CLASSES] - 1]
    tile = c.G_LAST if last[c.G_CHANNEL_TILES] > last[c.G_FULL_TILES] else c.G_FULL
    last_path = _output_issue(job, rows[c.R_LAST_ROWS], last[tile + c.C_OUT_BLOCKS])
    last_store = 1 + rows[c.R_LAST_ROWS] * last[tile + c.C_OUT_BLOCKS] * job[c.J_STORE_LINE]
    last_issue = job[c.J_TAPS] * last[c.G_LAST_BLOCKS] * rows[c.R_LAST_FACTOR] * last[tile + c.C_FACTOR]
    tail = 1 + job[c.J_DELTA] + last_path + job[c.J_POST] + last_store

    # Chains of events, each of which has to happen before the next. `chain` is the last issue cycle at least; stores of
    # the last two outputs may come later than that, so they are left out of it.
    lead = c.FIRST_CYCLE - 1 + job[c.J_LATENCY]
    after, turn = job[c.J_DELTA] + job[c.J_POST], job[c.J_RHO] + job[c.J_LATENCY]
    params_always = n_params == n_outputs and job[c.J_KIND] != c.POOLING
    chain = lead + first_load + issue  # compute without a gap
    path = (n_outputs - 1) * after + output_sum - last_path
    if job[c.J_N_BUFFERS] == 1:
        # Tile, output path, store, next tile: one after another.
        between = path + stores - last_store
        if one_k and job[c.J_RESIDUAL]:
            between += (n_outputs - 1) * job[c.J_LATENCY]
        elif params_always:
            between = max(between, path + (n_outputs - 1) * job[c.J_LATENCY])
        between = max(between, (n_outputs - 1) * turn)
        chain = max(chain, lead + loads + issue + (n_tiles - n_outputs) * turn + between)
    else:
        ends = last_store + (most_store if n_outputs > 1 else 0)
        chain = max(chain, lead + loads + stores - ends + last_issue)
        # A buffer is loaded again once the tile before the last tile is computed: two chains, of odd and of even tiles.
        # Both end with or before the last tile, so half of their sum does too.
        both = 2 * lead + loads + issue + last_issue
        if n_tiles > 1:
            chain = max(chain, (both + (n_tiles - 2) * turn) // 2)
        if one_k and n_outputs > 2:
            # The same, where the loads of tile i + 2 also come after the store of tile i.
            store = stores - ends
            if job[c.J_RESIDUAL]:
                store += (n_outputs - 2) * job[c.J_LATENCY]
            elif params_always:
                store = max(store, (n_outputs - 2) * job[c.J_LATENCY])
            chain = max(chain, (both + path - after - most_path + store) // 2)
        if many_k:
            # The second tile of an output is loaded after the output before it was stored.
            chain = max(chain, lead + first_load + later_issue + later_loads + path + stores - last_store)
    sums[c.SUM_ISSUE], sums[c.SUM_DATA], sums[c.SUM_TAIL] = issue, loads + stores, tail
    sums[c.SUM_BOUND], sums[c.SUM_TILES] = max(chain + tail, lead + loads + stores + 1), n_tiles


@inner
def _output_issue(job: np.ndarray, rows: int, blocks: int) -> int:
    pixels = rows * job[c.J_OUT_W]
    return output_cycles(job[c.J_KIND], pixels, blocks, job[c.J_WORD_LANES], job[c.J_ROWS], job[c.J_COLS])


@inner
def layer_activity(activity: np.ndarray, job: np.ndarray, rows: np.ndarray, groups: np.ndarray, order: int) -> None:
    """Fill `activity` with what a layer does: section 8 of docs/tensor.md summed over all tiles and outputs."""
    activity[:] = 0
    array_rows, cols, kind = job[c.J_ROWS], job[c.J_COLS], job[c.J_KIND]
    act_bytes, out_bytes, burst = job[c.J_ACT_BYTES], job[c.J_OUT_BYTES], job[c.J_BURST]
    inside = taps_inside(job[c.J_OUT_H], job[c.J_KH], job[c.J_SH], -job[c.J_PAD_TOP], job[c.J_IN_H])
    inside *= (
        taps_inside(job[c.J_OUT_W], job[c.J_KW], job[c.J_SW], -job[c.J_PAD_LEFT], job[c.J_IN_W]) * job[c.J_N_IMAGES]
    ) * job[c.J_PASSES]
    for cls in range(job[c.J_N_CLASSES]):
        group = groups[cls]
        count, blocks, n_k = group[c.G_COUNT], group[c.G_BLOCKS], group[c.G_K_TILES]
        tile_blocks = (blocks - group[c.G_LAST_BLOCKS]) // max(n_k - 1, 1)
        act_times, weight_times, param_times = load_times(job, rows, group, order)
        n_lines = act_times * rows[c.R_ACT_ROWS_SUM] * blocks
        add_lines_read(activity, c.ACT_WRITES, n_lines, job[c.J_IN_W], act_bytes, burst)
        for is_last in range(2):
            times = group[c.G_CHANNEL_TILES] - group[c.G_FULL_TILES] if is_last else group[c.G_FULL_TILES]
            if times == 0:
                continue
            of_tile = group[c.G_LAST : c.G_LAST + 6] if is_last else group[c.G_FULL : c.G_FULL + 6]
            n_valid, out_blocks = of_tile[c.C_N_VALID], of_tile[c.C_OUT_BLOCKS]
            if kind != c.POOLING:
                words = weight_words_of(job, tile_blocks, n_valid)
                n_lines = weight_times * times * (n_k - 1)
                add_lines_read(activity, c.WEIGHT_WRITES, n_lines, words, job[c.J_WEIGHT_BYTES], burst)
                words = weight_words_of(job, group[c.G_LAST_BLOCKS], n_valid)
                n_lines = weight_times * times
                add_lines_read(activity, c.WEIGHT_WRITES, n_lines, words, job[c.J_WEIGHT_BYTES], burst)
                words = ceil_div(n_valid, job[c.J_LANES])
                n_lines = param_times * times
                add_lines_read(activity, c.PARAM_WRITES, n_lines, words, job[c.J_PARAM_BYTES], burst)
            times *= count
            n_lines = times * job[c.J_N_IMAGES] * job[c.J_OUT_H] * out_blocks
            if job[c.J_RESIDUAL]:
                add_lines_read(activity, c.OUT_WRITES, n_lines, job[c.J_OUT_W], out_bytes, burst)
            add_lines_written(activity, n_lines, job[c.J_OUT_W], out_bytes, burst)
            folds = 1 if kind == c.INPUT_STATIONARY or kind == c.POOLING else ceil_div(n_valid, cols)
            activity[c.ACT_READS] += inside * blocks * folds * times
            for is_last_row in range(2):
                tile_rows = rows[c.R_LAST_ROWS] if is_last_row else rows[c.R_TILE_ROWS]
                row_times = times * job[c.J_N_IMAGES] * (1 if is_last_row else rows[c.R_TILES] - 1)
                pixels = tile_rows * job[c.J_OUT_W]
                # All k tiles of an output at once; in OS each of them ends with an accumulation.
                k_blocks = blocks * job[c.J_TAPS]
                add_compute_activity(activity, kind, k_blocks, 0, pixels, n_valid, 1, array_rows, cols, row_times)
                if kind == c.OUTPUT_STATIONARY:
                    accumulations = ceil_div(n_valid, cols) * pixels * (n_k - 1) * row_times
                    activity[c.ACC_READS] += accumulations
                    activity[c.ACC_WRITES] += accumulations
                add_output_activity(
                    activity, kind, pixels, out_blocks, n_valid, job[c.J_RESIDUAL], array_rows, cols, row_times
                )
