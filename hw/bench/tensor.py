"""Runs programs of the tensor machine on its RTL (bench: hw/bench/cocotb_tensor.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

from designs.families.tensor import Design
from hw.bench.simulator import SimulatorName, run_bench
from hw.families.tensor import ACTIVITY, PROGRESS, build
from hw.parts.activity import COUNTED_BITS
from hw.parts.tensor_types import COUNTER_BITS, config_layout, output_layout, tile_layout
from hw.verilog import emit_verilog
from workloads.mapping.program import OutputField, Program, TileField

TOP = "tensor_machine"
MODULE = "hw.bench.cocotb_tensor"


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
    simulator: SimulatorName | None = None,
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
    `verilog` saves emitting it again. Raises hw.bench.simulator.BenchError where the machine hangs or leaves its
    memory.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    jobs: list[dict[str, Any]] = []
    for index, (program, image) in enumerate(zip(programs, images, strict=True)):
        job: dict[str, Any] = {"program": str((work_dir / f"program_{index}.npz").resolve()), "image": None}
        np.savez(
            job["program"],
            config=pack_config(design, program),
            tiles=pack_rows(tile_layout(), TileField, program.tiles),
            outputs=pack_rows(output_layout(), OutputField, program.outputs),
        )
        if image is not None:
            job["image"] = str((work_dir / f"image_{index}.npy").resolve())
            np.save(job["image"], np.ascontiguousarray(image, dtype=np.uint8))
        job["most_cycles"] = 10_000_000 if most_cycles is None else most_cycles[index]
        jobs.append(job)
    arguments = {
        "beat_bytes": design.dram_bytes_per_cycle,
        "latency_cycles": design.dram_latency_cycles,
        "lazy_seed": lazy_seed,
        "trace": trace,
        "programs": jobs,
    }
    result = run_bench(
        verilog or tensor_verilog(design), top=TOP, module=MODULE, work_dir=work_dir, arguments=arguments,
        simulator=simulator, waves=waves,
    )  # fmt: skip
    return [_program_run(run, np.load(work_dir / f"memory_{index}.npy")) for index, run in enumerate(result["runs"])]


def _program_run(run: dict[str, Any], memory: np.ndarray) -> ProgramRun:
    counters = _fields(int(run["counters"], 16), ("cycles", *ACTIVITY), COUNTED_BITS)
    progress: dict[str, list[int]] = {name: [] for name in PROGRESS} if run["progress"] else {}
    for cycle, packed in run["progress"]:
        for name, value in _fields(int(packed, 16), PROGRESS, COUNTER_BITS).items():
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
