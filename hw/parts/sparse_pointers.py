"""Where a lane's list has the entries of each column."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.sparse import Design
from hw.parts.scratchpad import Buffers
from hw.parts.sparse_types import NUMBER_BITS, cut, load_layout, n_list_buffers, n_words


def pointer_bits(design: Design) -> int:
    """Bits of a pointer: it counts up to the longest list."""
    return design.lane_entries.bit_length()


class LanePointers(wiring.Component):
    """Two memories of a lane's pointers, even and odd, so that both ends of a column are read at once.

    `take` stores the pointers of the beat. `read` with `column` in cycle x gives `start` and `end`, the numbers of the
    column's first entry and of the one after its last, in x + 1, where they stay until the next read. Initiation
    interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "load": In(load_layout(design)),
                "take": In(1),
                "buf": In(1),
                "read": In(1),
                "column": In(design.column_bits),
                "start": Out(pointer_bits(design)),
                "end": Out(pointer_bits(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, load = self._design, self.load
        per_beat = design.lengths_per_beat
        deep = max(1, per_beat // 2)  # pointers of a word
        kept_bits = pointer_bits(design)
        word, half = cut(load.index, 2 if per_beat == 1 else 1)  # a beat of one pointer is for one of the memories
        odd = Signal()
        with m.If(self.read):
            m.d.sync += odd.eq(self.column[0])
        found = []
        for parity, name in enumerate(("even", "odd")):
            m.submodules[name] = memory = Buffers(
                n_words=n_words(-(-(design.act_words + 1) // (2 * deep))),
                word_bits=deep * kept_bits,
                n_buffers=n_list_buffers(design),
            )
            write, read = memory.writes[0], memory.reads[0]
            # Pointer c is in memory c mod 2 at place c // 2; the even one of c and c + 1 is (c + 1) // 2 there.
            address, slot = cut((self.column + (1 - parity)) >> 1, deep)
            chosen = Signal(slot.shape(), name=f"chosen_{name}")
            with m.If(self.read):
                m.d.sync += chosen.eq(slot)
            first = parity if per_beat > 1 else 0
            pointers = (load.beat.word_select(first + 2 * i, NUMBER_BITS)[:kept_bits] for i in range(deep))
            m.d.comb += [
                write.en.eq(self.take & (half == parity if per_beat == 1 else 1)),
                write.buf.eq(load.slice_buf),
                write.addr.eq(word),
                write.data.eq(Cat(pointers)),
                read.en.eq(self.read),
                read.buf.eq(self.buf),
                read.addr.eq(address),
            ]
            found.append(read.data if deep == 1 else read.data.word_select(chosen, kept_bits))
        m.d.comb += [self.start.eq(Mux(odd, found[1], found[0])), self.end.eq(Mux(odd, found[0], found[1]))]
        return m
