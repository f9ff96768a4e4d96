"""Random layers keep their promises and cover what they are for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.layer import Arithmetic
from workloads.random_layers import SHAPES, random_layer
from workloads.reference import run_layer


@given(st.integers(0, 2**32 - 1), st.integers(1, 16), st.integers(1, 16), st.sampled_from(SHAPES))
def test_ranges(seed: int, act_bits: int, weight_bits: int, shape: str) -> None:
    layer, x, residual = random_layer(
        np.random.default_rng(seed), act_bits=act_bits, weight_bits=weight_bits, max_macs=2000, shape=shape
    )
    n = layer.numbers
    assert n is not None and layer.n_macs <= 2000
    assert n.in_low <= x.min() and x.max() <= n.in_high and n.in_high - n.in_low == (1 << act_bits) - 1
    assert n.in_low <= n.in_zero <= n.in_high and n.out_low <= n.out_zero <= n.out_high or layer.kind == "max_pool"
    assert (residual is not None) == layer.residual
    if n.weights is None:
        return
    assert n.bias is not None and np.abs(n.bias).max() < 1 << 31
    if weight_bits == 1 or shape == "average_pool":
        assert set(np.unique(n.weights)) <= {-1, 1}
    else:
        assert -(1 << (weight_bits - 1)) <= n.weights.min() and n.weights.max() < 1 << (weight_bits - 1)
    assert layer.weight_bits == (2 if shape == "average_pool" else weight_bits)


def test_one_bit_weights_have_no_groups() -> None:
    rng = np.random.default_rng(0)
    assert {random_layer(rng, weight_bits=1)[0].groups for _ in range(50)} == {1}


def test_the_same_seed_gives_the_same_layer() -> None:
    (a, x, _), (b, y, _) = (random_layer(np.random.default_rng(3)) for _ in range(2))
    assert a.numbers is not None and b.numbers is not None
    assert (a.name, a.in_h, a.numbers.in_zero) == (b.name, b.in_h, b.numbers.in_zero)
    np.testing.assert_array_equal(x, y)


def test_coverage_of_odd_things() -> None:
    rng = np.random.default_rng(0)
    layers = [random_layer(rng)[0] for _ in range(300)]
    convs = [layer for layer in layers if layer.kind == "conv"]
    assert {layer.name for layer in layers} == set(SHAPES)
    assert any(layer.stride_h > 1 for layer in convs) and any(layer.stride_h != layer.stride_w for layer in convs)
    assert any(layer.pad_top != layer.pad_left for layer in convs) and any(layer.n_images > 1 for layer in layers)
    assert any(layer.residual for layer in convs) and any(not layer.residual for layer in convs)
    assert any(layer.numbers.in_low < 0 for layer in layers) and any(layer.numbers.in_low == 0 for layer in layers)  # type: ignore[union-attr]
    assert any(layer.numbers.scale.size > 1 for layer in convs)  # type: ignore[union-attr]


@pytest.mark.parametrize("power_of_two", [False, True])
def test_outputs_are_spread(power_of_two: bool) -> None:
    rng = np.random.default_rng(1)
    requantize = "shift" if power_of_two else "multiplier_shift"
    shares = []
    for _ in range(60):
        layer, x, r = random_layer(rng, power_of_two=power_of_two, shape="conv", residual=False)
        y, n_overflows = run_layer(layer, x, r, Arithmetic(requantize=requantize))  # type: ignore[arg-type]
        assert n_overflows == 0 and layer.numbers is not None
        shares.append(float(np.mean((y == layer.numbers.out_low) | (y == layer.numbers.out_high))))
    assert np.median(shares) < 0.5


@pytest.mark.parametrize("per_channel", [False, True])
def test_scales(per_channel: bool) -> None:
    layer, _, _ = random_layer(np.random.default_rng(0), shape="conv", per_channel=per_channel, power_of_two=True)
    assert layer.numbers is not None and layer.numbers.scale is not None
    assert layer.numbers.scale.size == (layer.out_channels if per_channel else 1)
    assert np.all(np.log2(layer.numbers.scale) % 1 == 0)
