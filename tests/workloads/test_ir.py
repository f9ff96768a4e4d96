"""What is a legal graph, and the message for each way not to be one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.graphs import matrix_graph, residual_graph
from workloads.ir import Graph, Tensor, check_graph


@pytest.fixture
def graph() -> Graph:
    return matrix_graph(np.random.default_rng(0))


def with_tensor(graph: Graph, name: str, **changes: object) -> Graph:
    tensors = tuple(replace(t, **changes) if t.name == name else t for t in graph.tensors)  # type: ignore[arg-type]
    return replace(graph, tensors=tensors)


def with_op(graph: Graph, index: int, **changes: object) -> Graph:
    ops = list(graph.ops)
    ops[index] = replace(ops[index], **changes)  # type: ignore[arg-type]
    return replace(graph, ops=tuple(ops))


TENSOR_CASES = [
    ("up", {"bits": 0}, "tensor up: wanted 1 to 32 bits, got 0"),
    ("up", {"shape": (1, 70, 0)}, "tensor up: wanted sizes of at least 1"),
    ("up", {"scale": np.float32([np.nan])}, "tensor up: wanted positive finite scales"),
    ("up", {"scale": np.float64([1])}, "tensor up: wanted a vector of float32 scales"),
    ("up", {"scale": np.float32([1, 2])}, "tensor up: wanted 1 scales, got 2"),
    ("up", {"zero_point": 256}, "tensor up: wanted a zero point from 0 to 255, got 256"),
    ("up", {"shape": (1, 70, 21)}, "wanted an output of shape [1, 70, 20], got [1, 70, 21]"),
    ("w1", {"zero_point": 1}, "tensor w1: wanted zero point 0"),
    ("w1", {"bits": 4}, "tensor w1: wanted data from -8 to 7"),
    ("w1", {"data": np.zeros((12, 20))}, "tensor w1: wanted int64 data of shape [12, 20], got float64"),
    ("w2", {"axis": 5}, "tensor w2: wanted an axis of shape [20, 12], got 5"),
    ("w2", {"axis": 0, "scale": np.ones(20, np.float32)}, "wanted weight scales along the last axis"),
]


@pytest.mark.parametrize(("name", "changes", "message"), TENSOR_CASES)
def test_illegal_tensors(graph: Graph, name: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        check_graph(with_tensor(graph, name, **changes))
    assert message in str(error.value) and "\n" not in str(error.value)


OP_CASES = [
    ({"kind": "sigmoid"}, "op up_op: wanted one of conv, matmul"),
    ({"inputs": ("x",)}, "op up_op (matmul): wanted 2 to 3 inputs, got 1"),
    ({"inputs": ("down", "w1", "b1")}, "wanted inputs computed before, got 'down'"),
    ({"output": "x"}, "wanted an output not computed before, got 'x'"),
    ({"attrs": {"axis": 1}}, "wanted attributes [], got ['axis']"),
    ({"low": -1}, "wanted bounds from 0 to 255, got -1 to 255"),
    ({"low": 9, "high": 8}, "wanted bounds from 0 to 255, got 9 to 8"),
]


@pytest.mark.parametrize(("changes", "message"), OP_CASES)
def test_illegal_ops(graph: Graph, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        check_graph(with_op(graph, 0, **changes))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_illegal_windows() -> None:
    graph = residual_graph(np.random.default_rng(0))
    attrs = dict(graph.ops[0].attrs)
    for change, message in (
        ({"strides": (0, 1)}, "strides: wanted integers of a legal size, got (0, 1)"),
        ({"pads": (3, 1, 1, 1)}, "wanted padding smaller than the kernel (3), got 3 and 1"),
        ({"groups": 2}, "wanted x (N,C,H,W) and weights (M,C/2,kh,kw)"),
    ):
        with pytest.raises(InputError) as error:
            check_graph(with_op(graph, 0, attrs={**attrs, **change}))
        assert message in str(error.value)


def test_a_move_keeps_the_scale() -> None:
    graph = residual_graph(np.random.default_rng(0))
    with pytest.raises(InputError, match="wanted the scale and zero point of its input"):
        check_graph(with_tensor(graph, "pooled", zero_point=1))
    index = next(i for i, op in enumerate(graph.ops) if op.kind == "max_pool")
    with pytest.raises(InputError, match="wanted the bounds of its output's type"):
        check_graph(with_op(graph, index, low=4))


def test_names_and_ends() -> None:
    graph = matrix_graph(np.random.default_rng(0))
    with pytest.raises(InputError, match="wanted tensor names that differ"):
        check_graph(replace(graph, tensors=graph.tensors + graph.tensors[:1]))
    with pytest.raises(InputError, match="wanted inputs that are tensors without data, got 'w1'"):
        check_graph(replace(graph, inputs=("w1",)))
    with pytest.raises(InputError, match="wanted outputs that are computed, got 'nothing'"):
        check_graph(replace(graph, outputs=("nothing",)))


def test_ranges_of_stored_integers() -> None:
    def bounds(bits: int, signed: bool) -> tuple[int, int]:
        t = Tensor(name="t", shape=(1,), bits=bits, signed=signed)
        return t.low, t.high

    assert bounds(8, True) == (-128, 127) and bounds(8, False) == (0, 255)
    assert bounds(1, True) == (-1, 1) and bounds(1, False) == (0, 1) and bounds(16, True) == (-32768, 32767)


def test_one_bit_weights_are_signs() -> None:
    t = Tensor(name="t", shape=(2,), bits=1, signed=True, data=np.asarray([-1, 0]))
    with pytest.raises(InputError, match="tensor t: wanted -1 and \\+1 in one bit, got 0"):
        check_graph(Graph(name="g", inputs=(), outputs=("t",), tensors=(t,), ops=()))


def test_quantize_and_back() -> None:
    t = Tensor(name="t", shape=(4,), bits=8, signed=False, scale=np.float32([0.5]), zero_point=10)
    stored = t.quantize(np.asarray([-100, 0.25, 0.75, 1000]))
    assert stored.tolist() == [0, 10, 12, 255]  # halves to even
    assert t.dequantize(stored).tolist() == [-5, 0, 1, 122.5]


def test_the_largest_32_bit_integer_is_reached_and_not_passed() -> None:
    tensor = Tensor(name="t", shape=(2,), bits=32, signed=True, scale=np.float32([2.0**-31]))
    assert tensor.quantize(np.asarray([1.0, -1.0])).tolist() == [2**31 - 1, -(2**31)]
