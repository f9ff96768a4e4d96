"""One bit an element, set where there is a non-zero, and the non-zeros: z b + H W bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.sparse.format import Encoded, Entries, Field, Format, Size
from workloads.sparse.nonzeros import NonZeros, unravel


@dataclass(frozen=True, kw_only=True)
class Bitmap(Format):
    """Any number of dimensions, row-major."""

    def size(self, matrix: NonZeros) -> Size:
        return Size(matrix.nnz, matrix.value_bits, matrix.n_places, 0)

    def encode(self, matrix: NonZeros) -> Encoded:
        bits = np.zeros(matrix.n_places, np.int64)
        bits[matrix.places] = 1
        values = Field(matrix.values, matrix.value_bits)
        return Encoded(format=self, shape=matrix.shape, values=values, metadata={"bitmap": Field(bits, 1)})

    def entries(self, encoded: Encoded) -> Entries:
        places = np.flatnonzero(encoded.metadata["bitmap"].numbers)
        return unravel(places, encoded.shape), encoded.values.numbers


POINTS = (Bitmap(),)
