"""Rows of networks that run in stages: what a decode takes by token, and what other networks lack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from designs.objectives import STAGE_METRICS, parse_constraint, parse_objective
from designs.space import load_space
from explore.evaluate import Row, evaluate
from explore.pareto import known, pareto_front
from explore.sweep import front_of
from workloads.builders import transformers
from workloads.builders.transformers import Model
from workloads.kinds.network import Network, network_of
from workloads.stages import merge_steps, stages_of

SMALL = Model(width=32, n_heads=2, inner=64, n_layers=2, tables=(100, 64), norm_first=True, logits=True)
POINT = {"wide_bits": 16, "vector_lanes": 4, "clock_mhz": 250}


def network(n_new: int = 4, batch: int = 3) -> Network:
    jobs = transformers.generate(SMALL, 8, n_new, batch=batch)
    return replace(network_of(merge_steps(jobs), "small"), stages=stages_of(jobs, batch))


@pytest.fixture(scope="module")
def row() -> Row:
    return evaluate("tensor", [POINT], network())[0]


def test_stages_add_up_to_the_run(row: Row) -> None:
    prefill, decode = row["stages"]
    assert (prefill["name"], prefill["n_steps"], decode["name"], decode["n_steps"]) == ("prefill", 1, "decode", 3)
    assert row["cycles"] == prefill["cycles"] + decode["cycles"]
    assert row["roofline_cycles"] == prefill["roofline_cycles"] + decode["roofline_cycles"]
    assert row["phases"] == {name: n + decode["phases"][name] for name, n in prefill["phases"].items()}
    for stage in row["stages"]:
        assert sum(stage["phases"].values()) == stage["cycles"] >= stage["roofline_cycles"] > 0
        assert stage["latency_ns"] == stage["cycles"] * 4
        assert stage["energy_pj"] == pytest.approx(sum(stage["energy_breakdown_pj"].values()))
    moved = row["activity"]["dram_read_bytes"] + row["activity"]["dram_write_bytes"]
    assert moved == prefill["dram_bytes"] + decode["dram_bytes"]
    for part, energy in row["energy_breakdown_pj"].items():
        assert energy == pytest.approx(sum(stage["energy_breakdown_pj"][part] for stage in row["stages"]))


def test_a_token_of_a_batch(row: Row) -> None:
    """3 steps of 3 sequences: a sequence waits for a step, its energy is a third of that."""
    prefill, decode = row["stages"]
    assert row["prefill_ns"] == prefill["latency_ns"] and row["prefill_pj"] == prefill["energy_pj"]
    assert row["decode_ns_per_token"] == decode["latency_ns"] / 3
    assert row["decode_pj_per_token"] == decode["energy_pj"] / 9
    assert row["tokens_per_s"] == pytest.approx(3e9 / row["decode_ns_per_token"])
    assert "encode_ns" not in row


def test_columns_are_there_for_stages_that_are(row: Row) -> None:
    jobs = transformers.encode(SMALL, 8)
    encoder = replace(network_of(jobs, "encoder"), stages=stages_of(jobs))
    (encoded,) = evaluate("tensor", [POINT], encoder)
    assert encoded["encode_ns"] == encoded["latency_ns"] and encoded["encode_pj"] == encoded["energy_pj"]
    assert {name for name in STAGE_METRICS if name in encoded} == {"encode_ns", "encode_pj"}
    (plain,) = evaluate("tensor", [POINT], network_of(jobs[:3], "no stages"))
    assert plain["stages"] == [] and not any(name in plain for name in STAGE_METRICS)
    (failed,) = evaluate("tensor", [POINT | {"array_rows": 32, "array_cols": 16}], network())
    assert failed["failure"] and failed["stages"] is None and "decode_ns_per_token" not in failed


def test_they_are_objectives_and_constraints(row: Row) -> None:
    assert parse_objective("decode_ns_per_token") == "decode_ns_per_token"
    assert parse_objective("tokens_per_s", maximize=True) == "tokens_per_s"
    keeps = parse_constraint(f"prefill_ns <= {row['prefill_ns']:g}1")
    assert parse_constraint("tokens_per_s >= 1").holds(row) and not keeps.holds({"latency_ns": 1.0})
    slower = row | {"decode_ns_per_token": 2 * row["decode_ns_per_token"], "tokens_per_s": row["tokens_per_s"] / 2}
    assert known(("encode_ns", "decode_ns_per_token"), [row, slower]) == ("decode_ns_per_token",)
    assert pareto_front([slower, row], ("tokens_per_s", "area_um2")) == [row]


def test_failed_rows_are_on_no_front(row: Row) -> None:
    """Nobody knows the objective of a stage that the workload lacks; area alone is known of failed rows too."""
    space = load_space("designs/edge_llm.yaml")
    failed = {"failure": "too small", "area_um2": row["area_um2"] / 2, "latency_ns": None}
    encoded = {"failure": None, "area_um2": row["area_um2"]}
    assert front_of(space, [failed, encoded]) == [encoded]
    assert front_of(space, [failed]) == []
    assert space.objectives == ("latency_ns", "decode_ns_per_token", "prefill_ns", "area_um2")
