"""What can be done next of a circuit: gates whose operands are there, those with the longest path after them first."""

from __future__ import annotations

import numpy as np
from numba import njit

from workloads.circuits.circuit import N_BOOTSTRAPS, Circuit
from workloads.circuits.levels import heights_of
from workloads.circuits.negations import output_sources, sources_of


class WorkList:
    """Gates by number, 0 to n_gates - 1, without NOTs: who reads one turns the sign. For one thread at a time."""

    def __init__(self, circuit: Circuit) -> None:
        self.sources, self.negated = sources_of(circuit)
        self.outputs, _ = output_sources(circuit)  # signals that are kept to the end, or constants
        self._n_inputs = circuit.n_inputs
        self._cost = N_BOOTSTRAPS[circuit.ops].astype(np.int64)
        self.n_all = int((self._cost > 0).sum())
        self.n_done = 0
        self._is_done = self._cost == 0
        # A signal that a gate reads twice is one read, so that it is gone once.
        read = np.where(circuit.operands >= 0, self.sources[circuit.operands], -1)
        read[self._cost == 0] = -1
        read[:, 1][read[:, 1] == read[:, 0]] = -1
        read[:, 2][(read[:, 2] == read[:, 0]) | (read[:, 2] == read[:, 1])] = -1
        self._reads = np.ascontiguousarray(read, np.int32)
        self._first, self._readers = _readers(self._reads, len(self.sources))
        self._uses = np.diff(self._first)
        np.add.at(self._uses, np.unique(self.outputs[self.outputs >= 0]), 1)
        self._missing = (self._reads >= circuit.n_inputs).sum(axis=1)
        self._heights = heights_of(circuit)[circuit.n_inputs :]
        # Gates that can be done, one stack a height: the last one, and below each the one before.
        self._last = np.full(int(self._heights.max(initial=0)) + 1, -1, np.int32)
        self._below = np.full(circuit.n_gates, -1, np.int32)
        self._top = np.zeros(2, np.int64)  # the greatest height with a gate, gates in all stacks
        ready = np.flatnonzero((self._missing == 0) & (self._cost > 0))
        _push(ready[::-1], self._heights, self._last, self._below, self._top)

    @property
    def n_ready(self) -> int:
        """Gates that can be taken."""
        return int(self._top[1])

    def unread_inputs(self) -> np.ndarray:
        """Inputs that neither a gate nor an output needs."""
        return np.flatnonzero(self._uses[: self._n_inputs] == 0)

    def take(self, n_bootstraps: int) -> np.ndarray:
        """Gates of at most so many bootstraps in all (a MUX is two), but one at least; none where none is ready."""
        return _take(n_bootstraps, self._cost, self._last, self._below, self._top)

    def finish(self, gates: np.ndarray) -> np.ndarray:
        """Note that gates that were taken are done; the signals that nobody needs any more, perhaps of these gates."""
        self._is_done[gates] = True
        self.n_done += len(gates)
        ready, gone = _finish(
            gates, self._n_inputs, self._reads, self._first, self._readers, self._missing, self._uses
        )
        _push(ready, self._heights, self._last, self._below, self._top)
        return gone

    def done(self) -> np.ndarray:
        """(n_gates,) bool: gates that are done, and NOTs."""
        return self._is_done.copy()

    def resume(self, done: np.ndarray) -> np.ndarray:
        """Begin with these gates done; the signals that are still needed. ValueError where what they read is not."""
        wanted = done & (self._cost > 0)
        read = self._reads[wanted]
        made = read[read >= self._n_inputs] - self._n_inputs
        if not done[made].all() or self.n_done:
            raise ValueError("a gate is done before what it reads")
        order = np.flatnonzero(wanted)
        self._last[:], self._top[:] = -1, 0
        gone = [self.finish(order)]
        left = (self._missing == 0) & ~self._is_done
        self._last[:], self._top[:] = -1, 0
        _push(np.flatnonzero(left)[::-1], self._heights, self._last, self._below, self._top)
        needed = np.zeros(len(self.sources), bool)
        needed[: self._n_inputs] = True
        needed[self._n_inputs + order] = True
        needed[np.concatenate([*gone, self.unread_inputs()])] = False
        return np.flatnonzero(needed)


@njit(cache=True)
def _readers(reads: np.ndarray, n_signals: int) -> tuple[np.ndarray, np.ndarray]:
    """Gates that read signal i: readers[first[i]:first[i + 1]]."""
    first = np.zeros(n_signals + 1, np.int64)
    for gate in range(len(reads)):
        for signal in reads[gate]:
            if signal >= 0:
                first[signal + 1] += 1
    first = np.cumsum(first)
    place, readers = first.copy(), np.empty(first[-1], np.int32)
    for gate in range(len(reads)):
        for signal in reads[gate]:
            if signal >= 0:
                readers[place[signal]] = gate
                place[signal] += 1
    return first, readers


@njit(cache=True)
def _push(gates: np.ndarray, heights: np.ndarray, last: np.ndarray, below: np.ndarray, top: np.ndarray) -> None:
    for gate in gates:
        height = heights[gate]
        below[gate] = last[height]
        last[height] = gate
        top[0] = max(top[0], height)
    top[1] += len(gates)


@njit(cache=True)
def _take(n_bootstraps: int, cost: np.ndarray, last: np.ndarray, below: np.ndarray, top: np.ndarray) -> np.ndarray:
    found = np.empty(min(max(n_bootstraps, 1), top[1]), np.int32)
    n_found = n_cost = 0
    while n_found < len(found) and top[1]:
        while last[top[0]] < 0:
            top[0] -= 1
        gate = last[top[0]]
        if n_found and n_cost + cost[gate] > n_bootstraps:
            break
        last[top[0]] = below[gate]
        top[1] -= 1
        found[n_found] = gate
        n_found += 1
        n_cost += cost[gate]
    return found[:n_found]


@njit(cache=True)
def _finish(
    gates: np.ndarray,
    n_inputs: int,
    reads: np.ndarray,
    first: np.ndarray,
    readers: np.ndarray,
    missing: np.ndarray,
    uses: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Gates that are ready now, and signals of which this was the last use."""
    n_most = 0
    for gate in gates:
        n_most += first[n_inputs + gate + 1] - first[n_inputs + gate]
    ready, gone = np.empty(n_most, np.int32), np.empty(4 * len(gates), np.int32)
    n_ready = n_gone = 0
    for gate in gates:
        signal = n_inputs + gate
        for place in range(first[signal], first[signal + 1]):
            missing[readers[place]] -= 1
            if missing[readers[place]] == 0:
                ready[n_ready] = readers[place]
                n_ready += 1
        for read in reads[gate]:
            if read >= 0:
                uses[read] -= 1
                if uses[read] == 0:
                    gone[n_gone] = read
                    n_gone += 1
        if uses[signal] == 0:
            gone[n_gone] = signal
            n_gone += 1
    return ready[:n_ready], gone[:n_gone]
