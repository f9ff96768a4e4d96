"""A circuit means what its gates mean, one by one; many samples at once change nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.circuits.plain import FUNCTIONS, run_plain
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, N_OPERANDS, OPS, Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.random_circuits import random_circuit


@pytest.mark.parametrize("op", range(len(OPS)), ids=OPS)
def test_every_gate_has_its_truth_table(op: int) -> None:
    n = int(N_OPERANDS[op])
    operands = [[*range(n), *[-1] * (3 - n)]]
    circuit = circuit_of("one", (Port(name="x", bits=n),), (Port(name="y", bits=1),), [op], operands, [n])
    inputs = np.array(list(itertools.product((0, 1), repeat=n)), np.uint8)
    wanted = [int(FUNCTIONS[OPS[op]](*row)) for row in inputs]
    assert run_circuit(circuit, inputs)[:, 0].tolist() == wanted


def test_mux_takes_its_second_operand_where_the_first_is_one() -> None:
    circuit = circuit_of("mux", (Port(name="x", bits=3),), (Port(name="y", bits=1),), [11], [[0, 1, 2]], [3])
    assert run_circuit(circuit, np.array([[1, 1, 0], [0, 1, 0]]))[:, 0].tolist() == [1, 0]


def test_outputs_may_be_inputs_and_constants() -> None:
    outputs = [CONSTANT_1, 1, CONSTANT_0, 1]
    circuit = circuit_of("wires", (Port(name="x", bits=2),), (Port(name="y", bits=4),), [], [], outputs)
    assert run_circuit(circuit, np.array([[0, 1], [1, 0]])).tolist() == [[1, 1, 0, 1], [1, 0, 0, 0]]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 80), st.integers(0, 1100))
def test_random_circuits_equal_their_gates_one_by_one(seed: int, n_gates: int, n_samples: int) -> None:
    circuit = random_circuit(seed, n_gates)
    inputs = np.random.default_rng(seed).integers(0, 2, (n_samples, circuit.n_inputs), dtype=np.uint8)
    found = run_circuit(circuit, inputs)
    assert found.dtype == np.uint8
    assert np.array_equal(found, run_plain(circuit, inputs))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [(np.zeros((3, 4)), "shape"), (np.zeros(5), "shape"), (np.full((3, 5), 2), "0 and 1"), (np.full((1, 5), -1), "0 and")],
)
def test_inputs_that_do_not_fit_are_refused(inputs: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run_circuit(random_circuit(0, 10, n_inputs=5), inputs)
