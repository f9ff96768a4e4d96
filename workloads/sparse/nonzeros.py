"""A sparse matrix or tensor of integers as its non-zeros: what every format encodes and gives back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from designs.errors import InputError
from designs.spelling import shown

MOST_VALUE_BITS = 64
_MOST_PLACES = 1 << 62  # of a shape: places are counted in int64


@dataclass(frozen=True, kw_only=True, eq=False)
class NonZeros:
    """The non-zeros of a tensor of signed integers in row-major order."""

    shape: tuple[int, ...]  # two sizes or more, each 0 or more
    places: np.ndarray  # (nnz,) int64, strictly ascending: the index in row-major order
    values: np.ndarray  # (nnz,) int64, none is 0
    value_bits: int  # two's complement, 1 to 64

    @property
    def nnz(self) -> int:
        return len(self.places)

    @property
    def n_places(self) -> int:
        """Elements of the shape, zeros included."""
        return math.prod(self.shape)

    @property
    def coordinates(self) -> tuple[np.ndarray, ...]:
        """One (nnz,) int64 array an axis: (rows, columns) of a matrix."""
        return unravel(self.places, self.shape)


def unravel(places: np.ndarray, shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """`numpy.unravel_index` that also takes shapes without elements."""
    if places.size == 0:
        return tuple(np.zeros(0, np.int64) for _ in shape)
    return tuple(axis.astype(np.int64) for axis in np.unravel_index(places, tuple(shape)))


def nonzeros(matrix: Any, value_bits: int = 8) -> NonZeros:
    """The non-zeros of a numpy array of two dimensions or more, or of a scipy.sparse matrix.

    Numbers are booleans, integers, or floats that are whole; entries of a scipy.sparse matrix at one place add up.
    InputError for anything else, and for a number that is no signed integer of `value_bits` bits.
    """
    shape, places, values = _entries(matrix)
    _check_bits(value_bits)
    kept, sums = _merged(places, _whole(values))
    _check_range(sums, value_bits)
    alive = sums != 0
    return NonZeros(shape=shape, places=kept[alive], values=sums[alive], value_bits=value_bits)


def pattern(matrix: Any, value_bits: int = 8) -> NonZeros:
    """The places of the non-zeros of any numeric matrix, each with the value -1, which every width holds.

    For sizes of formats, which depend on places and widths only. Entries of a scipy.sparse matrix at one place count
    once. InputError where `nonzeros` would refuse the shape or the width.
    """
    shape, places, values = _entries(matrix)
    _check_bits(value_bits)
    kept = np.unique(places[values != 0])
    return NonZeros(shape=shape, places=kept, values=np.full(len(kept), -1, np.int64), value_bits=value_bits)


def _entries(matrix: Any) -> tuple[tuple[int, ...], np.ndarray, np.ndarray]:
    """Shape, row-major places and values of the entries that are kept; not in order, and maybe several at one place."""
    if scipy.sparse.issparse(matrix):
        listed = scipy.sparse.coo_array(matrix)
        shape, coordinates, values = listed.shape, listed.coords, listed.data
    else:
        dense = np.asarray(matrix)
        shape, coordinates, values = dense.shape, None, dense.ravel()
    if len(shape) < 2:
        raise InputError(f"matrix: wanted two dimensions or more, got {len(shape)}; reshape it, as to (1, n)")
    if math.prod(max(size, 1) for size in shape) > _MOST_PLACES:
        raise InputError(f"matrix: wanted at most 2^62 places, got the shape {shown(shape)}; cut it into parts")
    if values.dtype.kind not in "biuf":
        raise InputError(f"matrix: wanted booleans, integers or whole floats, got {values.dtype}; convert it")
    if coordinates is None:
        places = np.flatnonzero(values)
        return shape, places, values[places]
    places = np.zeros(len(values), np.int64)
    for axis, size in zip(coordinates, shape, strict=True):
        places = places * size + axis
    return shape, places, values


def _merged(places: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places in ascending order, each once, and the sum of the values at each."""
    if np.all(places[1:] > places[:-1]):
        return places, values
    kept, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
    largest = max(abs(int(values.min())), abs(int(values.max()))) * int(counts.max())
    if largest >> (MOST_VALUE_BITS - 1):
        raise InputError(f"matrix: wanted sums of entries at one place in int64, got {largest}; add them up before")
    sums = np.zeros(len(kept), np.int64)
    np.add.at(sums, inverse, values)
    return kept, sums


def _whole(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            fractions = np.flatnonzero(values != np.rint(values))  # NaN too
        if fractions.size:
            raise InputError(
                f"matrix: wanted whole numbers, got {values[fractions[0]]}; quantize it, or take its --pattern"
            )
    _check_range(values, MOST_VALUE_BITS)
    return values.astype(np.int64)


def _check_range(values: np.ndarray, value_bits: int) -> None:
    low, high = -(1 << (value_bits - 1)), (1 << (value_bits - 1)) - 1
    if values.size == 0:
        return
    for extreme in (values.min(), values.max()):
        number = float(extreme) if values.dtype.kind == "f" else int(extreme)
        if not low <= number <= high:
            mend = "quantize it" if value_bits == MOST_VALUE_BITS else "quantize it, or allow more value_bits"
            raise InputError(f"matrix: wanted integers of {value_bits} bits ({low} to {high}), got {number}; {mend}")


def _check_bits(value_bits: int) -> None:
    if not 1 <= value_bits <= MOST_VALUE_BITS:
        raise InputError(f"value_bits: wanted 1 to {MOST_VALUE_BITS}, got {value_bits}; two's complement of that width")
