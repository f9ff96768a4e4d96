"""Depth, width and fan-out, by hand and against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.circuits.plain import heights_plain, levels_plain
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import AND, CONSTANT_0, MUX, NOT, XOR, Port
from workloads.circuits.levels import Shape, heights_of, levels_of, n_readers_of, shape_of, widths_of
from workloads.circuits.random_circuits import random_circuit


def test_a_circuit_by_hand() -> None:
    # signals: a b c; 3 = not a; 4 = 3 and b; 5 = not 4; 6 = mux(5, a, c); 7 = b xor c
    gates = [(NOT, [0, -1, -1]), (AND, [3, 1, -1]), (NOT, [4, -1, -1]), (MUX, [5, 0, 2]), (XOR, [1, 2, -1])]
    ops, operands = zip(*gates, strict=True)
    circuit = circuit_of(
        "hand", (Port(name="x", bits=3),), (Port(name="y", bits=3),), ops, operands, [6, 7, CONSTANT_0]
    )
    assert levels_of(circuit).tolist() == [0, 0, 0, 0, 1, 1, 2, 1]
    assert heights_of(circuit).tolist() == [2, 2, 1, 2, 2, 1, 1, 1]
    assert widths_of(circuit).tolist() == [2, 2]
    assert n_readers_of(circuit).tolist() == [2, 2, 2, 1, 1, 1, 1, 1]
    assert shape_of(circuit) == Shape(
        n_gates=3, n_nots=2, n_bootstraps=4, depth=2, widest=2, mean_width=2.0, most_readers=2
    )


def test_a_circuit_without_gates_is_flat() -> None:
    circuit = circuit_of("wire", (Port(name="x", bits=1),), (Port(name="y", bits=1),), [], [], [0])
    assert shape_of(circuit) == Shape(
        n_gates=0, n_nots=0, n_bootstraps=0, depth=0, widest=0, mean_width=0.0, most_readers=1
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 200))
def test_kernels_equal_plain_loops(seed: int, n_gates: int) -> None:
    circuit = random_circuit(seed, n_gates)
    levels, heights = levels_of(circuit), heights_of(circuit)
    assert levels.tolist() == levels_plain(circuit)
    assert heights.tolist() == heights_plain(circuit)
    assert levels.max() == heights.max() == len(widths_of(circuit))
    assert widths_of(circuit).sum() == circuit.n_bootstraps
    assert np.all(widths_of(circuit) > 0)
