"""Wide functions as several LUTs of few inputs: functional decomposition (Ashenhurst 1957, Curtis 1962) and cofactors.

f(X) = g(A, h1(B), ..., hm(B)) for a partition of X into A and B exists where the columns of f's table, one for each
assignment of B and as long as the assignments of A, are at most 2^m different ones. B may share one variable of A; then
the columns are counted for each of its values alone. Cofactors by A are the case in which the h are f with A set.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit

from workloads import truth_tables
from workloads.netlist_builder import NetlistBuilder

_MOST_SEARCHED = 10  # variables up to which all partitions are tried; beyond, only cofactors


def add_function(builder: NetlistBuilder, fanin: Sequence[int], table: int, lut_inputs: int, role: str) -> int:
    """The signal of a function of any number of signals, built of LUTs of at most lut_inputs (3 or more) inputs."""
    if len(fanin) <= lut_inputs:
        return builder.lut(fanin, table, role)
    signals, table = builder.smallest(fanin, table)
    if len(signals) <= lut_inputs:
        return builder.lut(signals, table, role)
    split = _split(table, len(signals), lut_inputs)
    bound = [signals[index] for index in split.bound]
    inner = [add_function(builder, bound, part, lut_inputs, role) for part in split.inner]
    return add_function(builder, [*(signals[index] for index in split.free), *inner], split.outer, lut_inputs, role)


@cache
def luts_of_any(n_variables: int, lut_inputs: int) -> int:
    """LUTs that suffice for every function of so many variables."""
    if n_variables <= lut_inputs:
        return 1
    return min(
        _luts_of_mux(lut_inputs, n_split) + (1 << n_split) * luts_of_any(n_variables - n_split, lut_inputs)
        for n_split in (1, 2)
    )


def _luts_of_mux(lut_inputs: int, n_selects: int) -> int:
    """LUTs of a multiplexer of 2 or 4 signals."""
    if n_selects == 1 or lut_inputs >= 6:
        return 1
    return 2 if lut_inputs >= 4 else 3


class _Split(NamedTuple):
    """f = outer(free..., inner(bound)...); variables are numbered as in f."""

    free: tuple[int, ...]
    bound: tuple[int, ...]
    inner: tuple[int, ...]  # tables over `bound`
    outer: int  # table over `free`, then the values of `inner`


@lru_cache(maxsize=1 << 16)
def _split(table: int, n: int, lut_inputs: int) -> _Split:
    entries = truth_tables.to_entries(table, n)
    costs = np.array([luts_of_any(width, lut_inputs) for width in range(n + 1)])
    muxes = np.array([_luts_of_mux(lut_inputs, 1), _luts_of_mux(lut_inputs, 2)])
    free, shared = _search(entries, n, lut_inputs, costs, muxes, n <= _MOST_SEARCHED)
    if shared == _COFACTORS:
        return _by_cofactors(table, n, _members(free))
    return _by_columns(entries, n, _members(free), _members(shared))


def _members(mask: int) -> tuple[int, ...]:
    return tuple(index for index in range(mask.bit_length()) if mask >> index & 1)


def _by_cofactors(table: int, n: int, free: tuple[int, ...]) -> _Split:
    bound = tuple(index for index in range(n) if index not in free)
    inner = []
    for value in range(1 << len(free)):
        part = table
        for place, index in enumerate(free):
            part = truth_tables.cofactor(part, index, value >> place & 1, n)
        inner.append(truth_tables.shrunk(part, bound, n))
    return _Split(free, bound, tuple(inner), _mux(len(free)))


@cache
def _mux(n_selects: int) -> int:
    """The table of a multiplexer: selects, then what they select from."""
    entry = np.arange(1 << (n_selects + (1 << n_selects)))
    select, data = entry & ((1 << n_selects) - 1), entry >> n_selects
    return truth_tables.from_entries(data >> select & 1)


def _by_columns(entries: np.ndarray, n: int, free: tuple[int, ...], shared: tuple[int, ...]) -> _Split:
    """h: the number of the column among the different ones, in the order of their first assignment of B."""
    bound = tuple(index for index in range(n) if index not in free)
    columns = entries[_offsets(bound)[:, None] | _offsets(free)]  # (assignments of B, of A)
    values = [np.ones(1 << len(free), bool)]
    if shared:
        is_one = np.arange(1 << len(free)) >> free.index(shared[0]) & 1 == 1
        values = [~is_one, is_one]
    numbered = [_numbered(columns[:, value]) for value in values]
    codes = np.concatenate([code for _, code in numbered])  # over B, then the shared variable
    n_inner = max(1, int(codes.max()).bit_length())
    outer = np.zeros((1 << n_inner, 1 << len(free)), np.uint8)
    for value, (first, _) in zip(values, numbered, strict=True):
        kept = columns[first][:, value]
        outer[:, value] = kept[np.arange(1 << n_inner) % len(kept)]  # codes that never come: any column
    inner = tuple(truth_tables.from_entries(codes >> place & 1) for place in range(n_inner))
    return _Split(free, bound + shared, inner, truth_tables.from_entries(outer.ravel()))


def _numbered(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(index of the first of each different row, number of each row's kind), kinds in order of appearance."""
    keys = rows.astype(np.int64) @ (1 << np.arange(rows.shape[1]))
    _, first, kind = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return first[order], number[kind]


def _offsets(variables: Sequence[int]) -> np.ndarray:
    """The index of each assignment of some variables, the others 0."""
    index = np.arange(1 << len(variables))
    return sum(((index >> place & 1) << variable for place, variable in enumerate(variables)), np.zeros_like(index))


_COFACTORS = -1


@njit(cache=True)
def _search(entries, n, lut_inputs, costs, muxes, all_partitions):  # type: ignore[no-untyped-def]
    """(mask of A, mask of the shared variable or _COFACTORS) of the fewest LUTs; later variables stand in A if equal.

    A function of w variables is taken for costs[w] LUTs. Parts of one variable cost nothing.
    """
    best_cost, best_free, best_shared = 1 << 30, 0, 0
    for free in range((1 << n) - 1, 0, -1):
        n_free = _popcount(free)
        if n_free <= 2:
            cost = _cofactor_cost(entries, n, free, n_free, costs, muxes, lut_inputs)
            if cost < best_cost:
                best_cost, best_free, best_shared = cost, free, _COFACTORS
        if not all_partitions or n_free >= lut_inputs or n_free >= n - 1:
            continue
        for choice in range(-1, n):
            shared = 0 if choice < 0 else 1 << choice
            if choice >= 0 and not free & shared or shared == free:
                continue
            n_bound = n - n_free + (choice >= 0)
            most = min(lut_inputs - n_free, (best_cost - 2) // costs[n_bound])
            if most < 1:
                continue
            n_inner = _n_inner(entries, n, free, shared, most)
            if n_inner <= most:
                best_cost, best_free, best_shared = 1 + n_inner * costs[n_bound], free, shared
    return best_free, best_shared


@njit(cache=True)
def _popcount(mask):  # type: ignore[no-untyped-def]
    count = 0
    while mask:
        mask &= mask - 1
        count += 1
    return count


@njit(cache=True)
def _n_inner(entries, n, free, shared, most):  # type: ignore[no-untyped-def]
    """Bits that tell the different columns apart, most + 1 if there are more."""
    bound = ((1 << n) - 1) ^ free
    seen = np.empty(1 << most, np.int64)
    needed = 1
    for value in range(2 if shared else 1):
        base, rest, n_seen = (shared if value else 0), free ^ shared, 0
        assignment = 0
        while True:
            column, place, inside = 0, 0, 0
            while True:
                column |= int(entries[base | assignment | inside]) << place
                place += 1
                inside = (inside - rest) & rest
                if inside == 0:
                    break
            known = False
            for index in range(n_seen):
                if seen[index] == column:
                    known = True
                    break
            if not known:
                if n_seen == len(seen):
                    return most + 1
                seen[n_seen] = column
                n_seen += 1
            assignment = (assignment - bound) & bound
            if assignment == 0:
                break
        while n_seen > 1 << needed:
            needed += 1
    return needed


@njit(cache=True)
def _cofactor_cost(entries, n, free, n_free, costs, muxes, lut_inputs):  # type: ignore[no-untyped-def]
    """LUTs of the different cofactors (inverses are one) by what they depend on, and of the LUTs that select."""
    bound = ((1 << n) - 1) ^ free
    total, n_different = 0, 0
    bases = np.zeros(4, np.int64)
    base = 0
    for number in range(1 << n_free):
        bases[number] = base
        base = (base - free) & free
    for number in range(1 << n_free):
        width = 0
        for index in range(n):
            if bound >> index & 1 and _depends(entries, bases[number], bound ^ (1 << index), 1 << index):
                width += 1
        if width == 0:
            continue
        known = False
        for earlier in range(number):
            known = known or _same_or_inverse(entries, bases[earlier], bases[number], bound)
        if not known:
            n_different += 1
            total += costs[width] if width > 1 else 0
    if n_free + n_different <= lut_inputs:
        return total + 1
    return total + muxes[n_free - 1] if total else 1 << 30  # without inner LUTs, what selects is the function itself


@njit(cache=True)
def _depends(entries, base, others, bit):  # type: ignore[no-untyped-def]
    assignment = 0
    while True:
        if entries[base | assignment] != entries[base | assignment | bit]:
            return True
        assignment = (assignment - others) & others
        if assignment == 0:
            return False


@njit(cache=True)
def _same_or_inverse(entries, first, second, bound):  # type: ignore[no-untyped-def]
    change = entries[first] ^ entries[second]
    assignment = 0
    while True:
        if entries[first | assignment] ^ entries[second | assignment] != change:
            return False
        assignment = (assignment - bound) & bound
        if assignment == 0:
            return True
