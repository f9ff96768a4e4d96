"""The stated loss: against published steps, against integration, and in order."""

from __future__ import annotations

import numpy as np
import pytest

from workloads.bitwidths.networks import problem_of_layers
from workloads.bitwidths.noise import noise_losses, noise_of_half, noise_to_signal
from workloads.builders.convnets import in_order


def test_three_levels_of_a_gaussian() -> None:
    """Max 1960, uniform quantizer with 3 levels: mean squared error 0.1902 (recalled)."""
    assert noise_to_signal(2, signed=True) == pytest.approx(0.1902, abs=5e-5)


@pytest.mark.parametrize(("step", "high"), [(1.2, 1), (0.5, 7), (0.7, 3)])
def test_against_integration(step: float, high: int) -> None:
    x = (np.arange(2_000_000) + 0.5) * 5e-6
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    q = step * np.clip(np.rint(x / step), 0, high)
    assert noise_of_half(step, high) == pytest.approx(float(((x - q) ** 2 * density).sum() * 5e-6), rel=1e-4)


def test_narrower_is_worse_and_the_widest_costs_nothing() -> None:
    layers = in_order("mobilenet_v1:0.25:128")
    assert layers is not None
    problem = problem_of_layers(layers, "m")
    losses = noise_losses(problem)
    assert set(losses) == {tensor.name for tensor in problem.free}
    for by_width in losses.values():
        assert by_width[2] > by_width[4] > by_width[8] == 0
    assert noise_to_signal(1, signed=True) == 1  # only zero is left
