"""Rotations and batches of many points at a time against one after the other (docs/batched.md)."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.blocks import N_TALLY, USEFUL, lane_utilization
from sim.kernels.fhe import batches as b
from sim.kernels.fhe import machines as m
from sim.kernels.fhe.batches import run_batches
from sim.kernels.fhe.blocks import rotate_in_blocks, run_batches_in_blocks
from sim.kernels.fhe.machines import run_machines
from sim.kernels.fhe.rotation import GROUPS, INVERSES, KEY_ROWS, MAC, N_SIZES, ROW_BEATS, STEPS, STREAMED, WORDS
from sim.kernels.fhe.stations import CYCLES, REFILLED, rotation_lengths
from sim.parts.fhe_rotation import all_rows_stay, numbers_of
from tests.sim.kernels.test_fhe import listed, random_shape, with_keys

SEEDS = st.integers(0, 2**32 - 1)
NONE = np.zeros(0, np.int64)


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_rotations_in_blocks_are_those_one_after_the_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, points = int(rng.integers(1, 7)), []
    for _ in range(n):
        slots = int(rng.integers(1, 6))
        points.append((with_keys(rng, random_shape(rng, int(rng.integers(3, 60))), slots), slots))
    shapes = np.stack([numbers_of(shape) for shape, _ in points])
    n_slots, tally = np.array([slots for _, slots in points]), np.zeros(N_TALLY, np.int64)
    resident = shapes.copy()
    all_rows_stay(resident)
    wanted = rotation_lengths(shapes, n_slots)
    end, refilled = rotate_in_blocks(shapes, n_slots, np.ones(n, bool), tally)
    assert (end + 1).tolist() == wanted[:, CYCLES].tolist() and refilled.tolist() == wanted[:, REFILLED].tolist()
    assert 0 < lane_utilization(tally, n) <= 1
    end, _ = rotate_in_blocks(shapes, n_slots, np.zeros(n, bool), tally)
    assert (end + 1).tolist() == rotation_lengths(resident, n_slots)[:, CYCLES].tolist()
    for (shape, slots), (cycles, last) in zip(points, wanted.tolist(), strict=True):
        written_out, rows = listed(shape, slots, 0, [-1] * shape.key_rows, None, True)
        assert (cycles, last) == (written_out + 1, rows[-1])


def test_equal_rotations_never_diverge() -> None:
    shape = random_shape(np.random.default_rng(1), 20)
    shapes, tally = np.stack([numbers_of(shape)] * 5), np.zeros(N_TALLY, np.int64)
    rotate_in_blocks(shapes, np.full(5, 3), np.ones(5, bool), tally)
    assert lane_utilization(tally, 5) == 1.0


def random_program(rng: np.random.Generator, n_batches: int) -> np.ndarray:
    """(n_batches, 5) as `run_batches` has it, of up to 4 slots."""
    table = rng.integers(1, 5, (n_batches, 5))
    table[:, 1] = rng.integers(0, np.arange(n_batches) + 1)
    table[:, 2] *= rng.integers(1, 20)
    return table


def random_machines(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(machines, lengths by slots and most results, sizes of each, key switchers)."""
    machines = rng.integers(1, 60, (m.N_MACHINE, n))
    switchers = rng.integers(1, 4, n)
    lengths = np.zeros((16, m.N_LENGTHS, n), np.int64)
    lengths[:, m.LENGTH] = rng.integers(50, 500, (16, n))
    lengths[:, m.UNSTALLED] = lengths[:, m.LENGTH] - rng.integers(0, 50, (16, n))
    lengths[:, m.REFILLED] = np.where(rng.integers(0, 2, n), rng.integers(1, 600, (16, n)), -1)
    lengths = np.repeat(lengths[::4], 4, axis=0)  # times of a rotation depend on slots alone
    lengths[:, m.SWITCH_INTERVAL] = -(-(np.arange(16) % 4 + 1)[:, None] // switchers)
    sizes = np.zeros((n, N_SIZES), np.int64)
    sizes[:, WORDS], sizes[:, STREAMED] = machines[m.WORDS], lengths[0, m.REFILLED] >= 0
    sizes[:, [STEPS, GROUPS, INVERSES, MAC]], sizes[:, KEY_ROWS] = 1, 1
    sizes[:, ROW_BEATS] = rng.integers(1, 30, n)
    machines[m.KEY_THERE] = machines[m.LATENCY] - 1 + sizes[:, ROW_BEATS]
    return machines, lengths, sizes, switchers


def one_by_one(
    table: np.ndarray, i: int, drawn: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
) -> tuple[int, list[int]]:
    machines, lengths, sizes, switchers = drawn
    machine = np.zeros(b.N_MACHINE, np.int64)
    machine[b.LATENCY], machine[b.OPERAND_BEATS] = machines[[m.LATENCY, m.OPERAND_BEATS], i]
    machine[b.SWITCH_BEATS], machine[b.INTERVAL] = machines[[m.SWITCH_BEATS, m.INTERVAL], i]
    machine[b.SWITCHERS] = switchers[i]
    of_slots = np.zeros((5, b.N_LENGTHS), np.int64)
    of_slots[1:] = lengths[::4, : b.N_LENGTHS, i]
    events, unused = np.zeros((0, b.N_EVENTS), np.int64), np.zeros((0, 3), np.int64)
    cycles, phases = run_batches(table, machine, of_slots, sizes[i], unused, NONE, NONE, NONE, NONE, NONE, events)
    return cycles, phases.tolist()


def kinds_of(table: np.ndarray) -> np.ndarray:
    return (table[:, 0] - 1) * 4 + table[:, 3] - 1


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_batches_of_many_machines_are_those_of_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 3, m.TOGETHER, m.TOGETHER + 2]))
    drawn, table = random_machines(rng, n), random_program(rng, int(rng.integers(1, 30)))
    cycles, phases = run_machines(table, kinds_of(table), *drawn[:2])
    for i in range(0, n, 1 + n // 4):
        assert (cycles[i], phases[:, i].tolist()) == one_by_one(table, i, drawn)


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_batches_in_blocks_are_those_of_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, tally = int(rng.integers(1, 7)), np.zeros(N_TALLY, np.int64)
    tables = [random_program(rng, int(rng.integers(1, 20))) for _ in range(n)]
    n_batches, drawn = np.array([len(table) for table in tables]), random_machines(rng, n)
    first, pool = np.cumsum(n_batches) - n_batches, np.concatenate(tables)
    cycles, phases = run_batches_in_blocks(pool, first, n_batches, *drawn[:2], kinds_of(pool), tally)
    for i, table in enumerate(tables):
        assert (cycles[i], phases[:, i].tolist()) == one_by_one(table, i, drawn)
    assert tally[USEFUL] == 3 * n_batches.sum()
