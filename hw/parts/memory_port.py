"""Layouts of the machine's DRAM port (docs/tensor.md, section 3): read requests, read beats, written beats."""

from __future__ import annotations

from amaranth.hdl import unsigned
from amaranth.lib import data

from designs.families.tensor import Design
from hw.parts.tensor_types import ADDRESS_BITS

BEATS_BITS = 27  # beats of one line: no scratchpad holds more than 2**26 bytes


def read_request_layout() -> data.StructLayout:
    """A line to read: byte address of its first beat, number of beats."""
    return data.StructLayout({"address": unsigned(ADDRESS_BITS), "beats": unsigned(BEATS_BITS)})


def write_layout(design: Design) -> data.StructLayout:
    """A beat to write: its byte address, its bytes."""
    return data.StructLayout({"address": unsigned(ADDRESS_BITS), "data": unsigned(8 * design.dram_bytes_per_cycle)})
