"""Many designs as columns of numbers: what a batched simulator begins with (docs/batched.md)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


def grouped(keys: Iterable[Hashable]) -> tuple[list[int], np.ndarray]:
    """(place of the first of each different key, (n,) int64 which of those each key is), in order of appearance."""
    numbers: dict[Hashable, int] = {}
    which = [numbers.setdefault(key, len(numbers)) for key in keys]
    found = np.array(which, np.int64)
    firsts = np.full(len(numbers), len(which), np.int64)
    np.minimum.at(firsts, found, np.arange(len(which)))
    return firsts.tolist(), found


def shared(designs: Sequence[_T], key: Callable[[_T], Hashable], of: Callable[[_T], int]) -> np.ndarray:
    """(n,) int64: `of` each design, found once for all that have the same key."""
    firsts, which = grouped(map(key, designs))
    return np.array([of(designs[first]) for first in firsts], np.int64)[which]


def row_keys(rows: np.ndarray) -> list[bytes]:
    """What tells rows (n, m) int64 apart."""
    rows = np.ascontiguousarray(rows, np.int64)
    found: list[bytes] = rows.view(f"V{rows.shape[1] * rows.itemsize}").ravel().tolist()
    return found
