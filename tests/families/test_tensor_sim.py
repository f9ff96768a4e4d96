"""The tensor simulator against cases computed by hand, the cycle-by-cycle twin, and exhaustive search."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.tensor import Design
from designs.technology import load_technology
from sim import cost
from sim.families import tensor
from sim.kernels.tensor import columns as c
from sim.kernels.tensor import search
from tests.families.tensor_twin import difference, random_case, run_twin
from workloads.layer import Layer
from workloads.mapping.n_of_m import passes
from workloads.mapping.numbers import arithmetic
from workloads.mapping.program import OutputField, TileField
from workloads.mapping.tensor import Tiling, build_program, fits
from workloads.random_layers import random_layer
from workloads.reference import run_layer

SEEDS = st.integers(0, 2**32 - 1)
TINY = Design(
    array_rows=2,
    array_cols=2,
    act_scratchpad_bytes=256,
    weight_scratchpad_bytes=256,
    acc_scratchpad_bytes=256,
    dram_bytes_per_cycle=4,
    dram_burst_bytes=4,
    dram_latency_cycles=3,
)
ONE_PIXEL = Layer(name="pixel", kind="conv", in_h=1, in_w=1, in_channels=2, out_h=1, out_w=1, out_channels=2)
POOL = Layer(
    name="pool",
    kind="max_pool",
    in_h=2,
    in_w=2,
    in_channels=2,
    out_h=1,
    out_w=1,
    out_channels=2,
    kernel_h=2,
    kernel_w=2,
    stride_h=2,
    stride_w=2,
)
ONE_TILE = Tiling(rows=1, blocks=1, channels=2)


def phases(start: int, fill: int, compute: int, stall_load: int, stall_output: int, drain: int) -> dict[str, int]:
    return dict(zip(c.PHASES, (start, fill, compute, stall_load, stall_output, drain), strict=True))


# Requests from cycle 2, data from 2 + 3 = 5: 1 cycle of activations, 2 of weights, 4 of parameters (14 bytes), so that the
# two issue cycles are 12 and 13. Then delta + 1, S issue cycles of the output path, 6 + 1, the first read, one word.
@pytest.mark.parametrize(
    ("dataflow", "cycles"),
    [
        ("weight_stationary", 13 + (6 + 1) + (1 - 1) + (6 + 1) + 1 + 1),
        ("output_stationary", 13 + (8 + 1) + (1 - 1) + (6 + 1) + 1 + 1),
        ("input_stationary", 13 + (7 + 1) + (4 - 1) + (6 + 1) + 1 + 1),
    ],
)
def test_one_pixel_by_hand(dataflow: str, cycles: int) -> None:
    design = replace(TINY, dataflow=dataflow)
    (run,) = tensor.simulate_layers([design], [ONE_PIXEL], [ONE_TILE])
    assert run.cycles == cycles
    assert run.phases == phases(2, 10, 2, 0, 0, cycles - 14)
    assert run.activity["dram_read_bytes"] == 4 + 4 + 16
    assert run.activity["dram_write_bytes"] == 4
    assert run.activity["dram_requests"] == 4


# As above, with outputs of 8 bytes, two beats: one more to write, and two to read where there is a residual.
@pytest.mark.parametrize(("residual", "cycles"), [(False, 13 + 7 + 7 + 1 + 2), (True, 15 + 7 + 7 + 1 + 2)])
def test_wide_outputs_by_hand(residual: bool, cycles: int) -> None:
    design, layer = replace(TINY, wide_bits=32), replace(ONE_PIXEL, out_bits=9, residual=residual)
    (run,) = tensor.simulate_layers([design], [layer], [ONE_TILE])
    assert run.cycles == cycles
    assert run.activity["dram_write_bytes"] == 8
    assert run.activity["dram_read_bytes"] == 4 + 4 + 16 + 8 * residual
    (narrow,) = tensor.simulate_layers([design], [replace(layer, out_bits=8)], [ONE_TILE])
    assert narrow.activity["dram_write_bytes"] == 4


# Words of 4 channels. Data from 5: 1 cycle of activations, 4 words of weights (3 bytes each) a pass, 7 cycles of
# parameters; a pass is two folds of two cycles. Output: two slices.
@pytest.mark.parametrize(("pattern", "n_passes", "last_issue"), [((1, 2), 1, 20), ((1, 4), 1, 20), ((1, 1), 2, 28)])
def test_n_of_m_by_hand(pattern: tuple[int, int], n_passes: int, last_issue: int) -> None:
    design = replace(TINY, n_of_m="1:2")
    layer = replace(ONE_PIXEL, in_channels=4, out_channels=4, weight_n_of_m=pattern)
    (run,) = tensor.simulate_layers([design], [layer], [Tiling(rows=1, blocks=1, channels=4)])
    assert run.cycles == last_issue + (6 + 1) + (2 - 1) + (6 + 1) + 1 + 1
    assert run.phases["compute"] == 4 * n_passes
    counted = {key: run.activity[key] for key in ("macs", "act_reads", "weight_reads", "acc_writes", "out_writes")}
    assert counted == {
        "macs": 4 * 2 * n_passes, "act_reads": 2 * n_passes, "weight_reads": 4 * n_passes, "acc_writes": 2 * n_passes,
        "out_writes": 1,
    }  # fmt: skip
    assert run.activity["dram_read_bytes"] == 4 + 12 * n_passes + 28
    assert run.roofline_cycles == max(-(-16 * n_passes // 2 // 4), -(-(32 + 32 + 8 * n_passes * 9 + 4 * 54) // 8 // 4))
    assert run.layers[0].utilization == 8 * n_passes / 4 / run.cycles


def test_designs_of_several_patterns_in_one_batch() -> None:
    designs = [replace(TINY, n_of_m=n_of_m) for n_of_m in ("1:2", "1:1", "1:4", "1:2")]
    layer = replace(ONE_PIXEL, in_channels=16, out_channels=16)
    together = tensor.simulate_layers(designs, [layer])
    assert together == [tensor.simulate_layers([design], [layer])[0] for design in designs]


def test_activity_by_hand() -> None:
    (run,) = tensor.simulate_layers([TINY], [ONE_PIXEL], [ONE_TILE])
    on_chip = {key: count for key, count in run.activity.items() if not key.startswith("dram")}
    assert on_chip == {
        "macs": 4,
        "act_reads": 1,
        "act_writes": 1,
        "weight_reads": 2,
        "weight_writes": 2,
        "acc_reads": 1,  # of the output path
        "acc_writes": 1,
        "out_reads": 1,
        "out_writes": 1,
        "param_reads": 1,
        "param_writes": 1,
        "post_ops": 2,
    }


def test_pooling_by_hand() -> None:
    # Two lines of two words, 2 cycles each: 5 to 8. Four taps: 9 to 12. Written at 14, done at 15, stored at 16 and 17.
    (run,) = tensor.simulate_layers([TINY], [POOL], [ONE_TILE])
    assert run.cycles == 18
    assert run.phases == phases(2, 7, 4, 0, 0, 5)
    assert run.activity["macs"] == 0
    assert run.activity["act_reads"] == 4


def test_stall_by_hand() -> None:
    # Two k tiles. The second is requested in 5, after the three lines of the first; its data follow in 12 to 14 (one word
    # of activations, two of weights). The first is computed in 12 and 13, so the array waits for 14.
    layer = replace(ONE_PIXEL, in_channels=4)
    (run,) = tensor.simulate_layers([TINY], [layer], [ONE_TILE])
    assert run.phases["compute"] == 4
    assert run.phases["stall_load"] == 1
    assert run.cycles == 29 + 2 + 1


@settings(max_examples=200)
@given(SEEDS)
def test_recurrences_equal_the_twin(seed: int) -> None:
    assert difference(seed) is None


def test_twin_disagrees_where_a_wait_is_dropped() -> None:
    """The comparison can fail: a program without its waits takes another number of cycles on the twin."""
    design = replace(TINY, double_buffered=False, dram_latency_cycles=30)
    layer = replace(ONE_PIXEL, in_h=6, out_h=6, in_channels=4, out_channels=4)
    program = build_program(design, layer, ONE_TILE)
    before = run_twin(design, program).cycles
    program.tiles[:, TileField.WAIT_RELEASED] = 0
    program.tiles[:, TileField.COMPUTE_WAIT_OUTPUTS] = 0
    program.outputs[:, OutputField.WAIT_STORES] = 0
    assert run_twin(design, program).cycles < before


def long_case(seed: int) -> tuple[Design, Layer, Tiling]:
    """Hundreds of tiles, so that states repeat and are leapt over; too long for the twin."""
    rng = np.random.default_rng(seed)
    while True:
        design, layer, tiling = random_case(int(rng.integers(2**32)))
        height = int(rng.integers(1, 40))
        layer = replace(
            layer,
            in_h=(height - 1) * layer.stride_h + layer.kernel_h,
            out_h=height,
            pad_top=0,
            in_channels=layer.in_channels * int(rng.integers(1, 12)),
            n_images=int(rng.integers(1, 3)),
        )
        many = int(rng.integers(1, 12))
        if layer.kind == "max_pool" or layer.groups > 1:
            groups = layer.groups * many if layer.groups > 1 else 1
            channels = layer.out_channels * many
            layer = replace(layer, in_channels=channels, out_channels=channels, groups=groups)
        else:
            layer = replace(layer, out_channels=layer.out_channels * many)
        if fits(design, layer, tiling) and len(build_program(design, layer, tiling).tiles) < 20_000:
            return design, layer, tiling


@settings(max_examples=60)
@given(SEEDS)
def test_leaps_are_exact(seed: int) -> None:
    design, layer, tiling = long_case(seed)
    expected = tensor.run_program(design, build_program(design, layer, tiling), layer)
    (run,) = tensor.simulate_layers([design], [layer], [tiling])
    assert (run.cycles, run.phases, run.activity) == (expected.cycles, expected.phases, expected.activity)


def candidates_of(design: Design, layer: Layer) -> np.ndarray:
    candidates, bounds, work = search.make_scratch()
    design_row = np.array(tensor.design_numbers(design), dtype=np.int64)
    layer_row = np.array(tensor.layer_numbers(layer, None, passes(design, layer)), dtype=np.int64)
    return candidates[: search.list_candidates(design_row, layer_row, candidates, bounds, work)]


def tiling_of(candidate: np.ndarray) -> Tiling:
    rows, blocks, channels, order = candidate[search.K_TILING : search.K_TILING + 4].tolist()
    return Tiling(rows=rows, blocks=blocks, channels=channels, order="channels_outer" if order else "rows_outer")


@settings(max_examples=40)
@given(SEEDS)
def test_search_finds_the_best_and_bounds_hold(seed: int) -> None:
    design, layer, _ = random_case(seed)
    results = []
    for candidate in candidates_of(design, layer)[:80]:
        tiling = tiling_of(candidate)
        assert fits(design, layer, tiling)
        run = tensor.run_program(design, build_program(design, layer, tiling), layer)
        assert candidate[c.SUM_BOUND] <= run.cycles
        assert candidate[c.SUM_ISSUE] == run.phases["compute"]
        n_bytes = run.activity["dram_read_bytes"] + run.activity["dram_write_bytes"]
        results.append((run.cycles, n_bytes, candidate[search.K_PLACE], tiling))
    (best,) = tensor.simulate_layers([design], [layer])
    if len(candidates_of(design, layer)) <= 80:
        assert (best.cycles, best.layers[0].tiling) == (min(results)[0], min(results)[3])
    else:
        assert best.cycles <= min(results)[0]


@settings(max_examples=100)
@given(SEEDS)
def test_kernel_and_mapping_agree_on_what_fits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    design, layer, tiling = random_case(seed)
    small = replace(
        design,
        act_scratchpad_bytes=max(64, design.act_scratchpad_bytes // int(rng.integers(1, 5))),
        weight_scratchpad_bytes=max(64, design.weight_scratchpad_bytes // int(rng.integers(1, 5))),
        acc_scratchpad_bytes=max(64, design.acc_scratchpad_bytes // int(rng.integers(1, 5))),
    )
    (run,) = tensor.simulate_layers([small], [layer], [tiling])
    assert (run.failure is None) == fits(small, layer, tiling)


def test_roofline_by_hand() -> None:
    # 4 MACs on 4 PEs; 2 activations, 4 weights, 2 outputs of a byte, 2 channels of 54 bits: 22 bytes over 4 a cycle.
    assert tensor.roofline_cycles(TINY, ONE_PIXEL) == 6


def test_failure_names_layer_memory_and_words() -> None:
    wide = replace(ONE_PIXEL, name="wide", in_w=4000, out_w=4000)
    run, good = tensor.simulate_layers(
        [TINY, replace(TINY, act_scratchpad_bytes=1 << 20, acc_scratchpad_bytes=1 << 20)], [wide]
    )
    assert run.failure is not None and "\n" not in run.failure
    assert run.failure.startswith("wide: act_scratchpad_bytes: wanted room for 4000 words of a tile, got a buffer of 64")
    assert run.layers == ()
    assert good.failure is None


def test_pinned_tiling_that_does_not_fit_is_a_failure() -> None:
    (run,) = tensor.simulate_layers([TINY], [ONE_PIXEL], [Tiling(rows=1, blocks=1, channels=3)])
    assert run.failure == "pixel: tiling channels: wanted a multiple of 2, got 3"


def test_number_of_tilings_is_checked() -> None:
    with pytest.raises(InputError, match="wanted one for each of 1 layers, got 2"):
        tensor.simulate_layers([TINY], [ONE_PIXEL], [None, None])


def test_repeat_multiplies() -> None:
    once, thrice = replace(ONE_PIXEL, repeat=1), replace(ONE_PIXEL, repeat=3)
    (one,) = tensor.simulate_layers([TINY], [once])
    (both,) = tensor.simulate_layers([TINY], [thrice, POOL])
    (pool,) = tensor.simulate_layers([TINY], [POOL])
    assert both.cycles == 3 * one.cycles + pool.cycles
    assert both.activity["macs"] == 3 * one.activity["macs"]
    assert both.phases["drain"] == 3 * one.phases["drain"] + pool.phases["drain"]


def test_batch_equals_single_runs() -> None:
    designs = [replace(TINY, dram_latency_cycles=latency) for latency in (1, 7, 30)]
    assert tensor.simulate_layers(designs, [ONE_PIXEL, POOL]) == [
        tensor.simulate_layers([design], [ONE_PIXEL, POOL])[0] for design in designs
    ]
    assert tensor.simulate_layers([], [ONE_PIXEL]) == []


def test_with_numbers_counts_overflows() -> None:
    rng = np.random.default_rng(1)
    design = replace(
        TINY, acc_bits=8, acc_scratchpad_bytes=4096, act_scratchpad_bytes=4096, weight_scratchpad_bytes=4096
    )
    layer, x, _ = random_layer(rng, shape="conv", residual=False)
    tiling = tensor.simulate_layers([design], [layer])[0].layers[0].tiling
    y, run = tensor.run_with_numbers(design, layer, tiling, x)
    expected, n_overflows = run_layer(layer, x, None, arithmetic(design, tiling.blocks))
    assert np.array_equal(y, expected)
    assert run.activity["overflows"] == n_overflows > 0


def test_timeline_ends_with_the_run() -> None:
    layer = replace(ONE_PIXEL, in_h=4, out_h=4, in_channels=4)
    (run,) = tensor.simulate_layers([TINY], [layer], [ONE_TILE])
    events = tensor.timeline(TINY, layer, ONE_TILE)
    assert max(event["end_cycle"] for event in events) == run.cycles
    busy = sum(event["end_cycle"] - event["start_cycle"] for event in events if event["track"] == "compute")
    assert busy == run.phases["compute"]
    for track in {event["track"] for event in events}:
        spans = sorted((e["start_cycle"], e["end_cycle"]) for e in events if e["track"] == track)
        assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:], strict=False))


@pytest.mark.parametrize("size", [1, 2, 7, 56, 112, 4095, 1 << 20])
def test_balanced_cuts(size: int) -> None:
    values = np.zeros(search.MOST_CUTS, dtype=np.int64)
    cuts = values[: search.balanced_cuts(size, size, values)].tolist()
    assert cuts[0] == size and cuts[-1] == 1
    assert cuts == sorted(set(cuts), reverse=True)
    assert all(-(-size // -(-size // cut)) == cut for cut in cuts)
    assert set(cuts) >= {-(-size // parts) for parts in range(1, 9)}


@settings(max_examples=30)
@given(SEEDS)
def test_every_slice_has_an_area_and_every_counter_a_price(seed: int) -> None:
    """Stricter than what all families keep: no slice is empty, and counters have a price even where they stay 0."""
    design, layer, tiling = random_case(seed)
    inventory, technology = tensor.inventory(design), load_technology(45)
    area = cost.area_um2(inventory, technology)
    assert all(value > 0 for value in area.values()), area
    (run,) = tensor.simulate_layers([design], [layer], [tiling])
    assert cost.unpriced_activity(inventory, run.activity) == []
    assert all(value >= 0 for value in cost.energy_pj(inventory, run.activity, 1.0, technology).values())
