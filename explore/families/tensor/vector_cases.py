"""Verification of vector units: random vector layers on the generated RTL."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from designs.space import Point
from explore.verify import CaseResult, Difference
from hw.bench.tensor import ProgramRun
from sim.families import tensor as simulator_of_tensor
from workloads.layer import Layer
from workloads.mapping.memory import put_constants
from workloads.mapping.tensor import Regions, Tiling, build_program, line_bytes
from workloads.mapping.vector import build_vector_program
from workloads.mapping.vector_memory import read_vector_output, vector_image
from workloads.mapping.vector_numbers import vector_arithmetic
from workloads.mapping.vector_program import VectorField, VectorProgram
from workloads.random_vector_layers import KINDS, random_product, random_vector_layer
from workloads.reference_vector_layer import run_vector_layer
from workloads.vector_layer import VectorLayer

N_VECTOR_LAYERS = 4
MOST_VALUES = 500  # of a layer: what an RTL simulator does in a second or two


@dataclass(frozen=True, kw_only=True)
class VectorCase:
    """A vector layer with its data; of to_weights, the product that reads its weights, and how that is cut."""

    layer: VectorLayer
    x: np.ndarray
    z: np.ndarray | None
    product: Layer | None = None
    tiling: Tiling | None = None


def draw_vector_cases(design: Design, rng: np.random.Generator) -> list[VectorCase]:
    """Random layers of different kinds; none where the machine has no vector unit."""
    if not design.vector_lanes:
        return []
    kinds = [KINDS[int(i)] for i in rng.permutation(len(KINDS))]
    if makes_no_weights(design):
        kinds.remove("to_weights")
    cases = []
    for kind in kinds[:N_VECTOR_LAYERS]:
        layer, x, z = random_vector_layer(rng, design, kind=kind, max_values=MOST_VALUES)
        product, tiling = random_product(rng, design, layer) if kind == "to_weights" else (None, None)
        cases.append(VectorCase(layer=layer, x=x, z=z, product=product, tiling=tiling))
    return cases


def makes_no_weights(design: Design) -> bool:
    """Whether activations cannot become weights here: binary ones, or an array that would need to be square."""
    return design.weight_bits == 1 or (
        design.dataflow != "input_stationary" and design.array_rows != design.array_cols
    )


def vector_program(design: Design, case: VectorCase) -> VectorProgram:
    """The program of a case, alone in its DRAM."""
    return build_vector_program(design, case.layer, product=case.product, tiling=case.tiling)


def vector_case_image(design: Design, case: VectorCase, program: VectorProgram) -> np.ndarray:
    """DRAM before the program."""
    return vector_image(design, case.layer, program, case.x, case.z)


def compare_vector(design: Design, case: VectorCase, run: ProgramRun, *, index: int, point: Point) -> CaseResult:
    """Outputs, cycles and activity of one case: RTL against interpreter and simulator."""
    layer = case.layer
    layers: list[Layer | VectorLayer] = [layer]
    tilings: list[Tiling | None] = [None]
    if case.product is not None:
        layers, tilings = [layer, case.product], [None, case.tiling]
    whole = simulator_of_tensor.simulate_layers([design], layers, tilings=tilings)[0]
    if whole.failure:
        raise InputError(f"simulator refused a case that was drawn to fit: {whole.failure}")
    simulated = whole.layers[0]
    program = vector_program(design, case)
    expected = run_vector_layer(layer, case.x, case.z, vector_arithmetic(design))
    differences = [*_outputs(design, case, program, run, expected)]
    outputs_equal = not differences
    if run.cycles != simulated.cycles:
        differences.append(_cycles(design, case, program, run, simulated.cycles))
    counted = [
        Difference(what=name, expected=simulated.activity.get(name, 0), rtl=run.activity.get(name, 0), where="layer")
        for name in sorted(set(simulated.activity) | set(run.activity))
        if simulated.activity.get(name, 0) != run.activity.get(name, 0)
    ]
    return CaseResult(
        point=index,
        design=point,
        layer=describe_vector(case, program),
        n_tiles=len(program.steps),
        n_outputs=expected.size,
        simulated_cycles=simulated.cycles,
        rtl_cycles=run.cycles,
        outputs_equal=outputs_equal,
        activity_equal=not counted,
        overflows=0,
        differences=(*differences, *counted),
    )


def describe_vector(case: VectorCase, program: VectorProgram) -> str:
    """One line: the layer, its widths, its steps."""
    layer = case.layer
    shape = f"{layer.n_images}x{layer.channels}x{layer.in_h}x{layer.in_w}"
    bits = f"{layer.in_bits}" + f"+{layer.z_bits}" * (layer.kind == "add") + f" -> {layer.out_bits} bits"
    extra = " causal" * layer.causal + f" {layer.role}" * bool(layer.role)
    return f"{layer.kind}{extra} {shape} {bits} [{len(program.steps)} steps]"


def _outputs(
    design: Design, case: VectorCase, program: VectorProgram, run: ProgramRun, expected: np.ndarray
) -> list[Difference]:
    """What differs in the result; of to_weights, in the lines of weights."""
    if case.layer.kind == "to_weights":
        return _weights(design, case, program, run, expected)
    rtl = read_vector_output(design, case.layer, program, run.memory)
    if np.array_equal(rtl, expected):
        return []
    at = tuple(int(i) for i in np.argwhere(rtl != expected)[0])
    where = f"(image, channel, row, column) {at}; {int((rtl != expected).sum())} outputs differ"
    return [Difference(what="outputs", expected=int(expected[at]), rtl=int(rtl[at]), where=where)]


def _weights(
    design: Design, case: VectorCase, program: VectorProgram, run: ProgramRun, expected: np.ndarray
) -> list[Difference]:
    """Lines of weights against what the packer of constant weights packs."""
    assert case.product is not None and case.product.numbers is not None and case.tiling is not None
    constant = replace(case.product, numbers=replace(case.product.numbers, weights=expected), weights_from="")
    regions = Regions(act=0, residual=0, out=0, constants=program.y_base)
    packed = np.zeros(program.end, dtype=np.uint8)
    put_constants(packed, design, constant, case.tiling, build_program(design, constant, case.tiling, regions))
    for number, step in enumerate(program.steps):
        start, n_words = int(step[VectorField.Y_ADDR]), int(step[VectorField.Y_WORDS])
        line = slice(start, start + line_bytes(n_words, design.weight_word_bits, design.dram_burst_bytes))
        wrong = np.flatnonzero(run.memory[line] != packed[line])
        if len(wrong):
            at = start + int(wrong[0])
            where = f"step {number}, byte {int(wrong[0])} of the weights; {len(wrong)} bytes differ"
            return [Difference(what="outputs", expected=int(packed[at]), rtl=int(run.memory[at]), where=where)]
    return []


def _cycles(
    design: Design, case: VectorCase, program: VectorProgram, run: ProgramRun, simulated_cycles: int
) -> Difference:
    """The first step that ends in another cycle than simulated."""
    where = "after the last step"
    if case.layer.kind != "to_weights":  # the simulator's timeline needs no product then
        timeline = simulator_of_tensor.timeline(design, case.layer)
        predicted = [event["end_cycle"] - 1 for event in timeline if event["name"].startswith("store")]
        for number, (rtl, simulated) in enumerate(zip(run.progress.get("stores", []), predicted, strict=False)):
            if rtl != simulated:
                where = f"step {number} ends in cycle {rtl}, simulated {simulated}"
                break
    return Difference(what="cycles", expected=simulated_cycles, rtl=run.cycles, where=where)
