"""The classifier of a LUT machine on its test samples, RTL against netlist and simulator."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.families.lut import Design
from explore.families.lut.cases import Traffic, differences, random_stalls
from explore.verify import Difference, NetworkResult
from hw.bench.lut import SamplesRun, Stimulus, run_samples
from hw.bench.simulator import SimulatorName
from sim.families.lut import run_with_numbers
from workloads.classifiers.classifier import Classifier
from workloads.kinds.classification import Classification
from workloads.mapping.lut import circuit_of
from workloads.mapping.lut_classifier import classifier_of
from workloads.netlist import run_netlist


def verify_network(
    design: Design,
    workload: Classification,
    n_images: int,
    *,
    simulator: SimulatorName | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NetworkResult:
    """Run the first `n_images` samples (all, where there are fewer) back to back, and again with stalls.

    The classifier is the workload's own, or trained for the design; bits and cycles of both runs are compared. Labels
    are those of the first run (the second differs where `differences` says so), None where the answer is no class.
    Raises InputError where n_images is below 1.
    """
    if n_images < 1:
        raise InputError(f"images: wanted at least 1, got {n_images}")
    whole = classifier_of(design, workload)
    labels = None if whole.labels is None else whole.labels[:n_images]
    classifier = replace(whole, samples=whole.samples[:n_images], labels=labels)
    n_samples = len(classifier.samples)
    rng = np.random.default_rng(0)
    traffics = (Traffic(name="back to back", gaps=None, ready=None), random_stalls(rng, n_samples))
    runs = _run(design, classifier, traffics, simulator)
    found: list[Difference] = []
    simulated_cycles = 0
    for traffic, run in zip(traffics, runs, strict=True):
        of_run = differences(design, classifier, traffic, run)
        found += [replace(one, where=f"{traffic.name}: {one.where}") for one in of_run]
        simulated = run_with_numbers(design, classifier, traffic.gaps, traffic.ready)
        simulated_cycles += int(simulated.answer_cycles.max()) + 1
    if progress:
        progress(n_samples, n_samples)
    return NetworkResult(
        workload=workload.name,
        n_samples=n_samples,
        n_cases=len(runs) * n_samples,
        labels=_labels(classifier, runs[0].outputs),
        expected_labels=_labels(classifier, run_netlist(classifier.netlist, classifier.samples)),
        true_labels=None if labels is None else tuple(labels.tolist()),
        n_overflows=None,
        simulated_cycles=simulated_cycles,
        rtl_cycles=sum(run.cycles for run in runs),
        differences=tuple(found),
    )


def _labels(classifier: Classifier, outputs: np.ndarray) -> tuple[int, ...] | None:
    return None if classifier.answer == "bits" else tuple(classifier.decode(outputs).tolist())


def _run(
    design: Design, classifier: Classifier, traffics: tuple[Traffic, ...], simulator: SimulatorName | None
) -> list[SamplesRun]:
    stimuli = [Stimulus(samples=classifier.samples, gaps=one.gaps, ready=one.ready) for one in traffics]
    circuit = circuit_of(design, classifier.netlist)
    with tempfile.TemporaryDirectory(prefix="lockstep-network-") as folder:
        return run_samples(design, circuit, stimuli, work_dir=Path(folder), simulator=simulator)
