"""Folding changes no output, never costs more, and finds what local rules find."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.circuits.plain import FUNCTIONS
from workloads.circuits.circuit import (
    AND,
    ANDNY,
    CONSTANT_0,
    CONSTANT_1,
    MUX,
    N_OPERANDS,
    NAND,
    NOR,
    NOT,
    OPS,
    OR,
    ORNY,
    XNOR,
    XOR,
    Circuit,
    Port,
)
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.random_circuits import random_circuit
from workloads.circuits.simplify import simplified


def folded(n_inputs: int, gates: list[tuple], outputs: list[int]) -> Circuit:
    operands = [[*read, *[-1] * (3 - len(read))] for _, *read in gates]
    ports = (Port(name="x", bits=n_inputs),), (Port(name="y", bits=len(outputs)),)
    return simplified("folded", *ports, [op for op, *_ in gates], operands, outputs)


def outputs_with_constants(circuit: Circuit, operands: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """The outputs, gate by gate, where operands may be constants."""
    ones = np.ones(len(inputs), np.uint8)
    signals = {CONSTANT_0: 0 * ones, CONSTANT_1: ones} | dict(enumerate(inputs.T))
    for gate, (op, read) in enumerate(zip(circuit.ops, operands.tolist(), strict=True)):
        signals[circuit.n_inputs + gate] = FUNCTIONS[OPS[op]](*[signals[place] for place in read[: N_OPERANDS[op]]])
    return np.stack([signals[signal] for signal in circuit.outputs.tolist()], axis=1)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 150), st.sampled_from([0.0, 0.1, 0.7]), st.integers(1, 6))
def test_folding_changes_no_output_and_never_costs_more(seed: int, n_gates: int, mux: float, n_inputs: int) -> None:
    circuit = random_circuit(seed, n_gates, mux_share=mux, n_inputs=n_inputs)
    rng = np.random.default_rng(seed)
    operands = circuit.operands.copy()
    constant = (np.arange(3) < N_OPERANDS[circuit.ops][:, None]) & (rng.random(operands.shape) < 0.05)
    operands[constant] = rng.choice((CONSTANT_0, CONSTANT_1), int(constant.sum()))
    found = simplified("x", circuit.inputs, circuit.output_ports, circuit.ops, operands, circuit.outputs)
    inputs = np.array(list(itertools.product((0, 1), repeat=n_inputs)), np.uint8)
    assert np.array_equal(run_circuit(found, inputs), outputs_with_constants(circuit, operands, inputs))
    assert found.n_bootstraps <= circuit.n_bootstraps
    again = simplified("x", found.inputs, found.output_ports, found.ops, found.operands, found.outputs)
    assert again.n_bootstraps == found.n_bootstraps and again.n_gates <= found.n_gates
    read = np.concatenate([found.operands.ravel(), found.outputs])
    assert np.isin(np.arange(n_inputs, n_inputs + found.n_gates), read).all(), "every gate is read"



@pytest.mark.parametrize("op", range(1, 12), ids=OPS[1:])
def test_every_gate_of_every_literal_and_constant(op: int) -> None:
    # 0, 1, 2 are inputs; 3, 4, 5 their inverses
    inverses = [(NOT, signal) for signal in range(3)]
    inputs = np.array(list(itertools.product((0, 1), repeat=3)), np.uint8)
    value = {signal: inputs[:, signal] for signal in range(3)} | {signal + 3: 1 - inputs[:, signal] for signal in range(3)}
    value |= {CONSTANT_0: 0 * inputs[:, 0], CONSTANT_1: 0 * inputs[:, 0] + 1}
    for operands in itertools.product((*range(6), CONSTANT_0, CONSTANT_1), repeat=int(N_OPERANDS[op])):
        circuit = folded(3, [*inverses, (op, *operands)], [6])
        wanted = FUNCTIONS[OPS[op]](*[value[signal] for signal in operands])
        assert run_circuit(circuit, inputs)[:, 0].tolist() == wanted.tolist(), operands
        distinct = {signal % 3 for signal in operands if signal >= 0}
        most = 2 if len(distinct) == 3 else max(0, len(distinct) - 1)
        assert circuit.n_bootstraps <= most, operands


@pytest.mark.parametrize(
    ("gates", "outputs", "ops"),
    [
        ([(AND, 0, 1), (AND, 1, 0)], [2, 3], [AND]),  # equal gates are one
        ([(NAND, 0, 1), (AND, 0, 1)], [2, 3], [NAND, NOT]),  # also one that is the inverse of another
        ([(XOR, 0, 1), (XNOR, 1, 0)], [3, 2], [XOR, NOT]),
        ([(NOT, 0), (NOT, 2), (OR, 3, 1)], [4], [OR]),  # NOTs go away in pairs
        ([(NOT, 0), (AND, 2, 1)], [3], [ANDNY]),  # or into who reads them
        ([(NOT, 0), (NOT, 1), (NAND, 2, 3)], [4], [OR]),
        ([(NOT, 0), (XOR, 2, 1)], [3], [XNOR]),
        ([(NOT, 0), (MUX, 2, 0, 1)], [3], [AND]),  # not a ? a : b
        ([(NOT, 1), (MUX, 0, 1, 2)], [3], [XNOR]),
        ([(MUX, 0, 1, CONSTANT_1)], [2], [ORNY]),
        ([(NOR, 0, 0), (AND, 0, 2)], [3], []),  # a and not a
        ([(AND, 0, 1), (OR, 0, 1)], [3], [OR]),  # nobody reads the AND
    ],
)
def test_what_local_rules_find(gates: list[tuple], outputs: list[int], ops: list[int]) -> None:
    assert folded(2, gates, outputs).ops.tolist() == ops


def test_gates_keep_their_order_and_kind() -> None:
    gates = [(NAND, 0, 1), (NOR, 2, 1), (XNOR, 3, 0), (MUX, 4, 0, 1)]
    circuit = folded(2, gates, [5])
    assert circuit.ops.tolist() == [NAND, NOR, XNOR, MUX]
    assert circuit.operands[:, :2].tolist() == [[0, 1], [1, 2], [0, 3], [4, 0]]
