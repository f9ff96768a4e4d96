"""Tables as integers do what indexing of entries does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads import truth_tables


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 6))
    return draw(st.integers(0, truth_tables.full(n))), n


@given(tables())
@settings(max_examples=60, deadline=None)
def test_every_operation_against_indexing(case: tuple[int, int]) -> None:
    table, n = case
    entries = truth_tables.to_entries(table, n)
    index = np.arange(1 << n)
    assert truth_tables.from_entries(entries) == table
    for v in range(n):
        bit = index >> v & 1
        assert (truth_tables.to_entries(truth_tables.variable(v, n), n) == bit).all()
        assert (truth_tables.to_entries(truth_tables.flipped(table, v, n), n) == entries[index ^ (1 << v)]).all()
        for value in (0, 1):
            got = truth_tables.to_entries(truth_tables.cofactor(table, v, value, n), n)
            assert (got == entries[index & ~(1 << v) | value << v]).all()
        for w in range(n):
            exchanged = index & ~(1 << v) & ~(1 << w) | bit << w | (index >> w & 1) << v
            assert (truth_tables.to_entries(truth_tables.swapped(table, v, w, n), n) == entries[exchanged]).all()
    matters = [v for v in range(n) if (entries != entries[index ^ (1 << v)]).any()]
    assert truth_tables.support(table, n) == matters
    small = truth_tables.shrunk(table, matters, n)
    assert truth_tables.expanded(small, matters, n) == table


def test_tables_of_anything_else_are_refused() -> None:
    with pytest.raises(ValueError, match="wanted one list of 0 and 1"):
        truth_tables.from_entries([0, 2])
    with pytest.raises(ValueError, match="wanted one list of 0 and 1"):
        truth_tables.from_entries(np.zeros((2, 2)))


def test_a_table_takes_in_its_input() -> None:
    # a & b, where b = c | a: fan-in (a, c), value a
    assert truth_tables.composed(0b1000, (0, 5), 5, 0b1110, (0, 3)) == ((0, 3), 0b1010)
