"""The three classifiers of PoET-BiN by their shapes, with tables that stand in for the trained ones.

Shapes are those of the authors' released code (onsabbatical/PoET-BiN): 512 binary features, RINC-2 modules in place of
the last hidden layer, and for each class a score of 8 bits, each bit one table of the class's own neurons. Tables of
trees are random, those of votes are threshold functions of random weights, those of scores are rounded weighted sums:
of the right kind, but not trained, so that only what shapes determine may be read off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from workloads import truth_tables
from workloads.classifiers.build import build_classifier
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.data import data_set
from workloads.classifiers.encode import Encoding
from workloads.classifiers.rinc import Module, Tree, Vote, vote_table
from workloads.classifiers.structure import RincStructure

N_CLASSES = 10
SCORE_BITS = 8


@dataclass(frozen=True, kw_only=True)
class PoetBin:
    """One classifier of the paper."""

    data: str
    layer_sizes: tuple[int, ...]  # of the teacher: features, hidden layers, intermediate neurons; then its classes
    tree_inputs: int  # P
    top_modules: int  # RINC-1 modules of a RINC-2

    def __post_init__(self) -> None:
        if 2 in (self.tree_inputs, self.top_modules):
            raise ValueError(f"{self.data}: wanted votes of 1 or of 3 and more, got 2: the heavier one alone decides")

    @property
    def n_neurons(self) -> int:
        return self.layer_sizes[-1]

    @property
    def n_macs(self) -> int:
        """Of the teacher: dense layers, and classes that each read their own neurons only."""
        return sum(n_inputs * n_outputs for n_inputs, n_outputs in pairwise(self.layer_sizes)) + self.n_neurons


MNIST = PoetBin(data="MNIST", layer_sizes=(512, 512, 80), tree_inputs=8, top_modules=4)
CIFAR10 = PoetBin(data="CIFAR-10", layer_sizes=(512, 4096, 4096, 80), tree_inputs=8, top_modules=5)
SVHN = PoetBin(data="SVHN", layer_sizes=(512, 1024, 1024, 60), tree_inputs=6, top_modules=6)


def stand_in(shape: PoetBin, *, n_samples: int, toggle_rate: float, seed: int = 0) -> Classifier:
    """A circuit of this shape that answers with scores, and random samples without labels.

    From one sample to the next each input changes with the probability `toggle_rate`. The same seed, the same circuit.
    """
    rng = np.random.default_rng(seed)
    n_features = shape.layer_sizes[0]
    structure = RincStructure(
        encoding=Encoding(features=np.arange(n_features), thresholds=np.ones(n_features, np.int64)),
        modules=tuple(_module(shape, rng) for _ in range(shape.n_neurons)),
        score_tables=_score_tables(shape, rng),
        score_bits=SCORE_BITS,
    )
    changes = rng.random((n_samples, n_features)) < toggle_rate
    samples = (rng.integers(0, 2, n_features) + changes.cumsum(axis=0)) % 2, np.zeros(n_samples, np.int64)
    data = data_set(f"{shape.data} by shape", samples, samples, feature_bits=1, n_classes=N_CLASSES)
    return replace(build_classifier(structure, data, "scores", {}), labels=None)


def _module(shape: PoetBin, rng: np.random.Generator) -> Module:
    inner = [_vote([_tree(shape, rng) for _ in range(shape.tree_inputs)], rng) for _ in range(shape.top_modules)]
    return _vote(inner, rng)


def _tree(shape: PoetBin, rng: np.random.Generator) -> Module:
    features = rng.choice(shape.layer_sizes[0], shape.tree_inputs, replace=False)
    return Tree(features=tuple(features.tolist()), table=rng.integers(0, 2, 1 << shape.tree_inputs, np.uint8))


def _vote(members: list[Module], rng: np.random.Generator) -> Module:
    """A vote in which each member can turn the scale: formulas count all of them."""
    n = len(members)
    while True:
        weights = rng.uniform(0.5, 1.0, n)
        table = vote_table(weights)
        if len(truth_tables.support(truth_tables.from_entries(table), n)) == n:
            return Vote(members=tuple(members), weights=weights, table=table)


def _score_tables(shape: PoetBin, rng: np.random.Generator) -> np.ndarray:
    """round(128 clip(s / 2, -1, 1 - 1/128)) of the weighted sum s of a class's neurons, weights from -1 to 1."""
    per_class = shape.n_neurons // N_CLASSES
    bits = np.arange(1 << per_class)[:, None] >> np.arange(per_class) & 1
    sums = rng.uniform(-1.0, 1.0, (N_CLASSES, per_class)) @ (2 * bits - 1).T
    steps = 1 << (SCORE_BITS - 1)
    return np.rint(steps * np.clip(sums / 2, -1, 1 - 1 / steps)).astype(np.int64)
