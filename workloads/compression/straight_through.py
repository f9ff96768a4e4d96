"""Training under a scheme, straight through: the loss is that of the compressed weights, its gradient moves real ones.

Each step compresses the real weights anew, so that a weight that was cut may come back. Channels are removed once,
before. It is what few steps are enough for; `lc` needs more of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.compression.adam import Adam, by_layer, falling, flat
from workloads.compression.channels import Filters
from workloads.compression.compose import Compose, Scheme
from workloads.compression.differentiate import Batches, Differentiable
from workloads.compression.quantize import reals, with_reals
from workloads.ir import Graph


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How long and how hard."""

    n_batches: int = 96  # steps of Adam; 0: the scheme alone
    rate: float = 1e-2  # of Adam, falling with half a cosine; chosen by explore.compression.trainers


def tuned_graph(
    graph: Graph, scheme: Scheme, batches: Batches, *, seed: int, settings: Settings | None = None
) -> Graph:
    """The graph compressed by the scheme and trained under it: a function of the arguments and the seed.

    The real weights are what the graph's integers mean; its activations keep their types.
    """
    settings = settings or Settings()
    if settings.n_batches == 0:
        return scheme(graph)
    smaller, rest = _without_channels(graph, scheme)
    network, rng = Differentiable(smaller), np.random.default_rng(seed)
    w = flat(reals(smaller), np.float32)
    adam = Adam(w)
    for step in range(settings.n_batches):
        compressed = flat(reals(rest(with_reals(smaller, by_layer(w)))), np.float32)
        gradients = flat(network.gradients(by_layer(compressed), *batches(rng))[1])
        w = adam.step(w, gradients, falling(settings.rate, step, settings.n_batches))
    return rest(with_reals(smaller, by_layer(w)))


def _without_channels(graph: Graph, scheme: Scheme) -> tuple[Graph, Scheme]:
    """The graph after the schemes that remove channels, as long as they come first, and the schemes after them."""
    parts = list(scheme.schemes) if isinstance(scheme, Compose) else [scheme]
    while parts and isinstance(parts[0], Filters):
        graph = parts.pop(0)(graph)
    return graph, Compose(tuple(parts))
