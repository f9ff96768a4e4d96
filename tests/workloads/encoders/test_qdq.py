"""Quantized encoders: the width of each edge, the scale of each, and that they compute what the float model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from designs.errors import InputError
from tests.workloads.encoders.float_models import float_encoder
from tests.workloads.importers.encoders import N_TOKENS, N_WORDS
from workloads.encoders.calibrate import Distribution, distributions, quantization, run_session
from workloads.encoders.edges import Edges
from workloads.encoders.qdq import quantize_encoder
from workloads.encoders.widths import WIDTHS, Width, with_edges
from workloads.importers.onnx import trace_onnx
from workloads.reference import run_graph

RNG = np.random.default_rng(11)
SAMPLES = [RNG.integers(0, N_WORDS, (1, N_TOKENS)) for _ in range(20)]
ROUNDED = [
    "words", "x.real", "norm1.real", "q.sum", "k.sum", "v.sum", "scores.real", "attention.real", "mixed.real",
    "out.sum", "sum1.real", "norm2.real", "up.sum", "gelu.real", "down.sum", "sum2.real",
]  # fmt: skip


def quantized(name: str) -> onnx.ModelProto:
    pytest.importorskip("onnxruntime")
    model = float_encoder()
    return quantize_encoder(model, distributions(model, Edges(model).rounded(), SAMPLES), WIDTHS[name])


def test_sums_before_a_bias_and_products_before_a_factor_are_not_rounded() -> None:
    assert Edges(float_encoder()).rounded() == ROUNDED


def test_readers_say_the_width() -> None:
    edges = Edges(float_encoder())
    assert edges.roles("x.real") == edges.roles("sum1.real") == edges.roles("down.sum") == {"residual"}
    assert edges.roles("norm1.real") == {"residual", "gemm_input"}
    assert edges.roles("q.sum") == edges.roles("k.sum") == edges.roles("v.sum") == {"attention_operand"}
    assert edges.roles("scores.real") == {"scores"} and edges.roles("attention.real") == {"probabilities"}
    assert edges.roles("mixed.real") == {"gemm_input"} and edges.roles("up.sum") == {"gelu_input"}


def test_mixed_widths() -> None:
    model = quantized("mixed")
    types = {i.name: onnx.numpy_helper.to_array(i).dtype for i in model.graph.initializer}
    zeros = {node.output[0]: str(types[node.input[2]]) for node in model.graph.node if node.op_type == "QuantizeLinear"}
    assert zeros == {
        "x.real.stored": "int16", "norm1.real.stored": "int16", "norm1.real.narrow8.stored": "uint8",
        "q.sum.stored": "int8", "k.sum.stored": "int8", "v.sum.stored": "int8", "scores.real.stored": "int16",
        "attention.real.stored": "uint8", "mixed.real.stored": "uint8", "out.sum.stored": "int16",
        "sum1.real.stored": "int16", "norm2.real.stored": "int16", "norm2.real.narrow8.stored": "uint8",
        "up.sum.stored": "int16", "gelu.real.stored": "uint8", "down.sum.stored": "int16", "sum2.real.stored": "int16",
    }  # fmt: skip
    assert types["up.w.stored"] == np.int8 and types["up.b.stored"] == np.int32 and types["table.stored"] == np.int8
    assert types["places.stored"] == np.int16 and model.ir_version == 10 and model.opset_import[0].version == 21


@pytest.mark.parametrize(("name", "least"), [("all8", 0.99), ("mixed", 0.999), ("all16", 0.9999)])
def test_it_computes_what_the_float_model_does(name: str, least: float, tmp_path: Path) -> None:
    """In ONNX Runtime and, imported, in integers."""
    model = quantized(name)
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    graph = trace_onnx(path, bind={"sequence": N_TOKENS})
    exact, rounded = run_session(float_encoder()), run_session(model)
    for ids in SAMPLES[:5]:
        wanted = exact(ids)[0].reshape(-1)
        stored = run_graph(graph, {"ids": ids})[graph.outputs[0]]
        for came in (rounded(ids)[0].reshape(-1), graph.by_name[graph.outputs[0]].dequantize(stored).reshape(-1)):
            assert came @ wanted / np.linalg.norm(came) / np.linalg.norm(wanted) > least


def test_other_bits_for_a_role() -> None:
    name, changed = with_edges("mixed", {"residual": 8, "table": 16})
    assert name == "mixed-residual8-table16"
    assert changed["residual"] == WIDTHS["all8"]["residual"] and changed["table"] == Width(16, signed=True)
    assert changed["scores"] == WIDTHS["mixed"]["scores"]


def test_what_is_no_encoder_is_refused() -> None:
    model = float_encoder()
    model.graph.node[-1].op_type = "Sub"
    with pytest.raises(InputError, match=r"node Add_sum2.real \(Sub\): wanted an op of an encoder \(Gather, MatMul"):
        quantize_encoder(model, {}, WIDTHS["mixed"])


def seen(values: np.ndarray) -> Distribution:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    return Distribution(low, high, np.histogram(values, 4096, (low, high))[0])


def test_wide_edges_hold_the_whole_range() -> None:
    values = np.asarray([-1.0, 0.0, 3.0])
    assert quantization(seen(values), Width(16, True)) == (np.float32(3 / 32767), 0)
    scale, zero = quantization(seen(values), Width(16, False))
    assert (scale, zero) == (np.float32(4 / 65535), 16384)


def test_narrow_edges_clip_what_is_rare() -> None:
    """One outlier of 30 among numbers of at most 4: clipping it costs less than a grid that reaches it."""
    values = np.append(np.random.default_rng(0).normal(0, 1, 100_000).clip(-4, 4), 30.0)
    scale, zero = quantization(seen(values), Width(8, False))
    assert 9 <= (255 - zero) * scale < 28 and zero * scale >= 2.8
    uniform, _ = quantization(seen(np.linspace(-1, 1, 10_000)), Width(8, True))
    assert uniform == pytest.approx(1 / 127, rel=0.02)


def test_a_grid_is_no_finer_than_its_reader_takes() -> None:
    assert quantization(seen(np.asarray([0.01])), Width(16, True, least_scale=2.0**-14)) == (np.float32(2.0**-14), 0)
    assert quantization(seen(np.asarray([0.0])), Width(8, False))[0] > 0
