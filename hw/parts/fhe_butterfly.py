"""The two butterflies of the transforms (docs/fhe.md, section 1)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import In, Out

from hw.parts.fhe_modular import ModularMultiplier, add_modulo, delayed, subtract_modulo
from hw.parts.unit import Unit


class Butterfly(Unit):
    """`upper`, `lower` = u + w v, u - w v; of the inverse transform u + v, (u - v) w. Residues all.

    Latency: `n_registers` of the multiplier and one for sum and difference. Initiation interval 1. No backpressure.
    """

    def __init__(self, *, bits: int, n_registers: int, inverse: bool) -> None:
        self._bits, self._n_registers, self._inverse = bits, n_registers, inverse
        kind = "inverse_butterfly" if inverse else "butterfly"
        super().__init__(
            f"{kind}_{bits}_{n_registers}",
            {"u": In(bits), "v": In(bits), "w": In(bits), "upper": Out(bits), "lower": Out(bits)},
        )

    def circuit(self, platform: Any) -> Module:
        m = Module()
        bits, n = self._bits, self._n_registers
        m.submodules.multiplier = multiplier = ModularMultiplier(bits=bits, n_registers=n)
        if self._inverse:
            total = add_modulo(m, self.u, self.v, bits=bits, name="total")
            difference = subtract_modulo(m, self.u, self.v, bits=bits, name="difference")
            w = delayed(m, self.w, 1, "w")
            m.d.comb += [
                multiplier.x.eq(delayed(m, difference, 1, "difference")),
                multiplier.y.eq(w),
                self.upper.eq(delayed(m, total, n + 1, "total")),
                self.lower.eq(multiplier.product),
            ]
        else:
            m.d.comb += [multiplier.x.eq(self.v), multiplier.y.eq(self.w)]
            u = delayed(m, self.u, n, "u")
            upper = add_modulo(m, u, multiplier.product, bits=bits, name="total")
            lower = subtract_modulo(m, u, multiplier.product, bits=bits, name="difference")
            m.d.comb += [
                self.upper.eq(delayed(m, upper, 1, "total")),
                self.lower.eq(delayed(m, lower, 1, "difference")),
            ]
        return m
