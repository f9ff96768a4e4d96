"""The adders at the foot of the array: read, add under the overflow rule, write back."""

from __future__ import annotations

import operator

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.array import tree
from hw.parts.overflow import fit
from hw.parts.scratchpad import read_signature, write_signature


class AccumulatorUnit(wiring.Component):
    """Adds a row of C sums to an accumulator word each cycle.

    `valid` with `sums`, `addr`, `buf` in cycle x reads the word (unless `from_zero`), which is written in x + 1;
    `complete` in x is `completed` in x + 1. `overflow`, the lanes that did not fit, is told in x + 2. An address may
    come again two cycles after it came, not in the next. Latency 1 cycle. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design, *, sum_bits: int) -> None:
        self._design = design
        port = {"n_words": design.acc_words, "word_bits": design.acc_word_bits}
        super().__init__(
            {
                "valid": In(1),
                "sums": In(data.ArrayLayout(signed(sum_bits), design.array_cols)),
                "addr": In(range(design.acc_words)),
                "buf": In(1),
                "from_zero": In(1),
                "complete": In(1),
                "read": Out(read_signature(**port)),
                "write": Out(write_signature(**port)),
                "completed": Out(1),
                "overflow": Out(range(design.array_cols + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        sums = Signal(self.sums.shape(), reset_less=True)
        writing, from_zero = Signal(), Signal()
        m.d.comb += [
            self.read.en.eq(self.valid & ~self.from_zero),
            self.read.buf.eq(self.buf),
            self.read.addr.eq(self.addr),
            self.write.en.eq(writing),
        ]
        m.d.sync += [
            sums.eq(self.sums),
            writing.eq(self.valid),
            from_zero.eq(self.from_zero),
            self.write.addr.eq(self.addr),
            self.write.buf.eq(self.buf),
            self.completed.eq(self.complete),
        ]
        overflows = []
        for lane in range(design.array_cols):
            stored = self.read.data.word_select(lane, design.acc_bits).as_signed()
            exact = sums[lane] + Mux(from_zero, 0, stored)
            fitted, overflow = fit(exact, bits=design.acc_bits, saturate=design.acc_overflow == "saturate")
            m.d.comb += self.write.data.word_select(lane, design.acc_bits).eq(fitted)
            overflows.append(overflow)
        m.d.sync += self.overflow.eq(Mux(writing, tree(overflows, operator.add), 0))
        return m
