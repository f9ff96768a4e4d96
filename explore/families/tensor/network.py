"""A traced network, whole and layer after layer, on the RTL of one machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from explore.verify import MISSING, Difference, NetworkResult
from hw.bench.simulator import SimulatorName
from hw.bench.tensor import ProgramRun, run_programs, tensor_verilog
from sim.families.tensor import arithmetics, simulate
from sim.run import LayerRun
from workloads.digits import labelled_images
from workloads.ir import Graph
from workloads.kinds.network import Network
from workloads.layer import Arithmetic, Layer
from workloads.lower import lowered
from workloads.mapping.memory import unpack_activations
from workloads.mapping.network import NetworkProgram, build_network, network_image
from workloads.mapping.numbers import bind_numbers
from workloads.mapping.tensor import Tiling
from workloads.mapping.vector_numbers import bind_vector_numbers
from workloads.run_jobs import run_jobs
from workloads.vector_layer import Job, VectorArithmetic, VectorLayer

Engine = SimulatorName | Literal["cxxrtl"] | None
_BATCH = 250  # layers of one bench run, about: each leaves a copy of its DRAM


@dataclass(frozen=True, kw_only=True)
class _Plan:
    design: Design
    layers: tuple[Job, ...]
    tilings: tuple[Tiling | None, ...]
    network: NetworkProgram
    arithmetics: tuple[Arithmetic | VectorArithmetic, ...]
    simulated: tuple[LayerRun, ...]

    @cached_property
    def stored(self) -> frozenset[int]:
        """The layers that write their tensor last."""
        return frozenset({layer.output: i for i, layer in enumerate(self.layers) if not _makes_weights(layer)}.values())


def verify_network(
    design: Design,
    workload: Network,
    n_images: int,
    *,
    simulator: Engine = None,
    progress: Callable[[int, int], None] | None = None,
) -> NetworkResult:
    """Run `workload` on the RTL for `n_images` inputs and compare every layer with interpreter and simulator.

    Inputs are the first test images of the digits where the network reads those, random stored values elsewhere. Each
    layer's program reads what the ones before left in DRAM; nothing is put right in between. Compared are every tensor
    that stays in DRAM, and the cycles and the activity of every layer. `simulator` is "cxxrtl" for many images, else
    one under cocotb. Raises InputError where the network does not fit the machine.
    """
    plan = _plan(design, workload)
    verilog = tensor_verilog(design)
    inputs, true_labels = _inputs(workload, n_images)
    labels: list[int] = []
    expected_labels: list[int] = []
    rtl_cycles = n_overflows = 0
    differences: list[Difference] = []
    n_layers, n_at_once = len(plan.layers), max(1, _BATCH // len(plan.layers))
    for start in range(0, len(inputs), n_at_once):
        batch = inputs[start : start + n_at_once]
        with tempfile.TemporaryDirectory(prefix="lockstep-network-") as folder:
            runs = _run(plan, batch, simulator=simulator, verilog=verilog, work_dir=Path(folder))
        for index, images in enumerate(batch):
            of_input = runs[index * n_layers : (index + 1) * n_layers]
            rtl_cycles += sum(run.cycles for run in of_input)
            expected, overflows = run_jobs(plan.layers, plan.arithmetics, images)
            last = plan.layers[-1].output
            labels.append(int(_read(plan, n_layers - 1, expected[last].shape, of_input[-1]).argmax()))
            expected_labels.append(int(expected[last].argmax()))
            n_overflows += overflows
            differences += _compare(plan, expected, overflows, of_input, f"image {start + index}")
        if progress:
            progress(len(batch), len(inputs))
    return NetworkResult(
        workload=workload.name,
        n_samples=len(labels),
        n_cases=len(labels) * n_layers,
        labels=tuple(labels),
        expected_labels=tuple(expected_labels),
        true_labels=true_labels,
        n_overflows=n_overflows,
        simulated_cycles=sum(layer.cycles for layer in plan.simulated) * len(inputs),
        rtl_cycles=rtl_cycles,
        differences=tuple(differences),
    )


def _plan(design: Design, workload: Network) -> _Plan:
    for layer in workload.layers:
        if layer.numbers is None:
            raise InputError(f"{workload.name}: wanted a traced network, got shapes only (layer {layer.name})")
        if isinstance(layer, VectorLayer):
            bind_vector_numbers(design, layer)
        else:
            bind_numbers(design, layer)
    (run,) = simulate([design], workload)
    if run.failure is not None:
        raise InputError(run.failure)
    tilings = tuple(layer.tiling for layer in run.layers)
    return _Plan(
        design=design,
        layers=workload.layers,
        tilings=tilings,
        network=build_network(design, workload.layers, tilings),
        arithmetics=arithmetics(design, run),
        simulated=tuple(run.layers),
    )


def _run(
    plan: _Plan, batch: Sequence[Mapping[str, np.ndarray]], *, simulator: Engine, verilog: str, work_dir: Path
) -> Sequence[ProgramRun]:
    programs = list(plan.network.programs) * len(batch)
    memories: list[np.ndarray | None] = []
    for images in batch:
        memories.append(network_image(plan.design, plan.layers, plan.tilings, plan.network, images))
        memories += [None] * (len(plan.layers) - 1)
    return run_programs(plan.design, programs, memories, simulator=simulator, verilog=verilog, work_dir=work_dir)


def _inputs(workload: Network, n_images: int) -> tuple[list[dict[str, np.ndarray]], tuple[int, ...] | None]:
    """The stored tensors (images, channels, lines, pixels) of each input, and their labels where they have any."""
    rng = np.random.default_rng(0)
    if workload.graph is None:
        first = workload.layers[0]
        assert isinstance(first, Layer) and first.numbers is not None
        shape, bounds = (first.n_images, first.in_channels, first.in_h, first.in_w), first.numbers
        return [
            {first.inputs[0]: rng.integers(bounds.in_low, bounds.in_high + 1, shape)} for _ in range(n_images)
        ], None
    labelled, of_graph = labelled_images(workload.graph), lowered(workload.graph)
    if labelled is None:
        return [of_graph.images(_random_feeds(workload.graph, workload.layers, rng)) for _ in range(n_images)], None
    (name,) = workload.graph.inputs
    found, labels = labelled
    inputs = [of_graph.images({name: image[None]}) for image in found[:n_images]]
    return inputs, tuple(int(label) for label in labels[:n_images])


def _random_feeds(graph: Graph, layers: Sequence[Job], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Any stored value of each input; of ids, those of rows that there are."""
    rows = {layer.inputs[0]: layer.n_table_rows for layer in layers if isinstance(layer, VectorLayer)}
    feeds = {}
    for name in graph.inputs:
        tensor = graph.by_name[name]
        high = rows.get(name) or tensor.high + 1
        feeds[name] = rng.integers(0 if rows.get(name) else tensor.low, high, tensor.shape)
    return feeds


def _makes_weights(layer: Job) -> bool:
    return isinstance(layer, VectorLayer) and layer.kind == "to_weights"


def _read(plan: _Plan, index: int, shape: tuple[int, ...], run: ProgramRun) -> np.ndarray:
    """The tensor that layer `index` writes, whole, out of DRAM after its program."""
    layer = plan.layers[index]
    assert layer.numbers is not None
    if isinstance(layer, VectorLayer):
        low = layer.numbers.out_low
    elif layer.kind == "max_pool":
        low = layer.numbers.in_low
    else:
        low = layer.numbers.sum_low if layer.residual else layer.numbers.out_low
    n_images, channels, height, width = shape
    start = plan.network.tensors[layer.output]
    whole = (n_images, channels, height, width)
    return unpack_activations(plan.design, run.memory[start:], whole, low < 0, layer.out_bits)


def _compare(
    plan: _Plan, expected: Mapping[str, np.ndarray], n_overflows: int, runs: Sequence[ProgramRun], which: str
) -> list[Difference]:
    """Where the RTL differs: tensors when they are complete, cycles and activity of each layer, all overflows."""
    differences: list[Difference] = []
    for index, (layer, simulated, run) in enumerate(zip(plan.layers, plan.simulated, runs, strict=True)):
        where = f"{which}, {layer.name}"
        if index in plan.stored:
            wanted = expected[layer.output]
            rtl = _read(plan, index, wanted.shape, run)
            if not np.array_equal(rtl, wanted):
                at = tuple(int(v) for v in np.argwhere(rtl != wanted)[0])
                what = Difference(what="outputs", expected=int(wanted[at]), rtl=int(rtl[at]), where=f"{where} {at}")
                differences.append(what)
        names = (set(simulated.activity) | set(run.activity)) - {"overflows"}  # counted over the network
        counted = {name: (simulated.activity.get(name, 0), run.activity.get(name, MISSING)) for name in sorted(names)}
        for name, (predicted, rtl_count) in {"cycles": (simulated.cycles, run.cycles), **counted}.items():
            if predicted != rtl_count:
                differences.append(Difference(what=name, expected=predicted, rtl=rtl_count, where=where))
    of_rtl = sum(run.activity["overflows"] for run in runs)
    if of_rtl != n_overflows:
        differences.append(Difference(what="overflows", expected=n_overflows, rtl=of_rtl, where=which))
    return differences
