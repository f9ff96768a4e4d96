"""The N:M pattern (at most N of M neighbours are kept) and masks by magnitude."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.pruning import kernels

EXACT_INTEGER = 2**53  # integers up to here are float64 numbers
LARGEST_EXPONENT = 500  # magnitudes are below 2**500, so that sums of their squares are finite


@dataclass(frozen=True)
class NOfM:
    """n of every m neighbours are kept; written n:m, as in 2:4."""

    n: int
    m: int

    def __post_init__(self) -> None:
        if not 1 <= self.n <= self.m:
            raise InputError(f"pattern {self}: wanted 1 <= n <= m, got n = {self.n} and m = {self.m}; 2:4 is one")

    def __str__(self) -> str:
        return f"{self.n}:{self.m}"

    @classmethod
    def parse(cls, text: str) -> NOfM:
        """The pattern that "2:4" writes; InputError for anything else."""
        found = re.fullmatch(r"([0-9]{1,4}):([0-9]{1,4})", text)
        if found is None:
            raise InputError(f"pattern {text!r}: wanted two numbers n:m, got none; write 2:4 to keep 2 of 4")
        return cls(int(found[1]), int(found[2]))


def numbers(array: np.ndarray, name: str, *, min_axes: int = 1) -> np.ndarray:
    """`array` as float64, exactly. InputError where it holds no finite real numbers, or not enough axes."""
    array = np.asarray(array)
    if array.dtype.kind not in "iufb" or array.dtype.itemsize > 8:
        raise InputError(f"{name}: wanted integers or floats of at most 64 bits, got {array.dtype}; convert them first")
    if array.ndim < min_axes:
        raise InputError(f"{name}: wanted {min_axes} axes or more, got shape {list(array.shape)}; reshape them first")
    if array.dtype.kind in "iu" and array.size and not -EXACT_INTEGER <= int(array.min()) <= EXACT_INTEGER:
        raise InputError(f"{name}: wanted integers within +-2**53, got {array.min()}; scale them first")
    if array.dtype.kind in "iu" and array.size and int(array.max()) > EXACT_INTEGER:
        raise InputError(f"{name}: wanted integers within +-2**53, got {array.max()}; scale them first")
    found = array.astype(np.float64)
    largest = np.max(np.abs(found), initial=0.0)
    if not largest < 2.0**LARGEST_EXPONENT:  # also where it is nan
        raise InputError(
            f"{name}: wanted finite numbers below 2**{LARGEST_EXPONENT}, got {largest}; mend or scale them first"
        )
    return found


def magnitude_mask(weights: np.ndarray, pattern: NOfM, axis: int = -1) -> np.ndarray:
    """True where a weight is among the n largest magnitudes of its group of m along `axis`; shape of `weights`.

    Groups begin at multiples of m. Of equal magnitudes the one with the lower index is kept. A last group of fewer
    than m keeps min(n, its length), as if zeros followed.
    """
    weights = numbers(weights, "weights")
    groups = to_groups(weights, pattern.m, axis)
    kept = np.zeros(groups.shape, np.uint8)
    kernels.keep_largest(np.abs(groups), pattern.n, kept)
    return from_groups(kept.view(bool), weights.shape, axis)


def to_groups(array: np.ndarray, m: int, axis: int) -> np.ndarray:
    """(n_groups, m): neighbours along `axis`, the last ones followed by zeros up to m."""
    moved = np.moveaxis(array, checked_axis(axis, array.ndim), -1)
    tail = -moved.shape[-1] % m
    if tail:
        moved = np.pad(moved, [(0, 0)] * (moved.ndim - 1) + [(0, tail)])
    return np.ascontiguousarray(moved).reshape(-1, m)


def from_groups(groups: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """What `to_groups` took apart, whole again: an array of `shape`."""
    axis = checked_axis(axis, len(shape))
    others = shape[:axis] + shape[axis + 1 :]
    length = -(-shape[axis] // groups.shape[1]) * groups.shape[1]
    return np.moveaxis(groups.reshape(*others, length)[..., : shape[axis]], -1, axis)


def checked_axis(axis: int, n_axes: int) -> int:
    if not -n_axes <= axis < n_axes:
        raise InputError(f"axis: wanted {-n_axes} to {n_axes - 1}, got {axis}; -1 is the last one")
    return axis % n_axes
