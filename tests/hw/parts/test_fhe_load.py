"""Commands, LOAD and INIT of the bootstrapping machine: bits by the reference, cycles as the docstrings promise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.fhe import Design
from hw.bench.fhe_streams import ciphertext_beats
from hw.parts.fhe_commands import Commands, split
from hw.parts.fhe_init import Init
from hw.parts.fhe_load import Load
from workloads.tfhe.polynomials import rotate
from workloads.tfhe.reference import linear, modulus_switch

pytestmark = pytest.mark.rtl

DESIGN = Design(
    parameter_set="custom", lwe_dimension=7, glwe_dimension=1, ring_degree=16, decomposition_levels=2,
    decomposition_base_bits=4, key_switch_levels=3, key_switch_base_bits=2, lwe_noise=1e-6, glwe_noise=1e-8,
    coefficients_per_cycle=4, ntt_ranks=2, cores=2, batch=3, key_residues_per_cycle=4, key_switch_lanes=6,
    ciphertext_words_per_cycle=3,
)  # fmt: skip
Command = dict[str, int]


def simulate(dut: wiring.Component, *benches: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 631])
def test_split_is_exact(size: int) -> None:
    number, quotient, rest = Signal(12), Signal(12), Signal(12)
    m = Module()
    high, low = split(number, size, below=4096)
    m.d.comb += [quotient.eq(high), rest.eq(low)]

    async def bench(ctx: Any) -> None:
        for value in [*range(40), *range(4095, 3000, -7)]:
            ctx.set(number, value)
            assert (ctx.get(quotient), ctx.get(rest)) == divmod(value, size)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


class _Front(wiring.Component):
    """Commands and LOAD as the machine connects them."""

    def __init__(self, design: Design) -> None:
        self.commands = Commands(design)
        self.load = Load(design, self.commands.n_operands)
        super().__init__({})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.commands, m.submodules.load = commands, load = self.commands, self.load
        m.d.comb += [
            commands.request.eq(load.request), load.requested.eq(commands.requested),
            commands.arrival.eq(load.arrival), load.arrived.eq(commands.arrived),
        ]  # fmt: skip
        return m


def _cells(rng: np.random.Generator, n_cells: int) -> list[Command]:
    cells = []
    for number in range(n_cells):
        valid = int(number == 0 or rng.random() < 0.7)
        factors = [int(x) for x in rng.integers(-2, 3, 2)]
        if factors == [0, 0]:
            factors = [-1, 0]
        cells.append(
            {"valid": valid, "holds": int(rng.random() < 0.3), "factor_a": factors[0] * valid,
             "factor_b": factors[1] * valid, "a": int(rng.integers(4)), "b": int(rng.integers(4)),
             "result": number + 100}
            | {name: int(rng.integers(2**32)) for name in ("constant", "value", "post")}
        )  # fmt: skip
    return cells


async def _hand_over(ctx: Any, commands: Commands, slots: int, after: int, cells: list[Command]) -> int:
    """One batch; the cycles that its taking lasts."""
    ctx.set(commands.batches.payload, {"slots": slots, "after": after})
    ctx.set(commands.batches.valid, 1)
    await ctx.tick()
    ctx.set(commands.batches.valid, 0)
    n_taken, n_cycles = ctx.get(commands.n_taken), 1
    ctx.set(commands.commands.valid, 1)
    for cell in cells:
        assert ctx.get(commands.commands.ready) and ctx.get(commands.n_taken) == n_taken
        ctx.set(commands.commands.payload, cell)
        await ctx.tick()
        n_cycles += 1
    ctx.set(commands.commands.valid, 0)
    assert ctx.get(commands.n_taken) == n_taken + 1
    return n_cycles


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_linear_part_and_modulus_switch(seed: int) -> None:
    """Two batches one after the other: requests one a cycle, exponents by the reference, `done` 2 cycles after a beat."""
    rng = np.random.default_rng(seed)
    lanes = int(rng.choice([1, 2, 3, 6]))
    design = replace(DESIGN, ciphertext_words_per_cycle=lanes, cores=int(rng.integers(1, 4)))
    front, n_words = _Front(design), design.parameters.lwe_dimension + 1
    memory = rng.integers(2**32, size=(4, n_words), dtype=np.uint32)
    beats = [[int.from_bytes(beat.tobytes(), "little") for beat in one] for one in ciphertext_beats(design, memory)]
    batches = [_cells(rng, slots * design.cores) for slots in (3, 2)]
    load, commands = front.load, front.commands

    async def bench(ctx: Any) -> None:
        for cells in batches:
            slots = len(cells) // design.cores
            assert await _hand_over(ctx, commands, slots, 5, cells) == 1 + len(cells)
        for place, cells in enumerate(batches):
            asked = [
                (cell[name], cell[f"factor_{name}"]) for cell in cells for name in "ab" if cell[f"factor_{name}"]
            ]
            n_cells = sum(cell["valid"] for cell in cells)
            assert ctx.get(commands.n_cells[place]) == n_cells and ctx.get(commands.after[place]) == 5
            assert [ctx.get(commands.n_valid[place][slot]) for slot in range(len(cells) // design.cores)] == [
                sum(cell["valid"] for cell in cells[slot * design.cores : (slot + 1) * design.cores])
                for slot in range(len(cells) // design.cores)
            ]
            ctx.set(load.n_cells, n_cells)
            ctx.set(load.place, place)
            ctx.set(load.requests.ready, 1)
            ctx.set(load.start, 1)
            for number, _ in asked:
                assert ctx.get(load.requests.valid) and ctx.get(load.requests.payload) == number
                await ctx.tick()
                ctx.set(load.start, 0)
            assert not ctx.get(load.requests.valid)
            for number, _ in asked:
                for beat in beats[number]:
                    while rng.random() < 0.3:  # a gap
                        ctx.set(load.beats.valid, 0)
                        await ctx.tick()
                    ctx.set(load.beats.payload, beat)
                    ctx.set(load.beats.valid, 1)
                    assert ctx.get(load.beats.ready) and ctx.get(load.taken) and not ctx.get(load.done)
                    await ctx.tick()
            ctx.set(load.beats.valid, 0)
            assert not ctx.get(load.done)
            await ctx.tick()
            assert ctx.get(load.done)
        ctx.set(load.read, 1)
        for place, cells in enumerate(batches):
            for number, cell in enumerate(cells):
                if not cell["valid"]:
                    continue
                slot, core = divmod(number, design.cores)
                sums = linear(memory[cell["a"]], memory[cell["b"]], cell["factor_a"], cell["factor_b"], cell["constant"])
                for word, exponent in enumerate(modulus_switch(sums, design.parameters.ring_degree).tolist()):
                    for port, value in ((load.read_place, place), (load.slot, slot), (load.word, word)):
                        ctx.set(port, value)
                    await ctx.tick()
                    assert ctx.get(load.exponents[core]) == exponent

    simulate(front, bench)


def test_places_wait_for_a_release() -> None:
    commands, rng = Commands(DESIGN), np.random.default_rng(0)
    batches = [_cells(rng, DESIGN.cores) for _ in range(5)]

    async def bench(ctx: Any) -> None:
        for cells in batches[:4]:
            assert ctx.get(commands.batches.ready)
            await _hand_over(ctx, commands, 1, 0, cells)
        for _ in range(3):
            assert not ctx.get(commands.batches.ready) and not ctx.get(commands.commands.ready)
            await ctx.tick()
        ctx.set(commands.release, 1)
        await ctx.tick()
        ctx.set(commands.release, 0)
        assert ctx.get(commands.batches.ready)
        await _hand_over(ctx, commands, 1, 0, batches[4])
        for place, cells in ((0, batches[4]), (1, batches[1])):
            ctx.set(commands.cell_place, place)
            await ctx.tick()
            for core, cell in enumerate(cells):
                found = commands.cells[core]
                assert {name: ctx.get(getattr(found, name)) for name in ("valid", "holds", "value", "post", "result")} == {
                    name: cell[name] for name in ("valid", "holds", "value", "post", "result")
                }

    simulate(commands, bench)


def test_first_accumulators() -> None:
    """A word a cycle from the cycle after `start` on; what comes is the test polynomial turned back by exponent n."""
    init, rng = Init(DESIGN), np.random.default_rng(4)
    degree, lanes = DESIGN.parameters.ring_degree, DESIGN.coefficients_per_cycle
    exponents = rng.integers(2 * degree, size=(3, DESIGN.cores))
    values = rng.integers(2**32, size=(3, DESIGN.cores), dtype=np.uint32)
    written = np.zeros((3, DESIGN.cores, degree), np.uint32)

    async def bench(ctx: Any) -> None:
        ctx.set(init.slots, 3)
        ctx.set(init.start, 1)
        for cycle in range(3 * DESIGN.poly_words + 1):
            assert ctx.get(init.reading) == (cycle < 3 * DESIGN.poly_words)
            assert ctx.get(init.first_word) == (cycle in (0, 4, 8)) and ctx.get(init.done) == (cycle == 12)
            slot = ctx.get(init.slot)
            if cycle:
                assert ctx.get(init.init.valid) and cycle - 1 == ctx.get(init.init.slot) * 4 + ctx.get(init.init.word)
                for core in range(DESIGN.cores):
                    for lane in range(lanes):
                        at = ctx.get(init.init.word) * lanes + lane
                        written[ctx.get(init.init.slot), core, at] = ctx.get(init.init.data[core][lane])
            await ctx.tick()
            ctx.set(init.start, 0)
            for core in range(DESIGN.cores):
                ctx.set(init.exponents[core], int(exponents[slot, core]))
                ctx.set(init.cells[core].value, int(values[slot, core]))
        assert not ctx.get(init.init.valid)

    simulate(init, bench)
    for slot in range(3):
        tests = np.repeat(values[slot][:, None], degree, axis=1)
        assert (written[slot] == rotate(tests, -exponents[slot])).all()
