"""Several runs of one circuit as one circuit: the same program on many inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import Circuit, Port


def side_by_side(circuit: Circuit, n_copies: int) -> Circuit:
    """A circuit of n_copies that share nothing: ports `NAME.0`, `NAME.1` .., everything copy by copy."""
    n_inputs, n_gates = circuit.n_inputs, circuit.n_gates
    copies = np.arange(n_copies, dtype=np.int64)[:, None]

    def signals(read: np.ndarray) -> np.ndarray:
        """(n_copies, len(read)): the signals of each copy; negative ones stay."""
        moved = np.where(read < n_inputs, read + copies * n_inputs, read + (n_copies - 1) * n_inputs + copies * n_gates)
        return np.where(read < 0, read, moved)

    return circuit_of(
        f"{circuit.name} x {n_copies}",
        _ports(circuit.inputs, n_copies),
        _ports(circuit.output_ports, n_copies),
        np.tile(circuit.ops, n_copies),
        signals(circuit.operands.ravel()).reshape(-1, 3),
        signals(circuit.outputs).ravel(),
    )


def _ports(ports: tuple[Port, ...], n_copies: int) -> tuple[Port, ...]:
    return tuple(replace(port, name=f"{port.name}.{copy}") for copy in range(n_copies) for port in ports)
