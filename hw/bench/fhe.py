"""Runs programs on the RTL of a bootstrapping machine (bench: hw/bench/cocotb_fhe.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designs.families.fhe import Design
from hw.bench import fhe_streams
from hw.bench.joined import joined
from hw.bench.simulator import SimulatorName, find_simulator, run_bench
from hw.families.fhe import ACTIVITY, build
from hw.parts.activity import COUNTED_BITS
from hw.verilog import emit_verilog
from workloads.mapping.fhe import Program
from workloads.tfhe.keys import EvaluationKey

TOP = "bootstrapping_machine"
MODULE = "hw.bench.cocotb_fhe"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stimulus:
    """A program, what it computes on, and when beats may move. None: as docs/fhe.md section 2 says.

    Arrivals are the first cycle in which each beat of a stream is offered, of all batches, one after the other. A read
    beat is offered in its arrival or when it comes from memory, whichever is later.
    """

    program: Program
    key: EvaluationKey
    inputs: np.ndarray  # (n, n + 1) uint32: ciphertexts 0..n-1 in memory
    bootstrap_key_arrivals: np.ndarray | None = None  # (n_batches n row_beats,), or of one batch where it is resident
    key_switch_key_arrivals: np.ndarray | None = None  # (n_batches kN t c_V,)
    read_arrivals: np.ndarray | None = None  # (n_operands c_D,)
    write_ready: np.ndarray | None = None  # (n,) cycles in which memory takes a beat; it does after them


@dataclass(frozen=True, kw_only=True, eq=False)
class ProgramRun:
    """What the RTL did with one stimulus."""

    ciphertexts: dict[int, np.ndarray]  # number -> (n + 1,) uint32, of each result that was written
    cycles: int
    activity: dict[str, int]  # docs/fhe.md, section 4


def fhe_verilog(design: Design) -> str:
    """Verilog of the whole machine, top module `bootstrapping_machine`."""
    return emit_verilog(build(design), top=TOP)


def n_stream_beats(design: Design, program: Program) -> dict[str, int]:
    """Beats of a run: as many as `bootstrap_key_arrivals`, `key_switch_key_arrivals` and `read_arrivals` have."""
    p, n_batches = design.parameters, len(program.slots)
    rows = p.lwe_dimension * (1 if design.resident else n_batches)
    switched = p.glwe_dimension * p.ring_degree * p.key_switch_levels * design.key_switch_chunks
    return {
        "bootstrap_key": rows * design.row_beats,
        "key_switch_key": n_batches * switched,
        "read": int((program.factors[program.valid] != 0).sum()) * design.ciphertext_beats,
    }


def run_programs(
    design: Design,
    stimuli: Sequence[Stimulus],
    *,
    work_dir: Path,
    simulator: SimulatorName | None = None,
    waves: bool = False,
    verilog: str | None = None,
) -> list[ProgramRun]:
    """Run each stimulus on one machine, one after the other, `clear` between them.

    `verilog` saves emitting it again. Raises ValueError where a stimulus does not fit the design,
    hw.bench.simulator.BenchError where the machine hangs, reads what is not there, writes what it should not or takes
    other beats than there are.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    jobs = [
        _save(design, stimulus, work_dir.resolve() / f"stimulus_{index}.npz") for index, stimulus in enumerate(stimuli)
    ]
    text = verilog or fhe_verilog(design)
    result = run_bench(
        joined(text) if find_simulator(simulator).name == "icarus" else text,
        top=TOP,
        module=MODULE,
        work_dir=work_dir,
        arguments={"jobs": jobs},
        simulator=simulator,
        waves=waves,
    )
    runs = []
    for index, found in enumerate(result["runs"]):
        with np.load(work_dir / f"run_{index}.npz") as arrays:
            numbers, beats = arrays["numbers"], arrays["beats"]
        words = beats.reshape(len(numbers), -1).view("<u4")[:, : design.parameters.lwe_dimension + 1]
        counters = _fields(int(found["counters"], 16), ("cycles", *ACTIVITY))
        runs.append(
            ProgramRun(
                ciphertexts=dict(zip(numbers.tolist(), words, strict=True)),
                cycles=counters["cycles"],
                activity={name: counters[name] for name in ACTIVITY},
            )
        )
    return runs


def _save(design: Design, stimulus: Stimulus, file: Path) -> dict[str, Any]:
    """Write beats and when they come; the bench's arguments."""
    if stimulus.key.parameters != design.parameters:
        raise ValueError(f"key: wanted one of {design.parameters}, got one of {stimulus.key.parameters}")
    program, counts = stimulus.program, n_stream_beats(design, stimulus.program)
    offered = {
        "bootstrap_key": design.memory_latency_cycles,
        "key_switch_key": design.memory_latency_cycles,
        "read": 0,
    }
    arrivals = {}
    for name, first in offered.items():
        given = getattr(stimulus, f"{name}_arrivals")
        arrivals[name] = (
            first + np.arange(counts[name]) * (name != "read") if given is None else np.asarray(given, np.int64)
        )
        if len(arrivals[name]) != counts[name]:
            raise ValueError(f"{name}_arrivals: wanted one for each of {counts[name]} beats, got {len(arrivals[name])}")
    ready = np.ones(0, np.uint8) if stimulus.write_ready is None else np.asarray(stimulus.write_ready, np.uint8)
    arrays: dict[str, Any] = {f"{name}_arrivals": values for name, values in arrivals.items()}
    np.savez(
        file,
        bootstrap_key=fhe_streams.bootstrap_key_beats(design, stimulus.key.bootstrap_key),
        key_switch_key=fhe_streams.key_switch_key_beats(design, stimulus.key.key_switch_key),
        inputs=fhe_streams.ciphertext_beats(design, stimulus.inputs),
        results=program.result[program.valid & ~program.holds],
        write_ready=ready,
        **arrays,
    )
    return {
        "file": str(file),
        "batches": [hex(word) for word in fhe_streams.batch_words(design, program)],
        "commands": [hex(word) for word in fhe_streams.command_words(program)],
        "latency_cycles": design.memory_latency_cycles,
        "most_idle_cycles": _longest_pause(design, arrivals, len(ready)),
    }


def _longest_pause(design: Design, arrivals: dict[str, np.ndarray], n_ready: int) -> int:
    """No beat of any stream moves in fewer cycles: a rotation with a resident key takes longest, and the stalls."""
    p, words = design.parameters, design.poly_words
    stages = 2 * design.n_stages * (words + design.multiplier_stages + 3) + 16 + words * (p.glwe_dimension + 1)
    rotation = p.lwe_dimension * (design.batch + 1) * design.n_groups * (stages + words * design.column_passes)
    waits = sum(int(np.diff(one, prepend=0).max(initial=0)) for one in arrivals.values())
    return rotation + design.batch * words + waits + n_ready + design.memory_latency_cycles + 64


def _fields(packed: int, names: Sequence[str]) -> dict[str, int]:
    mask = (1 << COUNTED_BITS) - 1
    return {name: packed >> (index * COUNTED_BITS) & mask for index, name in enumerate(names)}
