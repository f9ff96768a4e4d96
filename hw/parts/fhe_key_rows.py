"""Rows of the bootstrapping key on chip: a ring of K places, or all rows of a resident key (docs/fhe.md, section 3)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_commands import NUMBER_BITS, place_bits
from hw.parts.fhe_types import key_row_words, key_signature


class KeyRows(wiring.Component):
    """Takes beats of E residues in every cycle in which a place is free, in the order in which MAC reads them.

    A beat taken in cycle x can be read from x + 1 on; reads have a latency of 1 and an initiation interval of 1, and a
    place may be written while another one is read. `row_taken` in the cycle of a row's last beat, from the next one on
    `n_rows` counts it. `row_release` in cycle x frees the oldest place for a beat in x + 1. Backpressure: `beats` while
    all K places hold rows that are not released; a resident key's n rows are taken once.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "beats": In(stream.Signature(unsigned(design.key_residues_per_cycle * design.modulus_bits))),
                "taken": Out(1),
                "row_taken": Out(1),
                "row_release": In(1),
                "n_rows": Out(NUMBER_BITS),
                "key": In(key_signature(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, row_words = self._design, key_row_words(self._design)
        n_places = min(design.key_rows, design.parameters.lwe_dimension)
        beat_bits, word_bits = len(self.beats.payload), len(self.key.data.as_value())
        n_parts = word_bits // beat_bits
        m.submodules.rows = rows = Memory(shape=unsigned(word_bits), depth=n_places * row_words, init=[])
        read, write = rows.read_port(), rows.write_port(granularity=beat_bits)
        part, word = Signal(place_bits(n_parts)), Signal(range(row_words))
        place, n_held = Signal(place_bits(n_places)), Signal(range(n_places + 1))
        last_part, last_word = Signal(), Signal()
        m.d.comb += [
            self.beats.ready.eq(n_held != n_places),
            self.taken.eq(self.beats.valid & self.beats.ready),
            last_part.eq(part == n_parts - 1),
            last_word.eq(word == row_words - 1),
            self.row_taken.eq(self.taken & last_part & last_word),
            write.addr.eq(place * row_words + word),
            write.data.eq(self.beats.payload.replicate(n_parts)),
            write.en.eq(self.taken << part),
            read.en.eq(self.key.en),
            read.addr.eq(self.key.place * row_words + self.key.address),
            self.key.data.eq(read.data),
        ]
        m.d.sync += [
            self.n_rows.eq(self.n_rows + self.row_taken),
            n_held.eq(n_held + self.row_taken - self.row_release),
        ]
        with m.If(self.taken):
            m.d.sync += part.eq(Mux(last_part, 0, part + 1))
            with m.If(last_part):
                m.d.sync += word.eq(Mux(last_word, 0, word + 1))
        with m.If(self.row_taken):
            m.d.sync += place.eq(Mux(place == n_places - 1, 0, place + 1))
        return m
