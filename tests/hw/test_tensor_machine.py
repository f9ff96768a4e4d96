"""The whole machine on its bench: outputs and overflows against the reference, whatever the memory does."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest

from designs.families.tensor import Design
from hw.bench.simulator import BenchError
from hw.bench.tensor import ProgramRun, pack_config, pack_rows, run_programs, tensor_verilog
from hw.families.tensor import ACTIVITY
from hw.parts.tensor_types import output_layout, tile_layout
from hw.verilog import lint
from workloads.layer import Layer
from workloads.mapping.memory import dram_image, read_output
from workloads.mapping.numbers import arithmetic
from workloads.mapping.program import OutputField, Program, TileField
from workloads.mapping.tensor import Tiling, build_program, fits, smallest_tiling
from workloads.random_layers import SHAPES, random_layer
from workloads.reference import run_layer

SMALL = {"act_scratchpad_bytes": 2048, "weight_scratchpad_bytes": 4096, "acc_scratchpad_bytes": 2048}
DESIGNS = {
    "weight_stationary": Design(array_rows=4, array_cols=4, dataflow="weight_stationary", **SMALL),
    "input_stationary": Design(
        array_rows=4, array_cols=8, dataflow="input_stationary", double_buffered=False, scratchpad_banks=1,
        acc_bits=14, acc_overflow="saturate", dram_latency_cycles=3, **SMALL,
    ),
    "output_stationary": Design(
        array_rows=6, array_cols=3, dataflow="output_stationary", acc_bits=13, dram_bytes_per_cycle=4,
        dram_burst_bytes=32, **SMALL,
    ),
    "wide_edges": Design(
        array_rows=3, array_cols=6, dataflow="output_stationary", act_bits=7, wide_bits=12, dram_bytes_per_cycle=2,
        dram_burst_bytes=16, dram_latency_cycles=5, **SMALL,
    ),
    "kept_weights": Design(
        array_rows=4, array_cols=2, n_of_m="2:3", weight_bits=6, wide_bits=16, acc_bits=14, dram_bytes_per_cycle=4,
        dram_burst_bytes=16, **SMALL,
    ),
}  # fmt: skip
Job = tuple[Layer, Tiling, Program, np.ndarray, np.ndarray, int]


@functools.cache
def emitted(design: Design) -> str:
    return tensor_verilog(design)


def jobs(design: Design, n_jobs: int, seed: int) -> list[Job]:
    """Random layers of every shape: (layer, tiling, program, memory, wanted output, wanted overflows)."""
    rng = np.random.default_rng(seed)
    found: list[Job] = []
    while len(found) < n_jobs:
        shape = SHAPES[len(found) % len(SHAPES)]
        layer, x, residual = random_layer(
            rng, max_macs=1500, shape=shape, act_bits=design.act_bits, weight_bits=design.weight_bits,
            wide_bits=design.wide_bits, group_lanes=design.group_lanes,
        )  # fmt: skip
        tiling = smallest_tiling(design, layer)
        larger = Tiling(rows=2, blocks=2, channels=2 * design.channel_unit, order="channels_outer")
        if rng.random() < 0.7 and fits(design, layer, larger):
            tiling = larger
        if not fits(design, layer, tiling):
            continue
        program = build_program(design, layer, tiling)
        memory = dram_image(design, layer, tiling, program, x, residual)
        wanted, overflows = run_layer(layer, x, residual, arithmetic(design, tiling.blocks))
        found.append((layer, tiling, program, memory, wanted, overflows))
    return found


def check(design: Design, cases: list[Job], runs: list[ProgramRun]) -> None:
    for (layer, tiling, program, memory, wanted, overflows), run in zip(cases, runs, strict=True):
        got = read_output(design, layer, program, run.memory)
        np.testing.assert_array_equal(got, wanted, err_msg=f"{layer} {tiling}")
        assert run.activity["overflows"] == overflows
        outside = np.ones(len(memory), dtype=bool)
        n_images, blocks = layer.n_images, -(-layer.out_channels // design.act_lanes)
        n_out = n_images * blocks * program.config.out_block_bytes
        outside[program.out_base : program.out_base + n_out] = False
        np.testing.assert_array_equal(run.memory[outside], memory[outside])
        assert run.activity["dram_write_bytes"] == n_out


@pytest.mark.rtl
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_layers_one_after_the_other_give_the_reference_whatever_the_memory(design: Design, tmp_path: Path) -> None:
    cases = jobs(design, 5, seed=1)
    verilog = emitted(design)
    again = [*cases, cases[0]]  # a program leaves nothing behind that the next could feel
    runs = run_programs(
        design, [c[2] for c in again], [c[3] for c in again], work_dir=tmp_path / "ideal", verilog=verilog, trace=True,
        most_cycles=[200_000] * len(again),
    )  # fmt: skip
    check(design, again, runs)
    assert runs[0].cycles == runs[-1].cycles and runs[0].activity == runs[-1].activity
    for case, run in zip(again, runs, strict=True):
        assert tuple(run.activity) == ACTIVITY
        assert {name: len(cycles) for name, cycles in run.progress.items()} == {
            **dict.fromkeys(("loaded", "released", "completed"), len(case[2].tiles)),
            **dict.fromkeys(("outputs", "stores"), len(case[2].outputs)),
        }
        assert run.progress["stores"][-1] == run.cycles - 1
    lazy = run_programs(
        design, [c[2] for c in cases], [c[3] for c in cases], work_dir=tmp_path / "lazy", verilog=verilog, lazy_seed=3,
        most_cycles=[400_000] * len(cases),
    )  # fmt: skip
    check(design, cases, lazy)
    assert [run.activity for run in lazy] == [run.activity for run in runs[:-1]]


@pytest.mark.rtl
def test_compiled_model_gives_what_cocotb_gives(tmp_path: Path) -> None:
    design = DESIGNS["input_stationary"]
    cases = jobs(design, 3, seed=4)
    programs, images = [c[2] for c in cases], [c[3] for c in cases]
    verilog = emitted(design)
    compiled = run_programs(
        design, programs, images, work_dir=tmp_path, verilog=verilog, simulator="cxxrtl", trace=True
    )
    check(design, cases, compiled)
    driven = run_programs(
        design, programs, images, work_dir=tmp_path, verilog=verilog, trace=True, most_cycles=[200_000] * len(cases)
    )
    for ours, theirs in zip(compiled, driven, strict=True):
        assert (ours.cycles, ours.activity, ours.progress) == (theirs.cycles, theirs.activity, theirs.progress)
        np.testing.assert_array_equal(ours.memory, theirs.memory)
    lazy = run_programs(
        design, programs, images, work_dir=tmp_path, verilog=verilog, simulator="cxxrtl", lazy_seed=1
    )
    check(design, cases, lazy)


@pytest.mark.rtl
def test_memory_stays_between_programs_where_no_image_is_given(tmp_path: Path) -> None:
    design = DESIGNS["weight_stationary"]
    case = jobs(design, 1, seed=2)[0]
    runs = run_programs(
        design, [case[2]] * 2, [case[3], None], work_dir=tmp_path, verilog=emitted(design),
        most_cycles=[100_000] * 2,
    )  # fmt: skip
    check(design, [case, case], runs)


@pytest.mark.rtl
def test_a_program_that_takes_too_long_is_an_error(tmp_path: Path) -> None:
    design = DESIGNS["weight_stationary"]
    case = jobs(design, 1, seed=2)[0]
    with pytest.raises(BenchError, match="not done after 50 cycles"):
        run_programs(design, [case[2]], [case[3]], work_dir=tmp_path, verilog=emitted(design), most_cycles=[50])


@pytest.mark.rtl
@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_verilog_is_deterministic_and_clean(design: Design) -> None:
    verilog = emitted(design)
    assert verilog == tensor_verilog(design)
    assert lint(verilog, top="tensor_machine") == []


def test_packed_rows_are_the_layouts_of_the_circuit() -> None:
    rng = np.random.default_rng(0)
    for layout, columns in ((tile_layout(), TileField), (output_layout(), OutputField)):
        rows = rng.integers(0, 2, (5, len(columns)))
        if columns is TileField:
            rows[:, TileField.ROW_OFFSET] = [-3, 0, 7, -2048, 2047]
        packed = pack_rows(layout, columns, rows)
        for row, raw in zip(rows, packed, strict=True):
            wanted = layout.const({name: int(row[columns[name.upper()]]) for name, _ in layout}).as_value().value
            assert int.from_bytes(raw.tobytes(), "little") == wanted


def test_values_that_do_not_fit_a_field_are_refused() -> None:
    rows = np.zeros((1, len(TileField)), dtype=np.int64)
    rows[0, TileField.ROWS] = 4096
    with pytest.raises(ValueError, match="rows: wanted 0 to 4095, got 4096 to 4096"):
        pack_rows(tile_layout(), TileField, rows)


def test_registers_of_a_layer_are_packed_by_name() -> None:
    design = DESIGNS["weight_stationary"]
    program = jobs(design, 1, seed=2)[0][2]
    packed = int.from_bytes(pack_config(design, program)[0].tobytes(), "little")
    assert packed & 1 == program.config.pooling
    assert packed >> 1 & 0xFF == program.config.kernel_h
