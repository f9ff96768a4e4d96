"""Random layers with numbers and data, odd in every way that a machine must bear; for verification and tests."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from workloads.layer import Layer, LayerNumbers, matrix_lines

SHAPES = ("conv", "depthwise", "matrix", "average_pool", "max_pool")
_UNGROUPED = ("conv", "matrix", "max_pool")  # a group needs zeros for the channels of others, which one bit cannot hold


def random_layer(
    rng: np.random.Generator,
    *,
    act_bits: int = 8,
    weight_bits: int = 8,
    per_channel: bool = True,
    max_macs: int = 20_000,
    shape: str | None = None,
    residual: bool | None = None,
    power_of_two: bool = False,
    wide_bits: int = 0,
    group_lanes: int = 1,
) -> tuple[Layer, np.ndarray, np.ndarray | None]:
    """(layer with numbers, input, residual or None) of at most about `max_macs` multiplications.

    `shape` is one of SHAPES (any where None, but no groups for one-bit weights), `residual` asks for a residual (a
    third of the convolutions where None; pooling has none). Activations are signed or not, with any zero point; one-bit
    weights are -1 and +1. Scales spread the outputs over the stored range; they are powers of two where asked. Where
    there are `wide_bits`, half of the convolutions have outputs (and residuals) of act_bits + 1 to wide_bits bits. Of
    every `group_lanes` input channels an output channel keeps 1 to all weights, as many as the layer draws.
    """
    shape = shape or str(rng.choice(SHAPES if weight_bits > 1 else _UNGROUPED))
    layer = _shape(rng, shape, max_macs, weight_bits)
    with_residual = rng.random() < 1 / 3 if residual is None else residual
    layer = replace(
        layer, in_bits=act_bits, out_bits=act_bits, residual=with_residual and shape not in ("average_pool", "max_pool")
    )
    if wide_bits and layer.kind == "conv" and rng.random() < 1 / 2:
        layer = replace(layer, out_bits=int(rng.integers(act_bits + 1, wide_bits + 1)))
    in_low, in_high, in_zero = stored_range(rng, act_bits)
    x = rng.integers(in_low, in_high + 1, (layer.n_images, layer.in_channels, layer.in_h, layer.in_w))
    if layer.kind == "max_pool":
        numbers = LayerNumbers(
            weights=None, bias=None, scale=None, in_zero=in_zero, in_low=in_low, in_high=in_high,
            out_zero=in_zero, out_low=in_low, out_high=in_high,
        )  # fmt: skip
        return replace(layer, numbers=numbers), x, None
    weights = _weights(rng, layer, shape, weight_bits)
    if group_lanes > 1 and shape != "average_pool":
        weights = _pruned(rng, weights, group_lanes)
    scales_differ = per_channel and shape != "average_pool"
    numbers = _numbers(rng, layer, weights, (in_low, in_high, in_zero), scales_differ, power_of_two)
    layer = replace(layer, numbers=numbers)
    if not layer.residual:
        return layer, x, None
    r = rng.integers(
        numbers.residual_low, numbers.residual_high + 1,
        (layer.n_images, layer.out_channels, layer.out_h, layer.out_w),
    )  # fmt: skip
    return layer, x, r


def gemm_layer(name: str, m: int, k: int, n: int, *, seed: int = 0) -> Layer:
    """(m, k) x (k, n) with seeded signed 8-bit numbers and one scale, so that it can be run as well as timed."""
    rng = np.random.default_rng(seed)
    layer = _matrix_layer(name, m, k, n)
    weights = rng.integers(-127, 128, (n, k, 1, 1))
    return replace(layer, numbers=_numbers(rng, layer, weights, (-128, 127, 0), per_channel=False, power_of_two=False))


def random_input(layer: Layer, rng: np.random.Generator) -> np.ndarray:
    """Stored integers over the whole input range of a layer with numbers."""
    assert layer.numbers is not None
    size = (layer.n_images, layer.in_channels, layer.in_h, layer.in_w)
    return rng.integers(layer.numbers.in_low, layer.numbers.in_high + 1, size)


def _shape(rng: np.random.Generator, shape: str, max_macs: int, weight_bits: int) -> Layer:
    """A layer without numbers; drawn again until it is small enough."""
    while True:
        layer = _matrix(rng, weight_bits) if shape == "matrix" else _windowed(rng, shape, weight_bits)
        work = layer.out_h * layer.out_w * layer.out_channels * layer.kernel_h * layer.kernel_w
        if max(layer.n_macs, work) <= max_macs:
            return layer


def _matrix_layer(name: str, m: int, k: int, n: int, weight_bits: int = 8) -> Layer:
    lines, pixels = matrix_lines(m)
    return Layer(
        name=name, kind="conv", in_h=lines, in_w=pixels, in_channels=k, out_h=lines, out_w=pixels, out_channels=n,
        weight_bits=weight_bits, inputs=("x",), output="y",
    )  # fmt: skip


def _matrix(rng: np.random.Generator, weight_bits: int) -> Layer:
    m, k, n = (_one_of(rng, 1, int(rng.integers(2, 8)), int(rng.integers(8, 100))) for _ in range(3))
    return _matrix_layer("matrix", m, k, n, weight_bits)


def _windowed(rng: np.random.Generator, shape: str, weight_bits: int) -> Layer:
    in_h, in_w = (int(v) for v in rng.integers(1, 14, 2))
    channels = _one_of(rng, 1, 3, int(rng.integers(1, 40)))
    pads_allowed = shape != "average_pool"
    height = _window(rng, in_h, pads_allowed)
    width = _window(rng, in_w, pads_allowed)
    per_channel_kernels = shape in ("depthwise", "average_pool")
    keeps_channels = per_channel_kernels or shape == "max_pool"
    return Layer(
        name=shape, kind="max_pool" if shape == "max_pool" else "conv", n_images=int(rng.choice([1, 1, 1, 2])),
        in_h=in_h, in_w=in_w, in_channels=channels,
        out_h=height[3], out_w=width[3], out_channels=channels if keeps_channels else int(rng.integers(1, 40)),
        kernel_h=height[0], kernel_w=width[0], stride_h=height[1], stride_w=width[1],
        pad_top=height[2], pad_left=width[2], groups=channels if per_channel_kernels else 1,
        shared_weights=shape == "average_pool",
        weight_bits=2 if shape == "average_pool" else weight_bits, inputs=("x",), output="y",
    )  # fmt: skip


def _window(rng: np.random.Generator, size: int, pads_allowed: bool) -> tuple[int, int, int, int]:
    """(kernel, stride, padding before, output size) along one axis; padding after differs from that before."""
    kernel = int(rng.integers(1, min(size, 5) + 1))
    stride = int(rng.choice([1, 1, 2, 3]))
    before, after = (int(v) for v in rng.integers(0, kernel, 2)) if pads_allowed else (0, 0)
    return kernel, stride, before, (size + before + after - kernel) // stride + 1


def stored_range(rng: np.random.Generator, bits: int) -> tuple[int, int, int]:
    """(low, high, zero point) of signed or unsigned activations; one bit is unsigned."""
    signed = bits > 1 and bool(rng.integers(2))
    low = -(1 << (bits - 1)) if signed else 0
    high = low + (1 << bits) - 1
    zero = _one_of(rng, 0, low, int(rng.integers(low, high + 1)))
    return low, high, zero


def _one_of(rng: np.random.Generator, *values: int) -> int:
    return values[int(rng.integers(len(values)))]


def _weights(rng: np.random.Generator, layer: Layer, shape: str, bits: int) -> np.ndarray:
    size = (layer.out_channels, layer.in_channels // layer.groups, layer.kernel_h, layer.kernel_w)
    if shape == "average_pool":
        return np.ones(size, np.int64)
    if bits == 1:
        return rng.choice([-1, 1], size)
    return rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), size)


def _pruned(rng: np.random.Generator, weights: np.ndarray, group_lanes: int) -> np.ndarray:
    """Weights (out, in, kh, kw) of which a number between 1 and `group_lanes` is kept in each group of that many in."""
    n_kept = int(rng.integers(1, group_lanes + 1))
    order = rng.random((weights.shape[0], -(-weights.shape[1] // group_lanes), group_lanes, *weights.shape[2:]))
    kept = order.argsort(axis=2).argsort(axis=2) < n_kept
    return weights * kept.reshape(weights.shape[0], -1, *weights.shape[2:])[:, : weights.shape[1]]


def _numbers(
    rng: np.random.Generator,
    layer: Layer,
    weights: np.ndarray,
    stored: tuple[int, int, int],
    per_channel: bool,
    power_of_two: bool,
) -> LayerNumbers:
    in_low, in_high, in_zero = stored
    depth = weights[0].size
    spread = math.sqrt(depth * max(float(np.mean(weights.astype(np.float64) ** 2)), 0.25)) * (in_high - in_low + 1) / 3
    out_low, out_high, out_zero = stored_range(rng, layer.out_bits)
    size = layer.out_channels if per_channel else 1
    target = (out_high - out_low + 1) / 6 / max(spread, 1.0)
    scale = np.minimum(np.asarray(target * rng.uniform(0.5, 1.5, size)), 1.0)
    low, high, zero = stored_range(rng, layer.out_bits)
    sum_low, sum_high, sum_zero = stored_range(rng, layer.out_bits)
    pair = rng.uniform(0.3, 1.2, 2)
    if power_of_two:
        scale = np.exp2(np.round(np.log2(scale)))
        pair = np.exp2(rng.integers(-2, 1, 2))
    bias_span = max(int(spread), 1)
    relu_low = max(out_low, out_zero) if rng.random() < 0.3 else out_low
    return LayerNumbers(
        weights=weights, bias=rng.integers(-bias_span, bias_span + 1, layer.out_channels),
        scale=scale.astype(np.float32), in_zero=in_zero, in_low=in_low, in_high=in_high,
        out_zero=out_zero, out_low=relu_low, out_high=out_high,
        residual_zero=zero, residual_low=low, residual_high=high,
        residual_scales=(float(np.float32(pair[0])), float(np.float32(pair[1]))),
        sum_zero=sum_zero, sum_low=sum_low, sum_high=sum_high,
    )  # fmt: skip
