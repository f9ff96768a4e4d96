"""How often a machine is right; of networks with numbers: run by the interpreter in the machine's own arithmetic."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from workloads.digits import labelled_images
from workloads.kinds.network import Network
from workloads.layer import Arithmetic, Layer
from workloads.lower import lowered
from workloads.reference import run_layer
from workloads.run_jobs import run_samples
from workloads.vector_layer import Job, VectorArithmetic, VectorLayer


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Over all labelled test samples of a workload."""

    accuracy: float  # share of samples labelled right
    n_images: int  # samples, images or not
    overflows: int | None = None  # accumulator additions, over all samples, whose exact result did not fit, if counted


def has_labels(workload: Network) -> bool:
    """Whether there are labelled images to measure `workload` with."""
    return labelled_images(workload.graph) is not None


def measure(workload: Network, arithmetics: Sequence[Arithmetic | VectorArithmetic]) -> Accuracy:
    """Run `workload`, which has labels, in the arithmetic of each of its layers, on all its test images.

    What each layer makes of each input is kept, so machines that differ in nothing that shows share their runs.
    """
    labelled = labelled_images(workload.graph)
    assert labelled is not None
    images, labels = labelled
    layers = workload.layers
    keyed = _Keyed(workload.digest, workload)
    if any(isinstance(layer, VectorLayer) for layer in layers):
        pairs = zip(layers, arithmetics, strict=True)
        answers, overflows = _run_graph(keyed, tuple(_plain(layer, arithmetic) for layer, arithmetic in pairs))
        return Accuracy(accuracy=float(np.mean(answers == labels)), overflows=overflows, n_images=len(images))
    values = {layers[0].inputs[0]: _keep(images)}
    overflows = 0
    for index, (layer, arithmetic) in enumerate(zip(layers, arithmetics, strict=True)):
        inputs = tuple(values[name] for name in layer.inputs)
        values[layer.output], of_layer = _run(keyed, index, inputs, _plain(layer, arithmetic))
        overflows += of_layer
    answers = _KEPT[values[layers[-1].output]].reshape(len(images), -1).argmax(axis=1)
    return Accuracy(accuracy=float(np.mean(answers == labels)), overflows=overflows, n_images=len(images))


_KEPT: dict[bytes, np.ndarray] = {}  # tensors by content, for the life of a process: some MB a distinct machine


def _keep(values: np.ndarray) -> bytes:
    narrow = np.ascontiguousarray(values, dtype=np.int32)
    key = hashlib.sha256(narrow.tobytes()).digest()
    _KEPT.setdefault(key, narrow)
    return key


class _Keyed:
    """A workload that is equal to another of the same content, so that runs can be kept."""

    def __init__(self, digest: str, workload: Network) -> None:
        self.digest, self.workload = digest, workload

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@cache
def _run(
    keyed: _Keyed, index: int, inputs: tuple[bytes, ...], arithmetic: Arithmetic | VectorArithmetic
) -> tuple[bytes, int]:
    """(key of the output, overflows) of a layer over all images."""
    layer = keyed.workload.layers[index]
    x = _KEPT[inputs[0]]
    residual = _KEPT[inputs[1]] if len(inputs) > 1 else None
    assert isinstance(layer, Layer) and isinstance(arithmetic, Arithmetic)
    y, overflows = run_layer(replace(layer, n_images=len(x)), x, residual, arithmetic)
    return _keep(y), overflows


@cache
def _run_graph(keyed: _Keyed, arithmetics: tuple[Arithmetic | VectorArithmetic, ...]) -> tuple[np.ndarray, int]:
    """(label of each image, overflows) of a network whose layers work on parts of tensors."""
    graph = keyed.workload.graph
    labelled = labelled_images(graph)
    assert graph is not None and labelled is not None
    images, answers, overflows, found = labelled[0], graph.outputs[0], 0, lowered(graph)
    labels = []
    for first in range(0, len(images), _SAMPLES_AT_ONCE):
        feeds = [found.images({graph.inputs[0]: image[None]}) for image in images[first : first + _SAMPLES_AT_ONCE]]
        together = {name: np.stack([feed[name] for feed in feeds]) for name in feeds[0]}
        stored, n = run_samples(found.jobs, arithmetics, together)
        overflows += n
        view = found.views[answers]
        labels += [view.read(sample).reshape(-1).argmax() for sample in stored[view.stored]]
    return np.array(labels), overflows


_SAMPLES_AT_ONCE = 64  # what they store side by side stays some MB


def _plain(layer: Job, arithmetic: Arithmetic | VectorArithmetic) -> Arithmetic | VectorArithmetic:
    """The same arithmetic, less what cannot show in this layer: bounds that no sum can reach, tiles that it lacks."""
    if isinstance(layer, VectorLayer) or isinstance(arithmetic, VectorArithmetic):
        return arithmetic
    numbers = layer.numbers
    if numbers is None or layer.kind == "max_pool":
        return Arithmetic()
    farthest = max(numbers.in_high - numbers.in_zero, numbers.in_zero - numbers.in_low)
    if numbers.weights is None:
        heaviest = layer.in_channels << (layer.weight_bits - 1)
    else:
        heaviest = int(np.abs(numbers.weights).reshape(layer.out_channels, -1).sum(axis=1).max())
    largest = heaviest * farthest
    if largest < 1 << (arithmetic.accumulator_bits - 1):
        return Arithmetic(
            accumulator_bits=48, requantize=arithmetic.requantize, multiplier_bits=arithmetic.multiplier_bits
        )
    if arithmetic.order == "block":
        return replace(arithmetic, tile_blocks=Arithmetic.tile_blocks)
    n_blocks = -(-layer.in_channels // arithmetic.lanes)
    return replace(arithmetic, tile_blocks=min(arithmetic.tile_blocks, n_blocks))
