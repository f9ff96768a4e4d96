"""A whole network in one DRAM: each layer's program reads the tensors that earlier programs wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from workloads.layer import Layer
from workloads.mapping.memory import pack_activations, put_bytes, put_constants
from workloads.mapping.program import Program
from workloads.mapping.tensor import Regions, Tiling, act_bytes, build_program, out_bytes
from workloads.mapping.vector import VectorRegions, build_vector_program, x_bytes, y_bytes, z_bytes
from workloads.mapping.vector_memory import pack_ids, put_vector_constants
from workloads.mapping.vector_program import VectorProgram
from workloads.vector_layer import Job, VectorLayer


@dataclass(frozen=True, kw_only=True)
class NetworkProgram:
    """Programs to run in order, and where each tensor lies."""

    programs: tuple[Program | VectorProgram, ...]
    tensors: dict[str, int]
    n_bytes: int


def build_network(design: Design, layers: Sequence[Job], tilings: Sequence[Tiling | None]) -> NetworkProgram:
    """One program a layer over one DRAM. `inputs` and `output` of a layer name the tensors.

    Vector layers have no tiling; one that makes weights writes them where its product finds its own.
    """
    tensors, end = _place_tensors(design, layers)
    built: dict[int, Program | VectorProgram] = {}
    read_by: dict[str, tuple[Layer, Tiling, int]] = {}  # product -> (itself, its tiling, where its constants start)
    later = []
    for index, (layer, tiling) in enumerate(zip(layers, tilings, strict=True)):
        if isinstance(layer, VectorLayer):
            if layer.kind == "to_weights":
                later.append((index, layer))
                continue
            built[index] = build_vector_program(design, layer, _vector_regions(layer, tensors, end))
        else:
            if tiling is None:
                raise InputError(f"{layer.name}: wanted a tiling, got none")
            read_by[layer.name] = layer, tiling, end
            built[index] = build_program(design, layer, tiling, _regions(layer, tensors, end))
        end = built[index].end
    for index, layer in later:
        product, tiling, constants = read_by.get(layer.product, (None, None, 0))
        regions = VectorRegions(x=tensors[layer.inputs[0]], z=0, y=constants, constants=0)
        built[index] = build_vector_program(design, layer, regions, product=product, tiling=tiling)
    return NetworkProgram(programs=tuple(built[i] for i in range(len(layers))), tensors=tensors, n_bytes=end)


def network_image(
    design: Design,
    layers: Sequence[Job],
    tilings: Sequence[Tiling | None],
    network: NetworkProgram,
    feeds: Mapping[str, np.ndarray],
) -> np.ndarray:
    """DRAM before the first program: weights, parameters, tables, and the stored tensors of `feeds`.

    These are inputs and stored constants (n_images, channels, h, w), and ids (n_images, 1, h, w); some layer reads
    each of them.
    """
    image = np.zeros(network.n_bytes, dtype=np.uint8)
    for name, x in feeds.items():
        put_bytes(image, network.tensors[name], _pack(design, layers, name, x))
    for layer, tiling, program in zip(layers, tilings, network.programs, strict=True):
        if isinstance(layer, VectorLayer):
            assert isinstance(program, VectorProgram)
            put_vector_constants(image, design, layer, program)
        else:
            assert isinstance(program, Program) and tiling is not None
            put_constants(image, design, layer, tiling, program)
    return image


def _place_tensors(design: Design, layers: Sequence[Job]) -> tuple[dict[str, int], int]:
    """(first byte of each stored tensor, first byte after them)."""
    tensors: dict[str, int] = {}
    end = 0
    for layer in layers:
        for name, size in _sizes(design, layer):
            if name not in tensors:
                tensors[name] = end
                end += size
    return tensors, end


def _sizes(design: Design, layer: Job) -> list[tuple[str, int]]:
    """Stored tensors of a layer and their bytes; weights that are made lie with their product."""
    if isinstance(layer, VectorLayer):
        inputs = list(zip(layer.inputs, (x_bytes(design, layer), z_bytes(design, layer)), strict=False))
        return inputs if layer.kind == "to_weights" else [*inputs, (layer.output, y_bytes(design, layer))]
    others = (*layer.inputs[1:], layer.output)
    return [(layer.inputs[0], act_bytes(design, layer)), *((name, out_bytes(design, layer)) for name in others)]


def _regions(layer: Layer, tensors: Mapping[str, int], constants: int) -> Regions:
    return Regions(
        act=tensors[layer.inputs[0]],
        residual=tensors[layer.inputs[1]] if layer.residual else 0,
        out=tensors[layer.output],
        constants=constants,
    )


def _vector_regions(layer: VectorLayer, tensors: Mapping[str, int], constants: int) -> VectorRegions:
    return VectorRegions(
        x=tensors[layer.inputs[0]],
        z=tensors[layer.inputs[1]] if layer.kind == "add" else 0,
        y=tensors[layer.output],
        constants=constants,
    )


def _pack(design: Design, layers: Sequence[Job], name: str, x: np.ndarray) -> np.ndarray:
    """Bytes of a stored tensor as its first reader finds it."""
    for layer in layers:
        if name not in layer.inputs or layer.numbers is None:
            continue
        second = layer.inputs.index(name) == 1
        if isinstance(layer, VectorLayer):
            if layer.kind == "gather":
                return pack_ids(design, x)
            n = layer.numbers
            zero, bits = (n.z_zero, layer.z_bits) if second else (n.x_zero, layer.in_bits)
        elif second:
            zero, bits = layer.numbers.residual_zero, layer.out_bits
        else:
            zero, bits = layer.numbers.in_zero, layer.in_bits
        return pack_activations(design, x, zero, bits)
    raise InputError(f"{name}: wanted a tensor that a layer with numbers reads, got one that none does")
