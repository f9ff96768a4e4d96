"""Graphs on disk: `.npz` (a JSON header and the constants) or `.json` (all of it as text), and their content hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.whole_file import expect_writable, whole_file
from workloads.archives import UNREADABLE
from workloads.ir import Graph, Op, Tensor, check_graph

FORMAT = "lockstep-graph-1"


def graph_digest(graph: Graph) -> str:
    """SHA-256 (hex) of everything the graph says: names, shapes, scales, constants."""
    digest = hashlib.sha256(json.dumps(_header(graph), sort_keys=True).encode())
    for tensor in graph.tensors:
        if tensor.data is not None:
            digest.update(np.ascontiguousarray(tensor.data, "<i8").tobytes())
    return digest.hexdigest()


def save_graph(graph: Graph, path: str | Path) -> None:
    """Write the graph as `.npz` or `.json`, whole or not at all; the same graph gives the same bytes.

    InputError for another suffix and for a path that cannot be written.
    """
    path = Path(path)
    data = {f"data{i}": t.data for i, t in enumerate(graph.tensors) if t.data is not None}
    header = _header(graph)
    if path.suffix == ".json":
        header["data"] = {key: value.tolist() for key, value in data.items()}
        with whole_file(path) as part:
            part.write_text(json.dumps(header, indent=1) + "\n")
    elif path.suffix == ".npz":
        text = np.frombuffer(json.dumps(header).encode(), np.uint8)
        arrays = {key: _narrow(value) for key, value in data.items()}
        with whole_file(path) as part, part.open("wb") as file:
            np.savez_compressed(file, header=text, **arrays)  # type: ignore[arg-type]
    else:
        raise _unknown_suffix(path)


def expect_graph_file(path: str | Path) -> None:
    """InputError where `save_graph` could not write: before long work, not after it. Leaves nothing behind."""
    if Path(path).suffix not in (".json", ".npz"):
        raise _unknown_suffix(Path(path))
    expect_writable(path)


def _unknown_suffix(path: Path) -> InputError:
    return InputError(f"{path}: wanted a name that ends in .npz or .json, got {path.suffix or 'no ending'!r}")


def load_graph(path: str | Path) -> Graph:
    """Read and check a graph that `save_graph` wrote; InputError naming the file for anything else."""
    path = Path(path)
    try:
        header, data = _read_json(path) if path.suffix == ".json" else _read_npz(path)
    except UNREADABLE as error:
        raise InputError(f"{path}: wanted a graph file of lockstep trace, got {_one_line(error)}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"{path}: wanted a graph file of format {FORMAT!r}, got another; trace the model again")
    try:
        graph = _graph(header, data)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: wanted a legal graph header, got {_one_line(error)}") from error
    try:
        return check_graph(graph)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_npz(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    loaded = np.load(path, allow_pickle=False)
    if not isinstance(loaded, np.lib.npyio.NpzFile):
        raise ValueError("no archive of arrays")
    with loaded as archive:
        arrays = {key: archive[key] for key in archive.files}
    return json.loads(arrays.pop("header").tobytes().decode()), arrays


def _read_json(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    header = json.loads(path.read_text())
    if not isinstance(header, dict) or not isinstance(header.get("data"), dict):
        raise ValueError("no data")
    return header, {key: np.asarray(value) for key, value in header["data"].items()}


def _narrow(data: np.ndarray) -> np.ndarray:
    """The same integers in the smallest type that holds them."""
    if data.size == 0:
        return data
    return data.astype(np.result_type(np.min_scalar_type(int(data.min())), np.min_scalar_type(int(data.max()))))


def _header(graph: Graph) -> dict[str, Any]:
    header = {
        "format": FORMAT,
        "name": graph.name,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "tensors": [_tensor_header(t, i) for i, t in enumerate(graph.tensors)],
        "ops": [
            {
                "name": op.name,
                "kind": op.kind,
                "inputs": list(op.inputs),
                "output": op.output,
                "low": op.low,
                "high": op.high,
                "attrs": {k: list(v) if isinstance(v, (tuple, list)) else v for k, v in sorted(op.attrs.items())},
            }
            for op in graph.ops
        ],
    }
    if graph.states:  # left out where there are none: files and digests of graphs without stay as they are
        header["states"] = [list(pair) for pair in graph.states]
    return header


def _tensor_header(tensor: Tensor, index: int) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "shape": list(tensor.shape),
        "bits": tensor.bits,
        "signed": tensor.signed,
        "scale": [float(s) for s in tensor.scale],  # every float32 is exact as a float64, and so as text
        "axis": tensor.axis,
        "zero_point": tensor.zero_point,
        "data": None if tensor.data is None else f"data{index}",
    }


def _graph(header: dict[str, Any], data: dict[str, np.ndarray]) -> Graph:
    return Graph(
        name=_typed(header["name"], str),
        inputs=_typed_tuple(header["inputs"], str),
        outputs=_typed_tuple(header["outputs"], str),
        tensors=tuple(_tensor(entry, data) for entry in _typed(header["tensors"], list)),
        ops=tuple(_op(entry) for entry in _typed(header["ops"], list)),
        states=tuple(_pair(entry) for entry in _typed(header.get("states", []), list)),
    )


def _pair(entry: Any) -> tuple[str, str]:
    name, following = _typed_tuple(entry, str)
    return name, following


def _tensor(entry: Any, data: dict[str, np.ndarray]) -> Tensor:
    key = entry["data"]
    array = None
    if key is not None:
        array = data[_typed(key, str)]
        if not np.issubdtype(array.dtype, np.integer):
            raise InputError(f"tensor {entry['name']}: wanted integer data, got {array.dtype}")
        array = array.astype(np.int64)
    with np.errstate(over="ignore"):
        scale = np.asarray([_typed(s, float, int) for s in _typed(entry["scale"], list)], np.float32)
    return Tensor(
        name=_typed(entry["name"], str),
        shape=_typed_tuple(entry["shape"], int),
        bits=_typed(entry["bits"], int),
        signed=_typed(entry["signed"], bool),
        scale=scale,
        axis=None if entry["axis"] is None else _typed(entry["axis"], int),
        zero_point=_typed(entry["zero_point"], int),
        data=array,
    )


def _op(entry: Any) -> Op:
    attrs = {k: _typed_tuple(v, int) if isinstance(v, list) else v for k, v in _typed(entry["attrs"], dict).items()}
    return Op(
        name=_typed(entry["name"], str),
        kind=_typed(entry["kind"], str),
        inputs=_typed_tuple(entry["inputs"], str),
        output=_typed(entry["output"], str),
        low=_typed(entry["low"], int),
        high=_typed(entry["high"], int),
        attrs=attrs,
    )


def _typed(value: Any, *types: type) -> Any:
    if type(value) not in types:
        raise InputError(f"graph header: wanted {' or '.join(t.__name__ for t in types)}, got {value!r:.60}")
    return value


def _typed_tuple(value: Any, kind: type) -> tuple[Any, ...]:
    return tuple(_typed(v, kind) for v in _typed(value, list))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
