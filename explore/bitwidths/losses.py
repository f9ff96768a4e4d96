"""What narrow tensors cost: measured on labelled samples by the exact interpreter, one tensor at a time or together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from explore.kept import kept
from explore.progress import Steps
from workloads.bitwidths.problem import Bits, Problem
from workloads.bitwidths.requantized import run_samples, seen_distributions, with_bits
from workloads.bitwidths.thresholds import power_of_two
from workloads.compression.quantize import Granularity
from workloads.digits import digits_split
from workloads.encoders.calibrate import Distribution
from workloads.files import graph_digest
from workloads.ir import Graph

LEAST_LOSS = 1e-6  # of a tensor at less than its full width: noise of the measurement does not make it better


class Measured(NamedTuple):
    """A network on labelled samples."""

    cross_entropy: float  # mean, natural logarithm
    accuracy: float


@dataclass
class Samples:
    """Labelled samples of a network's input: stored integers (n, ...), and a class each."""

    values: np.ndarray
    labels: np.ndarray

    @classmethod
    def training_digits(cls, n: int) -> Samples:
        """The first n training images of the digits networks."""
        images, _, labels, _ = digits_split()
        return cls(images[:n], labels[:n])

    @classmethod
    def test_digits(cls) -> Samples:
        """The test images of the digits networks."""
        _, images, _, labels = digits_split()
        return cls(images, labels)


def measured(graph: Graph, samples: Samples, rounding: str = "multiplier_shift") -> Measured:
    """Cross entropy of the softmax of the one output, and the share labelled right, in the machine's rounding."""
    (name,) = graph.outputs
    stored = run_samples(graph, samples.values, rounding)[name]
    logits = graph.by_name[name].dequantize(stored).astype(np.float64).reshape(len(samples.values), -1)
    shifted = logits - logits.max(axis=1, keepdims=True)
    of_label = shifted[np.arange(len(logits)), samples.labels] - np.log(np.exp(shifted).sum(axis=1))
    return Measured(float(-of_label.mean()), float(np.mean(logits.argmax(axis=1) == samples.labels)))


@dataclass
class LossMeter:
    """Measures a network at chosen widths; what was measured is remembered."""

    graph: Graph
    samples: Samples  # that scales are fitted to and losses are measured on
    granularity: Granularity = "channel"  # of weight scales that are no powers of two
    power_of_two: bool = False  # scales, of weights and activations
    n_measured: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._known: dict[tuple[tuple[str, int], ...], float] = {}

    @cached_property
    def _seen(self) -> Mapping[str, Distribution]:
        return seen_distributions(self.graph, self.samples.values)

    def requantized(self, bits: Bits) -> Graph:
        """The network at these widths; tensors without one keep theirs."""
        own = {name: width for name, width in bits.items() if self._is_stored(name)}
        if self.power_of_two:
            return power_of_two(self.graph, self.samples.values, own)
        return with_bits(self.graph, own, self._seen, granularity=self.granularity)

    def loss(self, bits: Bits) -> float:
        """Cross entropy at these widths, less that of the network at its own widths."""
        if () not in self._known:
            self._known[()] = self._cross_entropy(self.requantized({}))
        key = tuple(sorted((n, b) for n, b in bits.items() if self._is_stored(n) and b != self.graph.by_name[n].bits))
        if key not in self._known:
            self._known[key] = self._cross_entropy(self.requantized(dict(key)))
        return self._known[key] - self._known[()]

    def _cross_entropy(self, graph: Graph) -> float:
        self.n_measured += 1
        return measured(graph, self.samples).cross_entropy

    def _is_stored(self, name: str) -> bool:
        return name not in (*self.graph.inputs, *self.graph.outputs)


def measured_losses(
    problem: Problem, meter: LossMeter, progress: Steps | None = None
) -> dict[str, dict[int, float]]:
    """The loss of each free tensor alone at each width: `max(rise of the cross entropy, 1e-6)`, 0 at its widest.

    As in the light pipeline of Hubara et al. 2021. Kept in the user's cache.
    """
    key = (
        graph_digest(meter.graph), meter.granularity, meter.power_of_two, meter.samples.values.tolist(),
        meter.samples.labels.tolist(), [(tensor.name, tensor.bits) for tensor in problem.free],
    )  # fmt: skip

    def measure() -> list[list[float]]:
        pairs = [(tensor, width) for tensor in problem.free for width in tensor.bits[:-1]]
        rises = []
        for i, (tensor, width) in enumerate(pairs):
            rises.append(max(meter.loss({tensor.name: width}), LEAST_LOSS))
            if progress is not None:
                progress("losses, one tensor at a time", i + 1, len(pairs))
        left = iter(rises)
        return [[next(left) for _ in tensor.bits[:-1]] + [0.0] for tensor in problem.free]

    table = kept("bitwidth_losses", key, (__name__,), measure)
    return {t.name: dict(zip(t.bits, row, strict=True)) for t, row in zip(problem.free, table, strict=True)}
