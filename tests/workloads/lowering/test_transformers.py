"""Transformers as jobs of array and vector unit, run one after the other, equal the interpreter tensor by tensor."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.lowering.transformers import (
    FRACTION,
    NARROW,
    SYMMETRIC,
    WIDE,
    Form,
    Net,
    cached,
    decoder_step,
    encoder,
    vision,
)
from workloads.functions.choice import FunctionChoice, GeluFunction, SoftmaxFunction
from workloads.ir import Graph
from workloads.layer import Arithmetic, Layer, Place
from workloads.lower import lower, lowered, run_layers
from workloads.reference import run_graph, run_steps
from workloads.vector_layer import VectorArithmetic, VectorLayer

BITS = 31
I_BERT = FunctionChoice()
CHOICES = [
    FunctionChoice(softmax=softmax, gelu=gelu, ita_block=4)
    for softmax in get_args(SoftmaxFunction)
    for gelu in get_args(GeluFunction)
]


def compare(graph: Graph, feeds: dict[str, np.ndarray], choice: FunctionChoice, bits: int = BITS) -> None:
    values = run_graph(graph, feeds, "multiplier_shift", bits, choice)
    plan = lowered(graph)
    arithmetic, vector = Arithmetic(multiplier_bits=bits), VectorArithmetic(functions=choice, multiplier_bits=bits)
    images, n_overflows = run_layers(graph, plan.jobs, feeds, arithmetic, vector)
    assert n_overflows == 0
    computed = plan.tensors(images)
    for name, value in computed.items():
        if all(name != state for state, _ in graph.states):  # a cache is overwritten
            np.testing.assert_array_equal(value, values[name], err_msg=name)
    assert set(graph.outputs) <= set(computed)


def ids_of(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    return {"ids": np.random.default_rng(seed).integers(0, 11, graph.by_name["ids"].shape)}


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000), tokens=st.integers(1, 20), n_heads=st.integers(1, 3), head=st.integers(1, 5),
    batch=st.integers(1, 2), causal=st.booleans(), fused=st.booleans(), choice=st.sampled_from(CHOICES),
    norm=st.sampled_from(["layer_norm", "range_norm"]), bits=st.sampled_from([16, 31]),
)  # fmt: skip
def test_layers_equal_the_interpreter(
    seed: int, tokens: int, n_heads: int, head: int, batch: int, causal: bool, fused: bool, choice: FunctionChoice,
    norm: str, bits: int,
) -> None:  # fmt: skip
    head = max(head, 2) if n_heads == 1 else head  # range norm takes rows of two or more
    graph = encoder(
        seed, tokens=tokens, n_heads=n_heads, head=head, batch=batch, causal=causal, norm=norm, fused_qkv=fused
    )
    compare(graph, ids_of(graph, seed), choice, bits)


@pytest.mark.parametrize("tokens", [1, 5, 18])
@pytest.mark.parametrize("n_heads", [1, 2])
def test_sequences_of_a_batch(tokens: int, n_heads: int) -> None:
    graph = encoder(0, tokens=tokens, n_heads=n_heads, head=4, batch=2, causal=True)
    compare(graph, ids_of(graph, 0), I_BERT)
    jobs = {job.name: job for job in lower(graph)}
    assert jobs["up_op"].n_images == 1  # one product for the tokens of both
    assert jobs["shares_op"].n_images == 2 * n_heads


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_of_functions(choice: FunctionChoice) -> None:
    graph = encoder(3, tokens=18, causal=True)
    feeds = ids_of(graph, 3)
    compare(graph, feeds, choice)
    values = run_graph(graph, feeds, "multiplier_shift", BITS, choice)
    for name in ("shares", "active", "merged", "z"):
        assert len(np.unique(values[name])) > 8, name  # where everything saturates, nothing would show


def test_what_the_jobs_of_an_encoder_are() -> None:
    jobs = lower(encoder(0, tokens=18, n_heads=2, head=4, causal=True))
    names = [job.name for job in jobs]
    assert names == [
        "embedded_op", "summed_op", "x_op", "x8_op", "q_op", "k_op", "v_op",
        "scores_op.0.weights", "scores_op.0", "scores_op.1.weights", "scores_op.1", "shares_op",
        "mixed_op.0.weights", "mixed_op.0", "mixed_op.1.weights", "mixed_op.1", "projected_op", "y_op", "y8_op",
        "up_op", "active_op", "down_op", "z_op",
    ]  # fmt: skip
    by_name = dict(zip(names, jobs, strict=True))
    assert {(job.in_h, job.in_w) for job in jobs} == {(2, 9)}  # 18 tokens: at most 16 a line
    scores, keys = by_name["scores_op.1"], by_name["scores_op.1.weights"]
    assert isinstance(scores, Layer) and isinstance(keys, VectorLayer)
    assert (keys.role, keys.product, keys.output, keys.n_tokens, keys.channels) == (
        "keys", scores.name, scores.weights_from, 18, 4
    )  # fmt: skip
    assert keys.in_place == scores.in_place == Place(n_images=1, channels=8, channel=4)
    assert scores.out_place == Place(n_images=2, channels=18, image=1)
    assert (scores.weight_bits, scores.out_bits, scores.out_channels) == (8, 16, 18)
    shares, mixed = by_name["shares_op"], by_name["mixed_op.1"]
    assert isinstance(shares, VectorLayer) and shares.n_images == 2 and shares.causal
    values, attended = by_name["mixed_op.1.weights"], by_name["projected_op"]
    assert isinstance(values, VectorLayer) and values.role == "values"
    assert mixed.in_place == Place(n_images=2, channels=18, image=1)
    assert mixed.out_place == Place(n_images=1, channels=8, channel=4)  # heads meet without a copy
    assert isinstance(attended, Layer) and attended.residual and attended.output == "attended" and attended.inputs == ("mixed", "x")


@pytest.mark.parametrize("fill", [0, 5])
def test_steps_of_a_decoder_with_a_cache(fill: int) -> None:
    graphs = [decoder_step(1, position) for position in range(4)]
    feeds = [{"ids": np.asarray([[position + 2]])} for position in range(4)]
    if fill:
        feeds[0] |= {name: np.full((1, 6, 8), fill) for name in ("k_cache", "v_cache")}
    steps = run_steps(graphs, feeds, "multiplier_shift", BITS)
    states = {name: np.full((1, 6, 8), fill) for name in ("k_cache", "v_cache")}
    for graph, feed, values in zip(graphs, feeds, steps, strict=True):
        compare(graph, {"ids": feed["ids"], **states}, I_BERT)
        states = {name: values[following] for name, following in graph.states}
    assert len({int(values["y"].sum()) for values in steps}) == 4


def test_a_new_token_is_written_to_its_line_of_the_cache() -> None:
    jobs = {job.name: job for job in lower(decoder_step(0, 3))}
    assert jobs["k_op"].output == "k_cache"  # by the product itself
    assert jobs["k_op"].out_place == Place(n_images=1, channels=8, lines=6, line=3)
    keys = jobs["scores_op.1.weights"]
    assert isinstance(keys, VectorLayer) and keys.in_place == Place(n_images=1, channels=8, channel=4, lines=6)
    assert (keys.cached, keys.first_token, keys.n_tokens, keys.in_h, keys.in_w) == (True, 3, 4, 4, 1)


def random_feeds(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    tensors = [graph.by_name[name] for name in graph.inputs]
    return {t.name: rng.integers(t.low, t.high + 1, t.shape) for t in tensors}


def test_pixels_of_a_convolution_are_tokens() -> None:
    graph = vision(2)
    compare(graph, random_feeds(graph, 2), I_BERT)
    jobs = {job.name: job for job in lower(graph)}
    assert jobs["x_op"].inputs == ("patches", "x_op.positions")  # constants lie as what they are added to
    assert jobs["first8_op"].in_place == Place(n_images=1, channels=8, lines=4)  # the line of the first token


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 99), rows=st.integers(1, 3), position=st.integers(0, 3), batch=st.integers(1, 2),
    apart=st.booleans(), twice=st.booleans(),
)  # fmt: skip
def test_rows_appended_to_caches(
    seed: int, rows: int, position: int, batch: int, apart: bool, twice: bool
) -> None:  # fmt: skip
    graph = cached(seed, rows=rows, position=position, batch=batch, heads_apart=apart, read_twice=twice)
    compare(graph, random_feeds(graph, seed), I_BERT)
    jobs = lower(graph)
    copies = [job for job in jobs if job.output == "k_cache" and isinstance(job, VectorLayer)]
    assert len(copies) == (batch if twice or batch > 1 else 0)  # the product writes them itself where it can
    made = [job for job in jobs if isinstance(job, VectorLayer) and job.kind == "to_weights"]
    assert {(job.cached, job.first_token, job.n_tokens) for job in made} == {(True, position, 6)}


def test_a_narrow_residual_of_a_wide_sum_is_added_by_the_vector_unit() -> None:
    net = Net(0)
    net.edge("x", (1, 3, 4), **NARROW)
    net.op("gelu", ("x",), "active", NARROW)
    net.linear("active", "up", 4, WIDE)
    net.op("add", ("up", "x"), "sum", WIDE)
    net.linear("active", "narrow", 4, NARROW)
    net.op("add", ("narrow", "x"), "small", NARROW)
    graph = net.graph(("x",), ("sum", "small"))
    compare(graph, random_feeds(graph, 0), I_BERT)
    assert [(type(job).__name__, job.output) for job in lower(graph)] == [
        ("VectorLayer", "active"), ("Layer", "up"), ("VectorLayer", "sum"), ("Layer", "small")
    ]  # fmt: skip


def test_parts_are_added_as_copies() -> None:
    net = Net(1)
    net.edge("x", (2, 3, 8), **NARROW)
    for i in range(2):
        net.op("slice", ("x",), f"half{i}", axis=2, start=4 * i, stop=4 * i + 4)
    net.op("add", ("half0", "half1"), "sum", WIDE)
    graph = net.graph(("x",), ("sum",))
    compare(graph, random_feeds(graph, 1), I_BERT)
    jobs = lower(graph)
    assert [job.name for job in jobs] == [
        "sum_op.half0", "sum_op.half1", "sum_op"
    ]  # fmt: skip
    assert jobs[1].in_place == Place(n_images=1, channels=8, channel=4)


def _product(first: Form, second: Form, order: tuple[int, ...] = (0, 2, 1)) -> Graph:
    net = Net(0)
    net.edge("a", (1, 3, 4), **first)
    net.edge("b", (1, 3, 4), **second)
    net.op("transpose", ("b",), "turned", order=order)
    net.op("matmul", ("a", "turned"), "y", WIDE)
    return net.graph(("a", "b"), ("y",))


def test_weights_are_as_wide_as_the_operand_without_its_zero_point() -> None:
    for form, bits in ((SYMMETRIC, 8), ({**NARROW, "zero": 128}, 8), ({**NARROW, "zero": 0}, 9), (NARROW, 9)):
        graph = _product(NARROW, form)
        compare(graph, random_feeds(graph, 0), I_BERT)
        made, layer = lower(graph)
        assert isinstance(layer, Layer) and (layer.weight_bits, made.out_bits) == (bits, bits)


def test_refusals_name_the_op_and_what_would_do() -> None:
    unsigned: Form = {"bits": 16, "signed": False, "scale": 0.1, "zero": 7}
    with pytest.raises(InputError, match=r"op y_op \(matmul\): wanted .* as a weight, got .* in turned \(quantize it symm"):
        lower(_product(NARROW, unsigned))
    net = Net(0)
    net.edge("x", (1, 3, 4), **NARROW)
    net.op("transpose", ("x",), "turned", order=(0, 2, 1))
    net.op("softmax", ("turned",), "y", FRACTION, causal=0, offset=0)
    with pytest.raises(InputError, match=r"op y_op \(softmax\): wanted rows that are the channels of a token"):
        lower(net.graph(("x",), ("y",)))
    net = Net(0)
    net.edge("x", (1, 3, 4), **NARROW)
    net.edge("lengths", (1,), bits=8, signed=False, scale=1.0, zero=0)
    net.op("softmax", ("x", "lengths"), "y", FRACTION, causal=0, offset=0)
    with pytest.raises(InputError, match=r"op y_op \(softmax\): wanted rows of one length"):
        lower(net.graph(("x", "lengths"), ("y",)))
    net = Net(0)
    net.edge("x", (2, 3, 4), **NARROW)
    net.op("transpose", ("x",), "turned", order=(1, 0, 2))
    net.op("reshape", ("turned",), "mixed", shape=(3, 8))
    net.op("gelu", ("mixed",), "active", NARROW)
    net.linear("active", "y", 5, WIDE)
    with pytest.raises(InputError, match=r"op y_op \(matmul\): wanted rows whose last axis lies in the channels"):
        lower(net.graph(("x",), ("y",)))
    net = Net(0)
    net.edge("x", (2, 3, 3), **NARROW)
    net.op("softmax", ("x",), "y", FRACTION, causal=1, offset=0)
    with pytest.raises(InputError, match=r"op y_op \(softmax\): wanted causal rows .* each matrix an image of its own"):
        lower(net.graph(("x",), ("y",)))


def test_causal_rows_of_one_sequence_and_open_rows_of_several() -> None:
    for batch, causal in ((1, 1), (2, 0)):
        net = Net(0)
        net.edge("x", (batch, 3, 3), **NARROW)
        net.op("softmax", ("x",), "y", FRACTION, causal=causal, offset=0)
        graph = net.graph(("x",), ("y",))
        compare(graph, random_feeds(graph, 0), I_BERT)


def test_keys_and_values_that_stay_are_made_into_weights_once() -> None:
    net = Net(4)
    net.edge("x", (1, 1, 8), **NARROW)
    for name in ("keys", "values"):
        net.edge(name, (1, 5, 8), **SYMMETRIC)
    net.linear("x", "q", 8, SYMMETRIC)
    k, v = net.heads("keys", 2, (0, 2, 3, 1)), net.heads("values", 2, (0, 2, 1, 3))
    net.attention(net.heads("q", 2, (0, 2, 1, 3)), k, v)
    states = (("keys", "keys"), ("values", "values"))
    graph = net.graph(("x", "keys", "values"), ("merged",), states)
    compare(graph, random_feeds(graph, 4), I_BERT)
    made = [job for job in lower(graph) if isinstance(job, VectorLayer) and job.kind == "to_weights"]
    assert len(made) == 4
    assert {(job.cached, job.first_token, job.n_tokens) for job in made} == {(True, 5, 5)}  # nothing new: no steps


def test_channels_of_several_images_are_worked_on_image_by_image() -> None:
    net = Net(5)
    net.edge("x", (2, 3, 4, 4), **NARROW)
    kernel = net.constant("w", (8, 3, 1, 1), 1 / 250)
    net.op("conv", ("x", kernel), "y", NARROW, strides=(1, 1), pads=(0, 0, 0, 0), groups=1)
    net.op("slice", ("y",), "half", axis=1, start=4, stop=8)
    net.op("gelu", ("half",), "z", NARROW)
    graph = net.graph(("x",), ("z",))
    compare(graph, random_feeds(graph, 5), I_BERT)
    _, first, second = lower(graph)
    assert (first.in_place, first.out_place) == (Place(n_images=2, channels=8, channel=4), Place(n_images=2, channels=4))
    assert second.in_place == Place(n_images=2, channels=8, image=1, channel=4)
    assert second.out_place == Place(n_images=2, channels=4, image=1)
