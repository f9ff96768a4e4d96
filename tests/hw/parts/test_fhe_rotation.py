"""Whole blind rotations on the circuit: accumulators against docs/fhe.md in Python's integers, and the cycle of `done`."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator

from designs.families.fhe import Design
from hw.parts.fhe_rotation import Rotation
from tests.hw.parts import fhe_reference as reference
from tests.hw.parts.fhe_designs import machine
from tests.hw.parts.fhe_events import job_starts

pytestmark = pytest.mark.rtl

Key = list[reference.Row]


def key_words(design: Design, row: reference.Row) -> list[list[int]]:
    """A transformed row in the order of its stream, Q m P residues a word (docs/fhe.md, section 2)."""
    p, lanes, m = design.parameters, design.coefficients_per_cycle, design.key_columns
    level_groups = p.decomposition_levels // design.decomposers
    found = []
    for group in range(design.n_groups):
        rg, lg = divmod(group, level_groups)
        for column_pass in range(design.column_passes):
            for word in range(design.poly_words):
                residues: list[int] = []
                for q in range(design.digit_polynomials):
                    j, local = divmod(q, design.decomposers)
                    for cc in range(m):
                        level = lg * design.decomposers + local
                        column = row[rg * design.rotators + j][level][column_pass * m + cc]
                        residues += column[word * lanes : (word + 1) * lanes]
                found.append(residues)
    return found


class Machine:
    """Memories around Rotation: exponents, key rows, INIT and EXTRACT."""

    def __init__(self, design: Design, seed: int) -> None:
        self.design, self.rng = design, random.Random(seed)
        p = design.parameters
        self.rows = [reference.random_row(design, self.rng) for _ in range(p.lwe_dimension)]
        self.words = [key_words(design, reference.transformed(row, design.modulus_bits)) for row in self.rows]
        self.results: list[list[list[list[int]]]] = []  # batch, slot, core: accumulator
        self.dut = Rotation(design)
        self.cycle = 0
        self.taken: list[int] = []  # cycles in which rows' last beats were taken
        self.n_released = 0

    def draw(self, slots: int) -> tuple[Any, Any]:
        """Exponents [step][slot][core] and test polynomials [slot][core]."""
        p, rng = self.design.parameters, self.rng
        order = 2 * p.ring_degree
        edges = [0, 1, order - 1, p.ring_degree, order // 4, self.design.coefficients_per_cycle]
        cores = range(self.design.cores)
        exponents = [[[rng.choice([rng.randrange(order), rng.choice(edges)]) for _ in cores] for _ in range(slots)]
                     for _ in range(p.lwe_dimension)]  # fmt: skip
        tests = [[[rng.randrange(reference.WORD) for _ in range(p.ring_degree)] for _ in cores] for _ in range(slots)]
        return exponents, tests

    def expected(self, exponents: Any, tests: Any, slot: int, core: int) -> list[list[int]]:
        """The accumulator after all steps."""
        n, k = self.design.parameters.ring_degree, self.design.parameters.glwe_dimension
        accumulator = [[0] * n for _ in range(k)] + [tests[slot][core]]
        for step, row in enumerate(self.rows):
            turned = [reference.rotated_difference(part, exponents[step][slot][core]) for part in accumulator]
            added = reference.external_product(self.design, turned, row)
            accumulator = [
                [(a + b) % reference.WORD for a, b in zip(part, more, strict=True)]
                for part, more in zip(accumulator, added, strict=True)
            ]
        return accumulator

    async def tick(self, ctx: Any, exponents: Any, *, take_row: bool) -> None:
        """One cycle: what was asked for is answered in the next."""
        dut, design = self.dut, self.design
        rows = design.parameters.lwe_dimension if design.resident else design.key_rows
        ctx.set(dut.row_taken, take_row)
        self.taken += [self.cycle] * take_row
        release = ctx.get(dut.row_release)
        answers = []
        if ctx.get(dut.exponent.en):
            answers.append((dut.exponent.data, exponents[ctx.get(dut.exponent.step)][ctx.get(dut.exponent.slot)]))
        if ctx.get(dut.key.en):
            place, address = ctx.get(dut.key.place), ctx.get(dut.key.address)
            first = 0 if design.resident else self.n_released
            number = next(x for x in range(first, first + rows) if x % rows == place)
            answers.append((dut.key.data, self.words[number % len(self.words)][address]))
        self.asked = (ctx.get(dut.extract.slot), ctx.get(dut.extract.word)) if ctx.get(dut.extract.en) else None
        await ctx.tick()
        self.cycle += 1
        self.n_released += release
        for port, value in answers:
            ctx.set(port, value)

    async def batch(self, ctx: Any, slots: int, exponents: Any, tests: Any) -> tuple[int, int]:
        """INIT, rotation, EXTRACT; (cycle of start, cycle of done)."""
        dut, design, lanes = self.dut, self.design, self.design.coefficients_per_cycle
        ctx.set(dut.slots, slots)
        ctx.set(dut.n_cells, [design.cores] * design.batch)
        for slot in range(slots):
            for word in range(design.poly_words):
                part = slice(word * lanes, (word + 1) * lanes)
                values = {"valid": 1, "slot": slot, "word": word, "data": [test[part] for test in tests[slot]]}
                for name, value in values.items():
                    ctx.set(getattr(dut.init, name), value)
                is_last = (slot, word) == (slots - 1, design.poly_words - 1)
                ctx.set(dut.start, is_last)
                begun = self.cycle
                await self.tick(ctx, exponents, take_row=False)
        ctx.set(dut.start, 0)
        ctx.set(dut.init.valid, 0)
        n, end, base = design.parameters.lwe_dimension, -1, len(self.taken)
        while end < 0:
            free = design.resident or len(self.taken) - self.n_released < design.key_rows
            wanted = len(self.taken) < (n if design.resident else base + n)
            assert self.cycle < begun + 100_000, "rotation is stuck"
            if ctx.get(dut.done):
                end = self.cycle
            await self.tick(ctx, exponents, take_row=bool(free and wanted))
        await self._extract(ctx, slots, exponents)
        return begun, end

    async def _extract(self, ctx: Any, slots: int, exponents: Any) -> None:
        dut, design = self.dut, self.design
        columns, n = design.parameters.glwe_dimension + 1, design.parameters.ring_degree
        found = [[[[0] * n for _ in range(columns)] for _ in range(design.cores)] for _ in range(slots)]
        places = [(slot, word) for slot in range(slots) for word in range(design.poly_words)]
        for place in [*places, None]:
            ctx.set(dut.extract.en, place is not None)
            if place is not None:
                ctx.set(dut.extract.slot, place[0])
                ctx.set(dut.extract.word, place[1])
            await self.tick(ctx, exponents, take_row=False)
            if self.asked is None:
                continue
            slot, word = self.asked
            for core in range(design.cores):
                for column in range(columns):
                    for lane in range(design.coefficients_per_cycle):
                        at = word * design.coefficients_per_cycle + lane
                        found[slot][core][column][at] = ctx.get(dut.extract.data[core][column][lane])
        self.results.append(found)


DESIGNS = {
    "smallest": machine(coefficients_per_cycle=2, ntt_ranks=1),
    "two words": machine(
        coefficients_per_cycle=8, ntt_ranks=4, multiplier_stages=1, decomposition_levels=2, key_columns=2, batch=2,
        lwe_dimension=3,
    ),
    "side by side": machine(
        glwe_dimension=3, decomposition_levels=2, rotators=2, decomposers=2, key_columns=4, inverse_ntts=2, batch=2,
        multiplier_stages=3, modulus_bits=52, key_rows=2, lwe_dimension=3, coefficients_per_cycle=2, ntt_ranks=1,
    ),
    "cores, resident": machine(
        glwe_dimension=1, decomposition_levels=3, cores=2, batch=2, key_rows=4, lwe_dimension=2, ntt_ranks=3,
        decomposition_base_bits=7, coefficients_per_cycle=4, ring_degree=32, modulus_bits=56,
    ),
    "three columns": machine(
        glwe_dimension=2, decomposition_levels=3, rotators=3, key_columns=3, inverse_ntts=1, batch=2, ntt_ranks=4,
        decomposition_base_bits=10, modulus_bits=50,
    ),
}  # fmt: skip


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_two_batches(design: Design) -> None:
    """A whole batch and one that is not full: the same bits, and `done` in the page's cycle."""
    machine_ = Machine(design, seed=7)
    drawn = [(slots, *machine_.draw(slots)) for slots in (design.batch, max(design.batch - 1, 1))]
    times = []

    async def bench(ctx: Any) -> None:
        for slots, exponents, tests in drawn:
            times.append(await machine_.batch(ctx, slots, exponents, tests))

    simulator = Simulator(machine_.dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    for (slots, exponents, tests), found in zip(drawn, machine_.results, strict=True):
        for slot in range(slots):
            for core in range(design.cores):
                assert found[slot][core] == machine_.expected(exponents, tests, slot, core), (slot, core)
    n = design.parameters.lwe_dimension
    for number, ((slots, *_), (begun, end)) in enumerate(zip(drawn, times, strict=True)):
        rows = machine_.taken if design.resident else machine_.taken[number * n : (number + 1) * n]
        assert job_starts(design, slots, begun, lambda row, start, rows=rows: rows[row])[1] == end
