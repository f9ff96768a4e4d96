"""Boosted LUT machines by size and accuracy: one training gives the machines of all smaller numbers of trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from designs.families.lut import Design
from explore.kept import kept
from sim.families import lut
from workloads.classifiers.data import DataSet
from workloads.classifiers.training import boosted_structure
from workloads.kinds.classification import Classification

Told = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class BoostedSweep:
    """Test accuracies of boosted machines, averaged over data sets, for every number of trees a class."""

    designs: tuple[Design, ...]  # with the most trees a class
    accuracies: np.ndarray  # (n_designs, trees_per_class): column i is for i + 1 trees a class

    def most_accurate(self) -> Design:
        """The highest mean accuracy; of equals the fewest trees, then the first design."""
        n_trees = self.accuracies.argmax(axis=1)
        best = self.accuracies.max(axis=1)
        first = min(range(len(self.designs)), key=lambda index: (-best[index], n_trees[index]))
        return replace(self.designs[first], trees_per_class=int(n_trees[first]) + 1)

    def first_above(self, accuracy: float, n_each: int = 3) -> Iterator[Design]:
        """Of each design the `n_each` lowest numbers of trees a class whose mean accuracy is above this.

        The lowest need not have the fewest LUTs: some numbers of votes are easier to count than one less.
        """
        for design, curve in zip(self.designs, self.accuracies, strict=True):
            for column in np.flatnonzero(curve > accuracy)[:n_each].tolist():
                yield replace(design, trees_per_class=column + 1)


def sweep_boosted(
    sets: Sequence[DataSet],
    *,
    tree_inputs: Sequence[int],
    thresholds: Sequence[int],
    most_trees: int,
    told: Told | None = None,
) -> BoostedSweep:
    """All combinations, one training each and data set, kept in the user's cache; votes are one bit."""
    designs = tuple(
        Design(classifier="boosted", tree_inputs=n, thresholds=t, trees_per_class=most_trees, score_bits=1)
        for n, t in product(tree_inputs, thresholds)
    )
    curves: list[np.ndarray] = []
    for design in designs:
        of_design: list[list[float]] = []
        for data in sets:
            if told:
                told(len(curves) * len(sets) + len(of_design), len(designs) * len(sets))
            of_design.append(accuracy_by_trees(design, data))
        curves.append(np.mean(of_design, axis=0))
    return BoostedSweep(designs=designs, accuracies=np.array(curves))


def accuracy_by_trees(design: Design, data: DataSet) -> list[float]:
    """Test accuracy with 1, 2, ... `design.trees_per_class` trees a class."""
    made_by = ("workloads.classifiers.training", __name__)
    return kept("boosted_sweep", (data.digest, design.trained), made_by, lambda: _by_trees(design, data))


def _by_trees(design: Design, data: DataSet) -> list[float]:
    structure = boosted_structure(design, data)
    scores = np.zeros((len(data.labels_test), structure.n_classes), np.int64)
    found = []
    for n in range(design.trees_per_class):
        scores += replace(structure, trees=tuple(trees[n : n + 1] for trees in structure.trees)).scores(
            data.features_test
        )
        found.append(float(np.mean(scores.argmax(axis=1) == data.labels_test)))
    return found


def smallest(candidates: Sequence[Design], workloads: Sequence[Classification], told: Told | None = None) -> Design:
    """The design of the fewest LUTs, averaged over the workloads."""
    n_luts: list[np.floating] = []
    for design in candidates:
        if told:
            told(len(n_luts), len(candidates))
        n_luts.append(np.mean([lut.simulate([design], workload)[0].figures["luts"] for workload in workloads]))
    return candidates[int(np.argmin(n_luts))]
