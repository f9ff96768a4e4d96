"""A bootstrapping machine's program on bits that are not encrypted: what its commands compute without noise."""

from __future__ import annotations

import numpy as np

from workloads.circuits.circuit import CONSTANT_1, Circuit
from workloads.circuits.negations import output_sources
from workloads.mapping.fhe import Program
from workloads.tfhe.gates import EIGHTH


def run_program_clear(program: Program, circuit: Circuit, inputs: np.ndarray) -> np.ndarray:
    """(n_samples, n_inputs) of 0 and 1 -> (n_samples, n_output_bits) uint8 by the commands of docs/fhe.md, section 1.

    Bits are phases of +-1/8 without noise; `circuit` is asked for its outputs only. ValueError where a command reads
    what its batch may not count on (results of a batch that `after` does not wait for), where a phase is nearer to a
    wrong answer than 1/8, or where a result is not +-1/8.
    """
    phases = np.zeros((circuit.n_inputs + circuit.n_gates, len(inputs)), np.uint32)
    phases[: circuit.n_inputs] = np.where(np.asarray(inputs).T != 0, EIGHTH, -EIGHTH % 2**32)
    stored_in = np.full(len(phases), np.iinfo(np.int64).max)
    stored_in[: circuit.n_inputs] = -1
    for batch, (first, end) in enumerate(zip(program.first_cell[:-1], program.first_cell[1:], strict=True)):
        cells = slice(int(first), int(end))
        used = (program.factors[cells] != 0) & program.valid[cells, None]
        if (stored_in[program.operands[cells][used]] >= program.after[batch]).any() or program.after[batch] > batch:
            raise ValueError(f"batch {batch}: wanted operands of batches before {program.after[batch]}, got later ones")
        made, results = _batch(program, cells, int(end - first) // int(program.slots[batch]), phases)
        phases[results] = made
        stored_in[results] = batch
    source, negated = output_sources(circuit)
    bits = (phases[np.maximum(source, 0)] == EIGHTH) ^ negated[:, None]
    bits[source < 0] = (source == CONSTANT_1)[source < 0, None]
    return np.ascontiguousarray(bits.T).astype(np.uint8)


def _batch(program: Program, cells: slice, cores: int, phases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(phases of the results, their numbers)."""
    valid, holds = program.valid[cells], program.holds[cells]
    factors = program.factors[cells].astype(np.int64) % 2**32
    read = phases[program.operands[cells]].astype(np.uint64)  # (n_cells, 2, n_samples)
    total = (read * factors[:, :, None].astype(np.uint64)).sum(axis=1) + program.constant[cells, None]
    linear = (total % 2**32).astype(np.uint32)
    from_boundary = np.minimum(linear % 2**31, 2**31 - linear % 2**31)
    if valid.any() and from_boundary[valid].min(initial=EIGHTH) < EIGHTH:
        raise ValueError("a linear part: wanted a phase 1/8 away from 0 and 1/2, got one nearer")
    value = program.value[cells, None]
    rotated = np.where(linear < 2**31, value, np.uint32(0) - value)
    rotated[~valid] = 0
    held = np.flatnonzero(holds)
    rotated[held + cores] += rotated[held]
    stores = np.flatnonzero(valid & ~holds)
    made = rotated[stores] + program.post[cells][stores, None]
    if not ((made == EIGHTH) | (made == np.uint32(-EIGHTH % 2**32))).all():
        raise ValueError("a result: wanted a phase of +-1/8, got another")
    return made, program.result[cells][stores]
