"""What a bootstrapping machine executes for a circuit: batches of commands (docs/fhe.md, sections 2 and 3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
