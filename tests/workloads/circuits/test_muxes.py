"""Multiplexers where they save bootstraps: the same function, never more bootstraps, and the savings that are known."""

import numpy as np
import pytest

from workloads.circuits.builder import CircuitBuilder
from workloads.circuits.circuit import Circuit, Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.muxes import gates_of, with_muxes
from workloads.circuits.random_circuits import random_circuit
from workloads.circuits.simplify import simplified


def all_inputs(n: int) -> np.ndarray:
    return (np.arange(1 << n)[:, None] >> np.arange(n) & 1).astype(np.uint8)


def full_adder(with_sum: bool) -> Circuit:
    """Five gates: two XOR, two AND, an OR; without the sum, a majority of four."""
    builder = CircuitBuilder((Port(name="x", bits=3),))
    a, b, carry = builder.input_bits(0)
    differ = builder.differ(a, b)
    total = builder.differ(differ, carry)
    out = builder.either(builder.both(a, b), builder.both(differ if with_sum else builder.either(a, b), carry))
    outputs = [total, out] if with_sum else [out]
    return builder.finish("adder", [(Port(name="y", bits=len(outputs)), outputs)])


@pytest.mark.parametrize(("with_sum", "before", "after"), [(True, 5, 4), (False, 4, 3)])
def test_a_carry_costs_a_mux(with_sum: bool, before: int, after: int) -> None:
    adder = full_adder(with_sum)
    found = with_muxes(adder)
    assert (adder.n_bootstraps, found.n_bootstraps) == (before, after)
    assert np.array_equal(run_circuit(found, all_inputs(3)), run_circuit(adder, all_inputs(3)))


def test_an_exchange_costs_an_and() -> None:
    builder = CircuitBuilder((Port(name="x", bits=3),))
    s, a, b = builder.input_bits(0)
    outputs = [builder.choose(s, a, b), builder.choose(s, b, a), builder.differ(a, b)]
    circuit = builder.finish("exchange", [(Port(name="y", bits=3), outputs)])
    found = with_muxes(circuit)
    assert (circuit.n_bootstraps, found.n_bootstraps) == (5, 4)
    assert np.array_equal(run_circuit(found, all_inputs(3)), run_circuit(circuit, all_inputs(3)))


@pytest.mark.parametrize("seed", range(12))
def test_random_circuits_stay_what_they_compute(seed: int) -> None:
    circuit = random_circuit(seed, 300, width=10, n_inputs=12, n_outputs=8)
    circuit = simplified("c", circuit.inputs, circuit.output_ports, circuit.ops, circuit.operands, circuit.outputs)
    found = with_muxes(circuit)
    assert found.n_bootstraps <= circuit.n_bootstraps
    assert np.array_equal(run_circuit(found, all_inputs(12)), run_circuit(circuit, all_inputs(12)))


def test_gates_with_inverted_edges_and_back() -> None:
    circuit = random_circuit(5, 200, width=12, n_inputs=10, n_outputs=8)
    gates, outputs = gates_of(circuit)
    back = simplified("c", circuit.inputs, circuit.output_ports, *gates.circuit_arrays(outputs))
    assert np.array_equal(run_circuit(back, all_inputs(10)), run_circuit(circuit, all_inputs(10)))
