"""A lane of the vector unit: its functions against workloads/functions, and its latency for any number of stages."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from designs.families.tensor import Design
from hw.parts.stages import CUTS, N_CUTS, Stages
from hw.parts.vector_lane import VectorLane
from hw.parts.vector_types import Operation, Pass
from workloads.functions.ibert import exp_ibert, gelu_ibert, gelu_numbers, softmax_numbers
from workloads.functions.ita import ita_numbers, softmax_ita
from workloads.functions.tables import exp_table_numbers, gelu_table, gelu_table_numbers, look_up

pytestmark = pytest.mark.rtl
DESIGN = Design(array_rows=4, array_cols=4, wide_bits=16, vector_lanes=2)
RENAMED = {"multiplier": "function_multiplier", "shift": "function_shift"}
RNG_SEED = 3


def registers(numbers: Any) -> dict[str, int]:
    """A `...Numbers` as registers of the configuration; those that the machine has as constants are left out."""
    values = {RENAMED.get(name, name): value for name, value in asdict(numbers).items() if name != "entries"}
    return {name: value for name, value in values.items() if not (name == "function_shift" and hasattr(numbers, "one"))}


def lane_outputs(
    design: Design, config: dict[str, int], doing: Pass, rows: list[dict[str, int]], output: str,
    entries: tuple[int, ...] = (),
) -> list[int]:  # fmt: skip
    """`output` for each row of inputs, one a cycle; every other input port is 0."""
    dut = VectorLane(design)
    after = {"y": 8, "summand": 6}[output]
    latency = sum(cut <= after for cut in CUTS[design.vector_stages - 1])
    results: list[int] = []

    async def bench(ctx: Any) -> None:
        for name, value in config.items():
            ctx.set(getattr(dut.config, name), value)
        ctx.set(dut.doing, doing)
        for index, entry in enumerate(entries):
            for port, value in ((dut.entry_en, 1), (dut.entry_index, index), (dut.entry_data, entry)):
                ctx.set(port, value)
            await ctx.tick()
        ctx.set(dut.entry_en, 0)
        for number in range(len(rows) + latency):
            # An input beyond the last row is another value: nothing but the wanted cycle's answer is right.
            row = rows[number] if number < len(rows) else dict.fromkeys(rows[0], 1)
            for name, value in row.items():
                ctx.set(getattr(dut, name), value)
            if number >= latency:
                results.append(ctx.get(getattr(dut, output)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return results


@pytest.mark.parametrize("n_registers", range(1, N_CUTS + 1))
def test_so_many_registers_as_stages(n_registers: int) -> None:
    stages = Stages(Module(), n_registers)
    assert stages.between(0, N_CUTS) == n_registers
    assert stages.between(3, 4) == 1  # a memory is read there


@pytest.mark.parametrize("n_stages", [1, 2, 3, 5, 8])
def test_gelu_in_as_many_cycles_as_stages(n_stages: int) -> None:
    """Requantized by 5 / 2**24, clipped to 16 bits: floor((v * 5 + 2**23) / 2**24)."""
    design = replace(DESIGN, vector_stages=n_stages)
    numbers = gelu_numbers(0.001)
    x = np.random.default_rng(RNG_SEED).integers(-40000, 40000, 60)
    config = {
        "operation": Operation.GELU, "multiplier": 5, "shift": 24, "out_low": -32768, "out_high": 32767,
        **registers(numbers),
    }  # fmt: skip
    rows = [{"x": int(value), "keep": 1} for value in x]
    got = lane_outputs(design, config, Pass.RESULT, rows, "y")
    wanted = np.clip((gelu_ibert(x, numbers) * 5 + (1 << 23)) >> 24, -32768, 32767)
    assert got == [int(value) & 0xFFFF for value in wanted]


@pytest.mark.parametrize("scale", [2.0**-14, 0.0007, 0.03, 1.3])
def test_exp(scale: float) -> None:
    """Differences over all of their range, and where columns take no part, nothing."""
    numbers = softmax_numbers(scale)
    maximum = 3000
    x = maximum - np.random.default_rng(RNG_SEED).integers(0, [[60], [3000], [60000]], (3, 30)).ravel()
    config = {"operation": Operation.SOFTMAX, **registers(numbers)}
    rows = [{"x": int(value), "base": maximum, "take": n % 7 != 0} for n, value in enumerate(x)]
    got = lane_outputs(DESIGN, config, Pass.EXP_SUM, rows, "summand")
    wanted = exp_ibert((x - maximum) << numbers.left_shift, numbers)
    assert got == [int(value) * (n % 7 != 0) for n, value in enumerate(wanted)]


def test_tables() -> None:
    """256 entries written first; exp at distances, GELU as max(x, 0) and an even rest."""
    design = replace(DESIGN, vector_functions="table")
    x = np.random.default_rng(RNG_SEED).integers(-3000, 3000, 60)
    exp = exp_table_numbers(0.004)
    rows = [{"x": int(value), "base": 3000, "take": 1} for value in x]
    config = {"operation": Operation.SOFTMAX, **registers(exp)}
    got = lane_outputs(design, config, Pass.EXP_SUM, rows, "summand", exp.entries)
    assert got == look_up(3000 - x, exp).tolist()

    gelu = gelu_table_numbers(0.002)
    config = {
        "operation": Operation.GELU, "multiplier": 1, "shift": 2, "out_low": -32768, "out_high": 32767,
        "out_zero": 3, **registers(gelu),
    }  # fmt: skip
    got = lane_outputs(design, config, Pass.RESULT, [{"x": int(v), "keep": int(v % 5 != 0)} for v in x], "y", gelu.entries)
    wanted = np.clip(((gelu_table(x, gelu) + 2) >> 2) + 3, -32768, 32767)
    assert got == [int(y) & 0xFFFF if v % 5 else 3 for v, y in zip(x, wanted, strict=True)]


def test_ita_result_is_the_inverse_halved() -> None:
    """A row of one block: its inverse comes from the row; every column gives inverse >> halvings(maximum - x)."""
    design = replace(DESIGN, vector_softmax="ita")
    numbers, out_bits = ita_numbers(0.03), 8
    x = np.random.default_rng(RNG_SEED).integers(-128, 128, 40)
    wanted = softmax_ita(x, numbers, np.int64(len(x)), out_bits, block=len(x))
    halvings = np.minimum(((x.max() - x) * numbers.multiplier + (1 << numbers.shift >> 1)) >> numbers.shift, 63)
    total = int(((1 << (out_bits + 16)) >> halvings).sum() >> 16)
    inverse = (((1 << out_bits) - 1) << out_bits) // total
    config = {"operation": Operation.SOFTMAX, "out_bits": out_bits, **registers(numbers)}
    rows = [{"x": int(value), "base": int(x.max()), "factor": inverse, "take": 1, "keep": 1} for value in x]
    assert lane_outputs(design, config, Pass.RESULT, rows, "y") == wanted.tolist()
    assert len(set(wanted.tolist())) > 3


def test_addition_of_two_sources() -> None:
    """(x * 3 + z * 7 + 8) >> 4, minus 5, clipped to -100 to 90; a lane that is no column shows the zero point."""
    config = {
        "operation": Operation.ADD, "multiplier": 3, "z_multiplier": 7, "shift": 4, "out_zero": -5, "out_low": -100,
        "out_high": 90,
    }  # fmt: skip
    rng = np.random.default_rng(RNG_SEED)
    x, z = rng.integers(-300, 300, (2, 40))
    rows = [{"x": int(a), "z": int(b), "keep": n != 4} for n, (a, b) in enumerate(zip(x, z, strict=True))]
    wanted = np.clip(((x * 3 + z * 7 + 8) >> 4) - 5, -100, 90)
    wanted[4] = -5
    assert lane_outputs(DESIGN, config, Pass.RESULT, rows, "y") == [int(value) & 0xFFFF for value in wanted]
