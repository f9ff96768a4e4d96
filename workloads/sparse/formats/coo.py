"""Coordinates of every non-zero: z (b + kH + kW) bits, with k = ceil(log2)."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.sparse.format import Encoded, Entries, Field, Format, Size, index_bits
from workloads.sparse.nonzeros import NonZeros


@dataclass(frozen=True, kw_only=True)
class Coo(Format):
    """Any number of dimensions, in row-major order."""

    def size(self, matrix: NonZeros) -> Size:
        widths = sum(index_bits(size) for size in matrix.shape)
        return Size(matrix.nnz, matrix.value_bits, matrix.nnz * widths, 0)

    def encode(self, matrix: NonZeros) -> Encoded:
        axes = zip(matrix.coordinates, matrix.shape, strict=True)
        return Encoded(
            format=self,
            shape=matrix.shape,
            values=Field(matrix.values, matrix.value_bits),
            metadata={f"axis{i}": Field(axis, index_bits(size)) for i, (axis, size) in enumerate(axes)},
        )

    def entries(self, encoded: Encoded) -> Entries:
        return tuple(axis.numbers for axis in encoded.metadata.values()), encoded.values.numbers


POINTS = (Coo(),)
