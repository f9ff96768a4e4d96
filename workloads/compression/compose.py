"""Schemes: what they are, and several one after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from workloads.compression.channels import Filters
from workloads.ir import Graph


class Scheme(Protocol):
    """A graph with compressed weights, legal for `check_graph`; the graph given stays as it is."""

    def __call__(self, graph: Graph) -> Graph:
        """The compressed graph."""


@dataclass(frozen=True)
class Compose:
    """Schemes one after the other: later ones see the weights that earlier ones left."""

    schemes: tuple[Scheme, ...]

    def __call__(self, graph: Graph) -> Graph:
        for scheme in self.schemes:
            graph = scheme(graph)
        return graph


def of_same_shape(scheme: Scheme) -> Scheme:
    """The scheme with channels set to zero instead of removed: a projection of the weights onto compressed ones."""
    if isinstance(scheme, Compose):
        return Compose(tuple(of_same_shape(part) for part in scheme.schemes))
    return replace(scheme, remove=False) if isinstance(scheme, Filters) else scheme
