"""Classifications: a data set to make a classifier for, or a circuit that is one already."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from designs.errors import InputError
from workloads.classifiers.classifier import Classifier
from workloads.classifiers.data import DataSet, digits, load_arrays
from workloads.classifiers.files import classifier_digest, is_classifier_file, load_classifier
from workloads.classifiers.image_files import load_cifar10, load_mnist, load_svhn
from workloads.importers.trace_circuit import CIRCUITS, classifier_of_file
from workloads.kinds import array_names
from workloads.load import Workload

FILES = dict.fromkeys(CIRCUITS, "a circuit") | {".npz": "features and labels or a classifier of lockstep train"}
TRACES = dict.fromkeys(CIRCUITS, "workloads.importers.trace_circuit")

_DIGITS = re.compile(r"digits(?::(\d{1,9}))?")
_FOLDERS = {"mnist": load_mnist, "svhn": load_svhn, "cifar10": load_cifar10}


@dataclass(frozen=True, kw_only=True)
class Classification(Workload):
    """Samples to classify: either data that a design's own training makes a classifier for, or a finished circuit."""

    data: DataSet | None = None
    classifier: Classifier | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.classifier is None):
            raise ValueError(f"{self.name}: wanted either data or a classifier")


def names() -> tuple[str, ...]:
    """Names besides paths; `digits:SPLIT` stands for any random state of the split, FOLDER for one of the user's."""
    return ("digits", "digits:SPLIT", *(f"{name}:FOLDER" for name in _FOLDERS))


def load(name: str) -> Classification | None:
    """The classification of a name in `names()`, or of a path: an .npz, or a circuit (.blif, .v, .sv).

    A circuit without samples of its own runs on random ones, always the same (workloads/importers/trace_circuit.py).
    """
    if match := _DIGITS.fullmatch(name):
        return classification_of(digits(int(match[1] or 0)))
    kind, colon, folder = name.partition(":")
    if colon and kind in _FOLDERS:
        if not folder:
            raise InputError(f"workload {name}: wanted {kind}:FOLDER, got no folder; name the one that holds the files")
        return classification_of(_FOLDERS[kind](folder), name)
    suffix = Path(name).suffix
    if suffix == ".npz":
        if is_classifier_file(name):
            return classification_of(load_classifier(name), Path(name).stem)
        # One of the two is enough: what is missing is then told.
        if {"features", "labels"} & set(array_names(name) or ()):
            return classification_of(load_arrays(name), Path(name).stem)
        return None
    if suffix in CIRCUITS:
        return classification_of(classifier_of_file(name)[0], Path(name).stem)
    return None


def classification_of(content: DataSet | Classifier, name: str | None = None) -> Classification:
    """The classification of a data set, by its own name where none is given, or of a finished classifier."""
    if isinstance(content, DataSet):
        return Classification(name=name or content.name, digest=content.digest, data=content)
    return Classification(name=name or "classifier", digest=classifier_digest(content), classifier=content)
