"""Weights at other widths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.graphs import Builder, residual_graph
from workloads.compression.layers import by_layer, chosen_layers, weighted_layers
from workloads.compression.quantize import Quantize, Reals, quantize_weights, reals, with_reals
from workloads.ir import Graph


def product(weights: list[list[int]], bias: list[int] | None = None, *, scale: float = 0.5) -> Graph:
    """A matrix product of inputs at scale 0.25; weights (in, out) at `scale`."""
    b = Builder(np.random.default_rng(0))
    data = np.array(weights)
    b.act("x", (1, len(data)), scale=0.25)
    names = ("x", b.weights("w", data.shape), *([b.bias("b", data.shape[1])] if bias else []))
    b.tensors["w"] = b.tensors["w"].__class__(**{**vars(b.tensors["w"]), "data": data, "scale": np.float32([scale])})
    if bias:
        b.tensors["b"] = b.tensors["b"].__class__(**{**vars(b.tensors["b"]), "data": np.array(bias)})
    b.op("matmul", names, "y")
    return b.graph(("x",), ("y",))


def test_a_scale_a_channel_by_hand() -> None:
    # columns mean (-50, 20) and (8, 7): with 3 bits the largest of each is 3 steps of 50/3 and 8/3
    graph = quantize_weights(product([[-100, 16], [40, 14]], [30, -10]), 3)
    w, b = graph.by_name["w"], graph.by_name["b"]
    assert w.bits == 3 and w.axis == 1
    np.testing.assert_array_equal(w.data, [[-3, 3], [1, 3]])  # 20 / (50/3) = 1.2, 7 / (8/3) = 2.6
    np.testing.assert_allclose(w.scale, [50 / 3, 8 / 3], rtol=1e-6)
    # biases mean 30 * 0.25 * 0.5 = 3.75 and -1.25; in new steps 3.75 / (50/12) = 0.9 and -1.25 / (8/12) = -1.9
    np.testing.assert_array_equal(b.data, [1, -2])


def test_a_scale_a_tensor_by_hand() -> None:
    w = quantize_weights(product([[-100, 16], [40, 14]]), 3, granularity="tensor").by_name["w"]
    assert w.axis is None and w.scale.shape == (1,)
    np.testing.assert_array_equal(w.data, [[-3, 0], [1, 0]])  # steps of 50/3: -50, 8, 20, 7


def test_least_squares_cuts_an_outlier() -> None:
    graph = product([[100], *([[25]] * 60)])
    errors = {}
    for scales in ("largest", "least_squares"):
        found = quantize_weights(graph, 2, scales=scales)
        errors[scales] = np.sum((reals(found)["y_op"].weights - reals(graph)["y_op"].weights) ** 2)
    # {-s, 0, s}: at s = 50 all 60 weights of 12.5 are lost; at a quarter of it none is
    assert errors["largest"] == pytest.approx(60 * 12.5**2)
    assert errors["least_squares"] == pytest.approx(37.5**2, rel=1e-5)


def test_no_weights_but_a_bias() -> None:
    graph = quantize_weights(product([[0, 100]], [7, 2**31 - 1]), 4)
    assert graph.by_name["w"].scale[0] == np.float32(0.5)  # what it was
    assert graph.by_name["b"].data[0] == 7
    # the second bias means 2**31 * 0.125: at the scale of the weights it would take more than 32 bits in 20-bit weights
    wide = with_reals(graph, reals(graph))
    np.testing.assert_allclose(reals(wide)["y_op"].bias, reals(graph)["y_op"].bias, rtol=1e-6)


def test_real_weights_keep_their_numbers() -> None:
    graph = residual_graph(np.random.default_rng(1))
    values = {
        name: Reals(np.random.default_rng(2).normal(size=found.weights.shape), found.bias)
        for name, found in reals(graph).items()
    }
    for name, found in reals(with_reals(graph, values)).items():
        np.testing.assert_allclose(found.weights, values[name].weights, atol=np.abs(values[name].weights).max() / 2**19)


def test_only_layers_that_are_named() -> None:
    graph = residual_graph(np.random.default_rng(0))
    names = [layer.name for layer in weighted_layers(graph)]
    found = quantize_weights(graph, {names[1]: 3})
    bits = {layer.name: layer.weights.bits for layer in weighted_layers(found)}
    before = {layer.name: layer.weights.bits for layer in weighted_layers(graph)}
    assert bits == before | {names[1]: 3}


def test_shared_weights_are_left_alone() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 4))
    b.weights("w", (4, 4))
    b.op("matmul", ("x", "w"), "a")
    b.op("matmul", ("a", "w"), "b")
    assert weighted_layers(b.graph(("x",), ("b",))) == ()


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (1, "y_op: bits: wanted 2 to 20 for a weight, got 1"),
        (21, "y_op: bits: wanted 2 to 20 for a weight, got 21"),
        ({"y": 4}, "layer: wanted one with weights (y_op), got 'y'"),
    ],
)
def test_refusals(bits: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        quantize_weights(product([[1, 2]]), bits)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 99), bits=st.integers(2, 12), granularity=st.sampled_from(["tensor", "channel"]),
    scales=st.sampled_from(["largest", "least_squares"]),
)  # fmt: skip
def test_any_graph(seed: int, bits: int, granularity: str, scales: str) -> None:
    graph = residual_graph(np.random.default_rng(seed))
    found = Quantize(bits=bits, granularity=granularity, scales=scales)(graph)  # type: ignore[arg-type]
    high = 2 ** (bits - 1) - 1
    for before, after in zip(weighted_layers(graph), weighted_layers(found), strict=True):
        assert after.weights.bits == bits
        assert np.abs(after.weights.data).max() <= high
        assert not after.weights.data[before.weights.data == 0].any()
        assert (after.weights.axis is None) == (granularity == "tensor")
        if scales == "largest":  # half a step at most
            step = after.scale_along(after.weights.scale)
            assert np.all(np.abs(after.real_weights - before.real_weights) <= step * 0.5000001)


def test_by_layer_knows_its_names() -> None:
    graph = product([[1, 2]])
    assert [(layer.name, value) for layer, value in by_layer(graph, 7)] == [("y_op", 7)]
    assert [layer.name for layer in chosen_layers(graph, ["y_op"])] == ["y_op"]
