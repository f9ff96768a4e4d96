"""Relative indices of few bits: each entry tells how many zeros came before it; padding zeros where there were more."""

from __future__ import annotations

import numpy as np


def n_padding(gaps: np.ndarray, bits: int) -> np.ndarray:
    """Padding entries before each non-zero that has `gaps` zeros before it: one entry stands for 2^bits places."""
    return gaps >> bits


def pad(gaps: np.ndarray, values: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """(relative indices, values) with the padding entries, which have index 2^bits - 1 and value 0."""
    ends = np.cumsum(n_padding(gaps, bits) + 1)
    n_entries = int(ends[-1]) if ends.size else 0
    indices = np.full(n_entries, (1 << bits) - 1, np.int64)
    padded = np.zeros(n_entries, np.int64)
    indices[ends - 1] = gaps & ((1 << bits) - 1)
    padded[ends - 1] = values
    return indices, padded
