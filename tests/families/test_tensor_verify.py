"""The tensor family in lockstep: simulator, interpreter and RTL; and that a difference would be seen and named."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designs.errors import InputError
from designs.families.tensor import Design
from designs.space import load_space
from explore.families.tensor.cases import compare, draw_cases, run_cases
from explore.verify import verify_network
from workloads.load import load_workload
from workloads.mapping.tensor import build_program

pytestmark = pytest.mark.rtl
SMALL = Design(
    array_rows=4, array_cols=2, act_scratchpad_bytes=4096, weight_scratchpad_bytes=4096, acc_scratchpad_bytes=4096,
    scratchpad_banks=2, dram_bytes_per_cycle=4, dram_latency_cycles=9, dram_burst_bytes=16,
)  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"n_of_m": "2:4", "acc_bits": 15},
        {"n_of_m": "1:2", "array_rows": 2, "array_cols": 6, "wide_bits": 13},
        {"dataflow": "input_stationary", "wide_bits": 12, "act_bits": 5},
    ],
    ids=["kept", "kept_and_wide", "wide"],
)
def test_kept_weights_and_wide_edges_are_as_simulated(changed: dict[str, Any], tmp_path: Path) -> None:
    design = replace(SMALL, **changed)
    cases = draw_cases(design, np.random.default_rng(8))
    runs = run_cases(design, cases, work_dir=tmp_path)
    assert [compare(design, *pair, index=0, point={}).differences for pair in zip(cases, runs, strict=True)] == [
        () for _ in cases
    ]


def test_the_digits_network_runs_whole_on_the_rtl() -> None:
    space = load_space("tensor").pin({"array_cols": 8, "requant_granularity": "per_tensor"})
    found = verify_network(space, load_workload("digits_cnn"), 2)
    assert found.differences == ()
    assert found.labels == found.expected_labels
    assert found.rtl_cycles == found.simulated_cycles > 0


def test_a_network_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="conv1: act_bits: .* wanted at least 8, got 4"):
        verify_network(load_space("tensor").pin({"act_bits": 4}), load_workload("digits_cnn"), 1)


def test_differences_are_seen_and_placed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """One bit of the output memory, one cycle, one count: each is reported with where it is."""
    cases = draw_cases(SMALL, np.random.default_rng(5))[:1]
    (run,) = run_cases(SMALL, cases, work_dir=tmp_path)
    assert compare(SMALL, cases[0], run, index=0, point={}).differences == ()

    flipped = run.memory.copy()
    flipped[build_program(SMALL, cases[0].layer, cases[0].tiling).out_base] ^= 1
    late = {name: [cycle + 1 for cycle in cycles] for name, cycles in run.progress.items()}
    counted = {**run.activity, "macs": run.activity["macs"] + 1}
    wrong = replace(run, memory=flipped, cycles=run.cycles + 1, progress=late, activity=counted)
    found = {d.what: d for d in compare(SMALL, cases[0], wrong, index=0, point={}).differences}
    assert set(found) == {"outputs", "cycles", "macs"}
    assert "tile" in found["outputs"].where
    assert found["cycles"].where.startswith("load 0 ends in cycle")
