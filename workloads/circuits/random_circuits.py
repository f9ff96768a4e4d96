"""Random circuits, wide and deep, of every gate; for verification, tests and large schedules."""

from __future__ import annotations

import numpy as np

from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, MUX, N_OPERANDS, NOT, OPS, Circuit, Port

_FAR = 0.15  # share of operands that any earlier signal may be
_CHAINED = 0.3  # share of NOTs that read the gate just before them


def random_circuit(
    seed: int,
    n_gates: int,
    *,
    width: int | None = None,
    n_inputs: int | None = None,
    n_outputs: int | None = None,
    mux_share: float = 0.1,
    not_share: float = 0.1,
) -> Circuit:
    """A circuit of exactly n_gates gates, nothing in it simplified; the same for the same arguments.

    `width` gates, one after the other, read no gate among them (but NOTs, that make chains), mostly some of the `width`
    signals before them: n_gates/width levels, so a small width is a deep circuit and n_gates a flat one; drawn where
    None. Gates may read a signal twice and be read by nobody. Outputs are late gates, now and then inputs, constants or
    the same signal again. Ports are integers of up to 64 bits.
    """
    rng = np.random.default_rng(seed)
    n_inputs = int(rng.integers(1, 33)) if n_inputs is None else n_inputs
    n_outputs = int(rng.integers(1, 17)) if n_outputs is None else n_outputs
    width = int(2 ** rng.uniform(0, np.log2(max(1, n_gates) + 1))) if width is None else width
    if n_inputs < 1 or n_gates < 0 or n_outputs < 1 or width < 1:
        raise ValueError(f"wanted inputs, outputs and a width, got {n_inputs}, {n_outputs}, {width}; {n_gates} gates")
    ops = _ops(rng, n_gates, mux_share, not_share)
    operands = _operands(rng, n_inputs, n_gates, width)
    chained = np.flatnonzero((ops == NOT) & (rng.random(n_gates) < _CHAINED) & (np.arange(n_gates) > 0))
    operands[chained, 0] = n_inputs + chained - 1
    operands[np.arange(3) >= N_OPERANDS[ops][:, None]] = -1
    outputs = _outputs(rng, n_inputs, n_gates, n_outputs)
    return circuit_of(
        f"random_gates:{n_gates}:{width}", _ports("x", n_inputs), _ports("y", n_outputs), ops, operands, outputs
    )


def _ops(rng: np.random.Generator, n_gates: int, mux_share: float, not_share: float) -> np.ndarray:
    two = 1 + rng.integers(len(OPS) - 2, size=n_gates)
    drawn = rng.random(n_gates)
    return np.where(drawn < mux_share, MUX, np.where(drawn < mux_share + not_share, NOT, two)).astype(np.uint8)


def _operands(rng: np.random.Generator, n_inputs: int, n_gates: int, width: int) -> np.ndarray:
    before = n_inputs + np.arange(n_gates, dtype=np.int64) // width * width  # signals before the gate's level
    reach = np.minimum(before, max(width, 2))
    near = before[:, None] - 1 - (rng.random((n_gates, 3)) * reach[:, None]).astype(np.int64)
    far = (rng.random((n_gates, 3)) * before[:, None]).astype(np.int64)
    return np.where(rng.random((n_gates, 3)) < _FAR, far, near).astype(np.int32)


def _outputs(rng: np.random.Generator, n_inputs: int, n_gates: int, n_outputs: int) -> np.ndarray:
    n_signals = n_inputs + n_gates
    late = n_signals - 1 - rng.integers(min(n_signals, 2 * n_outputs), size=n_outputs)
    kind = rng.random(n_outputs)
    outputs = np.where(kind < 0.1, rng.integers(n_inputs, size=n_outputs), late)
    constants = rng.choice((CONSTANT_0, CONSTANT_1), size=n_outputs)
    return np.where((kind >= 0.1) & (kind < 0.15), constants, outputs).astype(np.int32)


def _ports(name: str, n_bits: int) -> tuple[Port, ...]:
    return tuple(Port(name=f"{name}{at // 64}", bits=min(64, n_bits - at)) for at in range(0, n_bits, 64))
