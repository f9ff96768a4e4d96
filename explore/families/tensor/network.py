"""A traced network, whole and layer after layer, on the RTL of one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from explore.verify import Difference, NetworkResult
from hw.bench.simulator import SimulatorName
from hw.bench.tensor import ProgramRun, run_programs, tensor_verilog
from sim.families.tensor import simulate
from workloads.layer import Layer
from workloads.load import Workload
from workloads.mapping.memory import read_output
from workloads.mapping.network import NetworkProgram, build_network, network_image
from workloads.mapping.numbers import arithmetic, bind_numbers
from workloads.mapping.program import Program
from workloads.mapping.tensor import Tiling
from workloads.reference import run_layer

Engine = SimulatorName | Literal["cxxrtl"] | None
_BATCH = 50  # images of one bench run: their DRAM images are on disk at a time


@dataclass(frozen=True, kw_only=True)
class _Job:
    design: Design
    layers: tuple[Layer, ...]
    tilings: tuple[Tiling, ...]
    network: NetworkProgram
    simulated: tuple[int, ...]  # cycles of each layer


def verify_network(
    design: Design,
    workload: Workload,
    images: np.ndarray,
    *,
    simulator: Engine = None,
    progress: Callable[[int, int], None] | None = None,
) -> NetworkResult:
    """Run `workload` on the RTL for each of `images` (n, channels, h, w; stored integers) and compare every layer.

    Each layer's program reads what the one before left in DRAM; nothing is put right in between. `simulator` is
    "cxxrtl" for many images, else one under cocotb. Raises InputError where the network does not fit the machine.
    """
    job = _plan(design, workload)
    verilog = tensor_verilog(design)
    labels: list[int] = []
    rtl_cycles = 0
    differences: list[Difference] = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        with tempfile.TemporaryDirectory(prefix="lockstep-network-") as folder:
            runs = _run(job, batch, simulator=simulator, verilog=verilog, work_dir=Path(folder))
        for index, image in enumerate(batch):
            of_image = runs[index * len(job.layers) : (index + 1) * len(job.layers)]
            rtl_cycles += sum(run.cycles for run in of_image)
            label, found = _compare(job, image, of_image, start + index)
            labels.append(label)
            differences += found
        if progress:
            progress(start + len(batch), len(images))
    return NetworkResult(
        workload=workload.name,
        n_images=len(images),
        n_layers=len(job.layers),
        labels=tuple(labels),
        simulated_cycles=sum(job.simulated) * len(images),
        rtl_cycles=rtl_cycles,
        differences=tuple(differences),
    )


def _plan(design: Design, workload: Workload) -> _Job:
    layers = workload.layers
    for layer in layers:
        if layer.numbers is None:
            raise InputError(f"{workload.name}: wanted a traced network, got shapes only (layer {layer.name})")
        bind_numbers(design, layer)
    (run,) = simulate([design], layers)
    if run.failure is not None:
        raise InputError(run.failure)
    tilings = tuple(layer.tiling for layer in run.layers if layer.tiling is not None)
    return _Job(
        design=design,
        layers=layers,
        tilings=tilings,
        network=build_network(design, layers, tilings),
        simulated=tuple(layer.cycles for layer in run.layers),
    )


def _run(job: _Job, batch: np.ndarray, *, simulator: Engine, verilog: str, work_dir: Path) -> Sequence[ProgramRun]:
    programs: list[Program] = []
    memories: list[np.ndarray | None] = []
    name = job.layers[0].inputs[0]
    for image in batch:
        programs += job.network.programs
        memories.append(network_image(job.design, job.layers, job.tilings, job.network, {name: image[None]}))
        memories += [None] * (len(job.layers) - 1)
    return run_programs(job.design, programs, memories, simulator=simulator, verilog=verilog, work_dir=work_dir)


def _compare(job: _Job, image: np.ndarray, runs: Sequence[ProgramRun], index: int) -> tuple[int, list[Difference]]:
    """(label that the RTL gives, differences) of one image."""
    expected: dict[str, np.ndarray] = {job.layers[0].inputs[0]: image[None].astype(np.int64)}
    differences = []
    for layer, tiling, program, run, cycles in zip(
        job.layers, job.tilings, job.network.programs, runs, job.simulated, strict=True
    ):
        residual = expected[layer.inputs[1]] if layer.residual else None
        y, n_overflows = run_layer(layer, expected[layer.inputs[0]], residual, arithmetic(job.design, tiling.blocks))
        expected[layer.output] = y
        rtl = read_output(job.design, layer, program, run.memory)
        where = f"image {index}, {layer.name}"
        if not np.array_equal(rtl, y):
            at = tuple(int(v) for v in np.argwhere(rtl != y)[0])
            differences.append(Difference(what="outputs", expected=int(y[at]), rtl=int(rtl[at]), where=f"{where} {at}"))
        for what, wanted, got in (
            ("cycles", cycles, run.cycles),
            ("overflows", n_overflows, run.activity["overflows"]),
        ):
            if wanted != got:
                differences.append(Difference(what=what, expected=wanted, rtl=got, where=where))
    return int(rtl.reshape(-1).argmax()), differences
