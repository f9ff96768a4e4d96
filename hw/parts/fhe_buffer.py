"""Buffers of polynomials between stations: words in, halves of two words out, or the other way round (docs/fhe.md)."""

from __future__ import annotations

from typing import Any, Literal

from amaranth.hdl import Array, Cat, Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from designs.families.fhe import Design
from hw.parts.fhe_types import residue_words
from hw.parts.unit import Unit

Access = Literal["word", "halves"]


def polynomial_read(design: Design, n_polynomials: int) -> wiring.Signature:
    """Read of word `word` of all polynomials of a place: `en`, `place`, `word` in cycle x, `data` in x + 1."""
    return _access(design, n_polynomials, In)


def polynomial_write(design: Design, n_polynomials: int) -> wiring.Signature:
    """Write of word `word` of all polynomials of a place; what is written in cycle x is read by an address of x + 1."""
    return _access(design, n_polynomials, Out)


def _sizes(design: Design) -> str:
    return f"{design.poly_words}_{design.coefficients_per_cycle}_{design.modulus_bits}"


def _access(design: Design, n_polynomials: int, flow: wiring.Flow) -> wiring.Signature:
    members = {"en": Out(1), "place": Out(1), "word": Out(range(design.poly_words))}
    return wiring.Signature({**members, "data": flow(residue_words(design, n_polynomials))})


class PolynomialBuffer(Unit):
    """`n_places` places of `n_polynomials` polynomials of W words: one write and one read a cycle.

    Access by `word` w moves its P coefficients. Access by `halves` moves, as the lower P/2 lanes, half w mod 2 of word
    w // 2, and as the upper ones, the same half of word W/2 + w // 2: what a butterfly takes together or gives
    together. Each half of a word is in one of two banks, by words below W/2 and from there on, so that every access
    finds each memory once. Latency: read 1 cycle. Initiation interval 1. `data` stays until the next read. No
    backpressure; words read and written in one cycle are different ones.
    """

    def __init__(
        self, design: Design, *, n_polynomials: int, writes: Access, reads: Access, n_places: int = 2
    ) -> None:
        self._design, self._n_polynomials, self._n_places = design, n_polynomials, n_places
        self._writes, self._reads = writes, reads
        super().__init__(
            f"buffer_{writes}_{reads}_{n_places}_{n_polynomials}_{_sizes(design)}",
            {
                "write": In(polynomial_write(design, n_polynomials)),
                "read": In(polynomial_read(design, n_polynomials)),
            },
        )

    def circuit(self, platform: Any) -> Module:
        m = Module()
        half_bits = self._n_polynomials * self._design.coefficients_per_cycle // 2 * self._design.modulus_bits
        depth = max(self._n_places * self._design.poly_words // 2, 2)
        found: list[list[Value]] = [[], []]  # half, bank
        for half in range(2):
            for bank in range(2):
                memory = Memory(shape=unsigned(half_bits), depth=depth, init=[])
                m.submodules[f"half_{half}_bank_{bank}"] = memory
                reading, writing = memory.read_port(), memory.write_port()
                m.d.comb += [
                    writing.addr.eq(self._address(self.write, self._writes)),
                    writing.en.eq(self.write.en & _chosen(self.write, self._writes, half, bank)),
                    writing.data.eq(_halves(self.write.data, self._n_polynomials)[self._lane(half, bank)]),
                    reading.addr.eq(self._address(self.read, self._reads)),
                    reading.en.eq(self.read.en & _chosen(self.read, self._reads, half, bank)),
                ]
                found[half].append(reading.data)
        self._answer(m, found)
        return m

    def _lane(self, half: int, bank: int) -> int:
        """Lanes of the write port that belong to a memory: lower or upper."""
        return half if self._writes == "word" else bank

    def _address(self, port: wiring.PureInterface, access: Access) -> Value:
        word = port.word[:-1] if access == "word" else port.word[1:]
        return Cat(word, port.place) if self._n_places == 2 else word

    def _answer(self, m: Module, found: list[list[Value]]) -> None:
        chosen = Signal()
        with m.If(self.read.en):
            m.d.sync += chosen.eq(self.read.word[-1] if self._reads == "word" else self.read.word[0])
        if self._reads == "word":
            lower, upper = Array(found[0])[chosen], Array(found[1])[chosen]
        else:
            halves = Array(Cat(*banks) for banks in found)[chosen]
            lower, upper = halves[: len(halves) // 2], halves[len(halves) // 2 :]
        size = len(lower) // self._n_polynomials
        for index in range(self._n_polynomials):
            part = slice(index * size, (index + 1) * size)
            m.d.comb += self.read.data[index].as_value().eq(Cat(lower[part], upper[part]))


def _chosen(port: wiring.PureInterface, access: Access, half: int, bank: int) -> Value:
    return port.word[-1] == bank if access == "word" else port.word[0] == half


def _halves(words: data.View, n_polynomials: int) -> tuple[Value, Value]:
    """Lower lanes of all polynomials, and upper lanes."""
    flat = [words[index].as_value() for index in range(n_polynomials)]
    size = len(flat[0]) // 2
    return Cat(*(word[:size] for word in flat)), Cat(*(word[size:] for word in flat))


class WordBuffer(Unit):
    """The same with both accesses by word: one memory of two places. Latency: read 1 cycle. Initiation interval 1."""

    def __init__(self, design: Design, *, n_polynomials: int) -> None:
        self._design, self._n_polynomials = design, n_polynomials
        super().__init__(
            f"word_buffer_{n_polynomials}_{_sizes(design)}",
            {
                "write": In(polynomial_write(design, n_polynomials)),
                "read": In(polynomial_read(design, n_polynomials)),
            },
        )

    def circuit(self, platform: Any) -> Module:
        m = Module()
        shape = residue_words(self._design, self._n_polynomials)
        m.submodules.words = memory = Memory(
            shape=unsigned(shape.size), depth=2 << exact_log2(self._design.poly_words), init=[]
        )
        reading, writing = memory.read_port(), memory.write_port()
        m.d.comb += [
            writing.en.eq(self.write.en),
            writing.addr.eq(Cat(self.write.word, self.write.place)),
            writing.data.eq(self.write.data.as_value()),
            reading.en.eq(self.read.en),
            reading.addr.eq(Cat(self.read.word, self.read.place)),
            self.read.data.as_value().eq(reading.data),
        ]
        return m
