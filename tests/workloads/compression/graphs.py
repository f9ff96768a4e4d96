"""Graphs whose channels can be removed, and how they are run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.workloads.graphs import Builder
from workloads.compression.layers import Weighted, weighted_layers
from workloads.ir import Graph
from workloads.reference import run_graph


def free_graph(rng: np.random.Generator) -> Graph:
    """stem (6) -> depthwise -> point, added to stem; pooled, flattened, a product with 5 neurons, and the answers."""
    b = Builder(rng)
    conv = {"strides": (1, 1), "pads": (1, 1, 1, 1), "groups": 1}
    b.act("x", (1, 2, 6, 6))
    b.op("conv", ("x", b.weights("w1", (6, 2, 3, 3), axis=0), b.bias("b1", 6)), "stem", relu=True, scale=0.6, **conv)
    wide = b.weights("w2", (6, 1, 3, 3), axis=0)
    b.op("conv", ("stem", wide, b.bias("b2", 6)), "depthwise", scale=0.2, **{**conv, "groups": 6})
    b.op("conv", ("depthwise", b.weights("w3", (6, 6, 1, 1))), "point", scale=0.3, **{**conv, "pads": (0, 0, 0, 0)})
    b.op("add", ("stem", "point"), "sum", relu=True, scale=0.7)
    b.op("average_pool", ("sum",), "pooled", kernel=(2, 2), strides=(2, 2), pads=(0, 0, 0, 0), scale=0.5)
    b.op("reshape", ("pooled",), "flat", shape=(1, 54))
    b.op("matmul", ("flat", b.weights("w4", (54, 5), axis=1), b.bias("b4", 5)), "hidden", scale=0.5, relu=True)
    b.op("matmul", ("hidden", b.weights("w5", (5, 4))), "answers", scale=3.0)
    return b.graph(("x",), ("answers",))


def outputs(graph: Graph, images: np.ndarray) -> np.ndarray:
    """What the graph answers to each image of (n, *shape of its input without the batch)."""
    return np.stack([run_graph(graph, {graph.inputs[0]: image[None]})[graph.outputs[0]][0] for image in images])


def layer(graph: Graph, name: str) -> Weighted:
    """The layer that computes the tensor of that name."""
    return next(found for found in weighted_layers(graph) if found.op.output == name)


def with_data(graph: Graph, name: str, data: np.ndarray) -> Graph:
    """The graph with other integers in a constant of the same shape."""
    tensors = tuple(replace(t, data=np.asarray(data)) if t.name == name else t for t in graph.tensors)
    return replace(graph, tensors=tensors)
