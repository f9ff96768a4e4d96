"""What training gives, before it is a circuit: binary features, tables, and integer scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.classifiers.boosted import VotingTree, scores_of
from workloads.classifiers.encode import Encoding
from workloads.classifiers.rinc import Module, evaluate
from workloads.classifiers.teacher import Teacher


@dataclass(frozen=True, kw_only=True, eq=False)
class RincStructure:
    """RINC modules in place of the teacher's intermediate neurons, and a score table for each class."""

    encoding: Encoding
    modules: tuple[Module, ...]  # neurons_per_class of class 0, then of class 1, ...
    score_tables: np.ndarray  # (n_classes, 2^neurons_per_class) int64; a class's first neuron is the least significant
    score_bits: int  # of an entry, two's complement

    @property
    def n_classes(self) -> int:
        return len(self.score_tables)

    def neurons(self, features: np.ndarray) -> np.ndarray:
        """What the modules say: (n_samples, n_features) integers -> (n_samples, n_neurons) uint8."""
        bits = self.encoding.encode(features)
        return np.stack([evaluate(module, bits) for module in self.modules], axis=1)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n_samples, n_features) integers -> (n_samples, n_classes) int64; the answer is the first largest."""
        grouped = self.neurons(features).reshape(len(features), self.n_classes, -1).astype(np.int64)
        index = grouped @ (1 << np.arange(grouped.shape[2]))
        return np.take_along_axis(self.score_tables, index.T, axis=1).T


@dataclass(frozen=True, kw_only=True, eq=False)
class BoostedStructure:
    """Trees that vote for the classes."""

    encoding: Encoding
    trees: tuple[tuple[VotingTree, ...], ...]  # of each class
    vote_bits: int  # 1: votes are 0 or 1; else two's complement

    @property
    def n_classes(self) -> int:
        return len(self.trees)

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n_samples, n_features) integers -> (n_samples, n_classes) int64; the answer is the first largest."""
        return scores_of(self.trees, self.encoding.encode(features))


Structure = RincStructure | BoostedStructure


def score_tables(teacher: Teacher, neurons: np.ndarray, score_bits: int) -> np.ndarray:
    """The teacher's output layer as tables of integers: (n_classes, 2^neurons_per_class) int64 of `score_bits` bits.

    A score s becomes round(2^(q-1) clip(s / 2, -1, 1 - 2^(1-q))), PoET-BiN's fixed point; before that, all scores are
    moved and scaled alike, which no argmax sees, so that those of the samples with these `neurons` (n_samples,
    n_neurons) just fill -2 to 2.
    """
    n_classes, per_class = teacher.score_weights.shape
    of_samples = teacher.scores(neurons).astype(np.float64)
    middle = (of_samples.max() + of_samples.min()) / 2
    half = max((of_samples.max() - of_samples.min()) / 2, 1e-9)
    rows = (np.arange(1 << per_class)[:, None] >> np.arange(per_class)) & 1
    every = teacher.scores(np.tile(rows, (1, n_classes)).astype(np.uint8)).T.astype(np.float64)
    steps = 1 << (score_bits - 1)
    share = np.clip((every - middle) / half, -1, 1 - 1 / steps)
    return np.rint(share * steps).astype(np.int64)
