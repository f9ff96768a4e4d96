"""In which step each gate runs, by policy."""

from __future__ import annotations

import heapq
from typing import Literal, get_args

import numpy as np
from numba import njit

from designs.errors import InputError
from workloads.circuits.circuit import N_BOOTSTRAPS, NOT, Circuit
from workloads.circuits.levels import heights_of, levels_of
from workloads.circuits.negations import sources_of

Policy = Literal["wide_first", "critical_path"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
_LOW = (1 << 32) - 1


def steps_of(circuit: Circuit, policy: Policy, n_workers: int) -> np.ndarray:
    """(n_gates,) int64: the step of each gate, from 1 on; 0 at NOTs, which are done by who reads.

    `wide_first`: as early as can be, so that a step is a wavefront of any width. `critical_path`: at most n_workers
    bootstraps a step (a MUX is two, and goes whole), of all that are ready those with the longest path after them.
    """
    if policy not in POLICIES:
        raise InputError(f"policy: wanted one of {', '.join(POLICIES)}, got {policy!r}; choose one")
    if n_workers < 1:
        raise InputError(f"n_workers: wanted 1 or more, got {n_workers}; give one")
    if policy == "wide_first":
        return np.where(circuit.ops == NOT, 0, levels_of(circuit)[circuit.n_inputs :].astype(np.int64))
    sources, _ = sources_of(circuit)
    read = np.where(circuit.operands >= 0, sources[circuit.operands] - circuit.n_inputs, -1)
    operands = np.where(circuit.ops[:, None] == NOT, -1, np.maximum(read, -1))
    cost = N_BOOTSTRAPS[circuit.ops].astype(np.int64)
    return _by_height(operands, cost, heights_of(circuit)[circuit.n_inputs :], n_workers)


@njit(cache=True)
def _by_height(operands: np.ndarray, cost: np.ndarray, heights: np.ndarray, n_workers: int) -> np.ndarray:
    """Steps of gates that read the gates `operands` (-1: none); what costs nothing stays in step 0."""
    n = len(operands)
    missing, start = np.zeros(n, np.int64), np.zeros(n + 1, np.int64)
    for gate in range(n):
        for read in operands[gate]:
            if read >= 0:
                missing[gate] += 1
                start[read + 1] += 1
    start = np.cumsum(start)
    place, readers = start.copy(), np.empty(start[-1], np.int32)
    ready = [0 for _ in range(0)]  # typed by an element that is not there
    for gate in range(n):
        for read in operands[gate]:
            if read >= 0:
                readers[place[read]] = gate
                place[read] += 1
        if cost[gate] and missing[gate] == 0:
            heapq.heappush(ready, -(int(heights[gate]) << 32) + gate)
    steps, step = np.zeros(n, np.int64), 0
    while ready:
        step += 1
        room = n_workers
        made = [0 for _ in range(0)]
        while ready and (room >= cost[ready[0] & _LOW] or room == n_workers):
            gate = heapq.heappop(ready) & _LOW
            room -= cost[gate]
            steps[gate] = step
            made.append(gate)
        for gate in made:
            for reader in readers[start[gate] : start[gate + 1]]:
                missing[reader] -= 1
                if missing[reader] == 0:
                    heapq.heappush(ready, -(int(heights[reader]) << 32) + int(reader))
    return steps
