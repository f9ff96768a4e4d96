"""The numbers that the edges of a float model take on samples, and the scale that suits them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from designs.errors import InputError
from workloads.encoders.widths import Width

N_BINS = 4096
CLIPPED_BITS = 8  # wider edges hold every number seen; narrower ones may clip rare ones to round the others finer
SHRINKS = np.linspace(1.0, 0.3, 36)  # of the largest magnitude of a sign
Progress = Callable[[int, int], None]  # (done, all)


@dataclass(frozen=True)
class Distribution:
    """Least and largest number seen (0 included), and how many there were in each of `N_BINS` equal parts between."""

    low: float
    high: float
    counts: np.ndarray


def run_session(model: onnx.ModelProto) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Runs the model of one input in ONNX Runtime, node by node as written (no graph optimization), on one thread."""
    try:
        ort: Any = importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise InputError(
            "onnxruntime: wanted it installed to run ONNX models, got none; pip install onnxruntime"
        ) from error
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    name = model.graph.input[0].name
    return lambda values: session.run(None, {name: values})


def distributions(
    model: onnx.ModelProto, names: Sequence[str], samples: Sequence[np.ndarray], progress: Progress | None = None
) -> dict[str, Distribution]:
    """What each of the named edges holds over all samples (values of the model's one input); the model runs twice."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    run = run_session(watched)
    bounds = np.zeros((len(names), 2))
    counts = np.zeros((len(names), N_BINS), np.int64)
    for done, (again, sample) in enumerate((again, sample) for again in (False, True) for sample in samples):
        for i, value in enumerate(run(sample)):
            if again:
                counts[i] += np.histogram(value, N_BINS, tuple(bounds[i]) if bounds[i].any() else (0.0, 1.0))[0]
            else:
                bounds[i] = min(bounds[i, 0], value.min()), max(bounds[i, 1], value.max())
        if progress is not None:
            progress(done + 1, 2 * len(samples))
    return {name: Distribution(float(bounds[i, 0]), float(bounds[i, 1]), counts[i]) for i, name in enumerate(names)}


def quantization(seen: Distribution, width: Width) -> tuple[np.float32, int]:
    """(scale, zero point) with which the width holds what was seen; the zero point is 0 where it is signed.

    Edges of up to `CLIPPED_BITS` bits take the bounds with the least mean square error, each sign's shrunk on its own
    (together where signed); wider ones the whole range.
    """
    shrinks = SHRINKS if width.bits <= CLIPPED_BITS else SHRINKS[:1]
    if width.signed:
        candidates = [(s, s) for s in shrinks]
    else:
        high = min(shrinks, key=lambda s: _error(seen, width, (1.0, s)))
        candidates = [(s, high) for s in shrinks]
    return _quantization(seen, width, min(candidates, key=lambda c: _error(seen, width, c)))


def _quantization(seen: Distribution, width: Width, shrinks: tuple[float, float]) -> tuple[np.float32, int]:
    low, high = seen.low * shrinks[0], seen.high * shrinks[1]
    least = max(float(np.finfo(np.float32).tiny), width.least_scale)
    if width.signed:
        return np.float32(max(max(-low, high) / (2 ** (width.bits - 1) - 1), least)), 0
    scale = np.float32(max((high - low) / (2**width.bits - 1), least))
    return scale, round(-low / float(scale))


def _error(seen: Distribution, width: Width, shrinks: tuple[float, float]) -> float:
    """Sum of squared errors of what was seen, each number taken as the centre of its part."""
    scale, zero = _quantization(seen, width, shrinks)
    part = (seen.high - seen.low) / N_BINS
    centres = seen.low + (np.arange(N_BINS) + 0.5) * part
    lowest = -(1 << (width.bits - 1)) if width.signed else 0
    stored = np.clip(np.rint(centres / scale) + zero, lowest, lowest + (1 << width.bits) - 1)
    return float(seen.counts @ (centres - (stored - zero) * scale) ** 2)
