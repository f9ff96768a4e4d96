"""Matrices from files: scipy.sparse's .npz, dense .npy and .npz, Matrix Market .mtx; nothing in them is executed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse

from designs.errors import InputError
from workloads.archives import UNREADABLE, arrays_of, one_line

_MATRIX_MARKET = (".mtx", ".mtx.gz", ".mtx.bz2")
_MOST_DENSE = 1 << 28  # elements of a dense .mtx: 2 GiB
WANTED = "a matrix: .npz of scipy.sparse.save_npz, .npy or .npz with one array, or Matrix Market .mtx"


def read_matrix(path: str | Path) -> Any:
    """The numpy array or scipy.sparse array that a file holds, for `nonzeros` or `pattern`.

    An .npz with an array `format` is one of scipy.sparse; any other .npz has one array. InputError, one line that names
    the file, for anything else.
    """
    path = Path(path)
    try:
        with path.open("rb"):
            pass  # scipy says less about files that are not there
        found = _market(path) if path.name.endswith(_MATRIX_MARKET) else _numpy(path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: wanted {WANTED}, got: {error.strerror or one_line(error)}; name another") from error
    except UNREADABLE as error:
        raise InputError(f"{path}: wanted {WANTED}, got: {one_line(error)}; write it again") from error
    return found


def _market(path: Path) -> Any:
    rows, columns, n_entries, layout, _, _ = scipy.io.mminfo(path)
    # Before scipy takes memory for them: an array's count is its size.
    if layout == "array" and math.prod((rows, columns)) > _MOST_DENSE:
        raise InputError(f"{path}: wanted at most 2^28 elements of a dense matrix, got {rows} x {columns}; cut it")
    if path.suffix == ".mtx" and layout == "coordinate" and n_entries > path.stat().st_size:
        raise InputError(f"{path}: wanted {n_entries} entries, as its header says, got fewer bytes; write it again")
    return scipy.io.mmread(path, spmatrix=False)


def _numpy(path: Path) -> Any:
    loaded = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        return loaded
    with loaded as archive:
        if "format" in archive.files:
            _expect_numbers(archive)
            return _checked(path, scipy.sparse.load_npz(path))
        if len(archive.files) != 1:
            names = ", ".join(archive.files)[:60] or "none"
            raise InputError(f"{path}: wanted {WANTED}, got the arrays {names}; save one with numpy.save")
        return arrays_of(archive, archive.files)[archive.files[0]]


def _expect_numbers(archive: np.lib.npyio.NpzFile) -> None:
    """scipy takes indices of any numbers, and cuts fractions off; texts as values it notices late. ValueError."""
    for name, array in arrays_of(archive, ("data",)).items():
        if array.dtype.kind not in "biufc":
            raise ValueError(f"{name} of {array.dtype}, not of numbers")
    for name, array in arrays_of(archive, ("indices", "indptr", "row", "col", "offsets")).items():
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} of {array.dtype}, not of integers")


def _checked(path: Path, matrix: Any) -> Any:
    """The matrix, once its indices and pointers are inside it: scipy's own conversions trust them."""
    if matrix.format in ("csr", "csc", "bsr"):
        matrix.check_format(full_check=True)
    elif matrix.format == "dia":
        return _of_diagonals(matrix)
    elif matrix.format != "coo":  # scipy checks coo when it makes it
        raise InputError(f"{path}: wanted csr, csc, bsr, coo or dia, got {matrix.format}; save it as csr")
    return matrix


def _of_diagonals(matrix: Any) -> Any:
    """The same as coordinates: scipy's way to them takes a number a row, of however large a shape."""
    n_rows, n_columns = matrix.shape
    columns = np.broadcast_to(np.arange(matrix.data.shape[1]), matrix.data.shape)
    rows = columns - np.asarray(matrix.offsets, np.int64)[:, None]
    inside = (rows >= 0) & (rows < n_rows) & (columns < n_columns)
    return scipy.sparse.coo_array((matrix.data[inside], (rows[inside], columns[inside])), shape=matrix.shape)
