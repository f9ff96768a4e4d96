"""Random circuits keep their promises and hold everything that is odd."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workloads.circuits.plain import levels_plain
from workloads.circuits.circuit import CONSTANT_1, NOT, OPS
from workloads.circuits.random_circuits import random_circuit


def test_the_same_arguments_give_the_same_circuit() -> None:
    assert random_circuit(5, 100).digest == random_circuit(5, 100).digest
    assert random_circuit(5, 100).digest != random_circuit(6, 100).digest


def test_all_gates_and_chains_of_nots_occur() -> None:
    circuit = random_circuit(1, 3000)
    assert set(circuit.ops.tolist()) == set(range(len(OPS)))
    nots = np.flatnonzero(circuit.ops == NOT) + circuit.n_inputs
    assert np.isin(circuit.operands[circuit.ops == NOT, 0], nots).any()
    assert (circuit.operands[:, 0] == circuit.operands[:, 1]).any()


def test_outputs_are_gates_inputs_constants_and_repeated() -> None:
    circuit = random_circuit(2, 500, n_inputs=20, n_outputs=200)
    assert circuit.outputs.min() == CONSTANT_1
    assert ((circuit.outputs >= 0) & (circuit.outputs < 20)).any()
    assert len(set(circuit.outputs.tolist())) < 200
    assert [port.bits for port in circuit.output_ports] == [64, 64, 64, 8]


@pytest.mark.parametrize(("width", "least", "most"), [(1, 300, 1000), (10, 60, 110), (1000, 1, 8)])
def test_width_sets_the_depth(width: int, least: int, most: int) -> None:
    assert least <= max(levels_plain(random_circuit(3, 1000, width=width))) <= most


def test_sizes_that_make_no_circuit_are_refused() -> None:
    with pytest.raises(ValueError, match="wanted inputs"):
        random_circuit(0, 10, n_inputs=0)
    assert random_circuit(0, 0).n_gates == 0
