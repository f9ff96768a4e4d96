"""Block sparse rows: zb (B^2 b + k(W/B)) + (H/B + 1) k(zb + 1) bits, with zb non-zero blocks and k = ceil(log2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.sparse.format import (
    Encoded,
    Entries,
    Field,
    Format,
    Size,
    at_least,
    index_bits,
    of_matrix,
    starts,
)
from workloads.sparse.nonzeros import NonZeros


@dataclass(frozen=True, kw_only=True)
class Bsr(Format):
    """Blocks of `block` x `block` elements, stored whole; H/B and W/B round up, and zeros fill what stands over."""

    block: int = 4

    def __post_init__(self) -> None:
        at_least(self, "block", 1, 1 << 15)

    def size(self, matrix: NonZeros) -> Size:
        n_rows, n_columns = self._grid(matrix)
        n_blocks = len(np.unique(self._blocks(matrix, n_columns)))
        metadata_bits = n_blocks * index_bits(n_columns) + (n_rows + 1) * index_bits(n_blocks + 1)
        n_values = n_blocks * self.block**2
        return Size(n_values, matrix.value_bits, metadata_bits, n_values - matrix.nnz)

    def encode(self, matrix: NonZeros) -> Encoded:
        n_rows, n_columns = self._grid(matrix)
        rows, columns = matrix.coordinates
        blocks, inverse = np.unique(self._blocks(matrix, n_columns), return_inverse=True)
        values = np.zeros((len(blocks), self.block, self.block), np.int64)
        values[inverse, rows % self.block, columns % self.block] = matrix.values
        pointers = starts(np.bincount(blocks // max(n_columns, 1), minlength=n_rows))
        return Encoded(
            format=self,
            shape=matrix.shape,
            values=Field(values.ravel(), matrix.value_bits),
            metadata={
                "indices": Field(blocks % max(n_columns, 1), index_bits(n_columns)),
                "pointers": Field(pointers, index_bits(len(blocks) + 1)),
            },
        )

    def entries(self, encoded: Encoded) -> Entries:
        counts = np.diff(encoded.metadata["pointers"].numbers)
        block_rows = np.repeat(np.arange(len(counts)), counts)[:, None, None]
        block_columns = encoded.metadata["indices"].numbers[:, None, None]
        inside = np.arange(self.block)
        rows, columns = np.broadcast_arrays(
            block_rows * self.block + inside[:, None], block_columns * self.block + inside
        )
        return (rows.ravel(), columns.ravel()), encoded.values.numbers

    def _grid(self, matrix: NonZeros) -> tuple[int, int]:
        height, width = of_matrix(self, matrix)
        return -(-height // self.block), -(-width // self.block)

    def _blocks(self, matrix: NonZeros, n_columns: int) -> np.ndarray:
        rows, columns = matrix.coordinates
        return rows // self.block * n_columns + columns // self.block


POINTS = (Bsr(block=4), Bsr(block=16))
