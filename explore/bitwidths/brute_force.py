"""Every choice of widths: the yardstick for networks of a few tensors."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from designs.errors import InputError
from explore.bitwidths.allocation import Allocation, allocation
from explore.bitwidths.integer_program import least_shortfall
from workloads.bitwidths.problem import FULL_BITS, Problem

NAME = "brute_force"
MOST_COMBINATIONS = 1 << 20
_AT_ONCE = 1 << 16


def brute_force(problem: Problem) -> Allocation:
    """The choice with the least loss of all that keep the limits; the first in order of equals, narrow widths first.

    InputError beyond 2**20 choices (12 tensors of three widths), or where there are no losses.
    """
    began = time.monotonic()
    if problem.free and not problem.losses:
        raise InputError(f"{problem.name}: wanted losses to make least, got none")
    if problem.n_combinations > MOST_COMBINATIONS:
        raise InputError(
            f"{problem.name}: wanted at most {MOST_COMBINATIONS:,} choices to try each, got "
            f"{problem.n_combinations:,} ({len(problem.free)} tensors); take --method integer_program"
        )
    best, least, n_fitting = None, np.inf, 0
    for bits, losses in fitting(problem):
        n_fitting += len(losses)
        if len(losses) and losses.min() < least:
            best, least = bits[int(losses.argmin())], losses.min()
    if best is None:
        shortfall = least_shortfall(problem)
        assert shortfall is not None, "no choice keeps the limits"
        return Allocation(
            method=NAME, shortfall=shortfall, n_evaluated=problem.n_combinations, seconds=time.monotonic() - began
        )
    chosen = {tensor.name: int(width) for tensor, width in zip(problem.free, best, strict=True)}
    return allocation(
        problem, NAME, chosen, is_optimal=True, bound=float(least), gap=0.0, n_evaluated=problem.n_combinations,
        seconds=time.monotonic() - began,
    )  # fmt: skip


def fitting(problem: Problem) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(widths (n, free tensors), losses (n,)) of all choices that keep the limits, some thousands at a time.

    Losses are zeros where the problem has none.
    """
    shape = [len(tensor.bits) for tensor in problem.free]
    for start in range(0, problem.n_combinations, _AT_ONCE):
        numbers = np.arange(start, min(start + _AT_ONCE, problem.n_combinations))
        places = np.unravel_index(numbers, shape) if shape else ()
        widths = {t.name: np.array(t.bits)[i] for t, i in zip(problem.free, places, strict=True)}
        keeps = _keeps(problem, widths, len(numbers))
        bits = np.stack([widths[t.name] for t in problem.free], axis=1) if shape else np.zeros((1, 0), np.int64)
        losses = np.zeros(len(numbers))
        for tensor, place in zip(problem.free, places, strict=True):
            if problem.losses:
                losses += np.array([problem.losses[tensor.name][width] for width in tensor.bits])[place]
        yield bits[keeps], losses[keeps]


def _keeps(problem: Problem, widths: dict[str, np.ndarray], n: int) -> np.ndarray:
    """Which of n choices keep both limits."""

    def bits(name: str) -> np.ndarray:
        own = problem.chooser(name)
        return widths[own.name] if own.name in widths else np.full(n, own.bits[0])

    def size(name: str) -> np.ndarray:
        return -(-problem.by_name[name].n_elements * bits(name) // 8)

    keeps = np.ones(n, bool)
    flash = np.zeros(n, np.int64)
    for step in problem.steps:
        if problem.ram_bytes is not None:
            keeps &= sum(size(name) for name in (step.output, *step.held)) <= problem.ram_bytes
        flash += step.folded_bytes
        if step.weights:
            is_narrow = np.minimum(bits(step.weights), bits(step.output)) < FULL_BITS
            flash += size(step.weights) + is_narrow * (step.narrow_bytes - step.folded_bytes)
    return keeps if problem.flash_bytes is None else keeps & (flash <= problem.flash_bytes)
