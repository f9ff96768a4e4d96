"""N:M structured sparsity: at most N non-zeros in M neighbours of a row. (H W / M) (N b + metadata) bits; the metadata
of a group are N k(M) bits as indices, at the least k(C(M, N)) bits, with k = ceil(log2).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from designs.errors import InputError
from workloads.sparse.format import Encoded, Entries, Field, Format, Size, at_least, index_bits, of_matrix, share
from workloads.sparse.nonzeros import NonZeros


@dataclass(frozen=True, kw_only=True)
class NOfM(Format):
    """Each group of `m` columns keeps exactly `n` values, in ascending order; zeros where it has fewer non-zeros.

    `n` None is the smallest that holds the matrix. W / M rounds up: the last group of a row is filled with zeros.
    Metadata are the `index` of each kept value, or the `minimum`: the number of the kept set among all C(m, n) in
    colexicographic order.
    """

    n: int | None = None
    m: int = 4
    metadata: Literal["index", "minimum"] = "index"

    def __post_init__(self) -> None:
        at_least(self, "m", 1, 64)
        if self.n is not None:
            at_least(self, "n", 1, self.m)
        if self.metadata not in ("index", "minimum"):
            raise InputError(f"{self.name}: metadata: wanted index or minimum, got {self.metadata!r}; choose one")

    @property
    def label(self) -> str:
        return f"{self.name} {'n' if self.n is None else self.n}:{self.m} {self.metadata}"

    def fitted(self, matrix: NonZeros) -> NOfM:
        fullest = self._fullest(matrix)
        if self.n is None:
            return dataclasses.replace(self, n=max(fullest, 1))
        if fullest > self.n:
            raise InputError(
                f"{self.name}: wanted at most {self.n} non-zeros in {self.m} columns, got {fullest}; "
                "prune it, or raise n"
            )
        return self

    def size(self, matrix: NonZeros) -> Size:
        fitted = self.fitted(matrix)
        n_groups = matrix.shape[0] * self._groups(matrix.shape[1])
        n_values = n_groups * fitted._n
        return Size(n_values, matrix.value_bits, n_groups * fitted._metadata_bits, n_values - matrix.nnz)

    def utilization(self, matrix: NonZeros) -> float | None:
        """Of lanes that share all kept values evenly: 1 where every group has its n non-zeros."""
        return share(matrix.nnz, self.size(matrix).n_values)

    def encode(self, matrix: NonZeros) -> Encoded:
        fitted = self.fitted(matrix)
        n_groups = matrix.shape[0] * self._groups(matrix.shape[1])
        dense = np.zeros((n_groups, self.m), np.int64)
        dense[self._group_of(matrix), matrix.coordinates[1] % self.m] = matrix.values
        # Non-zeros first, then zeros: n different columns in each group, whatever it holds.
        kept = np.sort(np.argsort(dense == 0, axis=1, kind="stable")[:, : fitted._n], axis=1)
        metadata = Field(kept.ravel(), index_bits(self.m))
        if self.metadata == "minimum":
            metadata = Field(_rank(kept, self.m), fitted._metadata_bits)
        values = np.take_along_axis(dense, kept, axis=1).ravel()
        return Encoded(
            format=fitted,
            shape=matrix.shape,
            values=Field(values, matrix.value_bits),
            metadata={self.metadata: metadata},
        )

    def entries(self, encoded: Encoded) -> Entries:
        stored = encoded.metadata[self.metadata].numbers
        kept = stored if self.metadata == "index" else _unrank(stored, self._n, self.m).ravel()
        groups = np.arange(len(kept)) // self._n
        rows, group_columns = np.divmod(groups, max(self._groups(encoded.shape[1]), 1))
        return (rows, group_columns * self.m + kept), encoded.values.numbers

    @property
    def _n(self) -> int:
        if self.n is None:
            raise ValueError("n is open: `fitted` chooses it for a matrix")
        return self.n

    @property
    def _metadata_bits(self) -> int:
        """Of one group."""
        return self._n * index_bits(self.m) if self.metadata == "index" else index_bits(math.comb(self.m, self._n))

    def _groups(self, width: int) -> int:
        return -(-width // self.m)

    def _group_of(self, matrix: NonZeros) -> np.ndarray:
        width = of_matrix(self, matrix)[1]
        rows, columns = matrix.coordinates
        return rows * self._groups(width) + columns // self.m

    def _fullest(self, matrix: NonZeros) -> int:
        return int(np.unique(self._group_of(matrix), return_counts=True)[1].max(initial=0))


def _binomials(m: int, n: int) -> np.ndarray:
    """C(c, i + 1) at [i, c], for c below m; at most C(63, 31), which int64 holds."""
    return np.array([[math.comb(c, i + 1) for c in range(m)] for i in range(n)], np.int64)


def _rank(kept: np.ndarray, m: int) -> np.ndarray:
    """The number of each ascending row of `kept` (groups, n) in colexicographic order."""
    n = kept.shape[1]
    return _binomials(m, n)[np.arange(n), kept].sum(axis=1)


def _unrank(ranks: np.ndarray, n: int, m: int) -> np.ndarray:
    """(groups, n): the inverse of `_rank`, the largest column first."""
    binomials = _binomials(m, n)
    kept = np.zeros((len(ranks), n), np.int64)
    left = ranks.copy()
    for i in reversed(range(n)):
        kept[:, i] = np.searchsorted(binomials[i], left, side="right") - 1
        left -= binomials[i][kept[:, i]]
    return kept


POINTS = (NOfM(m=4), NOfM(m=8))
