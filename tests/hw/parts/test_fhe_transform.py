"""Transforms of whole polynomials on chains of ranks, in the promised cycles."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from designs.families.fhe import Design
from designs.moduli import modulus
from hw.parts.fhe_rank import pass_interval, rank_latency, stages_of
from hw.parts.fhe_transform import ForwardTransform, InverseTransform
from hw.parts.fhe_twiddles import factors, pass_factors
from tests.hw.parts import fhe_reference as reference
from tests.hw.parts.fhe_designs import machine

pytestmark = pytest.mark.rtl


SMALL = machine(ring_degree=16, coefficients_per_cycle=2, ntt_ranks=4)
DESIGNS = {
    "a word of two": SMALL,
    "two words": machine(ring_degree=16, coefficients_per_cycle=8, ntt_ranks=2, multiplier_stages=2),
    "one rank": machine(ring_degree=32, coefficients_per_cycle=4, ntt_ranks=1, multiplier_stages=9),
    "uneven ranks, two side by side": machine(
        ring_degree=32, coefficients_per_cycle=8, ntt_ranks=2, glwe_dimension=3, rotators=2, inverse_ntts=2,
        modulus_bits=52, multiplier_stages=1,
    ),
    "1024, four ranks": machine(ring_degree=1024, coefficients_per_cycle=16, ntt_ranks=4, multiplier_stages=3),
}  # fmt: skip


def rank_starts(design: Design, inverse: bool) -> list[int]:
    """Starts of the ranks when each one follows the one before as early as docs/fhe.md allows."""
    starts = [0]
    for n_stages in design.rank_stages[:-1]:
        first_word = (n_stages - 1) * pass_interval(design) + rank_latency(design)
        starts.append(starts[-1] + first_word + design.poly_words // 2 + 1)
    return starts


def steps_at(design: Design, starts: list[int], cycle: int) -> list[dict[str, int]]:
    """What each rank does in a cycle of job 1 (so place 1)."""
    found = []
    for start, n_stages in zip(starts, design.rank_stages, strict=True):
        index, word = divmod(cycle - start, pass_interval(design))
        valid = 0 <= index < n_stages and word < design.poly_words
        found.append({"valid": int(valid), "place": 1, "index": index * valid, "word": word * valid})
    return found


def run(dut: Any, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_forward(design: Design) -> None:
    rng, n, lanes = random.Random(1), design.parameters.ring_degree, design.coefficients_per_cycle
    p = modulus(design.modulus_bits)
    polynomials = [[rng.randrange(p) for _ in range(n)] for _ in range(design.digit_polynomials)]
    dut, starts, found, seen = ForwardTransform(design), rank_starts(design, False), {}, []

    async def bench(ctx: Any) -> None:
        for word in range(design.poly_words):
            content = [polynomial[word * lanes : (word + 1) * lanes] for polynomial in polynomials]
            _write(ctx, dut.write, {"en": 1, "place": 1, "word": word, "data": content})
            await ctx.tick()
        ctx.set(dut.write.en, 0)
        for cycle in range(starts[-1] + design.rank_stages[-1] * pass_interval(design) + rank_latency(design)):
            for rank, step in enumerate(steps_at(design, starts, cycle)):
                ctx.set(getattr(dut, f"step_{rank}"), step)
            if ctx.get(dut.result.en):
                assert ctx.get(dut.result.place) == 1
                word = ctx.get(dut.result.word)
                for index in range(len(polynomials)):
                    for lane in range(lanes):
                        found[index, word * lanes + lane] = ctx.get(dut.result.data[index][lane])
                seen.append(cycle)
            await ctx.tick()

    run(dut, bench)
    first = starts[-1] + (design.rank_stages[-1] - 1) * pass_interval(design) + rank_latency(design)
    assert seen == list(range(first, first + design.poly_words))
    for index, polynomial in enumerate(polynomials):
        assert [found[index, y] for y in range(n)] == reference.forward(polynomial, design.modulus_bits)


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_inverse(design: Design) -> None:
    rng, n, lanes = random.Random(2), design.parameters.ring_degree, design.coefficients_per_cycle
    p, half = modulus(design.modulus_bits), design.coefficients_per_cycle // 2
    polynomials = [[rng.randrange(p) for _ in range(n)] for _ in range(design.inverse_ntts)]
    dut, starts, found, seen = InverseTransform(design), rank_starts(design, True), {}, []

    async def bench(ctx: Any) -> None:
        asked = None
        for cycle in range(starts[-1] + design.rank_stages[-1] * pass_interval(design) + rank_latency(design)):
            for rank, step in enumerate(steps_at(design, starts, cycle)):
                ctx.set(getattr(dut, f"step_{rank}"), step)
            if asked is not None:
                ctx.set(dut.read.data, [polynomial[asked * lanes : (asked + 1) * lanes] for polynomial in polynomials])
            asked = ctx.get(dut.read.word) if ctx.get(dut.read.en) else None
            if ctx.get(dut.result.en):
                word = ctx.get(dut.result.word)
                for index in range(len(polynomials)):
                    for lane in range(lanes):
                        at = word * half + lane % half + lane // half * (n // 2)
                        found[index, at] = ctx.get(dut.result.data[index][lane])
                seen.append(cycle)
            await ctx.tick()

    run(dut, bench)
    first = starts[-1] + (design.rank_stages[-1] - 1) * pass_interval(design) + rank_latency(design)
    assert seen == list(range(first, first + design.poly_words))
    for index, polynomial in enumerate(polynomials):
        assert [found[index, y] for y in range(n)] == reference.inverse(polynomial, design.modulus_bits)


def _write(ctx: Any, port: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        ctx.set(getattr(port, name), value)


def test_transforms_multiply() -> None:
    """inverse(forward(a) forward(b)) / N is the negacyclic product: what the two tests above rest on."""
    rng, n, bits = random.Random(3), 32, 44
    p = modulus(bits)
    a, b = ([rng.randrange(-1000, 1000) for _ in range(n)] for _ in range(2))
    product = [x * y % p for x, y in zip(reference.forward(a, bits), reference.forward(b, bits), strict=True)]
    share = pow(n, -1, p)
    found = [value * share % p for value in reference.inverse(product, bits)]
    assert found == [value % p for value in reference.negacyclic(a, b)]


def test_ranks_take_all_stages_in_order() -> None:
    design = machine(ring_degree=128, coefficients_per_cycle=4, ntt_ranks=3)  # 7 stages: 2, 2, 3
    assert [list(stages_of(design, rank, inverse=False)) for rank in range(3)] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [list(stages_of(design, rank, inverse=True)) for rank in range(3)] == [[6, 5], [4, 3], [2, 1, 0]]


def test_factors_are_held_once() -> None:
    """Stage q has 2^q different factors, P/2 a word; an early stage repeats them in its only word."""
    assert factors(64, 16, False) == tuple(reference.z_powers(64, 16))
    assert [len(pass_factors(SMALL, stage, inverse=False)) for stage in range(4)] == [1, 2, 4, 8]
    wide = machine(ring_degree=16, coefficients_per_cycle=8, ntt_ranks=4)
    z = factors(64, 16, False)
    assert pass_factors(wide, 1, inverse=False) == [[z[2], z[3], z[2], z[3]]]
