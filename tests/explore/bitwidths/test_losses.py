"""Measured losses: of the network itself, one tensor at a time, together, and both kinds of scales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explore import kept
from explore.bitwidths.losses import LEAST_LOSS, LossMeter, Samples, measured, measured_losses
from tests.workloads.bitwidths.test_thresholds import digits_graph
from workloads.bitwidths.networks import problem_of_graph
from workloads.bitwidths.requantized import run_samples

GRAPH = digits_graph()
SAMPLES = Samples.training_digits(32)
NAMES = ("fc.weights.stored", "relu1.stored")


def test_cross_entropy_and_accuracy_are_those_of_the_logits() -> None:
    found = measured(GRAPH, SAMPLES)
    out = GRAPH.by_name["logits.stored"]
    logits = (run_samples(GRAPH, SAMPLES.values)["logits.stored"] - out.zero_point) * float(out.scale[0])
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert found.cross_entropy == pytest.approx(-np.log(shares[np.arange(32), SAMPLES.labels]).mean(), rel=1e-5)
    assert found.accuracy == np.mean(logits.argmax(axis=1) == SAMPLES.labels)


@pytest.mark.parametrize("power_of_two", [False, True])
def test_a_meter_remembers_and_starts_from_nothing(power_of_two: bool) -> None:
    meter = LossMeter(GRAPH, SAMPLES, power_of_two=power_of_two)
    assert meter.loss({}) == 0 and meter.n_measured == 1
    narrow = dict.fromkeys(NAMES, 2)
    first = meter.loss(narrow)
    assert meter.loss(narrow | {"conv1.weights.stored": 8, "logits.stored": 8}) == first and meter.n_measured == 2
    assert first > 0
    widths = {tensor.name: tensor.bits for tensor in meter.requantized(narrow).tensors}
    assert all(widths[name] == 2 for name in NAMES)


def test_losses_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kept, "cache_dir", lambda: tmp_path)
    problem = problem_of_graph(GRAPH, (4, 8))
    meter, told = LossMeter(GRAPH, SAMPLES), []
    losses = measured_losses(problem, meter, lambda what, n_done, n_all: told.append((n_done, n_all)))
    assert told == [(i, 8) for i in range(1, 9)]
    for tensor in problem.free:
        assert losses[tensor.name][8] == 0
        assert losses[tensor.name][4] == max(meter.loss({tensor.name: 4}), LEAST_LOSS)
    again = LossMeter(GRAPH, SAMPLES)
    assert measured_losses(problem, again) == losses and again.n_measured == 0
