"""Vector ops in the interpreter: by hand, against float, in mixed widths, and step by step with a cache."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from designs.errors import InputError
from tests.workloads.transformers import Edges, attention_block
from workloads.functions.choice import FunctionChoice
from workloads.functions.range_norm import range_norm_float
from workloads.reference import run_graph, run_steps

CHOICES = [
    FunctionChoice(),
    FunctionChoice(softmax="ita", ita_block=4),
    FunctionChoice(softmax="table", gelu="table"),
]


def real(graph_values: dict[str, np.ndarray], edges: Edges, name: str) -> np.ndarray:
    return edges.tensors[name].dequantize(graph_values[name]).astype(np.float64)


def test_gather_slice_append_by_hand() -> None:
    g = Edges()
    g.counts("ids", (2, 2))
    g.op("gather", ("ids", g.constant("table", np.asarray([[1.0, 2], [3, 4], [5, 127]]), 8)), "rows")
    g.op("slice", ("rows",), "part", axis=1, start=1, stop=2)
    g.op("append", ("rows", "part"), "y", axis=1, position=0)
    values = run_graph(g.graph(("ids",), ("y",)), {"ids": np.asarray([[2, 0], [1, 1]])})
    assert values["rows"].tolist() == [[[5, 127], [1, 2]], [[3, 4], [3, 4]]]
    assert values["part"].tolist() == [[[1, 2]], [[3, 4]]]
    assert values["y"].tolist() == [[[1, 2], [1, 2]], [[3, 4], [3, 4]]]


@pytest.mark.parametrize("ids", [[[0, 3]], [[0, 60000]]])
def test_ids_outside_the_table(ids: list[list[int]]) -> None:
    g = Edges()
    g.counts("ids", (1, 2))
    g.op("gather", ("ids", g.constant("table", np.ones((3, 2)))), "y")
    with pytest.raises(InputError, match=r"op y_op \(gather\): wanted ids from 0 to 2, got 0 to"):
        run_graph(g.graph(("ids",), ("y",)), {"ids": np.asarray(ids)})


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("bits", [8, 16])
def test_masks(choice: FunctionChoice, bits: int) -> None:
    """Each row is the softmax of the columns that it sees, and of nothing else."""
    g = Edges()
    g.edge("x", (2, 3, 6), 16, scale=0.001, zero=-40)
    g.counts("lengths", (2,))
    g.op("softmax", ("x", "lengths"), "y", bits, causal=1, offset=2)
    g.op("softmax", ("x",), "open", bits, causal=0, offset=0)
    graph = g.graph(("x", "lengths"), ("y", "open"))
    feeds = {"x": np.random.default_rng(0).integers(-9000, 9000, (2, 3, 6)), "lengths": np.asarray([4, 6])}
    y = run_graph(graph, feeds, functions=choice)["y"]
    seen = [[3, 4, 4], [3, 4, 5]]
    for image in range(2):
        for row in range(3):
            n = seen[image][row]
            alone = Edges()
            alone.edge("x", (1, n), 16, scale=0.001, zero=-40)
            alone.op("softmax", ("x",), "y", bits, causal=0, offset=0)
            part = {"x": feeds["x"][image, row : row + 1, :n]}
            wanted = run_graph(alone.graph(("x",), ("y",)), part, functions=choice)["y"]
            np.testing.assert_array_equal(y[image, row, :n], wanted[0])
            assert not y[image, row, n:].any()


def test_lengths_outside_and_none() -> None:
    g = Edges()
    g.edge("x", (2, 3))
    g.counts("lengths", (2,))
    g.op("softmax", ("x", "lengths"), "y", causal=0, offset=0)
    graph = g.graph(("x", "lengths"), ("y",))
    x = np.zeros((2, 3), np.int64)
    with pytest.raises(InputError, match=r"op y_op \(softmax\): wanted lengths from 0 to 3, got 1 to 4"):
        run_graph(graph, {"x": x, "lengths": np.asarray([1, 4])})
    assert run_graph(graph, {"x": x, "lengths": np.asarray([0, 1])})["y"].tolist() == [[0, 0, 0], [255, 0, 0]]


@given(
    in_bits=st.sampled_from([8, 12, 16]), out_bits=st.sampled_from([8, 16]), choice=st.sampled_from(CHOICES),
    zero=st.integers(-20, 20), seed=st.integers(0, 1 << 32),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_gelu_is_near_gelu(in_bits: int, out_bits: int, choice: FunctionChoice, zero: int, seed: int) -> None:
    g, rng = Edges(), np.random.default_rng(seed)
    g.edge("x", (3, 40), in_bits, scale=2.0 ** (4 - in_bits), zero=zero)
    g.op("gelu", ("x",), "y", out_bits, scale=2.0 ** (5 - out_bits), zero=-zero)
    low, high = g.tensors["x"].low, g.tensors["x"].high
    values = run_graph(g.graph(("x",), ("y",)), {"x": rng.integers(low, high + 1, (3, 40))}, functions=choice)
    x = real(values, g, "x")
    assert np.abs(real(values, g, "y") - x * (1 + erf(x / math.sqrt(2))) / 2).max() < 0.019 + 0.51 * 2.0 ** (5 - out_bits)


@given(
    kind=st.sampled_from(["layer_norm", "range_norm"]), in_bits=st.sampled_from([8, 16]),
    out_bits=st.sampled_from([8, 16]), rounding=st.sampled_from(["float32", "multiplier_shift", "shift"]),
    zero=st.integers(-20, 20), n=st.integers(2, 60), seed=st.integers(0, 1 << 32),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_norms_are_near_norms(
    kind: str, in_bits: int, out_bits: int, rounding: str, zero: int, n: int, seed: int
) -> None:
    g, rng = Edges(), np.random.default_rng(seed)
    g.edge("x", (4, n), in_bits, zero=zero)
    gamma, beta = rng.normal(size=n), rng.normal(size=n)
    scale = 2.0 ** (7 - out_bits)
    g.op(kind, ("x", g.constant("gamma", gamma), g.constant("beta", beta, 32)), "y", out_bits, scale=scale, zero=-zero)
    stored = rng.integers(g.tensors["x"].low // 2, g.tensors["x"].high // 2, (4, n))
    stored[:, 0], stored[:, 1] = g.tensors["x"].low // 2, g.tensors["x"].high // 2
    values = run_graph(g.graph(("x",), ("y",)), {"x": stored}, rounding)
    x = real(values, g, "x")
    if kind == "layer_norm":
        normed = (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)
    else:
        normed = range_norm_float(x)
    exact = np.clip(normed * gamma + beta, (g.tensors["y"].low + zero) * scale, (g.tensors["y"].high + zero) * scale)
    # half a step of the output; of the rest, the integer root of few large numbers is the most
    assert np.abs(real(values, g, "y") - exact).max() < 0.5 * scale + 0.004 * np.abs(gamma).max() * np.sqrt(n)


@pytest.mark.parametrize("rounding", ["float32", "multiplier_shift"])
@pytest.mark.parametrize(("a_bits", "b_bits", "out_bits"), [(16, 16, 16), (8, 16, 8), (16, 8, 16)])
def test_products_and_sums_of_activations_in_mixed_widths(
    a_bits: int, b_bits: int, out_bits: int, rounding: str
) -> None:
    g, rng = Edges(), np.random.default_rng(0)
    g.edge("a", (2, 3, 5, 7), a_bits, scale=2.0**-a_bits, zero=9)
    g.edge("b", (2, 3, 7, 5), b_bits, scale=2.0**-b_bits, zero=-11)
    g.op("matmul", ("a", "b"), "product", out_bits, scale=4 * 2.0**-out_bits, zero=3)
    g.op("transpose", ("b",), "turned", order=(0, 1, 3, 2))
    g.op("add", ("a", "turned"), "sum", out_bits, scale=2 * 2.0**-out_bits, zero=-4)
    feeds = {
        name: rng.integers(g.tensors[name].low, g.tensors[name].high + 1, g.tensors[name].shape) for name in ("a", "b")
    }
    values = run_graph(g.graph(("a", "b"), ("product", "sum")), feeds, rounding)
    a, b = real(values, g, "a"), real(values, g, "b")
    for name, exact in (("product", a @ b), ("sum", a + b.swapaxes(2, 3))):
        out = g.tensors[name]
        exact = np.clip(exact, (out.low - out.zero_point) * out.scale[0], (out.high - out.zero_point) * out.scale[0])
        assert np.abs(real(values, g, name) - exact).max() <= 0.51 * out.scale[0]


def test_every_edge_of_a_block_keeps_its_own_width() -> None:
    graph = attention_block(np.random.default_rng(0))
    values = run_graph(graph, {"ids": np.asarray([[1, 10, 4, 4, 0]])})
    assert {name: graph.by_name[name].bits for name in ("x", "scores", "p", "residual", "normed")} == {
        "x": 16, "scores": 16, "p": 8, "residual": 16, "normed": 8
    }  # fmt: skip
    for name, value in values.items():
        tensor = graph.by_name[name]
        assert value.dtype == np.int64 and value.shape == tensor.shape
        assert tensor.low <= value.min() and value.max() <= tensor.high


@pytest.mark.parametrize("choice", CHOICES)
def test_decoding_with_a_cache_equals_the_causal_pass(choice: FunctionChoice) -> None:
    ids = np.asarray([[1, 10, 4, 4, 0]])
    whole = run_graph(attention_block(np.random.default_rng(3)), {"ids": ids}, functions=choice)
    step = attention_block(np.random.default_rng(3), n_tokens=1, cache=7)
    feeds = [
        {"ids": ids[:, t : t + 1], "position": np.asarray([t]), "length": np.asarray([t + 1])} for t in range(5)
    ]
    steps = run_steps(step, feeds, functions=choice)
    for t, values in enumerate(steps):
        for name in ("scores", "p"):  # columns after t: the future in the whole pass, empty positions in the cache
            np.testing.assert_array_equal(values[name][:, :, 0, : t + 1], whole[name][:, :, t, : t + 1])
        assert not values["p"][..., t + 1 :].any() and not whole["p"][:, :, t, t + 1 :].any()
        for name in ("residual", "normed", "y"):
            np.testing.assert_array_equal(values[name][:, 0], whole[name][:, t])
    np.testing.assert_array_equal(steps[-1]["k_all"][:, :, :5], whole["k_all"])
    assert np.all(steps[-1]["k_all"][:, :, 5:] == step.by_name["k_cache"].zero_point)


def test_steps_may_differ_and_start_from_a_given_state() -> None:
    def step(position: int) -> Edges:
        g = Edges()
        g.edge("cache", (4, 2))
        g.edge("row", (1, 2))
        g.op("append", ("cache", "row"), "after", axis=0, position=position)
        return g

    graphs = [step(t).graph(("cache", "row"), ("after",), (("cache", "after"),)) for t in (3, 1)]
    rows = [{"row": np.asarray([[1, 2]]), "cache": np.full((4, 2), 9)}, {"row": np.asarray([[3, 4]])}]
    assert run_steps(graphs, rows)[1]["after"].tolist() == [[9, 9], [3, 4], [9, 9], [1, 2]]
    with pytest.raises(InputError, match="steps: wanted a graph for each of the 1 feeds, got 2"):
        run_steps(graphs, rows[:1])
    with pytest.raises(InputError, match="input cache: wanted no feed after the first step, for it is a state"):
        run_steps(graphs, [rows[0], {**rows[1], "cache": np.full((4, 2), 9)}])


def test_a_position_beyond_the_cache() -> None:
    step = attention_block(np.random.default_rng(3), n_tokens=1, cache=2)
    feed = {"ids": np.asarray([[1]]), "position": np.asarray([2]), "length": np.asarray([1])}
    with pytest.raises(InputError, match=r"op k_all_op \(append\): wanted positions from 0 to 1, got 2 to 2"):
        run_steps(step, [feed])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (FunctionChoice(softmax="exact"), "softmax: wanted one of i_bert, ita, table, got 'exact'"),  # type: ignore[arg-type]
        (FunctionChoice(gelu="ita"), "gelu: wanted one of i_bert, table, got 'ita'"),  # type: ignore[arg-type]
        (FunctionChoice(ita_block=0), "ita_block: wanted at least 1 column, got 0"),
    ],
)
def test_unknown_functions(choice: FunctionChoice, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_graph(attention_block(np.random.default_rng(0)), {"ids": np.zeros((1, 5), np.int64)}, functions=choice)
