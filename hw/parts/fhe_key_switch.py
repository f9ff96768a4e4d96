"""KEY SWITCH: from the large key to the small one, U results of a core at once (docs/fhe.md, sections 1 and 3)."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_commands import place_bits
from hw.parts.fhe_extract import mask_layout, unit_places
from hw.parts.fhe_types import TORUS_BITS


def lane_words(design: Design) -> data.ArrayLayout:
    """V words: a beat of the key-switching key, and as many of an accumulator."""
    return data.ArrayLayout(unsigned(TORUS_BITS), design.key_switch_lanes)


def chunk_bits(design: Design) -> int:
    """Bits of the number of a chunk of V words."""
    return place_bits(design.key_switch_chunks)


def coefficient_layout(design: Design) -> data.StructLayout:
    """What a digit is of: `column`, `lane` of a word of a mask, `negated` but for the first coefficient; `level`."""
    p = design.parameters
    return data.StructLayout(
        {
            "column": place_bits(p.glwe_dimension),
            "lane": place_bits(design.coefficients_per_cycle),
            "negated": 1,
            "level": place_bits(p.key_switch_levels),
        }
    )


def target_layout(design: Design) -> data.StructLayout:
    """Which chunk of which result a product is for; `first`: nothing is there yet."""
    return data.StructLayout(
        {"there": 1, "first": 1, "place": place_bits(unit_places(design)), "chunk": chunk_bits(design)}
    )


class KeySwitchUnit(wiring.Component):
    """Multiplies a digit of one result by V words of the key, a result a cycle.

    `mask`, `body` and `coefficient` in cycle x give a digit; `target` and `key` of cycle x + 1 say what it meets
    and where the product goes; the chunk is stored in x + 2. Latency 3, initiation interval 1; a chunk may be met
    again after one cycle without it. `read` in cycle x reads `place`, `chunk`: `words` in x + 1 and until the next one;
    never while a target is there. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "mask": In(mask_layout(design)),
                "body": In(TORUS_BITS),
                "coefficient": In(coefficient_layout(design)),
                "target": In(target_layout(design)),
                "key": In(lane_words(design)),
                "read": In(1),
                "place": In(place_bits(unit_places(design))),
                "chunk": In(chunk_bits(design)),
                "words": Out(lane_words(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        lanes, target = design.key_switch_lanes, self.target
        digit, body = self._digit(m), Signal(TORUS_BITS)
        m.d.sync += body.eq(self.body)
        m.submodules.sums = sums = Memory(
            shape=lane_words(design), depth=unit_places(design) * design.key_switch_chunks, init=[]
        )
        read, write = sums.read_port(), sums.write_port()
        stored, stored_body = Signal(target_layout(design)), Signal(TORUS_BITS)
        products = Signal(lane_words(design), reset_less=True)
        m.d.sync += [stored.eq(target), stored_body.eq(body)]
        m.d.sync += [products[lane].eq((self.key[lane] * digit)[:TORUS_BITS]) for lane in range(lanes)]
        body_chunk, body_lane = divmod(design.parameters.lwe_dimension, lanes)
        place, chunk = Mux(self.read, self.place, target.place), Mux(self.read, self.chunk, target.chunk)
        m.d.comb += [
            read.en.eq(target.there | self.read),
            read.addr.eq(self._address(place, chunk)),
            self.words.eq(read.data),
            write.en.eq(stored.there),
            write.addr.eq(self._address(stored.place, stored.chunk)),
        ]
        for lane in range(lanes):
            start = Mux(stored.chunk == body_chunk, stored_body, 0) if lane == body_lane else 0
            m.d.comb += write.data[lane].eq(Mux(stored.first, start, read.data[lane]) - products[lane])
        return m

    def _address(self, place: Value, chunk: Value) -> Value:
        """Of a chunk of a result's sums, without gaps."""
        return place * self._design.key_switch_chunks + chunk

    def _digit(self, m: Module) -> Signal:
        """The digit of the coefficient, registered."""
        p, place = self._design.parameters, self.coefficient
        levels, bits = p.key_switch_levels, p.key_switch_base_bits
        rounding = 1 << (31 - levels * bits) if levels * bits < TORUS_BITS else 0
        offset = rounding + sum(1 << (TORUS_BITS - 1 - y * bits) for y in range(levels))
        word = Array([self.mask[column] for column in range(p.glwe_dimension)])[place.column]
        raw, shifted = Signal(TORUS_BITS), Signal(TORUS_BITS)
        lanes = Array([word[lane] for lane in range(self._design.coefficients_per_cycle)])
        m.d.comb += [
            raw.eq(lanes[place.lane]),
            shifted.eq(Mux(place.negated, -raw, raw) + offset),
        ]
        cuts = [shifted[TORUS_BITS - (y + 1) * bits : TORUS_BITS - y * bits] for y in range(levels)]
        digit = Signal(signed(bits), reset_less=True)
        # u - 2**(h-1) of an unsigned u: its highest bit turned, read as signed.
        m.d.sync += digit.eq(Array(cuts)[place.level] ^ (1 << (bits - 1)))
        return digit


class KeySwitch(wiring.Component):
    """Key switch of all results of a batch, all key switchers of all cores in step.

    `start` in the cycle before the first beat can be taken. Each beat keeps the machine `n_phases` cycles (u, at least
    1): `beats.ready` is up in the first of them, and low between; in the cycle x of phase f the results of place f are
    asked for (`read_place`, `read_word`), which come as `masks` and `bodies` in x + 1 and are stored in x + 3. `done`
    `n_phases` + 2 cycles after the last beat is taken. `n_of_unit`, `n_phases` are steady from `start` + 1 to `done`.
    Until the next `start`: `read` in cycle x reads `place`, `chunk` of all units, `words` in x + 1 and until the next
    one. `taken` tells a beat. Backpressure: only as said.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        units = design.cores * design.key_switchers
        place = unsigned(place_bits(unit_places(design)))
        super().__init__(
            {
                "start": In(1),
                "n_phases": In(place_bits(unit_places(design) + 1)),
                "n_of_unit": In(data.ArrayLayout(unsigned(place_bits(unit_places(design) + 1)), units)),
                "beats": In(stream.Signature(unsigned(TORUS_BITS * design.key_switch_lanes))),
                "taken": Out(1),
                "read_place": Out(place),
                "read_word": Out(range(design.poly_words)),
                "masks": In(data.ArrayLayout(mask_layout(design), units)),
                "bodies": In(data.ArrayLayout(unsigned(TORUS_BITS), units)),
                "done": Out(1),
                "read": In(1),
                "place": In(place),
                "chunk": In(chunk_bits(design)),
                "words": Out(data.ArrayLayout(lane_words(design), units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, beat = self._design, Signal()
        coefficient, target = Signal(coefficient_layout(design)), Signal(target_layout(design))
        last = self._sequence(m, beat, coefficient, target)
        key = [Signal(lane_words(design), name=f"key_{i}", reset_less=True) for i in range(2)]
        with m.If(self.taken):
            m.d.sync += key[0].eq(self.beats.payload)
        m.d.sync += key[1].eq(key[0])
        asked, digits = Signal(coefficient_layout(design)), Signal(coefficient_layout(design))
        coming, multiplied = Signal(target_layout(design)), Signal(target_layout(design))
        m.d.comb += asked.eq(coefficient)
        m.d.sync += [digits.eq(asked), coming.eq(target), multiplied.eq(coming)]
        ends = [last, *(Signal(name=f"ends_{i}") for i in range(3))]
        m.d.sync += [after.eq(before) for before, after in zip(ends, ends[1:], strict=False)]
        m.d.comb += self.done.eq(ends[-1])
        for index in range(design.cores * design.key_switchers):
            m.submodules[f"unit_{index}"] = unit = KeySwitchUnit(design)
            m.d.comb += [
                unit.mask.eq(self.masks[index]),
                unit.body.eq(self.bodies[index]),
                unit.coefficient.eq(digits),
                unit.target.eq(multiplied),
                unit.target.there.eq(multiplied.there & (multiplied.place < self.n_of_unit[index])),
                unit.key.eq(key[1]),
                unit.read.eq(self.read),
                unit.place.eq(self.place),
                unit.chunk.eq(self.chunk),
                self.words[index].eq(unit.words),
            ]
        return m

    def _sequence(self, m: Module, beat: Signal, coefficient: data.View, target: data.View) -> Signal:
        """Beats in order (coefficient, level, chunk) and their phases. Answers the cycle of the last phase of all."""
        design, p = self._design, self._design.parameters
        active, phase = Signal(), Signal(self.n_phases.shape())
        chunk, level = Signal(chunk_bits(design)), Signal(place_bits(p.key_switch_levels))
        number = Signal(range(p.ring_degree))  # of a coefficient of the extracted mask
        column = Signal(place_bits(p.glwe_dimension))
        last_phase, last_chunk, last_level, last_number, last = (Signal() for _ in range(5))
        source = Signal(range(p.ring_degree))  # the accumulator's coefficient
        lane_bits = design.coefficients_per_cycle.bit_length() - 1
        m.d.comb += [
            self.beats.ready.eq(active & (phase == 0)),
            self.taken.eq(self.beats.valid & self.beats.ready),
            beat.eq(self.taken | (phase != 0)),
            last_phase.eq(beat & (phase + 1 == self.n_phases)),
            last_chunk.eq(last_phase & (chunk == design.key_switch_chunks - 1)),
            last_level.eq(last_chunk & (level == p.key_switch_levels - 1)),
            last_number.eq(last_level & (number == p.ring_degree - 1)),
            last.eq(last_number & (column == p.glwe_dimension - 1)),
            source.eq(-number),
            coefficient.column.eq(column),
            coefficient.lane.eq(source[:lane_bits]),
            coefficient.negated.eq(number != 0),
            coefficient.level.eq(level),
            target.there.eq(beat),
            target.first.eq((number == 0) & (column == 0) & (level == 0)),
            target.place.eq(phase),
            target.chunk.eq(chunk),
            self.read_place.eq(phase),
            self.read_word.eq(source[lane_bits:]),
        ]
        with m.If(self.start):
            m.d.sync += active.eq(1)
        with m.Elif(last):
            m.d.sync += active.eq(0)
        with m.If(beat):
            m.d.sync += phase.eq(Mux(last_phase, 0, phase + 1))
        with m.If(last_phase):
            m.d.sync += chunk.eq(Mux(last_chunk, 0, chunk + 1))
        with m.If(last_chunk):
            m.d.sync += level.eq(Mux(last_level, 0, level + 1))
        with m.If(last_level):
            m.d.sync += number.eq(number + 1)
        with m.If(last_number):
            m.d.sync += column.eq(Mux(last, 0, column + 1))
        return last
