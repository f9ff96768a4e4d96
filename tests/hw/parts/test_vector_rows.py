"""Statistics of rows: means, factors and roots in Python's integers, and the cycles that the divider takes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from amaranth.sim import Simulator

from designs.families.tensor import Design
from hw.parts.vector_rows import VectorRows
from hw.parts.vector_types import Operation, Pass

pytestmark = pytest.mark.rtl


def row_passes(
    design: Design, config: dict[str, int], passes: list[Pass], rows: list[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int]]]:
    """(cycles of each pass, statistics afterwards)."""
    dut = VectorRows(design)
    cycles: list[int] = []
    after: list[tuple[int, int]] = []

    async def bench(ctx: Any) -> None:
        for name, value in config.items():
            ctx.set(getattr(dut.config, name), value)
        ctx.set(dut.n_pixels, len(rows))
        for port in (dut.write_center, dut.write_spread):
            ctx.set(port, 1)
        for row, (a, b) in enumerate(rows):
            for port, value in ((dut.write_row, row), (dut.new_center, a), (dut.new_spread, b)):
                ctx.set(port, value)
            await ctx.tick()
        for port in (dut.write_center, dut.write_spread):
            ctx.set(port, 0)
        for one in passes:
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.doing, one)
            cycles.append(1)
            while not ctx.get(dut.done):
                await ctx.tick()
                cycles[-1] += 1
        await ctx.tick()
        ctx.set(dut.en, 1)
        for row in range(len(rows)):
            ctx.set(dut.row, row)
            await ctx.tick()
            after.append((ctx.get(dut.center), ctx.get(dut.spread)))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return cycles, after


def half_even(total: int, n: int) -> int:
    """Python rounds a fraction of small integers exactly so."""
    return round(total / n)


@pytest.mark.parametrize("k", [1, 5, 8])
def test_layer_norm(k: int) -> None:
    """Sums and sums of squares: mean to the nearest (ties to even), then 2**31 / (root << 2)."""
    rows = [(0, 0), (33, 1), (-33, 2), (27, 99), (-27, 2**32 - 1), (6 * 32767, 40_000), (-6 * 65535, 123_456_789)]
    config = {"operation": Operation.LAYER_NORM, "n": 6, "pre_shift": 2}
    design = Design(array_rows=4, vector_lanes=4, vector_divider_bits=k)
    cycles, after = row_passes(design, config, [Pass.MEAN, Pass.ROOT_FACTOR], rows)
    assert cycles[0] == len(rows) * (math.ceil(33 / k) + 2)
    assert cycles[1] == len(rows) * (math.ceil(16 / k) + math.ceil(32 / k) + 4)
    assert after == [(half_even(a, 6), 2**31 // (max(math.isqrt(b), 1) << 2)) for a, b in rows]


def test_factors_of_ranges_and_softmax() -> None:
    """2**31 / width (a width of 0 counts as 1), 2**32 / sum."""
    design = Design(array_rows=4, vector_lanes=4, vector_divider_bits=3)
    rows = [(5, 0), (6, 1), (7, 3), (8, 131_071)]
    cycles, after = row_passes(design, {"operation": Operation.RANGE_NORM}, [Pass.FACTOR], rows)
    assert cycles == [len(rows) * (math.ceil(32 / 3) + 2)]
    assert after == [(a, 2**31 // max(b, 1)) for a, b in rows]
    rows = [(0, 1), (-5, 32767), (9, 2**31 - 1)]
    cycles, after = row_passes(design, {"operation": Operation.SOFTMAX}, [Pass.FACTOR], rows)
    assert cycles == [len(rows) * (33 // 3 + 2)]
    assert after == [(a, 2**32 // b) for a, b in rows]


@pytest.mark.parametrize("out_bits", [1, 8, 16])
def test_inverses_of_ita(out_bits: int) -> None:
    """(2**o - 1) * 2**o over a sum that is at least 2**o."""
    design = Design(array_rows=4, vector_lanes=4, vector_softmax="ita", wide_bits=16)
    rows = [(0, 1 << out_bits), (1, (1 << out_bits) * 3 + 1), (2, (1 << 33) - 1)]
    config = {"operation": Operation.SOFTMAX, "out_bits": out_bits}
    cycles, after = row_passes(design, config, [Pass.FACTOR], rows)
    assert cycles == [len(rows) * (math.ceil(17 / 8) + 2)]
    assert [b for _, b in after] == [(((1 << out_bits) - 1) << out_bits) // b for _, b in rows]
