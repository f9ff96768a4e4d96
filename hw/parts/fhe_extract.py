"""EXTRACT: accumulators become results for the key switch, held ones are added (docs/fhe.md, sections 1 and 3)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_commands import NUMBER_BITS, cell_layout, place_bits
from hw.parts.fhe_types import TORUS_BITS, n_columns, torus_word


def unit_places(design: Design) -> int:
    """Results that a key switcher may have in a batch: ceil(B/U)."""
    return -(-design.batch // design.key_switchers)


def mask_layout(design: Design) -> data.ArrayLayout:
    """A word of each of the k polynomials of a mask, in the order of the accumulator's coefficients."""
    return data.ArrayLayout(torus_word(design), design.parameters.glwe_dimension)


class Extract(wiring.Component):
    """Asks for the accumulators of `slots` slots, a word a cycle from `start` on: `done` `slots` W + 1 cycles after it.

    What is asked for in cycle x (`reading`, `slot`, `word`) comes in x + 1, in which `there` is up, with the word's
    number (`there_word`) and, for a slot's last word, `there_last`. `first_word` once a slot. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        word = range(design.poly_words)
        super().__init__(
            {
                "start": In(1),
                "slots": In(range(design.batch + 1)),
                "reading": Out(1),
                "first_word": Out(1),
                "slot": Out(place_bits(design.batch)),
                "word": Out(word),
                "there": Out(1),
                "there_word": Out(word),
                "there_last": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running, last_word, last, ends = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.reading.eq(self.start | running),
            self.first_word.eq(self.reading & (self.word == 0)),
            last_word.eq(self.word == self._design.poly_words - 1),
            last.eq(self.reading & last_word & (self.slot + 1 == self.slots)),
        ]
        with m.If(self.reading):
            m.d.sync += [running.eq(~last), self.word.eq(self.word + 1)]
            with m.If(last_word):
                m.d.sync += self.slot.eq(Mux(last, 0, self.slot + 1))
        m.d.sync += [
            self.there.eq(self.reading),
            self.there_word.eq(self.word),
            self.there_last.eq(last_word),
            ends.eq(last),
            self.done.eq(ends),
        ]
        return m


class Results(wiring.Component):
    """The results of a core: result f of a batch is in place f div U of key switcher f mod U.

    While `there`: word `there_word` of all polynomials (`words`) of a slot whose command is `cell`, slots and words in
    order. `reading` and `word` are those of the cycle before. A word is stored in the cycle in which it
    comes. `clear` before a batch. `n_results` counts those that are complete, `n_of_unit` those of each key switcher,
    from the cycle after their last word on. Reads (latency 1, initiation interval 1): `read_place`, `read_word` of all
    units at once, their `masks` and `bodies`, post added; number of a result by `number_place`, `number_unit` while
    `read_number` is up, kept until then. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        units, word = design.key_switchers, range(design.poly_words)
        place = unsigned(place_bits(unit_places(design)))
        super().__init__(
            {
                "clear": In(1),
                "reading": In(1),
                "word": In(word),
                "there": In(1),
                "there_word": In(word),
                "there_last": In(1),
                "words": In(data.ArrayLayout(torus_word(design), n_columns(design))),
                "cell": In(cell_layout()),
                "n_results": Out(range(design.batch + 1)),
                "n_of_unit": Out(data.ArrayLayout(unsigned(place_bits(unit_places(design) + 1)), units)),
                "read_place": In(place),
                "read_word": In(word),
                "masks": Out(data.ArrayLayout(mask_layout(design), units)),
                "bodies": Out(data.ArrayLayout(unsigned(TORUS_BITS), units)),
                "read_number": In(1),
                "number_place": In(place),
                "number_unit": In(place_bits(units)),
                "number": Out(NUMBER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        unit, place = Signal(place_bits(design.key_switchers)), Signal(place_bits(unit_places(design)))
        mask, body = Signal(mask_layout(design)), Signal(TORUS_BITS)
        keeps, ends = Signal(), Signal()
        m.d.comb += [
            keeps.eq(self.there & self.cell.valid & ~self.cell.holds),
            ends.eq(keeps & self.there_last),
        ]
        self._held(m, mask, body)
        with m.If(ends):
            last_unit = unit == design.key_switchers - 1
            m.d.sync += [
                unit.eq(Mux(last_unit, 0, unit + 1)),
                place.eq(place + last_unit),
                self.n_results.eq(self.n_results + 1),
                self.n_of_unit[unit].eq(self.n_of_unit[unit] + 1),
            ]
        with m.If(self.clear):
            m.d.sync += [unit.eq(0), place.eq(0), self.n_results.eq(0), self.n_of_unit.eq(0)]
        places = unit_places(design)
        for index in range(design.key_switchers):
            masks = Memory(shape=mask_layout(design), depth=places * design.poly_words, init=[])
            bodies = Memory(shape=unsigned(TORUS_BITS), depth=places, init=[])
            m.submodules[f"masks_{index}"], m.submodules[f"bodies_{index}"] = masks, bodies
            chosen = keeps & (unit == index)
            read, write = masks.read_port(), masks.write_port()
            m.d.comb += [
                write.en.eq(chosen),
                write.addr.eq(Cat(self.there_word, place)),
                write.data.eq(mask),
                read.addr.eq(Cat(self.read_word, self.read_place)),
                self.masks[index].eq(read.data),
            ]
            read, write = bodies.read_port(), bodies.write_port()
            m.d.comb += [
                write.en.eq(chosen & (self.there_word == 0)),
                write.addr.eq(place),
                write.data.eq(body + self.cell.post),
                read.addr.eq(self.read_place),
                self.bodies[index].eq(read.data),
            ]
        self._numbers(m, ends, Cat(place, unit))
        return m

    def _held(self, m: Module, mask: Signal, body: Signal) -> None:
        """What comes, with what is held from the slot before added."""
        design = self._design
        m.submodules.held = held = Memory(shape=mask_layout(design), depth=design.poly_words, init=[])
        read, write = held.read_port(), held.write_port()
        holding, held_body = Signal(), Signal(TORUS_BITS)
        holds = self.there & self.cell.valid & self.cell.holds
        for column in range(design.parameters.glwe_dimension):
            for lane in range(design.coefficients_per_cycle):
                added = Mux(holding, read.data[column][lane], 0)
                m.d.comb += mask[column][lane].eq(self.words[column][lane] + added)
        m.d.comb += [
            body.eq(self.words[n_columns(design) - 1][0] + Mux(holding, held_body, 0)),
            read.en.eq(self.reading),
            read.addr.eq(self.word),
            write.en.eq(holds),
            write.addr.eq(self.there_word),
            write.data.eq(mask),
        ]
        with m.If(holds & (self.there_word == 0)):
            m.d.sync += held_body.eq(body)
        with m.If(self.there & self.there_last):
            m.d.sync += holding.eq(holds)
        with m.If(self.clear):
            m.d.sync += holding.eq(0)

    def _numbers(self, m: Module, stores: Signal, address: Signal) -> None:
        m.submodules.numbers = numbers = Memory(
            shape=unsigned(NUMBER_BITS), depth=1 << len(Cat(self.number_place, self.number_unit)), init=[]
        )
        read, write = numbers.read_port(), numbers.write_port()
        m.d.comb += [
            write.en.eq(stores),
            write.addr.eq(address),
            write.data.eq(self.cell.result),
            read.en.eq(self.read_number),
            read.addr.eq(Cat(self.number_place, self.number_unit)),
            self.number.eq(read.data),
        ]
