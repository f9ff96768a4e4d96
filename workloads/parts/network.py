"""Networks: some of the jobs, and of these some of the lines. A simulator does each job once, whatever its repeats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from designs.errors import InputError
from workloads.kinds.network import Network, network_of
from workloads.layer import Layer, LayerNumbers
from workloads.parts import Part
from workloads.parts.strata import choose
from workloads.vector_layer import Job, VectorLayer


def part(workload: Network, share: Fraction, name: str) -> Part:
    """Jobs that stand for all, `repeat` telling for how many, with at most `share` of the lines and of the MACs.

    A job that makes weights stays with the product that reads them, and is whole. Where the share has room for it, one
    line of the job with the largest window of lines is there: machines too small for it are found. Labelled images,
    which need every layer, are not: a part has no accuracy.
    """
    units = _units(workload.layers)
    windows = [max(_window(job) for job in unit.jobs) for unit in units]
    chosen = choose(units, share, always=windows.index(max(windows))) or choose(units, share)
    if chosen is None:
        raise InputError(f"{name}: wanted a network with jobs enough to be cut so far, got {len(units)}; ask for more")
    jobs = [job for unit in chosen.items for job in unit.jobs]
    stages = tuple(stage for stage in workload.stages if any(job.name.startswith(f"{stage.name}.") for job in jobs))
    measures = dict(zip(("lines", "macs"), chosen.work, strict=True))
    return Part(workload=replace(network_of(jobs, name), stages=stages), measures=measures)


@dataclass(frozen=True, kw_only=True)
class _Totals:
    """What jobs are measured against. MACs and values are stored integers multiplied, read or written."""

    n_jobs: int
    macs: int  # each job once, as it is simulated
    all_macs: int  # repeats counted
    all_values: int  # repeats counted

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> _Totals:
        return cls(
            n_jobs=len(jobs),
            macs=sum(job.n_macs for job in jobs),
            all_macs=sum(job.n_macs * job.repeat for job in jobs),
            all_values=sum(_n_values(job) * job.repeat for job in jobs),
        )


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """Jobs that cannot be apart: one, or one that makes weights and the product that reads them."""

    jobs: tuple[Job, ...]
    left: tuple[Fraction, ...]  # of each job, the share of its lines that is left
    totals: _Totals

    @property
    def weight(self) -> Fraction:
        """Mean of the shares of all MACs and of all values: machines are bound by the one or the other."""
        values = Fraction(sum(_n_values(job) * job.repeat for job in self.jobs), self.totals.all_values)
        if not self.totals.all_macs:
            return values
        return (values + Fraction(sum(job.n_macs * job.repeat for job in self.jobs), self.totals.all_macs)) / 2

    @property
    def work(self) -> tuple[Fraction, ...]:
        """Shares of the lines, every job having as many, and of the MACs, each job simulated once."""
        lines = sum(self.left, Fraction(0)) / self.totals.n_jobs
        macs = Fraction(sum(job.n_macs for job in self.jobs), self.totals.macs) if self.totals.macs else Fraction(0)
        return lines, macs

    def cut(self, share: Fraction) -> _Unit:
        """Jobs that make weights stay whole."""
        jobs, left = zip(*(_cut(job, share) for job in self.jobs), strict=True)
        return replace(self, jobs=jobs, left=left)

    def least(self) -> _Unit:
        """One line of each job, as wide as it was and with all taps inside the image, once."""
        cut = (_cut_lines(job, Fraction(0)) for job in self.jobs)
        jobs, left = zip(*((replace(_without_padding(job), repeat=1), left) for job, left in cut), strict=True)
        return replace(self, jobs=jobs, left=left)

    def repeated(self, n: Fraction) -> _Unit:
        return replace(self, jobs=tuple(replace(job, repeat=max(1, round(job.repeat * n))) for job in self.jobs))


def _units(jobs: Sequence[Job]) -> list[_Unit]:
    """In the order of their last job; those that make weights first, then who reads them."""
    totals = _Totals.of(jobs)
    products = {job.name for job in jobs if isinstance(job, Layer)}
    waiting: dict[str, list[Job]] = {}
    found = []
    for job in jobs:
        if isinstance(job, VectorLayer) and job.product in products:
            waiting.setdefault(job.product, []).append(job)
            continue
        together = (*waiting.pop(job.name, ()), job)
        found.append(_Unit(jobs=together, left=(Fraction(1),) * len(together), totals=totals))
    return found


def _cut(job: Job, share: Fraction) -> tuple[Job, Fraction]:
    """The first lines of a job; where one is too many, its first pixels; where one is too many, its first channels.

    Also the share that is left. Pixels are cut only where no tap reaches from one to the next, channels only of dense
    layers with constant weights.
    """
    lines = _cut_lines(job, share)
    pixels = _cut_pixels(lines[0], share / lines[1])
    channels = _cut_channels(pixels[0], share / lines[1] / pixels[1])
    return channels[0], lines[1] * pixels[1] * channels[1]


def _cut_lines(job: Job, share: Fraction) -> tuple[Job, Fraction]:
    """Whole images, or lines of one; what makes weights stays whole."""
    if isinstance(job, VectorLayer) and job.kind == "to_weights":
        return job, Fraction(1)
    lines_an_image = job.in_h if isinstance(job, VectorLayer) else job.out_h
    n_lines = job.n_images * lines_an_image
    kept = _first(n_lines, share)
    images, lines = (kept // lines_an_image, lines_an_image) if kept >= lines_an_image else (1, kept)
    left = Fraction(images * lines, n_lines)
    if isinstance(job, VectorLayer):
        return replace(job, n_images=images, in_h=lines), left
    reached = (lines - 1) * job.stride_h + job.kernel_h - job.pad_top
    in_h = job.in_h if lines == job.out_h else max(1, min(job.in_h, reached))
    return replace(job, n_images=images, in_h=in_h, out_h=lines), left


def _without_padding(job: Job) -> Job:
    """A job of one line as one from the middle of the image: it holds as many lines as a tile needs at least."""
    return replace(job, pad_top=0, in_h=job.kernel_h) if isinstance(job, Layer) and job.pad_top > 0 else job


def _cut_pixels(job: Job, share: Fraction) -> tuple[Job, Fraction]:
    if isinstance(job, VectorLayer):
        if job.kind == "to_weights" or share >= 1:
            return job, Fraction(1)
        pixels = _first(job.in_w, share)
        return replace(job, in_w=pixels), Fraction(pixels, job.in_w)
    if share >= 1 or not (job.kernel_w == job.stride_w == 1 and job.in_w == job.out_w):
        return job, Fraction(1)
    pixels = _first(job.out_w, share)
    return replace(job, in_w=pixels, out_w=pixels), Fraction(pixels, job.out_w)


def _cut_channels(job: Job, share: Fraction) -> tuple[Job, Fraction]:
    if isinstance(job, VectorLayer) or share >= 1 or job.kind != "conv" or job.groups > 1 or job.weights_from:
        return job, Fraction(1)
    channels = _first(job.out_channels, share)
    numbers = job.numbers and _first_channels(job.numbers, channels)
    return replace(job, out_channels=channels, numbers=numbers), Fraction(channels, job.out_channels)


def _first(n: int, share: Fraction) -> int:
    return max(1, math.floor(n * share))


def _first_channels(numbers: LayerNumbers, n: int) -> LayerNumbers:
    def first(values: np.ndarray | None) -> np.ndarray | None:
        return values if values is None or len(values) == 1 else values[:n]

    return replace(numbers, weights=first(numbers.weights), bias=first(numbers.bias), scale=first(numbers.scale))


def _window(job: Job) -> int:
    """Pixels of the lines that one output line reads; 0 of a vector layer."""
    return job.kernel_h * job.in_w if isinstance(job, Layer) else 0


def _n_values(job: Job) -> int:
    """Values read and written, weights among them, each once."""
    if isinstance(job, VectorLayer):
        return math.prod(job.shape) * (3 if job.kind == "add" else 2)
    read = job.in_channels * job.in_h * job.in_w
    written = job.out_channels * job.out_h * job.out_w * (1 + job.residual)
    return job.n_images * (read + written) + job.n_weights
