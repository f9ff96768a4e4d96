"""The list of a lane: its length, and a memory of its entries."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.sparse import Design
from hw.parts.scratchpad import Buffers
from hw.parts.sparse_types import NUMBER_BITS, entry_layout, groups, n_list_buffers, n_words


def list_words(design: Design) -> int:
    """Words of p entries in each buffer."""
    return n_words(design.lane_words)


def word_bits(design: Design) -> int:
    """Bits of a word."""
    return design.entries_per_beat * design.entry_bits


def word_of_beat(design: Design, beat: Value) -> Value:
    """The word that a beat brings: its entries without the bits between them."""
    fields = (beat.word_select(i, 8 * design.entry_bytes) for i in range(design.entries_per_beat))
    return Cat(field[: design.entry_bits] for field in fields)


class LaneList(wiring.Component):
    """Buffers of one lane's list: a word of p entries is what a beat brings.

    `take_length` in cycle x makes `new_length` the length of the list in buffer `load_buf`; `pending`, from x + 1,
    while words of it are missing; `take_word` stores `new_word` as the next of them. `length` (latency 0) is that of
    buffer `buf`. Reading has a latency of 1 cycle, an initiation interval of 1 and no backpressure; `word` stays until
    the next read.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "load_buf": In(1),
                "take_length": In(1),
                "new_length": In(NUMBER_BITS),
                "take_word": In(1),
                "new_word": In(word_bits(design)),
                "pending": Out(1),
                "buf": In(1),
                "length": Out(NUMBER_BITS),
                "read": In(1),
                "address": In(range(list_words(design))),
                "word": Out(word_bits(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        per_word, n_buffers = design.entries_per_beat, n_list_buffers(design)
        m.submodules.memory = memory = Buffers(
            n_words=list_words(design), word_bits=len(self.word), n_buffers=n_buffers
        )
        lengths = Array(Signal(NUMBER_BITS, name=f"length_{buffer}") for buffer in range(n_buffers))
        loading, running = (buf if n_buffers > 1 else 0 for buf in (self.load_buf, self.buf))
        written, missing = Signal(range(list_words(design))), Signal(NUMBER_BITS)  # words of the list that loads
        m.d.comb += [self.pending.eq(missing != 0), self.length.eq(lengths[running])]
        with m.If(self.take_length):
            m.d.sync += [
                lengths[loading].eq(self.new_length),
                written.eq(0),
                missing.eq(groups(self.new_length, per_word)),
            ]
        with m.Elif(self.take_word):
            m.d.sync += [written.eq(written + 1), missing.eq(missing - 1)]
        write, read = memory.writes[0], memory.reads[0]
        m.d.comb += [
            write.en.eq(self.take_word),
            write.buf.eq(loading),
            write.addr.eq(written),
            write.data.eq(self.new_word),
            read.en.eq(self.read),
            read.buf.eq(running),
            read.addr.eq(self.address),
            self.word.eq(read.data),
        ]
        return m


def entry_of(design: Design, word: Value, slot: Value) -> data.View:
    """Entry `slot` of a word."""
    chosen = word if design.entries_per_beat == 1 else word.word_select(slot, design.entry_bits)
    return entry_layout(design)(chosen)
