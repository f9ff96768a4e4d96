"""Formats: hand-computed arrays and bits, random round trips, and two tables: sizes and utilization."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from designs.errors import InputError
from tests.workloads.sparse.round_trips import differences, matrix_differences, widths
from workloads.sparse import formats
from workloads.sparse.format import Encoded, Format, index_bits
from workloads.sparse.formats.bitmap import Bitmap
from workloads.sparse.formats.bsr import Bsr
from workloads.sparse.formats.coo import Coo
from workloads.sparse.formats.csc import Csc
from workloads.sparse.formats.csf import Csf
from workloads.sparse.formats.csr import Csr
from workloads.sparse.formats.dense import Dense
from workloads.sparse.formats.ell import Ell
from workloads.sparse.formats.interleaved_csc import InterleavedCsc
from workloads.sparse.formats.n_of_m import NOfM
from workloads.sparse.formats.rcsc import Rcsc
from workloads.sparse.formats.run_length import RunLength
from workloads.sparse.formats.sa_rcsc import SaRcsc
from workloads.sparse.nonzeros import NonZeros, nonzeros
from workloads.sparse.rearranged import row_permutation
from workloads.sparse.sizes import size_table

SMALL = np.array([[0, 5, 0, 0, 7], [0, 0, 0, 0, 0], [1, 0, 0, -2, 3]])


def arrays(point: Format, matrix: np.ndarray, value_bits: int = 4) -> dict[str, list[int]]:
    encoded = point.encode(nonzeros(matrix, value_bits))
    found = {name: field.numbers.tolist() for name, field in encoded.metadata.items()}
    return {"values": encoded.values.numbers.tolist(), **found}


@pytest.mark.parametrize(
    ("point", "expected", "stored_bits"),
    [
        (Dense(), {"values": [0, 5, 0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, -2, 3]}, 15 * 4),
        (Coo(), {"values": [5, 7, 1, -2, 3], "axis0": [0, 0, 2, 2, 2], "axis1": [1, 4, 0, 3, 4]}, 5 * (4 + 2 + 3)),
        (Csr(), {"values": [5, 7, 1, -2, 3], "indices": [1, 4, 0, 3, 4], "pointers": [0, 2, 2, 5]}, 5 * 7 + 4 * 3),
        (Csc(), {"values": [1, 5, -2, 7, 3], "indices": [2, 0, 2, 0, 2], "pointers": [0, 1, 2, 2, 3, 5]}, 5 * 6 + 6 * 3),
        (Bitmap(), {"values": [5, 7, 1, -2, 3], "bitmap": [0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1]}, 5 * 4 + 15),
        # Five zeros before the 1: with 2 bits, a padding zero stands for four places, one zero is left.
        (RunLength(run_bits=2), {"values": [5, 7, 0, 1, -2, 3], "runs": [1, 2, 3, 1, 2, 0]}, 6 * 6),
        (Ell(), {"values": [5, 7, 0, 0, 0, 0, 1, -2, 3], "indices": [1, 4, 0, 0, 0, 0, 0, 3, 4]}, 9 * 7),
        # Blocks of a 2 x 3 grid: (0, 0), (0, 2), (1, 0), (1, 1), (1, 2); row 3 and column 5 stand over.
        (
            Bsr(block=2),
            {
                "values": [0, 5, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0, -2, 0, 0, 3, 0, 0, 0],
                "indices": [0, 2, 0, 1, 2],
                "pointers": [0, 2, 5],
            },
            20 * 4 + 5 * 2 + 3 * 3,
        ),
        (
            Csf(),
            {"values": [5, 7, 1, -2, 3], "coordinates0": [0, 2], "coordinates1": [1, 4, 0, 3, 4], "pointers0": [0, 2, 5]},
            5 * 4 + 2 * 2 + 5 * 3 + 3 * 3,
        ),
        # PE 0 has rows 0 and 2, PE 1 row 1: in column 0 of PE 0, row 2 comes after one zero.
        (
            InterleavedCsc(n_pes=2, relative_bits=4, pointer_bits=16),
            {"values": [1, 5, -2, 7, 3], "relative": [1, 0, 1, 0, 0], "pointers": [0, 1, 2, 2, 3, 5, 0, 0, 0, 0, 0, 0]},
            5 * 8 + 2 * 6 * 16,
        ),
        # Columns 4 to 7 are the second group of each row; kept zeros have the first columns that are left.
        (
            NOfM(m=4),
            {"values": [0, 5, 7, 0, 0, 0, 0, 0, 1, -2, 3, 0], "index": [0, 1, 0, 1, 0, 1, 0, 1, 0, 3, 0, 1]},
            6 * 2 * (4 + 2),
        ),
        # {0,1} {0,2} {1,2} {0,3} {1,3} {2,3} are numbered 0 to 5.
        (
            NOfM(m=4, metadata="minimum"),
            {"values": [0, 5, 7, 0, 0, 0, 0, 0, 1, -2, 3, 0], "minimum": [0, 0, 0, 0, 3, 0]},
            6 * (2 * 4 + 3),
        ),
        # Rows by non-zeros are 2, 0, 1; row 1 is a group of its own.
        (
            Rcsc(lanes=2),
            {"values": [1, -2, 3, 5, 7], "columns": [0, 3, 4, 1, 4], "tags": [0] * 5, "lengths": [3, 2], "permutation": [2, 0, 1]},
            5 * (4 + 3 + 1) + 2 * 2 + 3 * 2,
        ),
        # One set of two ways: (1, row 2), (5, row 0), (-2, row 2), (3, row 2), (7, row 0) go to ways 0 1 0 1 0.
        (
            SaRcsc(lanes=2, sets=1),
            {"values": [1, -2, 7, 5, 3], "columns": [0, 3, 4, 1, 4], "tags": [0, 0, 1, 1, 0], "lengths": [3, 2], "permutation": [2, 0, 1]},
            5 * (4 + 3 + 2) + 2 * 2 + 3 * 2,
        ),
    ],
    ids=lambda value: value.label if isinstance(value, Format) else "",
)  # fmt: skip
def test_arrays_and_bits_by_hand(point: Format, expected: dict[str, list[int]], stored_bits: int) -> None:
    assert arrays(point, SMALL) == expected
    encoded = point.encode(nonzeros(SMALL, 4))
    assert encoded.stored_bits == stored_bits == point.size(nonzeros(SMALL, 4)).stored_bits
    assert np.array_equal(encoded.decode(), SMALL)


def test_iterate_is_in_stored_order_and_leaves_padding_out() -> None:
    (rows, columns), values = Csc().encode(nonzeros(SMALL)).iterate()
    assert (rows.tolist(), columns.tolist(), values.tolist()) == ([2, 0, 2, 0, 2], [0, 1, 3, 4, 4], [1, 5, -2, 7, 3])
    padded = RunLength(run_bits=1).encode(nonzeros(SMALL))
    (rows, columns), values = padded.iterate()
    assert padded.n_padding == 4 and values.tolist() == [5, 7, 1, -2, 3] and columns.tolist() == [1, 4, 0, 3, 4]


@pytest.mark.parametrize(("zeros", "padding"), [(15, 0), (16, 1), (31, 1), (32, 2)])
def test_relative_indices_overflow_into_padding_zeros(zeros: int, padding: int) -> None:
    column = np.zeros((zeros + 1, 1), int)
    column[zeros] = 9
    for point in (RunLength(run_bits=4), InterleavedCsc(n_pes=1)):
        encoded = point.encode(nonzeros(column))
        assert encoded.n_padding == padding and np.array_equal(encoded.decode(), column)


def test_the_example_column_of_eie() -> None:
    """Han et al., ISCA 2016: 18 zeros before the 3 take one padding zero of index 15."""
    column = np.array([0, 0, 1, 2, *[0] * 18, 3])[:, None]
    found = arrays(InterleavedCsc(n_pes=1), column)
    assert (found["values"], found["relative"]) == ([1, 2, 0, 3], [2, 0, 15, 2])


def test_csf_of_three_dimensions_by_hand() -> None:
    tensor = np.zeros((3, 2, 4), int)
    tensor[0, 1, 2], tensor[0, 1, 3], tensor[2, 0, 0] = 1, 2, 3
    expected = {
        "values": [1, 2, 3],
        "coordinates0": [0, 2], "coordinates1": [1, 0], "coordinates2": [2, 3, 0],
        "pointers0": [0, 1, 2], "pointers1": [0, 2, 3],
    }  # fmt: skip
    assert arrays(Csf(), tensor) == expected
    assert Csf().size(nonzeros(tensor, 4)).metadata_bits == 2 * 2 + 2 * 1 + 3 * 2 + 3 * 2 + 3 * 2


def test_the_snake_reverses_each_second_group() -> None:
    counts = np.array([1, 9, 5, 5, 7, 3, 2])
    assert row_permutation(counts, 3).tolist() == [1, 4, 2, 6, 5, 3, 0]
    assert row_permutation(counts, 4).tolist() == [1, 4, 2, 3, 0, 6, 5]  # the last group has three rows


def greedy_lists(matrix: np.ndarray, n_lists: int, n_sets: int) -> list[list[tuple[int, int, int]]]:
    """Rules 1 to 3 as they are worded, with a search for the shortest list: (value, column, tag) of each list."""
    order = sorted(range(len(matrix)), key=lambda row: -np.count_nonzero(matrix[row]))
    groups = [order[i : i + n_sets] for i in range(0, len(order), n_sets)]
    permuted = [row for i, group in enumerate(groups) for row in (group[::-1] if i % 2 else group)]
    ways = n_lists // n_sets
    lists: list[list[tuple[int, int, int]]] = [[] for _ in range(n_lists)]
    for column in range(matrix.shape[1]):
        for position, row in enumerate(permuted):
            if matrix[row, column]:
                first = position % n_sets * ways
                shortest = min(range(first, first + ways), key=lambda i: len(lists[i]))
                lists[shortest].append((int(matrix[row, column]), column, position // n_sets))
    return lists


@given(
    st.integers(1, 4),
    st.integers(1, 4),
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(-2, 2)),
)
@settings(max_examples=40, deadline=None)
def test_sa_rcsc_follows_its_rules_list_by_list(n_sets: int, ways: int, matrix: np.ndarray) -> None:
    encoded = SaRcsc(lanes=n_sets * ways, sets=n_sets).encode(nonzeros(matrix))
    expected = greedy_lists(matrix, n_sets * ways, n_sets)
    assert encoded.metadata["lengths"].numbers.tolist() == [len(one) for one in expected]
    stored = zip(
        encoded.values.numbers, encoded.metadata["columns"].numbers, encoded.metadata["tags"].numbers, strict=True
    )
    assert [tuple(int(n) for n in entry) for entry in stored] == [entry for one in expected for entry in one]


@pytest.mark.parametrize("seed", range(60))
def test_round_trips(seed: int) -> None:
    assert matrix_differences(seed)[1] == []


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1), (3, 70), (70, 3)])
@pytest.mark.parametrize("fill", [0, 1, -1])
def test_round_trips_of_all_zero_and_full_matrices(shape: tuple[int, int], fill: int) -> None:
    matrix = np.full(shape, fill)
    given_ = nonzeros(matrix, 2)
    assert [text for point in formats.points() for text in differences(point, matrix, given_)] == []


class Forgetful(Csr):
    """Loses the last non-zero."""

    def encode(self, matrix: NonZeros) -> Encoded:
        kept = NonZeros(
            shape=matrix.shape, places=matrix.places[:-1], values=matrix.values[:-1], value_bits=matrix.value_bits
        )
        return super().encode(kept)


def test_the_comparison_sees_a_wrong_format() -> None:
    found = " ".join(differences(Forgetful(), SMALL, nonzeros(SMALL, 4)))
    assert all(
        text in found for text in ("another matrix", "others than the non-zeros", "stored_bits: arrays", "metadata")
    )
    narrow = Csr().encode(nonzeros(SMALL, 4))
    narrow.metadata["indices"].numbers[0] = 8
    assert widths(narrow) == ["indices does not fit 3 bits"]


SIZES = {  # density -> COO, CSR, bitmap, RLC4, RLC5, ELL, BSR4, BSR16, RCSC N=256, SA-RCSC S=8
    0.5: (1.628, 1.069, 0.626, 0.752, 0.814, 1.208, 1.056, 1.003, 1.129, 1.443),
    0.4: (1.298, 0.853, 0.525, 0.599, 0.649, 0.988, 1.055, 1.003, 0.900, 1.151),
    0.23: (0.748, 0.493, 0.355, 0.351, 0.374, 0.614, 1.039, 1.003, 0.519, 0.663),
    0.1: (0.327, 0.218, 0.226, 0.185, 0.169, 0.299, 0.864, 1.003, 0.227, 0.291),
    0.05: (0.161, 0.109, 0.175, 0.133, 0.100, 0.162, 0.585, 1.003, 0.112, 0.144),
    0.02: (0.064, 0.045, 0.145, 0.108, 0.068, 0.083, 0.288, 0.999, 0.045, 0.058),
}  # fmt: skip
TABLE_POINTS = (
    Coo(), Csr(), Bitmap(), RunLength(run_bits=4), RunLength(run_bits=5), Ell(), Bsr(block=4), Bsr(block=16),
    Rcsc(lanes=256, folded=True),
    # The table does not tell N of SA-RCSC: 512 lists give all six of its figures, 256 do not.
    SaRcsc(lanes=512, sets=8, folded=True),
)  # fmt: skip


@pytest.mark.parametrize("density", SIZES)
def test_the_size_table_of_512_x_512_at_8_bits(density: float) -> None:
    mask = np.random.default_rng(0).random((512, 512)) < density
    matrix = nonzeros(mask.astype(int), 8)
    found = {row["format"]: row["ratio_to_dense"] for row in size_table(matrix, TABLE_POINTS).rows}
    for point, expected in zip(TABLE_POINTS, SIZES[density], strict=True):
        assert found[point.label] == pytest.approx(expected, abs=0.00051), point.label
        if density in (0.5, 0.02):
            assert point.encode(matrix).stored_bits == point.size(matrix).stored_bits


@pytest.mark.parametrize(
    ("n", "m", "index", "minimum"),
    [
        (2, 4, 0.6250, 0.5938),
        (1, 4, 0.3125, 0.3125),
        (4, 8, 0.6875, 0.6094),
        (1, 2, 0.5625, 0.5625),
        (2, 8, 0.3438, 0.3281),
    ],
)
def test_n_of_m_beside_dense(n: int, m: int, index: float, minimum: float) -> None:
    matrix = nonzeros(np.tile(np.arange(m) < n, (16, 4)), 8)
    points = (NOfM(n=n, m=m), NOfM(n=n, m=m, metadata="minimum"))
    found = {row["format"]: row["ratio_to_dense"] for row in size_table(matrix, points).rows}
    assert [found[point.label] for point in points] == pytest.approx([index, minimum], abs=0.00005)


def kept_512(rows_vary: bool, sparsity: float = 0.77) -> np.ndarray:
    """The generator of the utilization table: 512 x 512 weights, a share of them pruned by magnitude."""
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((512, 512))
    if rows_vary:
        weights = weights * np.exp(0.3 * rng.standard_normal((512, 1))) * np.exp(0.2 * rng.standard_normal((1, 512)))
    return np.abs(weights) > np.quantile(np.abs(weights), sparsity)


UTILIZATION = {  # rows vary, N -> CSC, RCSC, SA S=8, SA S=32; the window is unlimited
    (False, 64): "0.927 0.998 0.999 0.998",
    (False, 128): "0.906 0.996 0.998 0.998",
    (False, 256): "0.838 0.994 0.998 0.998",
    (False, 512): "0.801 0.801 0.998 0.998",
    (False, 1024): "0.401 0.401 0.998 0.998",
    (False, 2048): "0.200 0.200 0.981 0.981",
    (True, 64): "0.687 0.958 0.998 0.982",
    (True, 128): "0.593 0.904 0.998 0.981",
    (True, 256): "0.512 0.807 0.998 0.981",
    (True, 512): "0.407 0.407 0.998 0.981",
    (True, 1024): "0.204 0.204 0.998 0.981",
    (True, 2048): "0.102 0.102 0.981 0.981",
}


def utilization(point: Format, matrix: NonZeros, n_macs: int, n_sets: int) -> float | None:
    """What the format says, which is also what its lists say."""
    dealt = point.on_engine(n_macs, n_sets)
    found = dealt.utilization(matrix)
    metadata = dealt.encode(matrix).metadata
    lengths = metadata["lengths"].numbers if "lengths" in metadata else metadata["pointers"].numbers
    assert found == matrix.nnz / (n_macs * lengths.max())
    return found


@pytest.mark.parametrize(("rows_vary", "lanes"), UTILIZATION)
def test_the_lists_give_the_utilization_table(rows_vary: bool, lanes: int) -> None:
    """All 48 figures. Interleaved CSC has no padding here: a lane has at most 8 rows, and a gap reaches over 15."""
    mask = kept_512(rows_vary)
    assert (
        hashlib.sha1(np.packbits(mask).tobytes())
        .hexdigest()
        .startswith("187d7a036b29" if rows_vary else "f3bfe2e063c9")
    )
    matrix = nonzeros(mask, 8)
    points = ((InterleavedCsc(), 1), (Rcsc(), 1), (SaRcsc(), 8), (SaRcsc(), 32))
    found = [utilization(point, matrix, lanes, n_sets) for point, n_sets in points]
    assert matrix.nnz == 60293 and " ".join(f"{one:.3f}" for one in found) == UTILIZATION[rows_vary, lanes]


@pytest.mark.parametrize(
    ("rows_vary", "expected"),
    [
        (True, {8: "0.998 65536", 16: "0.981 32768", 64: "0.950 8192", 128: "0.892 4096", 256: "0.807 2048", 512: "0.406 1024"}),
        (False, {64: "0.998 8192", 128: "0.981 4096", 256: "0.981 2048", 512: "0.796 1024"}),
    ],
)  # fmt: skip
def test_fewer_sets_are_busier_and_take_more_accumulators(rows_vary: bool, expected: dict[int, str]) -> None:
    """1024 lanes, each with an accumulator for every row of its set."""
    matrix = nonzeros(kept_512(rows_vary), 8)
    found = {n_sets: SaRcsc(lanes=1024, sets=n_sets).utilization(matrix) for n_sets in expected}
    assert {n_sets: f"{busy:.3f} {1024 * (512 // n_sets)}" for n_sets, busy in found.items()} == expected


def test_rcsc_falls_with_sparsity_and_sa_rcsc_does_not() -> None:
    for sparsity, expected in ((0.6, "0.980 0.999"), (0.77, "0.807 0.998"), (0.9, "0.517 0.994")):
        matrix = nonzeros(kept_512(True, sparsity), 8)
        found = [point.on_engine(256, 8).utilization(matrix) for point in (Rcsc(), SaRcsc())]
        assert " ".join(f"{one:.3f}" for one in found) == expected


def test_utilization_of_the_other_formats() -> None:
    matrix = nonzeros(SMALL, 4)
    assert Dense().utilization(matrix) == 5 / 15 and NOfM(n=1, m=2).utilization(nonzeros(SMALL[:, :3], 4)) == 2 / 6
    assert NOfM(n=2, m=4).utilization(nonzeros(np.tile([1, 0, 2, 0], (3, 2)))) == 1
    # One PE has all rows, and one bit reaches over one zero: the 1 and the -2, after two zeros, take padding.
    assert InterleavedCsc(n_pes=1, relative_bits=1).utilization(matrix) == 5 / 7
    assert [point.utilization(matrix) for point in (Coo(), Csr(), Bitmap(), Ell(), Csf())] == [None] * 5
    empty = nonzeros(np.zeros((3, 4), int))
    assert [point.utilization(empty) for point in (Rcsc(), SaRcsc(), InterleavedCsc())] == [None] * 3
    assert (Dense().utilization(empty), Dense().utilization(nonzeros(np.zeros((0, 4), int)))) == (0, None)


def test_formats_are_found_by_listing_the_folder() -> None:
    assert formats.names() == (
        "bitmap", "bsr", "coo", "csc", "csf", "csr", "dense", "ell", "interleaved_csc", "n_of_m", "rcsc",
        "run_length", "sa_rcsc",
    )  # fmt: skip
    assert [point.name for point in formats.points()] == sorted(point.name for point in formats.points())
    assert [index_bits(n) for n in (0, 1, 2, 3, 4, 5, 512, 513)] == [0, 0, 1, 2, 2, 3, 9, 10]


def test_what_cannot_be_is_refused_in_one_line() -> None:
    full = nonzeros(np.ones((4, 4), int))
    with pytest.raises(
        InputError, match="n_of_m: wanted at most 2 non-zeros in 4 columns, got 4; prune it, or raise n"
    ):
        NOfM(n=2, m=4).encode(full)
    with pytest.raises(InputError, match="sets: wanted a divisor of the 6 lanes, got 4"):
        SaRcsc(lanes=6, sets=4)
    with pytest.raises(
        InputError, match="interleaved_csc: pointer_bits: wanted 5 or more for 16 entries of one PE, got 4"
    ):
        InterleavedCsc(n_pes=1, pointer_bits=4).size(full)
    with pytest.raises(InputError, match="csr: wanted a matrix, got 3 dimensions; take csf"):
        Csr().encode(nonzeros(np.ones((2, 2, 2), int)))
    with pytest.raises(InputError, match=r"format: wanted one of .*got 'crs' \(did you mean 'csr'\?\)"):
        formats.load("crs")
    for make in (lambda: Bsr(block=0), lambda: NOfM(n=5, m=4), lambda: RunLength(run_bits=0), lambda: Rcsc(lanes=0)):
        with pytest.raises(InputError, match="wanted .* got .*; choose another"):
            make()
