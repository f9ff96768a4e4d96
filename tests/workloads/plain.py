"""A second, plain-Python reading of `Arithmetic`'s and `LayerNumbers`' docstrings: loops and unlimited integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from workloads.layer import Arithmetic, Layer
from workloads.requantize import fixed_multiplier, fixed_multiplier_pair, power_of_two_shift


@dataclass
class Register:
    """Adds under the overflow rule and counts what did not fit."""

    arithmetic: Arithmetic
    value: int = 0
    n_overflows: list[int] = field(default_factory=list)

    def add(self, term: int) -> None:
        exact = self.value + term
        low, high = -(1 << (self.arithmetic.accumulator_bits - 1)), (1 << (self.arithmetic.accumulator_bits - 1)) - 1
        if low <= exact <= high:
            self.value = exact
            return
        self.n_overflows.append(1)
        if self.arithmetic.overflow == "saturate":
            self.value = low if exact < low else high
        else:
            self.value = (exact - low) % (1 << self.arithmetic.accumulator_bits) + low


def plain_layer(
    layer: Layer, x: np.ndarray, residual: np.ndarray | None, arithmetic: Arithmetic
) -> tuple[list[int], int]:
    """(outputs flattened, overflows)."""
    outputs, n_overflows = [], 0
    for index in np.ndindex(layer.n_images, layer.out_channels, layer.out_h, layer.out_w):
        if layer.kind == "max_pool":
            outputs.append(_largest(layer, x, index))
            continue
        total, n = _accumulate(layer, _reader(layer, x, index), index[1], arithmetic)
        n_overflows += n
        outputs.append(_output_path(layer, total, index, residual, arithmetic))
    return outputs, n_overflows


def _pixels(layer: Layer, index: tuple[int, ...]) -> list[tuple[int, int, int, int]]:
    """(kernel row, kernel column, image row, image column) of the pixels inside the image."""
    _, _, oy, ox = index
    pixels = []
    for r in range(layer.kernel_h):
        for c in range(layer.kernel_w):
            y, x = oy * layer.stride_h - layer.pad_top + r, ox * layer.stride_w - layer.pad_left + c
            if 0 <= y < layer.in_h and 0 <= x < layer.in_w:
                pixels.append((r, c, y, x))
    return pixels


def _largest(layer: Layer, x: np.ndarray, index: tuple[int, ...]) -> int:
    return max(int(x[index[0], index[1], y, c]) for _, _, y, c in _pixels(layer, index))


def _reader(layer: Layer, x: np.ndarray, index: tuple[int, ...]) -> Callable[[int, int, int], int]:
    """Product of absolute input channel, kernel row and kernel column for one output."""
    n = layer.numbers
    assert n is not None and n.weights is not None
    inside = {(r, c): (y, z) for r, c, y, z in _pixels(layer, index)}
    depth = layer.in_channels // layer.groups
    first = index[1] // (layer.out_channels // layer.groups) * depth

    def product(channel: int, r: int, c: int) -> int:
        if (r, c) not in inside or not first <= channel < first + depth:
            return 0
        y, z = inside[r, c]
        return (int(x[index[0], channel, y, z]) - n.in_zero) * int(n.weights[index[1], channel - first, r, c])

    return product


def _accumulate(
    layer: Layer, product: Callable[[int, int, int], int], channel: int, arithmetic: Arithmetic
) -> tuple[int, int]:
    lanes = arithmetic.lanes
    n_blocks = -(-layer.in_channels // lanes)
    memory, register = Register(arithmetic), Register(arithmetic)
    for block in range(n_blocks):
        channels = range(block * lanes, min((block + 1) * lanes, layer.in_channels))
        for r in range(layer.kernel_h):
            for c in range(layer.kernel_w):
                if arithmetic.order == "block":
                    for part in _passes(layer, channels, channel, (r, c), arithmetic):
                        memory.add(sum(product(i, r, c) for i in part))
                else:
                    for i in channels:
                        register.add(product(i, r, c))
        if arithmetic.order == "product" and ((block + 1) % arithmetic.tile_blocks == 0 or block == n_blocks - 1):
            if block < arithmetic.tile_blocks:
                memory.value = register.value
            else:
                memory.add(register.value)
            register.value = 0
    return memory.value, len(memory.n_overflows) + len(register.n_overflows)


def _passes(
    layer: Layer, channels: range, channel: int, tap: tuple[int, int], arithmetic: Arithmetic
) -> list[list[int]]:
    """The channels whose products are added in turn."""
    n, m = arithmetic.n_of_m
    if m == 1:
        return [list(channels)]
    assert layer.numbers is not None and layer.numbers.weights is not None
    depth = layer.in_channels // layer.groups
    first = channel // (layer.out_channels // layer.groups) * depth
    groups: dict[int, list[int]] = {}
    for i in channels:
        if first <= i < first + depth and layer.numbers.weights[channel, i - first, *tap]:
            groups.setdefault(i // m, []).append(i)
    n_passes = max((-(-len(kept) // n) for kept in groups.values()), default=0)
    return [[i for kept in groups.values() for i in kept[p * n : p * n + n]] for p in range(n_passes)]


def _output_path(
    layer: Layer, total: int, index: tuple[int, ...], residual: np.ndarray | None, arithmetic: Arithmetic
) -> int:
    n = layer.numbers
    assert n is not None and n.bias is not None and n.scale is not None
    t = total + int(n.bias[index[1]])
    scale = n.scale[index[1] if n.scale.size > 1 else 0 : None][:1]
    if arithmetic.requantize == "shift":
        m, shift = 1, int(power_of_two_shift(scale)[0])
    else:
        multipliers, shifts = fixed_multiplier(scale, arithmetic.multiplier_bits)
        m, shift = int(multipliers[0]), int(shifts[0])
    y = _clip(_rounded(t * m, shift) + n.out_zero, n.out_low, n.out_high)
    if not layer.residual:
        return y
    assert residual is not None
    m1, m2, shift = fixed_multiplier_pair(n.residual_scales, arithmetic.multiplier_bits, arithmetic.requantize)
    total = (y - n.out_zero) * m1 + (int(residual[index]) - n.residual_zero) * m2
    return _clip(_rounded(total, shift) + n.sum_zero, n.sum_low, n.sum_high)


def _rounded(value: int, shift: int) -> int:
    """value / 2**shift to the nearest integer, halves up."""
    return (Fraction(value, 1 << shift) + Fraction(1, 2)).__floor__()


def _clip(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)
