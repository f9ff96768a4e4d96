"""Negacyclic transforms of whole polynomials: tables, and the loops over nodes (butterflies.py says what a node is)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from workloads.tfhe.kernels.butterflies import (
    POINT_BYTES,
    forward_2,
    forward_4,
    forward_8,
    forward_leaf,
    inverse_2,
    inverse_4,
    inverse_8,
    inverse_leaf,
    leaf_factors_bytes,
    n_factors,
    to_words_1,
    to_words_2,
    to_words_4,
    to_words_8,
    words_1,
    words_2,
    words_4,
    words_8,
)
from workloads.tfhe.kernels.compiled import inner
from workloads.tfhe.kernels.vectors import widest_lanes

ALIGNMENT_BYTES = 64  # of a cache line


@dataclass(frozen=True, kw_only=True, eq=False)
class Transform:
    """How polynomials of one degree are transformed on this CPU.

    passes int64 (n, 3): levels at once, bytes in `factors` where the pass's nodes start, bytes a node. Leaves last.
    """

    lanes: tuple[int, ...]
    n_points: int  # N/2
    passes: np.ndarray
    factors: np.ndarray  # float64


def aligned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros whose first element starts a cache line."""
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(n_bytes + ALIGNMENT_BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT_BYTES
    return raw[start : start + n_bytes].view(dtype).reshape(shape)


def transform_of(ring_degree: int, lanes: tuple[int, ...] | None = None) -> Transform:
    """For polynomials modulo X^N + 1, N a power of two and at least 16; `lanes` as `widest_lanes` has it."""
    n_points = ring_degree // 2
    lanes = lanes or widest_lanes(n_points)
    width = len(lanes)
    leaf_levels = width.bit_length() - 1
    upper = n_points.bit_length() - 1 - leaf_levels
    levels = _split(upper)
    tables, passes, depth, used = [], [], 0, 0
    for n_levels in levels:
        table = _factors(depth, n_levels)
        passes.append((n_levels, used, POINT_BYTES * n_factors(n_levels)))
        tables.append(_scalars(table))
        used += tables[-1].nbytes
        depth += n_levels
    passes.append((leaf_levels, used, leaf_factors_bytes(width)))
    tables.append(_leaves(_factors(depth, leaf_levels), width))
    factors = aligned((sum(table.size for table in tables),), np.float64)
    factors[:] = np.concatenate([table.reshape(-1) for table in tables])
    return Transform(lanes=lanes, n_points=n_points, passes=np.array(passes, dtype=np.int64), factors=factors)


def _split(n_levels: int) -> list[int]:
    """Into threes, and twos or a one where three does not divide; a single pass of none at least."""
    n_passes = max(1, -(-n_levels // 3))
    return [n_levels // n_passes + (index < n_levels % n_passes) for index in range(n_passes)]


def _factors(depth: int, n_levels: int) -> np.ndarray:
    """complex128 (2^depth nodes, n_factors): for each node of a depth the factors of its legs from the second on."""
    rows = []
    for angle in _angles(depth):
        ways = [Fraction(0)]  # of legs 0, 1, ..: the sum of the angles of the levels that take them to the right
        for level in reversed(range(n_levels)):
            ways += [way + angle / 2**level for way in ways]
        rows.append([_unit(way) for way in ways[1:]])
    return np.array(rows, dtype=np.complex128).reshape(1 << depth, n_factors(n_levels))


def _angles(depth: int) -> list[Fraction]:
    """In half turns: the angle of each node's factor. The root's is that of sqrt(i)."""
    level = [Fraction(1, 4)]
    for _ in range(depth):
        level = [child for node in level for child in (node / 2, node / 2 + Fraction(1, 2))]
    return level


def _unit(half_turns: Fraction) -> complex:
    """exp(i pi half_turns) for half_turns >= 0, each part within 2^-52: cosines of small angles only."""
    if half_turns > Fraction(1, 2):
        turned = _unit(half_turns - Fraction(1, 2))
        return complex(-turned.imag, turned.real)
    if half_turns > Fraction(1, 4):
        mirrored = _unit(Fraction(1, 2) - half_turns)
        return complex(mirrored.imag, mirrored.real)
    angle = np.pi * float(half_turns)
    return complex(np.cos(angle), np.sin(angle))


def _scalars(factors: np.ndarray) -> np.ndarray:
    return np.stack([factors.real, factors.imag], axis=-1)


def _leaves(factors: np.ndarray, width: int) -> np.ndarray:
    """A row for `width` nodes: of each leg a vector of their factors' real parts, and one of the imaginary parts."""
    vectors = factors.reshape(len(factors) // width, width, -1).transpose(0, 2, 1)
    return np.stack([vectors.real, vectors.imag], axis=2)


@inner
def _forward_nodes(
    lanes: tuple[int, ...], words: int, points: int, n_points: int, passes: np.ndarray, factors: int
) -> None:
    """All levels but the leaves'."""
    levels = passes[0, 0]
    step = (n_points >> levels) * POINT_BYTES
    table = factors + passes[0, 1]
    for at in range(0, n_points >> levels, len(lanes)):
        source, target = words + 4 * at, points + POINT_BYTES * at
        if levels == 3:
            words_8(lanes, source, 4 * n_points, target, step, table)
        elif levels == 2:
            words_4(lanes, source, 4 * n_points, target, step, table)
        elif levels == 1:
            words_2(lanes, source, 4 * n_points, target, step, table)
        else:
            words_1(lanes, source, 4 * n_points, target, step, table)
    size = n_points >> levels
    for number in range(1, len(passes) - 1):
        levels = passes[number, 0]
        step = (size >> levels) * POINT_BYTES
        for node in range(n_points // size):
            first = points + node * size * POINT_BYTES
            table = factors + passes[number, 1] + node * passes[number, 2]
            for target in range(first, first + step, len(lanes) * POINT_BYTES):
                if levels == 3:
                    forward_8(lanes, target, step, table)
                elif levels == 2:
                    forward_4(lanes, target, step, table)
                else:
                    forward_2(lanes, target, step, table)
        size >>= levels


@inner
def forward(
    lanes: tuple[int, ...], words: int, points: int, n_points: int, passes: np.ndarray, factors: int
) -> None:
    """N signed words at address `words` to N/2 complex numbers at address `points`."""
    _forward_nodes(lanes, words, points, n_points, passes, factors)
    size = len(lanes) * len(lanes)
    table = factors + passes[-1, 1]
    for leaf in range(n_points // size):
        forward_leaf(lanes, points + leaf * size * POINT_BYTES, table + leaf * passes[-1, 2])


@inner
def inverse_into(
    lanes: tuple[int, ...],
    points: int,
    words: int,
    shift: int,
    worst: int,
    n_points: int,
    passes: np.ndarray,
    factors: int,
) -> None:
    """Adds N/2 times the inverse transform, rounded and shifted left, to N words; `points` are overwritten.

    `worst` is the address of two vectors of doubles: largest distance from an integer, largest size, seen so far.
    """
    size = len(lanes) * len(lanes)
    table = factors + passes[-1, 1]
    for leaf in range(n_points // size):
        inverse_leaf(lanes, points + leaf * size * POINT_BYTES, table + leaf * passes[-1, 2])
    size = len(lanes)
    for number in range(len(passes) - 2, 0, -1):
        levels = passes[number, 0]
        step = size * POINT_BYTES
        size <<= levels
        for node in range(n_points // size):
            first = points + node * size * POINT_BYTES
            table = factors + passes[number, 1] + node * passes[number, 2]
            for target in range(first, first + step, len(lanes) * POINT_BYTES):
                if levels == 3:
                    inverse_8(lanes, target, step, table)
                elif levels == 2:
                    inverse_4(lanes, target, step, table)
                else:
                    inverse_2(lanes, target, step, table)
    levels = passes[0, 0]
    step = size * POINT_BYTES
    table = factors + passes[0, 1]
    for at in range(0, size, len(lanes)):
        source, target = points + POINT_BYTES * at, words + 4 * at
        if levels == 3:
            to_words_8(lanes, source, step, table, target, 4 * n_points, shift, worst)
        elif levels == 2:
            to_words_4(lanes, source, step, table, target, 4 * n_points, shift, worst)
        elif levels == 1:
            to_words_2(lanes, source, step, table, target, 4 * n_points, shift, worst)
        else:
            to_words_1(lanes, source, step, table, target, 4 * n_points, shift, worst)
