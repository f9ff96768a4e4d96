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

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from designs.errors import InputError
from workloads.pruning.n_of_m import NOfM, from_groups, numbers, to_groups

ONE_OF_TWO, TWO_OF_FOUR = NOfM(1, 2), NOfM(2, 4)
# Which ranks (0: the smallest magnitude) an outcome keeps: (n_outcomes, m). For 2:4: 12, 13, 14, 23, 24, 34.
_KEPT_RANKS = {
    p: np.array([np.isin(np.arange(p.m), ranks) for ranks in combinations(range(p.m), p.n)])
    for p in (ONE_OF_TWO, TWO_OF_FOUR)
}


def estimate(gradient: np.ndarray, pattern: NOfM, rng: np.random.Generator, axis: int = -1) -> np.ndarray:
    """A random sparse float64 array of the gradient's shape whose expectation is the gradient; one draw a block.

    Blocks are groups of m along `axis`, from index 0 on; a last group of fewer counts as if zeros followed.
    """
    _check_pattern(pattern)
    gradient = numbers(gradient, "gradient")
    groups = to_groups(gradient, pattern.m, axis)
    ranks, magnitudes = _sorted(groups)
    bounds = np.cumsum(_probabilities(magnitudes, pattern), axis=1)[:, :-1]
    outcomes = (rng.random(len(groups))[:, None] >= bounds).sum(axis=1)
    kept = np.take_along_axis(_KEPT_RANKS[pattern][outcomes], ranks, axis=1)
    found = np.where(kept, _kept_values(groups, ranks, magnitudes), 0.0)
    return from_groups(found, gradient.shape, axis)


def distribution(blocks: np.ndarray, pattern: NOfM) -> tuple[np.ndarray, np.ndarray]:
    """All outcomes of blocks (n_blocks, m): probabilities (n_blocks, n_outcomes), values (n_blocks, n_outcomes, m)."""
    probabilities, values = zip(*_outcomes(blocks, pattern), strict=True)
    return np.stack(probabilities, axis=1), np.stack(values, axis=1)


def expectation(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks, m): the estimate's mean, summed over all outcomes. It is the block, up to rounding."""
    return sum(probability[:, None] * values for probability, values in _outcomes(blocks, pattern))


def expected_error(blocks: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks,): the mean of |estimate - block|^2, summed over all outcomes."""
    outcomes = _outcomes(blocks, pattern)
    return sum(probability * np.square(values - blocks).sum(axis=1) for probability, values in outcomes)


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


def two_of_four(a1: np.ndarray, a2: np.ndarray, a3: np.ndarray, a4: np.ndarray) -> np.ndarray:
    """Probabilities (n, 6) of the pairs 12, 13, 14, 23, 24, 34 for magnitudes a1 <= a2 <= a3 <= a4, each (n,).

    Written with differences that are never negative, rounded or not. Where all magnitudes are 0, 34 is certain. Object
    arrays of Fractions are exact.
    """
    gap, reach = a4 - a3, a1 + a2 + a3
    total = _or_one(reach + a4)
    rest = _or_one(reach)
    none, top = 0 * a1, gap + (a3 - a2) + (a3 - a1)  # top = a3 + a4 - a1 - a2
    even = [none, (2 * a1 - gap) / (2 * total), (2 * a1 + gap) / (2 * total)]
    even += [(2 * a2 - gap) / (2 * total), (2 * a2 + gap) / (2 * total), top / total]
    middle = [none, none, 2 * a1 / total, (reach - a4) / total, (gap + (a2 - a1)) / total, top / total]
    alone = [none, none, a1 / rest, none, a2 / rest, np.where(reach > 0, a3 / rest, 1 + none)]
    cases = [np.stack(case, axis=1) for case in (even, middle, alone)]
    return np.where((2 * a1 > gap)[:, None], cases[0], np.where((reach > a4)[:, None], cases[1], cases[2]))


def _check_pattern(pattern: NOfM) -> None:
    if pattern not in _KEPT_RANKS:
        raise InputError(f"pattern: wanted 1:2 or 2:4 for an unbiased estimate, got {pattern}; take one of them")


def _outcomes(blocks: np.ndarray, pattern: NOfM) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Outcome after outcome of all blocks: its probability (n_blocks,) and its values (n_blocks, m)."""
    blocks = checked_blocks(blocks, pattern)
    ranks, magnitudes = _sorted(blocks)
    kept_values = _kept_values(blocks, ranks, magnitudes)
    for probability, kept in zip(_probabilities(magnitudes, pattern).T, _KEPT_RANKS[pattern], strict=True):
        yield probability, np.where(kept[ranks], kept_values, 0.0)


def _sorted(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rank of each entry by magnitude, magnitudes ascending), both (n_blocks, m)."""
    magnitudes = np.abs(blocks)
    order = np.argsort(magnitudes, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(blocks.shape[1])[None], axis=1)
    return ranks, np.take_along_axis(magnitudes, order, axis=1)


def _probabilities(magnitudes: np.ndarray, pattern: NOfM) -> np.ndarray:
    """(n_blocks, n_outcomes) for ascending magnitudes."""
    if pattern == TWO_OF_FOUR:
        return two_of_four(*magnitudes.T)
    larger = np.where(magnitudes[:, 1] > 0, magnitudes[:, 1] / _or_one(magnitudes.sum(axis=1)), 1.0)
    return np.stack([1 - larger, larger], axis=1)


def _kept_values(blocks: np.ndarray, ranks: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
    """What each entry becomes where it is kept: a_i / q_i, written so that nothing is divided by."""
    signs = np.sign(blocks)
    total = magnitudes.sum(axis=1, keepdims=True)
    if blocks.shape[1] == 2:
        return signs * total
    rest = magnitudes[:, :3].sum(axis=1, keepdims=True)
    alone = np.where(ranks == 3, np.abs(blocks), rest)
    return signs * np.where(rest > magnitudes[:, 3:], total / 2, alone)


def _sum_of_others(terms: np.ndarray) -> np.ndarray:
    """(n_blocks, m): the sum of a block's terms but this one, without cancellation."""
    return np.stack([np.delete(terms, i, axis=1).sum(axis=1) for i in range(terms.shape[1])], axis=1)


def _or_one(divisor: np.ndarray) -> np.ndarray:
    """1 in place of 0, where a quotient is not used."""
    return np.where(divisor == 0, 0 * divisor + 1, divisor)
