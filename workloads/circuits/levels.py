"""How deep and wide a circuit is, counted in gates that bootstrap: NOT is none, a MUX one level and two rotations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from workloads.circuits.circuit import N_BOOTSTRAPS, NOT, Circuit


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a table tells of a circuit; widths are bootstraps of a level, levels as early as operands allow."""

    n_gates: int  # that bootstrap
    n_nots: int
    n_bootstraps: int
    depth: int  # levels
    widest: int
    mean_width: float
    most_readers: int  # of one signal, NOTs and output bits counted


def shape_of(circuit: Circuit) -> Shape:
    """The circuit in numbers."""
    widths = widths_of(circuit)
    n_nots = int((circuit.ops == NOT).sum())
    return Shape(
        n_gates=circuit.n_gates - n_nots,
        n_nots=n_nots,
        n_bootstraps=circuit.n_bootstraps,
        depth=len(widths),
        widest=int(widths.max(initial=0)),
        mean_width=circuit.n_bootstraps / max(1, len(widths)),
        most_readers=int(n_readers_of(circuit).max(initial=0)),
    )


def levels_of(circuit: Circuit) -> np.ndarray:
    """(n_signals,) int32: gates that bootstrap on the longest path to each signal, its own counted; inputs are 0."""
    return _levels(circuit.n_inputs, circuit.ops, circuit.operands)


def heights_of(circuit: Circuit) -> np.ndarray:
    """(n_signals,) int32: gates that bootstrap on the longest path from each signal on, its own gate counted."""
    return _heights(circuit.n_inputs, circuit.ops, circuit.operands)


def widths_of(circuit: Circuit) -> np.ndarray:
    """(depth,) int64: bootstraps of each level, the wavefronts of a schedule that goes level by level."""
    bootstraps = N_BOOTSTRAPS[circuit.ops]
    levels = levels_of(circuit)[circuit.n_inputs :][bootstraps > 0]
    return np.bincount(levels, weights=bootstraps[bootstraps > 0])[1:].astype(np.int64)


def n_readers_of(circuit: Circuit) -> np.ndarray:
    """(n_signals,) int64: how often gates and output bits read each signal."""
    read = np.concatenate([circuit.operands.ravel(), circuit.outputs])
    return np.bincount(read[read >= 0], minlength=circuit.n_inputs + circuit.n_gates)


@njit(cache=True)
def _levels(n_inputs: int, ops: np.ndarray, operands: np.ndarray) -> np.ndarray:
    levels = np.zeros(n_inputs + len(ops), np.int32)
    for gate in range(len(ops)):
        level = 0
        for signal in operands[gate]:
            if signal >= 0:
                level = max(level, levels[signal])
        levels[n_inputs + gate] = level + (ops[gate] != NOT)
    return levels


@njit(cache=True)
def _heights(n_inputs: int, ops: np.ndarray, operands: np.ndarray) -> np.ndarray:
    heights = np.zeros(n_inputs + len(ops), np.int32)  # first: of the paths after each signal
    for gate in range(len(ops) - 1, -1, -1):
        signal = n_inputs + gate
        heights[signal] += ops[gate] != NOT
        for read in operands[gate]:
            if read >= 0:
                heights[read] = max(heights[read], heights[signal])
    return heights
