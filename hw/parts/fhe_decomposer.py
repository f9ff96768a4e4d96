"""The gadget decomposition: signed digits of torus words, as residues (docs/fhe.md, section 1, point 4)."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.fhe import Design
from designs.moduli import modulus
from hw.parts.fhe_accumulators import torus_words
from hw.parts.fhe_types import TORUS_BITS, residue_words


class Decomposer(wiring.Component):
    """Digits of levels `levels` d + 1.. of r words of polynomials: polynomial q of the result is (j, p), q = j d + p.

    Latency 1. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "words": In(torus_words(design, design.rotators)),
                "levels": In(range(design.parameters.decomposition_levels // design.decomposers)),
                "digits": Out(residue_words(design, design.digit_polynomials)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, parameters = self._design, self._design.parameters
        n_levels, base_bits, at_once = (
            parameters.decomposition_levels, parameters.decomposition_base_bits, design.decomposers
        )  # fmt: skip
        half, p = 1 << (base_bits - 1), modulus(design.modulus_bits)
        rounding = sum(half << (TORUS_BITS - level * base_bits) for level in range(1, n_levels + 1))
        for j in range(design.rotators):
            for lane in range(design.coefficients_per_cycle):
                x = Signal(TORUS_BITS, name=f"x_{j}_{lane}")
                m.d.comb += x.eq(self.words[j][lane] + rounding)
                for local in range(at_once):
                    levels = range(local + 1, n_levels + 1, at_once)
                    fields = [x[TORUS_BITS - level * base_bits :][:base_bits] for level in levels]
                    field = Signal(base_bits, name=f"field_{j}_{lane}_{local}")
                    m.d.comb += field.eq(Array(fields)[self.levels])
                    digit = Mux(field >= half, field - half, field + (p - half))
                    m.d.sync += self.digits[j * at_once + local][lane].eq(digit)
        return m
