"""Sparse matrices: more vectors for each; vectors that are given are given again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workloads.kinds.matrices import Matrices, matrices_of
from workloads.sparse.layer import SparseLayer


def batch(workload: Matrices, n: int, name: str) -> Matrices:
    """`n` inferences, layer by layer."""
    return matrices_of((_more_vectors(layer, n) for layer in workload.layers), name)


def _more_vectors(layer: SparseLayer, n: int) -> SparseLayer:
    vectors = None if layer.vectors is None else np.tile(layer.vectors, (n, 1))
    return replace(layer, n_vectors=n * layer.n_vectors, vectors=vectors)
