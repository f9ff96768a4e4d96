"""Small quantized transformers that tests share, built in the IR: embeddings, attention, feed-forward, caches."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from workloads.ir import Graph, Op, Tensor, check_graph, output_shape

Form: TypeAlias = dict[str, Any]
NARROW: Form = {"bits": 8, "signed": False, "scale": 1 / 16, "zero": 120}
SYMMETRIC: Form = {"bits": 8, "signed": True, "scale": 1 / 24, "zero": 0}
WIDE: Form = {"bits": 16, "signed": True, "scale": 2.0**-12, "zero": 0}
FRACTION: Form = {"bits": 8, "signed": False, "scale": 2.0**-8, "zero": 0}


class Net:
    """A graph in few words; formats are dicts of bits, signed, scale and zero."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.ops: list[Op] = []

    def edge(self, name: str, shape: tuple[int, ...], *, bits: int, signed: bool, scale: float, zero: int) -> str:
        self.tensors[name] = Tensor(
            name=name, shape=shape, bits=bits, signed=signed, scale=np.asarray([scale], np.float32), zero_point=zero
        )
        return name

    def constant(self, name: str, shape: tuple[int, ...], scale: float, *, bits: int = 8, most: int = 127) -> str:
        data = self.rng.integers(-most, most + 1, shape)
        self.tensors[name] = Tensor(
            name=name, shape=shape, bits=bits, signed=True, scale=np.asarray([scale], np.float32), data=data
        )
        return name

    def op(
        self, kind: str, inputs: tuple[str, ...], output: str, form: Form | None = None,
        shape: tuple[int, ...] | None = None, **attrs: Any,
    ) -> str:  # fmt: skip
        """Append an op; without `form` the output has the format of its first input (of gather: of the table)."""
        source = self.tensors[inputs[1 if kind == "gather" else 0]]
        form = form or {
            "bits": source.bits, "signed": source.signed, "scale": float(source.scale[0]), "zero": source.zero_point
        }  # fmt: skip
        draft = Op(name=f"{output}_op", kind=kind, inputs=inputs, output=output, low=0, high=0, attrs=attrs)
        self.edge(output, shape or output_shape(draft, [self.tensors[name] for name in inputs]), **form)
        out = self.tensors[output]
        self.ops.append(
            Op(name=draft.name, kind=kind, inputs=inputs, output=output, low=out.low, high=out.high, attrs=attrs)
        )
        return output

    def linear(self, x: str, output: str, n: int, form: Form) -> str:
        """A product with random weights, of about unit variance where x has it, and a bias."""
        k = self.tensors[x].shape[-1]
        w = self.constant(f"{output}_w", (k, n), 1 / (74 * k**0.5))
        scale = float(self.tensors[x].scale[0] * self.tensors[w].scale[0])
        bias = self.constant(f"{output}_b", (n,), scale, bits=32, most=int(0.1 / scale))
        return self.op("matmul", (x, w, bias), output, form)

    def norm(self, x: str, output: str, form: Form, kind: str = "layer_norm") -> str:
        n = self.tensors[x].shape[-1]
        gain = self.constant(f"{output}_gain", (n,), 2.0**-14, bits=16, most=20000)
        offset = self.constant(f"{output}_offset", (n,), 2.0**-14, bits=16, most=5000)
        return self.op(kind, (x, gain, offset), output, form)

    def heads(self, x: str, n_heads: int, order: tuple[int, ...]) -> str:
        """(batch, tokens, width) as (batch, tokens, heads, width of a head), its axes in another order."""
        batch, tokens, width = self.tensors[x].shape
        self.op("reshape", (x,), f"{x}_split", shape=(batch, tokens, n_heads, width // n_heads))
        return self.op("transpose", (f"{x}_split",), f"{x}_heads", order=order)

    def attention(self, q: str, k: str, v: str, *, causal: bool = False, offset: int = 0) -> str:
        """Heads of q (batch, heads, rows, d), k (batch, heads, d, tokens), v (batch, heads, tokens, d), merged."""
        batch, n_heads, rows, d = self.tensors[q].shape
        self.op("matmul", (q, k), "scores", {**WIDE, "scale": 2.0**-10})
        self.op("softmax", ("scores",), "shares", FRACTION, causal=int(causal), offset=offset)
        self.op("matmul", ("shares", v), "mixed", {**NARROW, "scale": 1 / 48})
        self.op("transpose", ("mixed",), "mixed_back", order=(0, 2, 1, 3))
        return self.op("reshape", ("mixed_back",), "merged", shape=(batch, rows, n_heads * d))

    def graph(self, inputs: tuple[str, ...], outputs: tuple[str, ...], states: tuple = ()) -> Graph:
        tensors, ops = tuple(self.tensors.values()), tuple(self.ops)
        return check_graph(Graph(name="net", inputs=inputs, outputs=outputs, tensors=tensors, ops=ops, states=states))


def encoder(
    seed: int, *, tokens: int = 5, n_heads: int = 2, head: int = 4, batch: int = 1, causal: bool = False,
    norm: str = "layer_norm", fused_qkv: bool = False,
) -> Graph:  # fmt: skip
    """Embeddings and one layer as BERT has it (post-norm); `causal` makes it GPT's mask, `fused_qkv` its one product."""
    net, width = Net(seed), n_heads * head
    net.edge("ids", (batch, tokens), bits=32, signed=False, scale=1.0, zero=0)
    net.op("gather", ("ids", net.constant("words", (11, width), 1 / 64)), "embedded")
    positions = net.constant("positions", (batch, tokens, width), 1 / 100)
    net.op("add", ("embedded", positions), "summed", WIDE)
    net.norm("summed", "x", WIDE, norm)
    net.op("requantize", ("x",), "x8", NARROW)
    if fused_qkv:
        net.linear("x8", "qkv", 3 * width, SYMMETRIC)
        for i, name in enumerate("qkv"):
            net.op("slice", ("qkv",), name, axis=2, start=i * width, stop=(i + 1) * width)
    else:
        for name in "qkv":
            net.linear("x8", name, width, SYMMETRIC)
    q, v = (net.heads(name, n_heads, (0, 2, 1, 3)) for name in "qv")
    k = net.heads("k", n_heads, (0, 2, 3, 1))
    merged = net.attention(q, k, v, causal=causal)
    net.linear(merged, "projected", width, WIDE)
    net.op("add", ("projected", "x"), "attended", WIDE)
    net.norm("attended", "y", WIDE, norm)
    net.op("requantize", ("y",), "y8", NARROW)
    net.linear("y8", "up", 2 * width, WIDE)
    net.op("gelu", ("up",), "active", NARROW)
    net.linear("active", "down", width, WIDE)
    net.op("add", ("y", "down"), "output", WIDE)
    net.norm("output", "z", WIDE, norm)
    return net.graph(("ids",), ("z",))


def decoder_step(seed: int, position: int, *, capacity: int = 6, n_heads: int = 2, head: int = 4) -> Graph:
    """One token at `position` as GPT-2 has it (pre-norm), with caches of keys and values as states."""
    net, width = Net(seed), n_heads * head
    net.edge("ids", (1, 1), bits=32, signed=False, scale=1.0, zero=0)
    net.op("gather", ("ids", net.constant("words", (11, width), 1 / 64)), "embedded")
    net.op("add", ("embedded", net.constant("position", (1, 1, width), 1 / 100)), "x", WIDE)
    net.norm("x", "normed", NARROW)
    for name in "qkv":
        net.linear("normed", name, width, SYMMETRIC)
    for name in "kv":
        net.edge(f"{name}_cache", (1, capacity, width), **SYMMETRIC)
        net.op("append", (f"{name}_cache", name), f"{name}_next", axis=1, position=position)
        net.op("slice", (f"{name}_next",), f"{name}_seen", axis=1, start=0, stop=position + 1)
    q, v = net.heads("q", n_heads, (0, 2, 1, 3)), net.heads("v_seen", n_heads, (0, 2, 1, 3))
    k = net.heads("k_seen", n_heads, (0, 2, 3, 1))
    merged = net.attention(q, k, v)
    net.linear(merged, "projected", width, WIDE)
    net.op("add", ("projected", "x"), "y", WIDE)
    return net.graph(("ids", "k_cache", "v_cache"), ("y",), (("k_cache", "k_next"), ("v_cache", "v_next")))


def vision(seed: int, *, n_heads: int = 2, head: int = 4) -> Graph:
    """Patches of an image by a convolution, their pixels as tokens, attention, and one row for the classes."""
    net, width = Net(seed), n_heads * head
    net.edge("image", (1, 3, 8, 8), **NARROW)
    kernel = net.constant("patches_w", (width, 3, 2, 2), 1 / 250)
    net.op("conv", ("image", kernel), "patches", WIDE, strides=(2, 2), pads=(0, 0, 0, 0), groups=1)
    net.op("reshape", ("patches",), "pixels", shape=(1, width, 16))
    net.op("transpose", ("pixels",), "tokens", order=(0, 2, 1))
    net.op("add", ("tokens", net.constant("positions", (1, 16, width), 1 / 100)), "x", WIDE)
    net.norm("x", "normed", NARROW)
    for name in "qkv":
        net.linear("normed", name, width, SYMMETRIC)
    q, v = (net.heads(name, n_heads, (0, 2, 1, 3)) for name in "qv")
    net.linear(net.attention(q, net.heads("k", n_heads, (0, 2, 3, 1)), v), "projected", width, WIDE)
    net.op("add", ("x", "projected"), "y", WIDE)
    net.op("slice", ("y",), "first", axis=1, start=0, stop=1)
    net.op("requantize", ("first",), "first8", NARROW)
    net.op("reshape", ("first8",), "row", shape=(1, width))
    net.linear("row", "classes", 3, WIDE)
    return net.graph(("image",), ("classes",))


def cached(
    seed: int, *, rows: int, position: int, batch: int = 1, heads_apart: bool = False, read_twice: bool = False
) -> Graph:  # fmt: skip
    """Attention of some new rows over caches of 6 tokens that they are appended to; causal."""
    net, capacity, n_heads, head = Net(seed), 6, 2, 4
    width = n_heads * head
    net.edge("x", (batch, rows, width), **NARROW)
    for name in "qkv":
        net.linear("x", name, width, SYMMETRIC)
    for name in "kv":
        shape = (batch, n_heads, capacity, head) if heads_apart else (batch, capacity, width)
        net.edge(f"{name}_cache", shape, **SYMMETRIC)
        new = net.heads(name, n_heads, (0, 2, 1, 3)) if heads_apart else name
        axis = 2 if heads_apart else 1
        net.op("append", (f"{name}_cache", new), f"{name}_all", axis=axis, position=position)
    if heads_apart:
        k, v = net.op("transpose", ("k_all",), "k_turned", order=(0, 1, 3, 2)), "v_all"
    else:
        k, v = net.heads("k_all", n_heads, (0, 2, 3, 1)), net.heads("v_all", n_heads, (0, 2, 1, 3))
    q = net.heads("q", n_heads, (0, 2, 1, 3))
    net.attention(q, k, v, causal=True, offset=position)
    if read_twice:
        net.op("requantize", ("k",), "k_wide", WIDE)
    outputs = ("merged", "k_wide") if read_twice else ("merged",)
    states = (("k_cache", "k_all"), ("v_cache", "v_all"))
    return net.graph(("x", "k_cache", "v_cache"), outputs, states)
