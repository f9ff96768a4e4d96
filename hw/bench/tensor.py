"""Runs programs of the tensor machine on its RTL (bench: hw/bench/cocotb_tensor.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

from designs.families.tensor import Design
from hw.bench.cxxrtl import Machine
from hw.bench.simulator import SimulatorName, run_bench
from hw.families.tensor import PROGRESS, activity_names, build
from hw.parts.activity import COUNTED_BITS
from hw.parts.tensor_types import COUNTER_BITS, config_layout, output_layout, tile_layout
from hw.parts.vector_types import step_layout, vector_config_layout
from hw.verilog import emit_verilog
from workloads.mapping.program import OutputField, Program, TileField
from workloads.mapping.vector_program import VectorField, VectorProgram

TOP = "tensor_machine"
MODULE = "hw.bench.cocotb_tensor"
MOST_CYCLES = 10_000_000


@dataclass(frozen=True, kw_only=True)
class ProgramRun:
    """What the RTL did with one program."""

    cycles: int
    activity: dict[str, int]  # docs/tensor.md, section 8
    memory: np.ndarray  # uint8: all bytes of DRAM after it
    progress: dict[str, list[int]]  # where traced: counter -> cycle in which it was advanced to 1, 2, ...


def tensor_verilog(design: Design) -> str:
    """Verilog of the whole machine, top module `tensor_machine`."""
    return emit_verilog(build(design), top=TOP)


def run_programs(
    design: Design,
    programs: Sequence[Program | VectorProgram],
    images: Sequence[np.ndarray | None],
    *,
    work_dir: Path,
    simulator: SimulatorName | Literal["cxxrtl"] | None = None,
    most_cycles: Sequence[int] | None = None,
    trace: bool = False,
    waves: bool = False,
    lazy_seed: int | None = None,
    verilog: str | None = None,
) -> list[ProgramRun]:
    """Run `programs` one after the other on one machine, with the memory of docs/tensor.md section 3.

    Programs of the array and of the vector unit may follow one another; `progress` of the latter has `stores` only. A
    vector program without steps (weights that lie there already) takes no cycles: the machine never sees it.

    `images[i]` (uint8) is the DRAM at the start of program i; None keeps what the program before left. `most_cycles`
    bounds each program (default 10 million): a machine that is not done by then is an error. `trace` records
    `progress`. With `lazy_seed` the memory stalls at random: the bytes stay right, the cycles do not mean anything.
    `simulator` is one under cocotb (default: what `find_simulator` finds), or `cxxrtl`, the same Verilog compiled, for
    bulk runs (no waves). `verilog` saves emitting it again. Raises hw.bench.simulator.BenchError where the machine
    hangs or leaves its memory.
    """
    given, limits = list(images), most_cycles or [MOST_CYCLES] * len(programs)
    idle = [isinstance(program, VectorProgram) and not len(program.steps) for program in programs]
    for index in range(len(programs) - 1):
        if idle[index] and given[index + 1] is None:
            given[index + 1] = given[index]
    jobs = [
        _Job(design, program, image, most)
        for program, image, most, rests in zip(programs, given, limits, idle, strict=True)
        if not rests
    ]
    runs = iter(_run(design, jobs, verilog or tensor_verilog(design), work_dir, simulator, trace, waves, lazy_seed))
    results: list[ProgramRun] = []
    for image, rests in zip(given, idle, strict=True):
        results.append(_idle_run(design, image if image is not None else results[-1].memory) if rests else next(runs))
    return results


def _idle_run(design: Design, memory: np.ndarray) -> ProgramRun:
    return ProgramRun(cycles=0, activity=dict.fromkeys(activity_names(design), 0), memory=memory, progress={})


def _run(
    design: Design, jobs: list[_Job], verilog: str, work_dir: Path,
    simulator: SimulatorName | Literal["cxxrtl"] | None, trace: bool, waves: bool, lazy_seed: int | None,
) -> list[ProgramRun]:  # fmt: skip
    if not jobs:
        return []
    if simulator == "cxxrtl":
        return _run_compiled(design, jobs, verilog, trace=trace, lazy_seed=lazy_seed)
    work_dir.mkdir(parents=True, exist_ok=True)
    arguments = {
        "beat_bytes": design.dram_bytes_per_cycle,
        "latency_cycles": design.dram_latency_cycles,
        "lazy_seed": lazy_seed,
        "trace": trace,
        "programs": [job.save(work_dir.resolve(), index) for index, job in enumerate(jobs)],
    }
    result = run_bench(
        verilog, top=TOP, module=MODULE, work_dir=work_dir, arguments=arguments, simulator=simulator, waves=waves
    )
    return [
        _program_run(
            design,
            int(run["counters"], 16),
            [(cycle, int(packed, 16)) for cycle, packed in run["progress"]],
            np.load(work_dir / f"memory_{index}.npy"),
        )
        for index, run in enumerate(result["runs"])
    ]


class _Job:
    """A program as a bench takes it: packed rows of bytes, by the names of the machine's ports."""

    def __init__(
        self, design: Design, program: Program | VectorProgram, image: np.ndarray | None, most_cycles: int
    ) -> None:
        tiles, outputs = np.zeros((0, len(TileField))), np.zeros((0, len(OutputField)))
        steps = np.zeros((0, len(VectorField)))
        layouts = {"layer": config_layout(design)}
        if design.vector_lanes:
            layouts["vector_config"] = vector_config_layout(design)
        # Registers that a program has no use for are zero.
        self.constants = {name: _pack(layout, _zeros(layout)) for name, layout in layouts.items()}
        if isinstance(program, VectorProgram):
            if not design.vector_lanes:
                raise ValueError("vector_lanes: wanted a machine with a vector unit for a vector program, got 0")
            steps = program.steps
            self.constants["vector_config"] = _pack_registers(layouts["vector_config"], program.config)
        else:
            tiles, outputs = program.tiles, program.outputs
            self.constants["layer"] = pack_config(design, program)
        self.constants["n_outputs"] = np.array([len(outputs) or len(steps)], dtype="<u2").view(np.uint8)[None]
        self.sources = {
            "tiles": pack_rows(tile_layout(), TileField, tiles),
            "outputs": pack_rows(output_layout(), OutputField, outputs),
        }
        if design.vector_lanes:
            self.sources["vector_steps"] = pack_rows(step_layout(), VectorField, steps)
        self.image = None if image is None else np.array(image, dtype=np.uint8)
        self.most_cycles = most_cycles

    def save(self, folder: Path, index: int) -> dict[str, Any]:
        """Write the arrays for the cocotb bench; its arguments."""
        program, image = folder / f"program_{index}.npz", folder / f"image_{index}.npy"
        arrays: dict[str, Any] = {**self.constants, **self.sources}
        np.savez(program, **arrays)
        if self.image is not None:
            np.save(image, self.image)
        shown = None if self.image is None else str(image)
        return {
            "program": str(program),
            "image": shown,
            "most_cycles": self.most_cycles,
            "constants": list(self.constants),
            "sources": list(self.sources),
        }


def _run_compiled(
    design: Design, jobs: list[_Job], verilog: str, *, trace: bool, lazy_seed: int | None
) -> list[ProgramRun]:
    runs = []
    memory = np.zeros(0, dtype=np.uint8)
    constants, sources = list(jobs[0].constants), list(jobs[0].sources)
    with Machine(verilog, top=TOP, constants=constants, sources=sources) as machine:
        for job in jobs:
            memory = (memory if job.image is None else job.image).copy()
            run = machine.run(
                constants=job.constants,
                sources=job.sources,
                image=memory,
                beat_bytes=design.dram_bytes_per_cycle,
                latency_cycles=design.dram_latency_cycles,
                most_cycles=job.most_cycles,
                trace=trace,
                lazy_seed=lazy_seed,
            )
            runs.append(_program_run(design, run.counters, run.progress, memory))
    return runs


def _program_run(
    design: Design, packed_counters: int, steps: list[tuple[int, int]], memory: np.ndarray
) -> ProgramRun:
    counters = _fields(packed_counters, ("cycles", *activity_names(design)), COUNTED_BITS)
    progress: dict[str, list[int]] = {name: [] for name in PROGRESS} if steps else {}
    for cycle, packed in steps:
        for name, value in _fields(packed, PROGRESS, COUNTER_BITS).items():
            # A counter that is advanced in cycle x shows its new value in cycle x + 1.
            progress[name] += [cycle - 1] * (value - len(progress[name]))
    return ProgramRun(cycles=counters.pop("cycles"), activity=counters, memory=memory, progress=progress)


def _fields(packed: int, names: Sequence[str], bits: int) -> dict[str, int]:
    return {name: packed >> (index * bits) & ((1 << bits) - 1) for index, name in enumerate(names)}


def pack_config(design: Design, program: Program) -> np.ndarray:
    """The layer's registers as one row of bytes."""
    return _pack_registers(config_layout(design), program.config)


def _pack_registers(layout: data.StructLayout, config: Any) -> np.ndarray:
    values = asdict(config)
    return _pack(layout, {name: np.array([values[name]]) for name, _ in layout})


def _zeros(layout: data.StructLayout) -> dict[str, np.ndarray]:
    return {name: np.zeros(1, dtype=np.int64) for name, _ in layout}


def pack_rows(layout: data.StructLayout, columns: Any, rows: np.ndarray) -> np.ndarray:
    """Rows of a program's array as rows of bytes, packed by `layout`, whose fields are columns named in capitals."""
    return _pack(layout, {name: rows[:, columns[name.upper()]] for name, _ in layout})


def _pack(layout: data.StructLayout, values: dict[str, np.ndarray]) -> np.ndarray:
    n_rows = len(next(iter(values.values())))
    bits = np.zeros((n_rows, layout.size), dtype=np.uint8)
    for name, field in layout:
        shape = Shape.cast(field.shape)
        column = values[name].astype(np.int64)
        low, high = (-(1 << shape.width - 1), 1 << shape.width - 1) if shape.signed else (0, 1 << shape.width)
        if n_rows and not (low <= column.min() and column.max() < high):
            raise ValueError(f"{name}: wanted {low} to {high - 1}, got {column.min()} to {column.max()}")
        bits[:, field.offset : field.offset + shape.width] = column[:, None] >> np.arange(shape.width) & 1
    return np.packbits(bits, axis=1, bitorder="little")
