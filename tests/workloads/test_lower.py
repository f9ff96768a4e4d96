"""Lowered layers, run one after the other, equal the interpreter tensor by tensor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.graphs import Builder, feeds, matrix_graph, residual_graph
from workloads.ir import Graph
from workloads.layer import Arithmetic
from workloads.lower import from_image, lower, run_layers
from workloads.reference import run_graph


@pytest.mark.parametrize("bits", [8, 16, 31])
@pytest.mark.parametrize(
    "make",
    [residual_graph, lambda rng: residual_graph(rng, n=3), matrix_graph, lambda rng: matrix_graph(rng, rows=(5,))],
)
def test_layers_equal_the_interpreter(make: Callable[[np.random.Generator], Graph], bits: int) -> None:
    rng = np.random.default_rng(bits)
    graph = make(rng)
    inputs = feeds(graph, rng)
    values = run_graph(graph, inputs, "multiplier_shift", bits)
    images, n_overflows = run_layers(graph, lower(graph), inputs, Arithmetic(multiplier_bits=bits))
    assert n_overflows == 0
    for name, image in images.items():
        np.testing.assert_array_equal(from_image(image, values[name].shape), values[name], err_msg=name)
    assert set(graph.outputs) <= set(images)
    assert len(np.unique(values[graph.outputs[0]])) > 3  # a graph that saturates everywhere would show nothing


def test_shift_mode_equals_too() -> None:
    rng = np.random.default_rng(1)
    graph = residual_graph(rng)
    inputs = feeds(graph, rng)
    values = run_graph(graph, inputs, "shift", 16)
    images, _ = run_layers(graph, lower(graph), inputs, Arithmetic(requantize="shift"))
    for name, image in images.items():
        np.testing.assert_array_equal(from_image(image, values[name].shape), values[name], err_msg=name)


def test_what_is_fused() -> None:
    layers = {layer.output: layer for layer in lower(residual_graph(np.random.default_rng(0)))}
    assert "point" not in layers and layers["fused"].name == "point_op"
    assert layers["fused"].residual and layers["fused"].inputs == ("depthwise", "stem")
    assert (
        layers["unfused"].residual and layers["unfused"].groups == 8
    )  # a pass over ones: "fused" is no conv of its own
    assert layers["hidden"].inputs == ("average",)  # the flattened image stays where it is
    assert (layers["hidden"].kernel_h, layers["hidden"].kernel_w) == (2, 3)
    assert layers["average"].weight_bits == 2 and layers["depthwise"].weight_bits == 4
    assert all(layer.numbers is not None for layer in layers.values())


def test_an_output_that_others_read_is_not_fused() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 4, 3, 3))
    b.op("conv", ("x", b.weights("w", (4, 4, 1, 1))), "y", strides=(1, 1), pads=(0, 0, 0, 0), groups=1)
    b.op("add", ("y", "x"), "z")
    assert [layer.output for layer in lower(b.graph(("x",), ("z",)))] == ["z"]
    assert [layer.output for layer in lower(b.graph(("x",), ("z", "y")))] == ["y", "z"]


def test_matrix_rows_are_lines_of_pixels() -> None:
    layer = lower(matrix_graph(np.random.default_rng(0)))[0]
    assert (layer.in_h, layer.in_w, layer.in_channels, layer.out_channels) == (2, 35, 12, 20)


def test_what_the_machine_cannot_run_is_named() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 4, 6))
    b.op("concat", ("x", "x"), "y", axis=1)
    with pytest.raises(InputError, match=r"op y_op \(concat\): wanted an op that the tensor machine runs"):
        lower(b.graph(("x",), ("y",)))
    c = Builder(np.random.default_rng(0))
    c.act("x", (1, 4, 6))
    c.op("transpose", ("x",), "y", order=(0, 2, 1))
    c.op("matmul", ("y", c.weights("w", (4, 5))), "z")
    with pytest.raises(InputError, match=r"op z_op \(matmul\): wanted rows whose last axis lies in the channels"):
        lower(c.graph(("x",), ("z",)))
    d = Builder(np.random.default_rng(0))
    d.act("x", (1, 4, 6))
    d.op("add", ("x", d.weights("w", (1, 4, 6))), "y")
    with pytest.raises(InputError, match=r"op y_op \(add\): wanted a computed tensor as input, got the constant w"):
        lower(d.graph(("x",), ("y",)))
