"""Truth tables as integers: bit i is the entry at index i, variable 0 is the least significant bit of the index.

Python's integers do a whole table of 16 variables in a few operations, and are their own hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np


def from_entries(entries: Sequence[int] | np.ndarray) -> int:
    """The table whose entry i is entries[i], each 0 or 1."""
    array = np.asarray(entries)
    packed = np.packbits(array.astype(np.uint8), bitorder="little")
    if array.ndim != 1 or not ((array == 0) | (array == 1)).all():
        raise ValueError("entries of a table: wanted one list of 0 and 1")
    return int.from_bytes(packed.tobytes(), "little")


def to_entries(table: int, n_variables: int) -> np.ndarray:
    """(2^n_variables,) uint8 of 0 and 1."""
    size = 1 << n_variables
    packed = np.frombuffer(table.to_bytes((size + 7) // 8, "little"), np.uint8)
    return np.unpackbits(packed, count=size, bitorder="little")


def from_entries_of_all(entries: np.ndarray, widths: np.ndarray) -> list[int]:
    """Many tables at once: table i is the next 2^widths[i] entries, each 0 or 1."""
    start = np.cumsum(1 << widths) - (1 << widths)
    found = np.empty(len(widths), object)
    for width in np.unique(widths).tolist():
        here = np.flatnonzero(widths == width)
        packed = np.packbits(entries[start[here][:, None] + np.arange(1 << width)], axis=1, bitorder="little")
        found[here] = [int.from_bytes(row, "little") for row in map(bytes, packed)]
    return found.tolist()


def to_entries_of_all(tables: Sequence[int], widths: np.ndarray) -> np.ndarray:
    """The entries of many tables, one after the other: table i has 2^widths[i] of them."""
    sizes = (1 << widths).tolist()
    packed = b"".join(table.to_bytes((size + 7) // 8, "little") for table, size in zip(tables, sizes, strict=True))
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    padded = np.maximum(8, 1 << widths)  # small tables take a byte; its other bits are left out
    place = np.arange(len(bits)) - np.repeat(np.cumsum(padded) - padded, padded)
    return bits[place < np.repeat(1 << widths, padded)]


@cache
def full(n_variables: int) -> int:
    """The table that is 1 everywhere."""
    return (1 << (1 << n_variables)) - 1


@cache
def variable(index: int, n_variables: int) -> int:
    """The table of variable `index` itself."""
    half = 1 << index
    table = ((1 << half) - 1) << half
    width = 2 * half
    while width < 1 << n_variables:
        table |= table << width
        width *= 2
    return table


def support(table: int, n_variables: int) -> list[int]:
    """The variables that the table depends on, ascending."""
    found = []
    for index in range(n_variables):
        if ((table >> (1 << index)) ^ table) & _without(index, n_variables):
            found.append(index)
    return found


@cache
def _without(index: int, n_variables: int) -> int:
    """Where variable `index` is 0."""
    return full(n_variables) ^ variable(index, n_variables)


def cofactor(table: int, index: int, value: int, n_variables: int) -> int:
    """The table with variable `index` set to `value`; still of n_variables, and independent of that one."""
    step = 1 << index
    if value:
        high = table & variable(index, n_variables)
        return high | high >> step
    low = table & _without(index, n_variables)
    return low | low << step


def flipped(table: int, index: int, n_variables: int) -> int:
    """The table that reads the inverse of variable `index`."""
    step = 1 << index
    return (table & variable(index, n_variables)) >> step | (table & _without(index, n_variables)) << step


@cache
def _only(low: int, high: int, n_variables: int) -> int:
    return variable(low, n_variables) & _without(high, n_variables)


def swapped(table: int, first: int, second: int, n_variables: int) -> int:
    """The table with two variables exchanged."""
    low, high = min(first, second), max(first, second)
    if low == high:
        return table
    moving = _only(low, high, n_variables)
    step = (1 << high) - (1 << low)
    change = (table ^ (table >> step)) & moving
    return table ^ change ^ (change << step)


def shrunk(table: int, keep: Sequence[int], n_variables: int) -> int:
    """The table over the variables `keep` (ascending, all that it depends on), renumbered from 0."""
    for new, old in enumerate(keep):
        table = swapped(table, new, old, n_variables)
    return table & full(len(keep))


def expanded(table: int, places: Sequence[int], n_variables: int) -> int:
    """The table over n_variables that reads its variable i at places[i] (ascending)."""
    for n in range(len(places), n_variables):
        table |= table << (1 << n)
    for old in range(len(places) - 1, -1, -1):
        table = swapped(table, old, places[old], n_variables)
    return table


def composed(
    table: int, fanin: Sequence[int], inner: int, inner_table: int, inner_fanin: Sequence[int]
) -> tuple[tuple[int, ...], int]:
    """(fan-in, table) of a LUT that computes its input `inner` itself; fan-ins ascend, before and after."""
    place = fanin.index(inner)
    n = len(fanin)
    union = tuple(sorted({*fanin, *inner_fanin} - {inner}))
    at = {signal: index for index, signal in enumerate(union)}
    rest = [index for index in range(n) if index != place]
    places = [at[fanin[index]] for index in rest]
    zero, one = (expanded(shrunk(cofactor(table, place, value, n), rest, n), places, len(union)) for value in (0, 1))
    inside = expanded(inner_table, [at[signal] for signal in inner_fanin], len(union))
    return union, zero ^ (zero ^ one) & inside
