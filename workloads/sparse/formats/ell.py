"""ELLPACK: H max_row (b + kW) bits, with k = ceil(log2) and max_row the non-zeros of the fullest row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.sparse.format import Encoded, Entries, Field, Format, Size, index_bits, of_matrix, starts
from workloads.sparse.nonzeros import NonZeros


@dataclass(frozen=True, kw_only=True)
class Ell(Format):
    """All rows are as long as the fullest one; shorter rows end with zeros of column 0."""

    def size(self, matrix: NonZeros) -> Size:
        height, width = of_matrix(self, matrix)
        n_slots = height * _fullest(np.unique(matrix.coordinates[0], return_counts=True)[1])
        return Size(n_slots, matrix.value_bits, n_slots * index_bits(width), n_slots - matrix.nnz)

    def encode(self, matrix: NonZeros) -> Encoded:
        height, width = of_matrix(self, matrix)
        rows, columns = matrix.coordinates
        counts = np.bincount(rows, minlength=height)
        max_row = _fullest(counts)
        slots = rows * max_row + np.arange(matrix.nnz) - starts(counts)[rows]
        values, indices = np.zeros((2, height * max_row), np.int64)
        values[slots] = matrix.values
        indices[slots] = columns
        return Encoded(
            format=self,
            shape=matrix.shape,
            values=Field(values, matrix.value_bits),
            metadata={"indices": Field(indices, index_bits(width))},
        )

    def entries(self, encoded: Encoded) -> Entries:
        values = encoded.values.numbers
        max_row = len(values) // max(encoded.shape[0], 1)
        rows = np.repeat(np.arange(encoded.shape[0]), max_row)
        return (rows, encoded.metadata["indices"].numbers), values


def _fullest(counts: np.ndarray) -> int:
    return int(counts.max(initial=0))


POINTS = (Ell(),)
