"""Blind rotation of a batch of gates, and the transformed key that it multiplies by."""

from __future__ import annotations

import numpy as np

from workloads.tfhe.kernels.compiled import entry, inner
from workloads.tfhe.kernels.digits import store_difference, store_digits
from workloads.tfhe.kernels.transform import forward, forward_into, inverse_into


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
    account); key float64 (n, k+1, digits, columns, N); levels int64 (digits, 3): shift, mask, bias of a digit; offset
    int64; shifts int64 (columns,): what a column's sum is shifted left by, column c belongs to polynomial
    c // (columns / (k+1)); scratch float64 (columns + 2, N); worst float64 (2, width), see `inverse_into`.
    """
    n_points = key.shape[4] // 2
    table = factors.ctypes.data
    n_columns = key.shape[3]
    per_polynomial = n_columns // accumulators.shape[1]
    sums = scratch[:n_columns]
    points = scratch[n_columns].ctypes.data
    differences = scratch[n_columns + 1].ctypes.data  # N words, and N words of digits
    digits = differences + 8 * n_points
    for step in range(exponents.shape[1]):
        for gate in range(exponents.shape[0]):
            sums[:] = 0
            for polynomial in range(accumulators.shape[1]):
                subtract_rotated(lanes, accumulators[gate, polynomial], exponents[gate, step], offset, differences)
                for level in range(levels.shape[0]):
                    for at in range(0, 8 * n_points, 8 * len(lanes)):
                        store_digits(
                            lanes, differences + at, levels[level, 0], levels[level, 1], levels[level, 2], digits + at
                        )
                    row = key[step, polynomial, level].ctypes.data
                    forward_into(lanes, digits, points, row, sums.ctypes.data, n_columns, n_points, passes, table)
            for column in range(n_columns):
                words = accumulators[gate, column // per_polynomial].ctypes.data
                seen = worst.ctypes.data
                inverse_into(
                    lanes, sums[column].ctypes.data, words, shifts[column], seen, n_points, passes, table
                )


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
