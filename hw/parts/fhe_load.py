"""LOAD: operands from memory, linear part, modulus switch, exponents (docs/fhe.md, sections 1 and 3)."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_commands import NUMBER_BITS, operand_layout, place_bits, split
from hw.parts.fhe_types import TORUS_BITS, exponent_bits


class Load(wiring.Component):
    """Loads one batch at a time: `start` in its first cycle, with `n_cells` and `place`, the half of the exponents.

    Requests go out one a cycle from `start` on: operand A of a cell, then B where there are two (backpressure of
    `requests` delays them). Beats are taken whenever they are offered; the exponents of a beat taken in cycle x are
    stored in x + 1. `done` two cycles after the last beat, before which there is no further `start`. `taken` tells a
    beat. Cells come from `Commands` (`request`, `arrival`: latency 0). Exponent `word` of `slot` in half `read_place`,
    asked for in cycle x, is at `exponents` of all cores in x + 1, and stays until `read` is up again.
    """

    def __init__(self, design: Design, n_operands: int) -> None:
        self._design, self._n_operands = design, n_operands
        p = design.parameters
        self._words = p.lwe_dimension + 1
        super().__init__(
            {
                "start": In(1),
                "n_cells": In(place_bits(design.batch * design.cores + 1)),
                "place": In(1),
                "request": Out(range(n_operands)),
                "requested": In(operand_layout(design)),
                "arrival": Out(range(n_operands)),
                "arrived": In(operand_layout(design)),
                "requests": Out(stream.Signature(unsigned(NUMBER_BITS))),
                "beats": In(stream.Signature(unsigned(TORUS_BITS * design.ciphertext_words_per_cycle))),
                "taken": Out(1),
                "done": Out(1),
                "read": In(1),
                "read_place": In(1),
                "slot": In(place_bits(design.batch)),
                "word": In(range(self._words)),
                "exponents": Out(data.ArrayLayout(unsigned(exponent_bits(design)), design.cores)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self._request(m)
        self._arrive(m)
        return m

    def _request(self, m: Module) -> None:
        cell, second = self.requested, Signal()
        n_left = Signal.like(self.n_cells)
        n_now = Signal.like(self.n_cells)
        of_b, ends = Signal(), Signal()
        m.d.comb += [
            n_now.eq(Mux(self.start, self.n_cells, n_left)),
            of_b.eq(second | (cell.factor_a == 0)),
            ends.eq(of_b | (cell.factor_b == 0)),
            self.requests.valid.eq(n_now != 0),
            self.requests.payload.eq(Mux(of_b, cell.b, cell.a)),
        ]
        m.d.sync += n_left.eq(n_now)
        with m.If(self.requests.valid & self.requests.ready):
            m.d.sync += second.eq(~ends)
            with m.If(ends):
                m.d.sync += [n_left.eq(n_now - 1), self.request.eq(self.request + 1)]

    def _arrive(self, m: Module) -> None:
        design, cell, second = self._design, self.arrived, Signal()
        chunk = Signal(place_bits(design.ciphertext_beats))
        n_left, place = Signal.like(self.n_cells), Signal()
        of_b, ends, last_chunk = Signal(), Signal(), Signal()
        m.d.comb += [
            self.beats.ready.eq(n_left != 0),
            self.taken.eq(self.beats.valid & self.beats.ready),
            of_b.eq(second | (cell.factor_a == 0)),
            ends.eq(of_b | (cell.factor_b == 0)),
            last_chunk.eq(chunk == design.ciphertext_beats - 1),
        ]
        with m.If(self.start):
            m.d.sync += [n_left.eq(self.n_cells), place.eq(self.place)]
        with m.If(self.taken):
            m.d.sync += chunk.eq(Mux(last_chunk, 0, chunk + 1))
            with m.If(last_chunk):
                m.d.sync += second.eq(~ends)
                with m.If(ends):
                    m.d.sync += [n_left.eq(n_left - 1), self.arrival.eq(self.arrival + 1)]
        finished = Signal()
        m.d.sync += finished.eq(self.taken & last_chunk & ends & (n_left == 1))
        m.d.sync += self.done.eq(finished)
        self._sum(m, chunk, of_b=of_b, ends=ends, second=second, place=place)

    def _sum(self, m: Module, chunk: Signal, *, of_b: Signal, ends: Signal, second: Signal, place: Signal) -> None:
        """factor x word in the beat's cycle; in the next one sum, constant and modulus switch, or the partial sum."""
        design, cell = self._design, self.arrived
        lanes, torus = design.ciphertext_words_per_cycle, unsigned(TORUS_BITS)
        words = data.ArrayLayout(torus, lanes)
        m.submodules.partial = partial = Memory(shape=words, depth=design.ciphertext_beats, init=[])
        read, write = partial.read_port(), partial.write_port()
        m.d.comb += [read.addr.eq(chunk), read.en.eq(self.taken)]
        factor = Signal(signed(3))
        m.d.comb += factor.eq(Mux(of_b, cell.factor_b, cell.factor_a))
        scaled = Signal(words, reset_less=True)
        kept = Signal(data.StructLayout({"chunk": chunk.shape(), "slot": cell.slot.shape(), "core": cell.core.shape()}))
        constant, adds, there, stores, half = Signal(TORUS_BITS), Signal(), Signal(), Signal(), Signal()
        beat = data.View(words, self.beats.payload)
        m.d.sync += [
            *(scaled[lane].eq((beat[lane] * factor)[:TORUS_BITS]) for lane in range(lanes)),
            *(kept.chunk.eq(chunk), kept.slot.eq(cell.slot), kept.core.eq(cell.core), constant.eq(cell.constant)),
            *(adds.eq(second), there.eq(self.taken), stores.eq(ends), half.eq(place)),
        ]
        total = Signal(words)
        last_chunk, last_lane = divmod(self._words - 1, lanes)
        exponents = Signal(data.ArrayLayout(unsigned(exponent_bits(design)), lanes))
        cut = TORUS_BITS - exponent_bits(design)
        for lane in range(lanes):
            extra = Mux(stores & (kept.chunk == last_chunk), constant, 0) if lane == last_lane else 0
            m.d.comb += total[lane].eq(scaled[lane] + Mux(adds, read.data[lane], 0) + extra)
            m.d.comb += exponents[lane].eq((total[lane] + (1 << (cut - 1)))[cut:TORUS_BITS])
        m.d.comb += [
            write.en.eq(there & ~stores),
            write.addr.eq(kept.chunk),
            write.data.eq(total),
        ]
        address = self._address(half, kept.slot, kept.chunk)
        self._exponents(m, exponents, there & stores, address, kept.core)

    def _address(self, half: Value, slot: Value, chunk: Value) -> Value:
        """Of a chunk of exponents: halves, in them slots, in them chunks, without gaps."""
        return (half * self._design.batch + slot) * self._design.ciphertext_beats + chunk

    def _exponents(self, m: Module, exponents: Signal, stores: Value, address: Value, core: Signal) -> None:
        design, lanes = self._design, self._design.ciphertext_words_per_cycle
        chunk, lane = split(self.word, lanes, below=self._words)
        chosen = Signal(place_bits(lanes))
        with m.If(self.read):
            m.d.sync += chosen.eq(lane)
        for index in range(design.cores):
            m.submodules[f"exponents_{index}"] = memory = Memory(
                shape=data.ArrayLayout(unsigned(exponent_bits(design)), lanes),
                depth=2 * design.batch * design.ciphertext_beats,
                init=[],
            )
            read, write = memory.read_port(), memory.write_port()
            m.d.comb += [
                write.en.eq(stores & (core == index)),
                write.addr.eq(address),
                write.data.eq(exponents),
                read.en.eq(self.read),
                read.addr.eq(self._address(self.read_place, self.slot, chunk)),
                self.exponents[index].eq(Array([read.data[i] for i in range(lanes)])[chosen]),
            ]
