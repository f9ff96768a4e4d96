"""Bytes, multiplications, labels."""

from __future__ import annotations

import numpy as np
import pytest

from tests.workloads.compression.graphs import free_graph, layer
from tests.workloads.compression.test_masks import products
from workloads.compression.channels import Filters
from workloads.compression.compose import Compose
from workloads.compression.masks import Magnitude, Pattern
from workloads.compression.metrics import (
    label_changes,
    multiplications,
    stored_bytes,
    stored_layers,
)
from workloads.compression.quantize import Quantize
from workloads.load import load_workload
from workloads.lower import lower

V, W = np.arange(1, 65).reshape(16, 4), np.full((4, 8), 3)


def test_dense_sizes_by_hand() -> None:
    first, second = stored_layers(products(V, W))
    assert (first.format, first.stored_bits, first.parameter_bits) == ("dense", 64 * 8, 32)
    assert stored_bytes(products(V, W)) == 64 + 4 + 32 + 4
    assert (second.n_weights, second.n_nonzeros, second.weight_bits) == (32, 32, 8)


def test_sparse_sizes_count_indices() -> None:
    first, _ = stored_layers(Magnitude(sparsity={"a_op": 0.75})(products(V, W)))
    assert (first.format, first.stored_bits) == ("bitmap", 16 * 8 + 64)
    # 2 of 4 inputs at 6 combinations: 3 bits for each of 16 groups; a bitmap takes 64
    patterned, _ = stored_layers(Pattern(pattern={"a_op": "2:4"})(products(V, W)))
    assert (patterned.format, patterned.stored_bits) == ("n_of_m 2:4 minimum", 32 * 8 + 16 * 3)


def test_bits_and_scales_of_channels() -> None:
    first, _ = stored_layers(Quantize(bits=3)(products(V, W)))
    assert (first.stored_bits, first.parameter_bits, first.n_bytes) == (64 * 3, 4 * 32, 24 + 16)


def test_pixels_of_a_flattened_image_are_taps() -> None:
    graph = Pattern(pattern="1:2")(free_graph(np.random.default_rng(0)))
    found = {stored.name: stored for stored in stored_layers(graph)}
    assert found["hidden_op"].n_nonzeros == layer(graph, "hidden").weights.shape[0] * 5 // 2
    assert found["hidden_op"].format.startswith("n_of_m")


def test_multiplications_are_those_of_the_machine() -> None:
    graph = load_workload("digits_cnn").graph  # type: ignore[attr-defined]
    assert multiplications(graph) == sum(job.n_macs for job in lower(graph))
    half = Compose((Filters(sparsity=0.5), Magnitude(sparsity=0.5)))(graph)
    assert multiplications(half) == sum(job.n_macs for job in lower(half))
    assert multiplications(half, nonzero=True) == multiplications(half) // 2


def test_label_changes_by_hand() -> None:
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    reference = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 0])
    labels = np.array([0, 0, 1, 0, 1, 1, 1, 1, 0, 0])
    found = label_changes(reference, labels, truth)
    assert (found["top1_before"], found["top1_after"], found["changed"]) == (0.8, 0.7, 0.3)
    assert found["changed_where_right"] == 0.25
    assert found["by_class"] == pytest.approx([0.5, 1 / 6])
    assert (found["class_min"], found["class_max"]) == pytest.approx((1 / 6, 0.5))
    assert found["class_std"] == pytest.approx(1 / 6)
    assert label_changes(np.array([1]), np.array([0]), np.array([0]))["changed_where_right"] is None
