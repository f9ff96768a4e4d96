"""What each vector layer computes on a machine, bit for bit, and the registers that it computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from designs.errors import InputError
from workloads.functions.output import OutputNumbers, output_numbers, requantize_wide
from workloads.functions.registers import (
    SoftmaxRegisters,
    WideRegisters,
    gelu_registers,
    norm_registers,
    run_softmax,
    run_wide,
    softmax_registers,
)
from workloads.requantize import fixed_multiplier, fixed_multiplier_pair, requantize
from workloads.vector_layer import VectorArithmetic, VectorLayer, VectorNumbers

FunctionNumbers: TypeAlias = SoftmaxRegisters | WideRegisters | None


@dataclass(frozen=True, kw_only=True)
class BoundVector:
    """The integers of a vector layer in one arithmetic."""

    function: FunctionNumbers = None  # of softmax, GELU and normalizations
    output: OutputNumbers | None = None  # requantization at the end; None for softmax, add and to_weights
    pair: tuple[int, int, int] | None = None  # of an addition: m1, m2, shift


def bind_vector(layer: VectorLayer, arithmetic: VectorArithmetic) -> BoundVector:
    """The registers of a layer with numbers; InputError names the layer and what does not fit."""
    n = layer.numbers
    if n is None:
        raise InputError(f"layer {layer.name}: wanted a layer with numbers, got shapes only (build it from a graph)")
    try:
        return _bind(layer, n, arithmetic)
    except InputError as error:
        raise InputError(f"{layer.name}: {error}") from error


def _bind(layer: VectorLayer, n: VectorNumbers, arithmetic: VectorArithmetic) -> BoundVector:
    bits, choice = arithmetic.multiplier_bits, arithmetic.functions
    if layer.kind in ("requantize", "gather"):
        m, shift = fixed_multiplier(np.asarray([_ratio(n.x_scale, n)]), bits)
        return BoundVector(
            output=OutputNumbers(
                bias=(0,), multiplier=(int(m[0]),), shift=(int(shift[0]),), zero=n.out_zero, low=n.out_low,
                high=n.out_high,
            )
        )  # fmt: skip
    if layer.kind == "add":
        return BoundVector(pair=fixed_multiplier_pair((_ratio(n.x_scale, n), _ratio(n.z_scale, n)), bits))
    if layer.kind == "softmax":
        _check_fraction(layer, n)
        return BoundVector(function=softmax_registers(n.x_scale, choice))
    if layer.kind == "gelu":
        gelu, scale = gelu_registers(n.x_scale, choice)
        return BoundVector(function=gelu, output=_output(n, scale, bits))
    if layer.kind in ("layer_norm", "range_norm"):
        norm, scale = norm_registers(layer.kind, layer.channels, layer.in_bits)
        return BoundVector(function=norm, output=_output(n, scale, bits))
    return BoundVector()


def run_vector_layer(
    layer: VectorLayer, x: np.ndarray, z: np.ndarray | None = None, arithmetic: VectorArithmetic | None = None
) -> np.ndarray:
    """Stored results (int64) of a layer with numbers: (n_images, channels, in_h, in_w).

    x and z have that shape too, but for gather: there x is (n_images, 1, in_h, in_w) of ids. Of to_weights the result
    is the weights of its product, (out_channels, in_channels, 1, 1). InputError where the data do not fit the layer.
    """
    arithmetic = arithmetic or VectorArithmetic()
    bound, n = bind_vector(layer, arithmetic), layer.numbers
    assert n is not None
    if layer.kind == "gather":
        assert n.table is not None
        ids = _stored(layer, "ids", x, (layer.n_images, 1, layer.in_h, layer.in_w), 0, len(n.table) - 1)
        v = n.table[ids[:, 0]] - n.x_zero
    else:
        v = _rows(_stored(layer, "input", x, layer.shape, n.x_low, n.x_high)) - n.x_zero
    if layer.kind == "to_weights":
        return _weights(layer, v, n)
    if layer.kind == "add":
        if z is None or bound.pair is None:
            raise InputError(f"layer {layer.name}: wanted two tensors of {list(layer.shape)}, got one")
        w = _rows(_stored(layer, "second input", z, layer.shape, n.z_low, n.z_high)) - n.z_zero
        total = v * bound.pair[0] + w * bound.pair[1]
        return _image(layer, requantize(total, 1, bound.pair[2], n.out_zero, n.out_low, n.out_high))
    if layer.kind == "softmax":
        valid = np.broadcast_to(valid_columns(layer), v.shape[:-1])
        registers = cast(SoftmaxRegisters, bound.function)
        return _image(layer, run_softmax(v, registers, valid, layer.out_bits, arithmetic.functions))
    assert bound.output is not None
    wide = v if bound.function is None else run_wide(v, cast(WideRegisters, bound.function))
    return _image(layer, requantize_wide(wide, bound.output))


def valid_columns(layer: VectorLayer) -> np.ndarray:
    """Columns of each token that take part, int64 (in_h * in_w,)."""
    tokens = np.arange(layer.in_h * layer.in_w)
    if not layer.causal:
        return np.full(len(tokens), layer.channels, dtype=np.int64)
    return np.clip(tokens + 1 + layer.causal_offset, 0, layer.channels)


def _weights(layer: VectorLayer, v: np.ndarray, n: VectorNumbers) -> np.ndarray:
    tokens = np.clip(v.reshape(-1, layer.channels)[: layer.n_tokens], n.out_low, n.out_high)
    weights = tokens if layer.role == "keys" else tokens.T
    return np.ascontiguousarray(weights)[:, :, None, None]


def _rows(image: np.ndarray) -> np.ndarray:
    """(n_images, channels, h, w) -> (n_images, tokens, channels)."""
    return image.reshape(*image.shape[:2], -1).transpose(0, 2, 1)


def _image(layer: VectorLayer, rows: np.ndarray) -> np.ndarray:
    """Tokens as rows -> (n_images, channels, in_h, in_w)."""
    return rows.reshape(layer.n_images, -1, layer.channels).transpose(0, 2, 1).reshape(layer.shape)


def _ratio(scale: float, n: VectorNumbers) -> float:
    """s / s_out in float32, as the graph's own requantization takes it."""
    return float(np.float32(scale) / np.float32(n.out_scale))


def _output(n: VectorNumbers, scale: float, bits: int) -> OutputNumbers:
    return output_numbers(
        scale, n.out_scale, zero=n.out_zero, low=n.out_low, high=n.out_high, gain=n.gain, offset=n.offset,
        multiplier_bits=bits,
    )  # fmt: skip


def _check_fraction(layer: VectorLayer, n: VectorNumbers) -> None:
    if n.out_zero or n.out_scale != 2.0**-layer.out_bits:
        raise InputError(
            f"softmax: wanted an output of scale 2**-{layer.out_bits} and zero point 0, "
            f"got {n.out_scale:g} and {n.out_zero}"
        )


def _stored(layer: VectorLayer, what: str, x: np.ndarray, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
    x = np.asarray(x)
    if x.shape != shape or not np.issubdtype(x.dtype, np.integer):
        raise InputError(
            f"layer {layer.name}: {what}: wanted integers of shape {list(shape)}, got {x.dtype} {list(x.shape)}"
        )
    if x.min() < low or x.max() > high:
        raise InputError(f"layer {layer.name}: {what}: wanted {low} to {high}, got {x.min()} to {x.max()}")
    return x.astype(np.int64)
