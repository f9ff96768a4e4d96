"""The accumulators of a core: k + 1 polynomials of each slot (docs/fhe.md, sections 1 and 3)."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_types import n_columns, torus_word


def torus_words(design: Design, n_polynomials: int) -> data.ArrayLayout:
    """A word of each of several torus polynomials."""
    return data.ArrayLayout(torus_word(design), n_polynomials)


def pair_read(design: Design) -> wiring.Signature:
    """Read of two words of a slot's polynomials `columns` r.., one even and one odd, by half their numbers."""
    half = range(design.poly_words // 2)
    return wiring.Signature(
        {
            "en": Out(1),
            "columns": Out(range(n_columns(design) // design.rotators)),
            "slot": Out(range(design.batch)),
            "even": Out(half),
            "odd": Out(half),
            "even_data": In(torus_words(design, design.rotators)),
            "odd_data": In(torus_words(design, design.rotators)),
        }
    )


def plain_read(design: Design) -> wiring.Signature:
    """Read of a word of all polynomials of a slot."""
    return wiring.Signature(
        {
            "en": Out(1),
            "slot": Out(range(design.batch)),
            "word": Out(range(design.poly_words)),
            "data": In(torus_words(design, n_columns(design))),
        }
    )


def update_read(design: Design) -> wiring.Signature:
    """Read of a word of a slot's polynomials `columns` v.."""
    return wiring.Signature(
        {
            "en": Out(1),
            "columns": Out(range(design.inverse_groups)),
            "slot": Out(range(design.batch)),
            "word": Out(range(design.poly_words)),
            "data": In(torus_words(design, design.inverse_ntts)),
        }
    )


def accumulator_write(design: Design) -> wiring.Signature:
    """Write of a word of the polynomials of a slot that `mask` names."""
    return wiring.Signature(
        {
            "mask": Out(n_columns(design)),
            "slot": Out(range(design.batch)),
            "word": Out(range(design.poly_words)),
            "data": Out(torus_words(design, n_columns(design))),
        }
    )


class Accumulators(wiring.Component):
    """`batch` slots of k + 1 polynomials: three reads and one write a cycle, of any words.

    A polynomial's even and odd words are in two memories, so that two neighbours are read at once. Latency: `en` and
    address in cycle x, data in x + 1 (until the next read of that port); what is written in x is read by an address of
    x + 1. Initiation interval 1 on each port. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "pair": In(pair_read(design)),
                "plain": In(plain_read(design)),
                "update": In(update_read(design)),
                "write": In(accumulator_write(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        parity, update_parity = Signal(), Signal()
        with m.If(self.plain.en):
            m.d.sync += parity.eq(self.plain.word[0])
        with m.If(self.update.en):
            m.d.sync += update_parity.eq(self.update.word[0])
        pairs, updates = [], []
        for column in range(n_columns(design)):
            pair, plain, update = self._column(m, column)
            pairs.append(pair)
            updates.append(Mux(update_parity, update[1], update[0]))
            m.d.comb += self.plain.data[column].as_value().eq(Mux(parity, plain[1], plain[0]))
        even = held_group(m, [pair[0] for pair in pairs], self.pair.columns, self.pair.en, design.rotators, "pair")
        odd = held_group(m, [pair[1] for pair in pairs], self.pair.columns, self.pair.en, design.rotators, "odd")
        update = held_group(m, updates, self.update.columns, self.update.en, design.inverse_ntts, "update")
        m.d.comb += [
            self.pair.even_data.as_value().eq(even),
            self.pair.odd_data.as_value().eq(odd),
            self.update.data.as_value().eq(update),
        ]
        return m

    def _column(self, m: Module, column: int) -> tuple[list[Value], list[Value], list[Value]]:
        """Data of the three reads of one polynomial, of its even and of its odd words."""
        design, write = self._design, self.write
        depth = max(design.batch * design.poly_words // 2, 2)
        found: tuple[list[Value], list[Value], list[Value]] = ([], [], [])
        for bank in range(2):
            memory = Memory(shape=unsigned(torus_word(design).size), depth=depth, init=[])
            m.submodules[f"column_{column}_bank_{bank}"] = memory
            writing = memory.write_port()
            m.d.comb += [
                writing.en.eq(write.mask[column] & (write.word[0] == bank)),
                writing.addr.eq(Cat(write.word[1:], write.slot)),
                writing.data.eq(write.data[column].as_value()),
            ]
            pair, plain, update = (memory.read_port() for _ in range(3))
            m.d.comb += [
                pair.en.eq(self.pair.en & (self.pair.columns == column // design.rotators)),
                pair.addr.eq(Cat(self.pair.odd if bank else self.pair.even, self.pair.slot)),
                plain.en.eq(self.plain.en & (self.plain.word[0] == bank)),
                plain.addr.eq(Cat(self.plain.word[1:], self.plain.slot)),
                update.en.eq(
                    self.update.en
                    & (self.update.columns == column // design.inverse_ntts)
                    & (self.update.word[0] == bank)
                ),
                update.addr.eq(Cat(self.update.word[1:], self.update.slot)),
            ]
            for data_list, port in zip(found, (pair, plain, update), strict=True):
                data_list.append(port.data)
        return found


def held_group(m: Module, values: list[Value], group: Value, en: Value, size: int, name: str) -> Value:
    """Those of `values`, read now, whose group (of `size`) was asked for in the cycle of `en`."""
    groups = [Cat(*values[first : first + size]) for first in range(0, len(values), size)]
    if len(groups) == 1:
        return groups[0]
    asked = Signal(range(len(groups)), name=f"{name}_group")
    with m.If(en):
        m.d.sync += asked.eq(group)
    return Array(groups)[asked]
