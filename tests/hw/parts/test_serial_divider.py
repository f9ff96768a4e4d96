"""The serial divider: quotients and roots against Python's integers, in the promised cycle."""

from __future__ import annotations

import math
import random

import pytest
from amaranth.sim import Simulator

from hw.parts.serial_divider import SerialDivider

QUOTIENTS, ROOT_BITS, DIVISOR_BITS, DIVIDEND_BITS = (33, 17, 32), 16, 33, 40


def operands(mode: int, rng: random.Random) -> tuple[int, int, int]:
    """(dividend, divisor, wanted result): small and large ones, and those at the ends."""
    if mode == len(QUOTIENTS):
        dividend = rng.choice([rng.randrange(1 << rng.randrange(1, 33)), 0, (1 << 32) - 1, rng.randrange(1 << 16) ** 2])
        return dividend, 0, math.isqrt(dividend)
    dividend = rng.choice([rng.randrange(1 << rng.randrange(1, QUOTIENTS[mode] + 1)), 0, (1 << QUOTIENTS[mode]) - 1])
    divisor = rng.choice([rng.randrange(1, 1 << rng.randrange(1, DIVISOR_BITS + 1)), 1, (1 << DIVISOR_BITS) - 1])
    if rng.random() < 0.3:  # a long dividend over a large divisor
        dividend = min(rng.randrange(1 << DIVIDEND_BITS), (divisor << QUOTIENTS[mode]) - 1)
    return dividend, divisor, dividend // divisor


@pytest.mark.rtl
@pytest.mark.parametrize("bits_a_cycle", [1, 3, 8, 16])
def test_results_and_their_cycle(bits_a_cycle: int) -> None:
    dut = SerialDivider(
        quotient_bits=QUOTIENTS, dividend_bits=DIVIDEND_BITS, divisor_bits=DIVISOR_BITS, root_bits=ROOT_BITS,
        bits_a_cycle=bits_a_cycle,
    )  # fmt: skip
    rng = random.Random(bits_a_cycle)

    async def bench(ctx) -> None:
        for _ in range(120):
            mode = rng.randrange(len(QUOTIENTS) + 1)
            dividend, divisor, wanted = operands(mode, rng)
            bits = (*QUOTIENTS, ROOT_BITS)[mode]
            for port, value in ((dut.mode, mode), (dut.dividend, dividend), (dut.divisor, divisor), (dut.start, 1)):
                ctx.set(port, value)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.dividend, 0)  # taken at the start
            is_root = mode == len(QUOTIENTS)
            for _ in range(math.ceil(bits / bits_a_cycle) - 1):
                assert not ctx.get(dut.last)
                await ctx.tick()
            assert ctx.get(dut.last)
            assert ctx.get(dut.result) == wanted, (mode, dividend, divisor)
            assert is_root or ctx.get(dut.remainder) == dividend % divisor

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
