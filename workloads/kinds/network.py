"""Networks: layers in order, with the quantized graph they come from where they have numbers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from designs.errors import InputError
from workloads.builders import convnets, training, transformers
from workloads.builders.shapes import matrix_product
from workloads.files import graph_digest, load_graph
from workloads.importers.scalesim import load_scalesim
from workloads.ir import Graph
from workloads.kinds import array_names
from workloads.load import Workload
from workloads.lower import lower
from workloads.random_layers import gemm_layer
from workloads.stages import Stage, merge_steps, stages_of
from workloads.vector_layer import Job

DIGITS = Path(__file__).parent.parent / "digits"
FILES = {
    ".npz": "a graph file of lockstep trace",
    ".json": "a graph file of lockstep trace",
    ".csv": "a SCALE-Sim topology",
}
TRACES = {".onnx": "workloads.importers.trace_network"}

_GRAPHS = {name: DIGITS / f"{name}.npz" for name in ("digits_cnn", "digits_cnn_w4", "digits_transformer")}
_GEMM = re.compile(r"gemm:([0-9]{1,6})x([0-9]{1,6})x([0-9]{1,6})")
_MOST_GEMM_NUMBERS = 1 << 24  # weights; a larger product is timed as a shape, and fills no memory with numbers


@dataclass(frozen=True, kw_only=True)
class Network(Workload):
    """A network: its layers, in the order in which they run."""

    layers: tuple[Job, ...]
    graph: Graph | None = None
    stages: tuple[Stage, ...] = ()  # of a transformer's shapes: prefill, decode and the like; others have none


def names() -> tuple[str, ...]:
    """Names besides paths; `gemm:MxKxN` stands for any three sizes."""
    return (*_GRAPHS, *convnets.names(), *training.names(), *transformers.names(), "gemm:MxKxN")


def load(name: str) -> Network | None:
    """The network of a name in `names()`, or of a path: .npz or .json of `lockstep trace`, SCALE-Sim .csv."""
    if name in _GRAPHS:
        return _of_graph(name, load_graph(_GRAPHS[name]))
    if layers := convnets.build(name):
        return network_of(layers, name)
    if jobs := transformers.build(name):
        return replace(network_of(merge_steps(jobs), name), stages=stages_of(jobs, transformers.n_sequences(name)))
    if match := _GEMM.fullmatch(name):
        return _gemm(name, *(int(size) for size in match.groups()))
    if products := training.build(name):
        return network_of(products, name)
    suffix = Path(name).suffix
    if suffix == ".npz" and "header" not in (array_names(name) or ("header",)):
        return None  # an archive of something else; one that cannot be opened is refused below
    if suffix in (".npz", ".json"):
        return _of_graph(Path(name).stem, load_graph(name))
    if suffix == ".csv":
        return network_of(load_scalesim(name), Path(name).stem)
    if suffix == ".onnx":
        raise InputError(f"workload {name}: wanted a traced graph, got an ONNX model; run lockstep trace on it first")
    return None


def network_of(layers: Sequence[Job], name: str) -> Network:
    """The network of some layers."""
    return Network(name=name, digest=layers_digest(layers), layers=tuple(layers))


def layers_digest(layers: Sequence[Job]) -> str:
    """SHA-256 (hex) of the layers, numbers included."""
    digest = hashlib.sha256()
    for layer in layers:
        _update(digest, asdict(layer))
    return digest.hexdigest()


def _gemm(name: str, m: int, k: int, n: int) -> Network:
    if 0 in (m, k, n):
        raise InputError(f"workload {name}: wanted sizes of at least 1, got 0")
    layer = gemm_layer(name, m, k, n) if k * n <= _MOST_GEMM_NUMBERS else matrix_product(name, m, k, n)
    return network_of((layer,), name)


def _of_graph(name: str, graph: Graph) -> Network:
    return Network(name=name, digest=graph_digest(graph), layers=lower(graph), graph=graph)


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
