"""Which circuits of the tensor machine belong to which slice of its inventory."""

from __future__ import annotations

import re
from collections.abc import Mapping

from designs.errors import InputError

# Whole paths below the top, first match wins; a circuit belongs to one slice, whatever contains it.
_SLICES = (
    ("pe", r"core\.compute\.datapath\.array\.pe_\d+_\d+"),
    ("skew", r"core\.compute\.datapath\.array(\.skew_\w+)?"),
    ("transposer", r"core\.(compute\.datapath|output_path)\.transposer"),
    ("datapath", r"core\.compute\.datapath(\.folds(\..*)?)?"),
    ("accumulator_adder", r"core\.compute\.accumulate"),
    ("requantizer", r"core\.output_path\.requantize_\d+"),
    ("residual", r"core\.output_path\.residual_\d+"),
    ("output_path", r"core\.output_path(\.sequencer)?"),
    ("pooling", r"core\.compute\.pool"),
    ("gearbox", r"data\.(un)?pack"),
    ("address", r"core\.compute\.im2col"),
    ("dma", r"(data|request)(\.(walker|counter|line)(\.counter)?)?"),
    ("control", r"|core|core\.compute(\.sequencer)?|tile_ring|output_ring|activity|cycle_counter"),
    ("act_scratchpad", r"act_scratchpad"),
    ("weight_scratchpad", r"weight_scratchpad"),
    ("accumulator", r"core\.accumulators"),
    ("output_buffer", r"output_buffer"),
    ("parameters", r"parameters"),
)


def slice_of(module: str) -> str:
    """The inventory's slice of a module, named by its path: `tensor.core.compute.im2col` -> `address`."""
    path = module.partition(".")[2]
    for name, pattern in _SLICES:
        if re.fullmatch(pattern, path):
            return name
    raise InputError(f"{module}: wanted a module of the tensor machine, got one that belongs to no slice")


def by_slice(modules: Mapping[str, float]) -> dict[str, float]:
    """Sum of each slice, in the order of the machine's slices. `modules`: path of a module -> size of all instances."""
    found = {name: 0.0 for name, _ in _SLICES}
    for module, size in modules.items():
        found[slice_of(module)] += size
    return {name: size for name, size in found.items() if size}
