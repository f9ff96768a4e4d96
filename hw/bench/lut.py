"""Runs samples through the RTL of a LUT machine (bench: hw/bench/cocotb_lut.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from designs.families.lut import Design
from hw.bench.simulator import SimulatorName, run_bench
from hw.families.lut import LutMachine
from hw.verilog import emit_verilog
from workloads.mapping.lut import Circuit
from workloads.netlist import ROLES

TOP = "lut_machine"
MODULE = "hw.bench.cocotb_lut"


@dataclass(frozen=True, kw_only=True, eq=False)
class Stimulus:
    """Samples, and when they may move."""

    samples: np.ndarray  # (n_samples, n_inputs) of 0 and 1
    gaps: np.ndarray | None = None  # (n_samples,): cycles by which each is offered later than it could be; None: none
    ready: np.ndarray | None = None  # pattern, repeated, of the cycles in which readers are ready; None: always


@dataclass(frozen=True, kw_only=True, eq=False)
class SamplesRun:
    """What the RTL did with one stimulus."""

    outputs: np.ndarray  # (n_samples, n_outputs) uint8
    accept_cycles: np.ndarray  # (n_samples,) int64
    answer_cycles: np.ndarray  # (n_samples,) int64
    cycles: int
    activity: dict[str, int]  # docs/lut.md, and `lut_toggles_<role>`


def lut_verilog(design: Design, circuit: Circuit) -> str:
    """Verilog of the whole machine, top module `lut_machine`."""
    return emit_verilog(LutMachine(design, circuit), top=TOP)


def run_samples(
    design: Design,
    circuit: Circuit,
    stimuli: Sequence[Stimulus],
    *,
    work_dir: Path,
    simulator: SimulatorName | None = None,
    waves: bool = False,
    verilog: str | None = None,
) -> list[SamplesRun]:
    """Run each stimulus on the machine after a reset; sample i goes to copy i mod `copies`.

    Activity is counted on the values that the LUTs and banks of the RTL have settled to in each cycle. `verilog` saves
    emitting it again. Raises hw.bench.simulator.BenchError where the machine hangs, or answers too much or unasked.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    jobs = []
    for index, stimulus in enumerate(stimuli):
        file = work_dir.resolve() / f"stimulus_{index}.npz"
        n_samples = len(stimulus.samples)
        gaps = np.zeros(n_samples, np.int64) if stimulus.gaps is None else stimulus.gaps
        ready = np.ones(1, np.uint8) if stimulus.ready is None else stimulus.ready
        np.savez(file, samples=np.packbits(stimulus.samples, axis=1, bitorder="little"), gaps=gaps, ready=ready)
        jobs.append({"file": str(file), "n_samples": n_samples})
    result = run_bench(
        verilog or lut_verilog(design, circuit),
        top=TOP,
        module=MODULE,
        work_dir=work_dir,
        arguments={
            "copies": design.copies,
            "latency_cycles": circuit.latency_cycles,
            "n_luts": np.bincount(circuit.levels, minlength=1)[1:].tolist(),
            "n_bits": [len(bank) for bank in circuit.banks],
            "jobs": jobs,
        },
        simulator=simulator,
        waves=waves,
    )
    return [_samples_run(circuit, run, work_dir / f"run_{index}.npz") for index, run in enumerate(result["runs"])]


def _samples_run(circuit: Circuit, run: dict[str, Any], file: Path) -> SamplesRun:
    n_outputs = circuit.netlist.n_outputs
    with np.load(file) as arrays:
        answers, accept, answer = arrays["answers"], arrays["accept_cycles"], arrays["answer_cycles"]
        toggles = arrays["lut_toggles"]  # level after level, in each by number
    order = np.argsort(circuit.levels, kind="stable")
    of_role = np.bincount(circuit.netlist.roles[order], weights=toggles, minlength=len(ROLES)).astype(int)
    return SamplesRun(
        outputs=np.unpackbits(answers, axis=1, count=n_outputs, bitorder="little"),
        accept_cycles=accept,
        answer_cycles=answer,
        cycles=int(answer.max()) + 1,
        activity={
            "lut_toggles": int(toggles.sum()),
            **{f"lut_toggles_{role}": int(count) for role, count in zip(ROLES, of_role, strict=True)},
            "register_toggles": run["register_toggles"],
            "register_loads": run["register_loads"],
            "inferences": run["inferences"],
        },
    )
