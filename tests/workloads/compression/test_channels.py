"""Channels that are removed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.compression.graphs import free_graph, layer, outputs, with_data
from tests.workloads.graphs import Builder, residual_graph
from workloads.compression.channels import Filters, channel_groups, pixels_a_channel
from workloads.compression.compose import Compose, of_same_shape
from workloads.compression.quantize import Quantize
from workloads.ir import Graph, check_graph
from workloads.load import load_workload
from workloads.lower import lower


def digits() -> Graph:
    return load_workload("digits_cnn").graph  # type: ignore[attr-defined, no-any-return]


def test_groups_of_the_digits_network() -> None:
    first, second = channel_groups(digits())
    assert (first.n_channels, first.producers, first.consumers) == (16, ("conv1",), ("conv2",))
    assert (second.n_channels, second.producers, second.consumers) == (32, ("conv2", "conv3"), ("conv3", "fc"))


def test_groups_through_a_depthwise_convolution() -> None:
    graph = free_graph(np.random.default_rng(0))
    first, second = channel_groups(graph)
    assert first.producers == ("stem_op", "depthwise_op", "point_op")
    assert first.consumers == ("point_op", "hidden_op")
    assert (second.n_channels, second.producers, second.consumers) == (5, ("hidden_op",), ("answers_op",))
    assert pixels_a_channel(graph, "flat") == 9 and pixels_a_channel(graph, "hidden") == 1


def test_what_is_fixed() -> None:
    # stem is an output, and all that is added to it goes with it
    assert [group.producers for group in channel_groups(residual_graph(np.random.default_rng(0)))] == [("hidden_op",)]


def test_bounds_without_zero_are_fixed() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 4))
    b.op("matmul", ("x", b.weights("w", (4, 4))), "a", zero=9)
    b.op("matmul", ("a", b.weights("v", (4, 4))), "y")
    graph = b.graph(("x",), ("y",))
    assert len(channel_groups(graph)) == 1
    object.__setattr__(graph.ops[0], "low", 10)
    assert channel_groups(check_graph(graph)) == ()


def test_by_hand() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 2))
    b.op("matmul", ("x", b.weights("w", (2, 4), axis=1), b.bias("b", 4)), "a")
    b.op("matmul", ("a", b.weights("v", (4, 3))), "y")
    graph = b.graph(("x",), ("y",))
    object.__setattr__(graph.by_name["w"], "scale", np.float32([0.3, 0.1, 0.1, 0.2]))
    object.__setattr__(graph.by_name["w"], "data", np.full((2, 4), 10))
    found = Filters(sparsity=0.375)(graph)  # 1.5 of 4 is 2: neurons 1 and 2
    np.testing.assert_array_equal(found.by_name["b"].data, graph.by_name["b"].data[[0, 3]])
    np.testing.assert_array_equal(found.by_name["v"].data, graph.by_name["v"].data[[0, 3]])
    np.testing.assert_array_equal(found.by_name["w"].scale, np.float32([0.3, 0.2]))
    one = Filters(sparsity=0.25)(graph)  # of equal ones the first stays
    np.testing.assert_array_equal(one.by_name["b"].data, graph.by_name["b"].data[[0, 1, 3]])
    last = Filters(sparsity=0.99)(graph)
    np.testing.assert_array_equal(last.by_name["b"].data, graph.by_name["b"].data[[0]])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), share=st.floats(0, 0.99), hidden=st.floats(0, 0.99))
def test_removed_channels_are_those_set_to_zero(seed: int, share: float, hidden: float) -> None:
    rng = np.random.default_rng(seed)
    graph = free_graph(rng)
    scheme = Filters(sparsity={"stem_op": share, "hidden_op": hidden})
    small, zeroed = scheme(graph), of_same_shape(scheme)(graph)
    kept = 6 - min(int(share * 6 + 0.5), 5)
    assert small.by_name["sum"].shape == (1, kept, 6, 6)
    assert layer(small, "depthwise").op.attrs["groups"] == kept
    assert [t.shape for t in zeroed.tensors] == [t.shape for t in graph.tensors]
    images = rng.integers(0, 256, (3, 2, 6, 6))
    np.testing.assert_array_equal(outputs(small, images), outputs(zeroed, images))
    again = scheme(zeroed)  # what is zero already goes first
    np.testing.assert_array_equal(outputs(again, images), outputs(zeroed, images))


def test_cycles_fall_with_channels() -> None:
    small = lower(Filters(sparsity=0.5)(digits()))
    assert [(job.in_channels, job.out_channels) for job in small] == [(1, 8), (8, 16), (16, 16), (16, 16), (16, 10)]


def test_composed_with_bits() -> None:
    graph = digits()
    scheme = Compose((Filters(sparsity=0.25), Quantize(bits=4)))
    small = scheme(graph)
    assert small.by_name["fc.weights.stored"].shape == (96, 10)
    assert {layer(small, name).weights.bits for name in ("relu1.stored", "conv3.stored")} == {4}
    zeroed = of_same_shape(scheme)(graph)
    image = np.arange(64).reshape(1, 1, 8, 8) % 17
    np.testing.assert_array_equal(outputs(small, image), outputs(zeroed, image))


@pytest.mark.parametrize(
    ("sparsity", "message"),
    [
        ({"fc": 0.5}, "fc: wanted a layer whose channels can be removed (conv1, conv2, conv3), got one that is fixed"),
        ({"conv2": 0.5, "conv3": 0.25}, "conv3: wanted one share for layers whose channels go together (conv2, conv3), "),
        (1.0, "filters: wanted a share of channels to remove from 0 to below 1, got 1.0"),
        ({"conv4": 0.5}, "layer: wanted one with weights (conv1, conv2, conv3, fc), got 'conv4'"),
    ],
)  # fmt: skip
def test_refusals(sparsity: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Filters(sparsity=sparsity)(digits())  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_what_is_given_stays() -> None:
    graph = digits()
    before = [t.data.copy() for t in graph.tensors if t.data is not None]
    Compose((Filters(sparsity=0.5, remove=False), Filters(sparsity=0.5)))(graph)
    for old, tensor in zip(before, (t for t in graph.tensors if t.data is not None), strict=True):
        np.testing.assert_array_equal(old, tensor.data)


def test_data_can_be_exchanged() -> None:
    graph = digits()
    zeros = with_data(graph, "conv1.bias.stored", np.zeros(16, np.int64))
    assert not check_graph(zeros).by_name["conv1.bias.stored"].data.any()  # type: ignore[union-attr]
