"""Weights of which an n:m machine keeps n of every m input channels (docs/tensor.md, section 11)."""

from __future__ import annotations

import numpy as np

from designs.families.tensor import Design
from workloads.layer import Layer


def passes(design: Design, layer: Layer) -> int:
    """Times that the machine computes each k-block of `layer`, every time with other weights; 1 where it is dense."""
    if design.group_lanes == 1 or layer.kind == "max_pool":
        return 1
    return max(-(-most_in_a_group(layer, design.group_lanes) // design.kept_lanes), 1)


def kept_macs(design: Design, layer: Layer) -> int:
    """Multiplications that the machine cannot leave out: at most those of the fullest group in every group."""
    if design.group_lanes == 1 or layer.kind == "max_pool":
        return layer.n_macs
    depth = layer.in_channels // layer.groups
    kept = -(-depth // design.group_lanes) * most_in_a_group(layer, design.group_lanes)
    return layer.n_macs // depth * min(kept, depth)


def most_in_a_group(layer: Layer, m: int) -> int:
    """The most weights that an output channel has, at one tap, in a group of `m` consecutive input channels.

    Counted where the layer has weights; else what `Layer.weight_n_of_m` and the channels of a group allow.
    """
    if layer.numbers is not None and layer.numbers.weights is not None:
        return _counted(layer.numbers.weights, layer.groups, m)
    n_of_layer, m_of_layer = layer.weight_n_of_m
    if m % m_of_layer == 0:
        most = n_of_layer * (m // m_of_layer)
    elif m_of_layer % m == 0:
        most = min(n_of_layer, m)
    else:
        most = m
    return min(most, layer.in_channels // layer.groups)


def _counted(weights: np.ndarray, n_groups: int, m: int) -> int:
    """`weights` are (out_channels, channels of a group, kernel_h, kernel_w); groups of m are those of all channels."""
    out_channels, depth = weights.shape[:2]
    present = (weights != 0).reshape(n_groups, out_channels // n_groups, depth, -1)
    offsets = np.arange(n_groups) * depth % m  # where a group of the convolution begins in a group of m
    most = 0
    for offset in np.unique(offsets):
        after = -(offset + depth) % m
        padded = np.pad(present[offsets == offset], ((0, 0), (0, 0), (offset, after), (0, 0)))
        counts = padded.reshape(*padded.shape[:2], -1, m, padded.shape[3]).sum(axis=3)
        most = max(most, int(counts.max()))
    return most


def kept_weights(by_k: np.ndarray, n: int, m: int, n_passes: int) -> tuple[np.ndarray, np.ndarray]:
    """(weights, places), each (channels, k-blocks * n_passes, rows), of dense weights (channels, k-blocks, lanes).

    Weight number `p * n + i` of group q of m lanes is in pass p, in row `q * n + i`; rows without one have 0 and 0.
    """
    channels, n_blocks, lanes = by_k.shape
    grouped = by_k.reshape(channels, n_blocks, lanes // m, m)
    rank = np.cumsum(grouped != 0, axis=3) - 1
    channel, block, group, place = np.nonzero(grouped)
    number = rank[channel, block, group, place]
    at = (channel, block * n_passes + number // n, group * n + number % n)
    shape = (channels, n_blocks * n_passes, lanes // m * n)
    weights, places = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    weights[at], places[at] = grouped[channel, block, group, place], place
    return weights, places
