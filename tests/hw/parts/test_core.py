"""The Core on random layers: outputs and overflows as the reference, cycles and activity as docs/tensor.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from designs.families.tensor import Design
from tests.hw.parts.core_bench import cd, output_rows, run, tile_rows
from workloads.layer import Layer, LayerNumbers
from workloads.mapping.memory import dram_image, read_output
from workloads.mapping.numbers import arithmetic
from workloads.mapping.program import Program
from workloads.mapping.tensor import Tiling, build_program, fits, smallest_tiling
from workloads.random_layers import SHAPES, random_layer
from workloads.reference import run_layer

SMALL = {"act_scratchpad_bytes": 2048, "weight_scratchpad_bytes": 4096, "acc_scratchpad_bytes": 2048}
DATAFLOWS = ("weight_stationary", "output_stationary", "input_stationary")
MACHINES: dict[str, dict[str, Any]] = {
    "square": {"array_rows": 4, "array_cols": 4},
    "wide_saturating": {
        "array_rows": 2, "array_cols": 6, "acc_bits": 13, "acc_overflow": "saturate", "double_buffered": False,
        "scratchpad_banks": 1,
    },
    "tall_wrapping": {"array_rows": 6, "array_cols": 2, "acc_bits": 12, "requant": "shift"},
    "smallest": {
        "array_rows": 2, "array_cols": 2, "act_bits": 4, "weight_bits": 4, "requant_granularity": "per_tensor",
    },
    "binary": {"array_rows": 4, "array_cols": 8, "weight_bits": 1, "acc_bits": 10, "requant_multiplier_bits": 31},
    "wide_fields": {"array_rows": 3, "array_cols": 3, "act_bits": 16, "weight_bits": 16, "acc_bits": 48},
    "wide_edges": {"array_rows": 4, "array_cols": 2, "act_bits": 5, "wide_bits": 11},
}  # fmt: skip
N_OF_M: dict[str, dict[str, Any]] = {  # weight stationary
    "blocks_of_whole_folds": {"n_of_m": "2:4", "array_rows": 4, "array_cols": 4},
    "folds_of_whole_blocks": {"n_of_m": "1:2", "array_rows": 2, "array_cols": 8, "wide_bits": 12},
    "blocks_across_folds": {"n_of_m": "1:2", "array_rows": 2, "array_cols": 6, "acc_bits": 12, "double_buffered": False,
                            "scratchpad_banks": 1},
    "odd_groups": {"n_of_m": "2:3", "array_rows": 6, "array_cols": 3, "weight_bits": 5, "acc_overflow": "saturate",
                   "acc_bits": 13},
}  # fmt: skip


def case(design: Design, rng: np.random.Generator, shape: str) -> tuple[Layer, Tiling, np.ndarray, np.ndarray | None]:
    """A random layer that fits, tiled as small as can be or a little larger."""
    while True:
        layer, x, residual = random_layer(
            rng,
            max_macs=1500,
            shape=shape,
            act_bits=design.act_bits,
            weight_bits=design.weight_bits,
            per_channel=design.requant_granularity == "per_channel",
            power_of_two=design.requant == "shift",
            wide_bits=design.wide_bits,
            group_lanes=design.group_lanes,
        )
        tiling = smallest_tiling(design, layer)
        larger = Tiling(
            rows=int(rng.integers(1, 4)),
            blocks=int(rng.integers(1, 4)),
            channels=int(rng.integers(1, 4)) * design.channel_unit,
            order=str(rng.choice(["rows_outer", "channels_outer"])),
        )
        if rng.random() < 0.8 and fits(design, layer, larger):
            tiling = larger
        if fits(design, layer, tiling):
            return layer, tiling, x, residual


def wanted_activity(design: Design, program: Program, layer: Layer) -> dict[str, int]:
    """Section 8, the counters that the Core advances; taps inside the image are counted one by one."""
    rows, cols, g, config = design.array_rows, design.array_cols, design.post_lanes, program.config
    flow = design.dataflow
    names = ("step", "acc_read", "acc_write", "act_read_en", "weight_read_en", "param_read_en", "out_write_en")
    total = dict.fromkeys(names, 0)
    for tile in tile_rows(program):
        n_pixels = tile["rows"] * config.out_w
        n_folds, p_folds = cd(tile["n_valid"], cols), cd(n_pixels, cols)
        k_blocks = tile["blocks"] * config.kernel_h * config.kernel_w * config.passes
        row = tile["row_offset"] + np.arange(tile["rows"])[:, None] * config.stride_h + np.arange(config.kernel_h)
        col = np.arange(config.out_w)[:, None] * config.stride_w + np.arange(config.kernel_w) - config.pad_left
        inside = np.sum((row >= 0) & (row < tile["act_rows"])) * np.sum((col >= 0) & (col < config.in_w))
        inside = int(inside) * tile["blocks"]
        if config.pooling:
            total["act_read_en"] += inside
            total["out_write_en"] += tile["blocks"] * n_pixels
            continue
        total["act_read_en"] += config.passes * inside * (1 if flow == "input_stationary" else n_folds)
        if flow == "weight_stationary":
            vectors, n_weights, n_writes = k_blocks * n_folds * n_pixels, k_blocks * n_folds * rows, 0
            n_writes, n_first = vectors, n_folds * n_pixels
        elif flow == "input_stationary":
            vectors = n_weights = n_writes = k_blocks * p_folds * tile["n_valid"]
            n_first = p_folds * tile["n_valid"]
        else:
            vectors = n_weights = cd(n_pixels, rows) * n_folds * k_blocks * rows
            n_writes = n_first = n_folds * n_pixels
        total["step"] += vectors
        total["weight_read_en"] += n_weights
        total["acc_write"] += n_writes
        total["acc_read"] += n_writes - (n_first if tile["first"] else 0)
    for output in output_rows(program) if not config.pooling else ():
        n_pixels = output["rows"] * config.out_w
        if flow == "input_stationary":
            n_slices = cd(n_pixels, cols) * output["n_valid"] * cols // g
        else:
            n_slices = n_pixels * cd(output["n_valid"], g)
        total["param_read_en"] += n_slices
        total["acc_read"] += n_slices
        total["out_write_en"] += output["blocks"] * n_pixels
    total["post"] = total["param_read_en"]
    total["residual_read_en"] = total["out_write_en"] if layer.residual else 0
    return total


def check(design: Design, seed: int, shapes: Sequence[str], *, eager: bool) -> None:
    """Random layers of `shapes`, one after the other on one core."""
    design.check()
    rng = np.random.default_rng(seed)
    cases = [case(design, rng, shape) for shape in shapes]
    programs = [build_program(design, layer, tiling) for layer, tiling, _, _ in cases]
    images = [
        dram_image(design, layer, tiling, program, x, residual)
        for (layer, tiling, x, residual), program in zip(cases, programs, strict=True)
    ]
    results = run(design, list(zip(programs, images, strict=True)), eager=eager)
    for (layer, tiling, x, residual), program, result in zip(cases, programs, results, strict=True):
        wanted, n_overflows = run_layer(layer, x, residual, arithmetic(design, tiling.blocks))
        found = read_output(design, layer, program, result.memory)
        np.testing.assert_array_equal(found, wanted, err_msg=f"{layer} {tiling}")
        assert result.events == result.wanted
        n_counted = result.counted.pop("overflow")
        assert result.counted == wanted_activity(design, program, layer)
        assert n_counted == n_overflows


@pytest.mark.rtl
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_random_layers(dataflow: str, machine: str) -> None:
    design = Design(dataflow=dataflow, **{**SMALL, **MACHINES[machine]})
    grouped = ("depthwise", "average_pool")  # one-bit weights have no zero, which these need
    shapes = [shape for shape in (*SHAPES, "conv") if design.weight_bits > 1 or shape not in grouped]
    number = list(MACHINES).index(machine)
    check(design, number, shapes, eager=number % 2 == DATAFLOWS.index(dataflow) % 2)


@pytest.mark.rtl
@pytest.mark.parametrize("machine", N_OF_M)
def test_random_layers_of_kept_weights(machine: str) -> None:
    check(Design(**{**SMALL, **N_OF_M[machine]}), list(N_OF_M).index(machine), (*SHAPES, "conv", "matrix"), eager=True)


@pytest.mark.rtl
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_tiles_follow_each_other_without_a_bubble(dataflow: str) -> None:
    """A tile whose data are there starts right after the one before: their last cycles are F * Q apart."""
    design = Design(dataflow=dataflow, **{**SMALL, **MACHINES["square"]})
    numbers = LayerNumbers(
        weights=np.arange(2 * 12).reshape(2, 12, 1, 1) - 9, bias=np.array([5, -7]), scale=np.array([0.25], np.float32),
        in_zero=3, in_low=0, in_high=255, out_zero=0, out_low=-128, out_high=127,
    )  # fmt: skip
    layer = Layer(
        name="narrow", kind="conv", in_h=2, in_w=1, in_channels=12, out_h=2, out_w=1, out_channels=2, numbers=numbers
    )
    tiling = Tiling(rows=2, blocks=1, channels=4)  # P = 2 < R, T = KB = 1, n_valid = 2 < C, lines of one pixel
    program = build_program(design, layer, tiling)
    x = np.arange(24).reshape(1, 12, 2, 1)
    (result,) = run(design, [(program, dram_image(design, layer, tiling, program, x))])
    first, second, _ = result.events["tile_take"]  # the third waits for a buffer of the first
    assert second - first == 4  # F = 1, Q = max(P, R) = max(n_valid, C) = R = 4
    assert result.events == result.wanted
    wanted, _ = run_layer(layer, x, None, arithmetic(design, 1))
    np.testing.assert_array_equal(read_output(design, layer, program, result.memory), wanted)
