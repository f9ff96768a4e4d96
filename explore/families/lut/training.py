"""`lockstep train`: the classifier that a LUT machine burns into its circuit, made and written."""

from __future__ import annotations

from pathlib import Path

from designs.errors import InputError
from designs.families.lut import Design
from sim.families import lut
from workloads.classifiers.files import save_classifier
from workloads.classifiers.training import Progress
from workloads.kinds.classification import Classification
from workloads.mapping.lut_classifier import classifier_of


def train(design: Design, workload: Classification, output: Path, progress: Progress | None = None) -> dict[str, float]:
    """Train on the workload's data (through the user's cache), write the classifier, and tell what it is like.

    accuracy is that of the circuit on the test samples; luts, lut_levels and flip_flops are those of `design`; the rest
    is what training measured. InputError where the workload is a circuit already or does not fit the design.
    """
    if workload.classifier is not None:
        raise InputError(f"{workload.name}: wanted a data set to train on, got a circuit that is finished; simulate it")
    if (misfit := lut.misfits([design], workload)[0]) is not None:
        raise InputError(misfit)
    classifier = classifier_of(design, workload, progress)
    save_classifier(classifier, output)
    (run,) = lut.simulate([design], workload)
    if run.failure is not None:
        raise InputError(run.failure)
    measured = lut.accuracy(design, run, workload)
    assert measured is not None  # a data set has labels
    sizes = {name: run.figures[name] for name in ("luts", "lut_levels", "flip_flops")}
    return {**classifier.facts, "accuracy": measured.accuracy, "n_test_samples": measured.n_images, **sizes}
