"""What a circuit means: its outputs for given inputs."""

from __future__ import annotations

import numpy as np
from numba import njit

from workloads.circuits.circuit import (
    AND,
    ANDNY,
    ANDYN,
    CONSTANT_1,
    MUX,
    NAND,
    NOR,
    NOT,
    OR,
    ORNY,
    ORYN,
    XNOR,
    XOR,
    Circuit,
)  # fmt: skip

_WORDS = 8  # of 64 samples each, evaluated together: one cache line a signal


def run_circuit(circuit: Circuit, inputs: np.ndarray) -> np.ndarray:
    """Outputs of the circuit, by definition: (n_samples, n_inputs) of 0 and 1 -> (n_samples, n_output_bits) uint8.

    This is the meaning of a circuit; whatever else evaluates one must equal it. ValueError for inputs of another shape
    or with other values.
    """
    inputs = np.asarray(inputs)
    if inputs.ndim != 2 or inputs.shape[1] != circuit.n_inputs:
        raise ValueError(f"inputs: wanted (n_samples, {circuit.n_inputs}) bits, got the shape {inputs.shape}")
    if inputs.size and not ((inputs == 0) | (inputs == 1)).all():
        raise ValueError("inputs: wanted 0 and 1, got other values")
    words = _packed(inputs)
    found = np.empty((len(circuit.outputs), words.shape[1]), np.uint64)
    for first in range(0, words.shape[1], _WORDS):
        signals = np.empty((circuit.n_inputs + circuit.n_gates, min(_WORDS, words.shape[1] - first)), np.uint64)
        signals[: circuit.n_inputs] = words[:, first : first + _WORDS]
        _evaluate(circuit.n_inputs, circuit.ops, circuit.operands, signals)
        found[:, first : first + _WORDS] = _outputs(circuit.outputs, signals)
    return _unpacked(found, len(inputs))


def _packed(bits: np.ndarray) -> np.ndarray:
    """(n_samples, n) of 0 and 1 -> (n, n_words) uint64, sample i at bit i mod 64 of word i // 64."""
    n_words = -(-len(bits) // 64)
    padded = np.zeros((bits.shape[1], n_words * 64), np.uint8)
    padded[:, : len(bits)] = bits.T
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").reshape(bits.shape[1], n_words)


def _unpacked(words: np.ndarray, n_samples: int) -> np.ndarray:
    bits = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, count=n_samples, bitorder="little")
    return np.ascontiguousarray(bits.T)


def _outputs(outputs: np.ndarray, signals: np.ndarray) -> np.ndarray:
    found = np.zeros((len(outputs), signals.shape[1]), np.uint64)
    found[outputs == CONSTANT_1] = ~np.uint64(0)
    read = outputs >= 0
    found[read] = signals[outputs[read]]
    return found


@njit(cache=True)
def _evaluate(n_inputs: int, ops: np.ndarray, operands: np.ndarray, signals: np.ndarray) -> None:
    """Fill signals[n_inputs:], 64 samples a word."""
    for gate in range(len(ops)):
        op = ops[gate]
        first, second, third = operands[gate, 0], max(operands[gate, 1], 0), max(operands[gate, 2], 0)
        for word in range(signals.shape[1]):
            a, b = signals[first, word], signals[second, word]
            if op == NOT:
                y = ~a
            elif op == AND:
                y = a & b
            elif op == NAND:
                y = ~(a & b)
            elif op == OR:
                y = a | b
            elif op == NOR:
                y = ~(a | b)
            elif op == XOR:
                y = a ^ b
            elif op == XNOR:
                y = ~(a ^ b)
            elif op == ANDNY:
                y = ~a & b
            elif op == ANDYN:
                y = a & ~b
            elif op == ORNY:
                y = ~a | b
            elif op == ORYN:
                y = a | ~b
            elif op == MUX:
                y = (a & b) | (~a & signals[third, word])
            signals[n_inputs + gate, word] = y
