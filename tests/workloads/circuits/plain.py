"""Slow twins of the kernels of workloads/circuits: gate by gate, in plain Python and numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, OPS, Circuit

FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "not": lambda a: 1 - a,
    "and": lambda a, b: a & b,
    "nand": lambda a, b: 1 - (a & b),
    "or": lambda a, b: a | b,
    "nor": lambda a, b: 1 - (a | b),
    "xor": lambda a, b: a ^ b,
    "xnor": lambda a, b: 1 - (a ^ b),
    "andny": lambda a, b: (1 - a) & b,
    "andyn": lambda a, b: a & (1 - b),
    "orny": lambda a, b: (1 - a) | b,
    "oryn": lambda a, b: a | (1 - b),
    "mux": lambda s, a, b: (s & a) | ((1 - s) & b),
}


def run_plain(circuit: Circuit, inputs: np.ndarray) -> np.ndarray:
    """What `run_circuit` must give."""
    signals = {index: inputs[:, index].astype(np.uint8) for index in range(circuit.n_inputs)}
    ones = np.ones(len(inputs), np.uint8)
    signals |= {CONSTANT_0: 0 * ones, CONSTANT_1: ones}
    for gate, (op, operands) in enumerate(zip(circuit.ops, circuit.operands, strict=True)):
        read = [signals[signal] for signal in operands.tolist() if signal >= 0]
        signals[circuit.n_inputs + gate] = FUNCTIONS[OPS[op]](*read)
    return np.stack([signals[signal] for signal in circuit.outputs.tolist()], axis=1)


def levels_plain(circuit: Circuit) -> list[int]:
    """Bootstrapped gates on the longest path from an input to each signal, its own gate counted."""
    levels = [0] * circuit.n_inputs
    for op, operands in zip(circuit.ops, circuit.operands.tolist(), strict=True):
        levels.append(max(levels[signal] for signal in operands if signal >= 0) + (OPS[op] != "not"))
    return levels


def heights_plain(circuit: Circuit) -> list[int]:
    """Bootstrapped gates on the longest path that reads each signal, its own gate counted."""
    heights = [0] * circuit.n_inputs + [int(OPS[op] != "not") for op in circuit.ops]
    for gate in reversed(range(circuit.n_gates)):
        above = heights[circuit.n_inputs + gate]
        for signal in circuit.operands[gate].tolist():
            if signal >= 0:
                own = int(signal >= circuit.n_inputs and OPS[circuit.ops[signal - circuit.n_inputs]] != "not")
                heights[signal] = max(heights[signal], own + above)
    return heights
