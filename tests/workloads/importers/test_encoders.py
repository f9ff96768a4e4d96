"""Encoders: what is imported, that its integers are ONNX Runtime's, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from designs.errors import InputError
from tests.workloads.importers.encoders import N_TOKENS, N_WORDS, WIDTH, Encoder
from tests.workloads.importers.models import Model
from workloads.files import graph_digest, load_graph, save_graph
from workloads.importers.onnx import trace_onnx
from workloads.ir import Graph
from workloads.reference import run_graph, run_op

IDS = np.random.default_rng(3).integers(0, N_WORDS, (1, N_TOKENS))
KINDS = {
    "gather": 1, "add": 3, "layer_norm": 2, "requantize": 2, "matmul": 8, "reshape": 4, "transpose": 4, "softmax": 1,
    "gelu": 1,
}  # fmt: skip


def traced(tmp_path: Path, *, spelled_out: bool = False, factor: float = 0.25) -> tuple[Path, Graph]:
    model = Encoder(np.random.default_rng(7), spelled_out=spelled_out)
    path = model.save(tmp_path / "tiny.onnx", model.build(factor=factor))
    return path, trace_onnx(path, bind={"sequence": N_TOKENS})


@pytest.mark.parametrize("spelled_out", [False, True])
def test_every_op_is_imported(spelled_out: bool, tmp_path: Path) -> None:
    _, graph = traced(tmp_path, spelled_out=spelled_out)
    assert Counter(op.kind for op in graph.ops) == KINDS
    assert graph.by_name["ids"].bits == 5 and graph.by_name["ids"].shape == (1, N_TOKENS)
    assert graph.by_name["norm1.q"].bits == 16 and graph.by_name["norm1.small.q"].bits == 8
    assert graph.by_name["words"].shape == (1, N_TOKENS, WIDTH)
    assert graph.by_name["places.q"].shape == (1, N_TOKENS, WIDTH)


def test_patterns_give_the_same_graph(tmp_path: Path) -> None:
    (_, plain), (_, spelled) = (traced(tmp_path, spelled_out=value) for value in (False, True))
    one, other = (run_graph(graph, {"ids": IDS})[graph.outputs[0]] for graph in (plain, spelled))
    np.testing.assert_array_equal(one, other)


def test_the_file_keeps_it(tmp_path: Path) -> None:
    _, graph = traced(tmp_path)
    save_graph(graph, tmp_path / "tiny.npz")
    assert graph_digest(load_graph(tmp_path / "tiny.npz")) == graph_digest(graph)


def test_integers_are_those_of_onnxruntime(tmp_path: Path) -> None:
    """Op by op on ONNX Runtime's own integers: equal where arithmetic is exact, near where functions are approximate."""
    path, graph = traced(tmp_path)
    wanted = onnxruntime_integers(path)
    values = {t.name: t.data for t in graph.tensors if t.data is not None} | wanted
    nearness = {"softmax": 2, "gelu": 1, "layer_norm": 8}  # units of the last place: 2**-8, 2**-4 and 2**-12
    checked: Counter[str] = Counter()
    for op in graph.ops:
        mine = run_op(graph, op, [values[name] for name in op.inputs], "float32")
        values.setdefault(op.output, mine)
        if op.output in wanted:
            theirs = wanted[op.output]
            assert np.abs(mine - theirs).max() <= nearness.get(op.kind, 0), op.name
            assert len(np.unique(theirs)) > 10, op.name
            checked[op.kind] += 1
    assert checked == {"add": 3, "layer_norm": 2, "requantize": 2, "matmul": 8, "softmax": 1, "gelu": 1}


def onnxruntime_integers(path: Path) -> dict[str, np.ndarray]:
    """What each QuantizeLinear of the model answers, and the ids."""
    ort = pytest.importorskip("onnxruntime")
    model = onnx.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = session.run(names, {"ids": IDS})
    return {"ids": IDS} | {name: value.astype(np.int64) for name, value in zip(names, results, strict=True)}


def test_a_factor_is_folded_into_weights(tmp_path: Path) -> None:
    """Queries mean a quarter of what they meant, scores what the model says; no integer but the scores' changes."""
    (_, plain), (_, scaled) = (traced(tmp_path, factor=factor) for factor in (1.0, 0.25))
    assert plain.by_name["q.r.q"].scale[0] == 2.0**-4 and scaled.by_name["q.r.q"].scale[0] == 2.0**-6
    assert plain.by_name["scores.q"].scale[0] == scaled.by_name["scores.q"].scale[0] == 2.0**-11
    np.testing.assert_array_equal(plain.by_name["q.w.q"].scale, 4 * scaled.by_name["q.w.q"].scale)
    one, other = (run_graph(graph, {"ids": IDS}) for graph in (plain, scaled))
    for name in ("q.r.q", "k.r.q", "v.r.q"):
        np.testing.assert_array_equal(one[name], other[name])
    np.testing.assert_allclose(one["scores.q"] / 4, other["scores.q"], atol=0.5)


def scaled_product(m: Model, x: str, *, reads: int = 1, shared: bool = False) -> str:
    """(x @ w / 2) and (x @ w) @ (x @ w)^T / 2 beside it."""
    w = m.weights("w", np.eye(4, dtype=np.int8), 1.0)
    left = m.quantize(m.node("MatMul", [x, w], "left.real"), "left", 1.0, dtype=np.int8)
    right = m.quantize(m.node("MatMul", [x, w], "right.real"), "right", 1.0, dtype=np.int8) if shared else x
    turned = m.node("Transpose", [right], "turned", perm=[0, 2, 1])
    product = m.node("MatMul", [left, turned], "product")
    y = m.quantize(m.node("Mul", [product, m.scale(0.5)], "half"), "y", 1.0, dtype=np.int16)
    if reads == 1:
        return y
    again = m.quantize(m.node("Relu", [left], "again.real"), "again", 1.0, dtype=np.int8)
    return m.quantize(m.node("MatMul", [y, again], "z.real"), "z", 1.0, dtype=np.int16)


def small(tmp_path: Path, build: Callable[[Model, str], str]) -> Graph:
    m = Model()
    x = m.quantize(m.input("pixels", [1, 4, 4]), "x", 1.0, dtype=np.int8)
    return trace_onnx(m.save(tmp_path / "m.onnx", build(m, x)))


def test_weights_that_others_read_are_copied(tmp_path: Path) -> None:
    graph = small(tmp_path, lambda m, x: scaled_product(m, x, shared=True))
    x = np.arange(-8, 8).reshape(1, 4, 4)
    values = run_graph(graph, {"x.q": x})
    np.testing.assert_array_equal(values["left.q"], x)
    np.testing.assert_array_equal(values["right.q"], x)
    np.testing.assert_array_equal(values["y.q"], np.rint(x @ x.transpose(0, 2, 1) / 2))
    assert sorted(graph.by_name[op.inputs[1]].scale[0] for op in graph.ops[:2]) == [0.5, 1.0]


def test_a_softmax_of_any_scale(tmp_path: Path) -> None:
    """Integer softmaxes answer 2**-bits; another scale is a requantization of 16 bits."""
    graph = small(tmp_path, lambda m, x: m.quantize(m.node("Softmax", [x], "s", axis=2), "y", 1 / 255))
    assert [op.kind for op in graph.ops] == ["softmax", "requantize"]
    x = np.asarray([[[0, 0, 0, 0], [3, 3, 0, 0], [100, 0, 0, 0], [1, 2, 3, 4]]])
    real = np.exp(x - x.max(axis=-1, keepdims=True))
    wanted = real / real.sum(axis=-1, keepdims=True) * 255
    np.testing.assert_allclose(run_graph(graph, {"x.q": x})["y.q"], wanted, atol=1)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_the_mean_of_tokens(keepdims: int, tmp_path: Path) -> None:
    def mean(m: Model, x: str) -> str:
        axes = m.constant("axes", np.asarray([1]))
        return m.quantize(m.node("ReduceMean", [x, axes], "m", keepdims=keepdims), "y", 0.25, dtype=np.int16)

    graph = small(tmp_path, mean)
    x = np.random.default_rng(0).integers(-128, 128, (1, 4, 4))
    y = run_graph(graph, {"x.q": x})[graph.outputs[0]]
    np.testing.assert_array_equal(y, x.sum(axis=1, keepdims=bool(keepdims)))


def test_gains_that_are_floats(tmp_path: Path) -> None:
    """A normalization left real between roundings: its float gains become 24-bit integers."""

    def norm(m: Model, x: str) -> str:
        gain, offset = m.scale([1.0, 2.0, -1.0, 0.5]), m.scale([0.0, 0.25, 0.5, -1.0])
        return m.quantize(m.node("LayerNormalization", [x, gain, offset], "n"), "y", 2.0**-8, dtype=np.int16)

    graph = small(tmp_path, norm)
    x = np.asarray([[[-30, 10, 20, 5], [1, 2, 3, 4], [-100, 100, 50, 0], [5, -5, 5, -5]]])
    real = (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True)
    wanted = (real * [1.0, 2.0, -1.0, 0.5] + [0.0, 0.25, 0.5, -1.0]) * 256
    np.testing.assert_allclose(run_graph(graph, {"x.q": x})["y.q"], wanted, atol=1)


@pytest.mark.parametrize("form", ["div", "mul", "half first", "half inside"])
def test_spellings_of_gelu(form: str, tmp_path: Path) -> None:
    def gelu(m: Model, x: str) -> str:
        scaled = m.node("Mul", [m.scale(0.70710677), x], "s") if form == "mul" else m.node("Div", [x, m.scale(1.4142135)], "s")
        more = m.node("Add", [m.scale(1.0), m.node("Erf", [scaled], "e")], "more")
        if form == "half first":
            return m.quantize(m.node("Mul", [m.node("Mul", [x, m.scale(0.5)], "h"), more], "g"), "y", 0.1, 8)
        if form == "half inside":
            return m.quantize(m.node("Mul", [x, m.node("Mul", [more, m.scale(0.5)], "h")], "g"), "y", 0.1, 8)
        return m.quantize(m.node("Div", [m.node("Mul", [x, more], "t"), m.scale(2.0)], "g"), "y", 0.1, 8)

    assert [op.kind for op in small(tmp_path, gelu).ops] == ["gelu"]


REFUSED: list[tuple[Callable[[Model, str], str], str]] = [
    (lambda m, x: m.quantize(m.node("Mul", [x, x], "square"), "y", 1.0), "node Mul_square (Mul): wanted a constant factor, got the computed 'x' (a product of two tensors)"),
    (lambda m, x: m.quantize(m.node("Mul", [x, m.scale(-1.0)], "minus"), "y", 1.0), "node Mul_minus (Mul): wanted a positive factor, which a scale can take, got -1"),
    (lambda m, x: m.quantize(m.node("Div", [x, m.scale(0.0)], "none"), "y", 1.0), "node Div_none (Div): wanted a divisor that is not 0"),
    (lambda m, x: m.quantize(m.node("Mul", [x, m.scale([1.0, 2.0])], "two"), "y", 1.0), "node Mul_two (Mul): wanted one constant factor, got 2"),
    (lambda m, x: m.quantize(m.node("Mul", [x, m.scale(0.5)], "half"), "y", 1.0), "wanted an operand that comes from weights and that nothing else reads, to fold the factor 0.5 into, got none"),
    (lambda m, x: scaled_product(m, x, reads=2), "op MatMul_product (matmul): wanted an operand that comes from weights and that nothing else reads, to fold the factor 0.5"),
    (lambda m, x: m.quantize(m.node("Softmax", [x], "s", axis=1), "y", 2.0**-8), "node Softmax_s (Softmax): axis: wanted the last of 3 axes, got 1"),
    (lambda m, x: m.quantize(m.node("Erf", [x], "e"), "y", 1.0), "node Erf_e (Erf): wanted an op that a quantized graph has"),
    (lambda m, x: m.quantize(m.node("Gelu", [x], "g", approximate="fast"), "y", 1.0), "node Gelu_g (Gelu): approximate: wanted none or tanh, got 'fast'"),
    (lambda m, x: m.quantize(m.node("LayerNormalization", [x, m.scale([1.0] * 4), m.scale([0.0] * 4)], "n", epsilon=0.1), "y", 1.0), "node LayerNormalization_n (LayerNormalization): epsilon: wanted at most 0.001 (the integer normalization has none), got 0.1"),
    (lambda m, x: m.quantize(m.node("LayerNormalization", [x, m.scale([1.0] * 4)], "n"), "y", 1.0), "wanted gains and offsets (three inputs), got no offsets; give zeros"),
    (lambda m, x: m.quantize(m.node("LayerNormalization", [x, m.scale([1.0] * 3), m.scale([0.0] * 4)], "n"), "y", 1.0), "wanted 4 numbers in 'c2', got [3]"),
    (lambda m, x: m.quantize(m.node("Gather", [m.weights("w", np.eye(4, dtype=np.int8), 1.0), m.constant("i", np.asarray([4]))], "g"), "y", 1.0), "node Gather_g (Gather): wanted rows below 4, got 4 to 4"),
    (lambda m, x: m.quantize(m.node("Gather", [m.weights("w", np.eye(4, dtype=np.int8), 1.0), m.input("i", [2], 7)], "g", axis=1), "y", 1.0), "axis: wanted rows of a table (axis 0), got axis 1"),
    (lambda m, x: m.quantize(m.node("Gather", [x, m.constant("i", np.asarray([0]))], "g"), "y", 1.0), "node Gather_g (Gather): wanted quantized constant weights"),
    (lambda m, x: m.quantize(m.node("Add", [x, m.weights("w", np.ones((3, 3), np.int8), 1.0)], "a"), "y", 1.0), "node Add_a (Add): wanted a constant that goes with [1, 4, 4], got [3, 3]"),
    (lambda m, x: m.quantize(m.node("Add", [x, m.weights("w", np.ones(4, np.int8), [1.0] * 4, axis=0)], "a"), "y", 1.0), "node Add_a (Add): wanted one scale for the constant 'w' that is added, got 4"),
    (lambda m, x: m.quantize(m.node("Slice", [x, m.constant("b", np.asarray([0, 0])), m.constant("e", np.asarray([2, 2])), m.constant("a", np.asarray([1, 2]))], "s"), "y", 1.0), "node Slice_s (Slice): wanted a slice of one axis in steps of 1, got 2 axes"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_refusals_name_the_node(build: Callable[[Model, str], str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        small(tmp_path, build)
    assert message in str(error.value) and "\n" not in str(error.value)
