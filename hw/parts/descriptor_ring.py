"""A ring of descriptors that several engines read, each at its own pace."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

DEPTH = 8


def reader_signature(layout: data.StructLayout) -> wiring.Signature:
    """What a reader sees of a ring: the descriptor it is at, whether it has arrived, and `take` to step on."""
    return wiring.Signature({"payload": Out(layout), "valid": Out(1), "take": In(1)})


class DescriptorRing(wiring.Component):
    """Eight descriptors of `layout` between one writer and `n_readers` readers.

    Latency: a descriptor written in cycle x is seen by a waiting reader in cycle x + 2; after `take` in cycle x (only
    where `valid`) the reader sees the next one in x + 1 if it was written in x - 1 or before. Initiation interval: one
    descriptor a cycle for the writer and for each reader. Backpressure: `write.ready` is low while the slowest reader
    is eight descriptors behind.
    """

    def __init__(self, layout: data.StructLayout, *, n_readers: int) -> None:
        self._layout = layout
        super().__init__(
            {
                "write": In(stream.Signature(layout)),
                "readers": Out(reader_signature(layout)).array(n_readers),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._layout, depth=DEPTH, init=[])
        written = Signal(range(2 * DEPTH))  # one bit more than an address, so that full and empty differ
        full = Signal(len(self.readers))
        port = memory.write_port()
        m.d.comb += [
            self.write.ready.eq(~full.any()),
            port.addr.eq(written),
            port.data.eq(self.write.payload),
            port.en.eq(self.write.valid & self.write.ready),
        ]
        m.d.sync += written.eq(written + port.en)
        for index, reader in enumerate(self.readers):
            at = Signal(range(2 * DEPTH), name=f"at_{index}")
            following = Signal(range(2 * DEPTH), name=f"following_{index}")
            read = memory.read_port()
            m.d.comb += [
                following.eq(Mux(reader.take, at + 1, at)),
                read.addr.eq(following),
                reader.payload.eq(read.data),
                full[index].eq((written ^ at) == DEPTH),
            ]
            m.d.sync += [at.eq(following), reader.valid.eq(following != written)]
        return m
