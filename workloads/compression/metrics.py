"""What a compressed network is judged by: bytes that are stored, multiplications that are left, labels that changed.

ShrinkBench's rules (Blalock et al. 2020): compression ratio is old / new size, theoretical speed-up old / new
multiplications, both beside top-1 before and after. Sizes here are of real formats, indices included.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from workloads.compression.channels import pixels_a_channel
from workloads.compression.layers import Weighted, weighted_layers
from workloads.ir import Graph
from workloads.sparse.format import Format
from workloads.sparse.formats.bitmap import Bitmap
from workloads.sparse.formats.csr import Csr
from workloads.sparse.formats.dense import Dense
from workloads.sparse.formats.n_of_m import NOfM
from workloads.sparse.formats.run_length import RunLength
from workloads.sparse.nonzeros import nonzeros
from workloads.sparse.sizes import size_table

FORMATS: tuple[Format, ...] = (
    Dense(), Bitmap(), Csr(), RunLength(run_bits=4), NOfM(m=4, metadata="minimum"), NOfM(m=8, metadata="minimum"),
)  # fmt: skip
BIAS_BITS = 32
SCALE_BITS = 32  # a float32, one a tensor or one a channel


class StoredLayer(NamedTuple):
    """A layer's weights in the format that takes least."""

    name: str
    format: str
    n_weights: int
    n_nonzeros: int
    weight_bits: int  # a weight
    stored_bits: int  # of all weights, with indices
    parameter_bits: int  # of biases and scales

    @property
    def n_bytes(self) -> int:
        return -(-(self.stored_bits + self.parameter_bits) // 8)


def stored_layers(graph: Graph, formats: Iterable[Format] = FORMATS) -> tuple[StoredLayer, ...]:
    """Each layer with weights, as it is stored smallest; a channel's inputs lie side by side at each tap."""
    return tuple(_stored(graph, layer, tuple(formats)) for layer in weighted_layers(graph))


def stored_bytes(graph: Graph, formats: Iterable[Format] = FORMATS) -> int:
    """Bytes of all weights, indices, biases and scales."""
    return sum(layer.n_bytes for layer in stored_layers(graph, formats))


def multiplications(graph: Graph, *, nonzero: bool = False) -> int:
    """Multiplications of all layers with weights for one input; with `nonzero`, those by weights that are not zero."""
    total = 0
    for layer in weighted_layers(graph):
        assert layer.weights.data is not None
        n_weights = int(np.count_nonzero(layer.weights.data)) if nonzero else layer.weights.data.size
        shape = graph.by_name[layer.op.output].shape
        total += n_weights * (shape[2] * shape[3] if layer.op.kind == "conv" else int(np.prod(shape[:-1]) // shape[0]))
    return total


def label_changes(reference: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """How the labels of a compressed network differ from its reference's, all arrays (n,).

    `changed`: share of all samples; `changed_where_right`: share of those that the reference labels right, None where
    there are none; `by_class`: share changed by true class, in order of classes, and its `class_min`, `class_max` and
    `class_std` (population). `top1_before` and `top1_after`: shares labelled right.
    """
    changed, right = labels != reference, reference == truth
    by_class = [float(changed[truth == label].mean()) for label in np.unique(truth)]
    return {
        "top1_before": float(right.mean()),
        "top1_after": float(np.mean(labels == truth)),
        "changed": float(changed.mean()),
        "changed_where_right": float(changed[right].mean()) if right.any() else None,
        "by_class": by_class,
        "class_min": min(by_class),
        "class_max": max(by_class),
        "class_std": float(np.std(by_class)),
    }


def _stored(graph: Graph, layer: Weighted, formats: tuple[Format, ...]) -> StoredLayer:
    rows, bits = _rows(graph, layer), layer.weights.bits
    best = size_table(nonzeros(rows, bits), formats).rows[0]
    n_biases = 0 if layer.bias is None else layer.bias.shape[0]
    return StoredLayer(
        name=layer.name, format=best["format"], n_weights=rows.size, n_nonzeros=int(np.count_nonzero(rows)),
        weight_bits=bits, stored_bits=best["stored_bits"],
        parameter_bits=n_biases * BIAS_BITS + layer.weights.scale.size * SCALE_BITS,
    )  # fmt: skip


def _rows(graph: Graph, layer: Weighted) -> np.ndarray:
    """(out_channels, taps * inputs), the inputs of a tap side by side."""
    data = layer.weights.data
    assert data is not None
    if layer.op.kind == "conv":
        return data.transpose(0, 2, 3, 1).reshape(len(data), -1)
    n_pixels = pixels_a_channel(graph, layer.x.name)
    return data.reshape(-1, n_pixels, data.shape[1]).transpose(2, 1, 0).reshape(data.shape[1], -1)
