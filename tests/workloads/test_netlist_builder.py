"""What a builder answers is the function asked for, in its smallest form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.netlist import CONSTANT_0, CONSTANT_1, Netlist, run_netlist
from workloads.netlist_builder import NetlistBuilder, check
from workloads.random_netlists import SHAPES, random_netlist

AND, OR, XOR = (0, 0, 0, 1), (0, 1, 1, 1), (0, 1, 1, 0)


def builder(n_inputs: int = 3) -> NetlistBuilder:
    return NetlistBuilder([f"x{index}" for index in range(n_inputs)])


def test_a_buffer_is_its_input_and_an_inverter_of_an_inverter_too() -> None:
    b = builder()
    assert b.lut([1], [0, 1], "logic") == 1
    inverse = b.invert(1, "logic")
    assert inverse == 3 and b.invert(inverse, "logic") == 1
    assert b.invert(CONSTANT_0, "logic") == CONSTANT_1


def test_constants_fold() -> None:
    b = builder()
    assert b.lut([0, CONSTANT_0], AND, "logic") == CONSTANT_0
    assert b.lut([0, CONSTANT_1], AND, "logic") == 0
    assert b.lut([0, 1], [1, 1, 1, 1], "logic") == CONSTANT_1
    assert b.lut([], [1], "logic") == CONSTANT_1
    assert b.n_luts == 0


def test_equal_inputs_and_inputs_that_do_not_matter_go() -> None:
    b = builder()
    assert b.lut([0, 0], XOR, "logic") == CONSTANT_0
    assert b.lut([0, 0], AND, "logic") == 0
    assert b.lut([0, 1, 2], [0, 0, 1, 1] * 2, "logic") == 1


def test_order_of_inputs_does_not_matter() -> None:
    b = builder()
    and_not = b.lut([0, 1], [0, 1, 0, 0], "logic")  # x0 and not x1
    assert b.lut([1, 0], [0, 0, 1, 0], "tree") == and_not
    assert b.lut([0, b.invert(1, "logic")], AND, "logic") == and_not


def test_an_inverse_is_shared_by_readers_and_costs_outputs_no_level() -> None:
    b = builder()
    both, neither = b.lut([0, 1], AND, "logic"), b.lut([0, 1], [1, 1, 1, 0], "logic")
    read = b.lut([neither, 2], OR, "logic")
    netlist = b.finish([("y", read), ("both", both)])
    assert netlist.n_luts == 2  # the inverter has no reader left
    netlist = b.finish([("y", neither), ("both", both)])
    assert netlist.n_luts == 2 and netlist.fanin.tolist() == [0, 1, 0, 1]
    assert run_netlist(netlist, np.array([[1, 1, 0]])).tolist() == [[0, 1]]


def test_dead_luts_go_and_outputs_may_be_anything() -> None:
    b = builder()
    b.lut([0, 2], XOR, "logic")
    y = b.lut([0, 1], OR, "mat")
    netlist = b.finish([("a", y), ("b", y), ("c", 2), ("d", CONSTANT_1)])
    check(netlist)
    assert netlist.n_luts == 1 and netlist.outputs.tolist() == [3, 3, 2, CONSTANT_1] and netlist.roles.tolist() == [2]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"wanted 2\^2 entries, got 3"):
        builder().lut([0, 1], [0, 1, 1], "logic")
    with pytest.raises(ValueError, match="wanted signals below 3"):
        builder().lut([0, 3], AND, "logic")
    with pytest.raises(ValueError, match="at most 16 inputs that matter, got 17"):
        builder(17).lut(range(17), (1 << (1 << 17) - 1), "logic")
    with pytest.raises(ValueError, match="bits"):
        builder().lut([0], 0b100, "logic")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_functions(data: st.DataObject) -> None:
    """Each LUT equals its definition, whatever was folded."""
    b = builder(4)
    x = np.arange(16)[:, None] >> np.arange(4) & 1
    values = {CONSTANT_0: np.zeros(16, int), CONSTANT_1: np.ones(16, int)} | {i: x[:, i] for i in range(4)}
    for _ in range(data.draw(st.integers(1, 12))):
        fanin = data.draw(st.lists(st.sampled_from(sorted(values)), max_size=4))
        table = data.draw(st.lists(st.integers(0, 1), min_size=1 << len(fanin), max_size=1 << len(fanin)))
        index = sum((values[s] << place for place, s in enumerate(fanin)), np.zeros(16, int))
        want = np.array(table)[index]
        signal = b.lut(fanin, table, "logic")
        assert (values.setdefault(signal, want) == want).all()
    signals = sorted(values)
    netlist = b.finish([(f"y{place}", signal) for place, signal in enumerate(signals)])
    check(netlist)
    assert (run_netlist(netlist, x) == np.stack([values[s] for s in signals], axis=1)).all()


def and_gate() -> Netlist:
    b = builder(2)
    return b.finish([("y", b.lut([0, 1], AND, "logic"))])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fanin": np.array([0, 2])}, "LUT 0: wanted signals 0 to 1, got [0, 2]"),
        ({"fanin": np.array([1, 1])}, "LUT 0: wanted each signal once, got [1, 1]"),
        ({"fanin_start": np.array([0, 1])}, "wanted fanin_start to rise from 0 to 2"),
        ({"tables": np.zeros(3, np.uint8), "table_start": np.array([0, 3])}, "LUT 0: wanted 2^2 entries, got 3"),
        ({"tables": np.array([0, 0, 0, 2], np.uint8)}, "wanted tables of 0 and 1, got 2"),
        ({"roles": np.array([9], np.uint8)}, "wanted roles below 7, got 9"),
        ({"outputs": np.array([3], np.int32)}, "output y: wanted a signal below 3, got 3"),
        ({"outputs": np.zeros(2, np.int32)}, "wanted 1 outputs, got 2"),
    ],
)
def test_broken_netlists_are_seen(change: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        check(replace(and_gate(), **change), "here")
    assert str(error.value).startswith("here: ") and message in str(error.value) and "\n" not in str(error.value)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(0, 40), st.integers(1, 8), st.sampled_from(SHAPES))
def test_random_netlists_are_netlists(seed: int, n_inputs: int, n_luts: int, max_inputs: int, shape: str) -> None:
    netlist = random_netlist(np.random.default_rng(seed), n_inputs, n_luts, max_inputs, shape=shape)
    check(netlist)
    assert netlist.n_luts == n_luts and (np.diff(netlist.fanin_start) <= max_inputs).all() and netlist.n_outputs >= 1


def test_random_netlists_are_odd() -> None:
    """Constants, inputs and signals twice among the outputs, inputs that nobody reads, twins: all occur."""
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        netlist = random_netlist(rng, 6, 12, 4)
        outputs = netlist.outputs.tolist()
        seen |= {"constant"} if min(outputs) < 0 else set()
        seen |= {"input"} if any(0 <= signal < 6 for signal in outputs) else set()
        seen |= {"twice"} if len(set(outputs)) < len(outputs) else set()
        seen |= {"unread"} if not set(range(6)) <= {*netlist.fanin.tolist(), *outputs} else set()
    assert seen == {"constant", "input", "twice", "unread"}
