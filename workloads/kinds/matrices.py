"""Sparse matrices to multiply by vectors: random ones by name, or files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.spelling import shown
from workloads.archives import UNREADABLE, arrays_of, one_line
from workloads.builders.transformers import TRANSFORMER_BASE
from workloads.kinds import array_names
from workloads.load import Workload
from workloads.sparse.layer import SparseLayer
from workloads.sparse.nonzeros import MOST_VALUE_BITS, NonZeros, nonzeros
from workloads.sparse.random_layers import KINDS, numbers_for, pruned_weights, quantized
from workloads.sparse.read import read_matrix
from workloads.sparse.transformer import pruned_transformer, translation

FILES = {
    ".npz": "one or several matrices of whole numbers",
    ".npy": "a matrix of whole numbers",
    ".mtx": "a matrix in Matrix Market form",
}

_TRANSLATION = re.compile(r"transformer_base_pruned:([0-9]?\.?[0-9]{1,9})(?::translate=([0-9]{1,4})x([0-9]{1,4}))?")
_MOST_TOKENS = 1024
_RANDOM = re.compile(r"sparse:([0-9]{1,6})x([0-9]{1,6}):([0-9]?\.?[0-9]{1,9})(?::(\w{1,20}))?")
_SINGLE = (".npy", ".mtx", ".mtx.gz", ".mtx.bz2")
_SCIPY = {"format", "shape", "data"}
_MOST_RANDOM = 1 << 26  # elements of a random matrix: they are drawn dense
_MOST_SIZE = 1 << 24  # rows and columns of a matrix from a file: biases and vectors are dense
_SEED = 1


@dataclass(frozen=True, kw_only=True)
class Matrices(Workload):
    """Sparse layers, each for itself, in the order in which they run."""

    layers: tuple[SparseLayer, ...]

    @classmethod
    def kind(cls) -> str:
        return "sparse matrix"


def names() -> tuple[str, ...]:
    """Names besides paths: H rows, W columns, a share of zeros such as 0.77, and how they are spread."""
    kinds = (f"sparse:HxW:SPARSITY:{kind}" for kind in KINDS if kind not in ("iid", "full"))
    return ("sparse:HxW:SPARSITY", "transformer_base_pruned:SPARSITY", *kinds)


def load(name: str) -> Matrices | None:
    """The matrices of a name in `names()`, or of a path; `sparse:HxW:0:full` is a matrix without zeros.

    A path is a matrix (.npz of scipy.sparse, .npy, .mtx), an .npz of several matrices, or, written with a slash, a
    folder of such files, in the order of their names. Each is run on one random vector, with random biases and 8-bit
    results.
    """
    if match := _RANDOM.fullmatch(name):
        return matrices_of((_random(name, int(match[1]), int(match[2]), float(match[3]), match[4] or "iid"),), name)
    head = name.partition(":")[0]
    if head == "transformer_base_pruned":
        return _translation(name)
    if head == "sparse":
        raise InputError(f"workload {shown(name)}: wanted {names()[0]}, such as sparse:512x512:0.77, maybe with "
                         f":KIND ({', '.join(KINDS)}); mend it")  # fmt: skip
    path = Path(name)
    if name.endswith(_SINGLE):
        return matrices_of((_layer(path, path.stem, read_matrix(path)),), path.stem)
    if path.suffix == ".npz" and (found := _archive(path)):
        return matrices_of(found, path.stem)
    if "/" in name and path.is_dir():
        layers = [layer for file in sorted(path.iterdir()) for layer in _of_file(file)]
        if not layers:
            raise InputError(f"{name}: wanted a folder of matrices ({', '.join(FILES)}), got none; name another")
        return matrices_of(layers, path.name)
    return None


def matrices_of(layers: Iterable[SparseLayer], name: str) -> Matrices:
    """The workload of some layers."""
    listed = tuple(layers)
    return Matrices(name=name, digest=layers_digest(listed), layers=listed)


def layers_digest(layers: Iterable[SparseLayer]) -> str:
    """SHA-256 (hex) of the layers: names, non-zeros, vectors, numbers."""
    digest = hashlib.sha256()
    for layer in layers:
        numbers = layer.numbers
        said = (
            layer.name, layer.matrix.shape, layer.n_vectors, float(layer.act_density), layer.repeat,
            numbers.multiplier, numbers.shift, numbers.in_zero, numbers.in_signed,
            numbers.out_zero, numbers.out_low, numbers.out_high,
        )  # fmt: skip
        digest.update(repr(said).encode())
        for array in (layer.matrix.places, layer.matrix.values, numbers.bias, layer.vectors):
            content = b"none" if array is None else np.ascontiguousarray(array, "<i8").tobytes()
            digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def _random(name: str, height: int, width: int, sparsity: float, kind: str) -> SparseLayer:
    if not 0 < height * width <= _MOST_RANDOM:
        raise InputError(f"workload {name}: wanted 1 to 2^26 elements, got {height * width}; choose other sizes")
    try:
        matrix = quantized(pruned_weights(height, width, sparsity, kind, _SEED), 8)
    except InputError as error:
        raise InputError(f"workload {name}: {error}") from error
    return SparseLayer(name=name, matrix=matrix, numbers=numbers_for(np.random.default_rng(_SEED), matrix))


def _translation(name: str) -> Matrices:
    match = _TRANSLATION.fullmatch(name)
    if match is None:
        wanted = "transformer_base_pruned:SPARSITY:translate=27x27, with a share of zeros and tokens in and out"
        raise InputError(f"workload {shown(name)}: wanted {wanted}; mend it")
    n_source, n_target = int(match[2] or 27), int(match[3] or 27)
    if not (0 <= float(match[1]) <= 1 and 0 < n_source <= _MOST_TOKENS and 0 < n_target <= _MOST_TOKENS):
        raise InputError(
            f"workload {name}: wanted a sparsity of 0 to 1 and 1 to {_MOST_TOKENS} tokens, got {name.partition(':')[2]}"
        )
    return matrices_of(translation(pruned_transformer(TRANSFORMER_BASE, float(match[1])), n_source, n_target), name)


def _of_file(path: Path) -> tuple[SparseLayer, ...]:
    if path.name.endswith(_SINGLE):
        return (_layer(path, path.stem, read_matrix(path)),)
    return _archive(path) if path.suffix == ".npz" else ()


def _archive(path: Path) -> tuple[SparseLayer, ...]:
    """The matrices of an .npz; none where it is something else, or cannot be read."""
    held = array_names(path)
    if not held:
        return ()
    if set(held) >= _SCIPY:
        return (_layer(path, path.stem, read_matrix(path)),)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = arrays_of(archive, archive.files)
    except UNREADABLE as error:
        raise InputError(f"{path}: wanted {FILES['.npz']}, got: {one_line(error)}; write it again") from error
    if any(array.ndim != 2 or array.dtype.kind not in "biuf" for array in arrays.values()):
        return ()
    return tuple(_layer(path, name, array) for name, array in arrays.items())


def _layer(path: Path, name: str, matrix: Any) -> SparseLayer:
    try:
        taken = _narrowed(nonzeros(matrix, MOST_VALUE_BITS))
        if max(taken.shape) > _MOST_SIZE:
            raise InputError(f"wanted at most 2^24 rows and columns, got the shape {shown(taken.shape)}; cut it")
        return SparseLayer(name=name, matrix=taken, numbers=numbers_for(np.random.default_rng(_SEED), taken))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _narrowed(matrix: NonZeros) -> NonZeros:
    """The same numbers, said to be as wide as they are."""
    extremes = (0, int(matrix.values.min()), int(matrix.values.max())) if matrix.nnz else (0,)
    bits = 1 + max(number.bit_length() if number >= 0 else (~number).bit_length() for number in extremes)
    return NonZeros(shape=matrix.shape, places=matrix.places, values=matrix.values, value_bits=bits)
