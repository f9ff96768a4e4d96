"""Arithmetic modulo the primes 2^e - 2^f + 1 of designs/moduli.py (docs/fhe.md, section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib.wiring import In, Out

from designs.moduli import EXPONENTS, modulus
from hw.parts.unit import Unit


def add_modulo(m: Module, a: Value, b: Value, *, bits: int, name: str) -> Signal:
    """(a + b) mod p of two residues, in the same cycle."""
    total, less = Signal(bits + 1, name=f"{name}_whole"), Signal(signed(bits + 2), name=f"{name}_less")
    result = Signal(bits, name=name)
    m.d.comb += [total.eq(a + b), less.eq(total - modulus(bits)), result.eq(Mux(less < 0, total, less))]
    return result


def subtract_modulo(m: Module, a: Value, b: Value, *, bits: int, name: str) -> Signal:
    """(a - b) mod p of two residues, in the same cycle."""
    difference, result = Signal(signed(bits + 1), name=f"{name}_whole"), Signal(bits, name=name)
    m.d.comb += [difference.eq(a - b), result.eq(Mux(difference < 0, difference + modulus(bits), difference))]
    return result


def sum_modulo(m: Module, terms: Sequence[Value], *, bits: int, name: str) -> Value:
    """The sum of residues mod p, a tree of adders in the same cycle."""
    level = list(terms)
    depth = 0
    while len(level) > 1:
        pairs = [level[x : x + 2] for x in range(0, len(level), 2)]
        level = [
            add_modulo(m, *pair, bits=bits, name=f"{name}_{depth}_{x}") if len(pair) == 2 else pair[0]
            for x, pair in enumerate(pairs)
        ]
        depth += 1
    return level[0]


def registers_after(n_registers: int, n_steps: int) -> list[int]:
    """Registers behind each of the steps of a chain: spread evenly, the last step always has one."""
    return [(x + 1) * n_registers // n_steps - x * n_registers // n_steps for x in range(n_steps)]


def fold_bounds(bits: int) -> list[int]:
    """The largest value before the folds and after each of them, of products of two residues.

    A fold writes x = high 2^e + low as high 2^f - high + low, the same residue; the last value is below 2 p, so that
    one subtraction corrects it.
    """
    p, f = modulus(bits), EXPONENTS[bits]
    bounds = [(p - 1) ** 2]
    while bounds[-1] >= 2 * p:
        bounds.append((bounds[-1] >> bits) * ((1 << f) - 1) + (1 << bits) - 1)
    return bounds


class ModularMultiplier(Unit):
    """`product` = x y mod p of two residues below p = 2^e - 2^f + 1.

    Product, folds, correction. Latency: `n_registers` cycles (1 or more), spread over these steps. Initiation interval
    1. No backpressure.
    """

    def __init__(self, *, bits: int, n_registers: int) -> None:
        self._bits, self._n_registers = bits, n_registers
        super().__init__(
            f"modular_multiplier_{bits}_{n_registers}", {"x": In(bits), "y": In(bits), "product": Out(bits)}
        )

    def circuit(self, platform: Any) -> Module:
        m = Module()
        bits, p, shift = self._bits, modulus(self._bits), EXPONENTS[self._bits]
        bounds = fold_bounds(bits)
        counts = registers_after(self._n_registers, len(bounds) + 1)
        value: Value = self.x * self.y
        for step, (bound, count) in enumerate(zip(bounds, counts, strict=False)):
            if step > 0:
                high, low = value[bits:], value[:bits]
                value = (high << shift) - high + low
            value = _registered(m, value, unsigned(bound.bit_length()), count, f"fold_{step}" if step else "whole")
        less = Signal(signed(bits + 2))
        m.d.comb += [less.eq(value - p)]
        corrected = _registered(m, Mux(less < 0, value, less), unsigned(bits), counts[-1], "corrected")
        m.d.comb += self.product.eq(corrected)
        return m


def _registered(m: Module, value: Value, shape: object, n_registers: int, name: str) -> Signal:
    """`value` as a signal, so many cycles later."""
    made = Signal(shape, name=name)
    m.d.comb += made.eq(value)
    return delayed(m, made, n_registers, name)


def delayed(m: Module, value: Signal, n_cycles: int, name: str) -> Signal:
    """A signal as it was so many cycles ago."""
    for cycle in range(n_cycles):
        later = Signal(value.shape(), name=f"{name}_{cycle + 1}", reset_less=True)
        m.d.sync += later.eq(value)
        value = later
    return value
