"""Batches: as much work as so many inferences, and for circuits the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from designs.errors import InputError
from workloads.batches import batch_of
from workloads.circuits.circuit import Circuit
from workloads.circuits.evaluate import run_circuit
from workloads.kinds.matrices import Matrices
from workloads.kinds.network import Network
from workloads.load import load_workload


def _macs(workload: object) -> int:
    assert isinstance(workload, Network)
    return sum(layer.n_macs * layer.repeat for layer in workload.layers)


@pytest.mark.parametrize(
    "name", ["resnet18", "digits_cnn", "gemm:5x6x7", "minilm:encode=16", "gpt2_small:decode=32:batch=2"]
)
def test_a_batch_of_networks_has_so_many_times_the_work(name: str) -> None:
    one = load_workload(name)
    three = batch_of(one, 3)
    assert three.name == f"{name} x 3" and three.digest != one.digest
    assert _macs(three) == 3 * _macs(one)
    assert batch_of(one, 1) is one


def test_the_first_phase_of_a_model_is_what_its_name_alone_stands_for() -> None:
    one = batch_of(load_workload("bert_base"), 2)
    assert one.digest == load_workload("bert_base:encode=128:batch=2").digest


def test_weights_of_a_batch_of_images_are_those_of_one() -> None:
    one, four = load_workload("resnet18"), batch_of(load_workload("resnet18"), 4)
    assert isinstance(one, Network) and isinstance(four, Network)
    assert [layer.n_weights for layer in four.layers] == [layer.n_weights for layer in one.layers]  # type: ignore[union-attr]


def test_a_batch_of_matrices_has_so_many_vectors() -> None:
    found = batch_of(load_workload("sparse:16x16:0.5"), 5)
    assert isinstance(found, Matrices) and [layer.n_vectors for layer in found.layers] == [5]


def test_copies_of_a_circuit_answer_each_for_itself() -> None:
    one = load_workload("adder:4")
    three = batch_of(one, 3)
    assert isinstance(one, Circuit) and isinstance(three, Circuit)
    bits = np.random.default_rng(0).integers(0, 2, (3, one.n_inputs)).astype(bool)
    alone = np.concatenate([run_circuit(one, row[None])[0] for row in bits])
    np.testing.assert_array_equal(run_circuit(three, bits.reshape(1, -1))[0], alone)
    assert [port.name for port in three.inputs] == ["a.0", "b.0", "a.1", "b.1", "a.2", "b.2"]


@pytest.mark.parametrize(
    ("name", "n", "message"),
    [
        ("bert_base_layer", 2, "bert_base_layer: wanted a network that can be batched"),
        ("digits_transformer", 2, "digits_transformer: .*wanted layers whose weights are constants, got attention"),
        (
            "digits",
            2,
            "digits: wanted a workload that can be batched .circuit, matrices, network., got a classification",
        ),
        ("resnet18", 0, "batch: wanted 1 inference or more, got 0"),
    ],
)
def test_what_cannot_be_batched_is_said_in_one_line(name: str, n: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        batch_of(load_workload(name), n)
