"""The shipped networks: what they get right, measured again, and that they are what is traced of the shipped ONNX."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from workloads.digits import digits_split
from workloads.digits.network import forward, gradients, initial_parameters
from workloads.digits.quantize import quantized_model
from workloads.digits.train import VARIANTS, graph_accuracy
from workloads.files import graph_digest, load_graph
from workloads.importers.onnx import trace_onnx
from workloads.kinds.network import DIGITS
from workloads.layer import Arithmetic
from workloads.load import load_workload
from workloads.lower import lowered, run_layers
from workloads.reference import run_graph


@pytest.mark.parametrize(
    ("name", "rounding", "at_least"),
    [
        ("digits_cnn", "float32", 0.98),
        ("digits_cnn", "multiplier_shift", 0.98),
        ("digits_cnn_w4", "float32", 0.97),
        ("digits_cnn_w4", "multiplier_shift", 0.97),
        ("digits_transformer", "float32", 0.98),
        ("digits_transformer", "multiplier_shift", 0.98),
    ],
)
def test_accuracy_on_the_test_images(name: str, rounding: str, at_least: float) -> None:
    _, images, _, labels = digits_split()
    assert len(images) == 450
    assert graph_accuracy(DIGITS / f"{name}.onnx", images, labels, rounding) >= at_least


@pytest.mark.parametrize("name", [*VARIANTS, "digits_transformer"])
def test_the_graph_is_what_is_traced(name: str) -> None:
    traced = trace_onnx(DIGITS / f"{name}.onnx", bind={"batch": 1})
    assert graph_digest(traced) == graph_digest(load_graph(DIGITS / f"{name}.npz")) == load_workload(name).digest


@pytest.mark.parametrize(("name", "bits", "size"), [("digits_cnn", 8, 1), ("digits_cnn_w4", 4, 32)])
def test_weights(name: str, bits: int, size: int) -> None:
    layers = {layer.name: layer for layer in load_workload(name).layers}
    assert list(layers) == ["conv1", "conv2", "conv3", "pool", "fc"]
    numbers = layers["conv3"].numbers
    assert numbers is not None and numbers.weights is not None and numbers.scale is not None
    assert layers["conv3"].weight_bits == bits and numbers.scale.size == size
    assert np.abs(numbers.weights).max() == (1 << (bits - 1)) - 1
    assert layers["conv3"].residual and layers["conv2"].stride_h == 2 and layers["pool"].kind == "max_pool"


@pytest.mark.parametrize("name", [*VARIANTS, "digits_transformer"])
def test_layers_equal_the_graph_on_images(name: str) -> None:
    graph = load_workload(name).graph
    program = lowered(graph)
    _, images, _, _ = digits_split()
    for image in images[:5]:
        feeds = {graph.inputs[0]: image[None]}
        values = run_graph(graph, feeds, "multiplier_shift")
        stored, n_overflows = run_layers(graph, program.jobs, feeds, Arithmetic())
        assert n_overflows == 0
        found = program.tensors(stored)
        assert graph.outputs[0] in found and len(found) > len(graph.ops) / 2
        for tensor, value in found.items():
            np.testing.assert_array_equal(value, values[tensor], err_msg=tensor)


def test_the_transformer_is_one() -> None:
    """Two layers of two heads: their products of activations, a softmax and a GELU a layer, edges of 8 and 16 bits."""
    graph = load_workload("digits_transformer").graph
    kinds = Counter(op.kind for op in graph.ops)
    assert (kinds["softmax"], kinds["gelu"], kinds["layer_norm"], kinds["average_pool"]) == (2, 2, 5, 1)
    products = [op for op in graph.ops if op.kind == "matmul"]
    assert sum(graph.by_name[op.inputs[1]].data is None for op in products) == 4 and len(products) == 18
    assert {graph.by_name[op.output].bits for op in graph.ops} == {8, 16}
    assert all(graph.by_name[op.inputs[0]].bits == 8 for op in products)


def test_gradients_are_those_of_the_loss() -> None:
    images, _, labels, _ = digits_split()
    rng = np.random.default_rng(0)
    p = {name: value + rng.normal(0, 0.05, value.shape) for name, value in initial_parameters(rng).items()}  # off kinks
    g = gradients(p, images[:8], labels[:8])

    def loss() -> float:
        logits = forward(p, images[:8])["logits"]
        return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(8), labels[:8]]))

    for name, value in p.items():
        index = tuple(rng.integers(size) for size in value.shape)
        kept = value[index]
        value[index] = kept + 1e-5
        above = loss()
        value[index] = kept - 1e-5
        slope = (above - loss()) / 2e-5
        value[index] = kept
        assert slope == pytest.approx(g[name][index], rel=1e-2, abs=1e-5), name


def test_quantization_keeps_the_labels_of_the_float_network(tmp_path: Path) -> None:
    """An untrained network, quantized to 8 bits, labels nearly all images as its float parent."""
    images, _, _, _ = digits_split()
    p = initial_parameters(np.random.default_rng(5))
    model = quantized_model(p, images[:200], per_channel=True)
    assert model.opset_import[0].version == 21 and model.ir_version == 10
    onnx.save(model, tmp_path / "untrained.onnx")
    labels = forward(p, images[:200])["logits"].argmax(axis=1)
    assert len(set(labels)) > 1
    assert graph_accuracy(tmp_path / "untrained.onnx", images[:200], labels, "float32") > 0.9
