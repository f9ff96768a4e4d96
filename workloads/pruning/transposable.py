"""Masks that are N:M along rows and along columns, so that a weight matrix and its transpose are both sparse.

Per m x m block of magnitudes w, find S in {0, 1} with n in every row and column and the largest sum of S * w: Hubara et
al., Accelerated Sparse Neural Training (NeurIPS 2021), who name the exact problem (a minimum-cost flow) and the greedy
2-approximation.
"""

from __future__ import annotations

import numpy as np

from designs.errors import InputError
from workloads.pruning import kernels
from workloads.pruning.n_of_m import NOfM, numbers


def optimal_mask(weights: np.ndarray, pattern: NOfM) -> np.ndarray:
    """The mask (bool, shape of `weights`) with n of m in rows and columns that keeps the largest sum of magnitudes.

    The last two axes of `weights` are cut into m x m blocks from the first corner on; blocks that stick out are filled
    up with zeros, which may be kept too.
    """
    weights = numbers(weights, "weights", min_axes=2)
    kept = optimal_blocks(to_blocks(weights, pattern.m), pattern.n)
    return from_blocks(kept, weights.shape)


def greedy_mask(weights: np.ndarray, pattern: NOfM) -> np.ndarray:
    """As `optimal_mask`, by the greedy 2-approximation: at most n in a row or column, and at least half of the sum."""
    weights = numbers(weights, "weights", min_axes=2)
    kept = greedy_blocks(to_blocks(weights, pattern.m), pattern.n)
    return from_blocks(kept, weights.shape)


def optimal_blocks(blocks: np.ndarray, n: int) -> np.ndarray:
    """(n_blocks, m, m) bool with n in every row and column and the largest sum of magnitudes.

    Exact on integers below 2**(61 - log2 m). Others count to a 2**-(61 - log2 m) part of the block's largest, which is
    finer than float64 adds them up. Of equally good masks always the same one is found.
    """
    blocks = checked_blocks(blocks, n)
    kept = np.zeros(blocks.shape, np.uint8)
    kernels.keep_best(_integers(np.abs(blocks)), n, kept)
    return kept.view(bool)


def greedy_blocks(blocks: np.ndarray, n: int) -> np.ndarray:
    """(n_blocks, m, m) bool: entries in descending magnitude, of equal ones the first in row order, each kept while its
    row and its column have fewer than n. A block may end with fewer than n * m entries."""
    blocks = checked_blocks(blocks, n)
    m = blocks.shape[1]
    order = np.argsort(-np.abs(blocks).reshape(len(blocks), m * m), axis=1, kind="stable")
    kept = np.zeros(blocks.shape, np.uint8)
    kernels.keep_in_order(order, m, n, kept)
    return kept.view(bool)


def checked_blocks(blocks: np.ndarray, n: int) -> np.ndarray:
    """`blocks` as float64; InputError where they are no (n_blocks, m, m) or n of m is no pattern."""
    blocks = numbers(blocks, "blocks")
    if blocks.ndim != 3 or blocks.shape[1] != blocks.shape[2]:
        raise InputError(f"blocks: wanted shape (n_blocks, m, m), got {list(blocks.shape)}; to_blocks cuts a matrix")
    NOfM(n, blocks.shape[1])
    return blocks


def to_blocks(matrix: np.ndarray, m: int) -> np.ndarray:
    """(n_blocks, m, m) of the last two axes, block rows first; zeros where a block sticks out."""
    *others, rows, columns = matrix.shape
    padded = np.pad(matrix, [(0, 0)] * len(others) + [(0, -rows % m), (0, -columns % m)])
    tiles = np.swapaxes(padded.reshape(*others, -(-rows // m), m, -(-columns // m), m), -3, -2)
    return np.ascontiguousarray(tiles).reshape(-1, m, m)


def from_blocks(blocks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What `to_blocks` cut, whole again: an array of `shape`."""
    m = blocks.shape[1]
    *others, rows, columns = shape
    tiles = blocks.reshape(*others, -(-rows // m), -(-columns // m), m, m)
    padded = np.swapaxes(tiles, -3, -2).reshape(*others, -(-rows // m) * m, -(-columns // m) * m)
    return padded[..., :rows, :columns]


def _integers(magnitudes: np.ndarray) -> np.ndarray:
    """Magnitudes of each block times a power of two, rounded: as large as distances between columns allow.

    A path has fewer than m moves, each below the largest weight: 2**bits * m stays below kernels.FAR.
    """
    m = magnitudes.shape[1]
    bits = 61 - (m - 1).bit_length()
    exponents = np.frexp(magnitudes.max(axis=(1, 2)))[1]
    return np.rint(np.ldexp(magnitudes, (bits - exponents)[:, None, None])).astype(np.int64)
