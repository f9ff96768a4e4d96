"""What CSR and CSC share: slice after slice along one axis, with a pointer to where each begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from workloads.sparse.format import Encoded, Entries, Field, Format, Size, index_bits, of_matrix, starts
from workloads.sparse.nonzeros import NonZeros


@dataclass(frozen=True, kw_only=True)
class Compressed(Format):
    """z (b + k(minor)) + (major + 1) k(z + 1) bits, with k = ceil(log2)."""

    MAJOR: ClassVar[int]  # the axis that has pointers

    def size(self, matrix: NonZeros) -> Size:
        shape = of_matrix(self, matrix)
        metadata_bits = matrix.nnz * index_bits(shape[1 - self.MAJOR])
        metadata_bits += (shape[self.MAJOR] + 1) * index_bits(matrix.nnz + 1)
        return Size(matrix.nnz, matrix.value_bits, metadata_bits, 0)

    def encode(self, matrix: NonZeros) -> Encoded:
        shape = of_matrix(self, matrix)
        major, minor = matrix.coordinates[self.MAJOR], matrix.coordinates[1 - self.MAJOR]
        order = np.argsort(major, kind="stable")
        pointers = starts(np.bincount(major, minlength=shape[self.MAJOR]))
        return Encoded(
            format=self,
            shape=matrix.shape,
            values=Field(matrix.values[order], matrix.value_bits),
            metadata={
                "indices": Field(minor[order], index_bits(shape[1 - self.MAJOR])),
                "pointers": Field(pointers, index_bits(matrix.nnz + 1)),
            },
        )

    def entries(self, encoded: Encoded) -> Entries:
        counts = np.diff(encoded.metadata["pointers"].numbers)
        major, minor = np.repeat(np.arange(len(counts)), counts), encoded.metadata["indices"].numbers
        return ((major, minor) if self.MAJOR == 0 else (minor, major)), encoded.values.numbers
