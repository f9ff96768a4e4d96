"""Modular multiplier and butterflies against Python's integers, in the promised cycle, one a cycle."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from designs.moduli import EXPONENTS, modulus
from hw.parts.fhe_butterfly import Butterfly
from hw.parts.fhe_modular import ModularMultiplier, fold_bounds, registers_after, sum_modulo

N_CASES = 60


def residues(bits: int, rng: random.Random) -> int:
    """Random ones, and those near the ends and around powers of two, where folds carry."""
    p = modulus(bits)
    edges = [0, 1, 2, p - 1, p - 2, p // 2, p // 2 + 1, (1 << EXPONENTS[bits]) - 1, (1 << EXPONENTS[bits]) + 1]
    return rng.choice([rng.randrange(p), rng.choice(edges), p - 1 - rng.randrange(1 << EXPONENTS[bits])])


def answers(dut: Any, inputs: list[dict[str, int]], outputs: tuple[str, ...], latency: int) -> list[tuple[int, ...]]:
    """Outputs `latency` cycles after each input, which come one a cycle."""
    found: list[tuple[int, ...]] = []

    async def bench(ctx: Any) -> None:
        for cycle in range(len(inputs) + latency):
            for name, value in inputs[min(cycle, len(inputs) - 1)].items():
                ctx.set(getattr(dut, name), value if cycle < len(inputs) else 1)
            if cycle >= latency:
                found.append(tuple(ctx.get(getattr(dut, name)) for name in outputs))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.rtl
@pytest.mark.parametrize("bits", EXPONENTS)
@pytest.mark.parametrize("n_registers", [1, 4, 9])
def test_product(bits: int, n_registers: int) -> None:
    rng, p = random.Random(bits), modulus(bits)
    cases = [{"x": residues(bits, rng), "y": residues(bits, rng)} for _ in range(N_CASES)]
    cases += [{"x": p - 1, "y": p - 1}, {"x": p - 1, "y": 1}, {"x": p - 1, "y": 2}]
    found = answers(ModularMultiplier(bits=bits, n_registers=n_registers), cases, ("product",), n_registers)
    assert found == [(case["x"] * case["y"] % p,) for case in cases]


@pytest.mark.parametrize("bits", EXPONENTS)
def test_folds_end_below_twice_the_prime(bits: int) -> None:
    bounds = fold_bounds(bits)
    assert bounds[-1] < 2 * modulus(bits) <= bounds[-2]
    assert len(bounds) <= 4  # three folds at most


def test_goldilocks_folds_twice() -> None:
    assert len(fold_bounds(64)) == 3


def test_registers_are_spread_and_none_is_lost() -> None:
    assert registers_after(4, 4) == [1, 1, 1, 1]
    assert registers_after(1, 4) == [0, 0, 0, 1]
    assert registers_after(16, 5) == [3, 3, 3, 3, 4]


@pytest.mark.rtl
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize(("bits", "n_registers"), [(64, 4), (50, 1)])
def test_butterfly(bits: int, n_registers: int, inverse: bool) -> None:
    rng, p = random.Random(bits), modulus(bits)
    cases = [{name: residues(bits, rng) for name in "uvw"} for _ in range(N_CASES)]
    dut = Butterfly(bits=bits, n_registers=n_registers, inverse=inverse)
    found = answers(dut, cases, ("upper", "lower"), n_registers + 1)
    if inverse:
        wanted = [((c["u"] + c["v"]) % p, (c["u"] - c["v"]) * c["w"] % p) for c in cases]
    else:
        wanted = [((c["u"] + c["v"] * c["w"]) % p, (c["u"] - c["v"] * c["w"]) % p) for c in cases]
    assert found == wanted


@pytest.mark.rtl
@pytest.mark.parametrize("n_terms", [1, 2, 3, 6])
def test_sum_of_residues(n_terms: int) -> None:
    m, p = Module(), modulus(32)
    terms, total = [Signal(32) for _ in range(n_terms)], Signal(32)
    m.d.comb += total.eq(sum_modulo(m, terms, bits=32, name="total"))
    rng = random.Random(n_terms)

    async def bench(ctx: Any) -> None:
        for _ in range(N_CASES):
            values = [residues(32, rng) for _ in terms]
            for term, value in zip(terms, values, strict=True):
                ctx.set(term, value)
            assert ctx.get(total) == sum(values) % p

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
