"""Power-of-two thresholds, trained (TQT, Jain et al. 2020): every scale is a power of two, so rescaling is a shift.

A tensor is quantized symmetrically, zero point 0: `s = 2**ceil(log2 t) / 2**(b-1)` where signed, `/ 2**b` where not,
and `q(x) = s * clip(round_half_even(x / s), n, p)`. The threshold t is trained in log2 t, where rounding counts as the
identity for the gradient: `dq / d log2 t = s ln 2 * (round(x/s) - x/s)` inside, `s ln 2 * n` below, `s ln 2 * p`
above; `dq / dx = 1` inside, 0 outside. Only thresholds are trained here, after training; the paper trains weights too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from designs.errors import InputError
from workloads.bitwidths.requantized import rebounded, run_samples
from workloads.compression.layers import chosen_layers, with_tensors
from workloads.compression.quantize import reals
from workloads.ir import SAME_VALUES, Graph, Tensor, check_graph

N_STEPS = 60
STEP = 0.1  # of log2 t, the mean over training; twice that at first, 0 at the end
_ADAM = (0.9, 0.99)
_FEWEST = 1e-30  # a tensor of zeros has this threshold


def bounds(bits: int, signed: bool) -> tuple[int, int]:
    """(n, p): least and largest stored integer."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def scale_of(log2_threshold: float, bits: int, signed: bool) -> float:
    """s, a power of two."""
    return float(2.0 ** (np.ceil(log2_threshold) - (bits - 1 if signed else bits)))


def quantized(x: np.ndarray, log2_threshold: float, bits: int, signed: bool) -> np.ndarray:
    """q(x), float64."""
    scale, (low, high) = scale_of(log2_threshold, bits, signed), bounds(bits, signed)
    return scale * np.clip(np.rint(x / scale), low, high)


def threshold_gradient(x: np.ndarray, log2_threshold: float, bits: int, signed: bool) -> np.ndarray:
    """dq / d log2 t at each x."""
    scale, (low, high) = scale_of(log2_threshold, bits, signed), bounds(bits, signed)
    steps = x / scale
    rounded = np.rint(steps)
    inside = np.where(rounded < low, low, np.where(rounded > high, high, rounded - steps))
    return scale * np.log(2) * inside


def input_gradient(x: np.ndarray, log2_threshold: float, bits: int, signed: bool) -> np.ndarray:
    """dq / dx at each x."""
    scale, (low, high) = scale_of(log2_threshold, bits, signed), bounds(bits, signed)
    rounded = np.rint(x / scale)
    return ((rounded >= low) & (rounded <= high)).astype(np.float64)


def trained_threshold(
    values: np.ndarray, bits: int, signed: bool, *, counts: np.ndarray | None = None, n_steps: int = N_STEPS
) -> float:
    """log2 t with the least mean squared error on values (each `counts` times) of those that training comes across.

    Adam on the gradient of the mean squared error, divided by the power of the values, from the largest magnitude on;
    steps shrink to nothing. The error depends on the ceiling of log2 t alone, and that is what is answered.
    """
    weights = np.ones(len(values)) if counts is None else counts.astype(np.float64)
    weights = weights / max(weights.sum(), 1.0)
    power = float(weights @ values**2)
    log2_t = float(np.log2(max(np.abs(values).max(initial=0.0), _FEWEST)))
    if power == 0:
        return log2_t
    errors: dict[float, float] = {}
    mean = square = 0.0
    for step in range(1, n_steps + 1):
        q = quantized(values, log2_t, bits, signed)
        errors.setdefault(float(np.ceil(log2_t)), float(weights @ (q - values) ** 2))
        slope = float(weights @ (2 * (q - values) * threshold_gradient(values, log2_t, bits, signed))) / power
        mean = _ADAM[0] * mean + (1 - _ADAM[0]) * slope
        square = _ADAM[1] * square + (1 - _ADAM[1]) * slope**2
        corrected = mean / (1 - _ADAM[0] ** step) / (np.sqrt(square / (1 - _ADAM[1] ** step)) + 1e-12)
        log2_t -= STEP * (1 + np.cos(np.pi * step / n_steps)) * corrected
    return min(errors, key=lambda exponent: errors[exponent])


def power_of_two(graph: Graph, samples: np.ndarray, bits: Mapping[str, int] | None = None) -> Graph:
    """The graph with scales that are powers of two and zero points 0, its requantization shifts; float32-exact scales.

    Thresholds are trained on the weights, and on what each activation is on samples (n, ...) of the input. `bits` names
    tensors that get another width. Activations that are never negative are unsigned, others signed, also the outputs:
    read them by their new scales. InputError where an input's scale is no power of two.
    """
    widths = bits or {}
    for name in graph.inputs:
        tensor = graph.by_name[name]
        if np.any(np.frexp(tensor.scale)[0] != 0.5) or tensor.zero_point:
            raise InputError(
                f"input {name}: wanted a scale that is a power of two and zero point 0, got {tensor.scale.tolist()} "
                f"and {tensor.zero_point}; quantize the input so"
            )
    values = reals(graph)
    activations = _activations(graph, run_samples(graph, samples), widths)
    ops = tuple(rebounded(op, graph.by_name[op.output], activations[op.output]) for op in graph.ops)
    tensors = tuple(activations.get(tensor.name, tensor) for tensor in graph.tensors)
    moved = replace(graph, tensors=tensors, ops=ops)
    changed = []
    for layer in chosen_layers(moved):
        real = values[layer.name]
        width = widths.get(layer.weights.name, layer.weights.bits)
        low, high = bounds(width, True)
        scale = scale_of(trained_threshold(real.weights.reshape(-1), width, True), width, True)
        data = np.clip(np.rint(real.weights / scale), low, high).astype(np.int64)
        changed.append(
            replace(layer.weights, bits=width, signed=True, axis=None, scale=np.array([scale], np.float32), data=data)
        )
        if layer.bias is not None and real.bias is not None:
            steps = np.rint(real.bias / (float(layer.x.scale[0]) * scale))
            changed.append(replace(layer.bias, data=np.clip(steps, layer.bias.low, layer.bias.high).astype(np.int64)))
    return check_graph(with_tensors(moved, changed))


def _activations(graph: Graph, seen: Mapping[str, np.ndarray], widths: Mapping[str, int]) -> dict[str, Tensor]:
    """Every computed tensor with its new quantization, by name."""
    found: dict[str, Tensor] = {}
    for op in graph.ops:
        tensor = graph.by_name[op.output]
        source = found.get(op.inputs[0], graph.by_name[op.inputs[0]])
        if op.kind in SAME_VALUES:
            found[tensor.name] = replace(
                tensor, bits=source.bits, signed=source.signed, scale=source.scale, zero_point=0
            )
            continue
        width = widths.get(tensor.name, tensor.bits)
        integers, counts = np.unique(seen[tensor.name], return_counts=True)
        values = tensor.dequantize(integers).astype(np.float64)
        signed = bool(values.min() < 0)
        scale = scale_of(trained_threshold(values, width, signed, counts=counts), width, signed)
        found[tensor.name] = replace(
            tensor, bits=width, signed=signed, scale=np.array([scale], np.float32), zero_point=0
        )
    return found
