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
    stored, n_overflows = run_samples(jobs, arithmetics, {name: image[None] for name, image in images.items()})
    return {name: image[0] for name, image in stored.items()}, n_overflows


def run_samples(
    jobs: Sequence[Job], arithmetics: Sequence[Arithmetic | VectorArithmetic], images: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], int]:
    """`run_jobs` of many samples side by side: stored tensors have them as a further leading axis."""
    stored = dict(images)
    weights: dict[str, list[np.ndarray]] = {}
    n_overflows = 0
    for job, arithmetic in zip(jobs, arithmetics, strict=True):
        x = _part(job, stored[job.inputs[0]])
        if isinstance(job, VectorLayer) and job.kind == "to_weights":
            assert isinstance(arithmetic, VectorArithmetic)
            weights[job.output] = [run_vector_layer(job, sample, None, arithmetic) for sample in x]
            continue
        second = stored[job.inputs[1]] if len(job.inputs) > 1 else None
        if isinstance(job, Layer) and job.weights_from:
            y, n = _with_own_weights(job, weights[job.weights_from], x, second, arithmetic)
        else:
            y, n = _side_by_side(job, x, second, arithmetic)
        n_overflows += n
        stored[job.output] = _placed(job.out_place, y, stored.get(job.output))
    return stored, n_overflows


def _side_by_side(
    job: Job, x: np.ndarray, second: np.ndarray | None, arithmetic: Arithmetic | VectorArithmetic
) -> tuple[np.ndarray, int]:
    """All samples as one run of more images."""
    together = replace(job, n_images=len(x) * job.n_images)
    flat = x.reshape(-1, *x.shape[2:])
    other = None if second is None else second.reshape(-1, *second.shape[2:])
    if isinstance(together, VectorLayer):
        assert isinstance(arithmetic, VectorArithmetic)
        y, n = run_vector_layer(together, flat, other, arithmetic), 0
    else:
        assert isinstance(arithmetic, Arithmetic)
        y, n = run_layer(together, flat, other, arithmetic)
    return y.reshape(len(x), job.n_images, *y.shape[1:]), n


def _with_own_weights(
    layer: Layer, weights: Sequence[np.ndarray], x: np.ndarray, second: np.ndarray | None,
    arithmetic: Arithmetic | VectorArithmetic,
) -> tuple[np.ndarray, int]:  # fmt: skip
    """Each sample with the weights that were made of it."""
    assert isinstance(arithmetic, Arithmetic) and layer.numbers is not None
    found = [
        run_layer(
            replace(layer, numbers=replace(layer.numbers, weights=of_sample)), sample,
            None if second is None else second[index], arithmetic,
        )
        for index, (sample, of_sample) in enumerate(zip(x, weights, strict=True))
    ]  # fmt: skip
    return np.stack([y for y, _ in found]), sum(n for _, n in found)


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
        whole = np.zeros(
            (len(y), place.n_images, place.channels, place.lines or y.shape[3], y.shape[4]), np.int64
        )
    else:
        whole = stored.copy()
    whole[_slices(place, y.shape[1:])] = y
    return whole


def _slices(place: Place, sizes: Sequence[int]) -> tuple[slice, ...]:
    starts = place.image, place.channel, place.line
    return (slice(None), *(slice(start, start + size) for start, size in zip(starts, sizes, strict=False)))
