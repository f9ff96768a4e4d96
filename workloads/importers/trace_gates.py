"""`lockstep trace circuit.bench`: a netlist or a program becomes a file of gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from designs.errors import InputError
from workloads.circuits.files import save_circuit
from workloads.circuits.levels import shape_of
from workloads.kinds import circuit


def trace(
    file: str | Path, output: str | Path, *, bind: Mapping[str, int] | None = None, samples: str | Path | None = None
) -> dict[str, Any]:
    """Import a circuit (.bench, .aig, .aag, .c) and write it as gates; what it has, counted. InputError where not."""
    if bind:
        raise InputError(f"--bind {next(iter(bind))}: wanted dimensions beside a model only, got {file}; leave it out")
    if samples is not None:
        raise InputError(f"--samples {samples}: wanted samples beside a classifier only, got {file}; leave them out")
    if Path(output).suffix != ".gates":
        raise InputError(f"{output}: wanted a name that ends in .gates for a circuit, got another; name one with -o")
    found = circuit.circuit_of_file(file)
    save_circuit(found, output)
    return {"n_input_bits": found.n_inputs, "n_output_bits": len(found.outputs), **asdict(shape_of(found))}
