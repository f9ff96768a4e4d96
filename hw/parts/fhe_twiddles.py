"""Factors of the butterflies: which a rank needs, and the memory that holds them (docs/fhe.md, section 1)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from amaranth.hdl import Const, Module, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from designs.families.fhe import Design
from designs.moduli import modulus, root_of_unity


@lru_cache(maxsize=8)
def factors(bits: int, ring_degree: int, inverse: bool) -> tuple[int, ...]:
    """z(x) for x below N, or its inverse: psi to the power of x with its bits reversed."""
    p, psi = modulus(bits), root_of_unity(bits, 2 * ring_degree)
    if inverse:
        psi = pow(psi, -1, p)
    powers = [1]
    for _ in range(ring_degree - 1):
        powers.append(powers[-1] * psi % p)
    n_bits = ring_degree.bit_length() - 1
    return tuple(powers[int(f"{x:0{n_bits}b}"[::-1], 2)] for x in range(ring_degree))


def pass_factors(design: Design, stage: int, *, inverse: bool) -> list[list[int]]:
    """Factors of one stage, P/2 a word: those of word w of a pass are [w mod their number]."""
    lanes, period = design.coefficients_per_cycle // 2, 1 << stage
    z = factors(design.modulus_bits, design.parameters.ring_degree, inverse)
    n_words = max(period // lanes, 1)
    return [[z[period + (word * lanes + lane) % period] for lane in range(lanes)] for word in range(n_words)]


class Twiddles(wiring.Component):
    """Factors of the stages that a rank does, in the order of its passes: `index` (pass), `word`, one cycle to `data`.

    Latency 1. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design, *, stages: Sequence[int], inverse: bool) -> None:
        self._bits = design.modulus_bits
        self._passes = [pass_factors(design, stage, inverse=inverse) for stage in stages]
        super().__init__(
            {
                "index": In(range(len(stages))),
                "word": In(range(design.poly_words)),
                "data": Out(data.ArrayLayout(unsigned(self._bits), design.coefficients_per_cycle // 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = [_packed(word, self._bits) for passed in self._passes for word in passed]
        if len(words) == 1:
            m.d.comb += self.data.as_value().eq(Const(words[0], len(self.data.as_value())))
            return m
        shape = unsigned(len(self.data.as_value()))
        m.submodules.factors = memory = Memory(shape=shape, depth=len(words), init=words)
        reading = memory.read_port()
        m.d.comb += self.data.as_value().eq(reading.data)
        first = 0
        with m.Switch(self.index):
            for index, passed in enumerate(self._passes):
                with m.Case(index):
                    m.d.comb += reading.addr.eq(first + self.word[: ceil_log2(len(passed))])
                first += len(passed)
        return m


def _packed(values: Sequence[int], bits: int) -> int:
    return sum(value << (bits * lane) for lane, value in enumerate(values))
