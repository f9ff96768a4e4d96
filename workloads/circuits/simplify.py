"""Circuits in their smallest form by local rules: constants, NOTs and equal gates folded, what nobody reads gone."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import (
    AND,
    ANDNY,
    ANDYN,
    CONSTANT_0,
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
    Port,
)

# Ops whose output is an AND of two signals, each as it is or negated, itself so or negated: bits 0 and 1 negate the
# operands, bit 2 the output.
_AND_FORMS = np.array([AND, ANDNY, ANDYN, NOR, NAND, ORYN, ORNY, OR], np.uint8)
_FORM_OF_OP = np.full(len(_AND_FORMS) + 4, -1, np.int8)
_FORM_OF_OP[_AND_FORMS] = np.arange(8)


def simplified(
    name: str,
    inputs: tuple[Port, ...],
    output_ports: tuple[Port, ...],
    ops: ArrayLike,
    operands: ArrayLike,
    outputs: ArrayLike,
) -> Circuit:
    """A circuit that computes what this one does, in which operands may also be constants (CONSTANT_0, CONSTANT_1).

    Constants, gates that read a signal twice, and gates of equal function of equal signals (also negated ones) are
    folded; NOTs go into the gates that read them; what no output needs is left out. Nothing is restructured: gates keep
    their order, and a gate stays what it was or becomes another of its kind, so that it never costs more. NOTs are left
    for outputs, and where one data operand of a MUX is negated.
    """
    n_inputs = sum(port.n_bits for port in inputs)
    raw_ops = np.ascontiguousarray(ops, np.uint8)
    raw_operands = np.ascontiguousarray(operands, np.int32).reshape(-1, 3)
    raw_outputs = np.ascontiguousarray(outputs, np.int32)
    kept, read, ends = _simplified(n_inputs, raw_ops, raw_operands, raw_outputs)
    kept, read, ends = _live(n_inputs, kept, read, ends)
    return circuit_of(name, inputs, output_ports, kept, read, ends)


# Literals: twice a signal, plus one where it is negated. The constants' are below zero and differ by one likewise.
_FALSE, _TRUE = -2, -1


@njit(cache=True)
def _literal_of(signal: int, literals: np.ndarray) -> int:
    if signal == CONSTANT_0:
        return _FALSE
    return _TRUE if signal == CONSTANT_1 else literals[signal]


@njit(cache=True)
def _hash(op: int, first: int, second: int, third: int) -> int:
    found = np.uint64(op) * np.uint64(0x9E3779B97F4A7C15)
    for part in (first, second, third):
        found = (found ^ np.uint64(part)) * np.uint64(0xBF58476D1CE4E5B9)
        found ^= found >> np.uint64(29)
    return int(found >> np.uint64(1))


@njit(cache=True)
def _normal(op: int, first: int, second: int, third: int) -> tuple[int, int, int, int, int]:
    """(kind, literals, sign) of a gate of literals; `sign` negates the whole.

    Kind NOT is just the first literal; AND and XOR are of two in ascending order, those of XOR not negated; MUX is of
    three, the first not negated, and not both of the others.
    """
    if op == MUX:
        return _normal_mux(first, second, third)
    if op == XOR or op == XNOR:
        return _normal_xor(first, second, int(op == XNOR))
    form = int(_FORM_OF_OP[op])
    return _normal_and(first ^ (form & 1), second ^ (form >> 1 & 1), form >> 2)


@njit(cache=True)
def _normal_and(first: int, second: int, sign: int) -> tuple[int, int, int, int, int]:
    if first > second:
        first, second = second, first
    if first == _FALSE or (first ^ second) == 1:
        return NOT, _FALSE, -1, -1, sign
    if first == _TRUE or first == second:
        return NOT, second, -1, -1, sign
    return AND, first, second, -1, sign


@njit(cache=True)
def _normal_xor(first: int, second: int, sign: int) -> tuple[int, int, int, int, int]:
    if first > second:
        first, second = second, first
    if first < 0:
        return NOT, second, -1, -1, sign ^ int(first == _TRUE)
    sign ^= (first ^ second) & 1
    first, second = first & ~1, second & ~1
    if first == second:
        return NOT, _FALSE, -1, -1, sign
    return XOR, min(first, second), max(first, second), -1, sign


@njit(cache=True)
def _normal_mux(select: int, one: int, zero: int) -> tuple[int, int, int, int, int]:
    if select < 0:
        return NOT, (one if select == _TRUE else zero), -1, -1, 0
    if select & 1:
        select, one, zero = select ^ 1, zero, one
    if one >> 1 == select >> 1:
        one = _TRUE if one == select else _FALSE
    if zero >> 1 == select >> 1:
        zero = _FALSE if zero == select else _TRUE
    if one == zero:
        return NOT, one, -1, -1, 0
    if one < 0:
        return _normal_and(select ^ 1, zero ^ int(one == _TRUE), int(one == _TRUE))
    if zero < 0:
        return _normal_and(select, one ^ int(zero == _TRUE), int(zero == _TRUE))
    if one == zero ^ 1:
        return _normal_xor(select, one, 1)
    sign = one & zero & 1
    return MUX, select, one ^ sign, zero ^ sign, sign


@njit(cache=True)
def _simplified(
    n_inputs: int, raw_ops: np.ndarray, raw_operands: np.ndarray, raw_outputs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n_raw = len(raw_ops)
    most = 3 * n_raw + len(raw_outputs)  # a MUX may need a NOT, and so may an output
    ops, operands, n_gates = np.empty(most, np.uint8), np.full((most, 3), -1, np.int32), 0
    nots = np.full(n_inputs + most, -1, np.int32)  # the NOT of each new signal
    literals = np.empty(n_inputs + n_raw, np.int64)  # of each signal of the raw circuit, in the new one
    literals[:n_inputs] = 2 * np.arange(n_inputs)
    size = 16
    while size < 4 * n_raw:
        size *= 2
    table = np.full(size, -1, np.int64)  # by hash: a place in `keys`
    keys, key_literals, n_keys = np.empty((n_raw, 4), np.int64), np.empty(n_raw, np.int64), 0
    for gate in range(n_raw):
        op = raw_ops[gate]
        first = _literal_of(raw_operands[gate, 0], literals)
        if op == NOT:
            literals[n_inputs + gate] = first ^ 1
            continue
        second, third = _literal_of(raw_operands[gate, 1], literals), -1
        if op == MUX:
            third = _literal_of(raw_operands[gate, 2], literals)
        kind, first, second, third, sign = _normal(op, first, second, third)
        if kind == NOT:
            literals[n_inputs + gate] = first ^ sign
            continue
        at = _place(table, keys, kind, first, second, third)
        if table[at] < 0:
            n_gates = _make(kind, first, second, third, sign, n_inputs, n_gates, ops, operands, nots)
            # A MUX is made without its sign, the others with it.
            key_literals[n_keys] = 2 * (n_inputs + n_gates - 1) ^ (0 if kind == MUX else sign)
            keys[n_keys, 0], keys[n_keys, 1], keys[n_keys, 2], keys[n_keys, 3] = kind, first, second, third
            table[at] = n_keys
            n_keys += 1
        literals[n_inputs + gate] = key_literals[table[at]] ^ sign
    outputs = np.empty(len(raw_outputs), np.int32)
    for index in range(len(raw_outputs)):
        literal = _literal_of(raw_outputs[index], literals)
        if literal < 0:
            outputs[index] = CONSTANT_1 if literal == _TRUE else CONSTANT_0
        else:
            n_gates = _not(literal, n_inputs, n_gates, ops, operands, nots)
            outputs[index] = nots[literal >> 1] if literal & 1 else literal >> 1
    return ops[:n_gates].copy(), operands[:n_gates].copy(), outputs


@njit(cache=True)
def _place(table: np.ndarray, keys: np.ndarray, kind: int, first: int, second: int, third: int) -> int:
    """Where a function stands in the table, or is to stand."""
    at = _hash(kind, first, second, third) & (len(table) - 1)
    while table[at] >= 0:
        known = keys[table[at]]
        if known[0] == kind and known[1] == first and known[2] == second and known[3] == third:
            break
        at = (at + 1) & (len(table) - 1)
    return at


@njit(cache=True)
def _make(
    kind: int,
    first: int,
    second: int,
    third: int,
    sign: int,
    n_inputs: int,
    n_gates: int,
    ops: np.ndarray,
    operands: np.ndarray,
    nots: np.ndarray,
) -> int:
    """Append the gate of a normal form, after the NOT that a MUX may need; the new number of gates."""
    if kind == MUX:
        n_gates = _not(second, n_inputs, n_gates, ops, operands, nots)
        n_gates = _not(third, n_inputs, n_gates, ops, operands, nots)
        ops[n_gates], operands[n_gates, 2] = MUX, nots[third >> 1] if third & 1 else third >> 1
    elif kind == XOR:
        ops[n_gates] = XNOR if sign else XOR
    else:
        ops[n_gates] = _AND_FORMS[(first & 1) | (second & 1) << 1 | sign << 2]
    operands[n_gates, 0] = first >> 1
    operands[n_gates, 1] = nots[second >> 1] if kind == MUX and second & 1 else second >> 1
    return n_gates + 1


@njit(cache=True)
def _not(literal: int, n_inputs: int, n_gates: int, ops: np.ndarray, operands: np.ndarray, nots: np.ndarray) -> int:
    """Append the NOT of a literal that is negated, where it is not there yet; the new number of gates."""
    signal = literal >> 1
    if not literal & 1 or nots[signal] >= 0:
        return n_gates
    ops[n_gates], operands[n_gates, 0] = NOT, signal
    nots[signal] = n_inputs + n_gates
    return n_gates + 1


@njit(cache=True)
def _live(
    n_inputs: int, ops: np.ndarray, operands: np.ndarray, outputs: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Only the gates that outputs need."""
    needed = np.zeros(n_inputs + len(ops), np.bool_)
    for signal in outputs:
        if signal >= 0:
            needed[signal] = True
    for gate in range(len(ops) - 1, -1, -1):
        if needed[n_inputs + gate]:
            for signal in operands[gate]:
                if signal >= 0:
                    needed[signal] = True
    new = np.arange(n_inputs + len(ops)).astype(np.int32)
    kept = np.flatnonzero(needed[n_inputs:])
    for index in range(len(kept)):
        new[n_inputs + kept[index]] = n_inputs + index
    kept_operands = operands[kept]
    for index in range(len(kept)):
        for place in range(3):
            if kept_operands[index, place] >= 0:
                kept_operands[index, place] = new[kept_operands[index, place]]
    ends = outputs.copy()
    for index in range(len(ends)):
        if ends[index] >= 0:
            ends[index] = new[ends[index]]
    return ops[kept], kept_operands, ends
