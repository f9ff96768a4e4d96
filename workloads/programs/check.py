"""A program's circuit against the compiled C program, in clear text, on random inputs."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designs.errors import InputError
from workloads.circuits.circuit import Port
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.values import decode_outputs, encode_inputs
from workloads.programs import native_runner
from workloads.programs.clang import ClangError, limit_memory, native_library
from workloads.programs.compile import Program
from workloads.programs.frontend import RETURN

SECONDS_A_RUN = 1.0  # of the compiled program on one input; it is stopped then, as for what is undefined
_MOST_SECONDS = 300
_MOST_BYTES = 1 << 30
_ROUNDS = 4  # of n_inputs vectors, until so many were compared


@dataclass(frozen=True)
class Check:
    """How many inputs gave equal outputs, and how many were left out: what C leaves undefined, or too slow."""

    n_checked: int
    n_skipped: int


def check_program(program: Program, *, n_inputs: int = 100, seed: int = 0) -> Check:
    """Compare the circuit with the compiled C program on `n_inputs` random inputs, bit for bit.

    Inputs are uniform, small or extreme values, mixed. Those on which the C program does what C leaves undefined
    (division by zero, overflow of a signed integer, an index outside, ...) are left out, found by clang's undefined
    behaviour sanitizer and guard pages, and others are tried. The program runs in processes of its own with limits of
    time and memory. InputError where outputs differ, with the inputs.
    """
    generator = random.Random(seed)
    n_checked = n_skipped = 0
    with tempfile.TemporaryDirectory(prefix="lockstep_check_") as name:
        library = _library(program, Path(name))
        for _ in range(_ROUNDS):
            wanted = n_inputs - n_checked
            if not wanted:
                break
            vectors = [_vector(program, generator) for _ in range(wanted)]
            found = list(_native(program, library, vectors))
            defined = [index for index, outputs in enumerate(found) if outputs is not None]
            n_skipped += len(vectors) - len(defined)
            n_checked += len(defined)
            if defined:
                _compare(program, [vectors[index] for index in defined], [found[index] for index in defined])
    return Check(n_checked, n_skipped)


def native_outputs(program: Program, vectors: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
    """What the compiled C program gives for inputs by name; None where that is undefined in C."""
    with tempfile.TemporaryDirectory(prefix="lockstep_check_") as name:
        return list(_native(program, _library(program, Path(name)), vectors))


def _library(program: Program, folder: Path) -> Path:
    """The compiled C program; InputError where it compiles to a circuit's code, but to no library."""
    try:
        return native_library(program.source, folder)
    except ClangError as error:
        raise InputError(
            f"{program.path}: wanted C that compiles and links, got: {error.message}; mend it"
        ) from error


def _compare(program: Program, vectors: Sequence[Mapping[str, Any]], wanted: list[Any]) -> None:
    ports = program.circuit.output_ports
    bits = np.stack([encode_inputs(program.circuit.inputs, vector) for vector in vectors])
    for vector, expected, row in zip(vectors, wanted, run_circuit(program.circuit, bits), strict=True):
        got = decode_outputs(ports, row)
        if got != expected:
            name = next(port.name for port in ports if got[port.name] != expected[port.name])
            raise InputError(
                f"{program.path}: {name}: wanted {expected[name]} as the C program gives for {dict(vector)}, got "
                f"{got[name]} from the circuit; is a variable read that was never set, or else something undefined?"
            )


def _vector(program: Program, generator: random.Random) -> dict[str, Any]:
    """A value for each input port of the circuit."""
    values: dict[str, Any] = {}
    for port in program.circuit.inputs:
        style = generator.random()
        elements = [_element(port, generator, style) for _ in range(port.n_bits // port.bits)]
        for size in reversed(port.shape[1:]):
            elements = [elements[at : at + size] for at in range(0, len(elements), size)]  # type: ignore[misc]
        values[port.name] = elements if port.shape else elements[0]
    return values


def _element(port: Port, generator: random.Random, style: float) -> int:
    low, high = (-(1 << (port.bits - 1)), (1 << (port.bits - 1)) - 1) if port.signed else (0, (1 << port.bits) - 1)
    if style < 0.4:
        return generator.randint(low, high)
    if style < 0.75:  # sums and indices of such values stay within C's limits
        return generator.randint(max(low, -8), min(high, 8))
    return generator.choice((low, high, max(low, -1), 0, 1, generator.randint(low, high)))


# --- the compiled program ---------------------------------------------------------------------------------------------


def _native(program: Program, library: Path, vectors: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any] | None]:
    parameters = program.parameters
    given = {
        "library": str(library),
        "function": program.entry,
        "scalars": [None if parameter.is_array else _c_type(parameter.port) for parameter in parameters],
        "sizes": [parameter.port.n_bits // parameter.port.bits * _bytes(parameter.port) if parameter.is_array else None
                  for parameter in parameters],
        "result": _c_type(program.result) if program.result else None,
        "seconds": SECONDS_A_RUN,
        "has_state": program.has_state,
        "vectors": [[_argument(parameter.port, vector) for parameter in parameters] for vector in vectors],
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-I", native_runner.__file__],
            input=json.dumps(given),
            text=True,
            capture_output=True,
            timeout=_MOST_SECONDS,
            preexec_fn=limit_memory(_MOST_BYTES),
            env={key: value for key, value in os.environ.items() if key in ("PATH", "SYSTEMROOT")},
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{program.path}: wanted {len(vectors)} runs of the C program within {_MOST_SECONDS} s, got less; try fewer"
        ) from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr.splitlines() or [f"exit code {error.returncode}"])[-1]
        raise InputError(
            f"{program.path}: wanted runs of the compiled C program in {_MOST_BYTES >> 20} MiB, got: {said}; "
            "take smaller arrays"
        ) from error
    for line in done.stdout.splitlines():
        answer = json.loads(line)
        yield None if answer is None else _outputs(program, answer)


def _c_type(port: Port) -> str:
    return "c_bool" if port.bits == 1 else f"c_{'' if port.signed else 'u'}int{port.bits}"


def _bytes(port: Port) -> int:
    return max(port.bits // 8, 1)


def _argument(port: Port, vector: Mapping[str, Any]) -> int | str:
    """An argument as the runner takes it; arrays that are no inputs hold zeros."""
    if not port.shape:
        return vector[port.name]
    size = _bytes(port)
    if port.name not in vector:
        return bytes(port.n_bits // port.bits * size).hex()
    elements = np.array(vector[port.name], dtype=object).ravel().tolist()
    return b"".join((element & ((1 << 8 * size) - 1)).to_bytes(size, "little") for element in elements).hex()


def _outputs(program: Program, answer: list[Any]) -> dict[str, Any]:
    result, arrays = answer
    images = dict(zip((p.port.name for p in program.parameters if p.is_array), arrays, strict=True))
    values: dict[str, Any] = {}
    for port in program.circuit.output_ports:
        if port.name == RETURN:
            values[port.name] = result
            continue
        data, size = bytes.fromhex(images[port.name]), _bytes(port)
        elements = [
            int.from_bytes(data[at : at + size], "little", signed=port.signed) for at in range(0, len(data), size)
        ]
        bits = np.concatenate(
            [np.array([element >> place & 1 for place in range(port.bits)], np.uint8) for element in elements]
        )
        values[port.name] = decode_outputs((port,), bits)[port.name]
    return values
