"""Sparse machines: RTL == definition == simulator, and machines that differ from what was asked for are reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from designs.families.sparse import Design
from explore.families.sparse import verify_network, verify_point
from explore.families.sparse.cases import differences, draw_layers, expected_of, free
from hw.bench.sparse import run_layers, sparse_verilog
from workloads.kinds.matrices import load
from workloads.mapping.sparse import slices_of
from workloads.sparse.layer import SparseLayer

WINDOW = Design(
    n_macs=4, n_sets=2, window=4, accumulators=8, lane_entries=64, act_words=24, acc_bits=14, dram_latency_cycles=7
)
QUEUE = replace(WINDOW, feed="queue", queue_depth=2, relative_bits=1)


@pytest.mark.rtl
@pytest.mark.parametrize(
    "design",
    [
        replace(WINDOW, n_macs=6, n_sets=3, output_order="folded", acc_overflow="saturate", dram_bytes_per_cycle=4),
        replace(QUEUE, sort_rows=False, n_sets=4, dram_bytes_per_cycle=2, value_bits=5, act_bits=11),
    ],
    ids=["window", "queue"],
)
def test_random_matrices_are_equal(design: Design) -> None:
    design.check()
    results = verify_point(design, point={}, index=3, seed=5, simulator=None, waves_dir=None)
    assert len(results) == 14
    assert [result.differences for result in results] == [()] * 14
    assert all(result.rtl_cycles == result.simulated_cycles > 0 for result in results)
    assert sum(result.overflows for result in results) > 0
    assert max(result.n_tiles or 0 for result in results) > 1


def test_drawn_layers_are_of_every_kind_and_fit() -> None:
    layers = draw_layers(QUEUE, np.random.default_rng(0))
    kinds = [layer.name.split()[0] for layer in layers]
    assert kinds[:5] == ["iid", "rowvar", "skewed", "empty", "full"] and len(layers) == 7
    assert all(slices_of(QUEUE, layer) for layer in layers)
    assert max(layers[5].height, layers[5].width) <= 3 and len(slices_of(QUEUE, layers[6])) > 1


@pytest.fixture(scope="module")
def layer() -> SparseLayer:
    return draw_layers(WINDOW, np.random.default_rng(1))[1]  # rowvar, with overflows


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("asked", "built", "told"),
    [
        (WINDOW, {"window": 2}, {"cycles", "window_stalls", "multiply phase"}),
        (WINDOW, {"acc_overflow": "saturate"}, {"outputs"}),
        (QUEUE, {"queue_depth": 1}, {"cycles", "queue_stalls"}),
    ],
    ids=["window", "overflow", "depth"],
)
def test_another_machine_is_seen(
    asked: Design, built: dict[str, object], told: set[str], layer: SparseLayer, tmp_path: Path
) -> None:
    case = free(layer)
    verilog = sparse_verilog(replace(asked, **built))  # type: ignore[arg-type]
    (run,) = run_layers(asked, [case.stimulus], work_dir=tmp_path, verilog=verilog)
    assert told <= {one.what for one in differences(expected_of(asked, case), run)}


@pytest.mark.rtl
def test_a_workload_on_one_machine() -> None:
    told: list[tuple[int, int]] = []
    workload = load("sparse:20x18:0.6:rowvar")
    assert workload is not None
    found = verify_network(WINDOW, workload, 2, progress=lambda n_new, n_all: told.append((n_new, n_all)))
    assert found.differences == () and found.rtl_cycles == found.simulated_cycles > 100
    assert (found.n_samples, found.n_cases, found.labels) == (2, 4, None)
    assert told == [(2, 2)]


def test_what_cannot_run_is_refused() -> None:
    wide = load("sparse:4x30:0.5")
    assert wide is not None
    with pytest.raises(InputError, match="images: wanted at least 1, got 0"):
        verify_network(WINDOW, wide, 0)
    with pytest.raises(InputError, match="sparse:4x30:0.5: act_words: wanted 30 or more"):
        verify_network(WINDOW, wide, 1)
