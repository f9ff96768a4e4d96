"""What `tests/test_families.py` runs the tensor family on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from designs.families.tensor import Design
from tests.families.tensor_twin import random_case as random_tiled_layer
from tests.families.vector_twin import random_case as random_vector_case
from workloads.builders.shapes import matrix_product
from workloads.kinds.network import Network, network_of
from workloads.vector_layer import Job

SMALLEST = Design(
    array_rows=2, array_cols=2, act_bits=1, weight_bits=1, acc_bits=8, requant="shift", requant_granularity="per_tensor",
    act_scratchpad_bytes=64, weight_scratchpad_bytes=64, acc_scratchpad_bytes=64, scratchpad_banks=1,
    double_buffered=False, dram_bytes_per_cycle=1, dram_latency_cycles=1, dram_burst_bytes=1,
)  # fmt: skip
WORKLOAD = network_of((matrix_product("product", 6, 5, 4), matrix_product("wider", 3, 4, 20)), "small")
VERIFIED = "tensor", {"array_rows": 4, "array_cols": 4}  # a space and what is pinned for a quick verification

_MORE = {
    "array_rows": 32,
    "array_cols": 32,
    "act_bits": 9,
    "weight_bits": 9,
    "acc_bits": 40,
    "act_scratchpad_bytes": 1 << 17,
    "weight_scratchpad_bytes": 1 << 17,
    "acc_scratchpad_bytes": 1 << 17,
    "dram_bytes_per_cycle": 32,
    "requant_multiplier_bits": 20,
}

_VECTOR_UNIT = Design(vector_lanes=4, wide_bits=12)
_MORE_VECTOR_UNIT: dict[str, Any] = {
    "vector_lanes": 8,
    "vector_stages": 5,
    "vector_divider_bits": 9,
    "vector_words": 2048,
    "vector_rows": 128,
    "vector_param_words": 2048,
    "wide_bits": 16,
}


def more_hardware() -> dict[str, tuple[Design, Design]]:
    """What was added -> (design, the same with more of it)."""
    dataflows = ("weight_stationary", "input_stationary", "output_stationary")
    small = {dataflow: Design(dataflow=dataflow) for dataflow in dataflows}
    vector_unit = {
        field: (_VECTOR_UNIT, replace(_VECTOR_UNIT, **{field: more})) for field, more in _MORE_VECTOR_UNIT.items()
    }
    return {"a vector unit": (Design(), Design(vector_lanes=1))} | vector_unit | {
        f"{field}, {dataflow}": (design, replace(design, **{field: more}))
        for dataflow, design in small.items()
        for field, more in _MORE.items()
    }


def random_case(seed: int) -> tuple[Design, Network, dict[str, Any]]:
    """(design, workload that fits it, further arguments of `simulate`); one in three for the vector unit."""
    if seed % 3 == 0:
        design, job, _, _, product, tiling = random_vector_case(seed)
        jobs: list[Job] = [job] if product is None else [job, product]
        return design, network_of(jobs, job.name), {"tilings": [None, tiling][: len(jobs)]}
    design, layer, tiling = random_tiled_layer(seed)
    return design, network_of((layer,), layer.name), {"tilings": [tiling]}
