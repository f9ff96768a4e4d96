"""Tensor arrays: a systolic array with its scratchpads, output path, DMA and controller (machine: docs/tensor.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from math import lcm
from typing import Literal

from designs.errors import DesignError
from designs.ranges import check_powers_of_two, check_ranges

Dataflow = Literal["output_stationary", "weight_stationary", "input_stationary"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """One tensor machine. Every field is a YAML key of `family: tensor`."""

    array_rows: int = 16  # PEs in a column; channels of one activation word where weights are dense
    array_cols: int = 16  # PEs in a row; one of rows and columns divides the other
    dataflow: Dataflow = "weight_stationary"  # operand that stays in the array
    act_bits: int = 8  # stored activation, 1-16
    weight_bits: int = 8  # stored weight, 1-16; 1 means the values -1 and +1
    acc_bits: int = 32  # accumulator, 8-48
    acc_overflow: Literal["wrap", "saturate"] = "wrap"  # what an addition that does not fit does
    requant: Literal["multiplier_shift", "shift"] = "multiplier_shift"  # shift: scales are powers of two
    requant_granularity: Literal["per_tensor", "per_channel"] = "per_channel"  # what has a scale of its own
    requant_multiplier_bits: int = 16  # width of the fixed-point multiplier, 8-31
    act_scratchpad_bytes: int = 65536  # both halves together where double_buffered
    weight_scratchpad_bytes: int = 65536  # both halves together where double_buffered
    acc_scratchpad_bytes: int = 65536  # accumulators, both halves together where double_buffered
    scratchpad_banks: int = 4  # SRAM macros the activation and the weight scratchpad are each built of
    double_buffered: bool = True  # load, compute and store of neighbouring tiles overlap
    dram_bytes_per_cycle: int = 16  # width of a DRAM beat
    dram_latency_cycles: int = 40  # from request to first beat
    dram_burst_bytes: int = 64  # what a DRAM transfer is rounded up to
    clock_mhz: int = 500  # clock of machine and DRAM port
    node_nm: int = 45  # technology node, see designs/technology
    n_of_m: str = "1:1"  # "2:4": of 4 neighbouring input channels an output channel keeps 2 weights; 1:1: dense
    wide_bits: int = 0  # second width in which an edge may be stored, above act_bits; 0: none
    vector_lanes: int = 0  # lanes of the vector unit (docs/vector.md), a divisor of array_rows; 0: no vector unit
    vector_stages: int = 4  # registers in the arithmetic of a lane, 1-8
    vector_divider_bits: int = 8  # quotient bits a cycle of the divider and the square root, 1-16
    vector_words: int = 1024  # words of each of its three buffers
    vector_rows: int = 64  # rows (tokens) of a step: words of its memories of row statistics and of ids
    vector_param_words: int = 1024  # words of vector_lanes parameters
    vector_functions: Literal["polynomial", "table"] = "polynomial"  # GELU and exp: I-BERT's, or a table of 256
    vector_softmax: Literal["i_bert", "ita"] = "i_bert"  # whose integer softmax

    def check(self) -> None:
        """Raise DesignError, naming the field and the remedy, where the machine cannot be built."""
        check_ranges(self, _RANGES)
        check_powers_of_two(self, ("scratchpad_banks", "dram_bytes_per_cycle", "dram_burst_bytes"))
        rows, cols = self.array_rows, self.array_cols
        if rows % cols and cols % rows:
            raise DesignError(
                "array_cols", f"wanted a multiple or a divisor of array_rows ({rows}), got {cols}"
            )
        self._check_n_of_m()
        if self.double_buffered and self.scratchpad_banks < 2:
            raise DesignError(
                "scratchpad_banks",
                "wanted 2 or more where double_buffered is true (each half needs a bank of its own), got 1",
            )
        if self.dram_burst_bytes < self.dram_bytes_per_cycle:
            raise DesignError(
                "dram_burst_bytes",
                f"wanted at least dram_bytes_per_cycle ({self.dram_bytes_per_cycle}), got {self.dram_burst_bytes}",
            )
        for field, words in (
            ("act_scratchpad_bytes", self.act_words),
            ("weight_scratchpad_bytes", self.weight_words),
            ("acc_scratchpad_bytes", self.acc_words),
        ):
            if words < 4:
                raise DesignError(field, f"wanted room for 4 words a buffer, got {words}")
        if self.wide_bits and self.wide_bits <= self.act_bits:
            raise DesignError(
                "wide_bits", f"wanted more than act_bits ({self.act_bits}), or 0 for none, got {self.wide_bits}"
            )
        if self.vector_lanes and self.array_rows % self.vector_lanes:
            raise DesignError(
                "vector_lanes", f"wanted a divisor of array_rows ({self.array_rows}), or 0, got {self.vector_lanes}"
            )

    def _check_n_of_m(self) -> None:
        n, got = self.kept_lanes, f"got {self.n_of_m}"
        if self.group_lanes == 1:
            return
        if self.dataflow != "weight_stationary":
            raise DesignError("n_of_m", f"wanted 1:1 where dataflow is not weight_stationary, {got}")
        if self.weight_bits == 1:
            raise DesignError("n_of_m", f"wanted 1:1 where weight_bits is 1 (one bit has no zero), {got}")
        if self.vector_lanes:
            raise DesignError("n_of_m", f"wanted 1:1 beside a vector unit, which makes dense weights, {got}")
        if self.array_rows % n:
            raise DesignError("n_of_m", f"wanted n:m with an n that divides array_rows ({self.array_rows}), {got}")
        if self.act_lanes % self.post_lanes:
            raise DesignError(
                "array_cols",
                f"wanted a divisor of {self.act_lanes} (channels of an activation word: array_rows * m / n of "
                f"{self.n_of_m}) or an n that divides m, got {self.array_cols}",
            )

    # Derived sizes: the one place where both readings of the machine take them from.

    @property
    def n_buffers(self) -> int:
        """Tiles that each scratchpad holds at a time."""
        return 2 if self.double_buffered else 1

    @property
    def kept_lanes(self) -> int:
        """n of `n_of_m`: weights that an output channel keeps in each group of input channels; 1 where dense."""
        return _n_of_m(self.n_of_m)[0]

    @property
    def group_lanes(self) -> int:
        """m of `n_of_m`: input channels of a group; 1 where dense."""
        return _n_of_m(self.n_of_m)[1]

    @property
    def place_bits(self) -> int:
        """Bits of the place of a weight in its group; 0 where dense."""
        return (self.group_lanes - 1).bit_length()

    @property
    def act_lanes(self) -> int:
        """Channels of one activation word, a block: array_rows, times m / n."""
        return self.array_rows // self.kept_lanes * self.group_lanes

    @property
    def weight_lanes(self) -> int:
        """Weights of one weight word: array_rows where weights stream through rows, array_cols otherwise."""
        return self.array_rows if self.dataflow == "input_stationary" else self.array_cols

    @property
    def post_lanes(self) -> int:
        """Requantizers in the output path: the smaller side of the array."""
        return min(self.array_rows, self.array_cols)

    @property
    def channel_unit(self) -> int:
        """Channels that fill both whole activation words and whole array columns."""
        return lcm(self.act_lanes, self.array_cols)

    @property
    def act_word_bits(self) -> int:
        """Bits of one activation word."""
        return self.act_lanes * self.act_bits

    @property
    def edge_bits(self) -> int:
        """Bits of a lane that holds a value of any edge, narrow or wide."""
        return max(self.act_bits, self.wide_bits)

    def is_wide(self, bits: int) -> bool:
        """Whether an edge of values of `bits` bits is stored wide: in words of act_lanes x wide_bits."""
        return self.wide_bits > 0 and bits > self.act_bits

    def stored_bits(self, bits: int) -> int:
        """Bits of a lane in which an edge of values of `bits` bits lies in DRAM: act_bits or wide_bits."""
        return self.wide_bits if self.is_wide(bits) else self.act_bits

    def stored_word_bits(self, bits: int) -> int:
        """Bits of a word of such an edge."""
        return self.act_lanes * self.stored_bits(bits)

    @property
    def out_word_bits(self) -> int:
        """Bits of one word of the output buffer, which holds narrow and wide edges."""
        return self.act_lanes * self.edge_bits

    @property
    def vector_word_bits(self) -> int:
        """Bits of a word of the sources of the vector unit."""
        return self.array_rows * self.edge_bits

    @property
    def vector_result_word_bits(self) -> int:
        """Bits of a word of the result of the vector unit, which may be a word of weights."""
        return self.array_rows * max(self.edge_bits, self.weight_bits)

    @property
    def vector_slices(self) -> int:
        """Slices of vector_lanes lanes in a word; 0 without a vector unit."""
        return self.array_rows // self.vector_lanes if self.vector_lanes else 0

    @property
    def vector_param_word_bits(self) -> int:
        """Bits of a parameter word of the vector unit: of each lane a bias (40), a signed multiplier, a shift (6)."""
        return self.vector_lanes * (40 + self.requant_multiplier_bits + 1 + 6)

    @property
    def weight_word_bits(self) -> int:
        """Bits of one weight word: weights, with their places where they have any."""
        return self.weight_lanes * (self.weight_bits + self.place_bits)

    @property
    def acc_word_bits(self) -> int:
        """Bits of one accumulator word: a row of the array."""
        return self.array_cols * self.acc_bits

    @property
    def param_word_bits(self) -> int:
        """Bits of one parameter word: bias, and multiplier and shift where channels have their own."""
        return self.post_lanes * (32 + self.channel_scale_bits)

    @property
    def channel_scale_bits(self) -> int:
        """Bits of a channel's own multiplier (if any) and 6-bit shift; 0 where they are per tensor."""
        if self.requant_granularity == "per_tensor":
            return 0
        return 6 + (self.requant_multiplier_bits if self.requant == "multiplier_shift" else 0)

    @property
    def act_words(self) -> int:
        """Activation words of one buffer, a multiple of the banks it spans."""
        return _words(self.act_scratchpad_bytes, self.act_word_bits, self.scratchpad_banks, self.n_buffers)

    @property
    def weight_words(self) -> int:
        """Weight words of one buffer, a multiple of the banks it spans."""
        return _words(self.weight_scratchpad_bytes, self.weight_word_bits, self.scratchpad_banks, self.n_buffers)

    @property
    def acc_words(self) -> int:
        """Accumulator words of one buffer."""
        return self.acc_scratchpad_bytes * 8 // self.acc_word_bits // self.n_buffers

    @property
    def out_words(self) -> int:
        """Output words (act_lanes channels) of one buffer: as many elements as the accumulators hold."""
        return -(-self.acc_words * self.array_cols // self.act_lanes)

    @property
    def param_words(self) -> int:
        """Parameter words of one buffer: room for 8 channel units."""
        return 8 * self.channel_unit // self.post_lanes


_RANGES = (
    ("array_rows", 2, 256),
    ("array_cols", 2, 256),
    ("act_bits", 1, 16),
    ("weight_bits", 1, 16),
    ("acc_bits", 8, 48),
    ("requant_multiplier_bits", 8, 31),
    ("act_scratchpad_bytes", 64, 1 << 26),
    ("weight_scratchpad_bytes", 64, 1 << 26),
    ("acc_scratchpad_bytes", 64, 1 << 26),
    ("scratchpad_banks", 1, 64),
    ("dram_bytes_per_cycle", 1, 128),
    ("dram_latency_cycles", 1, 4095),
    ("dram_burst_bytes", 1, 4096),
    ("clock_mhz", 1, 10000),
    ("wide_bits", 0, 32),
    ("vector_lanes", 0, 256),
    ("vector_stages", 1, 8),
    ("vector_divider_bits", 1, 16),
    ("vector_words", 4, 1 << 20),
    ("vector_rows", 1, 1 << 16),
    ("vector_param_words", 1, 1 << 16),
)


@cache
def _n_of_m(text: str) -> tuple[int, int]:
    """(n, m) of the pattern that "n:m" writes; DesignError for anything else."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{1,2})", text)
    n, m = (int(found[1]), int(found[2])) if found else (0, 0)
    if (n, m) != (1, 1) and not 1 <= n < m <= 16:
        raise DesignError("n_of_m", f'wanted "n:m" with n < m <= 16, or "1:1" for dense weights, got {text!r}')
    return n, m


def _words(n_bytes: int, word_bits: int, n_banks: int, n_buffers: int) -> int:
    banks_a_buffer = n_banks // n_buffers
    return n_bytes * 8 // word_bits // n_banks * banks_a_buffer
