"""Section 5 of docs/tensor.md over an explicit program: O(1) work a tile, event times of every tile."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner
from sim.kernels.tensor import columns as c
from sim.kernels.tensor.activity import (
    add_compute_activity,
    add_lines_read,
    add_lines_written,
    add_output_activity,
    taps_inside,
)
from sim.kernels.tensor.times import (
    channel_factor,
    complete_delay,
    output_cycles,
    output_delay,
    pixel_factor,
    read_cycles,
    release_delay,
    write_cycles,
)


@inner
def _out_bytes(design: np.ndarray, config: np.ndarray) -> int:
    """Bytes of a word of outputs and residuals."""
    return design[c.WIDE_BYTES] if config[c.CFG_OUT_WIDE] else design[c.ACT_BYTES]


@inner
def _add_tile(activity: np.ndarray, design: np.ndarray, config: np.ndarray, kind: int, tile: np.ndarray) -> None:
    in_w, out_w, burst = config[c.CFG_IN_W], config[c.CFG_OUT_W], design[c.BURST_BYTES]
    if tile[c.T_LOAD_ACT]:
        n_lines = tile[c.T_ACT_ROWS] * tile[c.T_BLOCKS]
        add_lines_read(activity, c.ACT_WRITES, n_lines, in_w, design[c.ACT_BYTES], burst)
    if tile[c.T_LOAD_WEIGHTS]:
        add_lines_read(activity, c.WEIGHT_WRITES, 1, tile[c.T_WEIGHT_WORDS], design[c.WEIGHT_BYTES], burst)
    if tile[c.T_LOAD_PARAMS]:
        add_lines_read(activity, c.PARAM_WRITES, 1, tile[c.T_PARAM_WORDS], design[c.PARAM_BYTES], burst)
    if tile[c.T_LOAD_RESIDUAL]:
        n_lines = tile[c.T_ROWS] * tile[c.T_RESIDUAL_BLOCKS]
        add_lines_read(activity, c.OUT_WRITES, n_lines, out_w, _out_bytes(design, config), burst)
    inside = tile[c.T_BLOCKS] * config[c.CFG_PASSES]
    inside *= taps_inside(tile[c.T_ROWS], config[c.CFG_KH], config[c.CFG_SH], tile[c.T_ROW_OFFSET], tile[c.T_ACT_ROWS])
    inside *= taps_inside(out_w, config[c.CFG_KW], config[c.CFG_SW], -config[c.CFG_PAD_LEFT], in_w)
    k_blocks = tile[c.T_BLOCKS] * config[c.CFG_KH] * config[c.CFG_KW] * config[c.CFG_PASSES]
    pixels = tile[c.T_ROWS] * out_w
    add_compute_activity(
        activity, kind, k_blocks, inside, pixels, tile[c.T_N_VALID], tile[c.T_FIRST], design[c.ROWS], design[c.COLS], 1
    )


@inner
def _load_size(design: np.ndarray, config: np.ndarray, tile: np.ndarray) -> tuple[int, int]:
    """(lines, cycles) of a tile's loads."""
    beat, burst = design[c.BEAT_BYTES], design[c.BURST_BYTES]
    lines, cycles = 0, 0
    if tile[c.T_LOAD_ACT]:
        lines += tile[c.T_ACT_ROWS] * tile[c.T_BLOCKS]
        cycles += (
            tile[c.T_ACT_ROWS] * tile[c.T_BLOCKS] * read_cycles(config[c.CFG_IN_W], design[c.ACT_BYTES], beat, burst)
        )
    if tile[c.T_LOAD_WEIGHTS]:
        lines += 1
        cycles += read_cycles(tile[c.T_WEIGHT_WORDS], design[c.WEIGHT_BYTES], beat, burst)
    if tile[c.T_LOAD_PARAMS]:
        lines += 1
        cycles += read_cycles(tile[c.T_PARAM_WORDS], design[c.PARAM_BYTES], beat, burst)
    if tile[c.T_LOAD_RESIDUAL]:
        n_lines = tile[c.T_ROWS] * tile[c.T_RESIDUAL_BLOCKS]
        lines += n_lines
        cycles += n_lines * read_cycles(config[c.CFG_OUT_W], _out_bytes(design, config), beat, burst)
    return lines, cycles


@inner
def _seen(advanced: np.ndarray, count: int, offset: int) -> int:
    """First cycle in which a counter is seen at `count`; event k advances it `offset` cycles after advanced[k]."""
    return advanced[count - 1] + offset + 1 if count > 0 else 0


@entry
def run_program(
    design: np.ndarray, config: np.ndarray, tiles: np.ndarray, outputs: np.ndarray
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(cycles, phases[6], activity[15], tile_events[n_tiles, 6], output_events[n_outputs, 4]) of one program.

    Events are cycle numbers, first and last of each activity, in the order of TILE_EVENTS and OUTPUT_EVENTS. Each
    engine is advanced as far as the times that it waits for are known; cycles is -1 when none can go on (a deadlock).
    """
    n_tiles, n_outputs = len(tiles), len(outputs)
    kind = c.POOLING if config[c.CFG_POOLING] else design[c.DATAFLOW]
    rows, cols = design[c.ROWS], design[c.COLS]
    rho, delta, post = release_delay(kind, rows), complete_delay(kind, rows, cols), output_delay(kind)
    taps = config[c.CFG_KH] * config[c.CFG_KW] * config[c.CFG_PASSES]
    out_bytes = _out_bytes(design, config)
    store_line = write_cycles(config[c.CFG_OUT_W], out_bytes, design[c.BEAT_BYTES], design[c.BURST_BYTES])
    tile_events = np.full((n_tiles, 6), -1, dtype=np.int64)
    output_events = np.full((n_outputs, 4), -1, dtype=np.int64)
    load_end, compute_end = tile_events[:, 3], tile_events[:, 5]
    output_end, store_end = output_events[:, 1], output_events[:, 3]
    phases = np.zeros(6, dtype=np.int64)
    activity = np.zeros(c.N_ACTIVITY, dtype=np.int64)
    request, data, compute, output = c.FIRST_CYCLE - 1, c.FIRST_CYCLE - 1, c.FIRST_CYCLE - 1, c.FIRST_CYCLE - 1
    n_loaded, n_computed, n_output, n_stored, tile_stores = 0, 0, 0, 0, 0
    while n_computed < n_tiles or n_stored < n_outputs:
        progress = False
        # Request and data engine: the next tile, once the stores after the tile before are done.
        if n_loaded < n_tiles and (n_loaded == 0 or tile_stores == tiles[n_loaded - 1, c.T_N_STORES]):
            tile = tiles[n_loaded]
            if (
                tile[c.T_WAIT_RELEASED] <= n_computed
                and tile[c.T_WAIT_OUTPUTS] <= n_output
                and tile[c.T_WAIT_STORES] <= n_stored
            ):
                lines, cycles = _load_size(design, config, tile)
                start = max(
                    request + 1,
                    _seen(compute_end, tile[c.T_WAIT_RELEASED], rho),
                    _seen(output_end, tile[c.T_WAIT_OUTPUTS], post),
                    _seen(store_end, tile[c.T_WAIT_STORES], 0),
                )
                request = start + max(lines, 1) - 1
                load_start = max(data + 1, start + design[c.LATENCY]) if lines else data + 1
                data = load_start + max(cycles, 1) - 1
                tile_events[n_loaded, 0], tile_events[n_loaded, 1] = start, request
                tile_events[n_loaded, 2], tile_events[n_loaded, 3] = load_start, data
                n_loaded += 1
                tile_stores = 0
                progress = True
        # Data engine: a store.
        if n_loaded > 0 and tile_stores < tiles[n_loaded - 1, c.T_N_STORES] and n_stored < n_output:
            start = max(data + 1, _seen(output_end, n_stored + 1, post))
            data = start + outputs[n_stored, c.O_BLOCKS] * outputs[n_stored, c.O_ROWS] * store_line
            output_events[n_stored, 2], output_events[n_stored, 3] = start, data
            n_stored += 1
            tile_stores += 1
            progress = True
        # Compute engine.
        if n_computed < n_loaded:
            tile = tiles[n_computed]
            if tile[c.T_COMPUTE_WAIT_OUTPUTS] <= n_output and tile[c.T_COMPUTE_WAIT_STORES] <= n_stored:
                loaded = load_end[n_computed] + 1
                free = max(
                    _seen(output_end, tile[c.T_COMPUTE_WAIT_OUTPUTS], post),
                    _seen(store_end, tile[c.T_COMPUTE_WAIT_STORES], 0),
                )
                start = max(compute + 1, loaded, free)
                cause = c.FILL if n_computed == 0 else (c.STALL_LOAD if loaded >= free else c.STALL_OUTPUT)
                phases[cause] += start - compute - 1
                pixels = tile[c.T_ROWS] * config[c.CFG_OUT_W]
                issue = tile[c.T_BLOCKS] * taps * pixel_factor(kind, pixels, rows, cols)
                issue *= channel_factor(kind, tile[c.T_N_VALID], rows, cols)
                compute = start + issue - 1
                phases[c.COMPUTE] += issue
                tile_events[n_computed, 4], tile_events[n_computed, 5] = start, compute
                _add_tile(activity, design, config, kind, tile)
                n_computed += 1
                progress = True
        # Output path.
        if n_output < n_outputs:
            row = outputs[n_output]
            if row[c.O_WAIT_TILES] <= n_computed and row[c.O_WAIT_STORES] <= n_stored:
                start = max(
                    output + 1,
                    _seen(compute_end, row[c.O_WAIT_TILES], delta),
                    _seen(store_end, row[c.O_WAIT_STORES], 0),
                )
                pixels = row[c.O_ROWS] * config[c.CFG_OUT_W]
                output = start - 1
                output += output_cycles(kind, pixels, row[c.O_BLOCKS], design[c.WORD_LANES], rows, cols)
                output_events[n_output, 0], output_events[n_output, 1] = start, output
                residual = config[c.CFG_RESIDUAL]
                add_output_activity(activity, kind, pixels, row[c.O_BLOCKS], row[c.O_N_VALID], residual, rows, cols, 1)
                n_lines = row[c.O_ROWS] * row[c.O_BLOCKS]
                add_lines_written(activity, n_lines, config[c.CFG_OUT_W], out_bytes, design[c.BURST_BYTES])
                n_output += 1
                progress = True
        if not progress:
            return -1, phases, activity, tile_events, output_events
    phases[c.START] = c.FIRST_CYCLE
    phases[c.DRAIN] = data - compute
    return data + 1, phases, activity, tile_events, output_events
