"""Weights that are set to zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.tensor import Design
from tests.workloads.compression.graphs import free_graph, layer, with_data
from tests.workloads.graphs import Builder
from workloads.compression.compose import Compose
from workloads.compression.layers import weighted_layers
from workloads.compression.masks import Blocks, GlobalMagnitude, Magnitude, Pattern
from workloads.compression.quantize import Quantize
from workloads.ir import Graph
from workloads.lower import lower
from workloads.mapping.n_of_m import most_in_a_group


def products(first: np.ndarray, second: np.ndarray, scales: tuple[float, float] = (1.0, 1.0)) -> Graph:
    """Two matrix products with weights (in, out) of these integers at these scales."""
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, len(first)))
    b.op("matmul", ("x", b.weights("v", first.shape)), "a")
    b.op("matmul", ("a", b.weights("w", second.shape)), "y")
    graph = b.graph(("x",), ("y",))
    for name, data, scale in zip("vw", (first, second), scales, strict=True):
        graph = with_data(graph, name, data)
        object.__setattr__(graph.by_name[name], "scale", np.float32([scale]))
    return graph


FIRST, SECOND = np.array([[1, -5, 3], [-2, 4, 6]]), np.array([[7, -1], [2, 2], [-8, 3]])


def zeros(graph: Graph, name: str) -> list[list[int]]:
    return graph.by_name[name].data.tolist()  # type: ignore[union-attr, no-any-return]


def test_magnitude_by_hand() -> None:
    graph = Magnitude(sparsity={"a_op": 0.5, "y_op": 1 / 3})(products(FIRST, SECOND))
    assert zeros(graph, "v") == [[0, -5, 0], [0, 4, 6]]
    assert zeros(graph, "w") == [[7, 0], [2, 0], [-8, 3]]  # of the equal twos the later one goes


def test_global_magnitude_compares_real_weights() -> None:
    graph = GlobalMagnitude(sparsity=0.5)(products(FIRST, SECOND, (1.0, 0.25)))
    # the second layer means 1.75, .25, .5, .5, 2, .75: with the first's 1, all but its 2 are the six smallest
    assert zeros(graph, "v") == [[0, -5, 3], [-2, 4, 6]]
    assert zeros(graph, "w") == [[0, 0], [0, 0], [-8, 0]]


def test_global_magnitude_of_some_layers() -> None:
    graph = GlobalMagnitude(sparsity=0.5, layers=("y_op",))(products(FIRST, SECOND))
    assert zeros(graph, "v") == FIRST.tolist()
    assert zeros(graph, "w") == [[7, 0], [0, 0], [-8, 3]]


def test_blocks_by_hand() -> None:
    # (out, in) = v.T: rows (1, -2), (-5, 4), (3, 6); blocks of 2 x 1: {1, -5}, {-2, 4}, {3}, {6}: means 13, 10, 9, 36
    graph = Blocks(sparsity={"a_op": 0.5}, out_channels=2, in_channels=1)(products(FIRST, SECOND))
    assert zeros(graph, "v") == [[1, -5, 0], [0, 0, 6]]


def test_pattern_by_hand() -> None:
    weights = np.array([[1, 9], [2, 8], [3, 1], [-4, 2], [5, 0], [-6, 1]])
    graph = Pattern(pattern={"a_op": "2:4"})(products(weights, SECOND[:2]))
    assert zeros(graph, "v") == [[0, 9], [0, 8], [3, 0], [-4, 0], [5, 0], [-6, 1]]


def test_pattern_as_the_machine_counts_it() -> None:
    graph = Pattern(pattern="1:4")(free_graph(np.random.default_rng(3)))
    assert [most_in_a_group(job, 4) for job in lower(graph) if job.kind == "conv" and not job.shared_weights] == [1] * 5
    assert np.count_nonzero(layer(graph, "hidden").weights.data) == 9 * 5 * 2  # 6 channels are groups of 4 and 2


def test_pattern_in_groups_of_a_convolution() -> None:
    b = Builder(np.random.default_rng(5))
    b.act("x", (1, 6, 2, 2))
    conv = {"strides": (1, 1), "pads": (0, 0, 0, 0), "groups": 2}
    b.op("conv", ("x", b.weights("w", (4, 3, 1, 1))), "y", **conv)
    (job,) = lower(Pattern(pattern="1:2")(b.graph(("x",), ("y",))))
    assert most_in_a_group(job, 2) == 1
    kept = (job.numbers.weights != 0)[..., 0, 0]  # type: ignore[union-attr]
    assert kept[:2, 2].all() and kept[2:, 0].all()  # channels 2 and 3 share a group of two: each has its own filters


def test_later_quantization_keeps_masks() -> None:
    graph = free_graph(np.random.default_rng(1))
    masked = Magnitude(sparsity=0.6)(graph)
    both = Compose((Magnitude(sparsity=0.6), Quantize(bits=4)))(graph)
    for a, b in zip(weighted_layers(masked), weighted_layers(both), strict=True):
        assert not b.weights.data[a.weights.data == 0].any()  # type: ignore[index]


def test_order_matters() -> None:
    # with two bits -1, 0 and +1 are left: the magnitudes are equal, and the first of them stay
    graph = products(FIRST, SECOND)
    quantized_first = Compose((Quantize(bits=2, granularity="tensor"), Magnitude(sparsity={"a_op": 0.5})))(graph)
    masked_first = Compose((Magnitude(sparsity={"a_op": 0.5}), Quantize(bits=2, granularity="tensor")))(graph)
    assert zeros(quantized_first, "v") == [[0, -1, 0], [0, 1, 1]]
    assert zeros(masked_first, "v") == [[0, -1, 0], [0, 1, 1]]
    low = Magnitude(sparsity={"a_op": 5 / 6})
    assert zeros(Compose((Quantize(bits=2, granularity="tensor"), low))(graph), "v") == [[0, -1, 0], [0, 0, 0]]
    assert zeros(Compose((low, Quantize(bits=2, granularity="tensor")))(graph), "v") == [[0, 0, 0], [0, 0, 1]]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), share=st.floats(0, 1))
def test_the_share_is_exact(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 9)), int(rng.integers(1, 9)))
    data = rng.choice([-1, 1], shape) * (1 + rng.permutation(shape[0] * shape[1]).reshape(shape))  # all differ, no zero
    graph = products(data, rng.integers(1, 100, (shape[1], 3)))
    kept = Magnitude(sparsity={"a_op": share})(graph).by_name["v"].data
    n = int(np.floor(share * data.size + 0.5))
    assert np.count_nonzero(kept) == data.size - n
    if 0 < n < data.size:  # the threshold is the quantile
        assert np.abs(data)[kept == 0].max() < np.abs(data)[kept != 0].min()
    every = [w.weights for w in weighted_layers(GlobalMagnitude(sparsity=share)(graph))]
    n_all = sum(w.data.size for w in every)  # type: ignore[union-attr]
    assert sum(np.count_nonzero(w.data) for w in every) == n_all - int(np.floor(share * n_all + 0.5))  # type: ignore[arg-type]


def test_machines_of_n_of_m_take_one_pass() -> None:
    from workloads.mapping.n_of_m import passes

    graph = Pattern(pattern="2:4")(free_graph(np.random.default_rng(2)))
    design = Design(n_of_m="2:4", array_rows=4, array_cols=4)
    assert {passes(design, job) for job in lower(graph) if not job.shared_weights} == {1}


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        (Magnitude(sparsity=1.5), "a_op: wanted a share of zeros from 0 to 1, got 1.5"),
        (Blocks(sparsity=0.5, in_channels=0), "blocks: wanted sizes of 1 or more, got 4 x 0"),
        (Pattern(pattern="4:2"), "pattern 4:2: wanted 1 <= n <= m"),
        (GlobalMagnitude(sparsity=0.5, layers=("z",)), "layer: wanted one with weights (a_op, y_op), got 'z'"),
    ],
)
def test_refusals(scheme: Magnitude, message: str) -> None:
    with pytest.raises(InputError) as caught:
        scheme(products(FIRST, SECOND))
    assert str(caught.value).startswith(message)


def test_one_bit_has_no_zero() -> None:
    b = Builder(np.random.default_rng(0))
    b.act("x", (1, 2))
    b.op("matmul", ("x", b.weights("w", (2, 2), bits=2)), "y")
    graph = b.graph(("x",), ("y",))
    tensor = graph.by_name["w"]
    object.__setattr__(tensor, "data", np.array([[1, -1], [1, 1]]))
    object.__setattr__(tensor, "bits", 1)
    with pytest.raises(InputError, match="wanted weights of 2 bits or more"):
        Magnitude(sparsity=0.5)(graph)
