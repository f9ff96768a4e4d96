"""One training tells the accuracy of all smaller machines; the smallest is the one of the fewest LUTs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designs.families.lut import Design
from explore.families.lut.boosted_sweep import BoostedSweep, accuracy_by_trees, smallest, sweep_boosted
from workloads.classifiers.data import DataSet, data_set
from workloads.classifiers.training import train
from workloads.kinds.classification import classification_of
from workloads.mapping.lut import circuit_of

pytestmark = pytest.mark.usefixtures("own_cache")

DESIGN = Design(classifier="boosted", tree_inputs=2, trees_per_class=4, score_bits=1)


@pytest.fixture(scope="module")
def data() -> DataSet:
    return data_set("rows", _rows(300, 0), _rows(200, 1), feature_bits=1, n_classes=3)


def _rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Of 10 bits 6 count: the class is how many of three pairs agree, 2 and 3 being one."""
    bits = np.random.default_rng(seed).integers(0, 2, (n, 10))
    return bits, np.minimum((bits[:, 0:6:2] == bits[:, 1:6:2]).sum(axis=1), 2)


def test_curve_is_that_of_each_number_of_trees(data: DataSet) -> None:
    curve = accuracy_by_trees(DESIGN, data)
    alone = [train(replace(DESIGN, trees_per_class=n), data).facts["accuracy"] for n in (1, 2, 3, 4)]
    assert curve == alone and len(set(curve)) > 1
    assert accuracy_by_trees(DESIGN, data) == curve  # as it was kept


def test_sweep_goes_over_all_designs_and_sets(data: DataSet) -> None:
    other = data_set("others", _rows(300, 2), _rows(200, 3), feature_bits=1, n_classes=3)
    told: list[tuple[int, int]] = []
    found = sweep_boosted(
        [data, other], tree_inputs=(2, 3), thresholds=(1,), most_trees=3, told=lambda *step: told.append(step)
    )
    assert [(d.tree_inputs, d.thresholds, d.trees_per_class) for d in found.designs] == [(2, 1, 3), (3, 1, 3)]
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4)]
    by_hand = np.mean([accuracy_by_trees(found.designs[1], one) for one in (data, other)], axis=0)
    assert found.accuracies[1].tolist() == by_hand.tolist()


def test_choices() -> None:
    designs = tuple(replace(DESIGN, tree_inputs=n) for n in (2, 3, 4))
    curves = np.array([[0.5, 0.7, 0.95, 0.96], [0.5, 0.951, 0.9, 0.97], [0.9, 0.92, 0.97, 0.94]])
    found = BoostedSweep(designs=designs, accuracies=curves)
    assert [(d.tree_inputs, d.trees_per_class) for d in found.first_above(0.95, 1)] == [(2, 4), (3, 2), (4, 3)]
    assert [(d.tree_inputs, d.trees_per_class) for d in found.first_above(0.9, 2)] == [(2, 3), (2, 4), (3, 2), (3, 4), (4, 2), (4, 3)]
    assert list(found.first_above(0.97)) == []
    best = found.most_accurate()
    assert (best.tree_inputs, best.trees_per_class) == (4, 3)  # as accurate as 4 trees of the second


def test_smallest(data: DataSet) -> None:
    candidates = [replace(DESIGN, trees_per_class=n) for n in (4, 2, 3)]
    n_luts = [circuit_of(design, train(design, data).netlist).netlist.n_luts for design in candidates]
    assert len(set(n_luts)) == 3
    assert smallest(candidates, [classification_of(data)]) == candidates[n_luts.index(min(n_luts))]
