"""Service times come from the simulator: every batch as it runs, pipelines by their interval."""

from __future__ import annotations

import pytest

from designs.errors import InputError
from designs.space import Point, load_space
from explore.evaluate import evaluate
from explore.scenarios.service import services_of
from workloads.batches import batch_of
from workloads.load import load_workload

MAJORITY = "workloads/classifiers/examples/majority.blif"


def points(space: str, **settings: str) -> list[Point]:
    return [load_space(space).pin(settings).first_point()]


def test_a_batch_takes_as_long_as_the_simulator_says() -> None:
    these, workload = points("tensor", clock_mhz="300"), load_workload("gemm:6x20x12")
    (found,) = services_of("tensor", these, ["t"], workload, 3)
    for size, busy_ps in enumerate(found.busy_ps, start=1):
        row = evaluate("tensor", these, batch_of(workload, size))[0]
        assert busy_ps == round(row["cycles"] * 1e6 / 300)
    assert found.answer_ps == found.busy_ps and found.busy_ps[2] < 3 * found.busy_ps[0]
    assert found.row is not None and found.row["workload"] == "gemm:6x20x12"
    assert found.capacity_per_s == max((i + 1) * 1e12 / ps for i, ps in enumerate(found.busy_ps))


def test_a_pipeline_takes_a_sample_every_interval() -> None:
    these, workload = points("lut", copies="2", clock_mhz="500"), load_workload(MAJORITY)
    (found,) = services_of("lut", these, ["l"], workload, 5)
    row = evaluate("lut", these, workload)[0]
    assert found.busy_ps == (2000, 2000, 4000, 4000, 6000)  # two samples a cycle of 2 ns
    assert found.answer_ps == tuple(round(row["latency_ns"] * 1000) + ps - 2000 for ps in found.busy_ps)
    assert found.capacity_per_s == row["throughput_per_s"] == 1e9


@pytest.mark.parametrize(
    ("family", "space", "workload"),
    [
        ("sparse", "sparse_lanes", "sparse:32x32:0.5"),
        ("fhe", "fhe_small", "adder:2"),
        ("tensor", "minilm", "minilm:encode=8"),
    ],
)
def test_batches_of_other_families_take_longer_than_one_and_never_less_a_sample_than_the_bound(
    family: str, space: str, workload: str
) -> None:
    (found,) = services_of(family, points(space), [space], load_workload(workload), 2)
    assert found.busy_ps[0] < found.busy_ps[1] <= 2 * found.busy_ps[0]


def test_a_design_on_which_the_workload_does_not_fit_says_so() -> None:
    these = points("tensor", act_scratchpad_bytes="256", array_rows="16", array_cols="16")
    with pytest.raises(InputError, match="mine on resnet18: conv1: .*scratchpad_bytes: wanted room"):
        services_of("tensor", these, ["mine"], load_workload("resnet18"), 1)
