"""All transposable masks of a block, one by one."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np


@cache
def all_masks(n: int, m: int) -> np.ndarray:
    """(n_masks, m, m) bool: n in every row and every column."""
    rows = [np.isin(np.arange(m), kept) for kept in combinations(range(m), n)]
    masks = np.zeros((1, 0, m), bool)
    for _ in range(m):  # each mask so far with each row that leaves no column above n
        masks = np.concatenate([np.append(masks, np.broadcast_to(row, (len(masks), 1, m)), axis=1) for row in rows])
        masks = masks[(masks.sum(axis=1) <= n).all(axis=1)]
    return masks
