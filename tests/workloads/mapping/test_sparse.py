"""Sparse mapping: lists and bytes by hand, lists against the rules' own words, results against plain Python."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.sparse import Design
from workloads.mapping import sparse_lists
from workloads.mapping.sparse import (
    Slice,
    list_starts,
    n_slice_beats,
    n_vector_beats,
    reference,
    refusal,
    slice_beats,
    slices_of,
    vector_beats,
)
from workloads.sparse.layer import SparseLayer, SparseNumbers, activations
from workloads.sparse.nonzeros import nonzeros
from workloads.sparse.random_layers import random_layer
from workloads.sparse.rearranged import deal, row_permutation

SEEDS = st.integers(0, 2**32 - 1)
NUMBERS = SparseNumbers(
    bias=np.zeros(4, np.int64), multiplier=1, shift=0, in_zero=0, in_signed=True, out_zero=0, out_low=-128, out_high=127
)
# Rows have 2, 3, 1 and 2 non-zeros.
SMALL = SparseLayer(
    name="small",
    matrix=nonzeros(np.array([[1, 0, 2], [3, 4, 5], [0, -6, 0], [7, 0, 8]])),
    numbers=replace(NUMBERS, bias=np.array([10, -1, 30, 40])),
)
TWO_SETS = Design(n_macs=4, n_sets=2, accumulators=4, act_words=4, lane_entries=16, dram_bytes_per_cycle=8)


def random_design(rng: np.random.Generator) -> Design:
    n_sets = int(rng.choice([1, 2, 4]))
    return Design(
        n_macs=n_sets * int(rng.choice([1, 2, 3])),
        n_sets=n_sets,
        sort_rows=bool(rng.random() < 0.5),
        feed=str(rng.choice(["window", "queue"])),  # type: ignore[arg-type]
        relative_bits=int(rng.choice([0, 1, 2])),
        value_bits=int(rng.choice([2, 8, 11])),
        act_bits=int(rng.choice([3, 8, 12])),
        acc_bits=int(rng.choice([8, 16, 40])),
        acc_overflow=str(rng.choice(["wrap", "saturate"])),  # type: ignore[arg-type]
        accumulators=int(rng.choice([6, 16, 64])),
        lane_entries=int(rng.choice([80, 500])),
        act_words=40,
        output_order=str(rng.choice(["folded", "restored"])),  # type: ignore[arg-type]
        dram_bytes_per_cycle=int(rng.choice([4, 8, 16])),
    )


def random_case(seed: int) -> tuple[Design, SparseLayer]:
    rng = np.random.default_rng(seed)
    design = random_design(rng)
    design.check()
    return design, random_layer(rng, value_bits=design.value_bits, act_bits=design.act_bits)


def lists(slice_: Slice, *fields: str) -> list[list[tuple[int, ...]]]:
    """Of each lane the entries, as tuples of these fields."""
    ends = list_starts(slice_)
    columns = [getattr(slice_, field).tolist() for field in fields]
    return [list(zip(*(column[a:b] for column in columns), strict=True)) for a, b in zip(ends[:-1], ends[1:], strict=True)]


def test_rows_in_turn_and_non_zeros_in_turn() -> None:
    (one,) = slices_of(replace(TWO_SETS, sort_rows=False), SMALL)
    # Set 0 has rows 0 and 2 (tags 0, 1), set 1 rows 1 and 3. Column by column: 1, then -6, then 2; 3 7, then 4, then 5 8.
    assert lists(one, "values", "columns", "tags") == [
        [(1, 0, 0), (2, 2, 0)], [(-6, 1, 1)],
        [(3, 0, 0), (4, 1, 0), (8, 2, 1)], [(7, 0, 1), (5, 2, 0)],
    ]  # fmt: skip
    assert one.lengths.tolist() == [2, 1, 3, 2] and one.permutation.tolist() == [0, 1, 2, 3]
    assert one.pointers is None and not one.is_padding.any()


def test_sorted_rows_are_dealt_in_a_snake() -> None:
    (one,) = slices_of(TWO_SETS, SMALL)
    # By non-zeros: 1, 0, 3, 2; the second pair is reversed: set 0 has rows 1 and 2, set 1 rows 0 and 3.
    assert one.permutation.tolist() == [1, 0, 2, 3]
    assert lists(one, "values", "tags") == [[(3, 0), (-6, 1)], [(4, 0), (5, 0)], [(1, 0), (2, 0)], [(7, 1), (8, 1)]]


def test_pointers_and_gaps_of_a_queue_machine() -> None:
    column = nonzeros(np.array([[0], [0], [0], [5], [0], [6], [7]]))
    layer = SparseLayer(name="column", matrix=column, numbers=replace(NUMBERS, bias=np.zeros(7, np.int64)))
    design = Design(n_macs=1, n_sets=1, sort_rows=False, feed="queue", relative_bits=1, accumulators=8, act_words=4)
    (one,) = slices_of(design, layer)
    # Three zeros before 5: an entry that skips one and takes one, then a gap of one; one zero before 6; none before 7.
    assert lists(one, "values", "tags", "accumulators_of_entries", "is_padding") == [
        [(0, 1, 1, 1), (5, 1, 3, 0), (6, 1, 5, 0), (7, 0, 6, 0)]
    ]
    assert one.pointers is not None and one.pointers.tolist() == [[0, 4]]
    assert refusal(replace(design, lane_entries=3), layer) is None  # two slices: rows 0-3 with 2 entries, 4-6 with 2
    assert [s.n_rows for s in slices_of(replace(design, lane_entries=3), layer)] == [4, 3]


def test_the_bytes_of_a_slice() -> None:
    (one,) = slices_of(TWO_SETS, SMALL)
    # Value 8 bits, column 2, tag 2: 2 bytes, 4 a beat. 7 (column 0, tag 1): 0x0407; 8 (column 2, tag 1): 0x0608.
    assert slice_beats(TWO_SETS, SMALL, one).tolist() == [
        [2, 0, 2, 0, 2, 0, 2, 0],  # lengths
        [3, 0, 0xFA, 5, 0, 0, 0, 0],  # 3 (0, 0); -6 (1, 1)
        [4, 1, 5, 2, 0, 0, 0, 0],  # 4 (1, 0); 5 (2, 0)
        [1, 0, 2, 2, 0, 0, 0, 0],
        [7, 4, 8, 6, 0, 0, 0, 0],
        [0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0],  # bias -1 of row 1
        [10, 0, 0, 0, 0, 0, 0, 0],
        [30, 0, 0, 0, 2, 0, 0, 0],
        [40, 0, 0, 0, 3, 0, 0, 0],
    ]
    folded = replace(TWO_SETS, output_order="folded")
    assert slice_beats(folded, SMALL, one)[5:].tolist() == [[255, 255, 255, 255, 10, 0, 0, 0], [30, 0, 0, 0, 40, 0, 0, 0]]
    narrow = replace(TWO_SETS, dram_bytes_per_cycle=4)
    assert slice_beats(narrow, SMALL, one)[-2:].tolist() == [[40, 0, 0, 0], [3, 0, 0, 0]]  # one row, two beats


def test_the_bytes_of_a_queue_machines_pointers_and_of_a_vector() -> None:
    queue = replace(TWO_SETS, feed="queue", act_bits=9)
    (one,) = slices_of(queue, SMALL)
    found = slice_beats(queue, SMALL, one)
    assert found[1:5].tolist() == [[0, 0, 1, 0, 2, 0, 2, 0], [0] * 4 + [1, 0, 2, 0], [0, 0, 1, 0, 1, 0, 2, 0], [0, 0, 1, 0, 1, 0, 2, 0]]
    assert found[6].tolist() == [4, 0, 5, 0, 0, 0, 0, 0]  # value and tag, no column
    assert vector_beats(queue, np.array([-1, 255, 2, 3, 4])).tolist() == [[255, 1, 255, 0, 2, 0, 3, 0], [4] + [0] * 7]
    assert vector_beats(TWO_SETS, np.array([-1, 5])).tolist() == [[255, 5, 0, 0, 0, 0, 0, 0]]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_lists_are_those_of_the_rules(seed: int) -> None:
    """Without padding they are `rearranged.deal`'s; gaps, pointers and tags lead back to the matrix."""
    design, layer = random_case(seed)
    dense = np.zeros((layer.height, layer.width), np.int64)
    dense[layer.matrix.coordinates] = layer.matrix.values
    slices = slices_of(design, layer)
    assert [s.first_row for s in slices] == list(range(0, layer.height, slices[0].n_rows))
    assert sum(s.n_rows for s in slices) == layer.height
    for one in slices:
        rows = dense[one.first_row : one.first_row + one.n_rows]
        matrix = nonzeros(rows, design.value_bits)
        counts = np.count_nonzero(rows, axis=1)
        permutation = row_permutation(counts, design.n_sets) if design.sort_rows else np.arange(one.n_rows)
        expected = deal(matrix, permutation, design.n_macs, design.n_sets)
        real = one.is_padding == 0
        assert np.array_equal(one.permutation, permutation)
        assert np.array_equal(one.values[real], matrix.values[expected.order]) and not one.values[~real].any()
        assert np.array_equal(one.columns[real], expected.columns)
        assert np.array_equal(one.accumulators_of_entries[real], expected.tags)
        assert one.lengths.max() <= design.lane_entries and one.n_rows <= design.accumulators * design.n_sets
        assert one.lengths.sum() == one.n_entries == len(one.tags) == len(one.columns)
        if not design.gap_bits:
            assert np.array_equal(one.lengths, expected.lengths) and np.array_equal(one.tags, one.accumulators_of_entries)
        check_gaps_and_pointers(design, one, layer.width)


def check_gaps_and_pointers(design: Design, one: Slice, width: int) -> None:
    for lane, entries in enumerate(lists(one, "columns", "tags", "accumulators_of_entries", "is_padding")):
        reached, last_column = -1, -1
        for column, stored, tag, is_padding in entries:
            assert column >= last_column and 0 <= stored < 1 << design.tag_field_bits
            reached = -1 if column != last_column else reached
            if design.gap_bits:
                reached += stored + 1
                assert reached == tag and (not is_padding or stored == (1 << design.gap_bits) - 1)
            last_column = column
        if one.pointers is not None:
            inside = [entry[0] for entry in entries]
            assert one.pointers[lane].tolist() == [sum(c < column for c in inside) for column in range(width + 1)]


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_beats_say_what_the_lists_say(seed: int) -> None:
    """Read back bit by bit, by the text of the definition."""
    design, layer = random_case(seed)
    for one in slices_of(design, layer):
        beats = slice_beats(design, layer, one)
        assert beats.shape == (n_slice_beats(design, one, layer.width), design.dram_bytes_per_cycle)
        reader = iter([int.from_bytes(beat.tobytes(), "little") for beat in beats])
        assert fields(reader, design.n_macs, 16, design.lengths_per_beat) == one.lengths.tolist()
        if one.pointers is not None:
            for lane in range(design.n_macs):
                assert fields(reader, layer.width + 1, 16, design.lengths_per_beat) == one.pointers[lane].tolist()
        for entries in lists(one, "values", "columns", "tags"):
            words = fields(reader, len(entries), 8 * design.entry_bytes, design.entries_per_beat)
            assert words == [packed(design, *entry) for entry in entries]
        biases = layer.numbers.bias[one.first_row + one.permutation]
        rows = [int(b) & 0xFFFFFFFF | (int(row) << 32 if design.output_order == "restored" else 0)
                for b, row in zip(biases, one.permutation, strict=True)]  # fmt: skip
        if design.beats_per_row == 1:
            assert fields(reader, len(rows), 8 * design.row_bytes, design.rows_per_beat) == rows
        else:
            n_bits = 8 * design.dram_bytes_per_cycle
            assert [sum(next(reader) << n_bits * i for i in range(design.beats_per_row)) for _ in rows] == rows
        assert next(reader, None) is None
    assert len(vector_beats(design, activations(layer, design.act_bits)[0])) == n_vector_beats(design, layer.width)


def fields(reader: object, n: int, bits: int, per_beat: int) -> list[int]:
    """`n` numbers of so many bits, `per_beat` in each beat; what is left over is zero."""
    found: list[int] = []
    while len(found) < n:
        beat = next(reader)  # type: ignore[call-overload]
        taken = min(per_beat, n - len(found))
        found += [beat >> bits * i & (1 << bits) - 1 for i in range(taken)]
        assert beat >> bits * taken == 0
    return found


def packed(design: Design, value: int, column: int, tag: int) -> int:
    if design.feed == "queue":
        return value % (1 << design.value_bits) + (tag << design.value_bits)
    return value % (1 << design.value_bits) + (column + (tag << design.column_bits) << design.value_bits)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_results_are_those_of_plain_python(seed: int) -> None:
    design, layer = random_case(seed)
    vectors = activations(layer, design.act_bits)
    outputs, n_overflows = reference(design, layer, vectors)
    assert (outputs.tolist(), n_overflows) == plainly(design, layer, vectors)


def plainly(design: Design, layer: SparseLayer, vectors: np.ndarray) -> tuple[list[list[int]], int]:
    """Section 1 of the definition, one addition at a time."""
    numbers, modulus, n_overflows = layer.numbers, 1 << design.acc_bits, 0
    low, high = -modulus // 2, modulus // 2 - 1
    outputs = [[0] * layer.height for _ in vectors]
    for one in slices_of(design, layer):
        for v, x in enumerate(vectors.tolist()):
            totals = numbers.bias[one.first_row : one.first_row + one.n_rows].tolist()
            for lane, entries in enumerate(lists(one, "values", "columns", "accumulators_of_entries")):
                sums: dict[int, int] = {}
                for value, column, tag in entries:
                    total = sums.get(tag, 0) + value * (x[column] - numbers.in_zero)
                    if not low <= total <= high:
                        n_overflows += 1
                        total = max(low, min(total, high)) if design.acc_overflow == "saturate" else (total - low) % modulus + low
                    sums[tag] = total
                for tag, total in sums.items():
                    position = tag * design.n_sets + lane // design.ways
                    if position < one.n_rows:
                        totals[one.permutation[position]] += total
            for row, total in enumerate(totals):
                y = (total * numbers.multiplier + ((1 << numbers.shift) >> 1) >> numbers.shift) + numbers.out_zero
                outputs[v][one.first_row + row] = max(numbers.out_low, min(y, numbers.out_high))
    return outputs, n_overflows


def test_overflow_depends_on_the_order_of_a_lanes_list() -> None:
    layer = SparseLayer(
        name="row", matrix=nonzeros(np.array([[100, 100, -100]])), numbers=replace(NUMBERS, bias=np.array([0]))
    )
    x = np.ones((1, 3), np.int64)
    one_lane = Design(n_macs=1, n_sets=1, acc_bits=8, acc_overflow="saturate")
    assert reference(one_lane, layer, x) == (np.array([[27]]), 1)  # 100, 127 for 200, 27
    assert reference(replace(one_lane, acc_overflow="wrap"), layer, x) == (np.array([[100]]), 2)  # 100, -56, 100 for -156
    three = replace(one_lane, n_macs=3)  # each lane has one; the tree is exact
    assert reference(three, layer, x) == (np.array([[100]]), 0)


def test_slices_are_halved_until_they_fit() -> None:
    full = SparseLayer(
        name="full", matrix=nonzeros(np.ones((13, 8), int)), numbers=replace(NUMBERS, bias=np.zeros(13, np.int64))
    )
    design = Design(n_macs=4, n_sets=2, accumulators=16, lane_entries=1000)
    assert [s.n_rows for s in slices_of(design, full)] == [13]
    assert [s.n_rows for s in slices_of(replace(design, accumulators=4), full)] == [7, 6]
    # 7 rows: 4 of 8 in one set, 16 a lane; 4 rows: 2 of 8, 8 a lane; 2 rows: 4 a lane.
    assert [s.n_rows for s in slices_of(replace(design, lane_entries=16), full)] == [7, 6]
    assert [s.n_rows for s in slices_of(replace(design, lane_entries=15), full)] == [4, 4, 4, 1]
    assert [s.n_rows for s in slices_of(replace(design, lane_entries=4), full)] == [2] * 6 + [1]
    assert refusal(replace(design, lane_entries=3), full) == (
        "lane_entries: wanted room for the entries of one row in the 2 lanes of a set, got 3 a lane; raise it"
    )
    assert refusal(replace(design, lane_entries=16, weights="resident"), full) == (
        "weights: wanted streamed for a matrix of 2 slices, got resident; or raise lane_entries"
    )


@pytest.mark.parametrize(
    ("changes", "numbers", "wanted"),
    [
        ({"act_words": 2}, {}, "act_words: wanted 3 or more for as many columns, got 2; raise it"),
        ({"value_bits": 4}, {}, "value_bits: wanted room for weights of -6 to 8, got 4; raise it"),
        ({"requant_multiplier_bits": 8}, {"multiplier": 256},
         "requant_multiplier_bits: wanted 9 or more for the multiplier 256, got 8; raise it"),
        ({"act_bits": 7}, {}, "act_bits: wanted room for results of -128 to 127, got 7 (-64 to 63); raise it"),
        ({}, {"in_zero": 200}, "act_bits: wanted room for activations of 200 to 200, got 8 (-128 to 127); raise it"),
        ({}, {"out_low": 0, "out_high": 256}, "act_bits: wanted room for results of 0 to 256, got 8 (0 to 255); raise it"),
    ],
)  # fmt: skip
def test_numbers_that_do_not_fit_are_refused(changes: dict[str, int], numbers: dict[str, int], wanted: str) -> None:
    design, layer = replace(Design(), **changes), replace(SMALL, numbers=replace(SMALL.numbers, **numbers))  # type: ignore[arg-type]
    assert refusal(Design(), SMALL) is None
    assert refusal(design, layer) == wanted
    with pytest.raises(InputError) as refused:
        slices_of(design, layer)
    assert str(refused.value) == f"small: {wanted}"


def test_machines_that_differ_elsewhere_share_slices() -> None:
    (one,) = slices_of(TWO_SETS, SMALL)
    (same,) = slices_of(replace(TWO_SETS, window=4, acc_bits=20, lane_entries=9), SMALL)
    (other,) = slices_of(replace(TWO_SETS, n_sets=4), SMALL)
    assert one is same and one is not other


def test_the_widest_matrix_and_the_most_rows() -> None:
    wide = np.zeros((3, 65535), np.int64)
    wide[1, [0, 32767, 32768, 65534]] = [1, 2, 3, 4]
    layer = SparseLayer(name="wide", matrix=nonzeros(wide), numbers=replace(NUMBERS, bias=np.zeros(3, np.int64)))
    (one,) = slices_of(Design(n_macs=1, n_sets=1, act_words=65535), layer)
    assert lists(one, "values", "columns", "tags") == [[(1, 0, 0), (2, 32767, 0), (3, 32768, 0), (4, 65534, 0)]]
    tall = np.zeros((65536, 1), np.int64)
    tall[[5, 65535]] = [[7], [8]]
    layer = SparseLayer(name="tall", matrix=nonzeros(tall), numbers=replace(NUMBERS, bias=np.zeros(65536, np.int64)))
    (one,) = slices_of(Design(n_macs=16, n_sets=16, accumulators=4096, sort_rows=False), layer)
    assert [(lane, *entry) for lane, found in enumerate(lists(one, "values", "tags")) for entry in found] == [
        (5, 7, 0), (15, 8, 4095)
    ]  # fmt: skip


def test_the_slices_asked_for_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_lists, "_KEPT_BYTES", 10_000)
    kept = sparse_lists._Kept()
    monkeypatch.setattr(sparse_lists, "_kept", kept)
    designs = [Design(n_macs=4 * n, n_sets=n) for n in (1, 2, 3, 4, 5, 6)]
    first = slices_of(designs[0], SMALL)[0]
    for design in designs[1:]:
        slices_of(design, SMALL)
        assert slices_of(designs[0], SMALL)[0] is first  # asked for again and again
    assert 1 < len(kept.slices) < 6 and kept.n_bytes == sum(map(sparse_lists._n_bytes, kept.slices.values())) <= 10_000
    monkeypatch.setattr(sparse_lists, "_KEPT_BYTES", 0)
    slices_of(Design(), SMALL)
    assert len(kept.slices) == 1  # the last one, however large
