"""Circuits of two-input gates and multiplexers: what compilers, importers, scheduler and TFHE share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.load import Workload

# Codes of `ops` are positions here. ANDNY(a, b) = not a and b, ANDYN(a, b) = a and not b, and so on;
# MUX(s, a, b) = a if s else b.
OPS = ("not", "and", "nand", "or", "nor", "xor", "xnor", "andny", "andyn", "orny", "oryn", "mux")
NOT, AND, NAND, OR, NOR, XOR, XNOR, ANDNY, ANDYN, ORNY, ORYN, MUX = range(len(OPS))
N_OPERANDS = np.array([1, *[2] * 10, 3], np.uint8)
N_BOOTSTRAPS = np.array([0, *[1] * 10, 2], np.uint8)  # of a gate under TFHE: a NOT negates, a MUX rotates twice
CONSTANT_0 = -1  # as a signal of `outputs` only: gates never read constants
CONSTANT_1 = -2


@dataclass(frozen=True, kw_only=True)
class Port:
    """A value that enters or leaves: an integer, or an array of such in C's order; least significant bit first."""

    name: str
    bits: int  # of one element
    signed: bool = False
    shape: tuple[int, ...] = ()  # () is one integer

    @property
    def n_bits(self) -> int:
        return self.bits * int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True, kw_only=True, eq=False)
class Circuit(Workload):
    """A combinational circuit in topological order (`name`, `digest`: see Workload).

    Signals are numbers: 0 to n_inputs - 1 are the input bits (ports one after the other), n_inputs + i is gate i.
    Gate i computes OPS[ops[i]] of the signals operands[i, 0..], all smaller than its own; -1: no operand.
    """

    inputs: tuple[Port, ...]
    output_ports: tuple[Port, ...]
    ops: np.ndarray  # (n_gates,) uint8
    operands: np.ndarray  # (n_gates, 3) int32
    outputs: np.ndarray  # (n_output_bits,) int32: the signal of each output bit, or a constant

    @classmethod
    def kind(cls) -> str:
        return "circuit of gates"

    @property
    def n_inputs(self) -> int:
        return sum(port.n_bits for port in self.inputs)

    @property
    def n_gates(self) -> int:
        return len(self.ops)

    @property
    def n_bootstraps(self) -> int:
        """Blind rotations of one run under TFHE."""
        return int(N_BOOTSTRAPS[self.ops].sum())
