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
from workloads.digits import labelled_images
from workloads.kinds.network import Network
from workloads.layer import Layer
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
    workload: Network,
    n_images: int,
    *,
    simulator: Engine = None,
    progress: Callable[[int, int], None] | None = None,
) -> NetworkResult:
    """Run `workload` on the RTL for `n_images` images and compare every layer with interpreter and simulator.

    Images are the first test images of the digits where the network reads those, random stored values elsewhere. Each
    layer's program reads what the one before left in DRAM; nothing is put right in between. `simulator` is "cxxrtl" for
    many images, else one under cocotb. Raises InputError where the network does not fit the machine.
    """
    job = _plan(design, workload)
    verilog = tensor_verilog(design)
    images, true_labels = _images(workload, n_images)
    labels: list[int] = []
    expected_labels: list[int] = []
    rtl_cycles = n_overflows = 0
    differences: list[Difference] = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        with tempfile.TemporaryDirectory(prefix="lockstep-network-") as folder:
            runs = _run(job, batch, simulator=simulator, verilog=verilog, work_dir=Path(folder))
        for index, image in enumerate(batch):
            of_image = runs[index * len(job.layers) : (index + 1) * len(job.layers)]
            rtl_cycles += sum(run.cycles for run in of_image)
            expected, overflows, found = _compare(job, image, of_image, start + index)
            last = read_output(job.design, job.layers[-1], job.network.programs[-1], of_image[-1].memory)
            labels.append(int(last.argmax()))
            expected_labels.append(int(expected.argmax()))
            n_overflows += overflows
            differences += found
        if progress:
            progress(len(batch), len(images))
    return NetworkResult(
        workload=workload.name,
        n_samples=len(labels),
        n_cases=len(labels) * len(job.layers),
        labels=tuple(labels),
        expected_labels=tuple(expected_labels),
        true_labels=true_labels,
        n_overflows=n_overflows,
        simulated_cycles=sum(job.simulated) * len(images),
        rtl_cycles=rtl_cycles,
        differences=tuple(differences),
    )


def _plan(design: Design, workload: Network) -> _Job:
    layers = workload.layers
    for layer in layers:
        if layer.numbers is None:
            raise InputError(f"{workload.name}: wanted a traced network, got shapes only (layer {layer.name})")
        bind_numbers(design, layer)
    (run,) = simulate([design], workload)
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


def _images(workload: Network, n_images: int) -> tuple[np.ndarray, tuple[int, ...] | None]:
    """Stored inputs (n, channels, h, w), and their labels where they have any."""
    labelled = labelled_images(workload.layers)
    if labelled is not None:
        images, labels = labelled
        return images[:n_images], tuple(int(label) for label in labels[:n_images])
    first = workload.layers[0]
    shape = (first.in_channels, first.in_h, first.in_w)
    assert first.numbers is not None
    rng = np.random.default_rng(0)
    return rng.integers(first.numbers.in_low, first.numbers.in_high + 1, (n_images, *shape)), None


def _compare(
    job: _Job, image: np.ndarray, runs: Sequence[ProgramRun], index: int
) -> tuple[np.ndarray, int, list[Difference]]:
    """(the network's output, accumulator overflows, differences) of one image."""
    expected: dict[str, np.ndarray] = {job.layers[0].inputs[0]: image[None].astype(np.int64)}
    differences: list[Difference] = []
    total_overflows = 0
    for layer, tiling, program, run, cycles in zip(
        job.layers, job.tilings, job.network.programs, runs, job.simulated, strict=True
    ):
        residual = expected[layer.inputs[1]] if layer.residual else None
        y, n_overflows = run_layer(layer, expected[layer.inputs[0]], residual, arithmetic(job.design, tiling.blocks))
        expected[layer.output] = y
        total_overflows += n_overflows
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
    return expected[job.layers[-1].output], total_overflows, differences
