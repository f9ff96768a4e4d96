"""Classifications: some of the samples, of the training as of the test ones."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np

from designs.errors import InputError
from workloads.classifiers.data import DataSet, data_set
from workloads.kinds.classification import Classification, classification_of
from workloads.parts import Part
from workloads.parts.strata import middles


def part(workload: Classification, share: Fraction, name: str) -> Part:
    """At most `share` of the test samples and, where a design trains, of each class's training samples.

    They lie evenly along the list. A finished circuit stays as it is; latency and energy are those of one inference
    anyway. InputError where no sample of a class that has some, or no test sample, would be left.
    """
    if workload.classifier is not None:
        kept = _kept(len(workload.classifier.samples), share, name)
        labels = workload.classifier.labels
        classifier = replace(
            workload.classifier,
            samples=workload.classifier.samples[kept],
            labels=None if labels is None else labels[kept],
        )
        measures = {"samples": Fraction(len(kept), len(workload.classifier.samples))}
        return Part(workload=classification_of(classifier, name), measures=measures)
    assert workload.data is not None  # a Classification has either
    data, measures = _cut(workload.data, share, name)
    return Part(workload=classification_of(data, name), measures=measures)


def _cut(data: DataSet, share: Fraction, name: str) -> tuple[DataSet, dict[str, Fraction]]:
    train = _of_all_classes(data.labels_train, share, data.n_classes, name)
    test = _kept(len(data.labels_test), share, name)
    cut = data_set(
        name,
        (data.features_train[train], data.labels_train[train]),
        (data.features_test[test], data.labels_test[test]),
        feature_bits=data.feature_bits,
        n_classes=data.n_classes,
        image_shape=data.image_shape,
    )
    measures = {
        "training samples": Fraction(len(train), len(data.labels_train)),
        "samples": Fraction(len(test), len(data.labels_test)),
    }
    return cut, measures


def _of_all_classes(labels: np.ndarray, share: Fraction, n_classes: int, name: str) -> np.ndarray:
    """Positions, ascending: of each class that many in the middles of equal stretches of its samples."""
    found = []
    for label in range(n_classes):
        of_class = np.flatnonzero(labels == label)
        if len(of_class):  # a class without a sample has none in a part
            found.append(of_class[_kept(len(of_class), share, f"{name}, training samples of class {label}")])
    return np.sort(np.concatenate(found))


def _kept(n: int, share: Fraction, name: str) -> np.ndarray:
    """Positions of floor(n * share) of n samples, in the middles of equal stretches."""
    n_kept = math.floor(n * share)
    if n_kept < 1:
        raise InputError(f"{name}: wanted samples enough to be cut so far, got {n}; ask for a larger share")
    return middles(n, n_kept)
