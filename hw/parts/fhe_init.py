"""INIT: the first accumulators of a batch (docs/fhe.md, section 1 item 3, section 3)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_commands import cell_layout, place_bits
from hw.parts.fhe_types import exponent_bits, init_signature


class Init(wiring.Component):
    """Writes `slots` accumulators from `start` + 1 on, a word a cycle: `done` with the last one, `slots` W after it.

    In the cycle before a word, `reading` and `slot` ask for exponent n and cell of its slot, which come as `exponents`
    and `cells` (latency 1). `first_word` once a slot, in the cycle that asks for its first word. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "start": In(1),
                "slots": In(range(design.batch + 1)),
                "reading": Out(1),
                "first_word": Out(1),
                "slot": Out(place_bits(design.batch)),
                "exponents": In(data.ArrayLayout(unsigned(exponent_bits(design)), design.cores)),
                "cells": In(data.ArrayLayout(cell_layout(), design.cores)),
                "init": Out(init_signature(design)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, init = self._design, self.init
        running, word = Signal(), Signal(range(design.poly_words))
        last_word, last = Signal(), Signal()
        m.d.comb += [
            self.reading.eq(self.start | running),
            self.first_word.eq(self.reading & (word == 0)),
            last_word.eq(word == design.poly_words - 1),
            last.eq(last_word & (self.slot + 1 == self.slots)),
        ]
        with m.If(self.reading):
            m.d.sync += [running.eq(~last), word.eq(word + 1)]
            with m.If(last_word):
                m.d.sync += self.slot.eq(Mux(last, 0, self.slot + 1))
        m.d.sync += [
            init.valid.eq(self.reading),
            init.slot.eq(self.slot),
            init.word.eq(word),
            self.done.eq(self.reading & last),
        ]
        for core in range(design.cores):
            for lane in range(design.coefficients_per_cycle):
                angle, value = Signal(exponent_bits(design), name=f"angle_{core}_{lane}"), self.cells[core].value
                coefficient = init.word * design.coefficients_per_cycle + lane
                m.d.comb += angle.eq(self.exponents[core] + coefficient)
                m.d.comb += init.data[core][lane].eq(Mux(angle[-1], -value, value))
        return m
