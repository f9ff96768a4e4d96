"""What a bootstrapping machine executes for a circuit: batches of commands (docs/fhe.md, sections 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from designs.errors import DesignError, InputError
from designs.families.fhe import Design
from workloads.circuits.circuit import MUX, N_BOOTSTRAPS, NOT, OPS, Circuit
from workloads.circuits.negations import sources_of
from workloads.mapping.fhe_schedule import Gates, schedule_gates
from workloads.tfhe.gates import LINEAR, MUX_PARTS, MUX_POST, VALUE

MOST_CELLS = 1 << 28

# By op: factors of the two operands, constant.
_FACTORS = np.array([LINEAR.get(op, (0, 0, 0))[:2] for op in range(len(OPS))], np.int8)
_CONSTANTS = np.array([LINEAR.get(op, (0, 0, 0))[2] % 2**32 for op in range(len(OPS))], np.uint32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """Batches in order. Ciphertexts are numbered as the circuit's signals: input bits first, then gates.

    Cells of a batch come slot by slot, in a slot core by core; those of batch b are first_cell[b]:first_cell[b + 1],
    slots[b] * cores of them. An empty cell has valid False. A MUX takes two cells of one core in neighbouring slots, of
    which the first holds and has no result.
    """

    slots: np.ndarray  # (n_batches,) int64: a, slots of each core
    after: np.ndarray  # (n_batches,) int64: so many batches must be stored before this one loads
    first_cell: np.ndarray  # (n_batches + 1,) int64
    valid: np.ndarray  # (n_cells,) bool
    holds: np.ndarray  # (n_cells,) bool: is added to the next slot of its core
    factors: np.ndarray  # (n_cells, 2) int8: s1, s2 in -2..2; 0 where there is no such operand
    constant: np.ndarray  # (n_cells,) uint32
    value: np.ndarray  # (n_cells,) uint32
    post: np.ndarray  # (n_cells,) uint32
    operands: np.ndarray  # (n_cells, 2) int32: numbers of A and B; 0 where there is none
    result: np.ndarray  # (n_cells,) int32; 0 where there is none


def program_of(design: Design, circuit: Circuit) -> Program:
    """The program of a circuit: every gate but NOT once, in batches by the design's `schedule` (fhe_schedule.py).

    A NOT is no command. Who reads it turns the sign; an output bit that is one is the ciphertext of its source, negated
    by who decrypts: `workloads.circuits.negations.output_sources(circuit)` tells (source, negated) of each output bit,
    and constants. In a batch MUXes come first, in pairs of slots, then the others in the places left, slot by slot.
    `after` is the least that operands allow.

    DesignError for a circuit with a MUX where batch is 1, or of more cells than MOST_CELLS; InputError for a circuit in
    which nothing bootstraps.
    """
    kept = np.flatnonzero(circuit.ops != NOT)
    if not len(kept):
        raise InputError(f"{circuit.name}: wanted a gate besides NOT, got none; there is nothing to bootstrap")
    if design.batch < 2 and (circuit.ops == MUX).any():
        raise DesignError("batch", f"wanted at least 2, as {circuit.name} has MUXes, which take two slots, got 1")
    source, negated = sources_of(circuit)
    gates = _gates(circuit, kept, source)
    schedule = schedule_gates(design, gates)
    order = kept[schedule.order]
    weights = gates.weights[schedule.order]
    muxes = _sums(weights == 2, schedule.first)
    slots = np.maximum(2 * -(-muxes // design.cores), -(-_sums(weights, schedule.first) // design.cores))
    first_cell = np.concatenate([[0], np.cumsum(slots * design.cores)])
    if first_cell[-1] > MOST_CELLS:
        got = f"got {first_cell[-1]}; take fewer"
        raise DesignError("cores", f"wanted {circuit.name} in at most {MOST_CELLS} cells, {got}")
    cell = _places(weights, schedule.first, first_cell, design.cores)
    return _commands(circuit, source, negated, order, cell, slots, schedule.after, first_cell, design.cores)


def _gates(circuit: Circuit, kept: np.ndarray, source: np.ndarray) -> Gates:
    number = np.full(circuit.n_inputs + circuit.n_gates + 1, -1, np.int32)  # the last place is that of operand -1
    number[circuit.n_inputs + kept] = np.arange(len(kept))
    operands = circuit.operands[kept]
    read = np.where(operands >= 0, source[operands], -1)
    return Gates(operands=number[read], weights=N_BOOTSTRAPS[circuit.ops[kept]].astype(np.int64))


def _sums(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Sum of values[first[b]:first[b + 1]] for each b; none of them is empty."""
    return np.add.reduceat(values.astype(np.int64), first[:-1])


@njit(cache=True)
def _places(weights: np.ndarray, first: np.ndarray, first_cell: np.ndarray, cores: int) -> np.ndarray:
    """The (first) cell of each gate of a schedule."""
    cell = np.empty(len(weights), np.int64)
    for batch in range(len(first) - 1):
        n_muxes = 0
        for place in range(first[batch], first[batch + 1]):
            if weights[place] == 2:
                slot, core = 2 * (n_muxes // cores), n_muxes % cores
                cell[place] = first_cell[batch] + slot * cores + core
                n_muxes += 1
        # Singles: the places that MUXes leave in their last two slots, then all after them.
        paired, left = n_muxes // cores * 2 * cores, n_muxes % cores
        at = paired
        for place in range(first[batch], first[batch + 1]):
            if weights[place] == 1:
                if left and at < paired + 2 * cores and (at - paired) % cores < left:
                    at += left - (at - paired) % cores
                cell[place] = first_cell[batch] + at
                at += 1
    return cell


def _commands(
    circuit: Circuit,
    source: np.ndarray,
    negated: np.ndarray,
    order: np.ndarray,
    cell: np.ndarray,
    slots: np.ndarray,
    after: np.ndarray,
    first_cell: np.ndarray,
    cores: int,
) -> Program:
    n_cells = int(first_cell[-1])
    valid, holds = np.zeros(n_cells, bool), np.zeros(n_cells, bool)
    factors, operands = np.zeros((n_cells, 2), np.int8), np.zeros((n_cells, 2), np.int32)
    constant, post, result = np.zeros(n_cells, np.uint32), np.zeros(n_cells, np.uint32), np.zeros(n_cells, np.int32)
    ops, read = circuit.ops[order], np.maximum(circuit.operands[order], 0)
    is_mux = ops == MUX
    second = cell + is_mux * cores  # the cell that stores
    # Operands of the first and of the second command: (a, b), of a MUX (s, a) and (s, b).
    for at, kind, places in ((cell, np.where(is_mux, MUX_PARTS[0], ops), (0, 1)), (second, ops, (0, 2))):
        chosen = np.ones(len(order), bool) if places == (0, 1) else is_mux
        kinds = np.where(is_mux & (places == (0, 2)), MUX_PARTS[1], kind)[chosen]
        signals = read[chosen][:, places]
        signs = 1 - 2 * negated[signals].astype(np.int8)
        factors[at[chosen]] = _FACTORS[kinds] * signs
        operands[at[chosen]] = source[signals]
        constant[at[chosen]] = _CONSTANTS[kinds]
        valid[at[chosen]] = True
    holds[cell[is_mux]] = True
    post[second[is_mux]] = MUX_POST
    result[second] = circuit.n_inputs + order
    return Program(
        slots=slots, after=after, first_cell=first_cell, valid=valid, holds=holds, factors=factors, constant=constant,
        value=np.where(valid, np.uint32(VALUE), np.uint32(0)), post=post, operands=operands, result=result,
    )  # fmt: skip


def operand_counts(program: Program) -> np.ndarray:
    """(n_batches,) int64: ciphertexts that each batch loads."""
    return _sums((program.factors != 0).sum(axis=1), program.first_cell)


def result_counts(program: Program, cores: int) -> np.ndarray:
    """(n_batches, cores) int64: results that each core makes in each batch."""
    stores = program.valid & ~program.holds
    n_batches = len(program.slots)
    batch = np.repeat(np.arange(n_batches), np.diff(program.first_cell))[stores]
    core = ((np.arange(len(stores)) - program.first_cell[:-1].repeat(np.diff(program.first_cell))) % cores)[stores]
    return np.bincount(batch * cores + core, minlength=n_batches * cores).reshape(n_batches, cores)
