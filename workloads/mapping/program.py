"""The program of a tensor machine: what its controller executes for one layer (docs/tensor.md, section 4).

Tiles and outputs are rows of int64 arrays, so that simulator kernels and benches read them without objects; the
enumerations below name the columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, auto

import numpy as np


class Column(IntEnum):
    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[int]) -> int:
        return count


class TileField(Column):
    """Columns of `Program.tiles`."""

    LOAD_ACT = auto()
    ACT_ADDR = auto()  # bytes: line (image, first block, first row)
    ACT_ROWS = auto()  # rows of the tile in the scratchpad, whether loaded now or before
    BLOCKS = auto()  # input blocks of the tile
    LOAD_WEIGHTS = auto()
    WEIGHT_ADDR = auto()
    WEIGHT_WORDS = auto()
    LOAD_PARAMS = auto()
    PARAM_ADDR = auto()
    PARAM_WORDS = auto()
    LOAD_RESIDUAL = auto()
    RESIDUAL_ADDR = auto()
    RESIDUAL_BLOCKS = auto()  # blocks of act_lanes channels of the output; its rows are ROWS
    WAIT_RELEASED = auto()  # the loads are requested when the counters have reached these
    WAIT_OUTPUTS = auto()
    WAIT_STORES = auto()
    COMPUTE_WAIT_OUTPUTS = auto()  # computing starts when the counters have reached these
    COMPUTE_WAIT_STORES = auto()
    ACT_BUF = auto()
    WEIGHT_BUF = auto()
    ACC_BUF = auto()
    PARAM_BUF = auto()
    OUT_BUF = auto()
    FIRST = auto()  # first tile of its output
    ROWS = auto()  # output rows
    ROW_OFFSET = auto()  # scratchpad row that output row 0, kernel row 0 reads; may be negative
    N_VALID = auto()  # output channels
    N_STORES = auto()  # stores that follow the loads of this tile


class OutputField(Column):
    """Columns of `Program.outputs`."""

    WAIT_TILES = auto()  # completed tiles before the output path starts
    WAIT_STORES = auto()
    ACC_BUF = auto()
    OUT_BUF = auto()
    PARAM_BUF = auto()
    ROWS = auto()
    BLOCKS = auto()  # blocks of act_lanes channels
    N_VALID = auto()
    STORE_ADDR = auto()  # bytes: line (image, first block, first row)


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """Registers that hold for a whole program. Numbers are 0 for layers without them, which can only be timed."""

    pooling: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_left: int
    in_w: int  # words of an activation line
    out_w: int  # words of an output line
    act_line_beats: int  # DRAM beats of an activation line, padding included
    act_block_bytes: int  # from a line to the same row of the next block
    out_line_beats: int
    out_block_bytes: int
    in_signed: int = 0
    in_zero: int = 0
    multiplier: int = 0  # where requantization is per tensor
    shift: int = 0
    out_zero: int = 0
    out_low: int = 0
    out_high: int = 0
    passes: int = 1  # times that each k-block is computed, every time with other weights (n:m machines)
    out_wide: int = 0  # output and residual lie in words of wide_bits lanes
    residual: int = 0
    residual_signed: int = 0
    residual_zero: int = 0
    residual_m1: int = 0
    residual_m2: int = 0
    residual_shift: int = 0
    sum_zero: int = 0
    sum_low: int = 0
    sum_high: int = 0


@dataclass(frozen=True, kw_only=True)
class Program:
    """One layer for one machine. Addresses are bytes of one DRAM."""

    config: LayerConfig
    tiles: np.ndarray  # int64 (n_tiles, len(TileField))
    outputs: np.ndarray  # int64 (n_outputs, len(OutputField))
    act_base: int
    residual_base: int
    out_base: int
    end: int  # first byte after weights and parameters
