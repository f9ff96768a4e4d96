"""Quantized ONNX models (QDQ, QCDQ, QOperator and QONNX nodes) read into graphs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from designs.errors import InputError
from workloads.importers import onnx_integer, onnx_moves, onnx_quantize, onnx_real, onnx_vector
from workloads.importers.onnx_nodes import INTEGER_TYPES, Node
from workloads.importers.onnx_patterns import recognized
from workloads.importers.onnx_tracer import Tracer
from workloads.importers.onnx_values import Constant, Pending, Quantization, Real, Source, Stored, Value
from workloads.ir import MAX_BITS, Graph, check_graph

_SUBMODULE_ERRORS = (ValueError, TypeError, KeyError, IndexError, RuntimeError, NotImplementedError, AttributeError)


def trace_onnx(path: str | Path, bind: Mapping[str, int] | None = None) -> Graph:
    """The quantized graph of an ONNX model file.

    `bind` gives sizes to dynamic dimensions, by their names, or as `input.axis` where they have none. InputError, one
    line that starts with the path, for a file that is no ONNX model, a dimension that is not bound, and a node (named
    with its op) that cannot be read; nothing is skipped.
    """
    path = Path(path)
    try:
        graph = _trace(_read(path), bind or {}, path.stem)
        return check_graph(graph)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read(path: Path) -> onnx.ModelProto:
    try:
        if path.exists() and not path.is_file():  # a device may never end
            raise InputError("wanted an ONNX model, got a folder or a device; name a file")
        model = onnx.load(path, format="protobuf")
        onnx.checker.check_model(model)
    except InputError:
        raise
    except (DecodeError, OSError, ValueError, onnx.checker.ValidationError) as error:
        raise InputError(f"wanted an ONNX model, got {_one_line(error)}") from error
    return model


def _trace(model: onnx.ModelProto, bind: Mapping[str, int], name: str) -> Graph:
    tracer = Tracer({o.domain: o.version for o in model.opset_import})
    for initializer in model.graph.initializer:
        tracer.values[initializer.name] = _constant(initializer)
    if model.graph.sparse_initializer:
        raise InputError("wanted dense initializers, got a sparse one")
    for source in _sources(model.graph, bind):
        tracer.values[source.name] = source
    for proto in _nodes(tracer, model.graph):
        node = Node(proto)
        try:
            _visit(tracer, node)
        except InputError as error:
            raise InputError(f"{node}: {error}") from error
    outputs = []
    for output in model.graph.output:
        try:
            outputs.append(_output(tracer, output.name))
        except InputError as error:
            raise InputError(f"output {output.name}: {error}") from error
    return tracer.draft.graph(name, tuple(outputs))


def _nodes(tracer: Tracer, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes with their patterns recognized; the numbers that a pattern may contain are all small constants."""
    numbers = {name: v.array for name, v in tracer.values.items() if isinstance(v, Constant) and v.array.size <= 8}
    for proto in graph.node:
        if proto.op_type == "Constant" and [a.name for a in proto.attribute] == ["value"]:
            numbers[proto.output[0]] = numpy_helper.to_array(proto.attribute[0].t)
    return recognized(graph.node, numbers)


def _visit(tracer: Tracer, node: Node) -> None:
    handler = _HANDLERS.get(node.op_type)
    values = [tracer.values.get(name) for name in node.proto.input if name]
    if values and all(isinstance(v, Constant) for v in values) and node.op_type in _FOLDED:
        _fold(tracer, node)
    elif handler is None:
        raise InputError(
            f"wanted an op that a quantized graph has ({', '.join(sorted(_HANDLERS))}), got {node.op_type}"
        )
    else:
        extra = [name for name in node.proto.output[1:] if name]
        if extra and node.op_type in ("MaxPool", "Dropout"):
            tracer.unusable.update(dict.fromkeys(extra, f"output {extra[0]} of {node}"))
        handler(tracer, node)


_HANDLERS = {
    **onnx_quantize.HANDLERS, **onnx_real.HANDLERS, **onnx_vector.HANDLERS, **onnx_moves.HANDLERS,
    **onnx_integer.HANDLERS,
}  # fmt: skip
_FOLDED = {
    "Add", "Cast", "Concat", "Div", "Gather", "Identity", "Mul", "Neg", "Reshape", "Slice", "Sqrt", "Squeeze", "Sub",
    "Transpose", "Unsqueeze",
}  # fmt: skip
"""Ops that are computed while reading where all their inputs are constants."""


def _fold(tracer: Tracer, node: Node) -> None:
    from onnx.reference import ReferenceEvaluator  # 0.1 s to import, and few models need it

    names = [name for name in node.proto.input if name]
    arrays = {name: value.array for name in names if isinstance(value := tracer.values[name], Constant)}
    inputs = [onnx.helper.make_tensor_value_info(n, 0, None) for n in arrays]
    outputs = [onnx.helper.make_tensor_value_info(n, 0, None) for n in node.proto.output]
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in tracer.opsets.items()]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node.proto], "constant", inputs, outputs), opset_imports=opsets, ir_version=10
    )
    try:
        results = ReferenceEvaluator(model).run(None, arrays)
    except _SUBMODULE_ERRORS as error:  # what the evaluator raises for a node it cannot compute is not documented
        raise InputError(f"wanted constants that can be computed, got {_one_line(error)}") from error
    first = tracer.values[names[0]]
    bits, signed = (first.bits, first.signed) if isinstance(first, Constant) else (64, True)
    for output, result in zip(node.proto.output, results, strict=True):
        tracer.values[output] = Constant(np.asarray(result), bits, signed)


def _output(tracer: Tracer, name: str) -> str:
    """Name of the tensor that a graph output is; real numbers that nothing quantizes become 32-bit sums."""
    value: Value = tracer.value(name)
    if isinstance(value, Pending):
        if value.op.kind == "requantize":
            return tracer.real(name).tensor
        if value.op.kind not in ("conv", "matmul"):
            raise InputError(f"wanted a QuantizeLinear before the output, got {value.op.kind} {value.op.name}")
        x, w = (tracer.draft.tensors[i] for i in value.op.inputs[:2])
        scale = x.scale * w.scale
        axis = None if scale.size == 1 else (1 if value.op.kind == "conv" else len(value.shape) - 1)
        if axis is not None and value.then:
            raise InputError("wanted a QuantizeLinear between scales by channel and the ops after them, got none")
        return tracer.draft.store(value, name, Quantization(scale, 0, MAX_BITS, True, axis))
    if not isinstance(value, (Real, Stored)):
        raise InputError("wanted a computed tensor, got a constant or an input that nothing quantizes")
    return value.tensor


def _constant(proto: onnx.TensorProto) -> Constant:
    try:
        array = numpy_helper.to_array(proto)
    except (ValueError, TypeError, KeyError, OSError, onnx.checker.ValidationError) as error:
        raise InputError(f"initializer {proto.name}: wanted legal data, got {_one_line(error)}") from error
    return Constant(array, *INTEGER_TYPES.get(proto.data_type, (64, True)))


def _sources(graph: onnx.GraphProto, bind: Mapping[str, int]) -> list[Source]:
    known = {initializer.name for initializer in graph.initializer}
    sources, used = [], set()
    for info in graph.input:
        if info.name in known:
            continue
        shape = []
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            key = dim.dim_param or f"{info.name}.{axis}"
            if not dim.HasField("dim_value"):
                if key not in bind:
                    raise InputError(
                        f"input {info.name}: wanted sizes, got dynamic {key!r}; give it with --bind {key}=1"
                    )
                used.add(key)
            size = dim.dim_value if dim.HasField("dim_value") else bind[key]
            if size < 1:
                raise InputError(f"input {info.name}: wanted sizes of at least 1, got {size} for axis {axis}")
            shape.append(size)
        sources.append(Source(info.name, tuple(shape)))
    for key in bind:
        if key not in used:
            names = [d.dim_param for i in graph.input for d in i.type.tensor_type.shape.dim if d.dim_param]
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"--bind {key}: wanted one of the dynamic dimensions {sorted(set(names))}{hint}")
    return sources


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
