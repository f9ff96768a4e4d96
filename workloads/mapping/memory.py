"""DRAM of a tensor machine: tensors to bytes and back (docs/tensor.md, sections 3 and 6)."""

from __future__ import annotations

import numpy as np

from designs.families.tensor import Design
from workloads.layer import Layer, LayerNumbers
from workloads.mapping.n_of_m import kept_weights, passes
from workloads.mapping.numbers import BoundNumbers, bind_numbers
from workloads.mapping.program import Program, TileField
from workloads.mapping.tensor import Step, Tiling, ceil_div, line_bytes, steps

BIAS_BITS = 32
SHIFT_BITS = 6


def pack_words(lanes: np.ndarray, bits: int) -> np.ndarray:
    """Bytes (n_words, ceil(n_lanes * bits / 8)) of words whose lanes are integers of `bits` bits, lane 0 lowest."""
    n_words = lanes.shape[0]
    fields = (lanes.astype(np.int64)[..., None] >> np.arange(bits)) & 1
    return np.packbits(fields.reshape(n_words, -1).astype(np.uint8), axis=1, bitorder="little")


def unpack_words(words: np.ndarray, n_lanes: int, bits: int, signed: bool) -> np.ndarray:
    """Inverse of `pack_words`: int64 (n_words, n_lanes)."""
    fields = np.unpackbits(words, axis=1, bitorder="little")[:, : n_lanes * bits].reshape(-1, n_lanes, bits)
    values = (fields.astype(np.int64) << np.arange(bits)).sum(axis=2)
    return np.where(fields[..., -1] == 1, values - (1 << bits), values) if signed else values


def pack_activations(design: Design, x: np.ndarray, zero: int, bits: int = 0) -> np.ndarray:
    """Bytes of the lines of `x` (n_images, channels, h, w), unused lanes of the last block holding `zero`.

    `bits` are those of the edge's values; 0: at most act_bits. They say whether it is stored narrow or wide.
    """
    n_images, channels, height, width = x.shape
    lanes = design.act_lanes
    blocks = ceil_div(channels, lanes)
    padded = np.full((n_images, blocks * lanes, height, width), zero, dtype=np.int64)
    padded[:, :channels] = x
    words = padded.reshape(n_images, blocks, lanes, height, width).transpose(0, 1, 3, 4, 2).reshape(-1, lanes)
    packed = pack_words(words, design.stored_bits(bits)).reshape(n_images * blocks * height, -1)
    n_line_bytes = line_bytes(width, design.stored_word_bits(bits), design.dram_burst_bytes)
    lines = np.zeros((packed.shape[0], n_line_bytes), dtype=np.uint8)
    lines[:, : packed.shape[1]] = packed
    return lines.reshape(-1)


def unpack_activations(
    design: Design, data: np.ndarray, shape: tuple[int, int, int, int], signed: bool, bits: int = 0
) -> np.ndarray:
    """Inverse of `pack_activations`, unused lanes dropped: int64 of `shape` (n_images, channels, h, w)."""
    n_images, channels, height, width = shape
    lanes = design.act_lanes
    blocks = ceil_div(channels, lanes)
    word_bytes = ceil_div(design.stored_word_bits(bits), 8)
    n_lines = n_images * blocks * height
    line = line_bytes(width, design.stored_word_bits(bits), design.dram_burst_bytes)
    words = data[: n_lines * line].reshape(n_lines, line)[:, : width * word_bytes].reshape(-1, word_bytes)
    values = unpack_words(np.ascontiguousarray(words), lanes, design.stored_bits(bits), signed)
    values = values.reshape(n_images, blocks, height, width, lanes).transpose(0, 1, 4, 2, 3)
    return values.reshape(n_images, blocks * lanes, height, width)[:, :channels]


def dram_image(
    design: Design, layer: Layer, tiling: Tiling, program: Program, x: np.ndarray, residual: np.ndarray | None = None
) -> np.ndarray:
    """All bytes that `program` finds in DRAM: input, residual, weights and parameters; the rest is zero.

    x is (n_images, in_channels, in_h, in_w), residual of the output's shape; `layer.numbers` must be there.
    """
    numbers = layer.numbers
    assert numbers is not None, "a layer without numbers can be timed but not run"
    image = np.zeros(program.end, dtype=np.uint8)
    put_bytes(image, program.act_base, pack_activations(design, x, numbers.in_zero))
    if layer.residual:
        assert residual is not None, "this layer adds a residual"
        packed = pack_activations(design, residual, numbers.residual_zero, layer.out_bits)
        put_bytes(image, program.residual_base, packed)
    put_constants(image, design, layer, tiling, program)
    return image


def put_constants(image: np.ndarray, design: Design, layer: Layer, tiling: Tiling, program: Program) -> None:
    """Write the weights and parameters of `program` into DRAM."""
    if layer.kind == "max_pool":
        return
    numbers = layer.numbers
    assert numbers is not None
    bound = bind_numbers(design, layer)
    for tile, step in zip(program.tiles, steps(design, layer, tiling), strict=True):
        if tile[TileField.LOAD_WEIGHTS] and numbers.weights is not None:
            words = weight_words(design, layer, numbers, step)
            bits = design.weight_bits + design.place_bits
            put_bytes(image, int(tile[TileField.WEIGHT_ADDR]), pack_words(words, bits).reshape(-1))
        if tile[TileField.LOAD_PARAMS]:
            put_bytes(image, int(tile[TileField.PARAM_ADDR]), _pack_params(design, numbers, bound, step))


def put_bytes(image: np.ndarray, address: int, data: np.ndarray) -> None:
    """Write `data` at `address`."""
    image[address : address + len(data)] = data


def read_output(design: Design, layer: Layer, program: Program, image: np.ndarray) -> np.ndarray:
    """The layer's output (n_images, out_channels, out_h, out_w) out of DRAM after the program ran."""
    numbers = layer.numbers
    assert numbers is not None
    low = numbers.in_low if layer.kind == "max_pool" else numbers.sum_low if layer.residual else numbers.out_low
    shape = (layer.n_images, layer.out_channels, layer.out_h, layer.out_w)
    bits = layer.out_bits if layer.kind == "conv" else 0
    return unpack_activations(design, image[program.out_base :], shape, low < 0, bits)


def weight_words(design: Design, layer: Layer, numbers: LayerNumbers, step: Step) -> np.ndarray:
    """The weights of a tile, (n_words, weight_lanes), in the order in which the array reads them; stored values."""
    rows, cols = design.array_rows, design.array_cols
    dense = _dense_weights(design, layer, numbers, step)  # (channel, block, lane, kernel_h, kernel_w)
    by_k = dense.transpose(0, 1, 3, 4, 2).reshape(dense.shape[0], -1, design.act_lanes)  # (channel, k-block, lane)
    if design.group_lanes > 1:
        kept, places = kept_weights(by_k, design.kept_lanes, design.group_lanes, passes(design, layer))
        by_k = kept & ((1 << design.weight_bits) - 1) | places << design.weight_bits
    if design.dataflow == "input_stationary":
        words = by_k.transpose(1, 0, 2).reshape(-1, rows)
    else:
        folds = ceil_div(step.n_valid, cols)
        padded = np.zeros((folds * cols, *by_k.shape[1:]), dtype=np.int64)
        padded[: step.n_valid] = by_k
        by_fold = padded.reshape(folds, cols, -1, rows)
        order = (0, 2, 3, 1) if design.dataflow == "output_stationary" else (2, 0, 3, 1)
        words = by_fold.transpose(order).reshape(-1, cols)
    return (words < 0).astype(np.int64) if design.weight_bits == 1 else words


def _dense_weights(design: Design, layer: Layer, numbers: LayerNumbers, step: Step) -> np.ndarray:
    """Weights of the tile's channels over its input blocks, zero outside a channel's group."""
    assert numbers.weights is not None
    lanes = design.act_lanes
    dense = np.zeros((step.n_valid, step.blocks * lanes, layer.kernel_h, layer.kernel_w), dtype=np.int64)
    group_in, group_out = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    first_in = step.block * lanes
    for index in range(step.n_valid):
        channel = step.channel + index
        start = channel // group_out * group_in - first_in
        low, high = max(start, 0), min(start + group_in, step.blocks * lanes)
        if low < high:
            dense[index, low:high] = numbers.weights[channel, low - start : high - start]
    return dense.reshape(step.n_valid, step.blocks, lanes, layer.kernel_h, layer.kernel_w)


def _pack_params(design: Design, numbers: LayerNumbers, bound: BoundNumbers, step: Step) -> np.ndarray:
    """Bytes of an output's parameter words."""
    assert numbers.bias is not None
    lanes = design.post_lanes
    n_words = ceil_div(step.n_valid, lanes)
    channels = slice(step.channel, step.channel + step.n_valid)
    fields = [_bits_of(numbers.bias[channels], BIAS_BITS, n_words * lanes)]
    if design.requant_granularity == "per_channel":
        if design.requant == "multiplier_shift":
            fields.append(_bits_of(bound.multiplier[channels], design.requant_multiplier_bits, n_words * lanes))
        fields.append(_bits_of(bound.shift[channels], SHIFT_BITS, n_words * lanes))
    bits = np.concatenate(fields, axis=1).reshape(n_words, -1)
    return np.packbits(bits, axis=1, bitorder="little").reshape(-1)


def _bits_of(values: np.ndarray, bits: int, length: int) -> np.ndarray:
    """(length, bits) of 0 and 1, lowest first; missing values are zero."""
    padded = np.zeros(length, dtype=np.int64)
    padded[: len(values)] = values
    return ((padded[:, None] >> np.arange(bits)) & 1).astype(np.uint8)
