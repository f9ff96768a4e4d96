"""Run-length code (RLC): e (b + r) bits, where e counts the non-zeros and the padding zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.sparse import relative
from workloads.sparse.format import Encoded, Entries, Field, Format, Size, at_least
from workloads.sparse.nonzeros import NonZeros, unravel


@dataclass(frozen=True, kw_only=True)
class RunLength(Format):
    """Row-major over the whole tensor; each entry tells the zeros before it in `run_bits` bits.

    A run of 2^run_bits zeros or more has padding: an entry of value 0 after 2^run_bits - 1 zeros. Zeros after the last
    non-zero are not stored.
    """

    run_bits: int = 5

    def __post_init__(self) -> None:
        at_least(self, "run_bits", 1, 32)

    def size(self, matrix: NonZeros) -> Size:
        n_padding = int(relative.n_padding(_gaps(matrix), self.run_bits).sum())
        n_entries = matrix.nnz + n_padding
        return Size(n_entries, matrix.value_bits, n_entries * self.run_bits, n_padding)

    def encode(self, matrix: NonZeros) -> Encoded:
        runs, values = relative.pad(_gaps(matrix), matrix.values, self.run_bits)
        return Encoded(
            format=self,
            shape=matrix.shape,
            values=Field(values, matrix.value_bits),
            metadata={"runs": Field(runs, self.run_bits)},
        )

    def entries(self, encoded: Encoded) -> Entries:
        places = np.cumsum(encoded.metadata["runs"].numbers + 1) - 1
        return unravel(places, encoded.shape), encoded.values.numbers


def _gaps(matrix: NonZeros) -> np.ndarray:
    """Zeros before each non-zero, since the one before it."""
    return np.diff(matrix.places, prepend=-1) - 1


POINTS = (RunLength(run_bits=4), RunLength(run_bits=5))
