"""Vector units in lockstep: simulator, interpreter and RTL; and that a difference would be seen and named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designs.families.tensor import Design
from explore.families.tensor.cases import run_cases
from explore.families.tensor.network import verify_network
from explore.families.tensor.vector_cases import VectorCase, compare_vector, draw_vector_cases, vector_program
from workloads.load import load_workload
from workloads.mapping.vector_program import VectorField
from workloads.random_vector_layers import random_product, random_vector_layer

pytestmark = pytest.mark.rtl
SMALL = Design(
    array_rows=4, array_cols=4, dataflow="input_stationary", wide_bits=16, vector_lanes=4, vector_stages=2,
    vector_words=256, vector_rows=32, vector_param_words=64, act_scratchpad_bytes=8192,
    weight_scratchpad_bytes=8192, acc_scratchpad_bytes=8192, scratchpad_banks=2, dram_latency_cycles=7,
)  # fmt: skip


def test_random_layers_agree_and_differences_are_placed(tmp_path: Path) -> None:
    """One bit of the result, one cycle, one count: each is reported with where it is."""
    rng = np.random.default_rng(4)
    cases = draw_vector_cases(SMALL, rng)
    layer, x, z = random_vector_layer(rng, SMALL, kind="to_weights", max_values=200)
    product, tiling = random_product(rng, SMALL, layer)
    cases.append(VectorCase(layer=layer, x=x, z=z, product=product, tiling=tiling))
    runs = run_cases(SMALL, cases, work_dir=tmp_path)
    for case, run in zip(cases, runs, strict=True):
        assert compare_vector(SMALL, case, run, index=0, point={}).differences == ()
        program = vector_program(SMALL, case)
        flipped = run.memory.copy()
        flipped[program.steps[0, VectorField.Y_ADDR]] ^= 1
        counted = {**run.activity, "vector_loads": run.activity["vector_loads"] + 1}
        late = {"stores": [cycle + 1 for cycle in run.progress["stores"]]}
        wrong = replace(run, memory=flipped, cycles=run.cycles + 1, activity=counted, progress=late)
        found = {d.what: d for d in compare_vector(SMALL, case, wrong, index=0, point={}).differences}
        assert set(found) == {"outputs", "cycles", "vector_loads"}
        assert found["outputs"].where.startswith("step 0" if case.product else "(image")
        assert case.product or found["cycles"].where.startswith("step 0 ends in cycle")


def test_a_transformer_runs_whole_on_the_rtl() -> None:
    """Two encoder layers, 44 jobs of both kinds: every tensor, cycle and count equal, and the digit read right."""
    found = verify_network(SMALL, load_workload("digits_transformer"), 1)  # type: ignore[arg-type]
    assert found.differences == ()
    assert found.labels == found.expected_labels == found.true_labels
    assert found.n_cases == 44
    assert found.rtl_cycles == found.simulated_cycles > 0
