"""Archives that are damaged in ways that only numpy's internals would tell: one line each."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from workloads.classifiers.data import load_arrays
from workloads.classifiers.files import load_classifier
from workloads.sparse.read import read_matrix


def _npy(header: str, data: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    "member",
    [
        b"hello",
        _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999999999, 2), }"),
        _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (True, 2), }", b"\0\0"),
        _npy("{1: 2, 'descr': 3}"),
        _npy("(((((("),
    ],
)
def test_members_that_are_no_arrays(tmp_path: Path, member: bytes) -> None:
    good = io.BytesIO()
    np.save(good, np.zeros(2, np.int64))
    path = tmp_path / "bad.npz"
    for name, load in (("features", load_arrays), ("classifier", load_classifier), ("one", read_matrix)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}.npy", member)
            if name == "features":
                archive.writestr("labels.npy", good.getvalue())
        with pytest.raises(InputError, match="bad.npz: wanted") as caught:
            load(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "changes", [{"format": np.array(3)}, {"data": np.array(["a", "b"])}, {"indices": np.array([0.5, 1.0])}]
)
def test_sparse_files_with_wrong_arrays(tmp_path: Path, changes: dict[str, np.ndarray]) -> None:
    arrays = {
        "format": np.array(b"csr"), "shape": np.array([2, 2]), "data": np.array([1, 2]),
        "indices": np.array([0, 1]), "indptr": np.array([0, 1, 2]),
    }  # fmt: skip
    np.savez(tmp_path / "m.npz", **(arrays | changes))
    with pytest.raises(InputError, match="m.npz: wanted"):
        read_matrix(tmp_path / "m.npz")
