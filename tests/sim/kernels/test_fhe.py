"""The leaping rotation against the same recurrence with every start in a list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernels.fhe import rotation as kernel
from sim.kernels.fhe.rotation import rotate
from sim.parts.fhe_rotation import Shape, interval_cycles, length, tables

LONG_AGO = -(10**15)
NONE = np.zeros(0, np.int64)


def listed(
    shape: Shape, n_slots: int, start: int, loaded: list[int], arrivals: list[int] | None, streamed: bool
) -> tuple[int, list[int]]:
    """(rot_end, when each row was there) of a batch: docs/fhe.md, section 3, job after job, nothing forgotten."""
    words, a, again = shape.poly_words, shape.multiplier_stages, 0
    again = max(words, words // 2 + 1 + a + 2)
    rank = [((x - 1) * again + words, (x - 1) * again + a + 2) for x in shape.rank_stages]
    n_ranks, groups, inverses = len(rank), shape.n_groups, shape.inverse_groups
    multiply = words * shape.column_passes
    rot: list[int] = []
    forward: list[list[int]] = [[] for _ in rank]
    mac: list[int] = []
    inverse: list[list[int]] = [[] for _ in rank]
    write: list[int] = []

    def at(starts: list[int], job: int) -> int:
        return starts[job] if job >= 0 else LONG_AGO

    freed: list[int] = []
    for step in range(shape.n_steps):
        for slot in range(n_slots):
            ciphertext = step * n_slots + slot
            for group in range(groups):
                q = ciphertext * groups + group
                if step:
                    stored = write[((step - 1) * n_slots + slot + 1) * inverses - 1] + 2 + words - 1
                else:
                    stored = start + n_slots * words
                rot.append(max(stored, at(rot, q - 1) + words, at(forward[0], q - 2) + max(1, words - 4)))
                ready = rot[q] + 4 + words // 2 + 1
                for y, (busy, low) in enumerate(rank):
                    following, reads = (forward[y + 1], words) if y + 1 < n_ranks else (mac, multiply)
                    room = at(following, q - 2) + max(1, reads - low)
                    forward[y].append(max(ready, at(forward[y], q - 1) + busy, room))
                    ready = forward[y][q] + low + (words // 2 + 1 if y + 1 < n_ranks else 1)
                if group == 0:
                    ready = max(ready, at(inverse[0], (ciphertext - 1) * inverses - 1) + max(1, words - (a + 2)))
                mac.append(max(ready, at(mac, q - 1) + multiply, loaded[step] + 1))
            for columns in range(inverses):
                q = ciphertext * inverses + columns
                passed = ((columns + 1) * shape.inverse_ntts - 1) // shape.key_columns
                ready = mac[-1] + a + 2 + words * passed + 1
                for y, (busy, low) in enumerate(rank):
                    following = inverse[y + 1] if y + 1 < n_ranks else write
                    room = at(following, q - 2) + max(1, words - low)
                    inverse[y].append(max(ready, at(inverse[y], q - 1) + busy, room))
                    ready = inverse[y][q] + low + words // 2 + 1
                write.append(max(ready, at(write, q - 1) + words))
        freed.append(mac[-1] + multiply)
        if streamed:
            taken = max(loaded[-1], freed[step] - 1)
            for beat in range(shape.row_beats):
                offered = arrivals[len(loaded) * shape.row_beats + beat] if arrivals else 0
                taken = max(taken + 1, offered)
            loaded.append(taken)
    return write[-1] + 2 + words - 1, loaded


def random_shape(rng: np.random.Generator, n_steps: int) -> Shape:
    k = int(rng.choice([1, 2, 3]))
    divisors = [x for x in range(1, k + 2) if (k + 1) % x == 0]
    columns, inverses = int(rng.choice(divisors)), int(rng.choice(divisors))
    stages, ranks = int(rng.integers(4, 11)), int(rng.integers(1, 5))
    return Shape(
        n_steps=n_steps,
        poly_words=int(rng.choice([2, 4, 8, 32, 128])),
        n_groups=int(rng.choice([1, 2, 3, 6])),
        column_passes=(k + 1) // columns,
        inverse_groups=(k + 1) // inverses,
        inverse_ntts=inverses,
        key_columns=columns,
        rank_stages=tuple((y + 1) * stages // ranks - y * stages // ranks for y in range(ranks)),
        multiplier_stages=int(rng.integers(1, 9)),
        key_rows=int(rng.integers(2, n_steps)),
        row_beats=1,
    )


def with_keys(rng: np.random.Generator, shape: Shape, n_slots: int) -> Shape:
    """Rows that take about as long as a step, or far less or more."""
    step = length(shape, n_slots).unstalled // shape.n_steps
    beats = int(step * rng.choice([0.1, 0.7, 0.97, 1.0, 1.03, 1.3, 4.0])) + int(rng.integers(-1, 2))
    return shape._replace(row_beats=max(1, beats))


def check(shape: Shape, n_slots: int, start: int, arrivals: np.ndarray, streamed: bool) -> int:
    """Steps that were computed."""
    sizes, stations, inverse_after = tables(shape)
    sizes = sizes.copy()
    sizes[kernel.STREAMED], sizes[kernel.TOTAL_BEATS] = streamed, len(arrivals)
    first = [start - 1] * shape.key_rows if streamed else [start - 1] * shape.n_steps
    rows = np.full(shape.n_steps + shape.key_rows, start - 1, np.int64)
    end, n_computed = rotate(sizes, stations, inverse_after, n_slots, start, 0, arrivals, rows)
    wanted, there = listed(shape, n_slots, start, first, arrivals.tolist() or None, streamed)
    assert end == wanted
    if streamed:
        assert rows.tolist() == there
    return n_computed


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_rotations_with_and_without_leaps_are_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, n_slots = random_shape(rng, int(rng.integers(3, 80))), int(rng.integers(1, 7))
    shape = with_keys(rng, shape, n_slots)
    start, streamed = int(rng.integers(0, 1000)), bool(rng.random() < 0.8)
    check(shape, n_slots, start, NONE, streamed)
    n_beats = (shape.n_steps + shape.key_rows) * shape.row_beats
    if streamed and n_beats < 5_000:
        check(shape, n_slots, start, 1 + np.cumsum(1 + (rng.random(n_beats) < 0.2)), streamed)


SHAPE = Shape(
    n_steps=300, poly_words=64, n_groups=6, column_passes=1, inverse_groups=2, inverse_ntts=1, key_columns=2,
    rank_stages=(1,) * 10, multiplier_stages=4, key_rows=8, row_beats=1,
)  # fmt: skip


def test_a_ring_that_runs_dry_in_the_middle_leaps_before_and_after() -> None:
    """Rows take 200 cycles more than a step: seven rows ahead last for some hundred steps."""
    step = length(SHAPE, 8).unstalled - length(SHAPE._replace(n_steps=299), 8).unstalled
    assert step == 8 * interval_cycles(SHAPE)
    shape = SHAPE._replace(row_beats=step + 200)
    assert check(shape, 8, 0, NONE, True) < 60
    stalled = length(shape, 8).cycles - length(shape, 8).unstalled
    dry = 300 - stalled / 200
    assert 6 * step / 200 < dry < 7 * step / 200


@pytest.mark.parametrize("n_slots", [1, 2, 3, 8])
def test_nearly_all_steps_are_leapt_over(n_slots: int) -> None:
    assert check(SHAPE, n_slots, 7, NONE, True) < 40


def test_rotations_are_the_same_at_any_time() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        shape = with_keys(rng, random_shape(rng, 30), 3)
        sizes, stations, inverse_after = tables(shape)
        found = []
        for start in (0, 12345):
            rows = np.full(shape.n_steps + shape.key_rows, start - 1, np.int64)
            rows[: shape.key_rows - 1] -= rng.integers(0, 500)  # when they came does not matter
            end, _ = rotate(sizes, stations, inverse_after, 3, start, 0, NONE, rows)
            found.append((end - start, (rows[shape.key_rows :] - start).tolist()))
        assert found[0] == found[1]
