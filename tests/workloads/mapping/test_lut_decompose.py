"""Wide functions in narrow LUTs: the same function, and no more LUTs than known constructions take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads import truth_tables
from workloads.mapping import lut_decompose
from workloads.mapping.lut_decompose import add_function, luts_of_any
from workloads.netlist import run_netlist
from workloads.netlist_builder import NetlistBuilder, check


def luts(entries: np.ndarray, lut_inputs: int) -> int:
    """LUTs that the function takes; it is checked in passing."""
    n = len(entries).bit_length() - 1
    builder = NetlistBuilder([f"x{index}" for index in range(n)])
    signal = add_function(builder, range(n), truth_tables.from_entries(entries), lut_inputs, "tree")
    netlist = builder.finish([("y", signal)])
    check(netlist)
    assert (np.diff(netlist.fanin_start) <= lut_inputs).all()
    x = np.arange(1 << n)[:, None] >> np.arange(n) & 1
    assert (run_netlist(netlist, x)[:, 0] == entries).all()
    return netlist.n_luts


def of_ones(n: int, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A symmetric function: of the number of ones among n inputs."""
    return function((np.arange(1 << n)[:, None] >> np.arange(n) & 1).sum(axis=1)).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(3, 6), st.sampled_from([0.02, 0.2, 0.5]))
def test_any_function(seed: int, n: int, lut_inputs: int, density: float) -> None:
    entries = np.random.default_rng(seed).random(1 << n) < density
    assert luts(entries, lut_inputs) <= luts_of_any(n, lut_inputs)


def test_bounds() -> None:
    """A LUT6 is a multiplexer of four; in LUT4 or LUT5 that takes two, in LUT3 three."""
    assert [luts_of_any(n, 6) for n in (6, 7, 8, 9, 10)] == [1, 3, 5, 11, 21]
    assert [luts_of_any(n, 4) for n in (4, 5, 6, 7, 8)] == [1, 3, 6, 13, 26]
    assert [luts_of_any(n, 3) for n in (3, 4, 5, 6)] == [1, 3, 7, 15]


@pytest.mark.parametrize(
    ("entries", "lut_inputs", "most"),
    [
        (of_ones(8, lambda ones: ones % 2), 6, 2),
        (of_ones(10, lambda ones: ones % 2), 4, 3),
        (of_ones(10, lambda ones: ones == 10), 6, 2),
        (of_ones(8, lambda ones: ones > 4), 6, 3),  # 3 of 8 counted into one or two bits
        (of_ones(7, lambda ones: ones > 3), 4, 5),
        ((np.arange(64) >> 2 >> (np.arange(64) & 3)) & 1, 4, 2),  # a multiplexer of four
        ((np.arange(64) >> 2 >> (np.arange(64) & 3)) & 1, 3, 3),
    ],
)
def test_structure_is_found(entries: np.ndarray, lut_inputs: int, most: int) -> None:
    assert luts(entries, lut_inputs) <= most


def test_functions_of_more_variables_than_are_searched() -> None:
    assert luts(of_ones(12, lambda ones: ones == 12), 6) <= 7
    assert luts(np.random.default_rng(0).integers(0, 2, 1 << 12), 6) <= luts_of_any(12, 6)


@given(st.integers(0, 2**32 - 1), st.integers(3, 6), st.data())
@settings(max_examples=40, deadline=None)
def test_column_count_against_numpy(seed: int, n: int, data: st.DataObject) -> None:
    """The kernel counts the different columns as a plain reading of the definition does."""
    entries = np.random.default_rng(seed).integers(0, 2, 1 << n).astype(np.uint8)
    free = data.draw(st.integers(1, (1 << n) - 2))
    shared = data.draw(st.sampled_from([0, *(1 << v for v in range(n) if free >> v & 1 and free != 1 << v)]))
    index = np.arange(1 << n)
    kinds = []
    for value in (0, shared) if shared else (0,):
        here = index[index & shared == value]
        columns = {tuple(entries[here[here & ~free == b]]) for b in np.unique(here & ~free)}
        kinds.append(len(columns))
    want = max(1, (max(kinds) - 1).bit_length())
    assert lut_decompose._n_inner(entries, n, free, shared, 5) == min(want, 6)
