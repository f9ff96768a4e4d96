"""A layer as the machine sees it, before and after it is cut into tiles: tables that all sums and loops start from.

A *group* is one of the independent convolutions of a layer (in pooling: the blocks of one tile). Groups of class 0 are
full; the last group is of class 1 where it is smaller.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import inner
from sim.kernels.tensor import columns as c
from sim.kernels.tensor.times import (
    ceil_div,
    channel_factor,
    complete_delay,
    output_delay,
    pixel_factor,
    read_cycles,
    release_delay,
    write_cycles,
)


@inner
def fill_job(job: np.ndarray, design: np.ndarray, layer: np.ndarray, tile_blocks: int) -> None:
    """Fill `job` with a layer as `design` sees it. `tile_blocks` is for pooling only: a group is a tile's blocks."""
    rows, cols, lanes = design[c.ROWS], design[c.COLS], design[c.WORD_LANES]
    kind = c.POOLING if layer[c.L_POOLING] else design[c.DATAFLOW]
    beat, burst, word = design[c.BEAT_BYTES], design[c.BURST_BYTES], design[c.ACT_BYTES]
    in_blocks = ceil_div(layer[c.L_IN_CHANNELS], lanes)
    channels, blocks = layer[c.L_OUT_CHANNELS], in_blocks
    if kind == c.POOLING:
        blocks = min(tile_blocks, in_blocks)
        channels = blocks * lanes
    elif layer[c.L_GROUPS] > 1 and layer[c.L_IN_CHANNELS] == layer[c.L_OUT_CHANNELS]:
        unit, of_group = design[c.UNIT], layer[c.L_IN_CHANNELS] // layer[c.L_GROUPS]
        divisor, rest = unit, of_group
        while rest:
            divisor, rest = rest, divisor % rest
        unit = unit // divisor * of_group
        if unit < channels:
            channels, blocks = unit, unit // lanes
    n_groups = ceil_div(layer[c.L_OUT_CHANNELS], channels)
    job[c.J_KIND], job[c.J_ROWS], job[c.J_COLS], job[c.J_LANES] = kind, rows, cols, min(rows, cols)
    job[c.J_N_BUFFERS], job[c.J_LATENCY], job[c.J_BEAT], job[c.J_BURST] = (
        design[c.N_BUFFERS],
        design[c.LATENCY],
        beat,
        burst,
    )
    job[c.J_ACT_BYTES], job[c.J_WEIGHT_BYTES], job[c.J_PARAM_BYTES] = (
        word,
        design[c.WEIGHT_BYTES],
        design[c.PARAM_BYTES],
    )
    job[c.J_RHO], job[c.J_DELTA] = release_delay(kind, rows), complete_delay(kind, rows, cols)
    job[c.J_POST] = output_delay(kind)
    job[c.J_PASSES] = layer[c.L_PASSES]
    job[c.J_TAPS] = layer[c.L_KH] * layer[c.L_KW] * layer[c.L_PASSES]  # each of them is computed in every pass
    job[c.J_N_IMAGES], job[c.J_IN_H], job[c.J_IN_W] = layer[c.L_IMAGES], layer[c.L_IN_H], layer[c.L_IN_W]
    job[c.J_OUT_H], job[c.J_OUT_W], job[c.J_KH], job[c.J_KW] = (
        layer[c.L_OUT_H],
        layer[c.L_OUT_W],
        layer[c.L_KH],
        layer[c.L_KW],
    )
    job[c.J_SH], job[c.J_SW] = layer[c.L_SH], layer[c.L_SW]
    job[c.J_PAD_TOP], job[c.J_PAD_LEFT] = layer[c.L_PAD_TOP], layer[c.L_PAD_LEFT]
    job[c.J_SHARED], job[c.J_RESIDUAL] = layer[c.L_SHARED], layer[c.L_RESIDUAL]
    job[c.J_ACT_LINE] = read_cycles(layer[c.L_IN_W], word, beat, burst)
    wide = design[c.WIDE_BYTES] > 0 and layer[c.L_OUT_BITS] > design[c.NARROW_BITS] and kind != c.POOLING
    out_word = design[c.WIDE_BYTES] if wide else word
    job[c.J_OUT_BYTES] = out_word
    job[c.J_RESIDUAL_LINE] = read_cycles(layer[c.L_OUT_W], out_word, beat, burst)
    job[c.J_STORE_LINE] = write_cycles(layer[c.L_OUT_W], out_word, beat, burst)
    job[c.J_N_GROUPS], job[c.J_GROUP_CHANNELS], job[c.J_GROUP_BLOCKS] = n_groups, channels, blocks
    job[c.J_WORD_LANES], job[c.J_SLICES] = lanes, lanes // min(rows, cols)
    job[c.J_LAST_CHANNELS] = min(channels, layer[c.L_OUT_CHANNELS] - (n_groups - 1) * channels)
    job[c.J_LAST_BLOCKS] = min(blocks, in_blocks - (n_groups - 1) * blocks)
    job[c.J_TOKENS_ARE], job[c.J_IN_CHANNELS] = layer[c.L_TOKENS_ARE], layer[c.L_IN_CHANNELS]
    job[c.J_SOURCE_H], job[c.J_SOURCE_W] = layer[c.L_SOURCE_H], layer[c.L_SOURCE_W]
    smaller = job[c.J_LAST_CHANNELS] < channels or job[c.J_LAST_BLOCKS] < blocks
    job[c.J_N_CLASSES] = 2 if smaller and n_groups > 1 else 1


@inner
def act_rows_of(job: np.ndarray, tile_rows: int, index: int) -> int:
    """Input rows that row tile `index` of an image holds in the scratchpad."""
    first_row = index * tile_rows
    rows = min(tile_rows, job[c.J_OUT_H] - first_row)
    top = first_row * job[c.J_SH] - job[c.J_PAD_TOP]
    bottom = min(top + (rows - 1) * job[c.J_SH] + job[c.J_KH] - 1, job[c.J_IN_H] - 1)
    return max(bottom - min(max(top, 0), job[c.J_IN_H] - 1) + 1, 1)


@inner
def fill_row_table(table: np.ndarray, job: np.ndarray, tile_rows: int) -> None:
    """Fill a row table (R_*) for tiles of `tile_rows` output rows."""
    tile_rows = min(tile_rows, job[c.J_OUT_H])
    n_tiles = ceil_div(job[c.J_OUT_H], tile_rows)
    last_rows = job[c.J_OUT_H] - (n_tiles - 1) * tile_rows
    step, span = tile_rows * job[c.J_SH], (tile_rows - 1) * job[c.J_SH] + job[c.J_KH]
    first = ceil_div(job[c.J_PAD_TOP], step)  # its input starts in the image
    last = min((job[c.J_IN_H] - span + job[c.J_PAD_TOP]) // step, job[c.J_OUT_H] // tile_rows - 1)  # ends there, full
    act_rows, index = 0, 0
    while index < n_tiles:
        if index == first and last > first:
            act_rows += span * (last - first + 1)
            index = last + 1
        else:
            act_rows += act_rows_of(job, tile_rows, index)
            index += 1
    factor = pixel_factor(job[c.J_KIND], tile_rows * job[c.J_OUT_W], job[c.J_ROWS], job[c.J_COLS])
    last_factor = pixel_factor(job[c.J_KIND], last_rows * job[c.J_OUT_W], job[c.J_ROWS], job[c.J_COLS])
    table[c.R_TILE_ROWS], table[c.R_TILES], table[c.R_ALL_TILES] = tile_rows, n_tiles, n_tiles * job[c.J_N_IMAGES]
    table[c.R_LAST_ROWS], table[c.R_FACTOR], table[c.R_LAST_FACTOR] = last_rows, factor, last_factor
    table[c.R_FACTOR_SUM] = job[c.J_N_IMAGES] * ((n_tiles - 1) * factor + last_factor)
    table[c.R_FIRST_ACT_ROWS] = act_rows_of(job, tile_rows, 0)
    table[c.R_MOST_ACT_ROWS] = min(span, job[c.J_IN_H])
    table[c.R_ACT_ROWS_SUM] = act_rows * job[c.J_N_IMAGES]
    table[c.R_EQUAL_FIRST], table[c.R_EQUAL_LAST] = first, last


@inner
def weight_words_of(job: np.ndarray, blocks: int, n_valid: int) -> int:
    """Weight words of a tile (docs/tensor.md, section 6)."""
    if job[c.J_KIND] == c.POOLING:
        return 0
    if job[c.J_KIND] == c.INPUT_STATIONARY:
        return blocks * job[c.J_TAPS] * n_valid
    return blocks * job[c.J_TAPS] * ceil_div(n_valid, job[c.J_COLS]) * job[c.J_ROWS]


@inner
def _weight_cycles(job: np.ndarray, blocks: int, n_valid: int) -> int:
    words = weight_words_of(job, blocks, n_valid)
    return read_cycles(words, job[c.J_WEIGHT_BYTES], job[c.J_BEAT], job[c.J_BURST]) if words else 0


@inner
def fill_group_tables(tables: np.ndarray, job: np.ndarray, tile_blocks: int, tile_channels: int) -> None:
    """Fill group tables (2, c.N_GROUP_TABLE), one for each class of the job."""
    for cls in range(job[c.J_N_CLASSES]):
        table = tables[cls]
        channels = job[c.J_LAST_CHANNELS] if cls else job[c.J_GROUP_CHANNELS]
        blocks = job[c.J_LAST_BLOCKS] if cls else job[c.J_GROUP_BLOCKS]
        if job[c.J_KIND] == c.POOLING:
            tile_channels = channels
        n_tiles, n_full = ceil_div(channels, tile_channels), channels // tile_channels
        n_k = ceil_div(blocks, tile_blocks)
        last_blocks = blocks - (n_k - 1) * tile_blocks
        table[c.G_COUNT] = 1 if cls else job[c.J_N_GROUPS] - (job[c.J_N_CLASSES] - 1)
        table[c.G_BLOCKS], table[c.G_LAST_BLOCKS], table[c.G_K_TILES] = blocks, last_blocks, n_k
        table[c.G_CHANNEL_TILES], table[c.G_FULL_TILES] = n_tiles, n_full
        table[c.G_FACTOR_SUM : c.G_PARAMS_SUM + 1] = 0
        for is_last in range(2):
            of_tile = table[c.G_LAST : c.G_LAST + 6] if is_last else table[c.G_FULL : c.G_FULL + 6]
            times = n_tiles - n_full if is_last else n_full
            if times == 0:
                of_tile[:] = 0
                continue
            n_valid = channels - n_full * tile_channels if is_last else tile_channels
            of_tile[c.C_N_VALID] = n_valid
            of_tile[c.C_FACTOR] = channel_factor(job[c.J_KIND], n_valid, job[c.J_ROWS], job[c.J_COLS])
            of_tile[c.C_OUT_BLOCKS] = ceil_div(n_valid, job[c.J_WORD_LANES])
            of_tile[c.C_WEIGHTS] = _weight_cycles(job, tile_blocks, n_valid) if n_k > 1 else 0
            of_tile[c.C_LAST_WEIGHTS] = _weight_cycles(job, last_blocks, n_valid)
            of_tile[c.C_PARAMS] = 0
            if job[c.J_KIND] != c.POOLING:
                words = ceil_div(n_valid, job[c.J_LANES])
                of_tile[c.C_PARAMS] = read_cycles(words, job[c.J_PARAM_BYTES], job[c.J_BEAT], job[c.J_BURST])
            table[c.G_FACTOR_SUM] += times * of_tile[c.C_FACTOR]
            table[c.G_OUT_BLOCKS_SUM] += times * of_tile[c.C_OUT_BLOCKS]
            table[c.G_WEIGHTS_SUM] += times * ((n_k - 1) * of_tile[c.C_WEIGHTS] + of_tile[c.C_LAST_WEIGHTS])
            table[c.G_PARAMS_SUM] += times * of_tile[c.C_PARAMS]


@inner
def load_times(job: np.ndarray, rows: np.ndarray, group: np.ndarray, order: int) -> tuple[int, int, int]:
    """How often a class loads (its activations, the weights of all its tiles, its parameters), over all its groups."""
    n_channel_tiles, count = group[c.G_CHANNEL_TILES], group[c.G_COUNT]
    many_k, rows_outer = group[c.G_K_TILES] > 1, order == c.ROWS_OUTER
    act = count * n_channel_tiles if many_k or (not rows_outer and rows[c.R_ALL_TILES] > 1) else count
    reloaded = rows_outer and n_channel_tiles > 1
    if many_k or reloaded:
        weights = count * rows[c.R_ALL_TILES]
    elif job[c.J_SHARED] and n_channel_tiles == 1:
        weights = 1
    else:
        weights = count
    return act, weights, count * rows[c.R_ALL_TILES] if reloaded else count
