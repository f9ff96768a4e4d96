"""A netlist on the fabric of a LUT machine: LUTs of few inputs, cut into stages with banks between (docs/lut.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import numpy as np
from numba import njit

from designs.families.lut import Design
from workloads.mapping.lut_decompose import add_function
from workloads.mapping.lut_packing import n_packed
from workloads.netlist import ROLES, Netlist
from workloads.netlist_builder import NetlistBuilder
from workloads.optimize import merge_luts, optimize, tables_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Circuit:
    """One copy of a LUT machine: what its LUTs are, where they stand, and what is registered between them."""

    netlist: Netlist  # every LUT of at most lut_inputs inputs
    levels: np.ndarray  # (n_luts,) int32, 1 to the depth
    stages: np.ndarray  # (n_luts,) int32, 1 to n_stages
    n_stages: int
    banks: tuple[np.ndarray, ...]  # the signals of bank 0 to n_stages, ascending, int32
    n_luts_physical: int  # LUTs of the fabric, two functions in one where it is fracturable

    @property
    def latency_cycles(self) -> int:
        """From the cycle that takes a sample to the one that offers its answer, without stalls."""
        return self.n_stages + 1

    @property
    def n_levels(self) -> int:
        """LUTs on the longest way from an input to an output."""
        return int(self.levels.max(initial=0))


def _remembered(function: Callable[[Netlist, int], object]) -> Callable:
    """Answers by the content of the netlist, the last few: points of a sweep that share a netlist come in a row."""
    answers: dict[tuple[bytes, int], object] = {}

    @wraps(function)
    def remembering(netlist: Netlist, lut_inputs: int) -> object:
        key = (_digest(netlist), lut_inputs)
        if key not in answers:
            answers[key] = function(netlist, lut_inputs)
            while len(answers) > _MOST_REMEMBERED:
                answers.pop(next(iter(answers)))
        return answers[key]

    return remembering


_MOST_REMEMBERED = 64


def _digest(netlist: Netlist) -> bytes:
    digest = hashlib.sha256(repr((netlist.input_names, netlist.output_names)).encode())
    for array in (netlist.fanin_start, netlist.fanin, netlist.tables, netlist.roles, netlist.outputs):
        digest.update(str(array.shape).encode() + np.ascontiguousarray(array, np.int64).tobytes())
    return digest.digest()


@_remembered
def map_netlist(netlist: Netlist, lut_inputs: int) -> Netlist:
    """The same functions in LUTs of at most lut_inputs (3 to 6) inputs, as few as we find; inputs and outputs stay."""
    simplest = optimize(netlist)
    builder = NetlistBuilder(netlist.input_names)
    signal_of = list(range(netlist.n_inputs))
    for lut, (table, role) in enumerate(zip(tables_of(simplest), simplest.roles.tolist(), strict=True)):
        fanin = [signal_of[signal] for signal in simplest.inputs_of(lut).tolist()]
        signal_of.append(add_function(builder, fanin, table, lut_inputs, ROLES[role]))
    outputs = [signal_of[signal] if signal >= 0 else signal for signal in simplest.outputs.tolist()]
    return merge_luts(builder.finish(list(zip(netlist.output_names, outputs, strict=True))), lut_inputs)


@_remembered
def _packed(netlist: Netlist, lut_inputs: int) -> int:
    return n_packed(netlist, lut_inputs)


def circuit_of(design: Design, netlist: Netlist) -> Circuit:
    """The circuit of docs/lut.md: `netlist` on the fabric of `design`, in its stages."""
    mapped = map_netlist(netlist, design.lut_inputs)
    levels = levels_of(mapped)
    depth = int(levels.max(initial=0))
    per_stage = design.levels_per_stage or max(1, depth)
    stages = (-(-levels // per_stage)).astype(np.int32)
    n_stages = max(1, -(-depth // per_stage))
    return Circuit(
        netlist=mapped,
        levels=levels,
        stages=stages,
        n_stages=n_stages,
        banks=_banks(mapped, stages, n_stages),
        n_luts_physical=_packed(mapped, design.lut_inputs) if design.fracturable else mapped.n_luts,
    )


def levels_of(netlist: Netlist) -> np.ndarray:
    """(n_luts,) int32: one more than the largest level that a LUT reads; inputs are of level 0."""
    return _levels(netlist.n_inputs, netlist.fanin_start, netlist.fanin)


@njit(cache=True)
def _levels(n_inputs, fanin_start, fanin):  # type: ignore[no-untyped-def]
    levels = np.zeros(len(fanin_start) - 1, np.int32)
    for lut in range(len(levels)):
        for place in range(fanin_start[lut], fanin_start[lut + 1]):
            if fanin[place] >= n_inputs:
                levels[lut] = max(levels[lut], levels[fanin[place] - n_inputs])
        levels[lut] += 1
    return levels


def _banks(netlist: Netlist, stages: np.ndarray, n_stages: int) -> tuple[np.ndarray, ...]:
    """Bank b holds what stands in stage b or earlier and is read in a later one; outputs are read after the last."""
    stands = np.concatenate((np.zeros(netlist.n_inputs, np.int32), stages))
    last_read = np.zeros(len(stands), np.int32)
    np.maximum.at(last_read, netlist.fanin, np.repeat(stages, np.diff(netlist.fanin_start)))
    last_read[netlist.outputs[netlist.outputs >= 0]] = n_stages + 1
    return tuple(np.flatnonzero((stands <= bank) & (last_read > bank)).astype(np.int32) for bank in range(n_stages + 1))
