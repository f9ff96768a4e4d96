"""A whole network in one DRAM: each layer's program reads the tensors that earlier programs wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from designs.families.tensor import Design
from workloads.layer import Layer
from workloads.mapping.memory import pack_activations, put_bytes, put_constants
from workloads.mapping.program import Program
from workloads.mapping.tensor import Regions, Tiling, act_bytes, build_program, out_bytes


@dataclass(frozen=True, kw_only=True)
class NetworkProgram:
    """Programs to run in order, and where each tensor lies."""

    programs: tuple[Program, ...]
    tensors: dict[str, int]
    n_bytes: int


def build_network(design: Design, layers: Sequence[Layer], tilings: Sequence[Tiling]) -> NetworkProgram:
    """One program a layer over one DRAM. `Layer.inputs` and `Layer.output` name the tensors."""
    tensors: dict[str, int] = {}
    end = 0
    for layer in layers:
        for name, size in (
            (layer.inputs[0], act_bytes(design, layer)),
            *((name, out_bytes(design, layer)) for name in (*layer.inputs[1:], layer.output)),
        ):
            if name not in tensors:
                tensors[name] = end
                end += size
    programs = []
    for layer, tiling in zip(layers, tilings, strict=True):
        regions = Regions(
            act=tensors[layer.inputs[0]],
            residual=tensors[layer.inputs[1]] if layer.residual else 0,
            out=tensors[layer.output],
            constants=end,
        )
        programs.append(build_program(design, layer, tiling, regions))
        end = programs[-1].end
    return NetworkProgram(programs=tuple(programs), tensors=tensors, n_bytes=end)


def network_image(
    design: Design,
    layers: Sequence[Layer],
    tilings: Sequence[Tiling],
    network: NetworkProgram,
    feeds: Mapping[str, np.ndarray],
) -> np.ndarray:
    """DRAM before the first program: inputs `feeds` (n_images, channels, h, w), weights and parameters."""
    image = np.zeros(network.n_bytes, dtype=np.uint8)
    zeros = {layer.inputs[0]: layer.numbers.in_zero for layer in reversed(layers) if layer.numbers is not None}
    for name, x in feeds.items():
        put_bytes(image, network.tensors[name], pack_activations(design, x, zeros[name]))
    for layer, tiling, program in zip(layers, tilings, network.programs, strict=True):
        put_constants(image, design, layer, tiling, program)
    return image
