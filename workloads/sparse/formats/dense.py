"""Every element, zeros too: H W b bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.sparse.format import Encoded, Entries, Field, Format, Size, share
from workloads.sparse.nonzeros import NonZeros, unravel


@dataclass(frozen=True, kw_only=True)
class Dense(Format):
    """Any number of dimensions, row-major."""

    def size(self, matrix: NonZeros) -> Size:
        return Size(matrix.n_places, matrix.value_bits, 0, matrix.n_places - matrix.nnz)

    def utilization(self, matrix: NonZeros) -> float | None:
        """Of lanes that share all elements evenly: the density."""
        return share(matrix.nnz, matrix.n_places)

    def encode(self, matrix: NonZeros) -> Encoded:
        values = np.zeros(matrix.n_places, np.int64)
        values[matrix.places] = matrix.values
        return Encoded(format=self, shape=matrix.shape, values=Field(values, matrix.value_bits), metadata={})

    def entries(self, encoded: Encoded) -> Entries:
        places = np.flatnonzero(encoded.values.numbers)
        return unravel(places, encoded.shape), encoded.values.numbers[places]


POINTS = (Dense(),)
