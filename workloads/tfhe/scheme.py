"""Computing on ciphertexts: gates of any kinds in one batch, and tables of small integers.

Work is done by an engine (`Engine` below): that of workloads/tfhe/kernels, or `ReferenceEngine`, which defines it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np

from designs.errors import InputError
from designs.tfhe_parameters import Parameters
from workloads.circuits import circuit as c
from workloads.tfhe import reference
from workloads.tfhe.gates import LINEAR, MUX_PARTS, MUX_POST, VALUE
from workloads.tfhe.kernels import engine as kernels
from workloads.tfhe.keys import Ciphertexts, EvaluationKey, check_key, check_message_space, encode_integers

# Rows are OPS: factor of a, factor of b, constant, as words. NOT and MUX have none of their own.
_LINEAR = np.array([LINEAR.get(op, (0, 0, 0)) for op in range(len(c.OPS))], np.int64).astype(np.uint32)


class Engine(Protocol):
    """What bootstraps batches; threads may share it."""

    parameters: Parameters

    def bootstrap(self, lwe: np.ndarray, test_polynomials: np.ndarray) -> np.ndarray:
        """(batch, n + 1) and test polynomials (N,) or (batch, N) to extracted ciphertexts (batch, kN + 1), uint32."""

    def key_switch(self, extracted: np.ndarray) -> np.ndarray:
        """(batch, kN + 1) to (batch, n + 1), uint32."""


class ReferenceEngine:
    """An engine that computes as workloads/tfhe/reference.py."""

    def __init__(self, key: EvaluationKey) -> None:
        self.parameters = key.parameters
        self._key = key

    def bootstrap(self, lwe: np.ndarray, test_polynomials: np.ndarray) -> np.ndarray:
        return reference.bootstrap(lwe, test_polynomials, self._key)

    def key_switch(self, extracted: np.ndarray) -> np.ndarray:
        return reference.key_switch(extracted, self._key.key_switch_key, self.parameters)


def evaluate_gates(engine: Engine, ops: np.ndarray, a: np.ndarray, b: np.ndarray, c_: np.ndarray) -> np.ndarray:
    """Gate ops[i] (codes of workloads/circuits/circuit.py) of bits a[i], b[i], c_[i]: uint32 (batch, n + 1) each.

    A NOT reads a alone, a MUX is b if a else c_; what an op does not read may hold anything. Returns (batch, n + 1).
    A MUX costs two rotations and one key switch. InputError for arrays of other shapes or types and codes of no op.
    """
    ops = np.asarray(ops)
    _check_gates(engine.parameters, ops, (a, b, c_))
    is_not, is_mux = ops == c.NOT, ops == c.MUX
    result = np.empty_like(a)
    result[is_not] = -a[is_not]
    if is_not.all():
        return result
    first = np.flatnonzero(~is_not)  # a rotation each, in the order of gates
    second = np.flatnonzero(is_mux)  # after all of them, the second ones of MUXes
    inputs = np.concatenate(
        [
            _linear(np.where(is_mux, MUX_PARTS[0], ops)[first], a[first], b[first]),
            _linear(np.full(len(second), MUX_PARTS[1]), a[second], c_[second]),
        ]
    )
    extracted = engine.bootstrap(inputs, np.full(engine.parameters.ring_degree, VALUE, np.uint32))
    sums, halves = extracted[: len(first)], extracted[len(first) :]
    muxes = is_mux[first]
    sums[muxes] += halves
    sums[muxes, -1] += np.uint32(MUX_POST)
    result[first] = engine.key_switch(sums)
    return result


class Evaluator:
    """An evaluation key at work on ciphertexts of its own key pair, in the house's engine.

    `arithmetic`: "fast" (floating-point, checked, repeated exactly where it might err) or "exact": the same bits.
    """

    def __init__(self, key: EvaluationKey, arithmetic: Literal["fast", "exact"] = "fast") -> None:
        self.key_id = key.key_id
        self.engine: Engine = kernels.Engine(key.parameters, key.bootstrap_key, key.key_switch_key, arithmetic)

    def gate(self, op: int, *operands: Ciphertexts) -> Ciphertexts:
        """One gate (a code of workloads/circuits/circuit.py) of bits, element by element of equally shaped operands.

        InputError for another number of operands than the op's, for other shapes, integers, and bits of another key.
        """
        if len(operands) != c.N_OPERANDS[op]:
            raise InputError(f"{c.OPS[op]}: wanted {c.N_OPERANDS[op]} operands, got {len(operands)}")
        shape = operands[0].words.shape
        for operand in operands:
            check_key(self, operand)
            if operand.n_messages or operand.words.shape != shape:
                raise InputError(f"{c.OPS[op]}: wanted bits of one shape, got {', '.join(map(repr, operands))}")
        a, b, d = (operand.words.reshape(-1, shape[-1]) for operand in (*operands, *operands[:1] * 2)[:3])
        words = evaluate_gates(self.engine, np.full(len(a), op), a, b, d)
        return Ciphertexts(key_id=self.key_id, n_messages=0, words=words.reshape(shape))

    def apply_table(self, operands: Ciphertexts, table: np.ndarray, n_results: int | None = None) -> Ciphertexts:
        """table[m] of integers m: programmable bootstrapping. Padding bits of the operands must be 0.

        table: (n_messages,) of integers 0..n_results - 1 (n_messages unless given), or (.., n_messages), one for each
        operand. InputError for a table that does not fit, for bits, and for integers of another key.
        """
        check_key(self, operands)
        if not operands.n_messages:
            raise InputError("table: wanted operands that are integers, got bits; encrypt them with encrypt_integers")
        p, table, n_messages = self.engine.parameters, np.asarray(table), operands.n_messages
        n_results = n_messages if n_results is None else n_results
        for number in (n_messages, n_results):
            check_message_space(number, p)
        _check_width(p, operands.words)
        _check_table(table, operands.words.shape[:-1], n_messages, n_results)
        tests = table_polynomials(encode_integers(table, n_results), p.ring_degree)
        flat = operands.words.reshape(-1, p.lwe_dimension + 1)
        extracted = self.engine.bootstrap(flat, tests.reshape(-1, p.ring_degree) if tests.ndim > 1 else tests)
        words = self.engine.key_switch(extracted).reshape(operands.words.shape)
        return Ciphertexts(key_id=self.key_id, n_messages=n_results, words=words)


def weighted_sum(operands: Sequence[Ciphertexts], factors: Sequence[int], constant: int = 0) -> Ciphertexts:
    """factors[0] operands[0] + .. + constant, of integers modulo 2 n_messages: no rotation, and the noises add.

    A table reads the sum where it is within 0..n_messages - 1. InputError for bits, and for operands of other keys,
    numbers of messages or shapes than the first.
    """
    first = operands[0]
    for operand in operands:
        check_key(first, operand)
        if not operand.n_messages or (operand.n_messages, operand.words.shape) != (first.n_messages, first.words.shape):
            raise InputError(f"sum: wanted integers of one kind and shape, got {', '.join(map(repr, operands))}")
    words = np.zeros_like(first.words)
    for operand, factor in zip(operands, factors, strict=True):
        words += operand.words * np.uint32(factor % 2**32)
    words[..., -1:] += np.uint32(constant * (2**31 // first.n_messages) % 2**32)
    return Ciphertexts(key_id=first.key_id, n_messages=first.n_messages, words=words)


def table_polynomials(table: np.ndarray, ring_degree: int) -> np.ndarray:
    """(.., N) words that a rotation by the phase reads table (.., n_messages) of words from.

    Message m is at N m/n_messages, in the middle of its box; the upper half of the last box is negative, as phases just
    below 0 read it with the sign turned.
    """
    box = ring_degree // table.shape[-1]
    boxes = np.roll(np.repeat(table, box, axis=-1), -(box // 2), axis=-1)
    boxes[..., ring_degree - box // 2 :] *= np.uint32(2**32 - 1)
    return boxes


def _linear(ops: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    factors = _LINEAR[ops]
    result = factors[:, :1] * a + factors[:, 1:2] * b
    result[:, -1] += factors[:, 2]
    return result


def _check_gates(p: Parameters, ops: np.ndarray, operands: tuple[np.ndarray, ...]) -> None:
    if ops.ndim != 1 or ops.dtype.kind not in "iu" or (ops.size and not 0 <= ops.min() <= ops.max() < len(c.OPS)):
        raise InputError(f"gates: wanted a row of codes 0 to {len(c.OPS) - 1}, got {ops.dtype} {ops.shape}")
    for words in operands:
        _check_width(p, words)
        if words.shape != (len(ops), p.lwe_dimension + 1):
            raise InputError(f"gates: wanted {len(ops)} ciphertexts for each operand, got {words.shape}")


def _check_table(table: np.ndarray, shape: tuple[int, ...], n_messages: int, n_results: int) -> None:
    if table.shape not in ((n_messages,), (*shape, n_messages)) or table.dtype.kind not in "iu":
        got = f"{table.dtype} {table.shape}"
        raise InputError(f"table: wanted {n_messages} integers, or as many for each operand, got {got}")
    if table.size and not (table.min() >= 0 and table.max() < n_results):
        got = f"{table.min()} to {table.max()}"
        raise InputError(f"table: wanted results 0 to {n_results - 1}, got {got}; take more results")


def _check_width(p: Parameters, words: np.ndarray) -> None:
    if words.dtype != np.uint32 or words.ndim < 1 or words.shape[-1] != p.lwe_dimension + 1:
        raise InputError(
            f"ciphertext: wanted uint32 of {p.lwe_dimension + 1} words for this key, got {words.dtype} {words.shape}; "
            "take those of its parameters"
        )
