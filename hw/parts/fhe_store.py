"""STORE: key-switched results to memory (docs/fhe.md, section 3)."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_commands import NUMBER_BITS, place_bits
from hw.parts.fhe_extract import unit_places
from hw.parts.fhe_key_switch import chunk_bits, lane_words
from hw.parts.fhe_types import TORUS_BITS


def write_layout(design: Design) -> data.StructLayout:
    """D words for memory: of which ciphertext, and which beat of it."""
    return data.StructLayout(
        {
            "number": unsigned(NUMBER_BITS),
            "chunk": place_bits(design.ciphertext_beats),
            "data": data.ArrayLayout(unsigned(TORUS_BITS), design.ciphertext_words_per_cycle),
        }
    )


class Store(wiring.Component):
    """Offers the beats of all results: place by place, in it core by core, in it chunk by chunk.

    `start` in the cycle before the station's first; the first beat is offered 3 cycles after `start`, then one a cycle:
    latency 2 from `read` (of `place`, `chunk` of the key switchers, `words` in the next cycle, and of the result's
    number, by `place` and `unit`, `numbers` of all cores in the next cycle). Backpressure: while a beat is offered and
    not taken everything stands still. `done` in the cycle in which the last beat is taken. `n_results` (at least one in
    all) are steady until then.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        units = design.cores * design.key_switchers
        super().__init__(
            {
                "start": In(1),
                "n_results": In(data.ArrayLayout(range(design.batch + 1), design.cores)),
                "read": Out(1),
                "unit": Out(place_bits(design.key_switchers)),
                "place": Out(place_bits(unit_places(design))),
                "chunk": Out(chunk_bits(design)),
                "words": In(data.ArrayLayout(lane_words(design), units)),
                "numbers": In(data.ArrayLayout(unsigned(NUMBER_BITS), design.cores)),
                "writes": Out(stream.Signature(write_layout(design))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, writes = self._design, self.writes
        n_parts = design.key_switch_lanes // design.ciphertext_words_per_cycle  # beats of a chunk of V words
        core, part = Signal(place_bits(design.cores)), Signal(place_bits(n_parts))
        beat = Signal(place_bits(design.ciphertext_beats))
        moves, active, last_beat, last = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            moves.eq(~writes.valid | writes.ready),
            self.read.eq(active & moves),
            last_beat.eq(beat == design.ciphertext_beats - 1),
        ]
        with m.If(self.read):
            m.d.sync += [
                beat.eq(Mux(last_beat, 0, beat + 1)),
                part.eq(Mux(last_beat | (part == n_parts - 1), 0, part + 1)),
                self.chunk.eq(Mux(last_beat, 0, self.chunk + (part == n_parts - 1))),
            ]
        self._results(m, core, self.read & last_beat, last)
        with m.If(self.start):
            m.d.sync += active.eq(1)
        with m.Elif(self.read & last_beat & last):
            m.d.sync += active.eq(0)
        place = Signal(data.StructLayout({"there": 1, "last": 1, "unit": self.unit.shape(), "core": core.shape()}))
        part_read, beat_read, last_offered = Signal.like(part), Signal.like(beat), Signal()
        lanes = design.ciphertext_words_per_cycle
        units = Array([self.words[i].as_value() for i in range(design.cores * design.key_switchers)])
        words = Signal(data.ArrayLayout(unsigned(TORUS_BITS), lanes))
        chosen = units[place.core * design.key_switchers + place.unit]
        m.d.comb += words.eq(chosen.word_select(part_read, TORUS_BITS * lanes) if n_parts > 1 else chosen)
        with m.If(moves):
            m.d.sync += [
                *(place.there.eq(active), place.last.eq(last_beat & last)),
                *(place.unit.eq(self.unit), place.core.eq(core)),
                *(part_read.eq(part), beat_read.eq(beat)),
                *(writes.valid.eq(place.there), last_offered.eq(place.last), writes.payload.chunk.eq(beat_read)),
                writes.payload.number.eq(Array([self.numbers[i] for i in range(design.cores)])[place.core]),
                writes.payload.data.eq(words),
            ]
        m.d.comb += self.done.eq(writes.valid & writes.ready & last_offered)
        return m

    def _results(self, m: Module, core: Signal, ends: Value, last: Signal) -> None:
        """Which result is read: at `ends` the next one, in the first core after this one that has as many."""
        design = self._design
        number = Signal(range(design.batch + 1))  # f
        next_core, same_place, first_core = Signal.like(core), Signal(), Signal.like(core)
        more = Signal()
        from_number = Signal.like(number)
        m.d.comb += from_number.eq(Mux(self.start, 0, number + 1))
        for index in reversed(range(design.cores)):  # the lowest wins
            with m.If(self.n_results[index] > from_number):
                m.d.comb += [first_core.eq(index), more.eq(1)]
            with m.If((self.n_results[index] > number) & (core < index)):
                m.d.comb += [next_core.eq(index), same_place.eq(1)]
        m.d.comb += last.eq(~same_place & ~more)
        last_unit = self.unit == design.key_switchers - 1
        with m.If(self.start):
            m.d.sync += [number.eq(0), self.unit.eq(0), self.place.eq(0), core.eq(first_core)]
        with m.Elif(ends):
            m.d.sync += core.eq(Mux(same_place, next_core, first_core))
            with m.If(~same_place):
                m.d.sync += [
                    number.eq(number + 1),
                    self.unit.eq(Mux(last_unit, 0, self.unit + 1)),
                    self.place.eq(self.place + last_unit),
                ]
