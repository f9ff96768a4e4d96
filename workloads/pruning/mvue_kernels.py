"""Compiled chances, values and draws of unbiased estimates; plain float64 arrays only.

workloads/pruning/mvue.py says what they are; its tests compute the chances in fractions with `pair_chances.py_func`.

All kernels are in this one file, since numba's cache sees changes of the file alone that a function stands in.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any

import numpy as np
from numba import njit

PAIRS = np.array([[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]])  # ranks that an outcome of 2:4 keeps; 0 is smallest

entry = njit(cache=True, nogil=True)
inner = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@entry
def list_outcomes(blocks: np.ndarray, chances: np.ndarray, values: np.ndarray) -> None:
    """All outcomes of blocks (n_blocks, m), m = 2 or 4: chances (n_blocks, n_outcomes) and values
    (n_blocks, n_outcomes, m), which comes as 0.
    """
    n_outcomes, m = values.shape[1:]
    order, sorted_magnitudes = np.empty(m, np.int64), np.empty(m)
    for b in range(len(blocks)):
        _sort(blocks[b], order, sorted_magnitudes)
        _chances(sorted_magnitudes, chances[b])
        for outcome in range(n_outcomes):
            _keep(blocks[b], order, sorted_magnitudes, outcome, values[b, outcome])


@entry
def sum_outcomes(blocks: np.ndarray, means: np.ndarray, errors: np.ndarray) -> None:
    """Over all outcomes: means (n_blocks, m) of values, errors (n_blocks,) of |value - block|^2; both come as 0."""
    m = blocks.shape[1]
    n_outcomes = 2 if m == 2 else len(PAIRS)
    order, sorted_magnitudes = np.empty(m, np.int64), np.empty(m)
    chances, values = np.empty(n_outcomes), np.empty(m)
    for b in range(len(blocks)):
        _sort(blocks[b], order, sorted_magnitudes)
        _chances(sorted_magnitudes, chances)
        for outcome in range(n_outcomes):
            values[:] = 0
            _keep(blocks[b], order, sorted_magnitudes, outcome, values)
            for i in range(m):
                means[b, i] += chances[outcome] * values[i]
                errors[b] += chances[outcome] * (values[i] - blocks[b, i]) ** 2


@entry
def draw(blocks: np.ndarray, uniforms: np.ndarray, values: np.ndarray) -> None:
    """One outcome a block into values (n_blocks, m), which comes as 0: the first whose chances, added up, exceed
    uniforms (n_blocks,), numbers from 0 to below 1."""
    m = blocks.shape[1]
    order, sorted_magnitudes = np.empty(m, np.int64), np.empty(m)
    chances = np.empty(2 if m == 2 else len(PAIRS))
    for b in range(len(blocks)):
        _sort(blocks[b], order, sorted_magnitudes)
        _chances(sorted_magnitudes, chances)
        outcome = 0
        reached = chances[0]
        while reached <= uniforms[b] and outcome < len(chances) - 1:
            outcome += 1
            reached += chances[outcome]
        _keep(blocks[b], order, sorted_magnitudes, outcome, values[b])


@inner
def pair_chances(a: Sequence[Any], chances: MutableSequence[Any]) -> None:
    """Of the pairs 12, 13, 14, 23, 24, 34 for ascending magnitudes; where all are 0, 34 is certain.

    Written with differences that are never negative, rounded or not.
    """
    gap = a[3] - a[2]
    reach = a[0] + a[1] + a[2]
    total = reach + a[3]
    for pair in range(6):
        chances[pair] = 0
    if reach > a[3]:
        if 2 * a[0] > gap:
            chances[1] = (2 * a[0] - gap) / (2 * total)
            chances[2] = (2 * a[0] + gap) / (2 * total)
            chances[3] = (2 * a[1] - gap) / (2 * total)
            chances[4] = (2 * a[1] + gap) / (2 * total)
        else:
            chances[2] = 2 * a[0] / total
            chances[3] = (reach - a[3]) / total
            chances[4] = (gap + (a[1] - a[0])) / total
        chances[5] = (gap + (a[2] - a[1]) + (a[2] - a[0])) / total
    elif reach > 0:
        chances[2] = a[0] / reach
        chances[4] = a[1] / reach
        chances[5] = a[2] / reach
    else:
        chances[5] = 1


@inner
def _chances(a: np.ndarray, chances: np.ndarray) -> None:
    if len(a) == 4:
        pair_chances(a, chances)
    else:
        chances[1] = a[1] / (a[0] + a[1]) if a[1] > 0 else 1.0
        chances[0] = 1.0 - chances[1]


@inner
def _keep(block: np.ndarray, order: np.ndarray, a: np.ndarray, outcome: int, values: np.ndarray) -> None:
    """What the outcome keeps, each with its magnitude over its chance to be kept, written without that quotient."""
    if len(a) == 2:
        i = order[outcome]
        values[i] = np.sign(block[i]) * (a[0] + a[1])
        return
    reach = a[0] + a[1] + a[2]
    for rank in PAIRS[outcome]:
        i = order[rank]
        if reach > a[3]:
            values[i] = np.sign(block[i]) * (reach + a[3]) / 2
        else:
            values[i] = block[i] if rank == 3 else np.sign(block[i]) * reach


@inner
def _sort(block: np.ndarray, order: np.ndarray, magnitudes: np.ndarray) -> None:
    """Ascending magnitudes and whose they are; of equal ones the lower index first."""
    for i in range(len(block)):
        magnitude = abs(block[i])
        place = i
        while place > 0 and magnitudes[place - 1] > magnitude:
            magnitudes[place] = magnitudes[place - 1]
            order[place] = order[place - 1]
            place -= 1
        magnitudes[place] = magnitude
        order[place] = i
