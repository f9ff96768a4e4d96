"""Compiled search for masks; plain arrays only. tests/workloads/pruning/ has a slow twin of each.

All kernels are in this one file, since numba's cache sees changes of the file alone that a function stands in.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FAR = 2**62  # above any distance between columns

entry = njit(cache=True, nogil=True)
inner = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@entry
def keep_largest(magnitudes: np.ndarray, n: int, kept: np.ndarray) -> None:
    """kept[g, i] = 1 for the n largest of each row of magnitudes (n_groups, m), lower index first; kept comes as 0."""
    for g in range(len(magnitudes)):
        _keep_largest(magnitudes[g], n, kept[g])


@entry
def keep_in_order(order: np.ndarray, m: int, n: int, kept: np.ndarray) -> None:
    """The greedy mask of each m x m block: its entries in `order` (n_blocks, m * m) as long as row and column have
    fewer than n. kept (n_blocks, m, m) uint8 comes as 0."""
    in_row = np.empty(m, np.int64)
    in_column = np.empty(m, np.int64)
    for b in range(len(order)):
        in_row[:] = 0
        in_column[:] = 0
        for place in order[b]:
            i, j = place // m, place % m
            if in_row[i] < n and in_column[j] < n:
                kept[b, i, j] = 1
                in_row[i] += 1
                in_column[j] += 1


@entry
def keep_best(weights: np.ndarray, n: int, kept: np.ndarray) -> None:
    """The mask of largest sum with n in every row and column of each block; weights (n_blocks, m, m) int64, at least 0.

    Minimum-cost flow by successive shortest paths (Ahuja, Magnanti, Orlin, Network Flows, section 9.7). Each row begins
    with its n largest, which is best where columns are free. Then one entry at a time moves from columns with too many
    to a column with too few, along the cheapest path of moves inside rows, which leaves the mask the best one for the
    column sums it has. Integers, so that distances are exact and no cycle ever seems to pay. kept comes as 0.
    """
    m = weights.shape[1]
    excess = np.empty(m, np.int64)
    cost = np.empty((m, m), np.int64)
    through = np.empty((m, m), np.int64)
    distance = np.empty(m, np.int64)
    parent = np.empty(m, np.int64)
    for b in range(len(weights)):
        excess[:] = -n
        for i in range(m):
            _keep_largest(weights[b, i], n, kept[b, i])
            for j in range(m):
                excess[j] += kept[b, i, j]
        while True:
            n_left = 0
            for j in range(m):
                n_left += max(excess[j], 0)
            if n_left == 0:
                break
            _moves(weights[b], kept[b], cost, through)
            _shortest(cost, excess, distance, parent)
            _move_one(kept[b], through, parent, excess)


@inner
def _keep_largest(magnitudes: np.ndarray, n: int, kept: np.ndarray) -> None:
    for _ in range(n):
        best = -1
        for i in range(len(magnitudes)):
            if not kept[i] and (best < 0 or magnitudes[i] > magnitudes[best]):
                best = i
        kept[best] = 1


@inner
def _moves(weights: np.ndarray, kept: np.ndarray, cost: np.ndarray, through: np.ndarray) -> None:
    """cost[j, k]: the least that is lost where a row gives up column j for column k; through[j, k]: that row."""
    m = len(weights)
    cost[:] = FAR
    for i in range(m):
        for j in range(m):
            if kept[i, j]:
                for k in range(m):
                    if not kept[i, k] and weights[i, j] - weights[i, k] < cost[j, k]:
                        cost[j, k] = weights[i, j] - weights[i, k]
                        through[j, k] = i


@inner
def _shortest(cost: np.ndarray, excess: np.ndarray, distance: np.ndarray, parent: np.ndarray) -> None:
    """Distances from the columns with too many (Bellman and Ford: costs may be negative, cycles are not)."""
    m = len(cost)
    for j in range(m):
        distance[j] = 0 if excess[j] > 0 else FAR
        parent[j] = -1
    changed = True
    while changed:
        changed = False
        for j in range(m):
            if distance[j] < FAR:
                for k in range(m):
                    if cost[j, k] < FAR and distance[j] + cost[j, k] < distance[k]:
                        distance[k] = distance[j] + cost[j, k]
                        parent[k] = j
                        changed = True


@inner
def _move_one(kept: np.ndarray, through: np.ndarray, parent: np.ndarray, excess: np.ndarray) -> None:
    """One entry along the shortest path to the first column with too few; any such column would do."""
    k = 0
    while excess[k] >= 0:
        k += 1
    excess[k] += 1
    while parent[k] >= 0:
        j = parent[k]
        kept[through[j, k], j] = 0
        kept[through[j, k], k] = 1
        k = j
    excess[k] -= 1
