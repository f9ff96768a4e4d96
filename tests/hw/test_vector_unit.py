"""The vector unit in its machine: bytes against the interpreter, cycles by hand, whatever the memory does."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from designs.families.tensor import Design
from hw.bench.tensor import ProgramRun, run_programs, tensor_verilog
from hw.verilog import lint
from workloads.layer import Layer
from workloads.mapping.memory import dram_image, read_output
from workloads.mapping.numbers import arithmetic
from workloads.mapping.program import Program
from workloads.mapping.tensor import build_program, fits, smallest_tiling
from workloads.mapping.vector import build_vector_program
from workloads.mapping.vector_memory import read_vector_output, vector_image
from workloads.mapping.vector_numbers import vector_arithmetic
from workloads.mapping.vector_program import VectorProgram
from workloads.random_layers import random_layer
from workloads.random_vector_layers import KINDS, random_product, random_vector_layer
from workloads.reference import run_layer
from workloads.reference_vector_layer import run_vector_layer
from workloads.vector_layer import VectorLayer, VectorNumbers

pytestmark = pytest.mark.rtl
SMALL = {
    "act_scratchpad_bytes": 2048, "weight_scratchpad_bytes": 4096, "acc_scratchpad_bytes": 2048, "vector_words": 64,
    "vector_rows": 20, "vector_param_words": 32, "dram_latency_cycles": 7,
}  # fmt: skip
PLAIN = Design(array_rows=4, array_cols=4, vector_lanes=2, vector_stages=4, wide_bits=16, **SMALL)
DESIGNS = {
    "polynomials": PLAIN,
    "tables and ITA": Design(
        array_rows=4, array_cols=2, dataflow="input_stationary", act_bits=6, weight_bits=6, vector_lanes=4,
        vector_stages=1, vector_divider_bits=3, vector_functions="table", vector_softmax="ita",
        requant_multiplier_bits=20, dram_bytes_per_cycle=4, dram_burst_bytes=16, **SMALL,
    ),
}  # fmt: skip
Case = tuple[VectorLayer, VectorProgram, np.ndarray, np.ndarray]


@functools.cache
def emitted(design: Design) -> str:
    return tensor_verilog(design)


def cases(design: Design, seed: int) -> list[Case]:
    """A layer of each kind but to_weights: (layer, program, memory, wanted result)."""
    rng = np.random.default_rng(seed)
    found = []
    for kind in KINDS:
        if kind != "to_weights":
            layer, x, z = random_vector_layer(rng, design, kind=kind, max_values=150)
            program = build_vector_program(design, layer)
            wanted = run_vector_layer(layer, x, z, vector_arithmetic(design))
            found.append((layer, program, vector_image(design, layer, program, x, z), wanted))
    return found


def check(design: Design, layers: list[Case], runs: list[ProgramRun]) -> None:
    for (layer, program, memory, wanted), run in zip(layers, runs, strict=True):
        got = read_vector_output(design, layer, program, run.memory)
        np.testing.assert_array_equal(got, wanted, err_msg=str(layer))
        n_bytes = run.activity["dram_write_bytes"]
        outside = np.ones(len(memory), dtype=bool)
        outside[program.y_base : program.y_base + n_bytes] = False
        np.testing.assert_array_equal(run.memory[outside], memory[outside])


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_layers_give_the_interpreters_bits_whatever_the_memory(design: Design, tmp_path: Path) -> None:
    layers = cases(design, seed=1)
    programs, images = [c[1] for c in layers], [c[2] for c in layers]
    verilog, most_cycles = emitted(design), [50_000] * len(layers)
    runs = run_programs(design, programs, images, work_dir=tmp_path / "ideal", verilog=verilog, trace=True, most_cycles=most_cycles)
    check(design, layers, runs)
    for program, run in zip(programs, runs, strict=True):
        assert len(run.progress["stores"]) == len(program.steps)
        assert run.progress["stores"][-1] == run.cycles - 1
        assert run.activity["macs"] == run.activity["act_reads"] == 0
    lazy = run_programs(design, programs, images, work_dir=tmp_path / "lazy", verilog=verilog, lazy_seed=2, most_cycles=most_cycles)
    check(design, layers, lazy)
    assert [run.activity for run in lazy] == [run.activity for run in runs]


def plain_layer(kind: str) -> tuple[VectorLayer, np.ndarray]:
    """One line of 5 pixels, 3 channels, 8 bits."""
    n = VectorNumbers(x_zero=0, x_low=-128, x_high=127, x_scale=0.05, out_zero=0, out_low=0, out_high=255, out_scale=2**-8)
    layer = VectorLayer(name=kind, kind=kind, in_h=1, in_w=5, channels=3, inputs=("x",), output="y", numbers=n)  # type: ignore[arg-type]
    return layer, np.random.default_rng(3).integers(-128, 128, layer.shape)


def test_cycles_by_hand(tmp_path: Path) -> None:
    """A word is 4 bytes, a line 20: 2 beats and 2 of padding, 7 cycles to read and 7 to write.

    The step starts in cycle 1, takes its first beat in 8 and its last in 14. An item pass of 5 * 2 slices takes
    10 + 4 + 2 cycles, a row pass 5 * (5 + 2). The store reads a word, then writes 7 cycles.
    """
    jobs = [plain_layer("requantize"), plain_layer("softmax")]
    programs = [build_vector_program(PLAIN, layer) for layer, _ in jobs]
    images = [vector_image(PLAIN, layer, program, x) for (layer, x), program in zip(jobs, programs, strict=True)]
    runs = run_programs(PLAIN, programs, images, work_dir=tmp_path, verilog=emitted(PLAIN))
    assert runs[0].cycles == 15 + 16 + 1 + 7
    assert runs[1].cycles == 15 + 16 + 16 + 35 + 16 + 1 + 7
    counted = {name: value for name, value in runs[1].activity.items() if value}
    assert counted == {
        "dram_read_bytes": 64, "dram_write_bytes": 64, "dram_requests": 2, "vector_ops": 3 * 10 * 2,
        "vector_row_ops": 5, "vector_reads": 30, "vector_writes": 10, "vector_loads": 5, "vector_stores": 5,
    }  # fmt: skip


def test_array_and_vector_unit_take_turns(tmp_path: Path) -> None:
    """A layer of the array, weights out of activations, the array again: neither leaves anything to the other."""
    rng = np.random.default_rng(5)
    convolution, x, residual = random_layer(rng, max_macs=800, shape="matrix")
    tiling = smallest_tiling(PLAIN, convolution)
    assert fits(PLAIN, convolution, tiling)
    program = build_program(PLAIN, convolution, tiling)
    memory = dram_image(PLAIN, convolution, tiling, program, x, residual)
    layer, ids, _ = random_vector_layer(rng, PLAIN, kind="to_weights", max_values=100)
    product, cut = random_product(rng, PLAIN, layer)
    steps = build_vector_program(PLAIN, layer, product=product, tiling=cut)
    programs: list[Program | VectorProgram] = [program, steps, program]
    images = [memory, vector_image(PLAIN, layer, steps, ids), memory]
    first, moved, again = run_programs(PLAIN, programs, images, work_dir=tmp_path, verilog=emitted(PLAIN))
    assert isinstance(convolution, Layer)
    wanted, overflows = run_layer(convolution, x, residual, arithmetic(PLAIN, tiling.blocks))
    for run in (first, again):
        np.testing.assert_array_equal(read_output(PLAIN, convolution, program, run.memory), wanted)
        assert run.activity["overflows"] == overflows
    assert (first.cycles, first.activity) == (again.cycles, again.activity)
    assert moved.activity["vector_moves"] > 0 and first.activity["vector_moves"] == 0


def test_a_machine_without_the_unit_refuses_its_programs(tmp_path: Path) -> None:
    layer, x = plain_layer("requantize")
    program = build_vector_program(PLAIN, layer)
    with pytest.raises(ValueError, match="vector_lanes: wanted a machine with a vector unit"):
        run_programs(Design(), [program], [vector_image(PLAIN, layer, program, x)], work_dir=tmp_path)


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_lint(design: Design) -> None:
    assert lint(emitted(design)) == []
