"""What the builder makes: arithmetic that is right, and as small as it says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.circuits.builder import CircuitBuilder
from workloads.circuits.circuit import AND, CONSTANT_0, CONSTANT_1, OR, XOR, Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.levels import shape_of
from workloads.circuits.named import NAMES, named_circuit


def number(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.int64) @ (1 << np.arange(bits.shape[1]))


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(["adder", "multiplier"]), st.integers(1, 9), st.integers(0, 100))
def test_adders_add_and_multipliers_multiply(kind: str, bits: int, seed: int) -> None:
    circuit = named_circuit(f"{kind}:{bits}")
    assert circuit is not None
    inputs = np.random.default_rng(seed).integers(0, 2, (200, 2 * bits), dtype=np.uint8)
    a, b = number(inputs[:, :bits]), number(inputs[:, bits:])
    wanted = a + b if kind == "adder" else a * b
    assert np.array_equal(number(run_circuit(circuit, inputs)), wanted)


@pytest.mark.parametrize(("bits", "bootstraps", "depth"), [(1, 2, 1), (2, 6, 2), (8, 30, 8), (32, 126, 32)])
def test_a_ripple_takes_four_bootstraps_and_a_level_a_bit(bits: int, bootstraps: int, depth: int) -> None:
    circuit = named_circuit(f"adder:{bits}")
    assert circuit is not None
    shape = shape_of(circuit)
    assert (shape.n_bootstraps, shape.depth) == (bootstraps, depth)


@pytest.mark.parametrize(("op", "function"), [(AND, np.all), (OR, np.any), (XOR, lambda x, axis: x.sum(axis) % 2)])
@pytest.mark.parametrize("n", [0, 1, 2, 5, 8])
def test_trees_are_flat(op: int, function: Callable[..., np.ndarray], n: int) -> None:
    builder = CircuitBuilder([Port(name="x", bits=8)])
    circuit = builder.finish("tree", [(Port(name="y", bits=1), [builder.tree(op, range(n))])])
    inputs = np.random.default_rng(n).integers(0, 2, (50, 8))
    assert run_circuit(circuit, inputs)[:, 0].tolist() == function(inputs[:, :n], axis=1).astype(int).tolist()
    assert shape_of(circuit).depth == max(0, n - 1).bit_length()


def test_ports_have_their_bits_one_after_the_other() -> None:
    builder = CircuitBuilder([Port(name="a", bits=3, shape=(2,)), Port(name="s", bits=1)])
    assert list(builder.input_bits(0)) == [0, 1, 2, 3, 4, 5] and list(builder.input_bits(1)) == [6]
    chosen = [builder.choose(6, builder.both(0, 3), CONSTANT_1), builder.invert(1), CONSTANT_0]
    circuit = builder.finish("c", [(Port(name="y", bits=3), chosen), (Port(name="z", bits=1), [0])])
    assert run_circuit(circuit, np.array([[1, 0, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 0, 1]])).tolist() == [
        [1, 1, 0, 1], [0, 0, 0, 1]
    ]  # fmt: skip


def test_signals_that_are_not_there_are_refused() -> None:
    builder = CircuitBuilder([Port(name="x", bits=2)])
    with pytest.raises(ValueError, match="and: wanted signals below 2, got 2"):
        builder.both(0, 2)
    with pytest.raises(ValueError, match="output y: wanted 2 signals, got 1"):
        builder.finish("c", [(Port(name="y", bits=2), [0])])


def test_names_that_are_no_circuit() -> None:
    assert named_circuit("resnet18") is None
    assert all(named_circuit(name.replace("BITS", "3").replace("N[:WIDTH]", "20:4")) for name in NAMES)
    for name in ("adder", "adder:", "adder:0", "adder:9999999", "adder:3:4", "multiplier:-1", "random_gates:0", "adder:\u0663"):
        with pytest.raises(InputError, match=r"^workload [^\n]+: wanted [^\n]+, got|; mend it$"):
            named_circuit(name)
