"""A trained structure as a circuit: comparators, trees, votes, scores, argmax, each LUT with its role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from workloads.arithmetic import add_signed, argmax, at_least, count_ones
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.data import DataSet
from workloads.classifiers.encode import Encoding
from workloads.classifiers.rinc import Module, Tree, prune
from workloads.classifiers.structure import BoostedStructure, RincStructure, Structure
from workloads.netlist import CONSTANT_0
from workloads.netlist_builder import NetlistBuilder


def build_classifier(
    structure: Structure, data: DataSet, output: Literal["class", "scores"], facts: Mapping[str, float]
) -> Classifier:
    """The circuit of a structure, with the test samples of the data it was trained on.

    Inputs are the bits of the raw features, feature by feature, least significant first: the comparators are part of
    the circuit. What it answers equals the argmax of `structure.scores`, or these themselves, on every sample.
    """
    builder = NetlistBuilder(input_names(data))
    bits = _encoder(builder, structure.encoding, data.feature_bits)
    if isinstance(structure, RincStructure):
        scores = _table_scores(builder, structure, bits)
    else:
        scores = _vote_scores(builder, structure, bits)
    if output == "class":
        index = argmax(builder, scores, signed=True, role="argmax")
        outputs = [(f"class_{place}", signal) for place, signal in enumerate(index)]
    else:
        outputs = [(f"score_{c}_{place}", s) for c, score in enumerate(scores) for place, s in enumerate(score)]
    return Classifier(
        netlist=builder.finish(outputs),
        samples=feature_bits_of(data.features_test, data.feature_bits),
        labels=data.labels_test,
        answer=output,
        n_classes=structure.n_classes,
        score_bits=len(scores[0]) if output == "scores" else 0,
        facts=dict(facts),
    )


def input_names(data: DataSet) -> tuple[str, ...]:
    """A name for each bit of each feature: pixel_12_3 is bit 3 of pixel 12; feature_12 is a binary feature."""
    stem = "feature" if data.image_shape is None else "pixel"
    if data.feature_bits == 1:
        return tuple(f"{stem}_{f}" for f in range(data.n_features))
    return tuple(f"{stem}_{f}_{bit}" for f in range(data.n_features) for bit in range(data.feature_bits))


def feature_bits_of(features: np.ndarray, n_bits: int) -> np.ndarray:
    """(n_samples, n_features) unsigned -> (n_samples, n_features * n_bits) uint8, least significant bit first."""
    bits = features[:, :, None] >> np.arange(n_bits, dtype=features.dtype) & 1
    return bits.reshape(len(features), -1).astype(np.uint8)


def _encoder(builder: NetlistBuilder, encoding: Encoding, n_bits: int) -> list[int]:
    return [
        at_least(builder, range(feature * n_bits, (feature + 1) * n_bits), threshold, "encoder")
        for feature, threshold in zip(encoding.features.tolist(), encoding.thresholds.tolist(), strict=True)
    ]


def _table_scores(builder: NetlistBuilder, structure: RincStructure, bits: Sequence[int]) -> list[list[int]]:
    neurons = [_module(builder, prune(module), bits) for module in structure.modules]
    per_class = len(neurons) // structure.n_classes
    return [
        _integers(builder, neurons[c * per_class : (c + 1) * per_class], table, structure.score_bits, "score")
        for c, table in enumerate(structure.score_tables)
    ]


def _module(builder: NetlistBuilder, module: Module, bits: Sequence[int]) -> int:
    if isinstance(module, Tree):
        return builder.lut([bits[f] for f in reversed(module.features)], module.table, "tree")
    members = [_module(builder, member, bits) for member in reversed(module.members)]
    return builder.lut(members, module.table, "mat")


def _vote_scores(builder: NetlistBuilder, structure: BoostedStructure, bits: Sequence[int]) -> list[list[int]]:
    """Two's complement scores of one width; counts of votes have a sign bit that is 0."""
    scores = []
    for trees in structure.trees:
        votes = [
            _integers(builder, [bits[f] for f in reversed(tree.features)], tree.votes, structure.vote_bits, "tree")
            for tree in trees
        ]
        if structure.vote_bits == 1:
            scores.append([*count_ones(builder, [vote[0] for vote in votes], "sum"), CONSTANT_0])
        else:
            scores.append(add_signed(builder, votes, "sum"))
    return scores


def _integers(
    builder: NetlistBuilder, fanin: Sequence[int], values: np.ndarray, n_bits: int, role: str
) -> list[int]:
    """A table of integers: one LUT for each of the lowest `n_bits` bits of its two's complement."""
    return [builder.lut(fanin, values >> place & 1, role) for place in range(n_bits)]
