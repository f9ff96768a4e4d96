"""Random vector layers with numbers and data, odd in every way that a vector unit must bear; for verification."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.layer import Layer, LayerNumbers, matrix_lines
from workloads.mapping.tensor import Tiling, ceil_div, refusal
from workloads.mapping.vector import vector_refusal
from workloads.mapping.vector_numbers import MOST_FUNCTION_BITS
from workloads.random_layers import stored_range
from workloads.vector_layer import Role, VectorKind, VectorLayer, VectorNumbers

KINDS: tuple[VectorKind, ...] = get_args(VectorKind)
_FUNCTIONS = ("softmax", "gelu", "layer_norm", "range_norm")
_MOST_DRAWS = 200
_MOST_RATIO = 64  # of two scales: every multiplier of 8 bits or more can hold it


def random_vector_layer(
    rng: np.random.Generator, design: Design, *, kind: VectorKind | None = None, max_values: int = 2000
) -> tuple[VectorLayer, np.ndarray, np.ndarray | None]:
    """(layer with numbers, x, z or None) that `design` runs, of at most about `max_values` values; z is of additions.

    `kind` is any where None. x is (n_images, channels, in_h, in_w), of gather ids (n_images, 1, in_h, in_w). Edges are
    signed or not, narrow or wide (where the design has wide edges), with any zero point. Of to_weights, the product
    that reads the weights is `random_product`'s. InputError where the machine is too small for all that were drawn.
    """
    problem: str | None = None
    for _ in range(_MOST_DRAWS):
        layer = _shape(rng, design, kind or KINDS[int(rng.integers(len(KINDS)))], max_values)
        product = _product(layer, 1) if layer.kind == "to_weights" else None
        if problem := vector_refusal(design, layer, product):
            max_values = max(max_values * 7 // 8, 16)
            continue
        layer = replace(layer, numbers=_numbers(rng, layer, design))
        return layer, _source(rng, layer), _second(rng, layer)
    raise InputError(f"{problem}; no random layer was small enough")


def random_product(rng: np.random.Generator, design: Design, layer: VectorLayer) -> tuple[Layer, Tiling]:
    """(product with numbers, tiling) that reads the weights which `layer` (to_weights) makes; its weights are None."""
    product = _product(layer, int(rng.integers(1, 20)))
    unit, rows = design.channel_unit, design.array_rows
    for _ in range(_MOST_DRAWS):
        tiling = Tiling(
            rows=int(rng.integers(1, product.out_h + 1)),
            blocks=int(rng.integers(1, ceil_div(product.in_channels, rows) + 1)),
            channels=unit * int(rng.integers(1, ceil_div(product.out_channels, unit) + 1)),
            order="rows_outer" if rng.integers(2) else "channels_outer",
        )
        fits = refusal(design, product, tiling) is None
        if fits and vector_refusal(design, layer, product, tiling) is None:
            return replace(product, numbers=_product_numbers(rng, product)), tiling
    raise InputError(f"vector_words: wanted room for a random product, got {design.vector_words} words")


def random_source(rng: np.random.Generator, layer: VectorLayer) -> tuple[np.ndarray, np.ndarray | None]:
    """(x, z or None): stored integers over the whole range of a layer with numbers."""
    return _source(rng, layer), _second(rng, layer)


def _shape(rng: np.random.Generator, design: Design, kind: VectorKind, max_values: int) -> VectorLayer:
    rows = design.array_rows
    while True:
        in_h, in_w = int(rng.integers(1, 6)), int(rng.integers(1, 17))
        channels = int(rng.choice([2, int(rng.integers(2, 4 * rows)), rows * int(rng.integers(1, 4))]))
        n_images = int(rng.choice([1, 1, 2, 3]))
        if in_h * in_w * channels * n_images <= max_values or max_values <= 16:
            break
    layer = VectorLayer(
        name=kind, kind=kind, n_images=n_images, in_h=in_h, in_w=in_w, channels=channels,
        in_bits=_edge_bits(rng, design, kind), z_bits=_edge_bits(rng, design, kind),
        out_bits=_edge_bits(rng, design, kind), inputs=("x", "z") if kind == "add" else ("x",), output="y",
    )  # fmt: skip
    if kind == "softmax" and rng.integers(2):
        return replace(layer, causal=True, causal_offset=int(rng.integers(-2, channels + 1)))
    if kind == "gather":
        return replace(layer, n_table_rows=int(rng.integers(1, 20)))
    if kind != "to_weights":
        return layer
    role: Role = "keys" if rng.integers(2) else "values"
    whole = role == "values" and design.dataflow == "input_stationary"
    return replace(
        layer, n_images=1, role=role, product="product", n_tokens=int(rng.integers(1, in_h * in_w + 1)),
        channels=ceil_div(channels, rows) * rows if whole else channels,
        in_bits=int(rng.integers(1, max(min(design.weight_bits, design.edge_bits + 1), 2))),
        out_bits=design.weight_bits,
    )  # fmt: skip


def _edge_bits(rng: np.random.Generator, design: Design, kind: VectorKind) -> int:
    """Narrow or wide, and not always as many bits as the lanes have."""
    most = min(design.wide_bits, MOST_FUNCTION_BITS) if kind in _FUNCTIONS else design.wide_bits
    if most > design.act_bits and rng.integers(2):
        return int(rng.choice([most, int(rng.integers(design.act_bits + 1, most + 1))]))
    return int(rng.choice([design.act_bits, int(rng.integers(1, design.act_bits + 1))]))


def _numbers(rng: np.random.Generator, layer: VectorLayer, design: Design) -> VectorNumbers:
    x_low, x_high, x_zero = stored_range(rng, layer.in_bits)
    out_low, out_high, out_zero = stored_range(rng, layer.out_bits)
    if layer.kind == "to_weights":  # whatever the zero point, a value less it fits a weight
        limit = 1 << (design.weight_bits - 1)
        return VectorNumbers(
            x_zero=x_zero, x_low=x_low, x_high=x_high, out_zero=0, out_low=-limit, out_high=limit - 1
        )
    span = float(1 << layer.in_bits)
    reach = float(rng.uniform(1, 20))  # real values that the input covers
    x_scale = max(reach / span, 2.0**-14) if layer.kind in _FUNCTIONS else float(rng.uniform(0.2, 2))
    if layer.kind == "softmax":
        return VectorNumbers(
            x_zero=x_zero, x_low=x_low, x_high=x_high, x_scale=_float32(x_scale), out_zero=0, out_low=0,
            out_high=(1 << layer.out_bits) - 1, out_scale=2.0**-layer.out_bits,
        )  # fmt: skip
    norm = layer.kind in ("layer_norm", "range_norm")
    covered = 6.0 if norm else x_scale * span
    z_low, z_high, z_zero = stored_range(rng, layer.z_bits)
    z_scale = covered / (1 << layer.z_bits) * float(rng.uniform(0.3, 1.5))
    out_scale = covered / (1 << layer.out_bits) * float(rng.uniform(0.4, 1.5))
    out_scale = max(out_scale, x_scale / _MOST_RATIO, z_scale / _MOST_RATIO)
    gain = rng.normal(size=layer.channels) * 10.0 ** float(rng.integers(-3, 1)) if norm else None
    return VectorNumbers(
        x_zero=x_zero, x_low=x_low, x_high=x_high, x_scale=_float32(x_scale),
        z_zero=z_zero, z_low=z_low, z_high=z_high,
        z_scale=_float32(z_scale),
        out_zero=out_zero, out_low=out_low, out_high=out_high, out_scale=_float32(out_scale),
        gain=gain, offset=rng.normal(size=layer.channels) if norm else None,
        table=rng.integers(x_low, x_high + 1, (layer.n_table_rows, layer.channels)) if layer.n_table_rows else None,
    )  # fmt: skip


def _source(rng: np.random.Generator, layer: VectorLayer) -> np.ndarray:
    n = layer.numbers
    assert n is not None
    if layer.kind == "gather":
        return rng.integers(0, layer.n_table_rows, (layer.n_images, 1, layer.in_h, layer.in_w))
    x = rng.integers(n.x_low, n.x_high + 1, layer.shape)
    if rng.random() < 0.2:  # rows without any spread
        x[:] = x[:, :1]
    return x


def _second(rng: np.random.Generator, layer: VectorLayer) -> np.ndarray | None:
    n = layer.numbers
    assert n is not None
    return rng.integers(n.z_low, n.z_high + 1, layer.shape) if layer.kind == "add" else None


def _product(layer: VectorLayer, n_rows: int) -> Layer:
    """The product of `n_rows` rows that reads the weights of a to_weights layer."""
    lines, pixels = matrix_lines(n_rows, most=8)
    k, n = (layer.channels, layer.n_tokens) if layer.role == "keys" else (layer.n_tokens, layer.channels)
    return Layer(
        name=layer.product, kind="conv", in_h=lines, in_w=pixels, in_channels=k, out_h=lines, out_w=pixels,
        out_channels=n, inputs=("q",), output="s", weights_from=layer.output,
    )  # fmt: skip


def _product_numbers(rng: np.random.Generator, product: Layer) -> LayerNumbers:
    return LayerNumbers(
        weights=None, bias=np.zeros(product.out_channels, np.int64),
        scale=np.asarray([rng.uniform(0.001, 0.02)], np.float32), in_zero=0, in_low=0, in_high=1,
        out_zero=0, out_low=0, out_high=1,
    )  # fmt: skip


def _float32(value: float) -> float:
    return float(np.float32(value))
