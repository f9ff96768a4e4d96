"""The activations of a vector without its zeros, one a cycle."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from designs.families.sparse import Design
from hw.parts.operands import stored_value
from hw.parts.scratchpad import Buffers
from hw.parts.sparse_types import NUMBER_BITS, config_layout, cut, load_layout, n_words, operand_bits


def element_layout(design: Design) -> data.StructLayout:
    """A stored activation and its column."""
    return data.StructLayout({"activation": design.act_bits, "column": design.column_bits})


class Compaction(wiring.Component):
    """Moves the elements that are kept to the front, in order: `packed[i]` for i below `n_kept`. Combinational.

    An element moves by the number of those before it that are not kept, by one bit of that number after the other, the
    lowest first; two of them never meet, as the later one has no fewer places to go and starts behind.
    """

    def __init__(self, *, element_bits: int, n_elements: int) -> None:
        self._n_elements = n_elements
        array = data.ArrayLayout(unsigned(element_bits), n_elements)
        super().__init__(
            {"elements": In(array), "keep": In(n_elements), "packed": Out(array), "n_kept": Out(range(n_elements + 1))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count, bits = self._n_elements, len(self.elements[0])
        lane = data.StructLayout({"there": 1, "moves": range(count), "element": bits})
        lanes = [Signal(lane, name=f"step_0_{i}") for i in range(count)]
        skipped: Value = Const(0, range(count + 1))
        for i, own in enumerate(lanes):
            m.d.comb += [own.there.eq(self.keep[i]), own.moves.eq(skipped), own.element.eq(self.elements[i])]
            before, skipped = skipped, Signal(range(count + 1), name=f"skipped_{i}")
            m.d.comb += skipped.eq(before + ~self.keep[i])
        m.d.comb += self.n_kept.eq(count - skipped)
        for bit in range(exact_log2(count)):
            moved = [Signal(lane, name=f"step_{bit + 1}_{i}") for i in range(count)]
            for i, own in enumerate(lanes):
                m.d.comb += moved[i].eq(own)
                m.d.comb += moved[i].there.eq(own.there & ~own.moves[bit])
                if i + (1 << bit) < count:
                    other = lanes[i + (1 << bit)]
                    with m.If(other.there & other.moves[bit]):
                        m.d.comb += moved[i].eq(other)
            lanes = moved
        m.d.comb += [self.packed[i].eq(own.element) for i, own in enumerate(lanes)]
        return m


def rotated(m: Module, values: list[Value], places: Value, *, name: str) -> list[Value]:
    """`values` with the one at i moved to i + places, around the end; as many values as a power of two."""
    for bit in range(exact_log2(len(values))):
        step = 1 << bit
        turned = [Signal(value.shape(), name=f"{name}_{step}_{i}") for i, value in enumerate(values)]
        m.d.comb += [turned[i].eq(Mux(places[bit], values[i - step], values[i])) for i in range(len(values))]
        values = list(turned)
    return values


class NonZeroStore(wiring.Component):
    """Buffers of the activations that differ from the zero point (of all, without `skip_zeros`), numbered in order.

    A beat of `load.section.vector` is stored at once. `n_elements` (latency 0) is how many buffer `buf` has, right from
    the cycle after the vector's last beat. `read` with `number` in cycle x gives `element` in x + 1, where it stays
    until the next read. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "load": In(load_layout(design)),
                "buf": In(1),
                "n_elements": Out(NUMBER_BITS),
                "read": In(1),
                "number": In(NUMBER_BITS),
                "element": Out(element_layout(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, load, config = self._design, self.load, self.config
        per_beat, n_buffers = design.acts_per_beat, design.n_buffers
        layout = element_layout(design)
        m.submodules.compaction = compaction = Compaction(element_bits=layout.size, n_elements=per_beat)
        for i in range(per_beat):
            column = load.index * per_beat + i
            field = load.beat.word_select(i, 8 * design.act_bytes)[: design.act_bits]
            differs = (stored_value(field, config.in_signed) != config.in_zero) if design.skip_zeros else Const(1)
            m.d.comb += [
                compaction.elements[i].eq(Cat(field, Cat(column, Const(0, NUMBER_BITS))[: design.column_bits])),
                compaction.keep[i].eq((column < config.n_columns) & differs),
            ]
        stored, stored_before = Signal(NUMBER_BITS + 1), Signal(NUMBER_BITS + 1)
        counts = Array(Signal(NUMBER_BITS, name=f"n_elements_{buffer}") for buffer in range(n_buffers))
        loading, running = (buf if n_buffers > 1 else 0 for buf in (load.vector_buf, self.buf))
        m.d.comb += [
            stored_before.eq(Mux(load.index == 0, 0, stored)),
            self.n_elements.eq(counts[running]),
        ]
        with m.If(load.section.vector):
            m.d.sync += stored.eq(stored_before + compaction.n_kept)
            m.d.sync += counts[loading].eq(stored_before + compaction.n_kept)
        line, offset = cut(stored_before, per_beat)
        turned = rotated(m, [compaction.packed[i] for i in range(per_beat)], offset, name="turned")
        read_line, read_bank = cut(self.number, per_beat)
        chosen = Signal(read_bank.shape())
        with m.If(self.read):
            m.d.sync += chosen.eq(read_bank)
        words = []
        for bank in range(per_beat):
            m.submodules[f"bank_{bank}"] = memory = Buffers(
                n_words=n_words(-(-design.act_words // per_beat)), word_bits=layout.size, n_buffers=n_buffers
            )
            write, read = memory.writes[0], memory.reads[0]
            place = Signal(range(max(per_beat, 2)), name=f"place_{bank}")  # of the packed elements
            m.d.comb += [
                place.eq((bank - offset)[: exact_log2(per_beat)]),
                write.en.eq(load.section.vector & (place < compaction.n_kept)),
                write.buf.eq(loading),
                write.addr.eq(line + (bank < offset)),
                write.data.eq(turned[bank]),
                read.en.eq(self.read & (read_bank == bank)),
                read.buf.eq(running),
                read.addr.eq(read_line),
            ]
            words.append(read.data)
        m.d.comb += self.element.eq(Array(words)[chosen] if per_beat > 1 else words[0])
        return m


class Broadcast(wiring.Component):
    """Offers the vector's elements one by one, the first in the cycle after prime_1, the next after each `taken`.

    `valid` while one is left; `activation`, zero point subtracted, belongs to the column that was at `column` with
    `look_up` in the cycle before it was first offered. `n_elements` is the vector's, `last` that none is left after the
    one offered. Initiation interval 1. Backpressure: `taken` (only with `valid`), latency 0.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "load": In(load_layout(design)),
                "buf": In(1),
                "prime_0": In(1),
                "prime_1": In(1),
                "look_up": Out(1),
                "column": Out(design.column_bits),
                "n_elements": Out(NUMBER_BITS),
                "valid": Out(1),
                "activation": Out(signed(operand_bits(design))),
                "taken": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.store = store = NonZeroStore(self._design)
        number = Signal(NUMBER_BITS)  # of the element offered
        advance = self.prime_0 | self.prime_1 | self.taken
        ahead = Signal(NUMBER_BITS + 1)
        m.d.comb += [
            store.config.eq(self.config),
            store.load.eq(self.load),
            store.buf.eq(self.buf),
            ahead.eq(Mux(self.prime_0, 0, Mux(self.prime_1, 1, number + 2))),
            store.read.eq(advance & (ahead < store.n_elements)),
            store.number.eq(ahead),
            self.look_up.eq(self.prime_1 | self.taken),
            self.column.eq(store.element.column),
            self.n_elements.eq(store.n_elements),
            self.valid.eq(number != store.n_elements),
        ]
        with m.If(self.prime_1):
            m.d.sync += number.eq(0)
        with m.Elif(self.taken):
            m.d.sync += number.eq(number + 1)
        with m.If(self.look_up):
            stored = stored_value(store.element.activation, self.config.in_signed)
            m.d.sync += self.activation.eq(stored - self.config.in_zero)
        return m
