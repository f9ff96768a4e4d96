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
from hw.families.tensor import ACTIVITY, PROGRESS, build
from hw.parts.activity import COUNTED_BITS
from hw.parts.tensor_types import COUNTER_BITS, config_layout, output_layout, tile_layout
from hw.verilog import emit_verilog
from workloads.mapping.program import OutputField, Program, TileField

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
    programs: Sequence[Program],
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

    `images[i]` (uint8) is the DRAM at the start of program i; None keeps what the program before left. `most_cycles`
    bounds each program (default 10 million): a machine that is not done by then is an error. `trace` records
    `progress`. With `lazy_seed` the memory stalls at random: the bytes stay right, the cycles do not mean anything.
    `simulator` is one under cocotb (default: what `find_simulator` finds), or `cxxrtl`, the same Verilog compiled, for
    bulk runs (no waves). `verilog` saves emitting it again. Raises hw.bench.simulator.BenchError where the machine
    hangs or leaves its memory.
    """
    jobs = [
        _Job(design, program, image, most)
        for program, image, most in zip(programs, images, most_cycles or [MOST_CYCLES] * len(programs), strict=True)
    ]
    verilog = verilog or tensor_verilog(design)
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
            int(run["counters"], 16),
            [(cycle, int(packed, 16)) for cycle, packed in run["progress"]],
            np.load(work_dir / f"memory_{index}.npy"),
        )
        for index, run in enumerate(result["runs"])
    ]


class _Job:
    """A program as a bench takes it: packed rows of bytes."""

    def __init__(self, design: Design, program: Program, image: np.ndarray | None, most_cycles: int) -> None:
        self.layer = pack_config(design, program)
        self.tiles = pack_rows(tile_layout(), TileField, program.tiles)
        self.outputs = pack_rows(output_layout(), OutputField, program.outputs)
        self.image = None if image is None else np.array(image, dtype=np.uint8)
        self.most_cycles = most_cycles

    def save(self, folder: Path, index: int) -> dict[str, Any]:
        """Write the arrays for the cocotb bench; its arguments."""
        program, image = folder / f"program_{index}.npz", folder / f"image_{index}.npy"
        np.savez(program, layer=self.layer, tiles=self.tiles, outputs=self.outputs)
        if self.image is not None:
            np.save(image, self.image)
        shown = None if self.image is None else str(image)
        return {"program": str(program), "image": shown, "most_cycles": self.most_cycles}


def _run_compiled(
    design: Design, jobs: list[_Job], verilog: str, *, trace: bool, lazy_seed: int | None
) -> list[ProgramRun]:
    runs = []
    memory = np.zeros(0, dtype=np.uint8)
    with Machine(verilog, top=TOP, constants=("layer", "n_outputs"), sources=("tiles", "outputs")) as machine:
        for job in jobs:
            memory = (memory if job.image is None else job.image).copy()
            run = machine.run(
                constants={"layer": job.layer, "n_outputs": np.array([len(job.outputs)], dtype="<u2").view(np.uint8)},
                sources={"tiles": job.tiles, "outputs": job.outputs},
                image=memory,
                beat_bytes=design.dram_bytes_per_cycle,
                latency_cycles=design.dram_latency_cycles,
                most_cycles=job.most_cycles,
                trace=trace,
                lazy_seed=lazy_seed,
            )
            runs.append(_program_run(run.counters, run.progress, memory))
    return runs


def _program_run(packed_counters: int, steps: list[tuple[int, int]], memory: np.ndarray) -> ProgramRun:
    counters = _fields(packed_counters, ("cycles", *ACTIVITY), COUNTED_BITS)
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
    values = asdict(program.config)
    layout = config_layout(design)
    return _pack(layout, {name: np.array([values[name]]) for name, _ in layout})


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
