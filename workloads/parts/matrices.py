"""Sparse matrices: some of the layers, and of these some of the vectors, then some of the rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from designs.errors import InputError
from workloads.kinds.matrices import Matrices, matrices_of
from workloads.parts import Part
from workloads.parts.strata import choose, middles
from workloads.sparse.layer import SparseLayer
from workloads.sparse.nonzeros import NonZeros


def part(workload: Matrices, share: Fraction, name: str) -> Part:
    """Layers that stand for all, `repeat` telling for how many, with at most `share` of the multiplications.

    Multiplications are those by non-zero weights and each layer is simulated once, whatever its repeats. Vectors go
    first; of a single vector, the rows that stay lie evenly over the matrix.
    """
    n_macs, all_macs = _multiplications(workload.layers)
    items = [_Item(layer, n_macs, all_macs) for layer in workload.layers]
    chosen = choose(items, share) if n_macs else None
    if chosen is None:
        raise InputError(f"{name}: wanted matrices with non-zeros enough to be cut so far, got {n_macs}; ask for more")
    found = matrices_of((item.layer for item in chosen.items), name)
    return Part(workload=found, measures={"multiplications": chosen.work[0]})


def _multiplications(layers: Sequence[SparseLayer]) -> tuple[int, int]:
    """Of each layer once, and with repeats."""
    return sum(layer.n_macs for layer in layers), sum(layer.n_macs * layer.repeat for layer in layers)


@dataclass(frozen=True)
class _Item:
    """A layer, and what it is measured against."""

    layer: SparseLayer
    n_macs: int
    all_macs: int

    @property
    def weight(self) -> Fraction:
        return Fraction(self.layer.n_macs * self.layer.repeat, self.all_macs)

    @property
    def work(self) -> tuple[Fraction, ...]:
        return (Fraction(self.layer.n_macs, self.n_macs),)

    def cut(self, share: Fraction) -> _Item:
        """Whole vectors while there is more than one; then rows of the first vector."""
        layer = self.layer
        n_vectors = max(1, math.floor(layer.n_vectors * share))
        left = share * layer.n_vectors / n_vectors
        vectors = None if layer.vectors is None else layer.vectors[:n_vectors]
        layer = replace(layer, n_vectors=n_vectors, vectors=vectors)
        return replace(self, layer=_some_rows(layer, left) if left < 1 else layer)

    def least(self) -> _Item:
        return replace(self, layer=replace(self.cut(Fraction(0)).layer, repeat=1))

    def repeated(self, n: Fraction) -> _Item:
        return replace(self, layer=replace(self.layer, repeat=max(1, round(self.layer.repeat * n))))


def _some_rows(layer: SparseLayer, share: Fraction) -> SparseLayer:
    """The most rows, evenly spaced, that have at most `share` of the non-zeros; at least one."""
    rows = layer.matrix.places // layer.width
    of_row = np.bincount(rows, minlength=layer.height)
    most = math.floor(layer.matrix.nnz * share)
    n_rows = max(1, math.floor(layer.height * share))
    while n_rows > 1 and of_row[middles(layer.height, n_rows)].sum() > most:
        n_rows -= 1
    kept = middles(layer.height, n_rows)
    place = np.full(layer.height, -1)
    place[kept] = np.arange(n_rows)
    alive = place[rows] >= 0
    matrix = NonZeros(
        shape=(n_rows, layer.width),
        places=place[rows[alive]] * layer.width + layer.matrix.places[alive] % layer.width,
        values=layer.matrix.values[alive],
        value_bits=layer.matrix.value_bits,
    )
    return replace(layer, matrix=matrix, numbers=replace(layer.numbers, bias=layer.numbers.bias[kept]))
