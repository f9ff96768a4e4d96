"""A bank of pipeline registers with a valid flag."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class LutBank(wiring.Component):
    """Bank b of docs/lut.md: `n_bits` registers (none where 0) and a flag.

    Latency: data offered with `valid_before` while `room` is up are held from the next cycle on. Initiation interval:
    1 cycle. Backpressure: `room` is down while the bank is full and the next one (`room_after`) has none; the way from
    `room_after` to `room` is combinational, so a bubble anywhere behind it closes in one cycle.
    """

    def __init__(self, n_bits: int) -> None:
        self.n_bits = n_bits
        data = {"data_before": In(n_bits), "data": Out(n_bits)} if n_bits else {}
        flags = {"valid_before": In(1), "room_after": In(1), "valid": Out(1), "room": Out(1), "load": Out(1)}
        super().__init__({**data, **flags})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.room.eq(~self.valid | self.room_after),
            self.load.eq(self.room & self.valid_before),
        ]
        with m.If(self.room):
            m.d.sync += self.valid.eq(self.valid_before)
        if self.n_bits:
            with m.If(self.load):
                m.d.sync += self.data.eq(self.data_before)
        return m
