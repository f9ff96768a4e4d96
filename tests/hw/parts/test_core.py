"""The Core on random layers: outputs and overflows as the reference, cycles and activity as docs/tensor.md."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from designs.families.tensor import Design
from tests.hw.parts.core_bench import cd, output_rows, run, tile_rows
from workloads.layer import Layer
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
        k_blocks = tile["blocks"] * config.kernel_h * config.kernel_w
        row = tile["row_offset"] + np.arange(tile["rows"])[:, None] * config.stride_h + np.arange(config.kernel_h)
        col = np.arange(config.out_w)[:, None] * config.stride_w + np.arange(config.kernel_w) - config.pad_left
        inside = np.sum((row >= 0) & (row < tile["act_rows"])) * np.sum((col >= 0) & (col < config.in_w))
        inside = int(inside) * tile["blocks"]
        if config.pooling:
            total["act_read_en"] += inside
            total["out_write_en"] += tile["blocks"] * n_pixels
            continue
        total["act_read_en"] += inside * (1 if flow == "input_stationary" else n_folds)
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


def check(design: Design, seed: int, shape: str, *, eager: bool) -> None:
    design.check()
    layer, tiling, x, residual = case(design, np.random.default_rng(seed), shape)
    program = build_program(design, layer, tiling)
    result = run(design, program, dram_image(design, layer, tiling, program, x, residual), eager=eager)
    wanted, n_overflows = run_layer(layer, x, residual, arithmetic(design, tiling.blocks))
    np.testing.assert_array_equal(
        read_output(design, layer, program, result.memory), wanted, err_msg=f"{layer} {tiling}"
    )
    assert result.events == result.wanted
    n_counted = result.counted.pop("overflow")
    assert result.counted == wanted_activity(design, program, layer)
    assert n_counted == n_overflows


@pytest.mark.rtl
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_random_layers(dataflow: str, machine: str, shape: str) -> None:
    design = Design(dataflow=dataflow, **{**SMALL, **MACHINES[machine]})
    if design.weight_bits == 1 and shape in ("depthwise", "average_pool"):
        pytest.skip("one-bit weights have no zero, so a grouped layer does not map")
    seed = 100 * list(MACHINES).index(machine) + SHAPES.index(shape)
    check(design, seed, shape, eager=True)
    check(design, seed + 50, shape, eager=False)
