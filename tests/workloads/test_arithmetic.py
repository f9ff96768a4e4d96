"""Arithmetic in LUTs equals numpy's, and takes no more LUTs than promised."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.arithmetic import add_signed, argmax, at_least, count_ones
from workloads.netlist import CONSTANT_0, CONSTANT_1, Netlist, run_netlist
from workloads.netlist_builder import NetlistBuilder, check


def circuit(n_inputs: int, build: Callable[[NetlistBuilder], list[int]]) -> Netlist:
    builder = NetlistBuilder([f"x{index}" for index in range(n_inputs)])
    netlist = builder.finish([(f"y{index}", signal) for index, signal in enumerate(build(builder))])
    check(netlist)
    assert (np.diff(netlist.fanin_start) <= 6).all()
    return netlist


def vectors(n_inputs: int) -> np.ndarray:
    """All of them where they are few, else 2000 with zeros and ones in unequal shares."""
    if n_inputs <= 12:
        return np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs) & 1
    rng = np.random.default_rng(n_inputs)
    return (rng.random((2000, n_inputs)) < rng.random((2000, 1))).astype(np.int64)


def numbers(bits: np.ndarray, signed: bool = False) -> np.ndarray:
    """Along the last axis, least significant first."""
    weights = 1 << np.arange(bits.shape[-1])
    if signed and len(weights):
        weights[-1] *= -1
    return bits.astype(np.int64) @ weights


@pytest.mark.parametrize("n_bits", range(1, 8))
def test_at_least(n_bits: int) -> None:
    x = vectors(n_bits)
    for threshold in range(-1, (1 << n_bits) + 2):
        netlist = circuit(n_bits, lambda b, t=threshold: [at_least(b, range(n_bits), t, "encoder")])
        assert (run_netlist(netlist, x)[:, 0] == (numbers(x) >= threshold)).all()
        assert netlist.n_luts <= (1 if n_bits <= 6 else 2)


def test_at_least_of_many_bits() -> None:
    netlist = circuit(16, lambda b: [at_least(b, range(16), 12345, "encoder")])
    x = vectors(16)
    assert (run_netlist(netlist, x)[:, 0] == (numbers(x) >= 12345)).all()
    assert netlist.n_luts == 3


@pytest.mark.parametrize("n", [*range(14), 20, 30, 37])
def test_count_ones(n: int) -> None:
    netlist = circuit(n, lambda b: count_ones(b, range(n), "sum"))
    x = vectors(n)
    assert netlist.n_outputs == n.bit_length()
    assert (numbers(run_netlist(netlist, x)) == x.sum(axis=1)).all()


@pytest.mark.parametrize(("n", "luts"), [(1, 0), (2, 2), (3, 2), (4, 3), (6, 3), (7, 5), (12, 10), (20, 17), (30, 26)])
def test_luts_of_a_count(n: int, luts: int) -> None:
    assert circuit(n, lambda b: count_ones(b, range(n), "sum")).n_luts == luts


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 5), max_size=9), st.booleans())
def test_add_signed(widths: list[int], constants: bool) -> None:
    n = sum(widths)
    starts = np.cumsum([0, *widths])
    operands = [list(range(start, start + width)) for start, width in zip(starts, widths, strict=False)]
    if constants:
        operands += [[CONSTANT_1, CONSTANT_0, CONSTANT_1], [CONSTANT_1, CONSTANT_1, CONSTANT_0]]  # -3 and 3
    netlist = circuit(n, lambda b: add_signed(b, operands, "sum"))
    x = vectors(n)
    fields = [x[:, start : start + width] for start, width in zip(starts, widths, strict=False)]
    want = sum((numbers(field, signed=True) for field in fields), np.zeros(len(x), np.int64))
    assert (numbers(run_netlist(netlist, x), signed=True) == want).all()


def test_a_sum_is_as_wide_as_its_range() -> None:
    for n, width, bits in [(1, 4, 4), (2, 4, 5), (3, 4, 6), (4, 4, 6), (5, 1, 4), (12, 3, 7)]:
        operands = [range(start, start + width) for start in range(0, n * width, width)]
        assert circuit(n * width, lambda b, o=operands: add_signed(b, o, "sum")).n_outputs == bits


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.booleans())
def test_argmax(n: int, width: int, signed: bool) -> None:
    rows = [list(range(start, start + width)) for start in range(0, n * width, width)]
    netlist = circuit(n * width, lambda b: argmax(b, rows, signed=signed, role="argmax"))
    x = vectors(n * width)
    got = numbers(run_netlist(netlist, x)) if n > 1 else np.zeros(len(x))
    assert netlist.n_outputs == (n - 1).bit_length()
    assert (got == numbers(x.reshape(len(x), n, width), signed).argmax(axis=1)).all()


@pytest.mark.parametrize("signed", [False, True])
def test_argmax_of_unequal_widths(signed: bool) -> None:
    rows = [[0, 1], [2, 3, 4], [5]]
    netlist = circuit(6, lambda b: argmax(b, rows, signed=signed, role="argmax"))
    x = vectors(6)
    scores = np.stack([numbers(x[:, row], signed) for row in rows], axis=1)
    assert (numbers(run_netlist(netlist, x)) == scores.argmax(axis=1)).all()


def test_luts_of_an_argmax() -> None:
    def luts(n: int, width: int) -> int:
        rows = [range(start, start + width) for start in range(0, n * width, width)]
        return circuit(n * width, lambda b: argmax(b, rows, signed=False, role="argmax")).n_luts

    assert luts(2, 3) == 1 and luts(2, 5) == 2  # three bits of two numbers are one LUT
    assert luts(10, 4) <= 57 and luts(10, 5) <= 72  # mapping merges them to 48 and 63
