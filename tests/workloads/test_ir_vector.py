"""Vector ops: what is legal, what is refused, and that a legal graph survives its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.transformers import Edges, attention_block
from workloads.files import graph_digest, load_graph, save_graph
from workloads.ir import Graph, check_graph
from workloads.lower import lower
from workloads.reference import run_graph
from workloads.simplify import fuse_clips


def changed(graph: Graph, output: str, op: dict[str, Any] | None = None, **tensors: dict[str, Any]) -> Graph:
    """The graph with fields of the op that computes `output`, and of named tensors, replaced."""
    ops = tuple(replace(o, **(op or {})) if o.output == output else o for o in graph.ops)
    return replace(graph, ops=ops, tensors=tuple(replace(t, **tensors.get(t.name, {})) for t in graph.tensors))


ONE = np.ones(1, np.float32)
CASES: list[tuple[str, dict[str, Any], dict[str, dict[str, Any]], str]] = [
    ("x", {"inputs": ("ids", "gamma")}, {}, "op x_op (gather): wanted ids and a table (V,D), got [1, 5], [8]"),
    ("x", {}, {"ids": {"scale": 2 * ONE}}, "wanted ids with scale 1 and zero point 0, got [2.0] and 0"),
    ("x", {}, {"x": {"scale": ONE}}, "op x_op (gather): wanted the scale and zero point of its input at the output"),
    ("x", {"low": 0}, {"x": {"signed": False}}, "op x_op (gather): wanted the bits and the sign of its input"),
    ("p", {"attrs": {"causal": 2, "offset": 0}}, {}, "causal: wanted 0 or 1, got 2"),
    ("p", {}, {"p": {"scale": ONE}}, "wanted an unsigned output of zero point 0 and scale 2**-8, got unsigned, 0 and 1"),
    ("p", {}, {"p": {"zero_point": 1}}, "wanted an unsigned output of zero point 0 and scale 2**-8, got unsigned, 1"),
    ("p", {}, {"scores": {"bits": 32}}, "wanted input and output of at most 16 bits, got 32 and 8"),
    ("p", {"inputs": ("scores", "table")}, {}, "wanted lengths of the shape of leading axes of x"),
    ("normed", {"inputs": ("residual", "gamma", "up")}, {}, "wanted inputs computed before, got 'up'"),
    ("normed", {"inputs": ("residual", "w_q", "beta")}, {}, "wanted x (...,n), gamma (n,) and beta (n,)"),
    ("q_all", {"attrs": {"axis": 2, "start": 3, "stop": 3}}, {}, "wanted an axis 2 with indices 3 to 2"),
    ("q_all", {"attrs": {"axis": 4, "start": 0, "stop": 1}}, {}, "wanted an axis 4 with indices 0 to 0"),
    ("q_all", {"low": 0}, {}, "wanted the bounds of its output's type"),
]


@pytest.mark.parametrize(("output", "op", "tensors", "message"), CASES)
def test_illegal_vector_ops(
    output: str, op: dict[str, Any], tensors: dict[str, dict[str, Any]], message: str
) -> None:
    graph = attention_block(np.random.default_rng(0))
    with pytest.raises(InputError) as error:
        check_graph(changed(graph, output, op, **tensors))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_normalizations_take_constants() -> None:
    g = Edges()
    g.edge("x", (3, 4))
    g.edge("gamma", (4,))
    g.op("layer_norm", ("x", "gamma", g.constant("beta", np.ones(4))), "y")
    with pytest.raises(InputError, match="wanted a constant, got the computed tensor gamma"):
        g.graph(("x", "gamma"), ("y",))


@pytest.mark.parametrize(
    ("rows", "attrs", "message"),
    [
        ((1, 2, 4), {"axis": 1, "position": 5}, "wanted rows that fit the cache from position 5 on"),
        ((1, 2, 3), {"axis": 1, "position": 0}, "wanted a cache and rows whose shapes differ along axis 1 only"),
        ((1, 2, 4), {"axis": 3, "position": 0}, "wanted a cache and rows whose shapes differ along axis 3 only"),
    ],
)
def test_illegal_appends(rows: tuple[int, ...], attrs: dict[str, int], message: str) -> None:
    g = Edges()
    g.edge("cache", (1, 6, 4))
    g.edge("rows", rows)
    with pytest.raises(InputError, match=message):
        g.op("append", ("cache", "rows"), "y", **attrs)


def test_illegal_states() -> None:
    graph = attention_block(np.random.default_rng(0), n_tokens=1, cache=4)
    cases = [
        ((("k_cache", "k_all"), ("k_cache", "v_all")), "wanted states of inputs that differ, got one twice"),
        ((("x", "k_all"),), "wanted states (input, computed tensor), got ('x', 'k_all')"),
        ((("ids", "nothing"),), "wanted states (input, computed tensor), got ('ids', 'nothing')"),
        ((("k_cache", "p"),), "wanted a state of one shape and type, got 'k_cache' unlike 'p'"),
    ]
    for states, message in cases:
        with pytest.raises(InputError) as error:
            check_graph(replace(graph, states=states))
        assert message in str(error.value)


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_round_trip_with_states(tmp_path: Path, suffix: str) -> None:
    graph = attention_block(np.random.default_rng(0), n_tokens=1, cache=4)
    save_graph(graph, tmp_path / f"g.{suffix}")
    loaded = load_graph(tmp_path / f"g.{suffix}")
    assert loaded.states == (("k_cache", "k_all"), ("v_cache", "v_all"))
    assert graph_digest(loaded) == graph_digest(graph) != graph_digest(replace(graph, states=graph.states[:1]))


def test_a_state_that_is_no_pair_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.json"
    save_graph(attention_block(np.random.default_rng(0), n_tokens=1, cache=4), path)
    path.write_text(path.read_text().replace('"k_cache",\n   "k_all"', '"k_cache"'))
    with pytest.raises(InputError, match="wanted a legal graph header"):
        load_graph(path)


def test_clips_become_bounds_of_vector_ops_but_not_of_moves() -> None:
    g = Edges()
    g.edge("x", (3, 4))
    g.op("gelu", ("x",), "a", scale=0.02)
    g.op("requantize", ("a",), "clipped", scale=0.02)
    g.op("slice", ("clipped",), "b", axis=0, start=1, stop=3)
    g.op("requantize", ("b",), "y", scale=0.02)
    graph = g.graph(("x",), ("y",))
    graph = replace(graph, ops=tuple(replace(o, low=0) if o.kind == "requantize" else o for o in graph.ops))
    fused = check_graph(fuse_clips(graph))
    assert [op.kind for op in fused.ops] == ["gelu", "slice", "requantize"] and fused.ops[0].low == 0
    feeds = {"x": np.random.default_rng(0).integers(-128, 128, (3, 4))}
    np.testing.assert_array_equal(run_graph(graph, feeds)["y"], run_graph(fused, feeds)["y"])


def test_a_clip_leaves_what_a_state_carries() -> None:
    g = Edges()
    g.edge("before", (3, 4))
    g.op("add", ("before", "before"), "after")
    g.op("requantize", ("after",), "y")
    graph = g.graph(("before",), ("y",), (("before", "after"),))
    assert graph.kept == {"y", "after"}
    assert [op.output for op in check_graph(fuse_clips(graph)).ops] == ["after", "y"]
    assert [op.output for op in check_graph(fuse_clips(replace(graph, states=()))).ops] == ["y"]


def test_an_addition_leaves_what_a_state_carries() -> None:
    g = Edges()
    g.edge("before", (3, 4))
    g.op("matmul", ("before", g.constant("w", np.eye(4), 8)), "after")
    g.op("add", ("after", "before"), "y")
    graph = g.graph(("before",), ("y",), (("before", "after"),))
    assert [layer.output for layer in lower(graph)] == ["after", "y"]
    assert [layer.output for layer in lower(replace(graph, states=()))] == ["y"]

