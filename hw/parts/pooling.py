"""Max pooling: running maxima of the lanes of an activation word."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.scratchpad import write_signature


class MaxPool(wiring.Component):
    """Maximum of the words of a window; words follow each other in the output buffer from address 0 of each tile.

    `step` marks an issue cycle in x: its word, if the tap is `inside`, is at `word` in x + 1; that of the window's
    `last` tap is in the maximum that is written in x + 2. `end` (last cycle of the tile) in x is `completed` in x + 2.
    Lanes of the output buffer have `edge_bits`; what they hold above act_bits has no meaning.
    Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "is_signed": In(1),
                "step": In(1),
                "first": In(1),
                "last": In(1),
                "inside": In(1),
                "end": In(1),
                "buf": In(1),
                "word": In(design.act_word_bits),
                "write": Out(write_signature(n_words=design.out_words, word_bits=design.out_word_bits)),
                "completed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self._design.act_bits
        step, first, inside, last, end, buf = (Signal(name=f"{name}_1") for name in _FLAGS)
        m.d.sync += [
            step.eq(self.step),
            Cat(first, inside, last, end, buf).eq(Cat(self.first, self.inside, self.last, self.end, self.buf)),
            self.write.en.eq(step & last),
            self.completed.eq(step & end),
            self.write.buf.eq(buf),
        ]
        for lane in range(self._design.act_lanes):
            # With its sign bit turned a signed field compares as an unsigned one; the smallest is then 0.
            best = Signal(bits, name=f"best_{lane}", reset_less=True)
            flip = self.is_signed << (bits - 1)
            candidate = Mux(inside, self.word.word_select(lane, bits) ^ flip, 0)
            with m.If(step & (first | (candidate > best))):
                m.d.sync += best.eq(candidate)
            m.d.comb += self.write.data.word_select(lane, self._design.edge_bits).eq(best ^ flip)
        with m.If(self.completed):
            m.d.sync += self.write.addr.eq(0)
        with m.Elif(self.write.en):
            m.d.sync += self.write.addr.eq(self.write.addr + 1)
        return m


_FLAGS = ("step", "first", "inside", "last", "end", "buf")
