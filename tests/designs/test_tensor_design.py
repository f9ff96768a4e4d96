"""Tensor machines: sizes of n:m words worked out by hand, and what cannot be built."""

from __future__ import annotations

import pytest

from designs.errors import DesignError
from designs.families.tensor import Design


def test_sizes_of_an_n_of_m_machine() -> None:
    dense, sparse = Design(array_rows=8, array_cols=4), Design(array_rows=8, array_cols=4, n_of_m="2:4")
    assert (dense.kept_lanes, dense.group_lanes, dense.place_bits, dense.act_lanes) == (1, 1, 0, 8)
    assert (sparse.kept_lanes, sparse.group_lanes, sparse.place_bits, sparse.act_lanes) == (2, 4, 2, 16)
    assert (dense.act_word_bits, sparse.act_word_bits) == (64, 128)
    assert (dense.weight_word_bits, sparse.weight_word_bits) == (32, 4 * (8 + 2))
    assert (dense.channel_unit, sparse.channel_unit) == (8, 16)
    assert (dense.post_lanes, sparse.post_lanes) == (4, 4)
    assert sparse.out_words * 2 == dense.out_words and sparse.param_words == 2 * dense.param_words
    third = Design(array_rows=4, array_cols=2, n_of_m="2:3")
    assert (third.act_lanes, third.place_bits, third.channel_unit) == (6, 2, 6)
    assert Design(array_rows=4, array_cols=12, n_of_m="1:2").channel_unit == 24  # of words of 8 and 12 columns


def test_which_edges_are_wide() -> None:
    design = Design(act_bits=8, wide_bits=20, n_of_m="1:2")
    assert [design.stored_bits(bits) for bits in (4, 8, 9, 20)] == [8, 8, 20, 20]
    assert (design.stored_word_bits(8), design.stored_word_bits(9), design.out_word_bits) == (256, 640, 640)
    assert Design().stored_bits(16) == 8 and Design().out_word_bits == 128


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_of_m": "4:2"}, "n_of_m: wanted \"n:m\" with n < m <= 16, or \"1:1\" for dense weights, got '4:2'"),
        ({"n_of_m": "2:2"}, "n_of_m: wanted \"n:m\" with n < m <= 16, or \"1:1\" for dense weights, got '2:2'"),
        ({"n_of_m": "0:4"}, "n_of_m: wanted \"n:m\" with n < m <= 16, or \"1:1\" for dense weights, got '0:4'"),
        ({"n_of_m": "1:17"}, "n_of_m: wanted \"n:m\" with n < m <= 16, or \"1:1\" for dense weights, got '1:17'"),
        ({"n_of_m": "dense"}, "n_of_m: wanted \"n:m\" with n < m <= 16, or \"1:1\" for dense weights, got 'dense'"),
        ({"n_of_m": "3:4"}, "n_of_m: wanted n:m with an n that divides array_rows (16), got 3:4"),
        (
            {"n_of_m": "2:4", "dataflow": "output_stationary"},
            "n_of_m: wanted 1:1 where dataflow is not weight_stationary, got 2:4",
        ),
        (
            {"n_of_m": "2:4", "weight_bits": 1},
            "n_of_m: wanted 1:1 where weight_bits is 1 (one bit has no zero), got 2:4",
        ),
        (
            {"n_of_m": "2:4", "vector_lanes": 4},
            "n_of_m: wanted 1:1 beside a vector unit, which makes dense weights, got 2:4",
        ),
        (
            {"n_of_m": "2:3"},
            "array_cols: wanted a divisor of 24 (channels of an activation word: array_rows * m / n of 2:3) or an n that "
            "divides m, got 16",
        ),
        ({"wide_bits": 8}, "wide_bits: wanted more than act_bits (8), or 0 for none, got 8"),
    ],
)
def test_what_cannot_be_built(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DesignError) as caught:
        Design(**changes).check()  # type: ignore[arg-type]
    assert str(caught.value) == message
