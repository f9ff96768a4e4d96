"""Interleaved CSC with relative indices, as EIE: e (b + r) + P (W + 1) p bits; the e entries include padding zeros."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.sparse import relative
from workloads.sparse.format import Encoded, Entries, Field, Format, Size, at_least, of_matrix, share, starts
from workloads.sparse.nonzeros import NonZeros


@dataclass(frozen=True, kw_only=True)
class InterleavedCsc(Format):
    """Row i belongs to PE i mod `n_pes`; each PE has its rows column after column.

    An entry tells the zeros of its PE's rows before it in its column in `relative_bits` bits; one of value 0 is put in
    after 2^relative_bits - 1 zeros. Each PE has W + 1 pointers of `pointer_bits` bits. In EIE the 4-bit values are
    indices into a codebook of 16 entries, which is not counted. Han et al., EIE, ISCA 2016.
    """

    n_pes: int = 64
    relative_bits: int = 4
    pointer_bits: int = 16

    def __post_init__(self) -> None:
        at_least(self, "n_pes", 1)
        at_least(self, "relative_bits", 1, 32)
        at_least(self, "pointer_bits", 1, 62)

    def size(self, matrix: NonZeros) -> Size:
        width = of_matrix(self, matrix)[1]
        lengths = self._lengths(matrix)
        self._check_pointers(int(lengths.max()))
        n_entries = int(lengths.sum())
        metadata_bits = n_entries * self.relative_bits + self.n_pes * (width + 1) * self.pointer_bits
        return Size(n_entries, matrix.value_bits, metadata_bits, n_entries - matrix.nnz)

    def on_engine(self, n_macs: int, n_sets: int) -> InterleavedCsc:
        return dataclasses.replace(self, n_pes=n_macs)

    def utilization(self, matrix: NonZeros) -> float | None:
        of_matrix(self, matrix)
        return share(matrix.nnz, self.n_pes * int(self._lengths(matrix).max()))

    def encode(self, matrix: NonZeros) -> Encoded:
        width = of_matrix(self, matrix)[1]
        order, pes, columns, gaps = self._ordered(matrix)
        indices, values = relative.pad(gaps, matrix.values[order], self.relative_bits)
        counts = np.zeros((self.n_pes, width), np.int64)
        np.add.at(counts, (pes, columns), relative.n_padding(gaps, self.relative_bits) + 1)
        pointers = np.zeros((self.n_pes, width + 1), np.int64)
        np.cumsum(counts, axis=1, out=pointers[:, 1:])
        self._check_pointers(int(pointers.max(initial=0)))
        return Encoded(
            format=self,
            shape=matrix.shape,
            values=Field(values, matrix.value_bits),
            metadata={
                "relative": Field(indices, self.relative_bits),
                "pointers": Field(pointers.ravel(), self.pointer_bits),
            },
        )

    def entries(self, encoded: Encoded) -> Entries:
        width = encoded.shape[1]
        counts = np.diff(encoded.metadata["pointers"].numbers.reshape(self.n_pes, width + 1), axis=1).ravel()
        slices = np.repeat(np.arange(self.n_pes * width), counts)  # one slice: a column's rows in one PE
        ends = starts(encoded.metadata["relative"].numbers + 1)
        inside = ends[1:] - 1 - ends[starts(counts)[:-1]][slices]
        pes, columns = np.divmod(slices, max(width, 1))
        return (inside * self.n_pes + pes, columns), encoded.values.numbers

    def _lengths(self, matrix: NonZeros) -> np.ndarray:
        """(n_pes,) int64: entries of each PE, padding included."""
        _, pes, _, gaps = self._ordered(matrix)
        lengths = np.bincount(pes, minlength=self.n_pes)
        np.add.at(lengths, pes, relative.n_padding(gaps, self.relative_bits))
        return lengths

    def _ordered(self, matrix: NonZeros) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of each non-zero in stored order: its number in row-major order, PE, column, and the zeros before it."""
        rows, columns = matrix.coordinates
        order = np.lexsort((rows, columns, rows % self.n_pes))
        pes, columns, inside = rows[order] % self.n_pes, columns[order], rows[order] // self.n_pes
        before = np.full(matrix.nnz, -1, np.int64)
        same = (np.diff(pes) == 0) & (np.diff(columns) == 0)
        before[1:][same] = inside[:-1][same]
        return order, pes, columns, inside - before - 1

    def _check_pointers(self, longest: int) -> None:
        if longest >> self.pointer_bits:
            raise InputError(
                f"{self.name}: pointer_bits: wanted {longest.bit_length()} or more for {longest} entries of one PE, "
                f"got {self.pointer_bits}; raise it, or n_pes"
            )


POINTS = (InterleavedCsc(),)
