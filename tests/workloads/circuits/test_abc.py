"""What ABC makes of a circuit computes the same; it is stopped in time, and its errors are told."""

import numpy as np
import pytest

from designs.yosys import YosysError
from workloads.circuits.abc import genlib, resynthesized
from workloads.circuits.builder import CircuitBuilder
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, MUX, OPS, Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.random_circuits import random_circuit

SCRIPT = ("strash", "dc2", "dch", "amap -m")


@pytest.mark.parametrize("with_mux", [False, True])
def test_the_same_function(with_mux: bool) -> None:
    circuit = random_circuit(3, 400, width=12, n_inputs=11, n_outputs=12)
    found = resynthesized(circuit, SCRIPT, seconds=60, with_mux=with_mux)
    inputs = (np.arange(1 << 11)[:, None] >> np.arange(11) & 1).astype(np.uint8)
    assert np.array_equal(run_circuit(found, inputs), run_circuit(circuit, inputs))
    assert found.n_bootstraps < circuit.n_bootstraps
    assert (found.inputs, found.output_ports) == (circuit.inputs, circuit.output_ports)
    assert with_mux or MUX not in found.ops


def test_outputs_that_are_constants_inputs_and_turned() -> None:
    builder = CircuitBuilder((Port(name="x", bits=2),))
    a, b = builder.input_bits(0)
    both = builder.both(a, b)
    outputs = [CONSTANT_0, CONSTANT_1, b, builder.invert(a), both, builder.invert(both), builder.both(both, builder.invert(a))]
    circuit = builder.finish("ends", [(Port(name="y", bits=len(outputs)), outputs)])
    found = resynthesized(circuit, SCRIPT, seconds=60, with_mux=True)
    assert run_circuit(found, np.array([[0, 0], [1, 0], [0, 1], [1, 1]])).tolist() == [
        [0, 1, 0, 1, 0, 1, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [0, 1, 1, 1, 0, 1, 0],
        [0, 1, 1, 0, 1, 0, 0],
    ]


def test_it_is_stopped_and_tells_errors() -> None:
    circuit = random_circuit(1, 200, width=12, n_inputs=11, n_outputs=5)
    with pytest.raises(TimeoutError, match=r"^yosys: wanted an end within 0.01 s, got none$"):
        resynthesized(circuit, SCRIPT, seconds=0.01, with_mux=True)
    with pytest.raises(YosysError):
        resynthesized(circuit, ("strash", "no_such_command"), seconds=60, with_mux=True)


def test_costs() -> None:
    lines = genlib(with_mux=True).splitlines()
    areas = {line.split()[1].removeprefix("lockstep_"): int(line.split()[2]) for line in lines}
    assert areas == dict.fromkeys(OPS, 100) | {"not": 1, "mux": 200, "zero": 0, "one": 0}
    assert "mux" not in genlib(with_mux=False)
