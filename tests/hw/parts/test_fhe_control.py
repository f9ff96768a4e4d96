"""Control of blind rotation against the conditions of docs/fhe.md, section 3: every start of every station, exactly."""

from __future__ import annotations

import random
from typing import Any

import pytest
from amaranth.sim import Simulator
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from designs.errors import DesignError
from designs.families.fhe import Design
from hw.parts.fhe_control import RotationControl
from hw.parts.fhe_sequencer import Handover, Sequencer
from hw.parts.fhe_steps import control_layout
from hw.parts.fhe_types import mac_cycles
from tests.hw.parts.fhe_designs import machine
from tests.hw.parts.fhe_events import Start, job_starts

pytestmark = pytest.mark.rtl


def run(dut: Any, bench: Any) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def first_steps(design: Design) -> dict[str, tuple[int, int]]:
    """(mask, value) of the control word where a station takes the first word of a job's first pass."""
    layout, found = control_layout(design), {}
    names = {"rotate": "ROT", "multiply": "MAC", "write_back": "WB"}
    names |= {f"{way}_{y}": f"{way[0].upper()}{y}" for way in ("forward", "inverse") for y in range(design.ntt_ranks)}
    for name, station in names.items():
        field, offset = layout[name].shape, layout[name].offset
        if "step" in dict(field):
            field, offset = field["step"].shape, offset + field["step"].offset
        bits = [field[part] for part in ("valid", "index", "word")]
        mask = sum(((1 << part.width) - 1) << (offset + part.offset) for part in bits)
        found[station] = (mask, 1 << (offset + field["valid"].offset))
    return found


class Batch:
    """What control does in one batch, by cycle, when rows come as soon as they can but never before `offered`."""

    def __init__(self, design: Design, slots: int, offered: list[int], first: int = 3) -> None:
        self.design, self.slots, self.first = design, slots, first
        self.offered, self.starts, self.end = offered, {}, -1
        self.released: list[int] = []
        self.taken: list[int] = []
        self.totals = dict.fromkeys(("rotations", "forward_passes", "mac_cycles", "inverse_passes", "write_backs"), 0)
        self.addresses: list[tuple[int, int]] = []
        self.exponents: list[tuple[int, int]] = []

    async def bench(self, ctx: Any) -> None:
        dut, design = self.dut, self.design
        ctx.set(dut.slots, self.slots)
        ctx.set(dut.n_cells, [design.cores - slot % 2 for slot in range(design.batch)])
        cycle = 0
        while self.end < 0:
            assert cycle < 200_000, "control is stuck"
            ctx.set(dut.start, cycle == self.first)
            number = len(self.taken)
            free = design.resident or number < design.key_rows + len([y for y in self.released if y < cycle])
            come = number < len(self.offered) and cycle >= self.offered[number] and free
            ctx.set(dut.row_taken, come)
            if come:
                self.taken.append(cycle)
            self._observe(ctx, cycle)
            await ctx.tick()
            cycle += 1

    def _observe(self, ctx: Any, cycle: int) -> None:
        dut = self.dut
        control, events = ctx.get(dut.control.as_value()), ctx.get(dut.events)
        for station, (mask, first) in self.patterns.items():
            if control & mask == first:
                self.starts.setdefault(station, []).append(cycle)
        if events.as_bits():
            for name in self.totals:
                self.totals[name] += events[name]
        if ctx.get(dut.row_release):
            self.released.append(cycle)
        if ctx.get(dut.key_en):
            self.addresses.append((ctx.get(dut.key_place), ctx.get(dut.key_address)))
        if ctx.get(dut.exponent_en):
            self.exponents.append((ctx.get(dut.exponent_step), ctx.get(dut.exponent_slot)))
        if ctx.get(dut.done):
            self.end = cycle

    def simulate(self) -> None:
        self.dut = RotationControl(self.design)
        self.patterns = first_steps(self.design)
        run(self.dut, self.bench)

    def expected(self) -> tuple[dict[str, list[int]], int, list[int]]:
        """(starts, rot_end, cycles of rows) by the page."""
        design, groups = self.design, self.design.n_groups
        taken: dict[int, int] = {}

        def row_taken(number: int, start: Start) -> int:
            if number not in taken:
                cycle = max(self.offered[number], row_taken(number - 1, start) + 1 if number else 0)
                if not design.resident and number >= design.key_rows:
                    last = (number - design.key_rows + 1) * self.slots * groups - 1
                    cycle = max(cycle, start("MAC", last) + mac_cycles(design))
                taken[number] = cycle
            return taken[number]

        starts, end = job_starts(design, self.slots, self.first, row_taken)
        return starts, end, [taken[number] for number in range(len(self.offered))]


def check(design: Design, slots: int, offered: list[int]) -> Batch:
    batch = Batch(design, slots, offered)
    batch.simulate()
    starts, end, taken = batch.expected()
    assert batch.starts == starts
    assert batch.end == end
    assert batch.taken == taken
    p, n_jobs = design.parameters, design.parameters.lwe_dimension * slots * design.n_groups
    rows = [(i % (p.lwe_dimension if design.resident else design.key_rows), x)
            for i in range(p.lwe_dimension) for _ in range(slots) for x in range(design.n_groups * mac_cycles(design))]  # fmt: skip
    assert batch.addresses == rows
    assert batch.exponents == [
        (i, s) for i in range(p.lwe_dimension) for s in range(slots) for _ in range(design.n_groups)
    ]
    cells = sum(design.cores - slot % 2 for slot in range(slots)) * p.lwe_dimension
    assert n_jobs == len(starts["ROT"])
    assert batch.totals == {
        "rotations": cells * design.n_groups,
        "forward_passes": cells * design.n_groups * design.n_stages,
        "mac_cycles": cells * design.n_groups * mac_cycles(design),
        "inverse_passes": cells * design.inverse_groups * design.n_stages,
        "write_backs": cells * design.inverse_groups,
    }
    return batch


FIELDS = {
    "ring_degree": [16, 32, 64],
    "coefficients_per_cycle": [2, 4, 8, 16],
    "glwe_dimension": [1, 3],
    "decomposition_levels": [1, 2, 3],
    "rotators": [1, 2],
    "decomposers": [1, 2, 3],
    "key_columns": [1, 2, 4],
    "inverse_ntts": [1, 2, 4],
    "ntt_ranks": [1, 2, 3, 4],
    "multiplier_stages": [1, 2, 5, 16],
    "cores": [1, 2],
    "batch": [1, 2, 3],
    "key_rows": [2, 3, 8],
}


@settings(max_examples=8, deadline=None, phases=[Phase.generate])  # shrinking would simulate for minutes
@given(st.fixed_dictionaries({name: st.sampled_from(values) for name, values in FIELDS.items()}), st.integers(0, 10**6))
def test_every_start(fields: dict[str, int], seed: int) -> None:
    """Any machine, rows in time and late."""
    rng = random.Random(seed)
    try:
        design = machine(lwe_dimension=3, **fields)
    except DesignError:
        fields |= {"rotators": 1, "decomposers": 1, "key_columns": 2, "inverse_ntts": 1, "coefficients_per_cycle": 4}
        design = machine(lwe_dimension=3, **fields)
    slack = rng.choice([0, 50, 400])
    offered = sorted(rng.randrange(slack * (i + 1) + 1) for i in range(3))
    check(design, rng.randint(1, design.batch), offered)


def test_rows_are_released_after_their_last_read() -> None:
    design = machine(ring_degree=16, coefficients_per_cycle=4, batch=2, lwe_dimension=5)
    batch = check(design, 2, [0] * 5)
    last_jobs = batch.starts["MAC"][2 * design.n_groups - 1 :: 2 * design.n_groups]
    assert batch.released == [start + mac_cycles(design) - 1 for start in last_jobs]


def test_resident_rows_stay() -> None:
    design = machine(ring_degree=16, coefficients_per_cycle=4, key_rows=5, lwe_dimension=5)
    assert check(design, 1, [0] * 5).released == []


def test_sequencer() -> None:
    """Two passes of 3 words, 5 cycles apart: words in 0, 1, 2 and 5, 6, 7; then at once the next job, place 1."""
    dut, seen = Sequencer(n_passes=2, n_words=3, interval=5, n_cells=7), []

    async def bench(ctx: Any) -> None:
        for cycle in range(18):
            ctx.set(dut.start, cycle in (0, 8))
            ctx.set(dut.cells_in, 5 if cycle == 0 else 6)
            assert ctx.get(dut.busy) == (0 < cycle < 8 or 8 < cycle < 16)
            assert ctx.get(dut.last) == (cycle in (7, 15))
            assert ctx.get(dut.passes) == {0: 5, 5: 5, 8: 6, 13: 6}.get(cycle, 0)
            if ctx.get(dut.step.valid):
                seen.append((cycle, ctx.get(dut.step.place), ctx.get(dut.step.index), ctx.get(dut.step.word)))
            await ctx.tick()

    run(dut, bench)
    job = [(0, 0, 0), (1, 0, 1), (2, 0, 2), (5, 1, 0), (6, 1, 1), (7, 1, 2)]
    assert seen == [(8 * number + cycle, number, *at) for number in range(2) for cycle, *at in job]


def test_handover() -> None:
    """Places filled in 0 and 1, ready 4 cycles later (2 when asked so); taken in 4: free again in 7."""
    dut = Handover(fill_cycles=4, drain_cycles=3, n_cells=3, most_early=2)
    rooms, jobs, cells = [], [], []

    async def bench(ctx: Any) -> None:
        for cycle in range(12):
            ctx.set(dut.filled, cycle in (0, 1))
            ctx.set(dut.cells_in, cycle + 1)
            ctx.set(dut.taken, cycle in (4, 9))
            ctx.set(dut.early, 2 if cycle in (1, 2) else 0)
            rooms.append(ctx.get(dut.has_room))
            jobs.append(ctx.get(dut.has_job))
            cells.append(ctx.get(dut.cells_out))
            await ctx.tick()

    run(dut, bench)
    assert rooms == [1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert jobs == [0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0]
    assert cells[4] == 1 and cells[5] == 2
