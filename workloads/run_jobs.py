"""A network's jobs on stored tensors, one after the other, each in an arithmetic of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from workloads.layer import Arithmetic, Layer, Place
from workloads.reference import run_layer
from workloads.reference_vector_layer import run_vector_layer
from workloads.vector_layer import Job, VectorArithmetic, VectorLayer


def run_jobs(
    jobs: Sequence[Job], arithmetics: Sequence[Arithmetic | VectorArithmetic], images: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], int]:
    """(every stored tensor, accumulator overflows); `images` are those that the jobs find, by name.

    A stored tensor is (n_images, channels, lines, pixels). An arithmetic of each job, of its kind.
    """
    stored = dict(images)
    weights: dict[str, np.ndarray] = {}
    n_overflows = 0
    for job, arithmetic in zip(jobs, arithmetics, strict=True):
        x = _part(job, stored[job.inputs[0]])
        second = stored[job.inputs[1]] if len(job.inputs) > 1 else None
        if isinstance(job, Layer):
            assert isinstance(arithmetic, Arithmetic)
            y, n = run_layer(_with_weights(job, weights), x, second, arithmetic)
            n_overflows += n
        else:
            assert isinstance(arithmetic, VectorArithmetic)
            y = run_vector_layer(job, x, second, arithmetic)
        if isinstance(job, VectorLayer) and job.kind == "to_weights":
            weights[job.output] = y
        else:
            stored[job.output] = _placed(job.out_place, y, stored.get(job.output))
    return stored, n_overflows


def _part(job: Job, image: np.ndarray) -> np.ndarray:
    """What the job reads of its first stored tensor."""
    if job.in_place is None:
        return image
    channels = job.in_channels if isinstance(job, Layer) else job.channels
    return image[_slices(job.in_place, (job.n_images, channels, job.in_h))]


def _placed(place: Place | None, y: np.ndarray, stored: np.ndarray | None) -> np.ndarray:
    """The stored tensor with the result at its place; what no job has written is 0."""
    if place is None:
        return y
    if stored is None:
        whole = np.zeros((place.n_images, place.channels, place.lines or y.shape[2], y.shape[3]), np.int64)
    else:
        whole = stored.copy()
    whole[_slices(place, y.shape)] = y
    return whole


def _slices(place: Place, sizes: Sequence[int]) -> tuple[slice, ...]:
    starts = place.image, place.channel, place.line
    return tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=False))


def _with_weights(layer: Layer, weights: Mapping[str, np.ndarray]) -> Layer:
    if not layer.weights_from or layer.numbers is None:
        return layer
    return replace(layer, numbers=replace(layer.numbers, weights=weights[layer.weights_from]))
