"""The vector unit in closed form: cycles, phases and activity of a step, of a program, of a layer (docs/vector.md).

Steps run strictly one after the other, so a layer is the sum of its steps, and equal steps are counted once.
"""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import entry, inner
from sim.kernels.tensor import columns as c
from sim.kernels.tensor import vector_columns as v
from sim.kernels.tensor.times import ceil_div, line_bytes, read_cycles, weights_fit, write_cycles


@inner
def _word_bytes(design: np.ndarray, wide: bool) -> int:
    bits = design[v.WIDE_BITS] if wide else design[v.ACT_BITS]
    return ceil_div(design[v.ROWS] * bits, 8)


@inner
def _fill_machine(
    machine: np.ndarray, design: np.ndarray, operation: int, width: int, x_wide: bool, z_wide: bool, y_wide: bool
) -> None:
    """Fill `machine` with an operation on lines of `width` pixels; what to_weights needs besides is for the caller."""
    beat, burst = design[v.BEAT_BYTES], design[v.BURST_BYTES]
    machine[v.M_OPERATION], machine[v.M_WIDTH] = operation, width
    machine[v.M_X_BYTES], machine[v.M_Z_BYTES] = _word_bytes(design, x_wide), _word_bytes(design, z_wide)
    machine[v.M_Y_BYTES] = _word_bytes(design, y_wide)
    machine[v.M_X_LINE] = read_cycles(width, machine[v.M_X_BYTES], beat, burst)
    machine[v.M_Z_LINE] = read_cycles(width, machine[v.M_Z_BYTES], beat, burst)
    machine[v.M_Y_LINE] = write_cycles(width, machine[v.M_Y_BYTES], beat, burst)
    machine[v.M_TRANSPOSED] = machine[v.M_DROP] = 0


@inner
def _read(activity: np.ndarray, n_lines: int, n_words: int, word_bytes: int, burst: int, times: int) -> None:
    activity[v.LOADS] += n_lines * n_words * times
    activity[v.READ_BYTES] += n_lines * line_bytes(n_words, word_bytes, burst) * times
    activity[v.REQUESTS] += n_lines * times


@inner
def _load(
    design: np.ndarray, machine: np.ndarray, lines: int, blocks: int, param_words: int, load_table: bool,
    activity: np.ndarray, times: int,
) -> int:  # fmt: skip
    """Cycles of the loads of a step."""
    beat, burst, width = design[v.BEAT_BYTES], design[v.BURST_BYTES], machine[v.M_WIDTH]
    n_lines = lines * blocks
    if machine[v.M_OPERATION] == v.GATHER:
        pixels = lines * width
        cycles = design[v.LATENCY] + lines * read_cycles(width, v.ID_BYTES, beat, burst)
        _read(activity, lines, width, v.ID_BYTES, burst, times)
        _read(activity, pixels, blocks, machine[v.M_X_BYTES], burst, times)
        return cycles + design[v.LATENCY] + pixels * read_cycles(blocks, machine[v.M_X_BYTES], beat, burst)
    cycles = design[v.LATENCY] + n_lines * machine[v.M_X_LINE]
    _read(activity, n_lines, width, machine[v.M_X_BYTES], burst, times)
    if machine[v.M_OPERATION] == v.ADD:
        cycles += n_lines * machine[v.M_Z_LINE]
        _read(activity, n_lines, width, machine[v.M_Z_BYTES], burst, times)
    if param_words:
        cycles += read_cycles(param_words, design[v.PARAM_BYTES], beat, burst)
        _read(activity, 1, param_words, design[v.PARAM_BYTES], burst, times)
    if load_table:
        cycles += read_cycles(v.TABLE_WORDS, v.TABLE_BYTES, beat, burst)
        _read(activity, 1, v.TABLE_WORDS, v.TABLE_BYTES, burst, times)
    return cycles


@inner
def _row_cycles(design: np.ndarray, pixels: int, bits: int) -> int:
    return pixels * (ceil_div(bits, design[v.DIVIDER_BITS]) + 2)


@inner
def _compute(
    design: np.ndarray, machine: np.ndarray, lines: int, blocks: int, activity: np.ndarray, times: int
) -> int:  # fmt: skip
    """Cycles of the passes of a step, to_weights apart."""
    operation, lanes, pixels = machine[v.M_OPERATION], design[v.LANES], lines * machine[v.M_WIDTH]
    items = pixels * blocks * (design[v.ROWS] // lanes)
    passes, row_cycles, row_ops, table_passes, sources = 1, 0, 0, 0, 1
    if operation == v.ADD:
        sources = 2
    elif operation == v.GELU:
        table_passes = design[v.TABLE]
    elif operation == v.SOFTMAX:
        passes = 2 if design[v.ITA] else 3
        row_cycles = _row_cycles(design, pixels, v.ITA_BITS if design[v.ITA] else v.SOFTMAX_BITS)
        row_ops, table_passes = 1, 0 if design[v.ITA] else 2 * design[v.TABLE]
    elif operation == v.LAYER_NORM:
        passes, row_ops = 3, 3
        row_cycles = _row_cycles(design, pixels, v.MEAN_BITS) + _row_cycles(design, pixels, v.ROOT_BITS)
        row_cycles += _row_cycles(design, pixels, v.FACTOR_BITS)
    elif operation == v.RANGE_NORM:
        passes, row_ops = 2, 2
        row_cycles = _row_cycles(design, pixels, v.MEAN_BITS) + _row_cycles(design, pixels, v.FACTOR_BITS)
    activity[v.OPS] += passes * items * lanes * times
    activity[v.ROW_OPS] += row_ops * pixels * times
    activity[v.READS] += passes * sources * items * times
    activity[v.WRITES] += items * times
    activity[v.TABLE_READS] += table_passes * items * lanes * times
    if operation == v.LAYER_NORM or operation == v.RANGE_NORM:
        activity[v.PARAM_READS] += items * times
    return passes * (items + design[v.STAGES] + 2) + row_cycles


@inner
def _add_step(
    design: np.ndarray, machine: np.ndarray, lines: int, blocks: int, param_words: int, load_table: bool,
    phases: np.ndarray, activity: np.ndarray, times: int,
) -> None:  # fmt: skip
    """Add `times` equal steps, to_weights apart."""
    n_lines, width = lines * blocks, machine[v.M_WIDTH]
    phases[v.LOAD] += times * _load(design, machine, lines, blocks, param_words, load_table, activity, times)
    phases[v.COMPUTE] += times * _compute(design, machine, lines, blocks, activity, times)
    phases[v.STORE] += times * (1 + n_lines * machine[v.M_Y_LINE])
    activity[v.STORES] += times * n_lines * width
    activity[v.WRITE_BYTES] += times * n_lines * line_bytes(width, machine[v.M_Y_BYTES], design[v.BURST_BYTES])
    activity[v.REQUESTS] += times * n_lines


@inner
def _add_weights(
    design: np.ndarray, machine: np.ndarray, lines: int, blocks: int, n_tokens: int, phases: np.ndarray,
    activity: np.ndarray,
) -> None:  # fmt: skip
    """Add a step that makes one line of weights of `n_tokens` tokens."""
    rows, beat, burst = design[v.ROWS], design[v.BEAT_BYTES], design[v.BURST_BYTES]
    items = blocks * ceil_div(n_tokens, rows) * rows
    written = blocks * n_tokens if machine[v.M_DROP] else items
    phases[v.LOAD] += _load(design, machine, lines, blocks, 0, False, activity, 1)
    phases[v.COMPUTE] += items + 2 + (rows if machine[v.M_TRANSPOSED] else 0)
    phases[v.STORE] += 1 + write_cycles(written, design[v.WEIGHT_BYTES], beat, burst)
    activity[v.MOVES] += items
    activity[v.READS] += blocks * n_tokens
    activity[v.WRITES] += written
    activity[v.STORES] += written
    activity[v.WRITE_BYTES] += line_bytes(written, design[v.WEIGHT_BYTES], burst)
    activity[v.REQUESTS] += 1


@entry
def run_steps(
    design: np.ndarray, config: np.ndarray, steps: np.ndarray, phases: np.ndarray, activity: np.ndarray,
    ends: np.ndarray,
) -> int:  # fmt: skip
    """Cycles of an explicit program; fills phases, activity and, a row a step, the first cycle after each part.

    `ends` is (n_steps, 3): of load, compute and store.
    """
    machine = np.zeros(v.N_MACHINE, dtype=np.int64)
    _fill_machine(
        machine, design, config[v.CFG_OPERATION], config[v.CFG_WIDTH], config[v.CFG_X_WIDE], config[v.CFG_Z_WIDE],
        config[v.CFG_Y_WIDE],
    )  # fmt: skip
    machine[v.M_TRANSPOSED], machine[v.M_DROP] = config[v.CFG_TRANSPOSED], config[v.CFG_DROP]
    phases[v.START] = 1 if len(steps) else 0
    for i in range(len(steps)):
        lines, blocks = steps[i, v.S_LINES], steps[i, v.S_BLOCKS]
        begin, before_load, before_compute = phases.sum(), phases[v.LOAD], phases[v.COMPUTE]
        if config[v.CFG_OPERATION] == v.TO_WEIGHTS:
            _add_weights(design, machine, lines, blocks, steps[i, v.S_N_TOKENS], phases, activity)
        else:
            _add_step(
                design, machine, lines, blocks, steps[i, v.S_PARAM_WORDS], steps[i, v.S_LOAD_TABLE] != 0, phases,
                activity, 1,
            )  # fmt: skip
        ends[i, 0] = begin + phases[v.LOAD] - before_load
        ends[i, 1] = ends[i, 0] + phases[v.COMPUTE] - before_compute
        ends[i, 2] = phases.sum()
    return phases.sum()


@inner
def _run_weights(
    design: np.ndarray, layer: np.ndarray, tiling: np.ndarray, machine: np.ndarray, phases: np.ndarray,
    activity: np.ndarray,
) -> bool:  # fmt: skip
    """All lines of weights of a product under its tiling; False where one does not fit, or the product has none."""
    if tiling[c.X_BLOCKS] == 0:
        return False
    keys, rows, width = layer[v.ROLE] == v.KEYS, design[v.ROWS], layer[v.WIDTH]
    stationary_input = design[v.DATAFLOW] == c.INPUT_STATIONARY
    if design[v.WEIGHT_BITS] == 1 or (not stationary_input and rows != design[v.COLS]):
        return False
    if stationary_input and not keys and layer[v.CHANNELS] % rows:
        return False
    machine[v.M_TRANSPOSED], machine[v.M_DROP] = keys != stationary_input, keys and stationary_input
    of_tokens = tiling[c.X_CHANNELS] if keys else tiling[c.X_BLOCKS] * rows
    of_blocks = tiling[c.X_BLOCKS] if keys else tiling[c.X_CHANNELS] // rows
    all_blocks = ceil_div(layer[v.CHANNELS], rows)
    n_tokens, blocks = min(of_tokens, layer[v.N_TOKENS]), min(of_blocks, all_blocks)
    if not weights_fit(design[v.WORDS], rows, layer[v.HEIGHT], width, n_tokens, blocks):
        return False
    for token in range(0, layer[v.N_TOKENS], of_tokens):
        n_tokens = min(of_tokens, layer[v.N_TOKENS] - token)
        if token + n_tokens <= layer[v.FIRST_TOKEN]:
            continue
        lines = (token + n_tokens - 1) // width + 1 - token // width
        for block in range(0, all_blocks, of_blocks):
            blocks = min(of_blocks, all_blocks - block)
            _add_weights(design, machine, lines, blocks, n_tokens, phases, activity)
    return True


@inner
def make_weights(
    design: np.ndarray, layer: np.ndarray, tiling: np.ndarray, machine: np.ndarray, phases: np.ndarray,
    activity: np.ndarray,
) -> tuple[int, int]:  # fmt: skip
    """(cycles, DRAM bytes) of making all weights of a product under its tiling; both -1 where they cannot be made.

    The last three are scratch.
    """
    phases[:] = 0
    activity[:] = 0
    wide = design[v.WIDE_BITS] > 0 and layer[v.X_BITS] > design[v.ACT_BITS]
    _fill_machine(machine, design, v.TO_WEIGHTS, layer[v.WIDTH], wide, False, False)
    if not _run_weights(design, layer, tiling, machine, phases, activity):
        return -1, -1
    return phases.sum() + 1, activity[v.READ_BYTES] + activity[v.WRITE_BYTES]


@inner
def _run_layer(
    design: np.ndarray, layer: np.ndarray, tiling: np.ndarray, machine: np.ndarray, phases: np.ndarray,
    activity: np.ndarray,
) -> int:  # fmt: skip
    """Cycles of a layer, -1 where it does not fit; the rule of workloads.mapping.vector."""
    if design[v.LANES] == 0:
        return -1
    operation, width, act_bits = layer[v.OPERATION], layer[v.WIDTH], design[v.ACT_BITS]
    has_wide = design[v.WIDE_BITS] > 0
    _fill_machine(
        machine, design, operation, width, has_wide and layer[v.X_BITS] > act_bits,
        has_wide and layer[v.Z_BITS] > act_bits, has_wide and layer[v.OUT_BITS] > act_bits,
    )  # fmt: skip
    phases[v.START] = 1
    if operation == v.TO_WEIGHTS:
        if layer[v.FIRST_TOKEN] >= layer[v.N_TOKENS]:  # all weights lie there: no program
            phases[v.START] = 0
        if not _run_weights(design, layer, tiling, machine, phases, activity):
            return -1
        return phases.sum()
    all_blocks = ceil_div(layer[v.CHANNELS], design[v.ROWS])
    norm = operation == v.LAYER_NORM or operation == v.RANGE_NORM
    of_lines, of_blocks = min(layer[v.HEIGHT], design[v.WORDS] // (all_blocks * width)), all_blocks
    if operation == v.SOFTMAX or operation == v.GATHER or norm:
        of_lines = min(of_lines, design[v.ROW_WORDS] // width)
    elif of_lines == 0:
        of_lines, of_blocks = 1, min(all_blocks, design[v.WORDS] // width)
    param_words = all_blocks * (design[v.ROWS] // design[v.LANES]) if norm else 0
    if of_lines == 0 or of_blocks == 0 or param_words > design[v.PARAM_WORDS]:
        return -1
    if max(of_lines, of_blocks) > c.MOST_IN_A_TILE:
        return -1
    load_table = design[v.TABLE] != 0 and (operation == v.GELU or (operation == v.SOFTMAX and not design[v.ITA]))
    # Every kind of step times how often there is one; the first, a full one, also loads constants.
    n_lines, n_blocks = layer[v.HEIGHT] // of_lines, all_blocks // of_blocks
    last_lines, last_blocks = layer[v.HEIGHT] - n_lines * of_lines, all_blocks - n_blocks * of_blocks
    full = layer[v.IMAGES] * n_lines * n_blocks
    _add_step(design, machine, of_lines, of_blocks, param_words, load_table, phases, activity, 1)
    _add_step(design, machine, of_lines, of_blocks, 0, False, phases, activity, full - 1)
    if last_lines:
        _add_step(design, machine, last_lines, of_blocks, 0, False, phases, activity, layer[v.IMAGES] * n_blocks)
    if last_blocks:
        _add_step(design, machine, of_lines, last_blocks, 0, False, phases, activity, layer[v.IMAGES] * n_lines)
        if last_lines:
            _add_step(design, machine, last_lines, last_blocks, 0, False, phases, activity, layer[v.IMAGES])
    return phases.sum()


@entry
def _run_batch(
    designs: np.ndarray,
    layers: np.ndarray,
    tilings: np.ndarray,
    cycles: np.ndarray,
    phases: np.ndarray,
    activity: np.ndarray,
) -> None:
    machine = np.zeros(v.N_MACHINE, dtype=np.int64)
    for d in range(len(designs)):
        for i in range(len(layers)):
            cycles[d, i] = _run_layer(designs[d], layers[i], tilings[d, i], machine, phases[d, i], activity[d, i])


def run_vector_batch(
    designs: np.ndarray, layers: np.ndarray, tilings: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every vector layer on every design: (cycles, phases, activity), leading axes design, layer; cycles -1: no fit.

    `tilings[design, layer]` (X_*) is that of the product which reads the weights of a to_weights layer.
    """
    shape = len(designs), len(layers)
    cycles = np.zeros(shape, dtype=np.int64)
    phases = np.zeros((*shape, v.N_PHASES), dtype=np.int64)
    activity = np.zeros((*shape, v.N_ACTIVITY), dtype=np.int64)
    _run_batch(designs, layers, tilings, cycles, phases, activity)
    return cycles, phases, activity
