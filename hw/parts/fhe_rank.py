"""A rank of butterflies: some stages of a transform on polynomials side by side (docs/fhe.md, sections 1 and 3)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_buffer import Access, PolynomialBuffer, polynomial_read, polynomial_write
from hw.parts.fhe_butterfly import Butterfly
from hw.parts.fhe_steps import rank_step
from hw.parts.fhe_twiddles import Twiddles


def stages_of(design: Design, rank: int, *, inverse: bool) -> range:
    """The stages of the transform that a rank does, in its order."""
    first = sum(design.rank_stages[:rank])
    stages = range(first, first + design.rank_stages[rank])
    last = design.n_stages - 1
    return range(last - stages.start, last - stages.stop, -1) if inverse else stages


def pass_interval(design: Design) -> int:
    """I: cycles from one pass of a rank to the next."""
    return max(design.poly_words, design.poly_words // 2 + 1 + rank_latency(design))


def rank_latency(design: Design) -> int:
    """Cycles from the read of a word to the write of its results."""
    return design.multiplier_stages + 2


class Rank(wiring.Component):
    """Passes over `n_polynomials` polynomials: reads a word of each, P/2 butterflies each, writes a word of each.

    `step` (hw/parts/fhe_steps.py) in cycle x: `read` asks in x for the first pass, `write` gives the results of the
    last pass in x + A + 2; between passes polynomials are in a scratch buffer of two places (one of two passes).
    Forward ranks read by halves and write words, inverse ranks read words and write by halves (hw/parts/fhe_buffer.py).
    Initiation interval: a word a cycle. No backpressure.
    """

    def __init__(self, design: Design, *, rank: int, n_polynomials: int, inverse: bool) -> None:
        self._design, self._n_polynomials, self._inverse = design, n_polynomials, inverse
        self._stages = stages_of(design, rank, inverse=inverse)
        super().__init__(
            {
                "step": In(rank_step(design, rank)),
                "read": Out(polynomial_read(design, n_polynomials)),
                "write": Out(polynomial_write(design, n_polynomials)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step, read, n_passes = self.step, self.read, len(self._stages)
        m.submodules.twiddles = twiddles = Twiddles(self._design, stages=self._stages, inverse=self._inverse)
        written = self._delayed_step(m)
        m.d.comb += [
            twiddles.index.eq(step.index),
            twiddles.word.eq(step.word),
            read.en.eq(step.valid & (step.index == 0)),
            read.place.eq(step.place),
            read.word.eq(step.word),
            self.write.en.eq(written.valid & (written.index == n_passes - 1)),
            self.write.place.eq(written.place),
            self.write.word.eq(written.word),
        ]
        words = [read.data[index].as_value() for index in range(self._n_polynomials)]
        if n_passes > 1:
            words = self._scratch(m, words, written)
        for index, word in enumerate(words):
            self._butterflies(m, index, word, twiddles)
        return m

    def _delayed_step(self, m: Module) -> Signal:
        """The step whose results are written."""
        delayed = self.step
        for cycle in range(rank_latency(self._design)):
            later = Signal(self.step.shape(), name=f"step_{cycle + 1}")
            m.d.sync += later.eq(delayed)
            delayed = later
        return delayed

    def _scratch(self, m: Module, words: list[Value], written: Signal) -> list[Value]:
        """What butterflies take: words from outside in the first pass, from the scratch buffer in the others."""
        n_passes, step = len(self._stages), self.step
        accesses: tuple[Access, Access] = ("halves", "word") if self._inverse else ("word", "halves")
        m.submodules.scratch = scratch = PolynomialBuffer(
            self._design, n_polynomials=self._n_polynomials, writes=accesses[0], reads=accesses[1],
            n_places=min(n_passes - 1, 2),
        )  # fmt: skip
        is_first = Signal()
        m.d.sync += is_first.eq(step.index == 0)
        m.d.comb += [
            scratch.write.en.eq(written.valid & (written.index != n_passes - 1)),
            scratch.write.place.eq(written.index[0]),
            scratch.write.word.eq(written.word),
            scratch.write.data.eq(self.write.data),
            scratch.read.en.eq(step.valid & (step.index != 0)),
            scratch.read.place.eq(~step.index[0]),
            scratch.read.word.eq(step.word),
        ]
        return [Mux(is_first, word, scratch.read.data[index].as_value()) for index, word in enumerate(words)]

    def _butterflies(self, m: Module, index: int, word: Value, twiddles: Twiddles) -> None:
        design, bits, lanes = self._design, self._design.modulus_bits, self._design.coefficients_per_cycle // 2
        for lane in range(lanes):
            unit = Butterfly(bits=bits, n_registers=design.multiplier_stages, inverse=self._inverse)
            m.submodules[f"butterfly_{index}_{lane}"] = unit
            apart, together = (lane, lanes + lane), (2 * lane, 2 * lane + 1)
            taken, given = (together, apart) if self._inverse else (apart, together)
            m.d.comb += [
                unit.u.eq(word[bits * taken[0] : bits * (taken[0] + 1)]),
                unit.v.eq(word[bits * taken[1] : bits * (taken[1] + 1)]),
                unit.w.eq(twiddles.data[lane]),
                self.write.data[index][given[0]].eq(unit.upper),
                self.write.data[index][given[1]].eq(unit.lower),
            ]
