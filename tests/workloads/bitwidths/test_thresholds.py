"""TQT: formulas by hand, the gradient against differences, trained thresholds against other choices, whole graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from workloads.bitwidths.requantized import run_samples
from workloads.bitwidths.thresholds import (
    bounds,
    input_gradient,
    power_of_two,
    quantized,
    scale_of,
    threshold_gradient,
    trained_threshold,
)
from workloads.digits import digits_split
from workloads.ir import Graph
from workloads.kinds.network import load


def digits_graph() -> Graph:
    network = load("digits_cnn")
    assert network is not None and network.graph is not None
    return network.graph


def test_scales() -> None:
    assert scale_of(0.0, 8, True) == 1 / 128 and scale_of(0.0, 8, False) == 1 / 256
    assert scale_of(0.1, 8, True) == 2 / 128 and scale_of(-0.9, 4, True) == 1 / 8
    assert bounds(2, True) == (-2, 1) and bounds(4, False) == (0, 15)


def test_values_by_hand() -> None:
    x = np.array([-3.0, -1.0, -0.3, 0.25, 0.4, 0.9, 5.0])
    # two bits, t = 1: s = 1/2, integers -2..1; 0.25 / s = 0.5 is rounded to even
    assert quantized(x, 0.0, 2, True).tolist() == [-1.0, -1.0, -0.5, 0.0, 0.5, 0.5, 0.5]
    assert quantized(x, 0.0, 2, False).tolist() == [0.0, 0.0, 0.0, 0.25, 0.5, 0.75, 0.75]


def test_gradients_by_hand() -> None:
    x = np.array([-3.0, -0.3, 0.25, 5.0])
    by_s_ln2 = threshold_gradient(x, 0.0, 2, True) / (0.5 * np.log(2))
    assert by_s_ln2 == pytest.approx([-2, -1 + 0.6, 0 - 0.5, 1])
    assert input_gradient(x, 0.0, 2, True).tolist() == [0, 1, 1, 0]


@settings(max_examples=50, deadline=None)
@given(st.floats(-20, 20), st.floats(-2, 3), st.sampled_from([2, 4, 8]), st.booleans())
def test_gradient_against_differences(value: float, log2_t: float, bits: int, signed: bool) -> None:
    """Of q without its jumps: no ceiling, and what rounding adds to x / s held fixed. Clipped values need no such help."""
    x, step = np.array([value]), 1e-6
    low, high = bounds(bits, signed)
    at = np.ceil(log2_t)  # where the formula's s is 2**log2_t's own
    scale = scale_of(at, bits, signed)
    added = np.rint(x / scale) - x / scale
    inside = (np.rint(x / scale) >= low) & (np.rint(x / scale) <= high)

    def smooth(log2: float, x: np.ndarray) -> np.ndarray:
        s = scale * 2.0 ** (log2 - at)
        return s * np.where(inside, x / s + added, np.clip(np.rint(x / scale), low, high))

    by_threshold = (smooth(at + step, x) - smooth(at - step, x)) / (2 * step)
    assert threshold_gradient(x, at, bits, signed) == pytest.approx(by_threshold, rel=1e-5, abs=1e-8)
    by_input = (smooth(at, x + step) - smooth(at, x - step)) / (2 * step)
    assert input_gradient(x, at, bits, signed) == pytest.approx(by_input, abs=1e-6)


def test_trained_thresholds_beat_largest_and_percentiles_on_heavy_tails() -> None:
    """Never above either, the best power of two, and no fixed percentile is good at all widths and tails."""
    ratios = []
    for degrees in (1.5, 2, 3):
        x = np.random.default_rng(1).standard_t(degrees, 5000)
        for bits in (2, 4, 8):

            def error(log2_t: float, x: np.ndarray = x, bits: int = bits) -> float:
                return float(np.mean((quantized(x, log2_t, bits, True) - x) ** 2))

            trained = error(trained_threshold(x, bits, True))
            assert trained == min(error(exponent) for exponent in range(-6, 16))
            others = [np.abs(x).max(), *np.percentile(np.abs(x), [99, 99.9])]
            ratios.append([error(np.log2(other)) / trained for other in others])
    of_largest, of_99, of_99_9 = np.exp(np.log(ratios).mean(axis=0))
    assert np.min(ratios) >= 1 and of_largest > 1.2 and of_99 > 1.2 and of_99_9 > 1.2


@pytest.mark.parametrize("signed", [True, False])
def test_training_counts_as_repetition(signed: bool) -> None:
    rng = np.random.default_rng(0)
    values, counts = rng.laplace(size=50), rng.integers(1, 9, 50)
    values = values if signed else np.abs(values)
    repeated = trained_threshold(np.repeat(values, counts), 4, signed)
    assert trained_threshold(values, 4, signed, counts=counts) == repeated


def test_a_tensor_of_zeros() -> None:
    assert np.all(quantized(np.zeros(3), trained_threshold(np.zeros(3), 8, True), 8, True) == 0)


def test_digits_with_shifts_only() -> None:
    """All scales powers of two: the two requantizers of the machine, and ONNX Runtime's rounding but for ties, agree."""
    images, test_images, _, labels = digits_split()
    graph = power_of_two(digits_graph(), images[:128], {"conv2.weights.stored": 4, "relu2.stored": 4})
    for tensor in graph.tensors:
        assert np.all(np.frexp(tensor.scale)[0] == 0.5) and tensor.zero_point == 0
    assert graph.by_name["conv2.weights.stored"].bits == graph.by_name["relu2.stored"].bits == 4
    assert graph.by_name["pool.real"].same_quantization(graph.by_name["relu3.stored"])
    shifted = run_samples(graph, test_images[:64], "shift")
    multiplied = run_samples(graph, test_images[:64], "multiplier_shift")
    assert all(np.array_equal(shifted[name], multiplied[name]) for name in shifted)
    right = shifted["logits.stored"].argmax(axis=1) == labels[:64]
    assert right.mean() >= 0.95


def test_an_input_of_another_scale_is_refused() -> None:
    graph = power_of_two(digits_graph(), digits_split()[0][:8])
    tensors = tuple(
        replace(t, scale=np.array([0.3], np.float32)) if t.name == graph.inputs[0] else t for t in graph.tensors
    )
    with pytest.raises(InputError, match="input image.stored: wanted a scale that is a power of two"):
        power_of_two(replace(graph, tensors=tensors), digits_split()[0][:8])
