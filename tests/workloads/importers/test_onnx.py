"""What `trace_onnx` reads, and the one-line error for what it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from designs.errors import InputError
from tests.workloads.importers.models import Model
from workloads.importers.onnx import trace_onnx
from workloads.importers.trace_network import trace
from workloads.ir import Graph
from workloads.lower import lower
from workloads.reference import run_graph

RNG = np.random.default_rng(0)
W = RNG.integers(-128, 128, (4, 3, 3, 3)).astype(np.int8)


def model_with(build: Callable[[Model, str], str], shape: list[int | str] | None = None) -> Callable[[Path], Graph]:
    """A function that traces: quantized input x (1, 3, 6, 6) -> what `build` makes of it."""
    m = Model()
    m.input("input", shape or [1, 3, 6, 6])
    output = build(m, m.quantize("input", "x", 0.1, 3))
    return lambda folder: trace_onnx(m.save(folder / "m.onnx", output))


def conv(m: Model, x: str, **attributes: object) -> str:
    attributes.setdefault("pads", [1, 1, 1, 1])
    return m.node("Conv", [x, m.weights("w", W, 0.02)], "conv", **attributes)


def test_qdq_convolution(tmp_path: Path) -> None:
    def build(m: Model, x: str) -> str:
        bias = m.weights("b", np.asarray([10, -20, 30, 40], np.int32), np.float32(0.1) * np.float32(0.02))
        y = m.node("Conv", [x, m.weights("w", W, 0.02), bias], "conv", pads=[1, 0, 2, 1], strides=[2, 1])
        return m.quantize(m.node("Relu", [y], "relu"), "y", 0.5, 4)

    graph = model_with(build)(tmp_path)
    (op,) = graph.ops
    assert (op.kind, op.low, op.high, op.name) == ("conv", 4, 255, "Conv_conv")
    assert op.attrs == {"strides": (2, 1), "pads": (1, 0, 2, 1), "groups": 1}
    assert graph.by_name["b.q"].data.tolist() == [10, -20, 30, 40]  # type: ignore[union-attr]
    assert graph.inputs == ("x.q",) and graph.outputs == ("y.q",)
    assert graph.by_name["x.q"].zero_point == 3


def test_a_float_bias_and_one_at_another_scale_are_rounded_to_the_scale_of_the_sums(tmp_path: Path) -> None:
    for at_scale in (None, 0.5):

        def build(m: Model, x: str, at_scale: float | None = at_scale) -> str:
            if at_scale is None:
                bias = m.constant("b", np.float32([1, 2, 3, -0.0011]))
            else:
                bias = m.weights("b", np.asarray([2, 4, 6, 0], np.int32), at_scale)
            y = m.node("Conv", [x, m.weights("w", W, 0.02), bias], "conv")
            return m.quantize(y, "y", 0.5)

        graph = model_with(build)(tmp_path)
        bias = graph.by_name[graph.ops[0].inputs[2]]
        assert bias.data.tolist() == [500, 1000, 1500, -1 if at_scale is None else 0]  # type: ignore[union-attr]


def test_weight_zero_points_are_folded(tmp_path: Path) -> None:
    def build(m: Model, x: str) -> str:
        w = m.weights("w", (W.astype(np.int64) + 128).astype(np.uint8), 0.02, zero=128)
        return m.quantize(m.node("Conv", [x, w], "conv"), "y", 0.5)

    weights = model_with(build)(tmp_path).by_name["w.q"]
    np.testing.assert_array_equal(weights.data, W)
    assert (weights.bits, weights.signed) == (8, True)


def test_scales_by_channel_follow_a_transposed_gemm(tmp_path: Path) -> None:
    m = Model()
    m.input("input", [2, 5])
    data = RNG.integers(-8, 8, (3, 5)).astype(np.int8)
    w = m.weights("w", data, [0.1, 0.2, 0.3], zero=[0, 1, 2], axis=0)
    y = m.node("Gemm", [m.quantize("input", "x", 0.1), w], "gemm", transB=1)
    graph = trace_onnx(m.save(tmp_path / "m.onnx", m.quantize(y, "y", 0.5)))
    weights = graph.by_name["w.q"]
    assert weights.axis == 1 and weights.scale.tolist() == np.float32([0.1, 0.2, 0.3]).tolist()
    np.testing.assert_array_equal(weights.data, data.T.astype(np.int64) - [0, 1, 2])


@pytest.mark.parametrize(
    ("auto_pad", "pads"), [("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0)), ("VALID", (0, 0, 0, 0))]
)
def test_auto_pad(auto_pad: str, pads: tuple[int, ...], tmp_path: Path) -> None:
    graph = model_with(lambda m, x: m.quantize(conv(m, x, auto_pad=auto_pad, strides=[2, 2], pads=[0] * 4), "y", 0.5))(
        tmp_path
    )
    assert graph.ops[0].attrs["pads"] == pads


def test_clip_becomes_bounds(tmp_path: Path) -> None:
    def build(m: Model, x: str) -> str:
        y = m.node("Clip", [conv(m, x), m.scale(0), m.scale(6)], "relu6")
        return m.quantize(y, "y", 0.1, 10)

    (op,) = model_with(build)(tmp_path).ops
    assert (op.low, op.high) == (10, 70)


def test_relu_on_quantized_numbers_is_fused_into_the_op_before(tmp_path: Path) -> None:
    def build(m: Model, x: str) -> str:
        y = m.quantize(conv(m, x), "conv_q", 0.1, 10)
        return m.quantize(m.node("Relu", [y], "relu"), "y", 0.1, 10)

    graph = model_with(build)(tmp_path)
    (op,) = graph.ops
    assert (op.kind, op.low, op.output) == ("conv", 10, "y.q")
    assert "conv_q.q" not in graph.by_name


def test_relu_that_others_need_unclipped_is_an_op_of_its_own(tmp_path: Path) -> None:
    def build(m: Model, x: str) -> str:
        y = m.quantize(conv(m, x), "conv_q", 0.1, 10)
        r = m.quantize(m.node("Relu", [y], "relu"), "r", 0.1, 10)
        return m.quantize(m.node("Add", [r, y], "add"), "y", 0.3)

    graph = model_with(build)(tmp_path)
    assert [op.kind for op in graph.ops] == ["conv", "requantize", "add"]
    assert (graph.ops[1].low, graph.ops[1].high) == (10, 255)


def test_a_whole_network_runs_and_lowers(tmp_path: Path) -> None:
    def build(m: Model, x: str) -> str:
        y = m.quantize(m.node("Relu", [conv(m, x)], "relu"), "stem", 0.4)
        d = m.node(
            "Conv",
            [y, m.weights("dw", RNG.integers(-9, 9, (4, 1, 3, 3)).astype(np.int8), [0.1] * 4, axis=0)],
            "dwc",
            group=4,
            pads=[1] * 4,
        )
        s = m.quantize(m.node("Add", [m.quantize(d, "d", 0.5, 100), y], "add"), "s", 0.6, 100)
        p = m.node("MaxPool", [s], "pool", kernel_shape=[2, 2], strides=[2, 2])
        a = m.quantize(m.node("AveragePool", [m.quantize(p, "p", 0.6, 100)], "avg", kernel_shape=[2, 2]), "a", 0.5, 100)
        g = m.quantize(m.node("GlobalAveragePool", [a], "gap"), "g", 0.4, 100)
        f = m.node("Flatten", [g], "flat")
        w = m.weights("fc", RNG.integers(-99, 99, (4, 5)).astype(np.int8), 0.1)
        z = m.node("Add", [m.node("MatMul", [f, w], "mm"), m.constant("bias", np.float32([1, 2, 3, 4, 5]))], "biased")
        return m.quantize(z, "z", 4.0, 90)

    graph = model_with(build)(tmp_path)
    kinds = ["conv", "conv", "add", "max_pool", "average_pool", "average_pool", "reshape", "matmul"]
    assert [op.kind for op in graph.ops] == kinds
    assert len(graph.ops[-1].inputs) == 3
    assert [layer.residual for layer in lower(graph)] == [False, True, False, False, False, False]
    values = run_graph(graph, {"x.q": RNG.integers(0, 256, (1, 3, 6, 6))})
    assert len(np.unique(values["z.q"])) > 2


def test_moves_between_a_product_and_its_quantization(tmp_path: Path) -> None:
    """MaxPool, Reshape and Transpose commute with rounding: they are done on the stored integers."""

    def build(m: Model, x: str) -> str:
        y = m.node(
            "MaxPool", [m.node("Relu", [conv(m, x)], "relu")], "pool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1
        )
        y = m.node("Transpose", [y], "moved", perm=[0, 2, 3, 1])
        return m.quantize(m.node("Flatten", [y], "flat"), "y", 0.2, 4)

    graph = model_with(build)(tmp_path)
    assert [op.kind for op in graph.ops] == ["conv", "max_pool", "transpose", "reshape"]
    assert graph.ops[1].attrs["pads"] == (0, 0, 1, 1) and graph.ops[0].low == 4
    assert graph.by_name["y.q"].shape == (1, 36)


def test_reshape_by_computed_shape(tmp_path: Path) -> None:
    """What exporters make of `x.view(x.size(0), -1)`."""

    def build(m: Model, x: str) -> str:
        batch = m.node("Gather", [m.node("Shape", [x], "shape"), m.constant("i", np.int64(0))], "batch", axis=0)
        sizes = m.node(
            "Concat",
            [m.node("Unsqueeze", [batch, m.constant("a", np.int64([0]))], "u"), m.constant("rest", np.int64([-1]))],
            "sizes",
            axis=0,
        )
        return m.node("Reshape", [x, sizes], "flat")

    assert model_with(build)(tmp_path).by_name["flat"].shape == (1, 108)


def test_qcdq_bits(tmp_path: Path) -> None:
    """A Clip between QuantizeLinear and DequantizeLinear says fewer bits than the type has."""
    m = Model()
    m.input("input", [1, 4])
    s, z = m.scale(0.1), m.zero(0, np.int8)
    low, high, bottom = (
        m.constant("low", np.int8(-8)),
        m.constant("high", np.int8(7)),
        m.constant("bottom", np.int8(-7)),
    )
    x = m.node("Clip", [m.node("QuantizeLinear", ["input", s, z], "q"), low, high], "clipped")
    w = m.node(
        "Clip",
        [
            m.constant("w", RNG.integers(-4, 4, (4, 3)).astype(np.int8)),
            m.constant("l", np.int8(-4)),
            m.constant("h", np.int8(3)),
        ],
        "wc",
    )
    y = m.node(
        "MatMul", [m.node("DequantizeLinear", [x, s, z], "x"), m.node("DequantizeLinear", [w, s, z], "wd")], "mm"
    )
    y = m.node("Clip", [m.node("QuantizeLinear", [y, s, z], "yq"), bottom, high], "yc")
    graph = trace_onnx(m.save(tmp_path / "m.onnx", m.node("DequantizeLinear", [y, s, z], "y")))
    (op,) = graph.ops
    x_bits, w_bits, y_bits = (graph.by_name[name].bits for name in (*op.inputs, op.output))
    assert (x_bits, w_bits, y_bits, op.low, op.high) == (4, 3, 4, -7, 7)


@pytest.mark.parametrize(
    ("elem", "bits"), [(TensorProto.INT4, 4), (TensorProto.UINT4, 4), (TensorProto.INT16, 16), (TensorProto.UINT16, 16)]
)
def test_other_widths(elem: int, bits: int, tmp_path: Path) -> None:
    signed = elem in (TensorProto.INT4, TensorProto.INT16)
    m = Model()
    m.input("input", [1, 4])
    s, z = m.scale(0.1), m.constant("z", [0], elem)
    z = m.constant("zero", 0, elem)
    x = m.node("DequantizeLinear", [m.node("QuantizeLinear", ["input", s, z], "q"), s, z], "x")
    low = -8 if signed else 0
    w = m.node("DequantizeLinear", [m.constant("w", np.arange(12).reshape(4, 3) % 8 + low, elem), s], "wd")
    graph = trace_onnx(m.save(tmp_path / "m.onnx", m.quantize(m.node("MatMul", [x, w], "mm"), "y", 0.2)))
    assert (graph.by_name["q"].bits, graph.by_name["q"].signed) == (bits, signed)
    assert graph.by_name["w"].bits == bits and graph.by_name["w"].signed
    np.testing.assert_array_equal(graph.by_name["w"].data, np.arange(12).reshape(4, 3) % 8 + low)


@pytest.mark.parametrize("bits", range(2, 8))
def test_qonnx_quant(bits: int, tmp_path: Path) -> None:
    m = Model()
    m.input("input", [1, 4])
    width, zero = m.scale(bits), m.scale(0)
    x = m.node("Quant", ["input", m.scale(0.1), zero, width], "x", signed=0, narrow=0, rounding_mode="ROUND")
    real = RNG.normal(0, 1, (4, 3)).astype(np.float32)
    scales = np.float32([[0.1, 0.2, 0.4]])
    w = m.node(
        "Quant",
        [m.constant("w", real), m.constant("ws", scales), zero, width],
        "wq",
        signed=1,
        narrow=1,
        rounding_mode="ROUND",
    )
    y = m.node(
        "Quant",
        [m.node("MatMul", [x, w], "mm"), m.scale(0.5), zero, width],
        "y",
        signed=1,
        narrow=1,
        rounding_mode="ROUND",
    )
    graph = trace_onnx(m.save(tmp_path / "m.onnx", y))
    (op,) = graph.ops
    x_t, w_t, y_t = (graph.by_name[name] for name in (*op.inputs, op.output))
    high = (1 << (bits - 1)) - 1
    assert (x_t.bits, x_t.signed, w_t.bits, w_t.axis, y_t.bits) == (bits, False, bits, 1, bits)
    assert (op.low, op.high) == (-high, high)
    np.testing.assert_array_equal(w_t.data, np.clip(np.rint(real / scales), -high, high))


def test_qonnx_bipolar_weights(tmp_path: Path) -> None:
    m = Model()
    m.input("input", [1, 4])
    real = np.float32([[-1, 0, 2], [3, -4, 5], [0.1, 0.2, -0.3], [1, 1, -1]])
    w = m.node("BipolarQuant", [m.constant("w", real), m.scale(0.5)], "wq")
    y = m.quantize(m.node("MatMul", [m.quantize("input", "x", 0.1), w], "mm"), "y", 0.2)
    weights = trace_onnx(m.save(tmp_path / "m.onnx", y)).by_name["w"]
    assert weights.bits == 1
    np.testing.assert_array_equal(weights.data, np.where(real >= 0, 1, -1))


def test_an_output_that_nothing_quantizes_is_the_sum(tmp_path: Path) -> None:
    graph = model_with(conv)(tmp_path)
    y = graph.by_name[graph.outputs[0]]
    assert (y.bits, y.signed, y.zero_point) == (32, True, 0)
    assert y.scale[0] == np.float32(0.1) * np.float32(0.02)
    x = RNG.integers(0, 256, (1, 3, 6, 6))
    middle = run_graph(graph, {"x.q": x})["conv"][0, :, 2, 2]
    np.testing.assert_array_equal(middle, (W.astype(np.int64) * (x[0, :, 1:4, 1:4] - 3)).sum(axis=(1, 2, 3)))
    with pytest.raises(InputError, match=r"op Conv_conv \(conv\): wanted at most 16 bits, got 32 in conv"):
        lower(graph)


def test_matmul_integer(tmp_path: Path) -> None:
    m = Model()
    m.input("input", [2, 4])
    z = m.zero(9)
    q = m.node("QuantizeLinear", ["input", m.scale(0.1), z], "q")
    w = RNG.integers(0, 256, (4, 3)).astype(np.uint8)
    y = m.node("MatMulInteger", [q, m.constant("w", w), z, m.zero(100)], "y")
    graph = trace_onnx(m.save(tmp_path / "m.onnx", y, [2, 3], TensorProto.INT32))
    x = RNG.integers(0, 256, (2, 4))
    np.testing.assert_array_equal(run_graph(graph, {"q": x})["y"], (x - 9) @ (w.astype(np.int64) - 100))


def test_dynamic_dimensions_must_be_bound(tmp_path: Path) -> None:
    m = Model()
    m.input("input", ["batch", 3, 6, 6])
    path = m.save(tmp_path / "m.onnx", m.quantize(conv(m, m.quantize("input", "x", 0.1)), "y", 0.5))
    assert trace_onnx(path, {"batch": 2}).by_name["y.q"].shape == (2, 4, 6, 6)
    with pytest.raises(
        InputError, match=r"m.onnx: input input: wanted sizes, got dynamic 'batch'; give it with --bind batch=1"
    ):
        trace_onnx(path)
    with pytest.raises(
        InputError, match=r"--bind batchs: wanted one of the dynamic dimensions \['batch'\]; did you mean 'batch'\?"
    ):
        trace_onnx(path, {"batchs": 1, "batch": 1})
    with pytest.raises(InputError, match="wanted sizes of at least 1, got 0 for axis 0"):
        trace_onnx(path, {"batch": 0})


def sigmoid(m: Model, x: str) -> str:
    return m.quantize(m.node("Sigmoid", [x], "s"), "y", 0.1)


REFUSED: list[tuple[Callable[[Model, str], str], str]] = [
    (sigmoid, "node Sigmoid_s (Sigmoid): wanted an op that a quantized graph has"),
    (lambda m, x: m.quantize(conv(m, x, dilations=[2, 2]), "y", 0.5), "node Conv_conv (Conv): dilations: wanted [1, 1], got [2, 2]"),
    (lambda m, x: m.quantize(m.node("GlobalAveragePool", [conv(m, x)], "g"), "y", 0.5), "wanted quantized numbers (a DequantizeLinear before), got real numbers (conv Conv_conv)"),
    (lambda m, x: m.quantize(m.node("Conv", [x, m.constant("w", W.astype(np.float32))], "c"), "y", 0.5), "wanted quantized constant weights, got the constant 'w'"),
    (lambda m, x: m.quantize(conv(m, x, group=0), "y", 0.5), "group: wanted at least 1, got 0"),
    (lambda m, x: m.quantize(conv(m, x, group=3), "y", 0.5), "wanted x (N,C,H,W) and weights (M,C/3,kh,kw)"),
    (lambda m, x: m.quantize(conv(m, "input"), "y", 0.5), "got the graph input 'input'"),
    (lambda m, x: m.quantize(conv(m, x), "y", -0.5), "wanted positive finite scales, got [-0.5]"),
    (lambda m, x: m.quantize(m.node("AveragePool", [x], "a", kernel_shape=[3, 3], pads=[1] * 4), "y", 0.1), "wanted an average over the same number of pixels"),
    (lambda m, x: m.quantize(m.node("Add", [x, m.quantize(conv(m, x), "c", 0.1)], "a"), "y", 0.1), "wanted two tensors of one shape"),
    (lambda m, x: m.node("Reshape", [x, m.constant("s", np.int64([7, -1]))], "r"), "wanted a shape of 108 elements"),
    (lambda m, x: m.node("DequantizeLinear", ["x.q", m.scale(0.7), m.zero(3)], "again"), "wanted scale [0.10000000149011612] and zero point 3"),
    (lambda m, x: m.quantize(m.node("Conv", [x, m.weights("w", W, 0.02, zero=[0, 0])], "c"), "y", 0.5), "wanted a scale and a zero point for each index of axis 1"),
    (lambda m, x: m.quantize(m.node("Conv", [x, m.weights("w", W, [0.1] * 4, axis=0), m.constant("b", np.float32([1, 2]))], "c"), "y", 0.5), "wanted a bias of 4 entries, got 2 in 'b'"),
    (lambda m, x: m.node("DequantizeLinear", [m.constant("w", W), m.scale(1), m.constant("z", np.float32(np.nan))], "c"), "wanted a constant integer zero point of at most 32 bits, got the constant 'z'"),
    (lambda m, x: m.node("Reshape", [x, m.constant("s", np.float32([np.nan, 1]))], "r"), "wanted integers in 's', got float32"),
    (lambda m, x: m.node("BipolarQuant", [x, m.scale(1)], "b"), "wanted constant weights, got activations"),
    (lambda m, x: m.node("Quant", [x, m.scale(1), m.scale(0), m.scale(17)], "b"), "wanted one bit width, an integer from 1 to 16"),
    (lambda m, x: m.node("Quant", [x, m.scale(1), m.scale(0), m.scale(4)], "b", rounding_mode="FLOOR"), "rounding_mode: wanted ROUND, got FLOOR"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_refusals_name_the_node(build: Callable[[Model, str], str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        model_with(build)(tmp_path)
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "m.onnx")) and "\n" not in str(error.value)


def test_files_that_are_no_models(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    for content in (b"", b"not a model", bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(InputError, match="m.onnx: wanted an ONNX model, got"):
            trace_onnx(path)
    with pytest.raises(InputError, match="wanted an ONNX model, got"):
        trace_onnx(tmp_path / "missing.onnx")
    for path in (tmp_path, Path("/dev/zero")):
        with pytest.raises(InputError, match="wanted an ONNX model, got a folder or a device; name a file"):
            trace_onnx(path)


def test_mutated_files_give_one_line() -> None:
    """Bytes of the shipped models, changed at random: a graph or one line, never a traceback."""
    rng = np.random.default_rng(0)
    folder = Path(__file__).parents[3] / "workloads" / "digits"
    good = (folder / "digits_cnn_w4.onnx").read_bytes()
    n_errors = 0
    for _ in range(200):
        bad = bytearray(good)
        for position in rng.integers(0, len(bad), int(rng.integers(1, 30))):
            bad[position] = rng.integers(256)
        n_errors += refused(bytes(bad))
    assert n_errors > 50


def test_mutated_messages_give_one_line() -> None:
    """Fields of the shipped model, changed at random: these are legal protobuf, so they reach the importer."""
    rng = np.random.default_rng(1)
    folder = Path(__file__).parents[3] / "workloads" / "digits"
    good = onnx.load(folder / "digits_cnn_w4.onnx")
    n_errors = 0
    for _ in range(300):
        model = onnx.ModelProto()
        model.CopyFrom(good)
        for _ in range(int(rng.integers(1, 4))):
            mutate(model, rng)
        n_errors += refused(model.SerializeToString())
    assert n_errors > 150


def mutate(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Change one field of a random node, attribute or constant."""
    node = model.graph.node[rng.integers(len(model.graph.node))]
    constant = model.graph.initializer[rng.integers(len(model.graph.initializer))]
    kind = rng.integers(9)
    if kind == 0 and node.input:
        node.input[rng.integers(len(node.input))] = rng.choice(["", "nothing", constant.name, "pixels"])
    elif kind == 1:
        node.op_type = str(
            rng.choice(
                [
                    "Conv",
                    "Gemm",
                    "Add",
                    "QLinearConv",
                    "Quant",
                    "Reshape",
                    "Concat",
                    "Clip",
                    "Transpose",
                    "MatMulInteger",
                    "ReduceMean",
                    "Squeeze",
                ]
            )
        )
    elif kind == 2 and node.input:
        del node.input[rng.integers(len(node.input))]
    elif kind == 3 and node.attribute:
        attribute = node.attribute[rng.integers(len(node.attribute))]
        if attribute.ints:
            attribute.ints[rng.integers(len(attribute.ints))] = int(rng.choice([-1, 0, 2, 7, 2**40]))
        else:
            attribute.i = int(rng.choice([-1, 0, 2, 7, 2**40]))
    elif kind == 4 and constant.dims:
        constant.dims[rng.integers(len(constant.dims))] = int(rng.choice([0, 1, 2, 3, 1000]))
    elif kind == 5:
        constant.data_type = int(rng.integers(0, 27))
    elif kind == 6:
        constant.raw_data = constant.raw_data[: rng.integers(len(constant.raw_data) + 1)]
    elif kind == 7:
        constant.CopyFrom(
            onnx.numpy_helper.from_array(np.float32([np.nan, -1, 0, 3.5])[: rng.integers(5)], constant.name)
        )
    else:
        dims = model.graph.input[0].type.tensor_type.shape.dim
        dims[rng.integers(len(dims))].dim_value = int(rng.choice([-1, 0, 1, 5]))


def refused(content: bytes) -> int:
    """1 if the model is refused in one line, 0 if it is read."""
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(content)
        file.flush()
        try:
            trace_onnx(file.name, {"batch": 1})
        except InputError as error:
            assert str(error).startswith(file.name) and "\n" not in str(error), str(error)
            return 1
    return 0


def test_a_graph_that_has_no_layers_is_refused_before_a_file_is_written(tmp_path: Path) -> None:
    m = Model()
    x = m.quantize(m.input("x", [1, 3, 4, 8]), "xq", 0.1)
    weights = m.weights("w", np.ones((1, 3, 8, 4), np.int8), 0.1, 0)
    path = m.save(tmp_path / "m.onnx", m.quantize(m.node("MatMul", [x, weights], "y"), "yq", 0.1))
    with pytest.raises(InputError, match="m.onnx: op .*matmul.*: wanted constant weights") as refused:
        trace(path, tmp_path / "m.npz")
    assert "\n" not in str(refused.value) and not (tmp_path / "m.npz").exists()
