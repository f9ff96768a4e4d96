"""Multiplier and accumulators of a lane."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.sparse import Design
from hw.parts.overflow import fit
from hw.parts.sparse_types import operand_bits


class MultiplyAccumulate(wiring.Component):
    """Adds `value * activation` to the accumulator `tag`.

    Operands with `valid` in cycle x: `mac` or, where the value is 0, `padding` in x; `update` and `overflow` (the exact
    sum did not fit) in x + 1, at whose end the accumulator has it. Any tag may follow any other. While `draining`,
    `accumulator` is that of `read_tag` (latency 0), which `clear` sets to 0 at the end of the cycle. Initiation
    interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "valid": In(1),
                "value": In(signed(design.value_bits)),
                "activation": In(signed(operand_bits(design))),
                "tag": In(design.tag_bits),
                "draining": In(1),
                "read_tag": In(design.tag_bits),
                "clear": In(1),
                "accumulator": Out(signed(design.acc_bits)),
                "mac": Out(1),
                "padding": Out(1),
                "update": Out(1),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.accumulators = memory = Memory(
            shape=signed(design.acc_bits), depth=max(design.accumulators, 2), init=[]
        )
        read, write = memory.read_port(domain="comb"), memory.write_port()
        product = Signal(signed(design.value_bits + operand_bits(design)), reset_less=True)
        tag = Signal(design.tag_bits, reset_less=True)
        exact = Signal((read.data + product).shape())
        m.d.comb += exact.eq(read.data + product)
        fitted, overflow = fit(exact, bits=design.acc_bits, saturate=design.acc_overflow == "saturate")
        m.d.sync += [product.eq(self.value * self.activation), tag.eq(self.tag), self.update.eq(self.valid)]
        m.d.comb += [
            self.mac.eq(self.valid & (self.value != 0)),
            self.padding.eq(self.valid & (self.value == 0)),
            self.overflow.eq(self.update & overflow),
            read.addr.eq(Mux(self.draining, self.read_tag, tag)),
            write.addr.eq(read.addr),
            write.en.eq(self.update | self.clear),
            write.data.eq(Mux(self.clear, 0, fitted)),
            self.accumulator.eq(read.data),
        ]
        return m
