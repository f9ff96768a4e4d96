"""The multiplication by the bootstrapping key and the sums over digits (docs/fhe.md, station MAC)."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from hw.parts.fhe_accumulators import held_group
from hw.parts.fhe_buffer import polynomial_read
from hw.parts.fhe_modular import ModularMultiplier, add_modulo, sum_modulo
from hw.parts.fhe_steps import multiply_step
from hw.parts.fhe_types import n_columns, residue_word


class KeyMultiplier(wiring.Component):
    """Q digit polynomials times m columns of the key, summed over Q and groups into the transformed accumulator.

    `step` in cycle x: `digits` asks for their word in x, and `key` (digit q, column cc, coefficient; lowest first) is
    there in x + 1; the sum, added to the accumulator unless `is_first`, is stored in x + A + 2. `drain` reads the
    accumulator's columns `drained` v.., place `drained_place` (`drain.place` is not looked at): address in one cycle,
    data in the next. Initiation interval 1; a word may come again 2 cycles later. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        n_residues = design.digit_polynomials * design.key_columns * design.coefficients_per_cycle
        super().__init__(
            {
                "step": In(multiply_step(design)),
                "digits": Out(polynomial_read(design, design.digit_polynomials)),
                "key": In(data.ArrayLayout(unsigned(design.modulus_bits), n_residues)),
                "drain": In(polynomial_read(design, design.inverse_ntts)),
                "drained": In(range(design.inverse_groups)),
                "drained_place": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, step = self._design, self.step.step
        m.d.comb += [
            self.digits.en.eq(step.valid),
            self.digits.place.eq(step.place),
            self.digits.word.eq(step.word),
        ]
        # The step as it was A cycles ago reads the accumulator, A + 1 adds, A + 2 writes.
        now = Signal(self.step.shape(), name="step_now")
        m.d.comb += now.eq(self.step)
        steps = [now]
        for cycle in range(design.multiplier_stages + 2):
            later = Signal(self.step.shape(), name=f"step_{cycle + 1}")
            m.d.sync += later.eq(steps[-1])
            steps.append(later)
        reading, adding, writing = steps[-3:]
        size = residue_word(design).size
        sums = [Signal(size, name=f"sums_{column}") for column in range(design.key_columns)]
        found = self._accumulator(m, reading, writing, sums)
        for column in range(design.key_columns):
            for lane in range(design.coefficients_per_cycle):
                self._lane(m, column, lane, (found[column], adding, sums[column]))
        return m

    def _lane(self, m: Module, column: int, lane: int, around: tuple[Value, Signal, Signal]) -> None:
        """Products of one coefficient with one column, their sum, and that with what is there."""
        design, bits = self._design, self._design.modulus_bits
        there, adding, result = around
        products = []
        for digit in range(design.digit_polynomials):
            unit = ModularMultiplier(bits=bits, n_registers=design.multiplier_stages)
            m.submodules[f"multiplier_{column}_{lane}_{digit}"] = unit
            place = (digit * design.key_columns + column) * design.coefficients_per_cycle + lane
            m.d.comb += [unit.x.eq(self.digits.data[digit][lane]), unit.y.eq(self.key[place])]
            products.append(unit.product)
        part = slice(bits * lane, bits * (lane + 1))
        total = sum_modulo(m, products, bits=bits, name=f"sum_{column}_{lane}")
        base = Signal(bits, name=f"base_{column}_{lane}")
        m.d.comb += base.eq(Mux(adding.is_first, 0, there[part]))
        m.d.sync += result[part].eq(add_modulo(m, total, base, bits=bits, name=f"updated_{column}_{lane}"))

    def _accumulator(self, m: Module, reading: Signal, writing: Signal, sums: list[Signal]) -> list[Value]:
        """The transformed accumulator: a memory a column, of two places. Answers what `reading` asked for."""
        design, size = self._design, len(sums[0])
        drain_address = Cat(self.drain.word, self.drained_place)
        reads, drains = [], []
        for column in range(n_columns(design)):
            memory = Memory(shape=unsigned(size), depth=2 * design.poly_words, init=[])
            m.submodules[f"column_{column}"] = memory
            update = memory.write_port()
            # A word that is written is the one read where a job has only two words.
            read, drain = memory.read_port(transparent_for=(update,)), memory.read_port()
            number, local = divmod(column, design.key_columns)
            m.d.comb += [
                update.en.eq(writing.step.valid & (writing.step.index == number)),
                update.addr.eq(Cat(writing.step.word, writing.into)),
                update.data.eq(sums[local]),
                read.en.eq(reading.step.valid & ~reading.is_first & (reading.step.index == number)),
                read.addr.eq(Cat(reading.step.word, reading.into)),
                drain.en.eq(self.drain.en & (self.drained == column // design.inverse_ntts)),
                drain.addr.eq(drain_address),
            ]
            reads.append(read.data)
            drains.append(drain.data)
        drained = held_group(m, drains, self.drained, self.drain.en, design.inverse_ntts, "drained")
        m.d.comb += self.drain.data.as_value().eq(drained)
        asked = Signal(reading.step.index.shape(), name="asked")
        m.d.sync += asked.eq(reading.step.index)
        columns = range(design.key_columns)
        return [Array(reads[column :: design.key_columns])[asked] for column in columns]
