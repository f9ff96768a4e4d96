"""Small transformer graphs that tests share: every tensor says its own width."""

from __future__ import annotations

from typing import Any

import numpy as np

from workloads.ir import Graph, Op, Tensor, check_graph, output_shape


class Edges:
    """Graphs whose edges have the widths that each line gives."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []

    def edge(
        self, name: str, shape: tuple[int, ...], bits: int = 8, *, scale: float = 0.05, zero: int = 0, signed: bool = True
    ) -> str:
        self.tensors[name] = Tensor(
            name=name, shape=shape, bits=bits, signed=signed, scale=np.float32([scale]), zero_point=zero
        )
        return name

    def counts(self, name: str, shape: tuple[int, ...]) -> str:
        self.tensors[name] = Tensor(name=name, shape=shape, bits=16, signed=False)
        return name

    def constant(self, name: str, values: np.ndarray, bits: int = 16) -> str:
        """The values, quantized to the whole range of the width."""
        scale = np.float32([max(float(np.abs(values).max()), 1e-6) / ((1 << (bits - 1)) - 1)])
        tensor = Tensor(name=name, shape=values.shape, bits=bits, signed=True, scale=scale)
        data = tensor.quantize(values)
        self.tensors[name] = Tensor(name=name, shape=values.shape, bits=bits, signed=True, scale=scale, data=data)
        return name

    def op(
        self, kind: str, inputs: tuple[str, ...], output: str, bits: int = 8, *, shape: tuple[int, ...] | None = None,
        scale: float = 0.05, zero: int = 0, signed: bool = True, **attrs: Any,
    ) -> str:  # fmt: skip
        tensors = [self.tensors[name] for name in inputs]
        draft = Op(name=f"{output}_op", kind=kind, inputs=inputs, output=output, low=0, high=0, attrs=attrs)
        if kind == "softmax":
            scale, zero, signed = 2.0**-bits, 0, False
        if kind in ("reshape", "transpose", "slice", "append", "gather"):
            source = tensors[1 if kind == "gather" else 0]
            bits, scale, zero, signed = source.bits, float(source.scale[0]), source.zero_point, source.signed
        self.edge(output, shape or output_shape(draft, tensors), bits, scale=scale, zero=zero, signed=signed)
        out = self.tensors[output]
        self.ops.append(
            Op(name=draft.name, kind=kind, inputs=inputs, output=output, low=out.low, high=out.high, attrs=attrs)
        )
        return output

    def graph(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], states: tuple[tuple[str, str], ...] = ()
    ) -> Graph:
        return check_graph(
            Graph(
                name="transformer", inputs=inputs, outputs=outputs, tensors=tuple(self.tensors.values()),
                ops=tuple(self.ops), states=states,
            )
        )  # fmt: skip


def attention_block(
    rng: np.random.Generator, *, n_tokens: int = 5, heads: int = 2, head_size: int = 4, wide_bits: int = 16,
    causal: bool = True, cache: int = 0,
) -> Graph:  # fmt: skip
    """ids -> embedding -> attention with residual and layer norm -> GELU feed-forward, edges of 8 and `wide_bits` bits.

    With a cache of that many positions the graph takes tokens one at a time: keys and values are appended at
    `position`, the softmax takes `length` columns, both fed.
    """
    g, width = Edges(), heads * head_size
    g.counts("ids", (1, n_tokens))
    g.op("gather", ("ids", g.constant("table", rng.normal(size=(11, width)))), "x")
    inputs = ["ids"]
    states: list[tuple[str, str]] = []
    if cache:
        g.counts("position", (1,))
        g.counts("length", (1,))
        inputs += ["position", "length"]
    for name in ("q", "k", "v"):
        weights = g.constant(f"w_{name}", rng.normal(size=(width, width)) / width**0.5, 8)
        g.op("matmul", ("x", weights), f"{name}_flat", scale=0.03, zero=3)
        g.op("reshape", (f"{name}_flat",), f"{name}_heads", shape=(1, n_tokens, heads, head_size))
        g.op("transpose", (f"{name}_heads",), f"{name}_new", order=(0, 2, 1, 3))
        if cache and name != "q":
            g.edge(f"{name}_cache", (1, heads, cache, head_size), scale=0.03, zero=3)
            g.op("append", (f"{name}_cache", f"{name}_new", "position"), f"{name}_all", axis=2, position=0)
            inputs.append(f"{name}_cache")
            states.append((f"{name}_cache", f"{name}_all"))
        else:
            g.op("slice", (f"{name}_new",), f"{name}_all", axis=2, start=0, stop=n_tokens)
    g.op("transpose", ("k_all",), "k_turned", order=(0, 1, 3, 2))
    g.op("matmul", ("q_all", "k_turned"), "scores", wide_bits, scale=2.0 ** (6 - wide_bits))
    masks = {"causal": int(causal and not cache), "offset": 0}
    g.op("softmax", ("scores", "length") if cache else ("scores",), "p", **masks)
    g.op("matmul", ("p", "v_all"), "mixed", scale=0.02, zero=-2)
    g.op("transpose", ("mixed",), "mixed_turned", order=(0, 2, 1, 3))
    g.op("reshape", ("mixed_turned",), "mixed_flat", shape=(1, n_tokens, width))
    g.op("add", ("x", "mixed_flat"), "residual", wide_bits, scale=2.0 ** (4 - wide_bits))
    gamma, beta = rng.normal(1, 0.3, width), rng.normal(0, 0.3, width)
    g.op("layer_norm", ("residual", g.constant("gamma", gamma), g.constant("beta", beta)), "normed", scale=0.03, zero=5)
    g.op("matmul", ("normed", g.constant("w_up", rng.normal(size=(width, 2 * width)) / width**0.5, 8)), "up", scale=0.04)
    g.op("gelu", ("up",), "y", scale=0.04, zero=-100)
    return g.graph(tuple(inputs), ("y",), tuple(states))
