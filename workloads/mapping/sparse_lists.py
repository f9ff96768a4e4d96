"""The lists of a slice of a sparse machine: rows dealt to sets, non-zeros to lanes, gaps padded (docs/sparse.md 2)."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numba import njit

from designs.families.sparse import Design
from workloads.sparse import relative
from workloads.sparse.format import starts
from workloads.sparse.nonzeros import NonZeros
from workloads.sparse.rearranged import row_permutation

_KEPT_BYTES = 256 << 20  # of dealt slices: the points of a sweep share most of them
_OBJECT_BYTES = 2000  # about what a slice takes beside its numbers


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """Consecutive rows of a matrix as the lists of N lanes; lane = set * ways + way.

    Arrays of entries are list after list, padding included, and are not written to: slices are shared.
    """

    first_row: int
    n_rows: int
    lengths: np.ndarray  # (N,) int64, padding included
    values: np.ndarray  # (n_entries,) int64, 0 for padding
    tags: np.ndarray  # (n_entries,) int64, as stored: the tag, or with relative_bits the gap before it
    accumulators_of_entries: np.ndarray  # (n_entries,) int64, the tag itself
    columns: np.ndarray  # (n_entries,) int64
    is_padding: np.ndarray  # (n_entries,) uint8
    pointers: np.ndarray | None  # (N, W + 1) int32, `queue` only: each lane's first entry of each column, and its end
    permutation: np.ndarray  # (n_rows,) int64, the row of the slice at each position; position = tag * n_sets + set

    @property
    def n_entries(self) -> int:
        """Entries of all lists, padding included."""
        return len(self.values)


class _Dealing(NamedTuple):
    """All that a slice depends on: machines that agree in it share slices."""

    matrix: NonZeros
    first_row: int
    n_rows: int
    n_macs: int
    n_sets: int
    sort_rows: bool
    with_pointers: bool
    relative_bits: int


class _Kept:
    """The slices that were asked for last, up to so many bytes."""

    def __init__(self) -> None:
        self.slices: OrderedDict[_Dealing, Slice] = OrderedDict()
        self.n_bytes = 0

    def slice_of(self, dealing: _Dealing) -> Slice:
        found = self.slices.get(dealing)
        if found is not None:
            self.slices.move_to_end(dealing)
            return found
        dealt = self.slices[dealing] = _deal(dealing)
        self.n_bytes += _n_bytes(dealt)
        while self.n_bytes > _KEPT_BYTES and len(self.slices) > 1:
            self.n_bytes -= _n_bytes(self.slices.popitem(last=False)[1])
        return dealt


_kept = _Kept()


def _n_bytes(dealt: Slice) -> int:
    """Memory that the slice takes."""
    arrays = (getattr(dealt, field.name) for field in dataclasses.fields(dealt))
    return _OBJECT_BYTES + sum(array.nbytes for array in arrays if isinstance(array, np.ndarray))


def slice_of(design: Design, matrix: NonZeros, first_row: int, n_rows: int) -> Slice:
    """The lists of `n_rows` rows from `first_row` on, even where they are too long; kept for the next who asks.

    n_rows is at most accumulators * n_sets, and the matrix no wider than act_words.
    """
    return _kept.slice_of(
        _Dealing(
            matrix, first_row, n_rows, design.n_macs, design.n_sets, design.sort_rows, design.feed == "queue",
            design.gap_bits,
        )
    )  # fmt: skip


def longest_list(design: Design, row_counts: np.ndarray) -> int:
    """Entries of the longest list of a slice of rows with so many non-zeros each, padding left out."""
    permuted = row_counts[permutation_of(design.sort_rows, design.n_sets, row_counts)]
    n_in_set = np.bincount(np.arange(len(permuted)) % design.n_sets, weights=permuted)
    return -(-int(n_in_set.max(initial=0)) // design.ways)


def permutation_of(sort_rows: bool, n_sets: int, row_counts: np.ndarray) -> np.ndarray:
    """(n_rows,) int64: the row at each position, from the non-zeros of each row."""
    return row_permutation(row_counts, n_sets) if sort_rows else np.arange(len(row_counts))


@dataclass(frozen=True, eq=False)
class Extent:
    """What is asked of a matrix again and again."""

    row_starts: np.ndarray  # (H + 1,) int64: the number of each row's first non-zero, and nnz
    lowest: int  # value; 0 where there are none
    highest: int


_extents: WeakKeyDictionary[NonZeros, Extent] = WeakKeyDictionary()


def extent(matrix: NonZeros) -> Extent:
    """Found once a matrix, and forgotten with it."""
    if matrix not in _extents:
        height, width = matrix.shape
        _extents[matrix] = Extent(
            np.searchsorted(matrix.places, np.arange(height + 1) * width),
            int(matrix.values.min(initial=0)),
            int(matrix.values.max(initial=0)),
        )
    return _extents[matrix]


def _deal(dealing: _Dealing) -> Slice:
    matrix, width = dealing.matrix, dealing.matrix.shape[1]
    bounds = extent(matrix).row_starts[dealing.first_row : dealing.first_row + dealing.n_rows + 1]
    permutation = permutation_of(dealing.sort_rows, dealing.n_sets, np.diff(bounds))
    lengths, order, columns, tags = _lists(
        bounds - bounds[0],
        matrix.places[bounds[0] : bounds[-1]] % width,
        permutation,
        width,
        dealing.n_macs,
        dealing.n_sets,
    )
    values = matrix.values[bounds[0] + order]
    stored, is_padding = tags, np.zeros(len(tags), np.uint8)
    if dealing.relative_bits:
        lanes = np.repeat(np.arange(dealing.n_macs), lengths)
        stored, values, tags, columns, is_padding, lengths = _padded(
            dealing.relative_bits, lanes, columns, tags, values, dealing.n_macs
        )
    return Slice(
        first_row=dealing.first_row,
        n_rows=dealing.n_rows,
        lengths=lengths,
        values=values,
        tags=stored,
        accumulators_of_entries=tags,
        columns=columns,
        is_padding=is_padding,
        pointers=_pointers(lengths, columns, width) if dealing.with_pointers else None,
        permutation=permutation,
    )


@njit(cache=True)
def _lists(bounds, columns, permutation, width, n_macs, n_sets):  # type: ignore[no-untyped-def]
    """(lengths, order, columns, tags) of `rearranged.deal` without its sorts: row i's non-zeros are bounds[i] on.

    An entry moves as one word, column << 48 | position << 32 | number of 16, 16 and 32 bits, which machines hold: it is
    the scattered writes that take the time.
    """
    n = len(columns)
    ways = n_macs // n_sets
    # Column after column, each in the order of positions.
    slots = np.zeros(width + 1, np.int64)
    for k in range(n):
        slots[columns[k] + 1] += 1
    for column in range(width):
        slots[column + 1] += slots[column]
    scanned = np.empty(n, np.int64)
    n_in_set = np.zeros(n_sets, np.int64)
    for position in range(len(permutation)):
        row = permutation[position]
        n_in_set[position % n_sets] += bounds[row + 1] - bounds[row]
        for k in range(bounds[row], bounds[row + 1]):
            column = columns[k]
            scanned[slots[column]] = column << 48 | position << 32 | k
            slots[column] += 1
    # The shortest list of a set, the first of equal ones: its ways in turn.
    lengths = np.empty(n_macs, np.int64)
    next_entry = np.empty(n_macs, np.int64)
    end = 0
    for lane in range(n_macs):
        lengths[lane] = (n_in_set[lane // ways] + ways - 1 - lane % ways) // ways
        next_entry[lane] = end
        end += lengths[lane]
    set_of = np.arange(len(permutation)) % n_sets
    next_lane = np.arange(n_sets) * ways
    dealt = np.empty(n, np.int64)
    for slot in range(n):
        row_set = set_of[scanned[slot] >> 32 & 0xFFFF]
        lane = next_lane[row_set]
        next_lane[row_set] = row_set * ways if lane == row_set * ways + ways - 1 else lane + 1
        dealt[next_entry[lane]] = scanned[slot]
        next_entry[lane] += 1
    tag_of = np.arange(len(permutation)) // n_sets
    column_of, order, tags = np.empty(n, np.int64), dealt, scanned  # fresh memory is what takes time here
    for entry in range(n):
        word = dealt[entry]
        column_of[entry] = word >> 48 & 0xFFFF
        tags[entry] = tag_of[word >> 32 & 0xFFFF]
        order[entry] = word & 0xFFFFFFFF
    return lengths, order, column_of, tags


def _padded(
    bits: int, lanes: np.ndarray, columns: np.ndarray, tags: np.ndarray, values: np.ndarray, n_macs: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(gaps, values, tags, columns, is_padding, lengths), with padding where a gap does not fit `bits` bits."""
    before = np.full(len(tags), -1, np.int64)
    same = (np.diff(lanes) == 0) & (np.diff(columns) == 0)
    before[1:][same] = tags[:-1][same]
    gaps = tags - before - 1
    stored, with_zeros = relative.pad(gaps, values, bits)
    n_each = relative.n_padding(gaps, bits) + 1
    ends = np.cumsum(n_each)
    number = np.arange(len(stored)) - np.repeat(ends - n_each, n_each)  # of an entry among those of its non-zero
    reached = np.repeat(before, n_each) + ((number + 1) << bits)
    is_padding = np.ones(len(stored), np.uint8)
    is_padding[ends - 1] = 0
    reached[ends - 1] = tags
    lengths = np.bincount(np.repeat(lanes, n_each), minlength=n_macs)
    return stored, with_zeros, reached, np.repeat(columns, n_each), is_padding, lengths


def _pointers(lengths: np.ndarray, columns: np.ndarray, width: int) -> np.ndarray:
    """(N, W + 1) int32; the columns of each list ascend."""
    n_macs = len(lengths)
    lanes = np.repeat(np.arange(n_macs), lengths)
    counts = np.bincount(lanes * (width + 1) + columns + 1, minlength=n_macs * (width + 1))
    return np.cumsum(counts.reshape(n_macs, width + 1), axis=1, dtype=np.int32)


def list_starts(slice_: Slice) -> np.ndarray:
    """(N + 1,) int64: the number of each list's first entry among all entries, and n_entries."""
    return starts(slice_.lengths)
