"""Biases and numbers of a slice's rows, in the order in which results leave."""

from __future__ import annotations

from math import gcd

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2, exact_log2

from designs.families.sparse import Design
from hw.parts.scratchpad import Buffers
from hw.parts.sparse_types import BIAS_BITS, NUMBER_BITS, ROW_BITS, cut, load_layout, n_list_buffers, n_words


def row_layout(design: Design) -> data.StructLayout:
    """A row as it comes in a beat: its bias and, where order is restored, its number in the slice."""
    number = {"number": unsigned(NUMBER_BITS)} if design.output_order == "restored" else {}
    return data.StructLayout({"bias": signed(BIAS_BITS)} | number)


def rows_a_word(design: Design) -> int:
    """Rows whose results leave in one cycle."""
    return design.n_sets if design.output_order == "folded" else 1


class RowStore(wiring.Component):
    """Buffers of rows, stored as the beats of `load.section.rows` come: several a beat, or several beats a row.

    `read` with `first` in cycle x gives the rows from that one on, `rows_a_word` of them, in x + 1, where they stay
    until the next read; rows past the slice's end are anything. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "load": In(load_layout(design)),
                "buf": In(1),
                "read": In(1),
                "first": In(ROW_BITS),
                "rows": Out(data.ArrayLayout(row_layout(design), rows_a_word(design))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, load = self._design, self.load
        layout, n_read, per_beat = row_layout(design), rows_a_word(design), design.rows_per_beat
        n_banks = max(per_beat, 1 << ceil_log2(n_read))  # neighbours are in different banks
        arrived, index, complete = self._arriving(m)
        line, part = cut(index, n_banks // per_beat)
        read_line, read_bank = cut(self.first, n_banks)
        step = gcd(n_read, n_banks)  # words start at multiples of n_read, so in these banks only
        turn = Signal(range(max(n_banks // step, 2)))
        with m.If(self.read):
            m.d.sync += turn.eq(read_bank >> exact_log2(step))
        words = []
        for bank in range(n_banks):
            m.submodules[f"bank_{bank}"] = memory = Buffers(
                n_words=n_words(-(-design.accumulators * design.n_sets // n_banks)),
                word_bits=layout.size,
                n_buffers=n_list_buffers(design),
            )
            write, read = memory.writes[0], memory.reads[0]
            row = arrived.word_select(bank % per_beat, 8 * design.row_bytes)
            mine = (part == bank // per_beat) if n_banks > per_beat else 1
            m.d.comb += [
                write.en.eq(complete & mine),
                write.buf.eq(load.slice_buf),
                write.addr.eq(line),
                write.data.eq(row[: layout.size]),
                read.en.eq(self.read),
                read.buf.eq(self.buf),
                read.addr.eq(read_line + (bank < read_bank)),
            ]
            words.append(read.data)
        for i in range(n_read):
            chosen = Array(words[(i + bank) % n_banks] for bank in range(0, n_banks, step))
            m.d.comb += self.rows[i].eq(chosen[turn] if len(chosen) > 1 else chosen[0])
        return m

    def _arriving(self, m: Module) -> tuple[Value, Value, Value]:
        """(bytes of the row or rows that are complete with this beat, number of their group, that they are)."""
        design, load = self._design, self.load
        n_beats = design.beats_per_row
        if n_beats == 1:
            return load.beat, load.index, load.section.rows
        before = Signal((n_beats - 1) * len(load.beat), reset_less=True)
        place, row = Signal(range(n_beats)), Signal(ROW_BITS)
        row_bytes = Cat(before, load.beat)  # the earliest beat is the lowest
        with m.If(load.section.rows):
            m.d.sync += [
                before.eq(row_bytes[len(load.beat) :]),
                place.eq(Mux(place == n_beats - 1, 0, place + 1)),
                row.eq(Mux(load.last, 0, row + (place == n_beats - 1))),
            ]
        return row_bytes, row, load.section.rows & (place == n_beats - 1)
