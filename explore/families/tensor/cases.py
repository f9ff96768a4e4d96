"""Verification of tensor machines: random layers and layers of traced networks on the generated RTL."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from designs.space import Point
from explore.families.tensor.vector_cases import (
    VectorCase,
    compare_vector,
    draw_vector_cases,
    vector_case_image,
    vector_program,
)
from explore.verify import MISSING, CaseResult, Difference
from hw.bench.simulator import SimulatorName
from hw.bench.tensor import ProgramRun, run_programs, tensor_verilog
from sim.families import tensor as simulator_of_tensor
from workloads.kinds.network import Network
from workloads.layer import Layer
from workloads.load import load_workload
from workloads.mapping.memory import dram_image, read_output
from workloads.mapping.numbers import arithmetic, bind_numbers
from workloads.mapping.program import Program
from workloads.mapping.tensor import Tiling, build_program, fits, geometry, steps
from workloads.mapping.vector_program import VectorProgram
from workloads.random_layers import random_layer
from workloads.reference import run_layer

N_RANDOM_LAYERS = 3
NETWORKS = ("digits_cnn", "digits_cnn_w4")
MOST_PE_CYCLES = 1_500_000  # a case's size: what an RTL simulator does in a few seconds
_DRAWS = 200


@dataclass(frozen=True, kw_only=True)
class Case:
    """A layer with its data, and how it is cut."""

    layer: Layer
    tiling: Tiling
    x: np.ndarray
    residual: np.ndarray | None


def verify_point(
    design: Design, *, point: Point, index: int, seed: int, simulator: SimulatorName | None, waves_dir: Path | None
) -> list[CaseResult]:
    """Run the cases of one point on the RTL, in one simulation, and compare each with simulator and interpreter."""
    rng = np.random.default_rng([seed, index])
    cases: list[Case | VectorCase] = [*draw_cases(design, rng), *draw_vector_cases(design, rng)]
    verilog = tensor_verilog(design)
    with tempfile.TemporaryDirectory(prefix="lockstep-verify-") as folder:
        runs = run_cases(design, cases, work_dir=Path(folder), simulator=simulator, verilog=verilog)
    results = [
        compare_vector(design, case, run, index=index, point=point)
        if isinstance(case, VectorCase)
        else compare(design, case, run, index=index, point=point)
        for case, run in zip(cases, runs, strict=True)
    ]
    if waves_dir is None or not any(result.differences for result in results):
        return results
    waves = waves_dir / f"point{index}"
    run_cases(design, cases, work_dir=waves, simulator=simulator, verilog=verilog, waves=True)
    return [replace(result, waves=str(waves)) for result in results]


def run_cases(
    design: Design,
    cases: Sequence[Case | VectorCase],
    *,
    work_dir: Path,
    simulator: SimulatorName | None = None,
    verilog: str | None = None,
    waves: bool = False,
) -> list[ProgramRun]:
    """Run the cases one after the other on one machine, each from a DRAM of its own."""
    programs, images = zip(*(_job(design, case) for case in cases), strict=True)
    return run_programs(
        design, programs, images, work_dir=work_dir, simulator=simulator, verilog=verilog, trace=True, waves=waves
    )


def _job(design: Design, case: Case | VectorCase) -> tuple[Program | VectorProgram, np.ndarray]:
    """The program of a case, and its DRAM."""
    if isinstance(case, VectorCase):
        steps_of_vector = vector_program(design, case)
        return steps_of_vector, vector_case_image(design, case, steps_of_vector)
    program = build_program(design, case.layer, case.tiling)
    return program, dram_image(design, case.layer, case.tiling, program, case.x, case.residual)


def draw_cases(design: Design, rng: np.random.Generator) -> list[Case]:
    """Random layers, none of them a multiple of anything, and one layer of a traced network where its numbers fit."""
    cases = [_random_case(design, rng) for _ in range(N_RANDOM_LAYERS)]
    network_case = _network_case(design, rng)
    return cases + ([network_case] if network_case else [])


def compare(design: Design, case: Case, run: ProgramRun, *, index: int, point: Point) -> CaseResult:
    """Outputs, cycles and activity of one case: RTL against interpreter and simulator."""
    expected, n_overflows = run_layer(case.layer, case.x, case.residual, arithmetic(design, case.tiling.blocks))
    simulated = simulator_of_tensor.simulate_layers([design], [case.layer], tilings=[case.tiling])[0]
    if simulated.failure:
        raise InputError(f"simulator refused a case that was drawn to fit: {simulated.failure}")
    program = build_program(design, case.layer, case.tiling)
    rtl_output = read_output(design, case.layer, program, run.memory)
    differences = []
    if not np.array_equal(rtl_output, expected):
        differences.append(_output_difference(design, case, rtl_output, expected))
    if run.cycles != simulated.cycles:
        differences.append(_cycle_difference(design, case, run, simulated.cycles))
    activity = {**simulated.activity, "overflows": n_overflows}
    for name in sorted(set(activity) | set(run.activity)):
        wanted, counted = activity.get(name, 0), run.activity.get(name, MISSING)
        if wanted != counted:
            differences.append(Difference(what=name, expected=wanted, rtl=counted, where="layer"))
    return CaseResult(
        point=index,
        design=point,
        layer=describe(case),
        n_tiles=len(program.tiles),
        n_outputs=expected.size,
        simulated_cycles=simulated.cycles,
        rtl_cycles=run.cycles,
        outputs_equal=np.array_equal(rtl_output, expected),
        activity_equal=not any(d.what not in ("outputs", "cycles") for d in differences),
        overflows=n_overflows,
        differences=tuple(differences),
    )


def describe(case: Case) -> str:
    """One line: the layer and its tiling."""
    layer, tiling = case.layer, case.tiling
    shape = f"{layer.n_images}x{layer.in_channels}x{layer.in_h}x{layer.in_w}"
    kernel = f"{layer.kernel_h}x{layer.kernel_w}/{layer.stride_h}x{layer.stride_w}"
    extra = f" groups {layer.groups}" * (layer.groups > 1) + " + residual" * layer.residual
    extra += f" to {layer.out_bits} bits" * (layer.out_bits != layer.in_bits)
    cut = f"{tiling.rows}r {tiling.blocks}b {tiling.channels}c {tiling.order.split('_')[0]}"
    return f"{layer.name} {shape} -> {layer.out_channels} {kernel}{extra} [{cut}]"


def _output_difference(design: Design, case: Case, rtl: np.ndarray, expected: np.ndarray) -> Difference:
    """The first output that differs, in the order in which the machine makes them."""
    wrong = rtl != expected
    for tile, step in enumerate(steps(design, case.layer, case.tiling)):
        rows, channels = slice(step.row, step.row + step.rows), slice(step.channel, step.channel + step.n_valid)
        if step.last and wrong[step.image, channels, rows].any():
            channel, row, column = (int(v) for v in np.argwhere(wrong[step.image, channels, rows])[0])
            at = (step.image, step.channel + channel, step.row + row, column)
            return Difference(
                what="outputs",
                expected=int(expected[at]),
                rtl=int(rtl[at]),
                where=f"tile {tile}, (image, channel, row, column) {at}; {int(wrong.sum())} outputs differ",
            )
    raise AssertionError("every output belongs to a tile")


def _cycle_difference(design: Design, case: Case, run: ProgramRun, simulated_cycles: int) -> Difference:
    """The first load or store that ends in another cycle than simulated, and its tile or output."""
    first: tuple[int, str] | None = None
    for counter, name in (("loaded", "load"), ("stores", "store")):
        timeline = simulator_of_tensor.timeline(design, case.layer, case.tiling)
        predicted = [event["end_cycle"] - 1 for event in timeline if event["name"].startswith(f"{name} ")]
        for number, (rtl, simulated) in enumerate(zip(run.progress[counter], predicted, strict=False)):
            if rtl != simulated and (first is None or min(rtl, simulated) < first[0]):
                first = (min(rtl, simulated), f"{name} {number} ends in cycle {rtl}, simulated {simulated}")
    where = first[1] if first else "after the last store"
    return Difference(what="cycles", expected=simulated_cycles, rtl=run.cycles, where=where)


def _random_case(design: Design, rng: np.random.Generator) -> Case:
    for _ in range(_DRAWS):
        layer, x, residual = random_layer(
            rng,
            act_bits=design.act_bits,
            weight_bits=design.weight_bits,
            per_channel=design.requant_granularity == "per_channel",
            power_of_two=design.requant == "shift",
            wide_bits=design.wide_bits,
            group_lanes=design.group_lanes,
        )
        tiling = random_tiling(design, layer, rng)
        if tiling and _small_enough(design, layer, tiling):
            return Case(layer=layer, tiling=tiling, x=x, residual=residual)
    raise InputError(f"verify: wanted a random layer that fits the scratchpads, none of {_DRAWS} did; enlarge them")


def random_tiling(design: Design, layer: Layer, rng: np.random.Generator) -> Tiling | None:
    """A tiling that fits, drawn so that most layers have several tiles; None where the draws do not fit."""
    try:
        bind_numbers(design, layer)
    except InputError:
        return None
    shape = geometry(design, layer)
    for _ in range(20):
        tiling = Tiling(
            rows=int(rng.integers(1, layer.out_h + 1)),
            blocks=int(rng.integers(1, shape.group_blocks + 1)),
            channels=design.channel_unit * int(rng.integers(1, 4)),
            order=str(rng.choice(["rows_outer", "channels_outer"])),  # type: ignore[arg-type]
        )
        if fits(design, layer, tiling):
            return tiling
    return None


def _small_enough(design: Design, layer: Layer, tiling: Tiling) -> bool:
    run = simulator_of_tensor.simulate_layers([design], [layer], tilings=[tiling])[0]
    return run.failure is None and run.cycles * design.array_rows * design.array_cols <= MOST_PE_CYCLES


@cache
def _network_layers(name: str) -> tuple[Layer, ...]:
    network = load_workload(name)
    assert isinstance(network, Network)
    return tuple(layer for layer in network.layers if isinstance(layer, Layer))


def _network_case(design: Design, rng: np.random.Generator) -> Case | None:
    """A layer of a traced network with random stored inputs, where the machine holds its numbers."""
    candidates = [layer for name in NETWORKS for layer in _network_layers(name)]
    for position in rng.permutation(len(candidates)):
        layer = candidates[position]
        tiling = random_tiling(design, layer, rng)
        if tiling is None or not _small_enough(design, layer, tiling) or layer.numbers is None:
            continue
        numbers = layer.numbers
        size = (layer.n_images, layer.in_channels, layer.in_h, layer.in_w)
        x = rng.integers(numbers.in_low, numbers.in_high + 1, size)
        residual = None
        if layer.residual:
            size = (layer.n_images, layer.out_channels, layer.out_h, layer.out_w)
            residual = rng.integers(numbers.residual_low, numbers.residual_high + 1, size)
        return Case(layer=layer, tiling=tiling, x=x, residual=residual)
    return None
