"""What a circuit promises, checked; and its content hash."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import ArrayLike

from designs.errors import InputError
from designs.spelling import shown
from workloads.circuits.circuit import CONSTANT_1, N_OPERANDS, OPS, Circuit, Port

MOST_SIGNALS = 1 << 30  # numbers of signals are int32, and some programs double them


def circuit_of(
    name: str,
    inputs: tuple[Port, ...],
    output_ports: tuple[Port, ...],
    ops: ArrayLike,
    operands: ArrayLike,
    outputs: ArrayLike,
) -> Circuit:
    """The circuit of these parts with its digest, its promises checked (`check_circuit`)."""
    ops = np.ascontiguousarray(ops, np.uint8)
    operands = np.ascontiguousarray(operands, np.int32).reshape(-1, 3)
    outputs = np.ascontiguousarray(outputs, np.int32)
    digest = circuit_digest(inputs, output_ports, ops, operands, outputs)
    circuit = Circuit(
        name=name, digest=digest, inputs=inputs, output_ports=output_ports, ops=ops, operands=operands, outputs=outputs
    )
    check_circuit(circuit, name)
    return circuit


def circuit_digest(
    inputs: tuple[Port, ...],
    output_ports: tuple[Port, ...],
    ops: np.ndarray,
    operands: np.ndarray,
    outputs: np.ndarray,
) -> str:
    """SHA-256 (hex) of the ports and gates."""
    digest = hashlib.sha256()
    for ports in (inputs, output_ports):
        said = [(port.name, port.bits, port.signed, tuple(port.shape)) for port in ports]
        digest.update(repr(said).encode())
    for array, kind in ((ops, "u1"), (operands, "<i4"), (outputs, "<i4")):
        content = np.ascontiguousarray(array, kind).tobytes()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def check_circuit(circuit: Circuit, where: str = "circuit") -> None:
    """Raise InputError, one line beginning with `where`, if the circuit breaks a promise of Circuit's docstring."""
    for port in (*circuit.inputs, *circuit.output_ports):
        if port.bits < 1 or any(size < 1 for size in port.shape):
            raise InputError(f"{where}: port {shown(port.name)}: wanted one bit and one element at least, got {port}")
    _check_once(where, "inputs", circuit.inputs)
    _check_once(where, "outputs", circuit.output_ports)
    n_inputs, n_gates = circuit.n_inputs, circuit.n_gates
    n_signals = n_inputs + n_gates
    if n_signals > MOST_SIGNALS:
        raise InputError(f"{where}: wanted at most {MOST_SIGNALS} signals, got {n_signals}; split the circuit")
    if circuit.operands.shape != (n_gates, 3):
        raise InputError(f"{where}: wanted operands of the shape {(n_gates, 3)}, got {circuit.operands.shape}")
    if n_gates and int(circuit.ops.max()) >= len(OPS):
        raise InputError(f"{where}: wanted ops below {len(OPS)}, got {int(circuit.ops.max())}")
    places = np.arange(3) < N_OPERANDS[circuit.ops][:, None]
    below = np.where(places, np.arange(n_inputs, n_signals)[:, None], 0)
    wrong = (circuit.operands < np.where(places, 0, -1)) | (circuit.operands >= below)
    if wrong.any():
        gate = int(np.argmax(wrong.any(axis=1)))
        op, got = OPS[circuit.ops[gate]], circuit.operands[gate].tolist()
        raise InputError(
            f"{where}: gate {gate} ({op}): wanted {N_OPERANDS[circuit.ops[gate]]} signals of 0 to "
            f"{n_inputs + gate - 1}, then -1, got {got}"
        )
    wanted = sum(port.n_bits for port in circuit.output_ports)
    if circuit.outputs.shape != (wanted,):
        raise InputError(f"{where}: wanted {wanted} output bits as the ports say, got {circuit.outputs.shape}")
    if wanted and not (CONSTANT_1 <= int(circuit.outputs.min()) and int(circuit.outputs.max()) < n_signals):
        raise InputError(f"{where}: wanted outputs below {n_signals}, or -1 and -2, got others")


def _check_once(where: str, what: str, ports: tuple[Port, ...]) -> None:
    names = [port.name for port in ports]
    if len(set(names)) < len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise InputError(f"{where}: wanted {what} of different names, got {shown(twice)} twice; rename one")
