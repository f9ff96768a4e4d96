"""Workloads by name or path."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.spelling import nearest, shown
from workloads.builders.convnets import mobilenet_v1, resnet18, resnet50, vgg16
from workloads.builders.shapes import matrix_product
from workloads.builders.transformers import bert_base_layer
from workloads.files import graph_digest, load_graph
from workloads.importers.scalesim import load_scalesim
from workloads.ir import Graph
from workloads.layer import Layer
from workloads.lower import lower
from workloads.random_layers import gemm_layer

DIGITS = Path(__file__).parent / "digits"
_BUILDERS: dict[str, Callable[[], tuple[Layer, ...]]] = {
    "resnet18": resnet18,
    "resnet50": resnet50,
    "mobilenet_v1": mobilenet_v1,
    "vgg16": vgg16,
    "bert_base_layer": bert_base_layer,
}
_GRAPHS = {"digits_cnn": DIGITS / "digits_cnn.npz", "digits_cnn_w4": DIGITS / "digits_cnn_w4.npz"}
_GEMM = re.compile(r"gemm:([0-9]{1,6})x([0-9]{1,6})x([0-9]{1,6})")
_MOST_GEMM_NUMBERS = 1 << 24  # weights; a larger product is timed as a shape, and fills no memory with numbers


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a machine runs: layers in order, with the graph they come from where they have numbers."""

    name: str
    digest: str  # content hash, hex: equal for equal work
    layers: tuple[Layer, ...]
    graph: Graph | None = None


def workload_names() -> tuple[str, ...]:
    """Names that `load_workload` knows, besides paths; `gemm:MxKxN` stands for any three sizes."""
    return (*_GRAPHS, *_BUILDERS, "gemm:MxKxN")


def load_workload(name: str) -> Workload:
    """The workload of a name in `workload_names()`, or of a path: .npz or .json of `lockstep trace`, SCALE-Sim .csv.

    InputError for a name that is not known, with the nearest that is, or a file that cannot be read.
    """
    if name in _GRAPHS:
        return _from_graph(name, load_graph(_GRAPHS[name]))
    if name in _BUILDERS:
        return _from_layers(name, _BUILDERS[name]())
    if match := _GEMM.fullmatch(name):
        m, k, n = (int(size) for size in match.groups())
        if 0 in (m, k, n):
            raise InputError(f"workload {name}: wanted sizes of at least 1, got 0")
        if k * n > _MOST_GEMM_NUMBERS:
            return _from_layers(name, (matrix_product(name, m, k, n),))
        return _from_layers(name, (gemm_layer(name, m, k, n),))
    suffix = Path(name).suffix
    if suffix in (".npz", ".json"):
        return _from_graph(Path(name).stem, load_graph(name))
    if suffix == ".csv":
        return _from_layers(Path(name).stem, load_scalesim(name))
    if suffix == ".onnx":
        raise InputError(f"workload {name}: wanted a traced graph, got an ONNX model; run lockstep trace on it first")
    hint = nearest(name, workload_names())
    raise InputError(f"workload: wanted a path or one of {', '.join(workload_names())}, got {shown(name)}{hint}")


def layers_digest(layers: Sequence[Layer]) -> str:
    """SHA-256 (hex) of the layers, numbers included."""
    digest = hashlib.sha256()
    for layer in layers:
        _update(digest, asdict(layer))
    return digest.hexdigest()


def _from_graph(name: str, graph: Graph) -> Workload:
    return Workload(name=name, digest=graph_digest(graph), layers=lower(graph), graph=graph)


def _from_layers(name: str, layers: tuple[Layer, ...]) -> Workload:
    return Workload(name=name, digest=layers_digest(layers), layers=layers)


def _update(digest: hashlib._Hash, entry: dict[str, object]) -> None:
    for key, value in sorted(entry.items()):
        digest.update(f"{key}:".encode())
        if isinstance(value, dict):
            _update(digest, value)
        elif isinstance(value, np.ndarray):
            digest.update(f"{value.dtype.str}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
        else:
            digest.update(repr(value).encode())
        digest.update(b";")
