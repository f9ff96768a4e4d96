"""Sparse engines: lanes that each walk a list of the non-zeros of a matrix (machine: docs/sparse.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from designs.errors import DesignError
from designs.ranges import check_powers_of_two, check_ranges


@dataclass(frozen=True, kw_only=True)
class Design:
    """One sparse machine. Every field is a YAML key of `family: sparse`.

    n_sets = n_macs is RCSC, and without sort_rows interleaved CSC; n_sets < n_macs is SA-RCSC.
    """

    n_macs: int = 64  # lanes: each has a multiplier and a list of entries
    n_sets: int = 8  # sets that rows are dealt to, a divisor of n_macs; any lane of its set may take an entry of a row
    sort_rows: bool = True  # rows by their non-zeros, dealt in a snake; false: row i belongs to set i mod n_sets
    feed: Literal["window", "queue"] = "window"  # lanes share a window of activations, or each has a queue of its own
    window: int = 16  # activations in the window, a power of two up to 512; `window` only
    queue_depth: int = 8  # activations that a lane's queue holds; `queue` only
    skip_zeros: bool = True  # activations that are zero are not broadcast; `queue` only
    relative_bits: int = 0  # tags stored as gaps of so many bits, with padding entries; 0: whole; `queue` only
    value_bits: int = 8  # stored weight, two's complement, 1-16
    act_bits: int = 8  # stored activation and result, 1-16
    acc_bits: int = 32  # accumulator, 8-48
    acc_overflow: Literal["wrap", "saturate"] = "wrap"  # what an addition that does not fit does
    accumulators: int = 64  # of a lane: rows of its set in one slice
    lane_entries: int = 1024  # list of a lane, in each buffer
    act_words: int = 2048  # activations of a vector buffer: the widest matrix
    output_order: Literal["folded", "restored"] = "restored"  # results as dealt, n_sets a cycle, or one with its row
    weights: Literal["streamed", "resident"] = "streamed"  # resident: lists were loaded before the run
    double_buffered: bool = True  # the next slice and vector load while one is multiplied
    requant_multiplier_bits: int = 16  # width of the fixed-point multiplier, 8-31
    dram_bytes_per_cycle: int = 16  # width of a DRAM beat, a power of two
    dram_latency_cycles: int = 40  # from start to first beat
    clock_mhz: int = 500  # clock of machine and DRAM port
    node_nm: int = 45  # technology node, see designs/technology

    def check(self) -> None:
        """Raise DesignError, naming the field and the remedy, where the machine cannot be built."""
        check_ranges(self, _RANGES)
        check_powers_of_two(self, ("window", "dram_bytes_per_cycle"))
        if self.n_macs % self.n_sets:
            raise DesignError("n_sets", f"wanted a divisor of n_macs ({self.n_macs}), got {self.n_sets}")
        if self.entry_bytes > self.dram_bytes_per_cycle:
            raise DesignError(
                "dram_bytes_per_cycle",
                f"wanted at least {self.entry_bytes}, the bytes of an entry ({self.entry_bits} bits), "
                f"got {self.dram_bytes_per_cycle}",
            )
        if self.accumulators * self.n_sets > MOST_ROWS:
            raise DesignError(
                "accumulators",
                f"wanted at most {MOST_ROWS} rows in {self.n_sets} sets (their numbers have 16 bits): up to "
                f"{MOST_ROWS // self.n_sets}, got {self.accumulators}",
            )

    # Derived sizes: the one place where both readings of the machine take them from.

    @property
    def ways(self) -> int:
        """Lanes of a set."""
        return self.n_macs // self.n_sets

    @property
    def n_buffers(self) -> int:
        """Slices, and vectors, that the machine holds at a time."""
        return 2 if self.double_buffered else 1

    @property
    def column_bits(self) -> int:
        """Bits of a column."""
        return max((self.act_words - 1).bit_length(), 1)

    @property
    def tag_bits(self) -> int:
        """Bits of a tag: the number of an accumulator."""
        return max((self.accumulators - 1).bit_length(), 1)

    @property
    def gap_bits(self) -> int:
        """Bits of a stored gap; 0 where whole tags are stored, as always with a window."""
        return self.relative_bits if self.feed == "queue" else 0

    @property
    def tag_field_bits(self) -> int:
        """Bits of what an entry stores of its tag: all of it, or a gap."""
        return self.gap_bits or self.tag_bits

    @property
    def entry_bits(self) -> int:
        """Bits of an entry, from the lowest: value, column (window only), tag or gap."""
        return self.value_bits + (self.column_bits if self.feed == "window" else 0) + self.tag_field_bits

    @property
    def entry_bytes(self) -> int:
        """Bytes of an entry in DRAM."""
        return -(-self.entry_bits // 8)

    @property
    def entries_per_beat(self) -> int:
        """Entries of a beat, and of one word of a lane's memory: a power of two."""
        return 1 << ((self.dram_bytes_per_cycle // self.entry_bytes).bit_length() - 1)

    @property
    def lane_words(self) -> int:
        """Words of a lane's memory in each buffer."""
        return -(-self.lane_entries // self.entries_per_beat)

    @property
    def lengths_per_beat(self) -> int:
        """List lengths, or pointers, of a beat: 16 bits each."""
        return self.dram_bytes_per_cycle // 2

    @property
    def act_bytes(self) -> int:
        """Bytes of an activation in DRAM."""
        return -(-self.act_bits // 8)

    @property
    def acts_per_beat(self) -> int:
        """Activations of a beat."""
        return self.dram_bytes_per_cycle // self.act_bytes

    @property
    def row_bytes(self) -> int:
        """Bytes of a row's bias and, where order is restored, number."""
        return 6 if self.output_order == "restored" else 4

    @property
    def rows_per_beat(self) -> int:
        """Rows of a beat, a power of two; 1 where a row takes more than a beat."""
        return 1 << (max(self.dram_bytes_per_cycle // self.row_bytes, 1).bit_length() - 1)

    @property
    def beats_per_row(self) -> int:
        """Beats of a row; 1 where a beat has several."""
        return -(-self.row_bytes // self.dram_bytes_per_cycle)


# Columns of a result row beside those of all families.
METRICS = ("multiply_utilization",)

MOST_ROWS = 1 << 16  # of a slice

_RANGES = (
    ("n_macs", 1, 4096),
    ("n_sets", 1, 4096),
    ("window", 1, 512),
    ("queue_depth", 1, 256),
    ("relative_bits", 0, 16),
    ("value_bits", 1, 16),
    ("act_bits", 1, 16),
    ("acc_bits", 8, 48),
    ("accumulators", 1, 4096),
    ("lane_entries", 1, 65535),
    ("act_words", 1, 65535),
    ("requant_multiplier_bits", 8, 31),
    ("dram_bytes_per_cycle", 2, 128),
    ("dram_latency_cycles", 1, 4095),
    ("clock_mhz", 1, 10000),
)
