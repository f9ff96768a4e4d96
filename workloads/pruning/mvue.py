"""Minimum-variance unbiased estimates (MVUE) of gradients by 1:2 and 2:4 sparse ones.

Chmiel et al., Minimum Variance Unbiased N:M Sparsity for the Neural Gradients (ICLR 2023). A block (m neighbours)
becomes one of a few sparse outcomes, each with its probability. Their expectation is the block, and no other unbiased
choice of n of m has a smaller expected squared error. With magnitudes a1 <= a2 <= a3 <= a4 and their sum S:

1:2  one of two is kept, with probability a_i / S and value sign * S. Error 2 a1 a2.
2:4  a pair is kept, so that i is among it with probability q_i = min(1, 2 a_i / S), or, where 2 a4 > S, q4 = 1 and
     q_i = a_i / (a1 + a2 + a3); its value is sign * a_i / q_i. Error S^2 / 2 - sum a^2, or in the other case
     (a1 + a2 + a3)^2 - (a1^2 + a2^2 + a3^2).

A block of zeros stays one. All of it is float64.
"""

from __future__ import annotations

from math import comb

import numpy as np

from designs.errors import InputError
from workloads.pruning import mvue_kernels
from workloads.pruning.n_of_m import NOfM, from_groups, numbers, to_groups

ONE_OF_TWO, TWO_OF_FOUR = NOfM(1, 2), NOfM(2, 4)


def estimate(gradient: np.ndarray, pattern: NOfM, rng: np.random.Generator, axis: int = -1) -> np.ndarray:
    """A random sparse float64 array of the gradient's shape whose expectation is the gradient; one draw a block.

    Blocks are groups of m along `axis`, from index 0 on; a last group of fewer counts as if zeros followed.
    """
    _check_pattern(pattern)
    gradient = numbers(gradient, "gradient")
    groups = to_groups(gradient, pattern.m, axis)
    found = np.zeros(groups.shape)
    mvue_kernels.draw(groups, rng.random(len(groups)), found)
    return from_groups(found, gradient.shape, axis)


def distribution(blocks: np.ndarray, pattern: NOfM) -> tuple[np.ndarray, np.ndarray]:
    """All outcomes of blocks (n_blocks, m): probabilities (n_blocks, n_outcomes), values (n_blocks, n_outcomes, m)."""
    blocks = checked_blocks(blocks, pattern)
    n_outcomes = comb(pattern.m, pattern.n)
    probabilities = np.empty((len(blocks), n_outcomes))
    values = np.zeros((len(blocks), n_outcomes, pattern.m))
    mvue_kernels.list_outcomes(blocks, probabilities, values)
    return probabilities, values


def expectation(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks, m): the estimate's mean, summed over all outcomes. It is the block, up to rounding."""
    return _sums(blocks, pattern)[0]


def expected_error(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks,): the mean of |estimate - block|^2, summed over all outcomes."""
    return _sums(blocks, pattern)[1]


def least_error(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks,): the closed form of the same, the least that an unbiased n:m estimate can have."""
    magnitudes = np.sort(np.abs(checked_blocks(blocks, pattern)), axis=1)
    if pattern == ONE_OF_TWO:
        return 2 * magnitudes[:, 0] * magnitudes[:, 1]
    low, high = magnitudes[:, :3], magnitudes[:, 3]
    rest = low.sum(axis=1)
    shared = np.square(rest + high) / 2 - np.square(magnitudes).sum(axis=1)
    alone = np.square(rest) - np.square(low).sum(axis=1)
    return np.where(high <= rest, shared, alone)


def greedy_error(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks,): |block|^2 less its n largest: pruning by magnitude, which is biased."""
    squares = np.sort(np.square(checked_blocks(blocks, pattern)), axis=1)
    return squares[:, : pattern.m - pattern.n].sum(axis=1)


def uniform_error(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks,): expected error of n kept at random, each choice alike, times m / n: unbiased."""
    return np.square(checked_blocks(blocks, pattern)).sum(axis=1) * (pattern.m / pattern.n - 1)


def approximate_error(blocks: np.ndarray) -> np.ndarray:
    """(n_blocks,): expected error of the approximate 2:4 estimate; its worst ratio to the least one tends to 2.

    Two are drawn one after the other, without replacement, proportional to magnitude; value a_i / q_i, where
    q_i = p_i + sum over j != i of p_j a_i / (S - a_j) and p_i = a_i / S.
    """
    magnitudes = np.sort(np.abs(checked_blocks(blocks, TWO_OF_FOUR)), axis=1)
    total = magnitudes.sum(axis=1, keepdims=True)
    first = magnitudes / _or_one(total)
    others = _sum_of_others(magnitudes)
    inclusion = first + magnitudes * _sum_of_others(first / _or_one(others))
    # what is alone in its block is surely drawn, and needs no second one
    inclusion = np.where(others > 0, np.minimum(inclusion, 1.0), 1.0)
    return (np.square(magnitudes) * (1 / _or_one(inclusion) - 1)).sum(axis=1)


def checked_blocks(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """`blocks` as float64; InputError where they are no (n_blocks, m) or the pattern has no MVUE here."""
    _check_pattern(pattern)
    blocks = numbers(blocks, "blocks")
    if blocks.ndim != 2 or blocks.shape[1] != pattern.m:
        raise InputError(f"blocks: wanted shape (n_blocks, {pattern.m}), got {list(blocks.shape)}; reshape them first")
    return blocks


def _sums(blocks: np.ndarray, pattern: NOfM) -> tuple[np.ndarray, np.ndarray]:
    blocks = checked_blocks(blocks, pattern)
    means, errors = np.zeros(blocks.shape), np.zeros(len(blocks))
    mvue_kernels.sum_outcomes(blocks, means, errors)
    return means, errors


def _check_pattern(pattern: NOfM) -> None:
    if pattern not in (ONE_OF_TWO, TWO_OF_FOUR):
        raise InputError(f"pattern: wanted 1:2 or 2:4 for an unbiased estimate, got {pattern}; take one of them")


def _sum_of_others(terms: np.ndarray) -> np.ndarray:
    """(n_blocks, m): the sum of a block's terms but this one, without cancellation."""
    return np.stack([np.delete(terms, i, axis=1).sum(axis=1) for i in range(terms.shape[1])], axis=1)


def _or_one(divisor: np.ndarray) -> np.ndarray:
    """1 in place of 0, where a quotient is not used."""
    return np.where(divisor == 0, 1.0, divisor)
