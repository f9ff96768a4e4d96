"""What RCSC and SA-RCSC share: rows dealt to sets, and each set's non-zeros to the lists of its ways.

The rules are a reconstruction: no public text gives them. For H x W weights, N lists and S sets of N / S ways:

1. Rows are sorted by non-zeros, descending; equal ones keep their order.
2. Snake: the sorted rows are cut into groups of S, and each second group is reversed. The row at position i then
   belongs to set i mod S and has the tag floor(i / S).
3. Column after column, in the order of positions, each non-zero is appended to the shortest list of its set, the
   first of equal ones. As every list starts empty, that is: to the ways in turn.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from workloads.sparse.format import Encoded, Entries, Field, Format, Size, index_bits, of_matrix, share, starts
from workloads.sparse.nonzeros import NonZeros


class Lists(NamedTuple):
    """Non-zeros in stored order: list after list."""

    lengths: np.ndarray  # (n_lists,) list set * ways + way
    order: np.ndarray  # (nnz,) number of each in row-major order
    columns: np.ndarray  # (nnz,)
    tags: np.ndarray  # (nnz,)


@dataclass(frozen=True, kw_only=True)
class Rearranged(Format):
    """z (b + kW + k(ceil(H/S))) + N k(longest + 1) bits, and H kH for the permutation where it is not `folded`.

    The width of the list lengths, k(longest + 1), is our choice. A permutation that is folded into the columns of the
    next layer costs nothing; it is then `elsewhere`.
    """

    folded: bool

    @property
    @abstractmethod
    def n_lists(self) -> int:
        """One a MAC."""

    @property
    @abstractmethod
    def n_sets(self) -> int:
        """A divisor of `n_lists`."""

    def size(self, matrix: NonZeros) -> Size:
        height, width = of_matrix(self, matrix)
        longest = self._longest(matrix)
        metadata_bits = matrix.nnz * (index_bits(width) + self._tag_bits(height))
        metadata_bits += self.n_lists * index_bits(longest + 1) + (0 if self.folded else height * index_bits(height))
        return Size(matrix.nnz, matrix.value_bits, metadata_bits, 0)

    def utilization(self, matrix: NonZeros) -> float | None:
        of_matrix(self, matrix)
        return share(matrix.nnz, self.n_lists * self._longest(matrix))

    def encode(self, matrix: NonZeros) -> Encoded:
        height, width = of_matrix(self, matrix)
        permutation = row_permutation(np.bincount(matrix.coordinates[0], minlength=height), self.n_sets)
        lists = deal(matrix, permutation, self.n_lists, self.n_sets)
        metadata = {
            "columns": Field(lists.columns, index_bits(width)),
            "tags": Field(lists.tags, self._tag_bits(height)),
            "lengths": Field(lists.lengths, index_bits(int(lists.lengths.max()) + 1)),
        }
        if not self.folded:
            metadata["permutation"] = Field(permutation, index_bits(height))
        return Encoded(
            format=self,
            shape=matrix.shape,
            values=Field(matrix.values[lists.order], matrix.value_bits),
            metadata=metadata,
            elsewhere={"permutation": permutation} if self.folded else {},
        )

    def entries(self, encoded: Encoded) -> Entries:
        permutation = encoded.elsewhere["permutation"] if self.folded else encoded.metadata["permutation"].numbers
        lists = np.repeat(np.arange(self.n_lists), encoded.metadata["lengths"].numbers)
        sets = lists // (self.n_lists // self.n_sets)
        rows = permutation[encoded.metadata["tags"].numbers * self.n_sets + sets]
        return (rows, encoded.metadata["columns"].numbers), encoded.values.numbers

    def _longest(self, matrix: NonZeros) -> int:
        """Entries of the longest list."""
        # Empty rows come last and load no set: counts of the others are enough, however many rows there are.
        sorted_counts = -np.sort(-np.unique(matrix.coordinates[0], return_counts=True)[1])
        sets = _snake(np.arange(len(sorted_counts)), self.n_sets, matrix.shape[0]) % self.n_sets
        fullest = int(np.bincount(sets, weights=sorted_counts, minlength=self.n_sets).max())
        return -(-fullest // (self.n_lists // self.n_sets))

    def _tag_bits(self, height: int) -> int:
        return index_bits(-(-height // self.n_sets))


def row_permutation(row_counts: np.ndarray, n_sets: int) -> np.ndarray:
    """Steps 1 and 2: the row at each position, from the non-zeros of each row."""
    positions = np.arange(len(row_counts))
    return np.argsort(-row_counts, kind="stable")[_snake(positions, n_sets, len(row_counts))]


def _snake(positions: np.ndarray, n_sets: int, height: int) -> np.ndarray:
    """Position before or after each second group of `height` rows is reversed: its own inverse."""
    first = positions // n_sets * n_sets
    last = np.minimum(first + n_sets, height) - 1
    return np.where(positions // n_sets % 2 == 1, first + last - positions, positions)


def position_of_rows(permutation: np.ndarray) -> np.ndarray:
    """The inverse permutation."""
    positions = np.empty_like(permutation)
    positions[permutation] = np.arange(len(permutation))
    return positions


def deal(matrix: NonZeros, permutation: np.ndarray, n_lists: int, n_sets: int) -> Lists:
    """Step 3, for any permutation of the rows: with n_sets = n_lists and the rows as they are, interleaved CSC."""
    rows, columns = matrix.coordinates
    positions = position_of_rows(permutation)[rows]
    sets = positions % n_sets
    scanned = np.lexsort((positions, columns, sets))
    in_set = np.arange(matrix.nnz) - starts(np.bincount(sets, minlength=n_sets))[sets[scanned]]
    lists = sets[scanned] * (n_lists // n_sets) + in_set % (n_lists // n_sets)
    order = scanned[np.argsort(lists, kind="stable")]
    return Lists(
        lengths=np.bincount(lists, minlength=n_lists),
        order=order,
        columns=columns[order],
        tags=positions[order] // n_sets,
    )
