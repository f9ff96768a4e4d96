"""Small known circuits for the tests of the hardware tooling."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
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


class LineSummer(wiring.Component):
    """A machine with the memory port of docs/tensor.md: sums the beats of lines, writes each sum over the line's start.

    A row (address, beats) is taken in cycle c, its line is requested in c + 1, its sum written in the cycle after the
    last beat, and the next row is taken in the cycle after that: latency + beats + 2 cycles a row.
    """

    def __init__(self) -> None:
        line = data.StructLayout({"address": unsigned(32), "beats": unsigned(27)})
        super().__init__(
            {
                "clear": In(1),
                "bias": In(32),
                "n_rows": In(16),
                "rows": In(stream.Signature(line)),
                "read_request": Out(stream.Signature(line)),
                "read_data": In(stream.Signature(unsigned(32))),
                "write": Out(stream.Signature(data.StructLayout({"address": unsigned(32), "data": unsigned(32)}))),
                "done": Out(1),
                "counters": Out(48),
                "progress": Out(80),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        row = Signal(self.rows.payload.shape())
        left, total, n_beats, n_done = Signal(27), Signal(32), Signal(32), Signal(16)
        m.d.comb += [
            self.read_request.payload.eq(row),
            self.write.payload.address.eq(row.address),
            self.write.payload.data.eq(total),
            self.done.eq((n_done == self.n_rows) & (n_done != 0)),
            self.counters.eq(Cat(n_beats, n_done)),
            self.progress.eq(Cat(n_done, Const(0, 48), n_done)),
        ]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.rows.ready.eq(1)
                with m.If(self.rows.valid):
                    m.d.sync += [row.eq(self.rows.payload), left.eq(self.rows.payload.beats), total.eq(self.bias)]
                    m.next = "REQUEST"
            with m.State("REQUEST"):
                m.d.comb += self.read_request.valid.eq(1)
                with m.If(self.read_request.ready):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += self.read_data.ready.eq(1)
                with m.If(self.read_data.valid):
                    m.d.sync += [total.eq(total + self.read_data.payload), left.eq(left - 1), n_beats.eq(n_beats + 1)]
                    with m.If(left == 1):
                        m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.write.valid.eq(1)
                with m.If(self.write.ready):
                    m.d.sync += n_done.eq(n_done + 1)
                    m.next = "TAKE"
        with m.If(self.clear):
            m.d.sync += [n_beats.eq(0), n_done.eq(0)]
        return m
