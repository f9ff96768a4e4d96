"""On-chip memories of the tensor machine: the banked scratchpad, and buffers of one read and one write port."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


def read_signature(*, n_words: int, word_bits: int) -> wiring.Signature:
    """Read port from the reader's view: `en`, `buf`, `addr` in cycle x, `data` in x + 1."""
    return wiring.Signature(
        {"en": Out(1), "buf": Out(1), "addr": Out(range(n_words)), "data": In(unsigned(word_bits))}
    )


def write_signature(*, n_words: int, word_bits: int) -> wiring.Signature:
    """Write port from the writer's view: a word written in cycle x is read by an address presented in x + 1."""
    return wiring.Signature(
        {"en": Out(1), "buf": Out(1), "addr": Out(range(n_words)), "data": Out(unsigned(word_bits))}
    )


class Scratchpad(wiring.Component):
    """`n_buffers` buffers of `n_words` words over `n_banks` single-ported memories, the first of them buffer 0's.

    A buffer is cut into equal, consecutive parts, one a bank, so the bank is told by the high address bits. Latency:
    read 1 cycle. Initiation interval: one read and one write a cycle, to different banks; the user never reads and
    writes one bank in one cycle (the write would win). `data` stays until the next read. No backpressure.
    """

    def __init__(self, *, n_words: int, word_bits: int, n_banks: int, n_buffers: int) -> None:
        self._n_words, self._word_bits = n_words, word_bits
        self._n_buffers, self._banks_a_buffer = n_buffers, n_banks // n_buffers
        super().__init__(
            {
                "read": In(read_signature(n_words=n_words, word_bits=word_bits)),
                "write": In(write_signature(n_words=n_words, word_bits=word_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self._n_words // self._banks_a_buffer
        chosen = Signal(range(self._n_buffers * self._banks_a_buffer))
        for index in range(self._n_buffers * self._banks_a_buffer):
            buffer, part = divmod(index, self._banks_a_buffer)
            m.submodules[f"bank_{index}"] = bank = Memory(shape=unsigned(self._word_bits), depth=depth, init=[])
            reading, writing = bank.read_port(), bank.write_port()
            low = part * depth
            for port, en in ((self.read, reading.en), (self.write, writing.en)):
                chosen_by = [port.en]
                if self._n_buffers > 1:
                    chosen_by.append(port.buf == buffer)
                if part > 0:
                    chosen_by.append(port.addr >= low)
                if part < self._banks_a_buffer - 1:
                    chosen_by.append(port.addr < low + depth)
                m.d.comb += en.eq(Cat(chosen_by).all())
            # One address for both ports: what a single-ported memory has.
            address = Signal(range(max(depth, 2)), name=f"address_{index}")
            m.d.comb += [
                address.eq(Mux(writing.en, self.write.addr, self.read.addr) - low),
                reading.addr.eq(address),
                writing.addr.eq(address),
                writing.data.eq(self.write.data),
            ]
            with m.If(reading.en):
                m.d.sync += chosen.eq(index)
            with m.If(chosen == index):
                m.d.comb += self.read.data.eq(reading.data)
        return m


class Buffers(wiring.Component):
    """`n_buffers` memories of `n_words` words, each of one read and one write port, between several clients.

    Clients of one kind never use one buffer in one cycle (their addresses would mix). Latency: read 1 cycle.
    Initiation interval: one read and one write a buffer and cycle. A reader's `data` stays until that buffer is read
    again. No backpressure.
    """

    def __init__(
        self, *, n_words: int, word_bits: int, n_buffers: int, n_readers: int = 1, n_writers: int = 1
    ) -> None:
        self._n_words, self._word_bits, self._n_buffers = n_words, word_bits, n_buffers
        super().__init__(
            {
                "reads": In(read_signature(n_words=n_words, word_bits=word_bits)).array(n_readers),
                "writes": In(write_signature(n_words=n_words, word_bits=word_bits)).array(n_writers),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = []
        for index in range(self._n_buffers):
            memory = Memory(shape=unsigned(self._word_bits), depth=self._n_words, init=[])
            m.submodules[f"buffer_{index}"] = memory
            reading, writing = memory.read_port(), memory.write_port()
            m.d.comb += reading.en.eq(0)
            for client in self.writes:
                with m.If(client.en & ((client.buf == index) if self._n_buffers > 1 else 1)):
                    m.d.comb += [writing.en.eq(1), writing.addr.eq(client.addr), writing.data.eq(client.data)]
            for client in self.reads:
                with m.If(client.en & ((client.buf == index) if self._n_buffers > 1 else 1)):
                    m.d.comb += [reading.en.eq(1), reading.addr.eq(client.addr)]
            words.append(reading.data)
        for number, client in enumerate(self.reads):
            chosen = Signal(name=f"chosen_{number}")
            with m.If(client.en):
                m.d.sync += chosen.eq(client.buf)
            m.d.comb += client.data.eq(Mux(chosen, words[-1], words[0]))
        return m
