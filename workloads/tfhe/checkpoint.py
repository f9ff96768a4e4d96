"""A half-done execution as a file: which gates are done, and the ciphertexts that are still needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.tfhe_parameters import Parameters
from designs.whole_file import whole_file
from workloads.archives import UNREADABLE, arrays_of, one_line
from workloads.circuits.circuit import Circuit
from workloads.tfhe.keys import Ciphertexts

_VERSION = 1
_NAMES = ("version", "id", "done", "signals", "words")


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """Where an execution stands."""

    id: bytes  # run_id
    done: np.ndarray  # (n_gates,) bool; NOTs are
    signals: np.ndarray  # (n,) int64, rising: those whose ciphertexts are still needed
    words: np.ndarray  # (n, n + 1) uint32


def run_id(circuit: Circuit, inputs: Ciphertexts) -> bytes:
    """SHA-256 of what an execution is of: circuit, key and encrypted inputs."""
    found = hashlib.sha256(circuit.digest.encode() + inputs.key_id)
    found.update(np.ascontiguousarray(inputs.words, "<u4").tobytes())
    return found.digest()


def save_checkpoint(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write it whole (.npz). InputError where it cannot be written."""
    with whole_file(path) as part, part.open("wb") as file:
        np.savez(
            file,
            version=np.array(_VERSION),
            id=np.frombuffer(checkpoint.id, np.uint8),
            done=np.packbits(checkpoint.done),
            signals=checkpoint.signals.astype("<i8"),
            words=checkpoint.words.astype("<u4"),
        )


def load_checkpoint(path: str | Path, wanted_id: bytes, circuit: Circuit, parameters: Parameters) -> Checkpoint:
    """What `save_checkpoint` wrote. InputError for a damaged file, and for one of another circuit, key or inputs."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = arrays_of(archive, _NAMES)
        is_own = _id_of(found) == wanted_id
        if is_own:
            _check_arrays(found, circuit, parameters)
    except UNREADABLE as error:
        raise InputError(f"{path}: wanted a checkpoint, got {one_line(error)}; remove it to begin anew") from error
    if not is_own:
        wanted = "wanted the checkpoint of this circuit, key and inputs, got that of others"
        raise InputError(f"{path}: {wanted}; remove it to begin anew, or name another")
    done = np.unpackbits(found["done"], count=circuit.n_gates).astype(bool)
    return Checkpoint(id=wanted_id, done=done, signals=found["signals"], words=found["words"])


def _id_of(found: dict[str, np.ndarray]) -> bytes:
    if found["version"].shape != () or found["version"] != _VERSION:
        raise ValueError("another version")
    return found["id"].tobytes()


def _check_arrays(found: dict[str, np.ndarray], circuit: Circuit, parameters: Parameters) -> None:
    """Raise KeyError or ValueError where they cannot be of this circuit."""
    done, signals, words = found["done"], found["signals"], found["words"]
    if done.dtype != np.uint8 or done.shape != (-(-circuit.n_gates // 8),):
        raise ValueError("another number of gates")
    if signals.dtype != np.dtype("<i8") or signals.ndim != 1 or (np.diff(signals, prepend=-1) < 1).any():
        raise ValueError("signals that do not rise")
    if signals.size and signals[-1] >= circuit.n_inputs + circuit.n_gates:
        raise ValueError("signals that the circuit has not")
    if words.dtype != np.dtype("<u4") or words.shape != (len(signals), parameters.lwe_dimension + 1):
        raise ValueError("ciphertexts of other sizes")
