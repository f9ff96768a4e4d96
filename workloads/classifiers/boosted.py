"""Level-wise trees boosted on the labels: each class's score is a sum of small integers, one LUT lookup a tree.

Not in PoET-BiN: its building block, the tree of one LUT (rinc.Tree), grown by softmax gradient boosting instead of as a
copy of a neuron. In every round each class gets one tree, all from the same probabilities: with p = softmax(unit *
scores), G = [label = class] - p and H = p (1 - p), a level splits all its nodes on the feature with the largest gain,
sum over the children of (sum of G)^2 / (sum of H + 1), of equal ones the first; a feature is not offered again in the
tree. A leaf votes by v = (sum of G) / (sum of H + 1):

- `vote_bits` = 1: 1 where v > 0, else 0; a class's score is the number of its trees that say 1. Training counts a vote
  as a STEP up or down: unit = 2 STEP.
- q bits: v in multiples of unit = STEP / 2^(q-1), rounded and limited to -2^(q-1) .. 2^(q-1) - 1.

STEP was chosen on samples held out of the training samples of digits (splits 0 to 4, four times each): from 0.4 to 0.6
accuracy is flat, at 0.3 it is 0.1 to 1 points lower for 30 to 6 trees a class of one bit.

The scores that training itself sees are those sums of integers, so a circuit that adds votes is the trained classifier
to the bit. G and H are rounded to multiples of about 2^-51 of the number of samples and summed as integers, and the
exponentials come from one table: neither threads nor the order of anything changes a tree.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.classifiers import kernels
from workloads.classifiers.rinc import rows_of

STEP = 0.5  # the most that one tree adds to the argument of the softmax, or takes from it
MOST_VOTE_BITS = 16
_LEAST_EXPONENT = -60.0  # exp of less is 0 beside the 1 of the best class


@dataclass(frozen=True, eq=False)
class VotingTree:
    """A LUT that votes for one class. `votes` (2^P,) int64; the first feature is the most significant index bit."""

    features: tuple[int, ...]
    votes: np.ndarray


def train_boosted(
    packed: np.ndarray,
    n_samples: int,
    labels: np.ndarray,
    n_classes: int,
    *,
    tree_inputs: int,
    trees_per_class: int,
    vote_bits: int,
    progress: Callable[[int, int], None] | None = None,
    n_threads: int | None = None,
) -> tuple[tuple[VotingTree, ...], ...]:
    """For each class its trees, in the order they were grown.

    packed: binary features from rinc.pack; labels (n_samples,) integers from 0 to n_classes - 1. `progress(n_done,
    n_all)` counts trees after each round. Nothing here is random.
    """
    _check(packed, n_samples, labels, n_classes, tree_inputs, vote_bits)
    growth = _Growth(rows_of(packed, n_samples), len(packed), tree_inputs, vote_bits)
    is_class = labels[None, :] == np.arange(n_classes)[:, None]
    scores = np.zeros((n_classes, n_samples), np.int64)
    trees: list[list[VotingTree]] = [[] for _ in range(n_classes)]
    with ThreadPoolExecutor(n_threads or os.cpu_count(), "boosted") as executor:
        for n_rounds in range(trees_per_class):
            if progress:
                progress(n_rounds * n_classes, trees_per_class * n_classes)
            shares = probabilities(scores, growth.unit)
            for c, (tree, votes) in enumerate(executor.map(growth.grow, is_class, shares)):
                trees[c].append(tree)
                scores[c] += votes
    if progress:
        progress(trees_per_class * n_classes, trees_per_class * n_classes)
    return tuple(map(tuple, trees))


def scores_of(trees: Sequence[Sequence[VotingTree]], bits: np.ndarray) -> np.ndarray:
    """Sums of the votes: (n_samples, n_features) of 0 and 1 -> (n_samples, n_classes) int64; the answer is argmax."""
    found = np.zeros((len(bits), len(trees)), np.int64)
    for c, of_class in enumerate(trees):
        for tree in of_class:
            index = bits[:, tree.features].astype(np.int64) @ (1 << np.arange(len(tree.features))[::-1])
            found[:, c] += tree.votes[index]
    return found


def probabilities(scores: np.ndarray, unit: float) -> np.ndarray:
    """Softmax of unit * scores over the classes: (n_classes, n_samples) integers -> float64 of the same shape."""
    below = scores - scores.max(axis=0)
    lowest = max(int(below.min()), math.floor(_LEAST_EXPONENT / unit))
    table = np.array([math.exp(unit * step) for step in range(lowest, 1)])
    powers = table[np.maximum(below, lowest) - lowest]
    whole = np.zeros(scores.shape[1])
    for of_class in powers:  # one after another, since numpy's sum may change its order
        whole += of_class
    return powers / whole


@dataclass(frozen=True)
class _Growth:
    """Growing of one tree, on what all share."""

    rows: np.ndarray
    n_features: int
    tree_inputs: int
    vote_bits: int

    @property
    def unit(self) -> float:
        """What a vote of 1 adds to the argument of the softmax."""
        return 2 * STEP if self.vote_bits == 1 else STEP / (1 << (self.vote_bits - 1))

    def grow(self, is_class: np.ndarray, shares: np.ndarray) -> tuple[VotingTree, np.ndarray]:
        """A tree for one class, and its votes (n_samples,)."""
        scale = 2.0 ** (kernels.TOTAL_BITS - len(shares).bit_length())
        values = np.rint(np.stack([is_class - shares, shares * (1.0 - shares)]) * scale).astype(np.int64)
        features = np.zeros(self.tree_inputs, np.int64)
        totals = kernels.grow_by_gain(self.rows, self.n_features, values, 1.0 / scale, features)
        votes = self._votes(totals / scale)
        leaf = np.empty(len(shares), np.int64)
        kernels.leaves(self.rows, features, leaf)
        return VotingTree(features=tuple(map(int, features)), votes=votes), votes[leaf]

    def _votes(self, sums: np.ndarray) -> np.ndarray:
        """Votes of leaves with these sums (n_leaves, 2) of G and H."""
        if self.vote_bits == 1:
            return (sums[:, 0] > 0.0).astype(np.int64)
        values = np.rint(sums[:, 0] / (sums[:, 1] + 1.0) / self.unit)
        limit = 1 << (self.vote_bits - 1)
        return np.clip(values, -limit, limit - 1).astype(np.int64)


def _check(
    packed: np.ndarray, n_samples: int, labels: np.ndarray, n_classes: int, tree_inputs: int, vote_bits: int
) -> None:
    if labels.shape != (n_samples,) or n_samples < 1:
        raise InputError(
            f"labels: wanted the shape ({n_samples},), one or more, got {labels.shape}; give each sample one"
        )
    if int(labels.min()) < 0 or int(labels.max()) >= n_classes:
        raise InputError(
            f"labels: wanted 0 to {n_classes - 1}, got {int(labels.min())} to {int(labels.max())}; number the classes"
        )
    if not 1 <= tree_inputs <= len(packed):
        raise InputError(
            f"tree_inputs: wanted 1 to {len(packed)}, as there are binary features, got {tree_inputs}; take fewer"
        )
    if not 1 <= vote_bits <= MOST_VOTE_BITS:
        raise InputError(f"vote_bits: wanted 1 to {MOST_VOTE_BITS}, got {vote_bits}; 1 counts trees")
