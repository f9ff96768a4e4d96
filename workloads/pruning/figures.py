"""The statistics that `python -m workloads.pruning` prints, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.pruning import linear_program, mvue
from workloads.pruning.n_of_m import NOfM, magnitude_mask
from workloads.pruning.transposable import greedy_blocks, optimal_blocks

SAME_SUM = 1e-12  # sums that differ relatively by less are equal: the rounding of float64 sums of a block's entries


@dataclass(frozen=True, kw_only=True)
class MaskStatistics:
    """Transposable masks of random |N(0, 1)| blocks."""

    pattern: NOfM
    n_blocks: int
    ratio_mean: float  # greedy sum / best sum, a block
    ratio_min: float
    equal: float  # share of blocks in which the greedy sum is the best one
    incomplete: float  # share of blocks in which the greedy mask has fewer than n * m entries
    retained_transposable: float  # share of a block's magnitude that the best transposable mask keeps, mean
    retained_rows: float  # ... n of m along rows
    retained_unstructured: float  # ... as many entries of the block, any
    n_programs: int  # blocks that the linear program solved too
    fraction_most: float  # how far its solutions are from whole numbers at most
    shortfall_most: float  # largest |best sum - the linear program's|, relative


def mask_statistics(pattern: NOfM, n_blocks: int, seed: int, n_programs: int) -> MaskStatistics:
    """Of standard normal blocks from default_rng(seed); the first `n_programs` also through the linear program."""
    _check_count("blocks", n_blocks)
    _check_count("programs", n_programs)
    n, m = pattern.n, pattern.m
    blocks = np.abs(np.random.default_rng(seed).standard_normal((n_blocks, m, m)))
    greedy, best = greedy_blocks(blocks, n), optimal_blocks(blocks, n)
    best_sums = _sums(blocks, best)
    ratio = _sums(blocks, greedy) / best_sums
    totals = blocks.sum(axis=(1, 2))
    largest = np.sort(blocks.reshape(n_blocks, m * m), axis=1)[:, m * m - n * m :]
    solved = linear_program.solve(blocks[:n_programs], n)
    return MaskStatistics(
        pattern=pattern,
        n_blocks=n_blocks,
        ratio_mean=float(ratio.mean()),
        ratio_min=float(ratio.min()),
        equal=float((ratio > 1 - SAME_SUM).mean()),
        incomplete=float((greedy.sum(axis=(1, 2)) < n * m).mean()),
        retained_transposable=float((best_sums / totals).mean()),
        retained_rows=float((_sums(blocks, magnitude_mask(blocks, pattern)) / totals).mean()),
        retained_unstructured=float((largest.sum(axis=1) / totals).mean()),
        n_programs=len(solved),
        fraction_most=float(np.abs(solved - np.rint(solved)).max()),
        shortfall_most=float(np.abs(_sums(blocks[: len(solved)], solved) / best_sums[: len(solved)] - 1).max()),
    )


@dataclass(frozen=True, kw_only=True)
class GradientStatistics:
    """Sparse estimates of random gradients, blocks of four; errors are shares of their energy (sum of squares)."""

    gradients: str  # their distribution
    n_blocks: int
    bias_most: float  # largest |expectation - block| / largest of the block, over 1:2 and 2:4
    difference_most: float  # largest |expected error - closed form| / energy of the block, over 1:2 and 2:4
    greedy_2_4: float
    mvue_2_4: float
    approximate_2_4: float
    approximate_worst: float  # largest approximate / least error of a block
    uniform_2_4: float
    mvue_1_2: float
    greedy_1_2: float


GRADIENTS: dict[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "laplace": lambda rng, shape: rng.laplace(size=shape),
    "lognormal": lambda rng, shape: rng.lognormal(size=shape),
}


def gradient_statistics(gradients: str, n_blocks: int, seed: int) -> GradientStatistics:
    """Of blocks from default_rng(seed); `gradients` is a name in GRADIENTS."""
    _check_count("blocks", n_blocks)
    if gradients not in GRADIENTS:
        raise InputError(f"gradients: wanted one of {', '.join(GRADIENTS)}, got {gradients!r}; take one of them")
    fours = GRADIENTS[gradients](np.random.default_rng(seed), (n_blocks, 4))
    twos = fours.reshape(-1, 2)
    energy = float(np.square(fours).sum())
    of_2_4, of_1_2 = _exactness(fours, mvue.TWO_OF_FOUR), _exactness(twos, mvue.ONE_OF_TWO)
    least, approximate = mvue.least_error(fours, mvue.TWO_OF_FOUR), mvue.approximate_error(fours)
    return GradientStatistics(
        gradients=gradients,
        n_blocks=n_blocks,
        bias_most=max(of_2_4[0], of_1_2[0]),
        difference_most=max(of_2_4[1], of_1_2[1]),
        greedy_2_4=float(mvue.greedy_error(fours, mvue.TWO_OF_FOUR).sum()) / energy,
        mvue_2_4=float(mvue.expected_error(fours, mvue.TWO_OF_FOUR).sum()) / energy,
        approximate_2_4=float(approximate.sum()) / energy,
        approximate_worst=float((approximate / least).max()),
        uniform_2_4=float(mvue.uniform_error(fours, mvue.TWO_OF_FOUR).sum()) / energy,
        mvue_1_2=float(mvue.expected_error(twos, mvue.ONE_OF_TWO).sum()) / energy,
        greedy_1_2=float(mvue.greedy_error(twos, mvue.ONE_OF_TWO).sum()) / energy,
    )


def _exactness(blocks: np.ndarray, pattern: NOfM) -> tuple[float, float]:
    """Largest bias, largest difference of the error from its closed form; relative to each block."""
    bias = np.abs(mvue.expectation(blocks, pattern) - blocks).max(axis=1) / np.abs(blocks).max(axis=1)
    difference = np.abs(mvue.expected_error(blocks, pattern) - mvue.least_error(blocks, pattern))
    return float(bias.max()), float((difference / np.square(blocks).sum(axis=1)).max())


def _sums(blocks: np.ndarray, kept: np.ndarray) -> np.ndarray:
    return (blocks * kept).sum(axis=(1, 2))


def _check_count(name: str, count: int) -> None:
    if count < 1:
        raise InputError(f"{name}: wanted 1 or more, got {count}; 1000 take a second")
