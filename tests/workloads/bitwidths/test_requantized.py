"""Graphs in other widths: what stays, what is coarser, and by how much at most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from designs.errors import InputError
from tests.workloads.bitwidths.test_thresholds import digits_graph
from workloads.bitwidths.requantized import batched, run_samples, seen_distributions, with_bits
from workloads.digits import digits_split
from workloads.files import graph_digest
from workloads.reference import run_graph

GRAPH = digits_graph()
IMAGES = digits_split()[0][:40]
SEEN = seen_distributions(GRAPH, IMAGES)


def test_samples_run_together_as_one_by_one() -> None:
    together = run_samples(GRAPH, IMAGES[:3], "float32")
    for i in range(3):
        alone = run_graph(GRAPH, {GRAPH.inputs[0]: IMAGES[i : i + 1]})
        assert all(np.array_equal(together[name][i : i + 1], alone[name]) for name in alone)


def test_samples_that_cannot_lie_side_by_side() -> None:
    with pytest.raises(InputError, match="wanted one sample along the first axis"):
        batched(batched(GRAPH, 2), 2)


def test_the_same_widths_are_the_same_graph() -> None:
    own = {tensor.name: tensor.bits for tensor in GRAPH.tensors}
    assert graph_digest(with_bits(GRAPH, own, SEEN)) == graph_digest(with_bits(GRAPH, {}, SEEN)) == graph_digest(GRAPH)


@pytest.mark.parametrize("bits", [2, 4])
def test_narrow_activations_keep_their_meaning(bits: int) -> None:
    """What is stored is within half a step, or clipped, of what was; readers see the same numbers."""
    names = ("relu1.stored", "conv3.stored", "relu3.stored")
    before = run_samples(GRAPH, IMAGES)
    for name in names:
        narrow = with_bits(GRAPH, {name: bits}, SEEN)
        tensor, old = narrow.by_name[name], GRAPH.by_name[name]
        assert tensor.bits == bits and tensor.low <= tensor.zero_point <= tensor.high
        after = run_samples(narrow, IMAGES)[name]
        real = np.clip(old.dequantize(before[name]), tensor.dequantize(np.array([0]))[0], tensor.dequantize(np.array([tensor.high]))[0])  # fmt: skip  # noqa: E501
        step = float(tensor.scale[0])
        # the sum itself is rounded once, not to 8 bits and then again: half a step of either
        assert np.abs(tensor.dequantize(after) - real).max() <= 0.5 * (step + float(old.scale[0])) * 1.01
    pooled = with_bits(GRAPH, {"relu3.stored": bits}, SEEN)
    assert pooled.by_name["flat"].bits == bits
    assert pooled.by_name["flat"].same_quantization(pooled.by_name["relu3.stored"])
    assert next(op for op in pooled.ops if op.name == "pool").high == (1 << bits) - 1


def test_biases_keep_their_meaning_when_scales_change() -> None:
    narrow = with_bits(GRAPH, {"relu1.stored": 4, "conv2.weights.stored": 4}, SEEN)

    def real(graph: object) -> np.ndarray:
        x, w, b = (graph.by_name[n] for n in ("relu1.stored", "conv2.weights.stored", "conv2.bias.stored"))  # type: ignore[attr-defined]
        return b.data * (x.scale[0] * w.scale)

    step = narrow.by_name["relu1.stored"].scale[0] * narrow.by_name["conv2.weights.stored"].scale
    assert np.all(np.abs(real(narrow) - real(GRAPH)) <= 0.5 * step + 1e-6)
    assert narrow.by_name["conv2.weights.stored"].scale.size == 32  # one a channel
    per_tensor = with_bits(GRAPH, {"conv2.weights.stored": 4}, SEEN, granularity="tensor")
    assert per_tensor.by_name["conv2.weights.stored"].scale.size == 1


def test_a_relu_stays_one() -> None:
    """A bound within the range keeps its meaning: a tensor with a zero point of its own whose negative part is cut."""
    ops = tuple(replace(op, low=152) if op.output == "conv3.stored" else op for op in GRAPH.ops)
    graph = replace(GRAPH, ops=ops)
    narrow = with_bits(graph, {"conv3.stored": 4}, SEEN)  # SEEN has negative numbers, so the zero point is above 0
    op = next(op for op in narrow.ops if op.output == "conv3.stored")
    assert op.low == narrow.by_name["conv3.stored"].zero_point > 0 and op.high == 15


def test_what_is_read_outside_keeps_its_width() -> None:
    for name in ("image.stored", "logits.stored"):
        with pytest.raises(InputError, match=f"tensor {name}: wanted its 8 bits"):
            with_bits(GRAPH, {name: 4}, SEEN)
    with pytest.raises(InputError, match="tensor fc.bias.stored: wanted weights of one layer alone"):
        with_bits(GRAPH, {"fc.bias.stored": 16}, SEEN)
    with pytest.raises(InputError, match="wanted tensors of .*, got 'nothing'"):
        with_bits(GRAPH, {"nothing": 4}, SEEN)
