"""ICN against batch normalization in floating point, and against the machine's requantizer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.bitwidths.integer_normalization import BatchNorm, channel_constants, folded, normalized
from workloads.requantize import apply_scale, fixed_multiplier, requantize

CHANNELS = 6


def example(seed: int) -> tuple[BatchNorm, np.ndarray, float, np.ndarray, float, np.ndarray]:
    """A normalization with gammas of both signs, a bias, scales, and sums (100, channels)."""
    rng = np.random.default_rng(seed)
    norm = BatchNorm(
        gamma=rng.uniform(0.3, 2, CHANNELS) * rng.choice([-1, 1], CHANNELS), sigma=rng.uniform(0.5, 3, CHANNELS),
        beta=rng.normal(size=CHANNELS), mean=rng.normal(size=CHANNELS),
    )  # fmt: skip
    sums = rng.integers(-20_000, 20_000, (100, CHANNELS))
    return norm, rng.normal(size=CHANNELS), 0.02, rng.uniform(0.001, 0.01, CHANNELS), 0.05, sums


def real(norm: BatchNorm, bias: np.ndarray, in_scale: float, weight_scale: np.ndarray, sums: np.ndarray) -> np.ndarray:
    return norm.gamma * (sums * in_scale * weight_scale + bias - norm.mean) / norm.sigma + norm.beta


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_within_a_step_of_batch_normalization(seed: int) -> None:
    """B is rounded (half a step of the sums, below one of the output here) and the result rounded down."""
    norm, bias, in_scale, weight_scale, out_scale, sums = example(seed)
    constants = channel_constants(norm, bias, in_scale, weight_scale, out_scale)
    assert np.all((np.abs(constants.m0) >= 1 << 30) & (np.abs(constants.m0) < 1 << 31))
    y = normalized(sums, constants, 10, 8)
    exact = real(norm, bias, in_scale, weight_scale, sums) / out_scale + 10
    inside = (exact > 1) & (exact < 254)
    assert inside.any() and np.all(y[exact < 0] == 0) and np.all(y[exact > 256] == 255)
    error = (exact - y)[inside]
    slack = 0.5 * np.abs(norm.gamma / norm.sigma * in_scale * weight_scale / out_scale).max() + 1e-4
    assert error.min() >= -slack and error.max() <= 1 + slack


def test_by_hand() -> None:
    """M = 1 / 2 * 0.5 * 0.25 / 0.5 = 1/8 = 0.5 * 2**-2; B = (1 - 3 + 4 * 2 / 1) / 0.125 = 48."""
    norm = BatchNorm(gamma=np.array([1.0]), sigma=np.array([2.0]), beta=np.array([4.0]), mean=np.array([3.0]))
    constants = channel_constants(norm, np.array([1.0]), 0.5, np.array([0.25]), 0.5)
    assert (constants.m0.tolist(), constants.n0.tolist(), constants.bias.tolist()) == ([1 << 30], [-2], [48])
    sums = np.array([[-49], [-48], [-41], [-40], [0], [2000]])
    assert normalized(sums, constants, 0, 8).ravel().tolist() == [0, 0, 0, 1, 6, 255]
    assert normalized(sums, constants, 3, 4).ravel().tolist() == [2, 3, 3, 4, 9, 15]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_machine_computes_it_within_a_step(seed: int) -> None:
    """Signs in the weights, |M| in the multiplier; rounding to the nearest is at most one above rounding down."""
    norm, bias, in_scale, weight_scale, out_scale, _ = example(seed)
    rng = np.random.default_rng(seed)
    weights, x = rng.integers(-127, 128, (CHANNELS, 30)), rng.integers(0, 256, (50, 30))
    stored, stored_bias, scale = folded(norm, weights, bias, in_scale, weight_scale, out_scale)
    machine = apply_scale(x @ stored.T + stored_bias, scale, 5, 0, 255, rounding="multiplier_shift", multiplier_bits=31)
    constants = channel_constants(norm, bias, in_scale, weight_scale, out_scale)
    assert set(np.unique(machine - normalized(x @ weights.T, constants, 5, 8))) <= {0, 1}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_requantizer_less_half_is_icn_exactly(seed: int) -> None:
    """floor(M0 * 2**N0 * t) is the requantizer's (t * m + half) >> shift with its half taken away before."""
    norm, bias, in_scale, weight_scale, out_scale, sums = example(seed)
    positive = BatchNorm(gamma=np.abs(norm.gamma), sigma=norm.sigma, beta=norm.beta, mean=norm.mean)
    constants = channel_constants(positive, bias, in_scale, weight_scale, out_scale)
    m, shift = fixed_multiplier(np.ldexp(constants.m0.astype(float), constants.n0 - 31), 31)
    assert np.array_equal(m, constants.m0) and np.array_equal(shift, 31 - constants.n0)
    t = sums + constants.bias
    floored = requantize(2 * t * m - (1 << shift), 1, shift + 1, 0, 0, 255)
    assert np.array_equal(floored, normalized(sums, constants, 0, 8))


def test_a_gamma_of_zero_is_refused() -> None:
    norm = BatchNorm(gamma=np.zeros(1), sigma=np.ones(1), beta=np.zeros(1), mean=np.zeros(1))
    with pytest.raises(InputError, match="wanted gamma other than 0"):
        channel_constants(norm, np.zeros(1), 1.0, np.ones(1), 1.0)
