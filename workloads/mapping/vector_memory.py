"""DRAM of the vector unit (docs/vector.md, section 2): sources, ids, parameters, tables to bytes, and results back."""

from __future__ import annotations

import numpy as np

from designs.families.tensor import Design
from workloads.functions.output import VALUE_BITS, OutputNumbers
from workloads.functions.tables import TableNumbers
from workloads.mapping.memory import SHIFT_BITS, pack_activations, pack_words, put_bytes, unpack_activations
from workloads.mapping.tensor import ceil_div, line_bytes
from workloads.mapping.vector import ID_BITS, TABLE_BITS, has_table
from workloads.mapping.vector_numbers import NORMS, bind_vector_numbers
from workloads.mapping.vector_program import VectorField, VectorProgram
from workloads.vector_layer import VectorLayer


def vector_image(
    design: Design, layer: VectorLayer, program: VectorProgram, x: np.ndarray, z: np.ndarray | None = None
) -> np.ndarray:
    """All bytes that `program` finds in DRAM: sources, parameters and tables; the rest is zero.

    x and z are (n_images, channels, in_h, in_w), of gather x is (n_images, 1, in_h, in_w) of ids; x lies whole, at no
    place in a larger tensor. `layer.numbers` must be there.
    """
    numbers = layer.numbers
    assert numbers is not None and layer.in_place is None, "a layer with numbers and a source of its own"
    image = np.zeros(program.end, dtype=np.uint8)
    if layer.kind == "gather":
        put_bytes(image, program.x_base, pack_ids(design, x))
    else:
        put_bytes(image, program.x_base, pack_activations(design, x, numbers.x_zero, layer.in_bits))
    if layer.kind == "add":
        assert z is not None, "this layer adds a second tensor"
        put_bytes(image, program.z_base, pack_activations(design, z, numbers.z_zero, layer.z_bits))
    put_vector_constants(image, design, layer, program)
    return image


def put_vector_constants(image: np.ndarray, design: Design, layer: VectorLayer, program: VectorProgram) -> None:
    """Write the parameters and tables of `program` into DRAM."""
    numbers = layer.numbers
    assert numbers is not None
    bound, _ = bind_vector_numbers(design, layer)
    if layer.kind in NORMS:
        assert bound.output is not None
        put_bytes(image, int(program.steps[0, VectorField.PARAM_ADDR]), pack_vector_params(design, layer, bound.output))
    if has_table(design, layer):
        assert isinstance(bound.function, TableNumbers)
        entries = np.asarray(bound.function.entries, np.int64)[:, None]
        put_bytes(image, int(program.steps[0, VectorField.TABLE_ADDR]), pack_words(entries, TABLE_BITS).reshape(-1))
    if layer.kind == "gather":
        assert numbers.table is not None
        put_bytes(image, program.config.table_base, _pack_table(design, layer, numbers.table, numbers.x_zero))


def pack_ids(design: Design, ids: np.ndarray) -> np.ndarray:
    """Bytes of the lines of ids (n_images, 1, in_h, in_w), 32 bits each."""
    lines = ids.reshape(-1, ids.shape[-1])
    packed = pack_words(lines, ID_BITS)
    padded = np.zeros((len(lines), line_bytes(ids.shape[-1], ID_BITS, design.dram_burst_bytes)), dtype=np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded.reshape(-1)


def pack_vector_params(design: Design, layer: VectorLayer, output: OutputNumbers) -> np.ndarray:
    """Bytes of the parameter words of a normalization: bias, multiplier and shift of each lane, zero where unused."""
    n_channels = ceil_div(layer.channels, design.array_rows) * design.array_rows
    fields = []
    for values, bits in (
        (output.bias, VALUE_BITS),
        (output.multiplier, design.requant_multiplier_bits + 1),
        (output.shift, SHIFT_BITS),
    ):
        padded = np.zeros(n_channels, dtype=np.int64)
        padded[: layer.channels] = values
        fields.append((padded[:, None] >> np.arange(bits)) & 1)
    bits_of_words = np.concatenate(fields, axis=1).reshape(n_channels // design.vector_lanes, -1)
    return np.packbits(bits_of_words.astype(np.uint8), axis=1, bitorder="little").reshape(-1)


def read_vector_output(design: Design, layer: VectorLayer, program: VectorProgram, image: np.ndarray) -> np.ndarray:
    """The result (n_images, channels, in_h, in_w) out of DRAM after the program ran; not of to_weights."""
    numbers = layer.numbers
    assert numbers is not None and layer.kind != "to_weights" and layer.out_place is None
    return unpack_activations(design, image[program.y_base :], layer.shape, numbers.out_low < 0, layer.out_bits)


def _pack_table(design: Design, layer: VectorLayer, rows: np.ndarray, zero: int) -> np.ndarray:
    """Bytes of a table (n_rows, channels): a row is a line of one word a block."""
    lanes, blocks = design.array_rows, ceil_div(layer.channels, design.array_rows)
    padded = np.full((len(rows), blocks * lanes), zero, dtype=np.int64)
    padded[:, : layer.channels] = rows
    packed = pack_words(padded.reshape(-1, lanes), design.stored_bits(layer.in_bits)).reshape(len(padded), -1)
    n_bytes = line_bytes(blocks, design.stored_word_bits(layer.in_bits), design.dram_burst_bytes)
    lines = np.zeros((len(padded), n_bytes), dtype=np.uint8)
    lines[:, : packed.shape[1]] = packed
    return lines.reshape(-1)
