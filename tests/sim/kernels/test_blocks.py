"""The block machine on a recursive program with stacks of its own (docs/batched.md)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from sim.kernels.blocks import BLOCKS_RUN, N_TALLY, USEFUL, lane_utilization, next_block

# fib(n) = 1 where n < 2, else fib(n - 1) + fib(n - 2): called, back from the first call, back from the second.
CALLED, AFTER_FIRST, AFTER_SECOND, N_BLOCKS = range(4)


@njit
def fib_of_all(
    n: np.ndarray, stack_n: np.ndarray, stack_first: np.ndarray, stack_return: np.ndarray, tally: np.ndarray
) -> np.ndarray:
    """fib of each n; stacks are (most calls at a time, n_points)."""
    n_points = len(n)
    counters, lanes = np.zeros(n_points, np.int32), np.zeros(n_points, np.int32)
    depth, found = np.zeros(n_points, np.int64), np.zeros(n_points, np.int64)
    stack_n[0] = n
    stack_return[0] = N_BLOCKS
    while True:
        block, n_here = next_block(counters, N_BLOCKS, lanes, tally)
        if n_here == 0:
            return found
        elif block == CALLED:
            _called(lanes[:n_here], counters, depth, stack_n, stack_return, found)
        elif block == AFTER_FIRST:
            _after_first(lanes[:n_here], counters, depth, stack_n, stack_first, stack_return, found)
        else:
            _after_second(lanes[:n_here], counters, depth, stack_first, stack_return, found)


@njit
def _called(lanes, counters, depth, stack_n, stack_return, found):  # type: ignore[no-untyped-def]
    for point in lanes:
        top = depth[point]
        if stack_n[top, point] < 2:
            found[point] = 1
            counters[point] = stack_return[top, point]
            depth[point] = top - 1
        else:
            stack_n[top + 1, point] = stack_n[top, point] - 1
            stack_return[top + 1, point] = AFTER_FIRST
            depth[point] = top + 1


@njit
def _after_first(lanes, counters, depth, stack_n, stack_first, stack_return, found):  # type: ignore[no-untyped-def]
    for point in lanes:
        top = depth[point]
        stack_first[top, point] = found[point]
        stack_n[top + 1, point] = stack_n[top, point] - 2
        stack_return[top + 1, point] = AFTER_SECOND
        counters[point] = CALLED
        depth[point] = top + 1


@njit
def _after_second(lanes, counters, depth, stack_first, stack_return, found):  # type: ignore[no-untyped-def]
    for point in lanes:
        top = depth[point]
        found[point] += stack_first[top, point]
        counters[point] = stack_return[top, point]
        depth[point] = top - 1


def run_fib(n: list[int]) -> tuple[list[int], np.ndarray]:
    """(fib of each, tally)."""
    shape, tally = (max(n) + 1, len(n)), np.zeros(N_TALLY, np.int64)
    stacks = [np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int32)]
    return fib_of_all(np.array(n), *stacks, tally).tolist(), tally


def stepped_fib(n: int) -> tuple[int, int]:
    """(fib, blocks that one point alone goes through)."""
    if n < 2:
        return 1, 1
    (first, n_first), (second, n_second) = stepped_fib(n - 1), stepped_fib(n - 2)
    return first + second, n_first + n_second + 3


def test_fib_of_four_points() -> None:
    assert run_fib([5, 6, 8, 9])[0] == [8, 13, 34, 55]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=9))
def test_points_do_what_each_does_alone(n: list[int]) -> None:
    found, tally = run_fib(n)
    alone = [stepped_fib(each) for each in n]
    assert found == [value for value, _ in alone]
    assert tally[USEFUL] == sum(blocks for _, blocks in alone)
    assert tally[BLOCKS_RUN] >= max(blocks for _, blocks in alone)


@pytest.mark.parametrize("n_points", [1, 7])
def test_equal_points_never_diverge(n_points: int) -> None:
    assert lane_utilization(run_fib([9] * n_points)[1], n_points) == 1.0


def test_utilization_by_hand() -> None:
    # fib(2) calls fib(1) and fib(0): called twice, back, called, back: 5 blocks; fib(0) is at the exit after the first.
    _, tally = run_fib([2, 0])
    assert tally.tolist() == [5, 6]
    assert lane_utilization(tally, 2) == pytest.approx(6 / 10)
