"""Sparse machines: sizes worked out by hand, and what cannot be built."""

from __future__ import annotations

import pytest

from designs.errors import DesignError
from designs.families.sparse import Design


def test_sizes_of_an_entry_and_a_beat() -> None:
    window = Design()  # 8 bits of value, 11 of column, 6 of tag: 25 bits in 4 bytes
    assert (window.ways, window.column_bits, window.tag_bits, window.entry_bits, window.entry_bytes) == (8, 11, 6, 25, 4)
    assert (window.entries_per_beat, window.lane_words) == (4, 256)
    assert (window.lengths_per_beat, window.acts_per_beat, window.rows_per_beat, window.beats_per_row) == (8, 16, 2, 1)
    queue = Design(feed="queue", act_bits=9)  # 8 + 6 bits in 2 bytes
    assert (queue.entry_bits, queue.entry_bytes, queue.entries_per_beat, queue.acts_per_beat) == (14, 2, 8, 8)
    gaps = Design(feed="queue", relative_bits=3)
    assert (gaps.gap_bits, gaps.tag_field_bits, gaps.tag_bits, gaps.entry_bits) == (3, 3, 6, 11)
    assert Design(relative_bits=3).entry_bits == 25  # a window machine stores whole tags


def test_sizes_round_down_to_powers_of_two_and_up_to_a_bit() -> None:
    assert Design(value_bits=4, dram_bytes_per_cycle=8).entries_per_beat == 2  # 21 bits: 3 bytes, two of which are 6
    assert Design(value_bits=4, lane_entries=1023).lane_words == 256
    assert Design(accumulators=1, act_words=1).entry_bits == 8 + 1 + 1
    assert Design(act_words=1025).column_bits == 11 and Design(act_words=1024).column_bits == 10
    assert [Design(output_order="folded", dram_bytes_per_cycle=b).rows_per_beat for b in (4, 8, 16)] == [1, 2, 4]
    assert [Design(dram_bytes_per_cycle=b).beats_per_row for b in (2, 4, 8)] == [3, 2, 1]
    assert (Design().n_buffers, Design(double_buffered=False).n_buffers) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_sets": 5}, "n_sets: wanted a divisor of n_macs (64), got 5"),
        ({"window": 12}, "window: wanted a power of two, got 12"),
        ({"window": 1024}, "window: wanted 1 to 512, got 1024"),
        ({"act_words": 65536}, "act_words: wanted 1 to 65535, got 65536"),
        ({"dram_bytes_per_cycle": 2}, "dram_bytes_per_cycle: wanted at least 4, the bytes of an entry (25 bits), got 2"),
        (
            {"accumulators": 4096, "n_sets": 32},
            "accumulators: wanted at most 65536 rows in 32 sets (their numbers have 16 bits): up to 2048, got 4096",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(changes: dict[str, int], message: str) -> None:
    Design().check()
    with pytest.raises(DesignError) as refused:
        Design(**changes).check()  # type: ignore[arg-type]
    assert str(refused.value) == message
