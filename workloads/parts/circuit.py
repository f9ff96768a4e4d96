"""Circuits of gates: the first levels, and some of the gates of the next one."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from designs.errors import InputError
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import N_BOOTSTRAPS, Circuit, Port
from workloads.circuits.levels import levels_of, n_readers_of
from workloads.parts import Part


def part(workload: Circuit, share: Fraction, name: str) -> Part:
    """The gates of the first levels with at most `share` of the bootstraps, the last level in part.

    What no kept gate reads any more, and what was an output, is an output: one port of bits. Cycles and energy of the
    whole are estimated as those of the part times the bootstraps of the whole over its own.
    """
    bootstraps = N_BOOTSTRAPS[workload.ops].astype(np.int64)
    total = int(bootstraps.sum())
    levels = levels_of(workload)[workload.n_inputs :]
    order = np.argsort(levels, kind="stable")  # a NOT has its operand's level and comes after it
    n_kept = int(np.searchsorted(np.cumsum(bootstraps[order]), math.floor(total * share), side="right"))
    kept = order[:n_kept]
    n_left = int(bootstraps[kept].sum())
    if n_left == 0:
        raise InputError(
            f"{name}: wanted gates enough to be cut so far, got {total} bootstraps; ask for a larger share"
        )
    ops, operands = workload.ops[kept], _renumbered(workload, kept)
    outputs = _open_ends(workload, kept, operands)
    ports = (Port(name="cut", bits=len(outputs)),)
    found = circuit_of(name, workload.inputs, ports, ops, operands, outputs)
    return Part(workload=found, measures={"bootstraps": Fraction(n_left, total)}, scale=total / n_left)


def _renumbered(circuit: Circuit, kept: np.ndarray) -> np.ndarray:
    """Operands of the kept gates, which are numbered in their order."""
    signal = np.full(circuit.n_inputs + circuit.n_gates + 1, -1, np.int32)  # the last is -1's: no operand
    signal[: circuit.n_inputs] = np.arange(circuit.n_inputs)
    signal[circuit.n_inputs + kept] = circuit.n_inputs + np.arange(len(kept))
    return np.ascontiguousarray(signal[circuit.operands[kept]])


def _open_ends(circuit: Circuit, kept: np.ndarray, operands: np.ndarray) -> np.ndarray:
    """Signals of the part that are read outside of it, or that nobody reads in it."""
    n_inside = np.bincount(operands[operands >= 0], minlength=circuit.n_inputs + len(kept))[circuit.n_inputs :]
    n_all = n_readers_of(circuit)[circuit.n_inputs + kept]
    return (circuit.n_inputs + np.flatnonzero((n_all > n_inside) | (n_inside == 0))).astype(np.int32)
