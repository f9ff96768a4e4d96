"""Layouts of what moves between the parts of the sparse machine (docs/sparse.md)."""

from __future__ import annotations

from amaranth.hdl import Value, signed, unsigned
from amaranth.lib import data
from amaranth.utils import ceil_log2, exact_log2

from designs.families.sparse import MOST_ROWS, Design

COUNT_BITS = 32  # slices and vectors of a run
ROW_BITS = MOST_ROWS.bit_length()  # rows of a slice, the most included
INDEX_BITS = 20  # beats of a section
NUMBER_BITS = 16  # a list length, a pointer or a row's number in a beat
BIAS_BITS = 32
SHIFT_BITS = 6

SECTIONS = data.StructLayout({"lengths": 1, "pointers": 1, "list": 1, "rows": 1, "vector": 1})
PHASES = data.StructLayout({"prime_0": 1, "prime_1": 1, "multiply": 1, "settle": 1, "drain": 1})
LANE_EVENTS = data.StructLayout(
    dict.fromkeys(("mac", "padding", "update", "overflow", "entry_read", "window_stall", "idle", "empty_column"), 1)
)


def config_layout(design: Design) -> data.StructLayout:
    """The registers of a run; the host holds them from before `start` until `done`."""
    result = signed(design.act_bits + 2)  # any stored result, signed or not, and any bound on it
    return data.StructLayout(
        {
            "n_slices": unsigned(COUNT_BITS),
            "n_vectors": unsigned(COUNT_BITS),
            "n_columns": unsigned(NUMBER_BITS),
            "n_rows": unsigned(ROW_BITS),  # of each slice but the last
            "n_rows_last": unsigned(ROW_BITS),
            "in_signed": unsigned(1),
            "in_zero": signed(design.act_bits + 1),
            "multiplier": unsigned(design.requant_multiplier_bits),
            "shift": unsigned(SHIFT_BITS),
            "out_zero": result,
            "out_low": result,
            "out_high": result,
        }
    )


def entry_layout(design: Design) -> data.StructLayout:
    """An entry of a list: its value, its column where lanes share a window, and its tag or the gap before it."""
    column = {"column": unsigned(design.column_bits)} if design.feed == "window" else {}
    return data.StructLayout(
        {"value": signed(design.value_bits)} | column | {"tag": unsigned(design.tag_field_bits)}
    )


def load_layout(design: Design) -> data.StructLayout:
    """A beat that is taken, and where it belongs; no section where none is taken.

    `index` counts the beats of lengths, rows or a vector, and of one lane's pointers.
    """
    return data.StructLayout(
        {
            "section": SECTIONS,
            "index": unsigned(INDEX_BITS),
            "last": unsigned(1),  # of lengths, rows or a vector, and of one lane's pointers
            "lane": range(design.n_macs),
            "slice_buf": unsigned(1),
            "vector_buf": unsigned(1),
            "beat": unsigned(8 * design.dram_bytes_per_cycle),
        }
    )


def operand_bits(design: Design) -> int:
    """Bits of an activation with the zero point subtracted, a signed number."""
    return design.act_bits + 1


def n_list_buffers(design: Design) -> int:
    """Slices that the machine holds at a time: resident machines have only one."""
    return 1 if design.weights == "resident" else design.n_buffers


def n_words(count: int) -> int:
    """Words of a memory for `count` words: a power of two, so that an address past the end is still one of it."""
    return 1 << max(ceil_log2(count), 1)


def cut(value: Value, size: int) -> tuple[Value, Value]:
    """(value // size, value mod size) for a power of two; the remainder has no bits where size is 1."""
    bits = exact_log2(size)
    return value[bits:], value[:bits]


def groups(count: Value, size: int) -> Value:
    """cd(count, size) for a power of two."""
    return (count + (size - 1)) >> exact_log2(size)
