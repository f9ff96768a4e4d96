"""Optimized netlists answer the same, with no LUT that could go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.netlist import CONSTANT_0, Netlist, run_netlist
from workloads.netlist_builder import check
from workloads.optimize import optimize
from workloads.random_netlists import random_netlist


def netlist_of(n_inputs: int, luts: list[tuple[list[int], list[int]]], outputs: list[int]) -> Netlist:
    """Exactly these LUTs (fan-in, table), nothing folded."""
    return Netlist(
        input_names=tuple(f"x{index}" for index in range(n_inputs)),
        output_names=tuple(f"y{index}" for index in range(len(outputs))),
        fanin_start=np.cumsum([0, *(len(fanin) for fanin, _ in luts)]),
        fanin=np.array([signal for fanin, _ in luts for signal in fanin], np.int32),
        table_start=np.cumsum([0, *(len(table) for _, table in luts)]),
        tables=np.array([entry for _, table in luts for entry in table], np.uint8),
        roles=np.zeros(len(luts), np.uint8),
        outputs=np.array(outputs, np.int32),
    )


AND, OR, XOR = [0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("luts", "outputs", "left"),
    [
        ([([0, 1], [0, 1, 0, 1])], [3], 0),  # depends on x0 alone: a buffer
        ([([0], [0, 1]), ([3, 1], AND)], [4], 1),  # a buffer before a reader
        ([([0], [1, 0]), ([3, 1], AND)], [4], 1),  # an inverter before a reader
        ([([0], [1, 0])], [3], 1),  # an inverter that is an output stays
        ([([0, 1], AND), ([1, 0], AND), ([3, 4], XOR)], [5], 0),  # duplicates: their XOR is 0
        ([([0, 1], [0] * 4), ([3, 2], OR)], [4], 0),  # a constant
        ([([0, 1], AND), ([1, 2], AND)], [4], 1),  # a dead one
        ([([0, 1], AND), ([0, 1], [1, 1, 1, 0]), ([3, 2], OR), ([4, 2], OR)], [5, 6], 3),  # an inverse, absorbed
    ],
)
def test_each_rule(luts: list, outputs: list[int], left: int) -> None:
    netlist = netlist_of(3, luts, outputs)
    x = np.arange(8)[:, None] >> np.arange(3) & 1
    assert optimize(netlist).n_luts == left
    assert (run_netlist(optimize(netlist), x) == run_netlist(netlist, x)).all()


def test_constants_travel_through_everything() -> None:
    luts = [([0, 1], [0] * 4), ([3, 2], AND), ([4, 0], AND)]
    assert optimize(netlist_of(3, luts, [5])).outputs.tolist() == [CONSTANT_0]


@pytest.mark.parametrize(("lut_inputs", "left"), [(None, 3), (3, 3), (4, 3), (5, 1), (6, 1)])
def test_a_lut_moves_into_its_readers_where_it_fits(lut_inputs: int | None, left: int) -> None:
    """((x0, x1, x2) -> a, (x2, x3, x4) -> b, (a, b) -> y): five inputs in all."""
    majority = [0, 0, 0, 1, 0, 1, 1, 1]
    netlist = netlist_of(5, [([0, 1, 2], majority), ([2, 3, 4], majority), ([5, 6], XOR)], [7])
    assert optimize(netlist, lut_inputs).n_luts == left - (lut_inputs == 4)  # with four, one of the two moves in


@pytest.mark.parametrize("is_output", [False, True])
def test_a_lut_with_two_readers_moves_only_if_that_saves_one(is_output: bool) -> None:
    luts = [([0, 1], XOR), ([2, 3], AND), ([3, 1], OR)]
    netlist = netlist_of(3, luts, [4, 5, 3] if is_output else [4, 5])
    assert optimize(netlist, 6).n_luts == (3 if is_output else 2)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 40), st.integers(1, 8))
def test_random_netlists(seed: int, n_inputs: int, n_luts: int, max_inputs: int) -> None:
    netlist = random_netlist(np.random.default_rng(seed), n_inputs, n_luts, max_inputs)
    x = np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs) & 1
    want = run_netlist(netlist, x)
    once = optimize(netlist)
    merged = optimize(netlist, 6)
    for simpler in (once, merged):
        check(simpler)
        assert (run_netlist(simpler, x) == want).all()
        assert (simpler.input_names, simpler.output_names) == (netlist.input_names, netlist.output_names)
    assert optimize(once).n_luts == once.n_luts and merged.n_luts <= once.n_luts <= netlist.n_luts + netlist.n_outputs
