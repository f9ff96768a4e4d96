"""`lockstep trace model.onnx`: a quantized model becomes a graph file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from designs.errors import InputError
from workloads.files import save_graph
from workloads.importers.onnx import trace_onnx
from workloads.layer import Layer
from workloads.lower import lower


def trace(
    file: str | Path, output: str | Path, *, bind: Mapping[str, int] | None = None, samples: str | Path | None = None
) -> dict[str, int]:
    """Import a quantized ONNX model and write it as a graph file; what was imported, counted.

    `bind` gives dynamic dimensions their size. Raises InputError, naming node and op, for what cannot be imported.
    """
    if samples is not None:
        raise InputError(f"--samples {samples}: wanted samples beside a circuit only, got {file}; leave them out")
    graph = trace_onnx(file, bind)
    try:
        jobs = lower(graph)  # before the file is written: no command would take a graph without layers
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    save_graph(graph, output)
    layers = [job for job in jobs if isinstance(job, Layer)]
    return {
        "n_ops": len(graph.ops),
        "n_layers": len(layers),
        "n_vector_layers": len(jobs) - len(layers),
        "n_macs": sum(layer.n_macs * layer.repeat for layer in layers),
        "n_weights": sum(layer.n_weights * layer.repeat for layer in layers if not layer.weights_from),
    }
