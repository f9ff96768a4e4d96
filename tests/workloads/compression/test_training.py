"""Gradients, L-C and straight-through training."""

from __future__ import annotations

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.compression.graphs import free_graph, outputs
from tests.workloads.graphs import Builder, residual_graph
from workloads.compression import lc, straight_through
from workloads.compression.adam import Adam, by_layer, falling, flat
from workloads.compression.channels import Filters
from workloads.compression.compose import Compose
from workloads.compression.differentiate import Differentiable
from workloads.compression.layers import weighted_layers
from workloads.compression.masks import Magnitude
from workloads.compression.quantize import Quantize, Reals, reals
from workloads.files import graph_digest
from workloads.ir import Graph


def test_values_are_those_of_the_interpreter() -> None:
    rng = np.random.default_rng(0)
    graph = free_graph(rng)
    images = rng.integers(0, 256, (4, 2, 6, 6))
    answers = graph.by_name["answers"]
    found = Differentiable(graph).forward(reals(graph), images) / answers.scale[0] + answers.zero_point
    assert np.abs(found - outputs(graph, images)).max() <= 1.001  # rounding at halves differs


def every_op(rng: np.random.Generator) -> Graph:
    """All kinds of ops that can be trained; clipped nowhere."""
    b = Builder(rng)
    b.act("x", (1, 2, 5, 5), scale=0.01)
    conv = {"strides": (2, 1), "pads": (1, 1, 1, 1), "groups": 1}
    b.op("conv", ("x", b.weights("w1", (4, 2, 3, 3), axis=0), b.bias("b1", 4)), "a", scale=5.0, zero=120, **conv)
    grouped = {"strides": (1, 1), "pads": (1, 1, 1, 1), "groups": 2}
    b.op("conv", ("a", b.weights("w2", (4, 2, 3, 3))), "c", scale=50.0, zero=120, **grouped)
    b.op("add", ("a", "c"), "sum", scale=50.0, zero=120)
    b.op("max_pool", ("sum",), "most", kernel=(2, 2), strides=(1, 1), pads=(0, 0, 0, 0))
    b.op("requantize", ("most",), "again", scale=60.0, zero=100)
    b.op("average_pool", ("again",), "mean", kernel=(2, 2), strides=(1, 1), pads=(1, 0, 0, 0), scale=60.0, zero=100)
    shape = b.tensors["mean"].shape
    b.op("reshape", ("mean",), "flat", shape=(1, int(np.prod(shape))))
    b.op("matmul", ("flat", b.weights("w3", (int(np.prod(shape)), 3)), b.bias("b3", 3)), "y", scale=900.0, zero=128)
    return b.graph(("x",), ("y",))


def test_gradients_are_those_of_finite_differences() -> None:
    rng = np.random.default_rng(1)
    graph = every_op(rng)
    network = Differentiable(graph, rounded=False)
    values = {
        name: Reals(rng.normal(0, 0.2, found.weights.shape), None if found.bias is None else found.bias * 0.01)
        for name, found in reals(graph).items()
    }
    images, labels = rng.integers(0, 256, (3, 2, 5, 5)), np.array([0, 2, 1])
    _, gradients = network.gradients(values, images, labels)
    w, d = flat(values), flat(gradients)
    assert set(w) == set(d)
    for name in w:
        for index in rng.integers(0, w[name].size, 6):
            step = 1e-5
            losses = []
            for sign in (1, -1):
                moved = {key: value.copy() for key, value in w.items()}
                moved[name].flat[index] += sign * step
                losses.append(network.gradients(by_layer(moved), images, labels)[0])
            assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(d[name].flat[index], rel=1e-4, abs=1e-8)


def test_no_gradient_where_values_are_clipped() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 1), scale=1.0, zero=0)
    b.op("matmul", ("x", b.weights("w", (1, 2))), "y", scale=1.0, zero=0, relu=True)
    values = {"y_op": Reals(np.array([[-1.0, 2.0]]), None)}
    _, gradients = Differentiable(b.graph(("x",), ("y",))).gradients(values, np.array([[3]]), np.array([0]))
    chance = np.exp(6) / (1 + np.exp(6))
    np.testing.assert_allclose(gradients["y_op"].weights, [[0.0, 3 * chance]])


def test_what_cannot_be_trained_is_refused() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 2))
    b.op("concat", ("x", "x"), "y", axis=1)
    with pytest.raises(InputError, match=r"op y_op: wanted one that can be trained \(conv, .*\), got concat"):
        Differentiable(b.graph(("x",), ("y",)))
    with pytest.raises(InputError, match="one input of one sample and one output"):
        Differentiable(residual_graph(np.random.default_rng(0)))


def test_adam_by_hand() -> None:
    adam = Adam({"w": np.array([1.0])})
    # the first step is the rate, whatever the gradient's size
    first = adam.step({"w": np.array([1.0])}, {"w": np.array([4.0])}, 0.1)
    np.testing.assert_allclose(first["w"], [0.9])
    # then mean (0.9 * 0.4 + 0.1 * 2) / 0.19, square (0.999 * 0.016 + 0.001 * 4) / 0.001999
    second = adam.step(first, {"w": np.array([2.0])}, 0.1)
    np.testing.assert_allclose(second["w"], [0.9 - 0.1 * (0.56 / 0.19) / np.sqrt(0.019984 / 0.001999)])
    assert [falling(2.0, step, 4) for step in (0, 2)] == pytest.approx([2.0, 1.0])


def test_lc_on_a_quadratic() -> None:
    # min |w - c|^2 / 2 with w on integers: the nearest ones, and the residual goes to 0
    c = np.array([0.2, 1.9, -3.3, 4.4])
    found = lc.learn(
        {"w": np.zeros(4)},
        lambda w: {"w": w["w"] - c},
        lambda w: {"w": np.rint(w["w"])},
        lc.Settings(n_compressions=40, n_batches=50, rate=0.05, mu=0.1, growth=1.5, mu_cap=1e4),
    )
    np.testing.assert_array_equal(found.compressed["w"], [0, 2, -3, 4])
    assert found.residuals[-1] < 1e-3 < found.residuals[0]


def test_lc_shares_what_is_left() -> None:
    # w1 = w2 = (c1 + c2) / 2: the constraint binds both, and the multipliers find what one projection would miss
    c = np.array([1.0, 4.0])
    found = lc.learn(
        {"w": c},
        lambda w: {"w": (w["w"] - c) * np.array([1.0, 3.0])},
        lambda w: {"w": np.full(2, w["w"].mean())},
        lc.Settings(n_compressions=60, n_batches=60, rate=0.05, mu=0.5, growth=1.05, mu_cap=10.0),
    )
    np.testing.assert_allclose(found.compressed["w"], [3.25, 3.25], atol=0.02)  # (1 * 1 + 3 * 4) / 4


def problem() -> tuple[Graph, np.ndarray, np.ndarray]:
    """A network, samples, and labels that it has not learned: thirds along a random direction."""
    rng = np.random.default_rng(4)
    b = Builder(rng)
    b.act("x", (1, 12), scale=0.01, zero=128)
    b.op("matmul", ("x", b.weights("w", (12, 16), axis=1), b.bias("b", 16)), "h", scale=0.03, zero=0, relu=True)
    b.op("matmul", ("h", b.weights("v", (16, 3), axis=1), b.bias("c", 3)), "y", scale=0.1, zero=128)
    samples = rng.integers(0, 256, (96, 12))
    return b.graph(("x",), ("y",)), samples, np.argsort(np.argsort(samples @ rng.normal(size=12))) * 3 // 96


SCHEME = Compose((Filters(sparsity=0.25), Magnitude(sparsity=0.5), Quantize(bits=3)))


def test_training_under_a_scheme() -> None:
    graph, images, labels = problem()

    def batches(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        chosen = rng.integers(0, len(images), 32)
        return images[chosen], labels[chosen]

    def right(found: Graph) -> float:
        return float(np.mean(outputs(found, images).argmax(axis=1) == labels))

    cut = straight_through.tuned_graph(graph, SCHEME, batches, seed=0, settings=straight_through.Settings(n_batches=0))
    assert graph_digest(cut) == graph_digest(SCHEME(graph))
    tuned = straight_through.tuned_graph(graph, SCHEME, batches, seed=0)
    learned, residuals = lc.learned_graph(graph, SCHEME, batches, seed=0)
    assert right(cut) < 0.45 < 0.6 < right(tuned)
    assert right(learned) > right(cut)
    assert len(residuals) == 20 and residuals[-1] < max(residuals)
    for found in (tuned, learned):
        for layer in weighted_layers(found):
            assert layer.weights.bits == 3
            assert np.mean(layer.weights.data == 0) >= 0.5
    assert graph_digest(tuned) == graph_digest(straight_through.tuned_graph(graph, SCHEME, batches, seed=0))
    assert graph_digest(tuned) != graph_digest(straight_through.tuned_graph(graph, SCHEME, batches, seed=1))
