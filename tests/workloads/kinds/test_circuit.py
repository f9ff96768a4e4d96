"""Circuits by name and path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.importers.test_bench import C17
from workloads.circuits.circuit import Circuit
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.files import save_circuit
from workloads.importers import trace_gates
from workloads.kinds import circuit as kind
from workloads.kinds import network, tracers
from workloads.load import expect_kind, load_workload, workload_names


def loaded(name: str | Path) -> Circuit:
    found = load_workload(str(name))
    assert isinstance(found, Circuit)
    return found


@pytest.mark.parametrize("name", ["adder:5", "multiplier:3", "random_gates:50", "random_gates:50:7"])
def test_names(name: str) -> None:
    circuit = loaded(name)
    assert circuit.name == name and circuit.n_bootstraps > 0
    assert circuit.digest == loaded(name).digest


def test_paths_by_ending_and_by_prefix(tmp_path: Path) -> None:
    bench, gates, blif = (tmp_path / f"c17.{ending}" for ending in ("bench", "gates", "blif"))
    bench.write_text(C17)
    circuit = loaded(bench)
    save_circuit(circuit, gates)
    assert loaded(gates).digest == loaded(f"gates:{gates}").digest == circuit.digest
    blif.write_text(".model m\n.inputs a b c\n.outputs y\n.names a b c y\n11- 1\n--1 1\n.end\n")
    assert loaded(f"gates:{blif}").n_bootstraps == 2
    assert not isinstance(load_workload(str(blif)), Circuit)  # without the prefix: look-up tables


def test_a_netlist_is_traced_to_a_file_of_gates(tmp_path: Path) -> None:
    bench, gates = tmp_path / "c17.bench", tmp_path / "out.gates"
    bench.write_text(C17)
    assert tracers()[".bench"] == trace_gates.__name__
    counts = trace_gates.trace(bench, gates)
    assert (counts["n_input_bits"], counts["n_output_bits"], counts["n_bootstraps"], counts["depth"]) == (5, 2, 6, 3)
    inputs = np.random.default_rng(0).integers(0, 2, (30, 5))
    assert np.array_equal(run_circuit(loaded(gates), inputs), run_circuit(loaded(bench), inputs))
    with pytest.raises(InputError, match="wanted a name that ends in .gates"):
        trace_gates.trace(bench, tmp_path / "out.npz")
    with pytest.raises(InputError, match="wanted dimensions beside a model only"):
        trace_gates.trace(bench, gates, bind={"n": 1})
    with pytest.raises(InputError, match="wanted samples beside a classifier only"):
        trace_gates.trace(bench, gates, samples="s.npz")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adder:0", "workload adder:0: wanted 1 to"),
        ("multiplier:a", "wanted multiplier:BITS, such as multiplier:16"),
        ("nothing.gates", "nothing.gates: wanted a file of gates, got: No such file"),
        ("gates:", "wanted gates:PATH, got no path"),
        ("gates:net.npz", "net.npz: wanted a circuit (.gates, .bench, .aig, .aag, .c, .blif, .v, .sv), got '.npz'"),
        ("program:nothing", "wanted program:NAME, one of "),
        ("ader:4", "(did you mean 'adder:BITS'?)"),
    ],
)
def test_errors(name: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_workload(name)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_what_runs_gates_refuses_other_workloads_with_the_names() -> None:
    assert set(kind.names()) <= set(workload_names())
    expect_kind(loaded("adder:2"), Circuit, "fhe")
    with pytest.raises(InputError, match=r"gemm:2x3x4: wanted a circuit of gates for the family fhe \(adder:BITS, "):
        expect_kind(load_workload("gemm:2x3x4"), Circuit, "fhe")
    with pytest.raises(InputError, match="adder:2: wanted a network for the family tensor .*, got a circuit of gates"):
        expect_kind(loaded("adder:2"), network.Network, "tensor")
