"""The classifier that a LUT machine holds on a workload."""

from __future__ import annotations

from functools import lru_cache

from designs.families.lut import Design
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.training import Progress, train
from workloads.kinds.classification import Classification

_TRAINED_AT_A_TIME = 256


def classifier_of(design: Design, workload: Classification, progress: Progress | None = None) -> Classifier:
    """The workload's own circuit, or the one trained for the design on its data (through the user's cache).

    Designs that agree in `trained` and `output` share one, once a process.
    """
    if workload.classifier is not None:
        return workload.classifier
    return _trained(_Training(design, workload, progress))


class _Training:
    """What is trained; equal where the answer is."""

    def __init__(self, design: Design, workload: Classification, progress: Progress | None) -> None:
        self.design, self.workload, self.progress = design, workload, progress
        self.key = (workload.digest, design.trained, design.output)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Training) and self.key == other.key


@lru_cache(maxsize=_TRAINED_AT_A_TIME)
def _trained(training: _Training) -> Classifier:
    assert training.workload.data is not None  # a Classification has either
    return train(training.design, training.workload.data, training.progress)
