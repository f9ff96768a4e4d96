"""The network that is compressed: its real weights, its reference, and images for training, choosing and telling.

Of the training images 20 % (270) are set apart to check accuracy floors (validation). The digits networks are trained
anew, by the recipe of `workloads.digits.train`, on the others (1077), so that no weight has seen an image of
the validation; test images are only told of in the end.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from designs.errors import InputError
from explore.kept import kept
from workloads.compression.layers import weighted_layers
from workloads.compression.quantize import Reals, with_reals
from workloads.digits import digits_split, labelled_images
from workloads.ir import Graph
from workloads.kinds.network import Network
from workloads.load import load_workload

RECIPES = {"digits_cnn": (8, False), "digits_cnn_w4": (4, True)}  # name -> (weight bits, one scale a channel)
VALIDATION_SHARE = 0.2  # a usual one, and not to be moved by what the reference reaches on it


@dataclass(frozen=True)
class Samples:
    """Stored images (n, 1, 8, 8) and labels (n,)."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What a search works on."""

    name: str
    reference: Graph  # quantized, as it is compared with
    real: Graph  # the same with real weights (of 20 bits): what is compressed
    fit: Samples
    validation: Samples
    test: Samples
    validation_was_seen: bool  # whether the given weights were trained on validation images too


def subject_of(network: str | Network) -> Subject:
    """The subject of a digits network by name, or of any traced network that reads a digit; InputError for others."""
    workload = load_workload(network) if isinstance(network, str) else network
    graph = workload.graph if isinstance(workload, Network) else None
    if graph is None or labelled_images(graph) is None:
        raise InputError(
            f"{workload.name}: wanted a traced network that reads a digit (1 x 8 x 8) and gives ten numbers, as "
            "digits_cnn: its accuracy can be measured; got another"
        )
    images, test_images, labels, test_labels = digits_split()
    fit, validation = _split(images, labels)
    common = {"name": workload.name, "fit": fit, "validation": validation, "test": Samples(test_images, test_labels)}
    if workload.name not in RECIPES:
        return Subject(reference=graph, real=graph, validation_was_seen=True, **common)  # type: ignore[arg-type]
    reference, real = _trained(workload.name, fit)
    return Subject(reference=reference, real=real, validation_was_seen=False, **common)  # type: ignore[arg-type]


def batches(subject: Subject, size: int = 64) -> Any:
    """Batches of fit images for training, each moved by up to a pixel at random."""
    from workloads.digits.network import shifted

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        chosen = rng.integers(0, len(subject.fit.labels), size)
        return shifted(subject.fit.images[chosen], rng), subject.fit.labels[chosen]

    return draw


def _split(images: np.ndarray, labels: np.ndarray) -> tuple[Samples, Samples]:
    from sklearn.model_selection import train_test_split

    parts = train_test_split(images, labels, random_state=0, test_size=VALIDATION_SHARE, stratify=labels)
    return Samples(parts[0], parts[2]), Samples(parts[1], parts[3])


def _trained(name: str, fit: Samples) -> tuple[Graph, Graph]:
    """(quantized, with real weights)."""
    import onnx

    from workloads.digits.quantize import quantized_model
    from workloads.importers.onnx import trace_onnx

    parameters = _parameters(fit)
    bits, per_channel = RECIPES[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        onnx.save(quantized_model(parameters, fit.images, weight_bits=bits, per_channel=per_channel), path)
        reference = replace(trace_onnx(path, bind={"batch": 1}), name=name)
    values = {
        layer.name: Reals(
            parameters[f"{layer.name}.w"].astype(np.float64) if layer.op.kind == "conv" else
            parameters[f"{layer.name}.w"].T.astype(np.float64),
            parameters[f"{layer.name}.b"].astype(np.float64),
        )
        for layer in weighted_layers(reference)
    }  # fmt: skip
    return reference, with_reals(reference, values)


def _parameters(fit: Samples) -> dict[str, np.ndarray]:
    """The float network, trained once on this machine and kept."""
    from threadpoolctl import threadpool_limits

    from workloads.digits.network import train

    def make() -> dict[str, list[Any]]:
        with threadpool_limits(1):  # sums do not depend on cores
            return {key: value.tolist() for key, value in train(fit.images, fit.labels).items()}

    seen = hashlib.sha256(fit.images.tobytes() + fit.labels.tobytes()).hexdigest()
    found = kept("digits_float", (seen,), ("workloads.digits.network", "workloads.digits"), make)
    return {key: np.array(value, np.float32) for key, value in found.items()}
