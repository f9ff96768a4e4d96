"""The toy's circuit: it multiplies a stream by itself, lane by lane, and keeps the last product."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


def build(design: Any, workload: Any) -> wiring.Component:
    return Toy(design.lanes)


class Toy(wiring.Component):
    def __init__(self, n_lanes: int) -> None:
        super().__init__({"x": In(8 * n_lanes), "y": Out(16 * n_lanes)})
        self._n_lanes = n_lanes

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for lane in range(self._n_lanes):
            x = Signal(8, name=f"x{lane}")
            m.d.comb += x.eq(self.x.word_select(lane, 8))
            m.d.sync += self.y.word_select(lane, 16).eq(x * x)
        return m
