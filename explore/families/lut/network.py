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
    """Run the first `n_images` test samples (all, where there are fewer) back to back, and again with stalls.

    The classifier is the workload's own, or trained for the design. Labels are those of both runs, one after the other.
    Raises InputError where the answer of the circuit is not a class, or n_images is below 1.
    """
    whole = classifier_of(design, workload)
    if whole.answer == "bits":
        raise InputError(f"{workload.name}: wanted a circuit whose outputs are a class or scores, got bits")
    if n_images < 1:
        raise InputError(f"images: wanted at least 1, got {n_images}")
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
    expected = classifier.decode(run_netlist(classifier.netlist, classifier.samples))
    return NetworkResult(
        workload=workload.name,
        n_images=len(runs) * n_samples,
        n_layers=1,
        labels=tuple(int(label) for run in runs for label in classifier.decode(run.outputs)),
        expected_labels=tuple(int(label) for _ in runs for label in expected),
        true_labels=None if labels is None else tuple(int(label) for _ in runs for label in labels),
        n_overflows=0,
        simulated_cycles=simulated_cycles,
        rtl_cycles=sum(run.cycles for run in runs),
        differences=tuple(found),
    )


def _run(
    design: Design, classifier: Classifier, traffics: tuple[Traffic, ...], simulator: SimulatorName | None
) -> list[SamplesRun]:
    stimuli = [Stimulus(samples=classifier.samples, gaps=one.gaps, ready=one.ready) for one in traffics]
    circuit = circuit_of(design, classifier.netlist)
    with tempfile.TemporaryDirectory(prefix="lockstep-network-") as folder:
        return run_samples(design, circuit, stimuli, work_dir=Path(folder), simulator=simulator)
