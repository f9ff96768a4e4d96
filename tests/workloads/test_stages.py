"""Stages of a network, equal jobs of steps as one, and what is left in caches."""

import dataclasses

import pytest

from designs.families.tensor import Design
from sim.families.tensor import simulate_layers
from workloads.builders import transformers
from workloads.builders.shapes import network_macs
from workloads.builders.transformers import Model
from workloads.load import load_workload
from workloads.stages import Stage, merge_steps, stages_of, without_step
from workloads.vector_layer import VectorLayer

SMALL = Model(width=32, n_heads=2, inner=64, n_layers=2, tables=(100, 64), norm_first=True, logits=True)
PAIR = dataclasses.replace(SMALL, n_decoder_layers=2, tables=(100,), sinusoids=True, norm_first=False)
DESIGN = Design(wide_bits=16, vector_lanes=4, dram_bytes_per_cycle=8)


def test_stages_are_read_off_names() -> None:
    jobs = transformers.generate(SMALL, 8, 4, batch=3)
    assert stages_of(jobs, 3) == (
        Stage(name="prefill", n_sequences=3), Stage(name="decode", n_steps=3, n_sequences=3),
    )  # fmt: skip
    assert stages_of(jobs, 3)[1].n_tokens == 9
    assert stages_of(transformers.bert_base_layer()) == ()
    assert without_step("decode.12.self_keys") == "decode.self_keys" and without_step("segment.a8.query") == "segment.a8.query"


@pytest.mark.parametrize(
    "jobs", [transformers.generate(SMALL, 8, 4), transformers.translate(PAIR, 5, 4), transformers.encode(SMALL, 16)]
)
def test_merged_steps_are_the_same_work(jobs: tuple) -> None:
    merged = merge_steps(jobs)
    assert network_macs(merged) == network_macs(jobs) and sum(j.repeat for j in merged) == sum(j.repeat for j in jobs)
    before, after = (simulate_layers([DESIGN], some)[0] for some in (jobs, merged))
    assert before.failure is None
    assert (before.cycles, before.phases, before.activity) == (after.cycles, after.phases, after.activity)
    assert stages_of(merged)[0] == stages_of(jobs)[0]


def test_only_equal_jobs_are_merged_and_references_follow() -> None:
    merged = {job.name: job for job in merge_steps(transformers.translate(PAIR, 5, 4))}
    assert merged["decode.query_key_value"].repeat == 4 * 3 * PAIR.n_layers
    assert {f"decode.{step}.self_scores" for step in (1, 2, 3, 4)} <= set(merged)
    assert merged["encode.cross_keys"].product == "decode.cross_scores" in merged
    keys = [job for job in merged.values() if isinstance(job, VectorLayer) and job.kind == "to_weights"]
    assert all(job.product in merged and merged[job.product].weights_from in merged for job in keys)


def test_networks_know_their_stages() -> None:
    network = load_workload("gpt2_small:decode=16:batch=4")
    assert network.stages == (Stage(name="decode", n_steps=1, n_sequences=4),)
    assert load_workload("resnet18").stages == () == load_workload("digits_transformer").stages


@pytest.mark.parametrize(
    ("name", "n_values"),
    [
        ("gpt2_small:generate=128+32", 2 * 12 * 159 * 768),
        ("gpt2_small:decode=128:batch=4", 4 * 2 * 12 * 128 * 768),
        ("transformer_base:translate=5x7:beam=4", 2 * 6 * (4 * 7 + 5) * 512),
        ("minilm", 0),
        ("gpt2_small:prefill=128", 0),
        ("resnet50", 0),
        ("bert_base_layer", 0),
    ],
)
def test_cached_bytes(name: str, n_values: int) -> None:
    assert transformers.cached_bytes(name, 8) == n_values
    assert transformers.cached_bytes(name, 16) == 2 * n_values


@pytest.mark.parametrize(
    ("name", "imbalance"),
    [
        ("transformer_xl_moe:segment=512+512", 1.0),
        ("planer:a8+m+s:segment=192+192:skew=0", 1.0),
        ("planer:m:segment=16+0:skew=9999", 4.0),  # all tokens choose the same two of 8
        ("planer:a8+f", None),
        ("gpt2_small", None),
        ("resnet50", None),
    ],
)
def test_expert_imbalance(name: str, imbalance: float | None) -> None:
    assert transformers.expert_imbalance(name) == imbalance
