"""Matrices from files and arrays: every layout, and one line for every fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from designs.errors import InputError
from workloads.sparse.nonzeros import nonzeros, pattern
from workloads.sparse.read import read_matrix
from workloads.sparse.sizes import size_table

MATRIX = np.array([[0, 5, 0, -3], [0, 0, 0, 0], [1, 0, 0, 7], [0, 2, 0, 0]])


def dense_of(path: Path, value_bits: int = 8) -> np.ndarray:
    found = nonzeros(read_matrix(path), value_bits)
    dense = np.zeros(found.shape, np.int64)
    dense[found.coordinates] = found.values
    return dense


@pytest.mark.parametrize("layout", ["csr", "csc", "coo", "bsr", "dia"])
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32])
def test_scipy_npz(layout: str, dtype: type, tmp_path: Path) -> None:
    for make in (scipy.sparse.csr_array, scipy.sparse.csr_matrix):
        scipy.sparse.save_npz(tmp_path / "m.npz", make(MATRIX.astype(dtype)).asformat(layout))
        assert np.array_equal(dense_of(tmp_path / "m.npz"), MATRIX)


def test_diagonals_of_a_large_shape_take_no_number_a_row(tmp_path: Path) -> None:
    diagonals = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    np.savez(tmp_path / "m.npz", format=b"dia", shape=[1 << 40, 1 << 20], data=diagonals, offsets=[0, 1, -3])
    found = nonzeros(read_matrix(tmp_path / "m.npz"))
    rows, columns = found.coordinates
    assert list(zip(rows.tolist(), columns.tolist(), found.values.tolist(), strict=True)) == [
        (0, 0, 1), (0, 1, 5), (1, 1, 2), (1, 2, 6), (2, 2, 3), (3, 0, 7), (4, 1, 8), (5, 2, 9),
    ]  # fmt: skip


def test_dense_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", MATRIX.astype(float))
    np.savez(tmp_path / "m.npz", weights=MATRIX)
    np.save(tmp_path / "t.npy", MATRIX.reshape(2, 4, 2))
    assert np.array_equal(dense_of(tmp_path / "m.npy"), MATRIX)
    assert np.array_equal(dense_of(tmp_path / "m.npz"), MATRIX)
    assert np.array_equal(dense_of(tmp_path / "t.npy"), MATRIX.reshape(2, 4, 2))


def test_matrix_market(tmp_path: Path) -> None:
    scipy.io.mmwrite(tmp_path / "m.mtx", scipy.sparse.coo_array(MATRIX))
    assert np.array_equal(dense_of(tmp_path / "m.mtx"), MATRIX)
    scipy.io.mmwrite(tmp_path / "d.mtx", MATRIX)
    assert np.array_equal(dense_of(tmp_path / "d.mtx"), MATRIX)
    (tmp_path / "s.mtx").write_text("%%MatrixMarket matrix coordinate pattern symmetric\n3 3 2\n2 1\n3 3\n")
    assert dense_of(tmp_path / "s.mtx").tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_entries_at_one_place_add_up_before_they_are_checked() -> None:
    twice = scipy.sparse.coo_array(([100, 100, -100, 4, -4], ([0, 0, 0, 1, 1], [2, 2, 2, 0, 0])), shape=(2, 3))
    twice = scipy.sparse.coo_array((twice.data.astype(np.int8), twice.coords), shape=twice.shape)
    found = nonzeros(twice, 8)
    assert (found.places.tolist(), found.values.tolist()) == ([2], [100])
    assert pattern(twice).places.tolist() == [2, 3]
    huge = scipy.sparse.coo_array(([1 << 62, 1 << 62], ([0, 0], [0, 0])), shape=(1, 1))
    with pytest.raises(InputError, match="wanted sums of entries at one place in int64, got 9223372036854775808"):
        nonzeros(huge, 64)


def test_the_largest_shapes_stay_sparse() -> None:
    corner = scipy.sparse.coo_array(([1], ([(1 << 31) - 1], [(1 << 31) - 2])), shape=(1 << 31, 1 << 31))
    found = nonzeros(corner)
    assert found.places.tolist() == [(1 << 62) - 2]
    sizes = {row["format"]: row["stored_bits"] for row in size_table(found).rows}
    assert sizes["coo"] == 8 + 31 + 31 and sizes["csr"] == 8 + 31 + (1 << 31) + 1 and sizes["dense"] == 1 << 65
    assert sizes["rcsc lanes=256"] == 8 + 31 + 23 + 256 + 31 * (1 << 31)
    with pytest.raises(InputError, match=r"wanted at most 2\^62 places"):
        nonzeros(scipy.sparse.coo_array((1 << 32, 1 << 31)))


@pytest.mark.parametrize(
    ("matrix", "value_bits", "message"),
    [
        ([[200]], 8, "wanted integers of 8 bits (-128 to 127), got 200; quantize it, or allow more value_bits"),
        ([[-9, 7]], 4, "wanted integers of 4 bits (-8 to 7), got -9"),
        ([[0.5]], 8, "wanted whole numbers, got 0.5; quantize it, or take its --pattern"),
        ([[np.nan]], 8, "wanted whole numbers, got nan"),
        ([[np.inf]], 64, "(-9223372036854775808 to 9223372036854775807), got inf; quantize it"),
        (np.array([[1 << 63]], np.uint64), 64, "got 9223372036854775808; quantize it"),
        ([[2.0**63]], 64, "got 9.223372036854776e+18"),
        ([[1j]], 8, "wanted booleans, integers or whole floats, got complex128; convert it"),
        ([["a"]], 8, "wanted booleans, integers or whole floats, got <U1"),
        ([1, 2], 8, "wanted two dimensions or more, got 1; reshape it"),
        ([[1]], 0, "value_bits: wanted 1 to 64, got 0"),
        ([[1]], 65, "value_bits: wanted 1 to 64, got 65"),
    ],
)
def test_a_matrix_that_is_not_of_integers_of_the_width_is_refused(matrix: Any, value_bits: int, message: str) -> None:
    with pytest.raises(InputError) as refused:
        nonzeros(np.asarray(matrix), value_bits)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_the_pattern_of_floats() -> None:
    found = pattern(np.array([[0.0, 0.25, np.nan], [-3.5, 0.0, -0.0]]), 1)
    assert (found.places.tolist(), found.values.tolist(), found.value_bits) == ([1, 2, 3], [-1, -1, -1], 1)


def bad_indices(path: Path) -> None:
    np.savez(path, format=b"csr", shape=[2, 2], data=[1, 2], indices=[0, 9], indptr=[0, 1, 2])


def bad_pointers(path: Path) -> None:
    np.savez(path, format=b"csr", shape=[2, 2], data=[1, 2], indices=[0, 1], indptr=[0, 9, 2])


def blocks_of_no_rows(path: Path) -> None:
    np.savez(path, format=b"bsr", shape=[2, 2], data=np.ones((1, 0, 2), int), indices=[0], indptr=[0, 1])


def pickled(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.array([[{}]], object), allow_pickle=True)
    path.with_suffix(".npy").rename(path)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("none.npz", lambda path: None, "got: No such file or directory; name another"),
        ("folder.npz", lambda path: path.mkdir(), "got: Is a directory"),
        ("empty.npz", lambda path: path.write_bytes(b""), "got: No data left in file"),
        ("text.npz", lambda path: path.write_text("hello"), "contains pickled"),
        ("pickled.npy", pickled, "Object arrays cannot be loaded when allow_pickle=False"),
        ("two.npz", lambda path: np.savez(path, a=MATRIX, b=MATRIX), "got the arrays a, b; save one with numpy.save"),
        ("indices.npz", bad_indices, "got: indices must be < 2"),
        ("pointers.npz", bad_pointers, "write it again"),
        ("blocks.npz", blocks_of_no_rows, "write it again"),
        ("format.npz", lambda path: np.savez(path, format=b"lil", data=[1]), "write it again"),
        ("short.npz", lambda path: np.savez(path, format=b"csr", data=[1]), "write it again"),
        ("bad.mtx", lambda path: path.write_text("hello"), "write it again"),
        ("cut.mtx", lambda path: path.write_text("%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 3\n"), "write it again"),
        ("out.mtx", lambda path: path.write_text("%%MatrixMarket matrix coordinate integer general\n2 2 1\n7 1 3\n"), "write it again"),
        ("entries.mtx", lambda path: path.write_text("%%MatrixMarket matrix coordinate integer general\n9 9 2000000000\n1 1 3\n"), "got fewer bytes; write it again"),
        ("large.mtx", lambda path: path.write_text("%%MatrixMarket matrix array integer general\n20000 20000\n1\n"), "got 20000 x 20000; cut it"),
        ("vast.mtx", lambda path: path.write_text("%%MatrixMarket matrix array integer general\n9000000 9000000\n1\n"), "got 9000000 x 9000000"),
    ],
)  # fmt: skip
def test_every_fault_of_a_file_is_one_line(
    name: str, write: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(InputError) as refused:
        read_matrix(path)
    text = str(refused.value)
    assert text.startswith(f"{path}: wanted ") and message in text and "\n" not in text


def test_no_cut_or_flipped_file_raises_anything_but_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    scipy.sparse.save_npz(path, scipy.sparse.csr_array(MATRIX), compressed=False)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    n_refused = 0
    for trial in range(150):
        damaged = bytearray(whole if trial % 2 else whole[: int(rng.integers(len(whole)))])
        if damaged:
            damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(damaged))
        try:
            nonzeros(read_matrix(path))
        except InputError as error:
            n_refused += 1
            assert "\n" not in str(error)
    assert n_refused > 75
