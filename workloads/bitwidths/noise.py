"""A stated loss for networks without numbers: how much noise a width adds to a tensor of the usual distribution.

Assumed, not measured: weights are Gaussian and signed around zero, activations are rectified Gaussian and unsigned;
each is quantized uniformly with the step that has the least squared error; noise of different tensors is independent,
and the ratio of noise to signal power of each reaches the output as it is, so that the ratios add up. A sum of such
ratios ranks choices; it is no accuracy.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtr

from workloads.bitwidths.problem import Problem

LOSS_IS = (
    "a proxy: sum over tensors of noise to signal power, Gaussian weights, rectified Gaussian activations, best steps; "
    "no accuracy was measured"
)


def noise_losses(problem: Problem) -> Mapping[str, Mapping[int, float]]:
    """Noise to signal power of each free tensor at each width, less that at its widest."""
    found = {}
    for tensor in problem.free:
        ratios = {width: noise_to_signal(width, signed=tensor.role == "weights") for width in tensor.bits}
        found[tensor.name] = {width: ratio - ratios[tensor.bits[-1]] for width, ratio in ratios.items()}
    return found


@cache
def noise_to_signal(bits: int, *, signed: bool) -> float:
    """E[(x - q(x))**2] / E[x**2] at the best step.

    Signed: x is Gaussian, q has the levels -h..h times the step, h = 2**(bits-1) - 1. Unsigned: x is the positive part
    of a Gaussian, q has the levels 0..2**bits - 1.
    """
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    if not high:
        return 1.0
    best = minimize_scalar(lambda step: noise_of_half(step, high), bounds=(1e-3 / high, 8.0 / high), method="bounded")
    return 2 * float(best.fun)  # half of the Gaussian has half the power: both kinds have the same ratio


def noise_of_half(step: float, high: int) -> float:
    """The squared error of the positive half of a Gaussian (variance 1) with the levels 0..high times the step."""
    levels = np.arange(high + 1) * step
    edges = np.concatenate([[0.0], (np.arange(high) + 0.5) * step, [np.inf]])
    a, b = edges[:-1], edges[1:]
    finite = np.where(np.isfinite(b), b, 0.0)
    density_a = np.exp(-a * a / 2) / np.sqrt(2 * np.pi)
    density_b = np.where(np.isfinite(b), np.exp(-finite * finite / 2) / np.sqrt(2 * np.pi), 0.0)
    # of (x - c)**2 times the density between a and b: its antiderivative is elementary but for the mass
    mass = ndtr(b) - ndtr(a)
    parts = (1 + levels**2) * mass - (finite * density_b - a * density_a) + 2 * levels * (density_b - density_a)
    return float(parts.sum())
