"""Small graphs that tests share."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloads.ir import Graph, Op, Tensor, check_graph, output_shape


class Builder:
    """Graphs in few words: unsigned 8-bit activations, weights of any width."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []

    def act(
        self,
        name: str,
        shape: tuple[int, ...],
        *,
        scale: float = 0.1,
        zero: int = 7,
        bits: int = 8,
        signed: bool = False,
    ) -> str:
        self.tensors[name] = Tensor(
            name=name, shape=shape, bits=bits, signed=signed, scale=np.float32([scale]), zero_point=zero
        )
        return name

    def weights(self, name: str, shape: tuple[int, ...], *, bits: int = 8, axis: int | None = None) -> str:
        half = 1 << (bits - 1)
        data = self.rng.integers(-half, half, shape)
        scale = np.float32([0.01]) if axis is None else self.rng.uniform(0.005, 0.02, shape[axis]).astype(np.float32)
        self.tensors[name] = Tensor(name=name, shape=shape, bits=bits, signed=True, scale=scale, axis=axis, data=data)
        return name

    def bias(self, name: str, n: int) -> str:
        data = self.rng.integers(-1000, 1000, n)
        self.tensors[name] = Tensor(name=name, shape=(n,), bits=32, signed=True, data=data)
        return name

    def op(
        self,
        kind: str,
        inputs: tuple[str, ...],
        output: str,
        *,
        shape: tuple[int, ...] | None = None,
        relu: bool = False,
        scale: float = 0.5,
        zero: int = 9,
        **attrs: Any,
    ) -> str:
        draft = Op(name=f"{output}_op", kind=kind, inputs=inputs, output=output, low=0, high=255, attrs=attrs)
        tensors = [self.tensors[name] for name in inputs]
        if kind in ("max_pool", "reshape", "transpose"):
            scale, zero = float(tensors[0].scale[0]), tensors[0].zero_point
        self.act(output, shape or output_shape(draft, tensors), scale=scale, zero=zero)
        low = zero if relu else 0
        self.ops.append(Op(name=draft.name, kind=kind, inputs=inputs, output=output, low=low, high=255, attrs=attrs))
        return output

    def graph(self, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Graph:
        graph = Graph(
            name="g", inputs=inputs, outputs=outputs, tensors=tuple(self.tensors.values()), ops=tuple(self.ops)
        )
        return check_graph(graph)


def residual_graph(rng: np.random.Generator, *, n: int = 1) -> Graph:
    """Every op that lowers: strided and depthwise convolutions, additions fused and not, pooling, matrix products."""
    b = Builder(rng)
    b.act("x", (n, 3, 9, 8))
    conv = {"strides": (1, 1), "pads": (1, 1, 1, 1), "groups": 1}
    b.op(
        "conv",
        ("x", b.weights("w1", (8, 3, 3, 3)), b.bias("b1", 8)),
        "stem",
        relu=True,
        scale=0.6,
        **{**conv, "strides": (2, 1)},
    )
    b.op(
        "conv", ("stem", b.weights("w2", (8, 1, 3, 3), bits=4, axis=0)), "depthwise", scale=0.2, **{**conv, "groups": 8}
    )
    b.op(
        "conv",
        ("depthwise", b.weights("w3", (8, 8, 1, 1), axis=0)),
        "point",
        scale=0.3,
        **{**conv, "pads": (0, 0, 0, 0)},
    )
    b.op("add", ("stem", "point"), "fused", relu=True, scale=0.7)
    b.op("add", ("fused", "stem"), "unfused", scale=0.8)
    b.op("max_pool", ("unfused",), "pooled", kernel=(2, 2), strides=(2, 2), pads=(1, 0, 0, 0))
    b.op("requantize", ("pooled",), "clipped", scale=0.9, zero=0)
    b.op("average_pool", ("clipped",), "average", kernel=(2, 2), strides=(1, 1), pads=(0, 0, 0, 0), scale=0.4)
    shape = b.tensors["average"].shape
    b.op("reshape", ("average",), "flat", shape=(shape[0], shape[1] * shape[2] * shape[3]))
    k = b.tensors["flat"].shape[1]
    b.op("matmul", ("flat", b.weights("w4", (k, 10), axis=1), b.bias("b4", 10)), "hidden", scale=0.5, relu=True)
    b.op("matmul", ("hidden", b.weights("w5", (10, 16))), "logits", scale=3.0)
    return b.graph(("x",), ("logits", "stem"))


def matrix_graph(rng: np.random.Generator, *, rows: tuple[int, ...] = (1, 70)) -> Graph:
    """Two matrix products over rows that `matrix_lines` pads."""
    b = Builder(rng)
    b.act("x", (*rows, 12))
    b.op("matmul", ("x", b.weights("w1", (12, 20)), b.bias("b1", 20)), "up", relu=True, scale=0.3)
    b.op("matmul", ("up", b.weights("w2", (20, 12), axis=1)), "down", scale=0.5)
    b.op("add", ("down", "x"), "y", scale=0.6)
    return b.graph(("x",), ("y",))


def feeds(graph: Graph, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Random stored integers for the inputs."""
    return {
        n: rng.integers(graph.by_name[n].low, graph.by_name[n].high + 1, graph.by_name[n].shape) for n in graph.inputs
    }
