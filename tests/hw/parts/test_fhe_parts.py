"""Stations of blind rotation one by one, at real sizes: what their docstrings promise, against docs/fhe.md, section 1."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from designs.families.fhe import Design
from designs.moduli import modulus
from hw.parts.fhe_accumulators import Accumulators
from hw.parts.fhe_buffer import PolynomialBuffer
from hw.parts.fhe_decomposer import Decomposer
from hw.parts.fhe_key_multiplier import KeyMultiplier
from hw.parts.fhe_rotator import Rotator
from hw.parts.fhe_write_back import WriteBack
from tests.hw.parts import fhe_reference as reference
from tests.hw.parts.fhe_designs import machine

pytestmark = pytest.mark.rtl

REAL = machine(
    ring_degree=1024, coefficients_per_cycle=16, glwe_dimension=1, decomposition_levels=3, decomposition_base_bits=7,
    batch=2, ntt_ranks=10,
)  # fmt: skip


def run(dut: Any, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def put(ctx: Any, port: Any, **values: Any) -> None:
    for name, value in values.items():
        ctx.set(getattr(port, name), value)


def words_of(design: Design, polynomial: list[int]) -> list[list[int]]:
    lanes = design.coefficients_per_cycle
    return [polynomial[first : first + lanes] for first in range(0, len(polynomial), lanes)]


def uniform(design: Design, rng: random.Random, below: int = reference.WORD) -> list[int]:
    return [rng.randrange(below) for _ in range(design.parameters.ring_degree)]


class TurnedAccumulators(wiring.Component):
    """Accumulators under a rotator."""

    def __init__(self, design: Design) -> None:
        self.accumulators, self.rotator = Accumulators(design), Rotator(design)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accumulators, m.submodules.rotator = self.accumulators, self.rotator
        connect(m, self.rotator.pair, self.accumulators.pair)
        connect(m, self.rotator.plain, self.accumulators.plain)
        return m


TWO_WORDS = machine(coefficients_per_cycle=8, glwe_dimension=3, rotators=2, inverse_ntts=2, batch=2)


@pytest.mark.parametrize("design", [REAL, TWO_WORDS], ids=["1024", "two words, two rotators"])
def test_rotation(design: Design) -> None:
    """Jobs one right after the other, each with another exponent: the difference three cycles after each step."""
    rng, n, lanes = random.Random(5), design.parameters.ring_degree, design.coefficients_per_cycle
    columns, r, n_words = design.parameters.glwe_dimension + 1, design.rotators, design.poly_words
    exponents = [0, 1, n - 1, n, 2 * n - 1, lanes, n + lanes + 3, rng.randrange(2 * n), rng.randrange(2 * n)]
    accumulators = [[uniform(design, rng) for _ in range(columns)] for _ in range(design.batch)]
    jobs = [(exponent, rng.randrange(design.batch), rng.randrange(columns // r)) for exponent in exponents]
    dut, found = TurnedAccumulators(design), {}

    async def bench(ctx: Any) -> None:
        for slot, accumulator in enumerate(accumulators):
            cut = [words_of(design, polynomial) for polynomial in accumulator]
            for word in range(n_words):
                put(ctx, dut.accumulators.write, mask=(1 << columns) - 1, slot=slot, word=word, data=[c[word] for c in cut])
                await ctx.tick()
        ctx.set(dut.accumulators.write.mask, 0)
        steps = [(job, word) for job in range(len(jobs)) for word in range(n_words)]
        for cycle in range(len(steps) + 3):
            if cycle < len(steps):
                job, word = steps[cycle]
                _, slot, group = jobs[job]
                step = {"step": {"valid": 1, "word": word}, "slot": slot, "columns": group, "levels": 0}
                ctx.set(dut.rotator.step, step)
            if 0 < cycle <= len(steps):  # the exponent comes a cycle after the first step, and stays
                ctx.set(dut.rotator.exponent, jobs[steps[cycle - 1][0]][0])
            if cycle >= 3:
                job, word = steps[cycle - 3]
                for index in range(r):
                    for lane in range(lanes):
                        found[job, index, word * lanes + lane] = ctx.get(dut.rotator.difference[index][lane])
            await ctx.tick()

    run(dut, bench)
    for job, (exponent, slot, group) in enumerate(jobs):
        for index in range(r):
            wanted = reference.rotated_difference(accumulators[slot][group * r + index], exponent)
            assert [found[job, index, y] for y in range(n)] == wanted, exponent


@pytest.mark.parametrize(("levels", "base_bits", "at_once", "r"), [(3, 7, 1, 1), (2, 10, 2, 2), (4, 8, 2, 1), (1, 23, 1, 1)])
def test_decomposition(levels: int, base_bits: int, at_once: int, r: int) -> None:
    """A cycle later, digits are residues; l g = 32 leaves nothing out."""
    design = machine(
        decomposition_levels=levels, decomposition_base_bits=base_bits, decomposers=at_once, rotators=r,
        coefficients_per_cycle=4,
    )  # fmt: skip
    rng, p, dut = random.Random(levels), modulus(design.modulus_bits), Decomposer(design)
    edges = [0, 1, reference.WORD - 1, reference.WORD // 2, reference.WORD // 2 - 1, 1 << (32 - base_bits)]

    async def bench(ctx: Any) -> None:
        for _ in range(40):
            words = [[rng.choice([rng.randrange(reference.WORD), rng.choice(edges)]) for _ in range(4)] for _ in range(r)]
            group = rng.randrange(levels // at_once)
            put(ctx, dut, words=words, levels=group)
            await ctx.tick()
            for j, polynomial in enumerate(words):
                for lane, word in enumerate(polynomial):
                    cut = reference.digits(word, levels, base_bits)
                    for local in range(at_once):
                        found = ctx.get(dut.digits[j * at_once + local][lane])
                        assert found == cut[group * at_once + local] % p

    run(dut, bench)


def test_digits_approximate_the_word() -> None:
    """What the digits stand for is within half a unit of the last level, whatever the word: the definition makes sense."""
    rng = random.Random(0)
    for _ in range(200):
        word = rng.randrange(reference.WORD)
        cut = reference.digits(word, 3, 7)
        assert all(-64 <= digit < 64 for digit in cut)
        stands = sum(digit << (32 - 7 * level) for level, digit in enumerate(cut, start=1))
        assert 0 <= (word - stands) % reference.WORD < 1 << 11


WIDE = machine(ring_degree=1024, coefficients_per_cycle=16, key_columns=2, ntt_ranks=10)
SIDE_BY_SIDE = machine(
    ring_degree=64, coefficients_per_cycle=4, glwe_dimension=3, decomposition_levels=3, decomposers=3, key_columns=2,
    inverse_ntts=4, multiplier_stages=1, modulus_bits=52, batch=1,
)  # fmt: skip
TIGHT = machine(coefficients_per_cycle=8, key_columns=2, multiplier_stages=2)


@pytest.mark.parametrize("design", [WIDE, SIDE_BY_SIDE, TIGHT], ids=["1024", "three digits", "two words"])
def test_key_multiplication(design: Design) -> None:
    """Two groups one right after the other, into one place, then a group alone, into the other; A + 2 cycles to store."""
    rng, p, n, lanes = random.Random(8), modulus(design.modulus_bits), design.parameters.ring_degree, design.coefficients_per_cycle
    q, m, v, columns = design.digit_polynomials, design.key_columns, design.inverse_ntts, design.parameters.glwe_dimension + 1
    groups = [(1, 0), (0, 0), (1, 1)]  # first of its slot, place
    digits = [[uniform(design, rng, p) for _ in range(q)] for _ in groups]
    keys = [[[uniform(design, rng, p) for _ in range(columns)] for _ in range(q)] for _ in groups]
    steps = [
        (number, cp, word) for number in range(len(groups)) for cp in range(columns // m) for word in range(design.poly_words)
    ]
    dut, drained = KeyMultiplier(design), {}

    async def bench(ctx: Any) -> None:
        for cycle in range(len(steps) + design.multiplier_stages + 2):
            if cycle < len(steps):
                number, cp, word = steps[cycle]
                step = {"valid": 1, "place": number % 2, "index": cp, "word": word}
                ctx.set(dut.step, {"step": step, "is_first": groups[number][0], "into": groups[number][1]})
                assert ctx.get(dut.digits.en) and ctx.get(dut.digits.word) == word
            else:
                ctx.set(dut.step.step.valid, 0)
            await ctx.tick()
            if cycle < len(steps):  # what was asked for
                part = slice(word * lanes, (word + 1) * lanes)
                ctx.set(dut.digits.data, [polynomial[part] for polynomial in digits[number]])
                flat = [keys[number][digit][cp * m + cc][part] for digit in range(q) for cc in range(m)]
                ctx.set(dut.key, [residue for residues in flat for residue in residues])
        for place in (1, 0):  # the last word first: it is stored in the cycle before
            for group in reversed(range(columns // v)):
                for word in reversed(range(design.poly_words)):
                    put(ctx, dut, drained=group, drained_place=place)
                    put(ctx, dut.drain, en=1, word=word)
                    await ctx.tick()
                    for index in range(v):
                        for lane in range(lanes):
                            drained[place, group * v + index, word * lanes + lane] = ctx.get(dut.drain.data[index][lane])

    run(dut, bench)
    for place in range(2):
        for column in range(columns):
            wanted = [
                sum(digits[g][d][y] * keys[g][d][column][y] for g in range(3) if groups[g][1] == place for d in range(q)) % p
                for y in range(n)
            ]
            assert [drained[place, column, y] for y in range(n)] == wanted


@pytest.mark.parametrize("bits", [44, 50, 64])
def test_write_back(bits: int) -> None:
    """Residues above p/2 are negative; the sum is stored two cycles after the step."""
    design = machine(ring_degree=64, coefficients_per_cycle=8, modulus_bits=bits, decomposition_base_bits=1, glwe_dimension=3,
                     inverse_ntts=2, batch=3)  # fmt: skip
    rng, p, dut = random.Random(bits), modulus(bits), WriteBack(design)
    edges = [0, 1, p - 1, p // 2, p // 2 + 1]
    cases = []

    async def bench(ctx: Any) -> None:
        for cycle in range(60):
            step = {"valid": 1, "place": cycle % 2, "word": cycle % 8}
            put(ctx, dut, step=step, columns=cycle % 2, slot=cycle % 3)
            assert ctx.get(dut.update.en) and ctx.get(dut.update.slot) == cycle % 3 and ctx.get(dut.read.word) == cycle % 8
            if cycle >= 2:
                asked = cycle - 2
                assert (ctx.get(dut.write_step.valid), ctx.get(dut.write_step.word)) == (1, asked % 8)
                assert (ctx.get(dut.write_columns), ctx.get(dut.write_slot)) == (asked % 2, asked % 3)
                residues, words = cases[asked]
                for index in range(2):
                    for lane in range(8):
                        residue = residues[index][lane]
                        lifted = residue if residue <= p // 2 else residue - p
                        assert ctx.get(dut.sums[index][lane]) == (words[index][lane] + lifted) % reference.WORD
            await ctx.tick()
            residues = [[rng.choice([rng.randrange(p), rng.choice(edges)]) for _ in range(8)] for _ in range(2)]
            words = [[rng.randrange(reference.WORD) for _ in range(8)] for _ in range(2)]
            cases.append((residues, words))
            ctx.set(dut.read.data, residues)
            ctx.set(dut.update.data, words)

    run(dut, bench)


@pytest.mark.parametrize(("writes", "reads"), [("word", "halves"), ("halves", "word")])
@pytest.mark.parametrize("lanes", [2, 16, 32])
def test_buffer(writes: Any, reads: Any, lanes: int) -> None:
    """Both places filled one way and read the other, data a cycle after the address."""
    design = machine(ring_degree=64, coefficients_per_cycle=lanes, modulus_bits=44, decomposition_base_bits=1)
    rng, n, half = random.Random(lanes), 64, lanes // 2
    places = [[uniform(design, rng, 1 << 44) for _ in range(2)] for _ in range(2)]
    dut = PolynomialBuffer(design, n_polynomials=2, writes=writes, reads=reads)

    def positions(access: str, word: int) -> list[int]:
        if access == "word":
            return list(range(word * lanes, (word + 1) * lanes))
        return [side * (n // 2) + word * half + lane for side in range(2) for lane in range(half)]

    async def bench(ctx: Any) -> None:
        for place, polynomials in enumerate(places):
            for word in range(design.poly_words):
                content = [[polynomial[y] for y in positions(writes, word)] for polynomial in polynomials]
                put(ctx, dut.write, en=1, place=place, word=word, data=content)
                await ctx.tick()
        ctx.set(dut.write.en, 0)
        for place, polynomials in enumerate(places):
            for word in range(design.poly_words):
                put(ctx, dut.read, en=1, place=place, word=word)
                await ctx.tick()
                for index, polynomial in enumerate(polynomials):
                    found = [ctx.get(dut.read.data[index][lane]) for lane in range(lanes)]
                    assert found == [polynomial[y] for y in positions(reads, word)]

    run(dut, bench)
