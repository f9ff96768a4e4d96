"""Lift of the inverse transform's residues to the torus and the sum with the accumulator (docs/fhe.md, station WB)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from designs.moduli import modulus
from hw.parts.fhe_accumulators import torus_words, update_read
from hw.parts.fhe_buffer import polynomial_read
from hw.parts.fhe_steps import step_layout
from hw.parts.fhe_types import TORUS_BITS


class WriteBack(wiring.Component):
    """Words of v polynomials of `columns` v.. of `slot`, each read, lifted to (-p/2, p/2), added to the accumulator's.

    `step` in cycle x: `read` and `update` ask in x; `sums` is to be stored in x + 2, as `write_step` (the step),
    `write_columns` and `write_slot` of that cycle say. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        step = step_layout(n_passes=1, n_words=design.poly_words)
        columns, slot = range(design.inverse_groups), range(design.batch)
        super().__init__(
            {
                "step": In(step),
                "columns": In(columns),
                "slot": In(slot),
                "read": Out(polynomial_read(design, design.inverse_ntts)),
                "update": Out(update_read(design)),
                "write_step": Out(step),
                "write_columns": Out(columns),
                "write_slot": Out(slot),
                "sums": Out(torus_words(design, design.inverse_ntts)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, step, p = self._design, self.step, modulus(self._design.modulus_bits)
        m.d.comb += [
            self.read.en.eq(step.valid),
            self.read.place.eq(step.place),
            self.read.word.eq(step.word),
            self.update.en.eq(step.valid),
            self.update.columns.eq(self.columns),
            self.update.slot.eq(self.slot),
            self.update.word.eq(step.word),
        ]
        for now, later in (
            (step, self.write_step), (self.columns, self.write_columns), (self.slot, self.write_slot)
        ):  # fmt: skip
            between = Signal(later.shape())
            m.d.sync += [between.eq(now), later.eq(between)]
        for index in range(design.inverse_ntts):
            for lane in range(design.coefficients_per_cycle):
                residue = self.read.data[index][lane]
                is_negative = residue > p // 2
                lifted = residue[:TORUS_BITS] - Mux(is_negative, p % (1 << TORUS_BITS), 0)
                m.d.sync += self.sums[index][lane].eq(self.update.data[index][lane] + lifted)
        return m
