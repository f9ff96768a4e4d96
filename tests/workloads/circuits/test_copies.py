"""Copies of a circuit mean what the circuit means, each on its own inputs."""

from __future__ import annotations

import numpy as np
import pytest

from workloads.circuits.copies import side_by_side
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import shape_of
from workloads.circuits.random_circuits import random_circuit


@pytest.mark.parametrize("seed", range(8))
def test_copies_by_the_circuit_itself(seed: int) -> None:
    circuit = random_circuit(seed, 60 * (seed % 4))
    copies = side_by_side(circuit, 3)
    bits = np.random.default_rng(seed).integers(0, 2, (20, 3, circuit.n_inputs))
    wanted = [run_circuit(circuit, bits[:, copy]) for copy in range(3)]
    assert (run_circuit(copies, bits.reshape(20, -1)) == np.concatenate(wanted, axis=1)).all()
    one, three = shape_of(circuit), shape_of(copies)
    assert (three.n_bootstraps, three.depth, three.widest) == (3 * one.n_bootstraps, one.depth, 3 * one.widest)
    assert [port.name for port in copies.inputs][:: len(circuit.inputs)] == ["x0.0", "x0.1", "x0.2"]


def test_one_copy_is_the_same_circuit_by_other_names() -> None:
    circuit = random_circuit(1, 50)
    copy = side_by_side(circuit, 1)
    assert (copy.operands == circuit.operands).all() and (copy.outputs == circuit.outputs).all()
