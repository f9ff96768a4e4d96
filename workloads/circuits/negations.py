"""Where signals come from when NOT is no gate: under TFHE it only turns the signs of those who read it."""

from __future__ import annotations

import numpy as np
from numba import njit

from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, NOT, Circuit


def sources_of(circuit: Circuit) -> tuple[np.ndarray, np.ndarray]:
    """(source, negated) of every signal: int32 and bool, (n_inputs + n_gates,).

    The signal of a NOT is `source`, an input or another gate, the other way round where `negated`; any other is itself.
    """
    return _sources(circuit.n_inputs, circuit.ops, circuit.operands)


def output_sources(circuit: Circuit) -> tuple[np.ndarray, np.ndarray]:
    """(source, negated) of every output bit, (n_output_bits,): who decrypts negates. Constants stay, never negated."""
    source, negated = sources_of(circuit)
    place = np.maximum(circuit.outputs, 0)
    read = circuit.outputs >= 0
    constants = np.where(circuit.outputs == CONSTANT_1, CONSTANT_1, CONSTANT_0)
    return np.where(read, source[place] if len(source) else 0, constants).astype(np.int32), (
        negated[place] & read if len(negated) else np.zeros(len(read), bool)
    )


@njit(cache=True)
def _sources(n_inputs: int, ops: np.ndarray, operands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    source = np.arange(n_inputs + len(ops)).astype(np.int32)
    negated = np.zeros(n_inputs + len(ops), np.bool_)
    for gate in range(len(ops)):
        if ops[gate] == NOT:
            read = operands[gate, 0]
            source[n_inputs + gate] = source[read]
            negated[n_inputs + gate] = not negated[read]
    return source, negated
