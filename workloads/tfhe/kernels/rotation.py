"""Blind rotation of a batch of gates, and the transformed key that it multiplies by."""

from __future__ import annotations

import numpy as np

from workloads.tfhe.kernels.butterflies import POINT_BYTES, store_products
from workloads.tfhe.kernels.compiled import entry, inner
from workloads.tfhe.kernels.digits import store_difference, store_digits
from workloads.tfhe.kernels.transform import forward, inverse_into
from workloads.tfhe.kernels.vectors import WORD_BYTES


@entry
def transform_polynomials(
    lanes: tuple[int, ...], words: np.ndarray, points: np.ndarray, passes: np.ndarray, factors: np.ndarray
) -> None:
    """int32 (m, N) to float64 (m, N): vectors of N/2 complex numbers, times 2/N so that the inverse needs no factor."""
    n_points = words.shape[1] // 2
    for row in range(words.shape[0]):
        forward(lanes, words[row].ctypes.data, points[row].ctypes.data, n_points, passes, factors.ctypes.data)
        for index in range(points.shape[1]):
            points[row, index] /= n_points


@entry
def rotate(
    lanes: tuple[int, ...],
    exponents: np.ndarray,
    accumulators: np.ndarray,
    key: np.ndarray,
    levels: np.ndarray,
    offset: int,
    shifts: np.ndarray,
    scratch: np.ndarray,
    passes: np.ndarray,
    factors: np.ndarray,
    worst: np.ndarray,
) -> None:
    """All steps of the blind rotation, in place.

    exponents int64 (batch, n), below 2N; accumulators uint32 (batch, k+1, N + a vector or more, whose words are of no
    account); key float64 (n, leaves, columns, k+1, digits, N / leaves); levels int64 (digits, 3): shift, mask, bias of
    a digit; offset int64; shifts int64 (columns,): what a column's sum is shifted left by, column c belongs to
    polynomial c // (columns / (k+1)); scratch float64 ((k+1) digits + columns + 1, N); worst float64 (2, width), see
    `inverse_into`.
    """
    degree = scratch.shape[1]
    n_points = degree // 2
    n_columns = key.shape[2]
    n_polynomials = accumulators.shape[1]
    n_rows = n_polynomials * levels.shape[0]
    row_bytes = POINT_BYTES * n_points
    leaf_bytes = row_bytes // key.shape[1]
    table = address_of(factors)
    points = address_of(scratch)
    sums = points + n_rows * row_bytes
    differences = sums + n_columns * row_bytes  # N words, and N words of digits
    digits = differences + WORD_BYTES * degree
    for step in range(exponents.shape[1]):
        for gate in range(exponents.shape[0]):
            row = points
            for polynomial in range(n_polynomials):
                subtract_rotated(lanes, accumulators[gate, polynomial], exponents[gate, step], offset, differences)
                for level in range(levels.shape[0]):
                    shift, mask, bias = levels[level, 0], levels[level, 1], levels[level, 2]
                    for at in range(0, WORD_BYTES * degree, 2 * WORD_BYTES * len(lanes)):
                        store_digits(lanes, differences + at, shift, mask, bias, digits + at)
                    forward(lanes, digits, row, n_points, passes, table)
                    row += row_bytes
            factor = address_of(key[step])  # read in the order in which it lies in memory
            for at in range(0, row_bytes, leaf_bytes):
                for column in range(n_columns):
                    target = sums + column * row_bytes + at
                    store_products(lanes, points + at, row_bytes, factor, n_rows, leaf_bytes, target)
                    factor += n_rows * leaf_bytes
            for column in range(n_columns):
                words = address_of(accumulators[gate, column * n_polynomials // n_columns])
                source = sums + column * row_bytes
                inverse_into(lanes, source, words, shifts[column], address_of(worst), n_points, passes, table)


@inner
def address_of(array: np.ndarray) -> int:
    """Signed, since numba makes a double of a variable that is unsigned first and signed later."""
    return np.int64(array.ctypes.data)  # type: ignore[return-value]


@inner
def subtract_rotated(lanes: tuple[int, ...], polynomial: np.ndarray, exponent: int, offset: int, out: int) -> None:
    """out[y] = (X^exponent polynomial)[y] - polynomial[y] + offset, N words at address `out`."""
    width = 2 * len(lanes)
    degree = (len(polynomial) // width - 1) * width
    for index in range(width):  # what follows a polynomial modulo X^N + 1 is its negative
        polynomial[degree + index] = np.uint32(0) - polynomial[index]
    words = polynomial.ctypes.data
    start = 2 * degree - exponent
    for at in range(0, degree, width):
        place = start + at
        sign = -1 if place & degree else 0
        store_difference(lanes, words + 4 * (place & (degree - 1)), sign, words + 4 * at, offset, out + 4 * at)
