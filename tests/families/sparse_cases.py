"""What `tests/test_families.py` runs the sparse family on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from designs.families.sparse import Design
from tests.families.sparse_twin import random_case as random_layer_case
from workloads.kinds.matrices import Matrices, matrices_of
from workloads.sparse.layer import SparseLayer, SparseNumbers
from workloads.sparse.nonzeros import pattern

SMALLEST = Design(
    n_macs=1, n_sets=1, window=1, value_bits=1, act_bits=1, acc_bits=8, accumulators=1, lane_entries=8, act_words=8,
    double_buffered=False, requant_multiplier_bits=8, dram_bytes_per_cycle=2, dram_latency_cycles=1,
)  # fmt: skip


def _small(name: str, height: int, width: int, n_vectors: int, repeat: int = 1) -> SparseLayer:
    """Weights of -1 and bits as activations and results, which fit every machine."""
    rng = np.random.default_rng(height)
    return SparseLayer(
        name=name,
        matrix=pattern(rng.random((height, width)) < 0.6, 1),
        n_vectors=n_vectors,
        vectors=rng.integers(0, 2, (n_vectors, width)),
        numbers=SparseNumbers(
            bias=np.arange(height), multiplier=3, shift=2, in_zero=0, in_signed=False, out_zero=0, out_low=0, out_high=1
        ),
        repeat=repeat,
    )


WORKLOAD: Matrices = matrices_of((_small("square", 6, 6, 2), _small("wide", 3, 8, 1, repeat=2)), "small")
COUNTED_ONLY = (  # cycles in which nothing switches, and what acc_updates are the sum of
    "macs", "padding_macs", "window_stalls", "idle_lanes", "empty_columns", "queue_stalls", "overflows",
)  # fmt: skip
VERIFIED = "sparse", {"n_macs": 4}  # a space and what is pinned for a quick verification

_MORE: dict[str, Any] = {
    "n_macs": 128,
    "value_bits": 9,
    "act_bits": 9,
    "acc_bits": 40,
    "accumulators": 128,
    "lane_entries": 2048,
    "act_words": 4096,
    "requant_multiplier_bits": 20,
    "dram_bytes_per_cycle": 32,
}
_MORE_OF_FEED: dict[str, dict[str, Any]] = {"window": {"window": 32}, "queue": {"queue_depth": 16}}


def more_hardware() -> dict[str, tuple[Design, Design]]:
    """What was added -> (design, the same with more of it)."""
    found = {}
    for feed, more in _MORE_OF_FEED.items():
        design = Design(feed=feed)  # type: ignore[arg-type]
        for field, value in (_MORE | more).items():
            found[f"{field}, {feed}"] = design, replace(design, **{field: value})
        found[f"double_buffered, {feed}"] = replace(design, double_buffered=False), design
        folded = replace(design, output_order="folded")
        found[f"n_sets, {feed}"] = folded, replace(folded, n_sets=16)
    return found


def random_case(seed: int) -> tuple[Design, Matrices, dict[str, Any]]:
    """(design, workload that fits it, further arguments of `simulate`)."""
    design, layer = random_layer_case(seed)
    return design, matrices_of((layer,), layer.name), {}
