"""Trees boosted on labels: a round by hand, a plain definition, and what they reach on digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.classifiers.rinc_definition import Bits, children
from workloads.classifiers import boosted, rinc
from workloads.classifiers.data import digits
from workloads.classifiers.encode import noisy, thermometer


def defined_tree(bits: Bits, values: list[tuple[int, int]], unit: float, n_inputs: int) -> tuple[list[int], list[Any]]:
    """(features, sums of both values in every leaf): the first feature of largest gain for all nodes of a level."""
    nodes = [list(range(len(bits)))]
    offered = list(range(len(bits[0])))
    chosen = []

    def sums(node: list[int]) -> tuple[float, float]:
        return sum(values[i][0] for i in node) * unit, sum(values[i][1] for i in node) * unit

    for _ in range(n_inputs):
        gains = []
        for feature in offered:
            gain = 0.0
            after = children(bits, nodes, feature)
            for zero, one in zip(after[::2], after[1::2], strict=True):  # node by node, as the kernel adds
                (g1, h1), (g0, h0) = sums(one), sums(zero)
                gain += g1 * g1 / (h1 + 1.0) + g0 * g0 / (h0 + 1.0)
            gains.append(gain)
        best = offered[gains.index(max(gains))]
        chosen.append(best)
        offered.remove(best)
        nodes = children(bits, nodes, best)
    return chosen, [sums(node) for node in nodes]


def defined_votes(sums: list[tuple[float, float]], vote_bits: int) -> list[int]:
    if vote_bits == 1:
        return [int(g > 0) for g, _ in sums]
    limit = 1 << (vote_bits - 1)
    unit = boosted.STEP / limit
    return [max(-limit, min(limit - 1, round(g / (h + 1.0) / unit))) for g, h in sums]


def defined_trees(
    bits: Bits, labels: list[int], n_classes: int, n_inputs: int, n_rounds: int, vote_bits: int
) -> list[list[tuple[list[int], list[int]]]]:
    unit = 2 * boosted.STEP if vote_bits == 1 else boosted.STEP / (1 << (vote_bits - 1))
    scale = 2.0 ** (51 - len(bits).bit_length())
    scores = [[0] * n_classes for _ in bits]
    trees: list[list[tuple[list[int], list[int]]]] = [[] for _ in range(n_classes)]
    for _ in range(n_rounds):
        powers = [[math.exp(unit * (score - max(row))) for score in row] for row in scores]
        new = [list(row) for row in scores]
        for c in range(n_classes):
            shares = []
            for row in powers:
                whole = 0.0
                for power in row:  # Python's sum would compensate
                    whole += power
                shares.append(row[c] / whole)
            values = [
                (round(((label == c) - p) * scale), round(p * (1.0 - p) * scale))
                for label, p in zip(labels, shares, strict=True)
            ]
            features, sums = defined_tree(bits, values, 1 / scale, n_inputs)
            votes = defined_votes(sums, vote_bits)
            trees[c].append((features, votes))
            for i, row in enumerate(bits):
                new[i][c] += votes[int("".join(str(row[f]) for f in features), 2)]
        scores = new
    return trees


def plain(trees: Any) -> list[list[tuple[list[int], list[int]]]]:
    return [[(list(tree.features), tree.votes.tolist()) for tree in of_class] for of_class in trees]


@given(
    seed=st.integers(0, 2**20),
    n_samples=st.integers(1, 80),
    n_classes=st.integers(2, 4),
    n_inputs=st.integers(1, 3),
    vote_bits=st.sampled_from([1, 2, 3, 8]),
)
@settings(max_examples=40, deadline=None)
def test_trees_are_those_of_the_definition(
    seed: int, n_samples: int, n_classes: int, n_inputs: int, vote_bits: int
) -> None:
    rng = np.random.default_rng(seed)
    bits = (rng.random((n_samples, 6)) < 0.4).astype(np.uint8)
    labels = (bits @ rng.integers(0, 3, 6) + (rng.random(n_samples) < 0.2)) % n_classes
    found = boosted.train_boosted(
        rinc.pack(bits), n_samples, labels, n_classes, tree_inputs=n_inputs, trees_per_class=3, vote_bits=vote_bits
    )
    expected = defined_trees(bits.tolist(), labels.tolist(), n_classes, n_inputs, 3, vote_bits)
    assert plain(found) == expected
    scores = boosted.scores_of(found, bits)
    for row, of_sample in zip(bits.tolist(), scores.tolist(), strict=True):
        assert of_sample == [
            sum(votes[int("".join(str(row[f]) for f in features), 2)] for features, votes in of_class)
            for of_class in expected
        ]


def test_a_round_by_hand() -> None:
    # 2 classes, p = 1/2 everywhere: G = +-1/2, H = 1/4. Feature 1 is the label of all but the last sample.
    bits = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [0, 1]], np.uint8)
    labels = np.array([0, 0, 1, 1, 0])
    packed = rinc.pack(bits)
    ((zero,), (one,)) = boosted.train_boosted(packed, 5, labels, 2, tree_inputs=1, trees_per_class=1, vote_bits=1)
    # Class 1: feature 1 = 0 has G = -1, H = 0.5; = 1 has G = 0.5, H = 0.75: gain 0.667 + 0.143. Feature 0 = 0 has
    # G = -0.5, H = 0.75; = 1 has G = 0, H = 0.5: gain 0.143.
    assert (one.features, one.votes.tolist()) == ((1,), [0, 1])
    assert (zero.features, zero.votes.tolist()) == ((1,), [1, 0])
    ((_,), (one,)) = boosted.train_boosted(packed, 5, labels, 2, tree_inputs=1, trees_per_class=1, vote_bits=8)
    unit = boosted.STEP / 128
    assert one.votes.tolist() == [max(-128, round(-1 / 1.5 / unit)), round(0.5 / 1.75 / unit)]


def test_probabilities() -> None:
    found = boosted.probabilities(np.array([[0, 3], [2, -700], [1, 0]]), 0.5)
    powers = np.exp([0.0, 1.0, 0.5])
    assert found[:, 0] == pytest.approx(powers / powers.sum())
    assert found[0, 1] == pytest.approx(1 / (1 + math.exp(-1.5)))
    assert found[1, 1] == pytest.approx(0, abs=1e-20)


def test_votes_stay_in_their_bits() -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (300, 8)).astype(np.uint8)
    labels = bits[:, 0].astype(np.int64)
    for vote_bits in (2, 3, 5):
        trees = boosted.train_boosted(
            rinc.pack(bits), 300, labels, 2, tree_inputs=2, trees_per_class=2, vote_bits=vote_bits
        )
        votes = np.concatenate([tree.votes for of_class in trees for tree in of_class])
        assert votes.min() == -(1 << (vote_bits - 1))
        assert votes.max() == (1 << (vote_bits - 1)) - 1


def test_threads_do_not_change_trees_and_progress_counts_them() -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (200, 20)).astype(np.uint8)
    labels = rng.integers(0, 4, 200)
    told: list[tuple[int, int]] = []

    def train(n_threads: int, progress: Callable[[int, int], None] | None = None) -> Any:
        return plain(
            boosted.train_boosted(
                rinc.pack(bits), 200, labels, 4, tree_inputs=4, trees_per_class=3, vote_bits=1,
                progress=progress, n_threads=n_threads,
            )
        )  # fmt: skip

    assert train(1) == train(4, lambda *at: told.append(at))
    assert told == [(0, 12), (4, 12), (8, 12), (12, 12)]


def test_digits() -> None:
    """12 trees a class on split 0: 97.0 +- 0.5 over splits and seeds of the noise."""
    data = digits(0)
    encoding = thermometer(data, 3)
    rng = np.random.default_rng(0)
    images = np.concatenate([data.features_train, *(noisy(data.features_train, 16, rng) for _ in range(3))])
    trees = boosted.train_boosted(
        rinc.pack(encoding.encode(images)), len(images), np.tile(data.labels_train, 4), 10,
        tree_inputs=6, trees_per_class=12, vote_bits=1,
    )  # fmt: skip
    answers = boosted.scores_of(trees, encoding.encode(data.features_test)).argmax(axis=1)
    assert (answers == data.labels_test).mean() > 0.955


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": np.array([0, 1, 2])}, "labels: wanted 0 to 1, got 0 to 2; number the classes"),
        (
            {"labels": np.array([0, 1])},
            r"labels: wanted the shape \(3,\), one or more, got \(2,\); give each sample one",
        ),
        ({"tree_inputs": 5}, "tree_inputs: wanted 1 to 4, as there are binary features, got 5; take fewer"),
        ({"vote_bits": 0}, "vote_bits: wanted 1 to 16, got 0; 1 counts trees"),
    ],
)
def test_bad_arguments(changes: dict[str, Any], message: str) -> None:
    packed = rinc.pack(np.zeros((3, 4), np.uint8))
    given_ones = {"labels": np.array([0, 1, 1]), "tree_inputs": 2, "vote_bits": 1, **changes}
    with pytest.raises(InputError, match=message):
        boosted.train_boosted(packed, 3, n_classes=2, trees_per_class=1, **given_ones)
