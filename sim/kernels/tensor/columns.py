"""Columns of the int64 arrays that the kernels of the tensor machine work on."""

from __future__ import annotations

# Columns of a design's numbers.
ROWS, COLS, DATAFLOW, ACT_BYTES, WEIGHT_BYTES, PARAM_BYTES, N_BUFFERS = range(7)
ACT_WORDS, WEIGHT_WORDS, ACC_WORDS, OUT_WORDS, PARAM_WORDS, BEAT_BYTES, LATENCY, BURST_BYTES = range(7, 15)
VECTOR_WORDS = 15  # of a buffer of the vector unit
# Channels of an activation word, channels that fill words and columns; bits above which an output is stored wide (0:
# none is), and bytes of a wide word.
WORD_LANES, UNIT, NARROW_BITS, WIDE_BYTES = range(16, 20)
N_DESIGN = 20
WEIGHT_STATIONARY, INPUT_STATIONARY, OUTPUT_STATIONARY, POOLING = range(4)

# Columns of a program's configuration.
CFG_POOLING, CFG_KH, CFG_KW, CFG_SH, CFG_SW, CFG_PAD_LEFT, CFG_IN_W, CFG_OUT_W, CFG_RESIDUAL = range(9)
CFG_OUT_WIDE, CFG_PASSES = range(9, 11)
N_CONFIG = 11

# Columns of TileField and OutputField that time and activity depend on; the order is that of workloads.mapping.program.
(
    T_LOAD_ACT, _, T_ACT_ROWS, T_BLOCKS, T_LOAD_WEIGHTS, _, T_WEIGHT_WORDS, T_LOAD_PARAMS, _, T_PARAM_WORDS,
    T_LOAD_RESIDUAL, _, T_RESIDUAL_BLOCKS, T_WAIT_RELEASED, T_WAIT_OUTPUTS, T_WAIT_STORES, T_COMPUTE_WAIT_OUTPUTS,
    T_COMPUTE_WAIT_STORES, _, _, _, _, _, T_FIRST, T_ROWS, T_ROW_OFFSET, T_N_VALID, T_N_STORES,
) = range(28)  # fmt: skip
O_WAIT_TILES, O_WAIT_STORES, _, _, _, O_ROWS, O_BLOCKS, O_N_VALID, _ = range(9)

PHASES = ("start", "fill", "compute", "stall_load", "stall_output", "drain")
START, FILL, COMPUTE, STALL_LOAD, STALL_OUTPUT, DRAIN = range(6)
N_PHASES = 6

ACTIVITY = (
    "macs", "act_reads", "act_writes", "weight_reads", "weight_writes", "acc_reads", "acc_writes", "out_reads",
    "out_writes", "param_reads", "param_writes", "post_ops", "dram_read_bytes", "dram_write_bytes", "dram_requests",
)  # fmt: skip
(
    MACS, ACT_READS, ACT_WRITES, WEIGHT_READS, WEIGHT_WRITES, ACC_READS, ACC_WRITES, OUT_READS,
    OUT_WRITES, PARAM_READS, PARAM_WRITES, POST_OPS, DRAM_READ_BYTES, DRAM_WRITE_BYTES, DRAM_REQUESTS,
) = range(15)  # fmt: skip
N_ACTIVITY = 15

TILE_EVENTS = ("request_start", "request_end", "load_start", "load_end", "compute_start", "compute_end")
OUTPUT_EVENTS = ("output_start", "output_end", "store_start", "store_end")

FIRST_CYCLE = 2  # in which the engines see the first descriptor

# Columns of a layer's numbers.
L_POOLING, L_IMAGES, L_IN_H, L_IN_W, L_IN_CHANNELS, L_OUT_H, L_OUT_W, L_OUT_CHANNELS = range(8)
L_KH, L_KW, L_SH, L_SW, L_PAD_TOP, L_PAD_LEFT, L_GROUPS, L_SHARED, L_RESIDUAL = range(8, 17)
# Of a product whose weights a vector unit makes: what its tokens are (0: the weights are constants), lines and pixels
# of the source, and whether it is a cache, whose tiles hold whole groups of tokens.
L_TOKENS_ARE, L_SOURCE_H, L_SOURCE_W, L_CACHED = range(17, 21)
CHANNELS_OUT, CHANNELS_IN = 1, 2
L_OUT_BITS, L_PASSES = range(21, 23)
N_LAYER = 23

# Columns of a tiling, and the orders.
X_ROWS, X_BLOCKS, X_CHANNELS, X_ORDER = range(4)
ROWS_OUTER, CHANNELS_OUTER = 0, 1

MOST_TILES = 65535
MOST_IN_A_TILE = 4095
CACHE_TOKENS = 64  # of a weight tile of a cached product, at least

# Columns of a job. J_ACT_LINE, J_RESIDUAL_LINE and J_STORE_LINE are the cycles of one line, read or written.
(
    J_KIND, J_ROWS, J_COLS, J_LANES, J_N_BUFFERS, J_LATENCY, J_BEAT, J_BURST, J_ACT_BYTES, J_WEIGHT_BYTES,
    J_PARAM_BYTES, J_RHO, J_DELTA, J_POST, J_TAPS, J_N_IMAGES, J_IN_H, J_IN_W, J_OUT_H, J_OUT_W, J_KH, J_KW, J_SH, J_SW,
    J_PAD_TOP, J_PAD_LEFT, J_SHARED, J_RESIDUAL, J_ACT_LINE, J_RESIDUAL_LINE, J_STORE_LINE,
    J_N_GROUPS, J_GROUP_CHANNELS, J_GROUP_BLOCKS, J_LAST_CHANNELS, J_LAST_BLOCKS, J_N_CLASSES,
    J_SLICES, J_TOKENS_ARE, J_SOURCE_H, J_SOURCE_W, J_IN_CHANNELS, J_WORD_LANES, J_OUT_BYTES, J_PASSES,
) = range(45)  # fmt: skip
N_JOB = 45

# Columns of a row table: a layer cut into row tiles. FACTOR is `pixel_factor` of a full tile and of the last one of an
# image; sums are over all images; row tiles EQUAL_FIRST to EQUAL_LAST of an image are equal in time.
(
    R_TILE_ROWS, R_TILES, R_ALL_TILES, R_LAST_ROWS, R_FACTOR, R_LAST_FACTOR, R_FACTOR_SUM,
    R_FIRST_ACT_ROWS, R_MOST_ACT_ROWS, R_ACT_ROWS_SUM, R_EQUAL_FIRST, R_EQUAL_LAST,
) = range(12)  # fmt: skip
N_ROW_TABLE = 12

# Columns of a group table: a group of a class cut into channel tiles and k tiles. From G_FULL on, a channel tile's own
# numbers (C_*) for a full tile, from G_LAST on those of the last tile where it is smaller; sums are over channel tiles.
G_COUNT, G_BLOCKS, G_LAST_BLOCKS, G_K_TILES, G_CHANNEL_TILES, G_FULL_TILES = range(6)
C_N_VALID, C_FACTOR, C_OUT_BLOCKS, C_WEIGHTS, C_LAST_WEIGHTS, C_PARAMS = range(6)
G_FULL, G_LAST = 6, 12
G_FACTOR_SUM, G_OUT_BLOCKS_SUM, G_WEIGHTS_SUM, G_PARAMS_SUM = range(18, 22)
N_GROUP_TABLE = 22

# What `sum_layer` tells: issue cycles of the compute engine, busy cycles of the data engine, the least from the last
# issue cycle to the end, a number of cycles that the layer does not go below, and its tiles.
SUM_ISSUE, SUM_DATA, SUM_TAIL, SUM_BOUND, SUM_TILES = range(5)
N_SUMS = 5
