"""The program of the vector unit: what its controller executes for one vector layer (docs/vector.md, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np

from workloads.mapping.program import Column


class VectorOperation(IntEnum):
    """What a vector program computes: `VectorConfig.operation`."""

    REQUANTIZE = 0
    GELU = 1
    ADD = 2
    GATHER = 3
    SOFTMAX = 4
    LAYER_NORM = 5
    RANGE_NORM = 6
    TO_WEIGHTS = 7


class VectorField(Column):
    """Columns of `VectorProgram.steps`."""

    X_ADDR = auto()  # bytes: line (first block, first line); gather: the first line of ids
    Z_ADDR = auto()
    Y_ADDR = auto()  # bytes: line (first block, first line); to_weights: the line of weights
    LINES = auto()  # lines of in_w pixels
    BLOCKS = auto()  # blocks of R channels
    N_COLS = auto()  # valid channels of these blocks, at most BLOCKS * R
    FIRST_TOKEN = auto()  # token of pixel 0, for the causal mask
    PARAM_ADDR = auto()
    PARAM_WORDS = auto()  # 0: none are loaded
    TABLE_ADDR = auto()
    LOAD_TABLE = auto()
    Y_WORDS = auto()  # to_weights: words of the line of weights; else 0
    SKIP = auto()  # to_weights: pixels of the loaded lines before the first token
    N_TOKENS = auto()
    GROUPS = auto()  # to_weights: ceil(N_TOKENS / R)
    BLOCK_STRIDE = auto()  # to_weights: words of y from a block to the next
    GROUP_STRIDE = auto()


@dataclass(frozen=True, kw_only=True)
class VectorConfig:
    """Registers that hold for a whole program. Numbers are 0 for layers without them, which can only be timed.

    The registers from `out_bits` to `pre_shift` are those of `workloads.functions`, under the names that they have
    there; `function_multiplier` and `function_shift` are those of exp (`SoftmaxNumbers`), of the halvings
    (`ItaNumbers`) or of the index (`TableNumbers`), and `pre_shift` is the shift of `LayerNormNumbers`. `multiplier`
    and `shift` requantize at the end, one for all channels: of an addition, `multiplier` and `z_multiplier` are m1 and
    m2. Normalizations have them in `params`.
    """

    operation: int  # a VectorOperation
    in_w: int  # pixels of a line
    x_wide: int = 0
    x_signed: int = 0
    x_line_bytes: int = 0  # from a line to the next; gather: from a row of the table to the next
    x_block_bytes: int = 0  # from a line to the same line of the next block
    table_base: int = 0  # gather: first byte of row 0 of the table
    z_wide: int = 0
    z_signed: int = 0
    z_line_bytes: int = 0
    z_block_bytes: int = 0
    y_wide: int = 0
    y_line_bytes: int = 0
    y_block_bytes: int = 0
    causal: int = 0
    causal_offset: int = 0
    transposed: int = 0  # to_weights
    drop: int = 0  # to_weights: words of missing tokens are not written
    x_zero: int = 0
    z_zero: int = 0
    multiplier: int = 0  # requant_multiplier_bits, unsigned
    z_multiplier: int = 0
    shift: int = 0  # 6 bits
    out_zero: int = 0
    out_low: int = 0
    out_high: int = 0
    out_bits: int = 0  # softmax: bits of the fraction that is stored
    left_shift: int = 0
    ln2: int = 0
    clip: int = 0
    reciprocal: int = 0
    reciprocal_shift: int = 0
    b: int = 0  # signed
    c: int = 0  # signed
    one: int = 0  # signed
    function_multiplier: int = 0
    function_shift: int = 0
    n: int = 0  # entries of a row that is normalized
    pre_shift: int = 0


@dataclass(frozen=True, kw_only=True)
class VectorProgram:
    """One vector layer for one machine. Addresses are bytes of one DRAM."""

    config: VectorConfig
    steps: np.ndarray  # int64 (n_steps, len(VectorField))
    x_base: int  # gather: first line of ids
    z_base: int
    y_base: int
    end: int  # first byte after parameters and tables
