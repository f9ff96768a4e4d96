"""Compressed sparse fibers: a tree with one level an axis. Bits, with n_l nodes on level l, D_l the size of its axis
and k = ceil(log2): z b + sum over all levels n_l k(D_l) + sum over all but the last (n_l + 1) k(n_(l+1) + 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from workloads.sparse.format import Encoded, Entries, Field, Format, Size, index_bits
from workloads.sparse.nonzeros import NonZeros, unravel


@dataclass(frozen=True, kw_only=True)
class Csf(Format):
    """Two dimensions or more, row-major; only prefixes of coordinates that lead to a non-zero have a node.

    Of a matrix it is doubly compressed sparse rows: empty rows take no room. The widths of coordinates and pointers are
    our choice, the smallest ones that do; the literature counts words.
    """

    def size(self, matrix: NonZeros) -> Size:
        counts = [len(nodes) for nodes in _levels(matrix)]
        metadata_bits = sum(n * index_bits(size) for n, size in zip(counts, matrix.shape, strict=True))
        metadata_bits += sum((n + 1) * index_bits(below + 1) for n, below in zip(counts, counts[1:], strict=False))
        return Size(matrix.nnz, matrix.value_bits, metadata_bits, 0)

    def encode(self, matrix: NonZeros) -> Encoded:
        levels = _levels(matrix)
        metadata = {}
        for axis, (nodes, size) in enumerate(zip(levels, matrix.shape, strict=True)):
            metadata[f"coordinates{axis}"] = Field(nodes % max(size, 1), index_bits(size))
        for axis, (below, size) in enumerate(zip(levels[1:], matrix.shape[1:], strict=True)):
            parents = below // max(size, 1)
            first = np.flatnonzero(np.diff(parents, prepend=-1))
            metadata[f"pointers{axis}"] = Field(np.append(first, len(below)), index_bits(len(below) + 1))
        values = Field(matrix.values, matrix.value_bits)
        return Encoded(format=self, shape=matrix.shape, values=values, metadata=metadata)

    def entries(self, encoded: Encoded) -> Entries:
        places = encoded.metadata["coordinates0"].numbers
        for axis, size in enumerate(encoded.shape[1:], start=1):
            counts = np.diff(encoded.metadata[f"pointers{axis - 1}"].numbers)
            places = np.repeat(places, counts) * size + encoded.metadata[f"coordinates{axis}"].numbers
        return unravel(places, encoded.shape), encoded.values.numbers


def _levels(matrix: NonZeros) -> list[np.ndarray]:
    """The nodes of each level: the row-major places of the prefixes, ascending."""
    levels = []
    for axis in range(len(matrix.shape)):
        prefixes = matrix.places // max(math.prod(matrix.shape[axis + 1 :]), 1)
        levels.append(prefixes[np.diff(prefixes, prepend=-1) > 0])
    return levels


POINTS = (Csf(),)
