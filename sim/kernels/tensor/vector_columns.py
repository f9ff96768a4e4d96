"""Columns of the int64 arrays that the kernels of the vector unit work on."""

from __future__ import annotations

# A design's numbers. PARAM_BYTES and WEIGHT_BYTES are bytes of a word; TABLE and ITA are 0 or 1.
(
    ROWS, COLS, DATAFLOW, ACT_BITS, WIDE_BITS, WEIGHT_BITS, WEIGHT_BYTES, PARAM_BYTES, LANES, STAGES, DIVIDER_BITS,
    WORDS, ROW_WORDS, PARAM_WORDS, TABLE, ITA, BEAT_BYTES, LATENCY, BURST_BYTES,
) = range(19)  # fmt: skip
N_DESIGN = 19

# A layer's numbers. OPERATION is a `workloads.mapping.vector_program.VectorOperation`; ROLE is one of the two below.
OPERATION, IMAGES, HEIGHT, WIDTH, CHANNELS, X_BITS, Z_BITS, OUT_BITS, ROLE, N_TOKENS, FIRST_TOKEN = range(11)
N_LAYER = 11
REQUANTIZE, GELU, ADD, GATHER, SOFTMAX, LAYER_NORM, RANGE_NORM, TO_WEIGHTS = range(8)
KEYS, VALUES = 1, 2

# Columns of a program's configuration, and those of VectorField that time and activity depend on.
CFG_OPERATION, CFG_WIDTH, CFG_X_WIDE, CFG_Z_WIDE, CFG_Y_WIDE, CFG_TRANSPOSED, CFG_DROP = range(7)
N_CONFIG = 7
S_LINES, S_BLOCKS, S_PARAM_WORDS, S_LOAD_TABLE, S_Y_WORDS, S_N_TOKENS, S_GROUPS = 3, 4, 8, 10, 11, 13, 14

# A machine under one configuration: word bytes of the formats, and cycles of a line of each.
(
    M_OPERATION, M_WIDTH, M_X_BYTES, M_Z_BYTES, M_Y_BYTES, M_X_LINE, M_Z_LINE, M_Y_LINE, M_TRANSPOSED, M_DROP,
) = range(10)  # fmt: skip
N_MACHINE = 10

PHASES = ("start", "vector_load", "vector_compute", "vector_store")
START, LOAD, COMPUTE, STORE = range(4)
N_PHASES = 4

ACTIVITY = (
    "vector_ops", "vector_moves", "vector_row_ops", "vector_reads", "vector_writes", "vector_loads", "vector_stores",
    "vector_param_reads", "vector_table_reads", "dram_read_bytes", "dram_write_bytes", "dram_requests",
)  # fmt: skip
OPS, MOVES, ROW_OPS, READS, WRITES, LOADS, STORES, PARAM_READS, TABLE_READS = range(9)
READ_BYTES, WRITE_BYTES, REQUESTS = range(9, 12)
N_ACTIVITY = 12

ID_BYTES = 4
TABLE_WORDS, TABLE_BYTES = 256, 2
# Bits of a quotient or a root, by row pass (docs/vector.md, section 5).
MEAN_BITS, FACTOR_BITS, ROOT_BITS, SOFTMAX_BITS, ITA_BITS = 33, 32, 16, 33, 17
