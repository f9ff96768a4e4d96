"""Learning-compression: weights are trained while they are drawn to compressed ones (Condensa's optimizer, L-C).

To minimize the loss L(w) where w = D(T), the numbers that compressed weights T stand for, with multipliers l and a
growing penalty mu (augmented Lagrangian, alternating):

- L step: steps of Adam on L(w) with the gradient `dL/dw + mu (w - D(T)) - l`;
- C step: `T = P(w - l / mu)`, the projection P is a compression scheme; `l -= mu (w - D(T))`; mu grows up to a cap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from workloads.compression.adam import Adam, Weights, by_layer, falling, flat
from workloads.compression.compose import Scheme, of_same_shape
from workloads.compression.differentiate import Batches, Differentiable
from workloads.compression.quantize import reals, with_reals
from workloads.ir import Graph


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long and how hard."""

    n_compressions: int = 20  # C steps, each after an L step
    n_batches: int = 8  # steps of Adam an L step
    rate: float = 1e-2  # of Adam, falling with half a cosine over all L steps; with mu: by explore.compression.trainers
    mu: float = 0.1  # first penalty
    growth: float = 1.5  # of mu from one C step to the next
    mu_cap: float = 1000.0


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What came out."""

    weights: Weights  # w - l / mu, whose projection is the answer
    compressed: Weights  # D(T)
    residuals: tuple[float, ...]  # |w - D(T)| / |D(T)| after each C step


def learn(
    start: Mapping[str, np.ndarray],
    gradient: Callable[[Weights], Mapping[str, np.ndarray]],
    project: Callable[[Weights], Weights],
    settings: Settings,
) -> Learned:
    """L-C from `start`: `gradient` is that of the loss (it may draw a batch), `project` gives D(P(w))."""
    w = {name: np.array(value) for name, value in start.items()}
    multipliers = {name: np.zeros_like(value) for name, value in w.items()}
    target, shifted, adam = project(w), w, Adam(w)
    n_steps, step, mu, residuals = settings.n_compressions * settings.n_batches, 0, settings.mu, []
    for _ in range(settings.n_compressions):
        for _ in range(settings.n_batches):
            loss = gradient(w)
            drawn = {name: loss[name] + mu * (w[name] - target[name]) - multipliers[name] for name in w}
            w = adam.step(w, drawn, falling(settings.rate, step, n_steps))
            step += 1
        shifted = {name: w[name] - multipliers[name] / mu for name in w}
        target = project(shifted)
        for name in w:
            multipliers[name] = multipliers[name] - mu * (w[name] - target[name])
        residuals.append(_distance(w, target))
        mu = min(mu * settings.growth, settings.mu_cap)
    return Learned(weights=shifted, compressed=target, residuals=tuple(residuals))


def learned_graph(
    graph: Graph, scheme: Scheme, batches: Batches, *, seed: int, settings: Settings | None = None
) -> tuple[Graph, tuple[float, ...]]:
    """(the graph compressed by the scheme and trained under it, residuals): a function of the arguments and the seed.

    The real weights are what the graph's integers mean; its activations keep their types. Channels that the scheme
    removes are set to zero while it trains, so that others may take their places.
    """
    network, rng, projection = Differentiable(graph), np.random.default_rng(seed), of_same_shape(scheme)

    def gradient(w: Weights) -> Weights:
        return flat(network.gradients(by_layer(w), *batches(rng))[1])

    def project(w: Weights) -> Weights:
        return flat(reals(projection(with_reals(graph, by_layer(w)))), np.float32)

    learned = learn(flat(reals(graph), np.float32), gradient, project, settings or Settings())
    return scheme(with_reals(graph, by_layer(learned.weights))), learned.residuals


def _distance(w: Weights, target: Weights) -> float:
    apart = sum(float(((w[name] - target[name]) ** 2).sum()) for name in w)
    size = sum(float((target[name] ** 2).sum()) for name in w)
    return float(np.sqrt(apart / size)) if size else float(np.sqrt(apart))
