"""Small known circuits for the tests of the hardware tooling."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Countdown(wiring.Component):
    """A state machine whose outputs depend on a state that does not change for long: X for ever if badly emitted.

    `start` with `length` makes it run for `length` cycles; then `done` is high until the next start, and `total` is the
    sum of the memory's words 0, 1, ... it has read meanwhile (word i holds 3 * i).
    """

    start: In(1)
    length: In(4)
    busy: Out(1)
    done: Out(1)
    total: Out(16)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=16, init=[3 * i for i in range(16)])
        read = memory.read_port(domain="comb")
        left = Signal(4)
        address = Signal(4)
        m.d.comb += read.addr.eq(address)
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [left.eq(self.length), address.eq(0), self.total.eq(0)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.busy.eq(1)
                m.d.sync += [left.eq(left - 1), address.eq(address + 1), self.total.eq(self.total + read.data)]
                with m.If(left == 1):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                with m.If(self.start):
                    m.d.sync += [left.eq(self.length), address.eq(0), self.total.eq(0)]
                    m.next = "RUN"
        return m


class Mac(wiring.Component):
    """acc += a * b, `offset` more each cycle."""

    def __init__(self, offset: int) -> None:
        self.offset = offset
        super().__init__({"a": In(8), "b": In(8), "acc": Out(24)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.sync += self.acc.eq(self.acc + self.a * self.b + self.offset)
        return m


class MacRow(wiring.Component):
    """Four MACs of which two and two are the same circuit."""

    a: In(8)
    b: In(32)
    accs: Out(96)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for i in range(4):
            m.submodules[f"mac_{i}"] = mac = Mac(i % 2)
            m.d.comb += [mac.a.eq(self.a), mac.b.eq(self.b.word_select(i, 8)), self.accs.word_select(i, 24).eq(mac.acc)]
        return m
