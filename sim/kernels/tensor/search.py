"""The best tiling of each layer on each design, for a whole batch in one call."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner
from sim.kernels.tensor import columns as c
from sim.kernels.tensor import vector_columns as v
from sim.kernels.tensor.job import fill_group_tables, fill_job, fill_row_table, weight_words_of
from sim.kernels.tensor.layer import N_LEVELS, simulate_tiling
from sim.kernels.tensor.sums import layer_activity, sum_layer
from sim.kernels.tensor.times import ceil_div, weights_fit
from sim.kernels.tensor.vector import make_weights

MOST_CUTS = 80  # of an axis: 8, and 4 for each doubling beyond 8 parts, to 2**20 parts and more
MOST_CHANNEL_CUTS = 8  # the parameter memory holds 8 channel units
NO_LIMIT = 1 << 60

# Rows of the work array, each MOST_CUTS wide.
W_JOB, W_ROWS, W_GROUPS, W_SUMS, W_STATE, W_PHASES, W_ACTIVITY, W_CUTS, W_ANCHORS = 0, 1, 2, 4, 5, 6, 7, 8, 11
W_ROW_TABLES = W_ANCHORS + N_LEVELS
N_WORK = W_ROW_TABLES + MOST_CUTS

# Columns of a candidate: its sums, its tiling, its place in the order that decides between equals, and what the vector
# unit needs to make its weights (0 where they are constants).
K_TILING, K_PLACE, K_MAKING_CYCLES, K_MAKING_BYTES = c.N_SUMS, c.N_SUMS + 4, c.N_SUMS + 5, c.N_SUMS + 6
N_CANDIDATE = c.N_SUMS + 7


@entry
def balanced_cuts(size: int, most: int, values: np.ndarray) -> int:
    """Fill `values` with the distinct ceil(size / parts) that are at most `most`, falling; returns how many.

    `parts` runs over 1 to 8, then over four numbers for each doubling (10, 12, 14, 16, 20, ...), and `size` itself.
    """
    count, parts, step = 0, 1, 1
    while parts < size:
        value = ceil_div(size, parts)
        if value <= most and (count == 0 or values[count - 1] != value):
            values[count] = value
            count += 1
        if parts >= 8 * step:
            step *= 2
        parts += step
    if count == 0 or values[count - 1] != 1:
        values[count] = 1
        count += 1
    return count


@inner
def fits(design: np.ndarray, job: np.ndarray, rows: np.ndarray, tile_blocks: int, tile_channels: int) -> bool:
    """Whether the largest tile fits memories and descriptors: the rule of workloads.mapping.tensor.fits."""
    blocks = min(tile_blocks, job[c.J_GROUP_BLOCKS])
    if max(rows[c.R_TILE_ROWS], rows[c.R_MOST_ACT_ROWS], blocks) > c.MOST_IN_A_TILE:
        return False
    if job[c.J_IN_W] > c.MOST_IN_A_TILE or job[c.J_OUT_W] > c.MOST_IN_A_TILE:
        return False
    if rows[c.R_MOST_ACT_ROWS] * blocks * job[c.J_IN_W] > design[c.ACT_WORDS]:
        return False
    pixels = rows[c.R_TILE_ROWS] * job[c.J_OUT_W]
    if job[c.J_KIND] == c.POOLING:
        return blocks * pixels <= design[c.OUT_WORDS]
    channels = min(tile_channels, job[c.J_GROUP_CHANNELS])
    if weight_words_of(job, blocks, channels) > design[c.WEIGHT_WORDS]:
        return False
    if job[c.J_TOKENS_ARE] and not _weights_can_be_made(design, job, blocks, channels):
        return False
    if job[c.J_KIND] == c.INPUT_STATIONARY:
        accumulators = ceil_div(pixels, job[c.J_COLS]) * channels
    else:
        accumulators = ceil_div(channels, job[c.J_COLS]) * pixels
    if accumulators > design[c.ACC_WORDS] or ceil_div(channels, job[c.J_WORD_LANES]) * pixels > design[c.OUT_WORDS]:
        return False
    return ceil_div(channels, job[c.J_LANES]) <= design[c.PARAM_WORDS]


@inner
def _weights_can_be_made(design: np.ndarray, job: np.ndarray, blocks: int, channels: int) -> bool:
    """Whether the vector unit can make the weights of a tile out of tokens."""
    rows = job[c.J_ROWS]
    if job[c.J_TOKENS_ARE] == c.CHANNELS_OUT:
        n_tokens, n_blocks = channels, blocks
    else:
        n_tokens, n_blocks = min(blocks * rows, job[c.J_IN_CHANNELS]), ceil_div(channels, rows)
    return weights_fit(design[c.VECTOR_WORDS], rows, job[c.J_SOURCE_H], job[c.J_SOURCE_W], n_tokens, n_blocks)


@entry
def list_candidates(
    design: np.ndarray, layer: np.ndarray, candidates: np.ndarray, bounds: np.ndarray, work: np.ndarray
) -> int:
    """Fill `candidates` and the bounds of their cycles with the tilings of the lattice that fit; returns how many.

    The lattice is that of `balanced_cuts` for output rows, input blocks and channel units of a group, with both orders
    where they differ. Place: rows, then blocks, then channels, each from large to small, then rows_outer first.
    """
    job, groups, row_tables = work[W_JOB], work[W_GROUPS : W_GROUPS + 2], work[W_ROW_TABLES : W_ROW_TABLES + MOST_CUTS]
    row_cuts, block_cuts, channel_cuts = work[W_CUTS], work[W_CUTS + 1], work[W_CUTS + 2]
    fill_job(job, design, layer, NO_LIMIT)
    unit = design[c.UNIT]
    pooling = job[c.J_KIND] == c.POOLING
    n_rows = balanced_cuts(job[c.J_OUT_H], NO_LIMIT, row_cuts)
    n_blocks = balanced_cuts(job[c.J_GROUP_BLOCKS], NO_LIMIT, block_cuts)
    n_channels = balanced_cuts(ceil_div(job[c.J_GROUP_CHANNELS], unit), MOST_CHANNEL_CUTS, channel_cuts)
    if pooling:
        n_channels = 1
    if layer[c.L_CACHED]:  # tiles hold whole groups of tokens, and all of the other extent
        n_blocks = n_channels = 1
        block_cuts[0], channel_cuts[0] = job[c.J_GROUP_BLOCKS], ceil_div(job[c.J_GROUP_CHANNELS], unit)
        if job[c.J_TOKENS_ARE] == c.CHANNELS_OUT:
            channel_cuts[0] = ceil_div(c.CACHE_TOKENS, unit)
        else:
            block_cuts[0] = ceil_div(c.CACHE_TOKENS, job[c.J_ROWS])
    for r in range(n_rows):
        fill_row_table(row_tables[r], job, row_cuts[r])
    count = 0
    for b in range(n_blocks):
        if pooling:
            fill_job(job, design, layer, block_cuts[b])
        for n in range(n_channels):
            tile_channels = channel_cuts[n] * unit
            filled = False
            for r in range(n_rows):
                rows = row_tables[r]
                if not fits(design, job, rows, block_cuts[b], tile_channels):
                    continue
                if not filled:
                    fill_group_tables(groups, job, block_cuts[b], tile_channels)
                    filled = True
                one_way = pooling or tile_channels >= job[c.J_GROUP_CHANNELS]
                one_way = one_way or (rows[c.R_TILE_ROWS] == job[c.J_OUT_H] and job[c.J_N_IMAGES] == 1)
                for order in range(1 if one_way else 2):
                    candidate = candidates[count]
                    sum_layer(candidate, job, rows, groups, order)
                    if candidate[c.SUM_TILES] > c.MOST_TILES:
                        continue
                    bounds[count] = candidate[c.SUM_BOUND]
                    candidate[K_TILING + c.X_ROWS] = row_cuts[r]
                    candidate[K_TILING + c.X_BLOCKS] = block_cuts[b]
                    candidate[K_TILING + c.X_CHANNELS] = tile_channels
                    candidate[K_TILING + c.X_ORDER] = order
                    candidate[K_MAKING_CYCLES] = candidate[K_MAKING_BYTES] = 0
                    candidate[K_PLACE] = ((r * MOST_CUTS + b) * MOST_CUTS + n) * 2 + order
                    count += 1
    return count


@inner
def _run_tiling(
    design: np.ndarray,
    layer: np.ndarray,
    tiling: np.ndarray,
    most_cycles: int,
    phases: np.ndarray,
    activity: np.ndarray,
    work: np.ndarray,
) -> int:
    """Cycles of a layer under a tiling; fills its phases and activity.

    -1 where it cannot be built, and when it takes more than `most_cycles`.
    """
    unit = design[c.UNIT]
    if tiling[c.X_ROWS] < 1 or tiling[c.X_BLOCKS] < 1:
        return -1
    if not layer[c.L_POOLING] and (tiling[c.X_CHANNELS] < 1 or tiling[c.X_CHANNELS] % unit):
        return -1
    job, rows, groups, sums = work[W_JOB], work[W_ROWS], work[W_GROUPS : W_GROUPS + 2], work[W_SUMS]
    fill_job(job, design, layer, tiling[c.X_BLOCKS])
    fill_row_table(rows, job, tiling[c.X_ROWS])
    if not fits(design, job, rows, tiling[c.X_BLOCKS], tiling[c.X_CHANNELS]):
        return -1
    fill_group_tables(groups, job, tiling[c.X_BLOCKS], tiling[c.X_CHANNELS])
    sum_layer(sums, job, rows, groups, tiling[c.X_ORDER])
    if sums[c.SUM_TILES] > c.MOST_TILES:
        return -1
    layer_activity(activity, job, rows, groups, tiling[c.X_ORDER])
    anchors = work[W_ANCHORS : W_ANCHORS + N_LEVELS]
    return simulate_tiling(job, rows, groups, tiling[c.X_ORDER], sums, most_cycles, work[W_STATE], anchors, phases)


@inner
def _add_making(
    candidates: np.ndarray, bounds: np.ndarray, count: int, vector_design: np.ndarray, source: np.ndarray,
    machine: np.ndarray, phases: np.ndarray, activity: np.ndarray,
) -> None:  # fmt: skip
    """Add to candidates and their bounds what it takes to make the weights; the last three are scratch."""
    cycles, n_bytes, made = 0, 0, -1
    for k in range(count):
        tiling = candidates[k, K_TILING : K_TILING + 4]
        key = tiling[c.X_BLOCKS] << 32 | tiling[c.X_CHANNELS]
        if key != made:  # candidates that differ in rows alone follow each other
            cycles, n_bytes = make_weights(vector_design, source, tiling, machine, phases, activity)
            made = key
        if cycles < 0:
            bounds[k] = NO_LIMIT
            continue
        candidates[k, K_MAKING_CYCLES], candidates[k, K_MAKING_BYTES] = cycles, n_bytes
        bounds[k] += cycles


@entry
def _run_batch(
    designs: np.ndarray,
    layers: np.ndarray,
    vector_designs: np.ndarray,
    sources: np.ndarray,
    cycles: np.ndarray,
    phases: np.ndarray,
    activity: np.ndarray,
    tilings: np.ndarray,
    n_simulated: np.ndarray,
    candidates: np.ndarray,
    bounds: np.ndarray,
    work: np.ndarray,
) -> None:
    """Fill the arrays of `run_batch`; the last three are scratch.

    A search simulates candidates from the lowest bound up, until the bound exceeds the fewest cycles found: then no
    better one is left. A pinned tiling is a search over one candidate.
    """
    machine = np.zeros(v.N_MACHINE, dtype=np.int64)
    of_making = np.zeros(v.N_PHASES, dtype=np.int64), np.zeros(v.N_ACTIVITY, dtype=np.int64)
    its_phases, its_activity = work[W_PHASES, : c.N_PHASES], work[W_ACTIVITY, : c.N_ACTIVITY]
    for d in range(len(designs)):
        for i in range(len(layers)):
            design, layer = designs[d], layers[i]
            if tilings[d, i, c.X_ROWS]:
                count = 1
                bounds[0] = 0
                candidates[0, K_TILING : K_TILING + 4] = tilings[d, i]
                candidates[0, K_MAKING_CYCLES] = candidates[0, K_MAKING_BYTES] = 0
            else:
                count = list_candidates(design, layer, candidates, bounds, work)
                if layer[c.L_TOKENS_ARE]:
                    _add_making(
                        candidates, bounds, count, vector_designs[d], sources[i], machine, of_making[0], of_making[1]
                    )
            best_cycles, best_bytes, best_place = NO_LIMIT, NO_LIMIT, NO_LIMIT
            while True:
                index = -1
                lowest = best_cycles + 1
                for k in range(count):
                    if bounds[k] < lowest:
                        index, lowest = k, bounds[k]
                if index < 0 or lowest == NO_LIMIT:
                    break
                bounds[index] = NO_LIMIT
                candidate = candidates[index]
                tiling, making = candidate[K_TILING : K_TILING + 4], candidate[K_MAKING_CYCLES]
                found = _run_tiling(design, layer, tiling, best_cycles - making, its_phases, its_activity, work)
                n_simulated[d, i] += 1
                if found < 0:
                    continue
                n_bytes = its_activity[c.DRAM_READ_BYTES] + its_activity[c.DRAM_WRITE_BYTES]
                n_bytes += candidate[K_MAKING_BYTES]
                better = found + making < best_cycles or n_bytes < best_bytes
                if better or (n_bytes == best_bytes and candidate[K_PLACE] < best_place):
                    best_cycles, best_bytes, best_place = found + making, n_bytes, candidate[K_PLACE]
                    cycles[d, i] = found
                    tilings[d, i] = tiling
                    phases[d, i] = its_phases
                    activity[d, i] = its_activity


def run_batch(
    designs: np.ndarray,
    layers: np.ndarray,
    pinned: np.ndarray,
    vector_designs: np.ndarray | None = None,
    sources: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every layer on every design: (cycles, phases, activity, tilings, tilings simulated), leading axes design, layer.

    `pinned[design, layer]` is the tiling to use (X_*), or zeros: then the best one of the lattice is searched, that of
    the fewest cycles, of these the fewest DRAM bytes, of these the first place. Cycles are -1 where none fits.

    Of a layer whose weights a vector unit makes (L_TOKENS_ARE), cycles and bytes of a tiling are here those of product
    and making together: `sources[layer]` (vector_columns.N_LAYER) makes them on `vector_designs[design]`.
    """
    if vector_designs is None or sources is None:
        vector_designs = np.zeros((len(designs), v.N_DESIGN), dtype=np.int64)
        sources = np.zeros((len(layers), v.N_LAYER), dtype=np.int64)
    shape = len(designs), len(layers)
    cycles = np.full(shape, -1, dtype=np.int64)
    phases = np.zeros((*shape, c.N_PHASES), dtype=np.int64)
    activity = np.zeros((*shape, c.N_ACTIVITY), dtype=np.int64)
    tilings, n_simulated = pinned.astype(np.int64), np.zeros(shape, dtype=np.int64)
    scratch = make_scratch()
    _run_batch(designs, layers, vector_designs, sources, cycles, phases, activity, tilings, n_simulated, *scratch)
    return cycles, phases, activity, tilings, n_simulated


def make_scratch() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(candidates, bounds, work) that `list_candidates` and `_run_batch` write to."""
    most = 2 * MOST_CUTS * MOST_CUTS * MOST_CHANNEL_CUTS
    return (
        np.empty((most, N_CANDIDATE), dtype=np.int64),
        np.empty(most, dtype=np.int64),
        np.zeros((N_WORK, MOST_CUTS), dtype=np.int64),
    )
