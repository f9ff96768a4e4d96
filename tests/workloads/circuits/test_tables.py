"""Tables become gates of the same function, and few of them."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.circuits.builder import CircuitBuilder
from workloads.circuits.circuit import AND, MUX, NOR, XOR, Circuit, Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.tables import add_table, circuit_of_netlist
from workloads.netlist import run_netlist
from workloads.netlist_builder import NetlistBuilder
from workloads.random_netlists import random_netlist


def of_table(table: int, n: int) -> Circuit:
    builder = CircuitBuilder([Port(name="x", bits=n)])
    return builder.finish("table", [(Port(name="y", bits=1), [add_table(builder, table, range(n))])])


def entries(circuit: Circuit, n: int) -> int:
    inputs = np.arange(1 << n)[:, None] >> np.arange(n) & 1
    return sum(int(bit) << index for index, bit in enumerate(run_circuit(circuit, inputs)[:, 0]))


@pytest.mark.parametrize(("n", "most"), [(1, 0), (2, 1), (3, 4)])
def test_every_small_table(n: int, most: int) -> None:
    for table in range(1 << (1 << n)):
        circuit = of_table(table, n)
        assert entries(circuit, n) == table
        assert circuit.n_bootstraps <= most


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 9), st.integers(0, 10**6))
def test_larger_tables(n: int, seed: int) -> None:
    table = random.Random(seed).getrandbits(1 << n)
    assert entries(of_table(table, n), n) == table


def of_function(n: int, function: Callable[..., int]) -> int:
    return sum(int(function(*[index >> place & 1 for place in range(n)])) << index for index in range(1 << n))


@pytest.mark.parametrize(
    ("n", "function", "bootstraps"),
    [
        (3, lambda a, b, c: a + b + c > 1, 3),  # a majority: one of two that are equal, else the third
        (3, lambda a, b, c: b if a else c, 2),
        (4, lambda a, b, c, d: a ^ b ^ c ^ d, 3),
        (4, lambda a, b, c, d: (a & b) | (c & d), 3),
        (4, lambda a, b, c, d: (b if a else c) & ~d & 1, 3),
        (6, lambda *bits: all(bits), 5),
        (6, lambda a, b, c, d, e, f: (a ^ b) | (c & (d ^ e ^ f)), 5),
    ],
)
def test_functions_whose_structure_is_found(n: int, function: Callable[..., int], bootstraps: int) -> None:
    circuit = of_table(of_function(n, function), n)
    assert circuit.n_bootstraps == bootstraps


def test_tables_of_two_inputs_are_gates_one_by_one_and_names_become_ports() -> None:
    builder = NetlistBuilder(["a[1]", "a[0]", "s", "b[3]"])
    both = builder.lut((0, 1), 0b1000, "logic")
    neither = builder.lut((1, 3), 0b0001, "logic")
    chosen = builder.lut((both, neither, 2), 0b11001010, "logic")  # the second where s
    netlist = builder.finish([("y[0]", chosen), ("y[1]", builder.lut((both, neither), 0b0110, "logic")), ("z", 0)])
    circuit = circuit_of_netlist("n", netlist)
    assert [(port.name, port.bits) for port in circuit.inputs] == [("a", 2), ("s", 1), ("b[3]", 1)]
    assert [(port.name, port.bits) for port in circuit.output_ports] == [("y", 2), ("z", 1)]
    assert circuit.ops.tolist() == [AND, NOR, MUX, XOR]
    assert circuit.operands.tolist() == [[0, 1, -1], [0, 3, -1], [2, 5, 4], [4, 5, -1]]
    assert circuit.outputs.tolist() == [6, 7, 1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 10), st.integers(0, 25), st.integers(1, 7))
def test_netlists_keep_their_function(seed: int, n_inputs: int, n_luts: int, most: int) -> None:
    rng = np.random.default_rng(seed)
    netlist = random_netlist(rng, n_inputs, n_luts, most)
    inputs = rng.integers(0, 2, (100, n_inputs)).astype(np.uint8)
    assert np.array_equal(run_circuit(circuit_of_netlist("n", netlist), inputs), run_netlist(netlist, inputs))
