"""A layer's numbers in the registers and fields of one tensor machine, or why they do not fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.layer import Arithmetic, Layer, LayerNumbers
from workloads.requantize import fixed_multiplier, fixed_multiplier_pair, power_of_two_shift


@dataclass(frozen=True, kw_only=True)
class BoundNumbers:
    """Requantization of every output channel, and the registers of a `LayerConfig`."""

    multiplier: np.ndarray  # int64 (out_channels,); 1 where requantization is by shift alone
    shift: np.ndarray  # int64 (out_channels,)
    registers: dict[str, int]


def arithmetic(design: Design, tile_blocks: int) -> Arithmetic:
    """How `design` adds and rounds when a tile holds `tile_blocks` input blocks."""
    return Arithmetic(
        accumulator_bits=design.acc_bits,
        overflow=design.acc_overflow,
        order="product" if design.dataflow == "output_stationary" else "block",
        lanes=design.act_lanes,
        n_of_m=(design.kept_lanes, design.group_lanes),
        tile_blocks=tile_blocks,
        requantize=design.requant,
        multiplier_bits=design.requant_multiplier_bits,
    )


def bind_numbers(design: Design, layer: Layer) -> BoundNumbers:
    """The integers that `layer` puts into the machine. InputError names the layer and the field that is too small."""
    numbers = layer.numbers
    assert numbers is not None, "only layers with numbers can be bound"
    _check_values(design, layer, numbers)
    registers = {"in_signed": int(numbers.in_low < 0), "in_zero": numbers.in_zero}
    if layer.kind == "max_pool":
        none = np.zeros(layer.out_channels, dtype=np.int64)
        return BoundNumbers(multiplier=none, shift=none, registers=registers)
    multiplier, shift = _requantization(design, layer, numbers)
    if design.requant_granularity == "per_tensor":
        registers["shift"] = int(shift[0])
        if design.requant == "multiplier_shift":
            registers["multiplier"] = int(multiplier[0])
    registers |= {"out_zero": numbers.out_zero, "out_low": numbers.out_low, "out_high": numbers.out_high}
    if layer.residual:
        m1, m2, residual_shift = fixed_multiplier_pair(
            numbers.residual_scales, design.requant_multiplier_bits, design.requant
        )
        registers |= {
            "residual_signed": int(numbers.residual_low < 0),
            "residual_zero": numbers.residual_zero,
            "residual_m1": m1,
            "residual_m2": m2,
            "residual_shift": residual_shift,
            "sum_zero": numbers.sum_zero,
            "sum_low": numbers.sum_low,
            "sum_high": numbers.sum_high,
        }
    return BoundNumbers(multiplier=multiplier, shift=shift, registers=registers)


def _requantization(design: Design, layer: Layer, numbers: LayerNumbers) -> tuple[np.ndarray, np.ndarray]:
    assert numbers.scale is not None
    if design.requant_granularity == "per_tensor" and np.any(numbers.scale != numbers.scale.flat[0]):
        raise InputError(
            f"{layer.name}: requant_granularity: wanted per_channel (each channel has its own scale), got per_tensor"
        )
    scale = np.broadcast_to(numbers.scale, (layer.out_channels,))
    try:
        if design.requant == "shift":
            return np.ones(layer.out_channels, dtype=np.int64), power_of_two_shift(scale)
        return fixed_multiplier(scale, design.requant_multiplier_bits)
    except InputError as error:
        raise InputError(f"{layer.name}: {error}") from error


def _check_values(design: Design, layer: Layer, numbers: LayerNumbers) -> None:
    """Every stored value fits its field."""
    ranges = [("input", numbers.in_low, numbers.in_high, design.act_bits)]
    stored = design.stored_bits(layer.out_bits)
    if layer.kind != "max_pool":
        ranges.append(("output", numbers.out_low, numbers.out_high, stored))
    if layer.residual:
        ranges += [
            ("residual", numbers.residual_low, numbers.residual_high, stored),
            ("sum", numbers.sum_low, numbers.sum_high, stored),
        ]
    for what, low, high, held in ranges:
        bits = bits_of_range(low, high)
        if bits > held:
            field = "act_bits" if held == design.act_bits else "wide_bits"
            wanted = f"wanted at least {bits}, got {held}"
            raise InputError(f"{layer.name}: {field}: the {what} is {low} to {high}, {wanted}")
    if numbers.weights is not None:
        _check_weights(design, layer, numbers.weights)


def _check_weights(design: Design, layer: Layer, weights: np.ndarray) -> None:
    low, high = int(weights.min()), int(weights.max())
    if design.weight_bits == 1:
        if layer.groups > 1:
            raise InputError(f"{layer.name}: weight_bits: a grouped layer needs zeros, wanted at least 2, got 1")
        if not np.all(np.abs(weights) == 1):
            raise InputError(f"{layer.name}: weight_bits: 1 bit holds -1 and +1, the weights are {low} to {high}")
        return
    bits = bits_of_range(min(low, -1), high)
    if bits > design.weight_bits:
        raise InputError(
            f"{layer.name}: weight_bits: weights are {low} to {high}, wanted at least {bits}, got {design.weight_bits}"
        )


def bits_of_range(low: int, high: int) -> int:
    """Bits that hold every integer of [low, high]; two's complement where low is negative."""
    if low < 0:
        return max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0) + 1
    return max(high.bit_length(), 1)
