"""Compiled search for level-wise trees: the features of one LUT, chosen level by level over all samples.

Plain arrays of numbers only. What a sample weighs is an integer here, and all of them together stay below 2^51, so
sums are exact in whatever order they are taken. That allows what makes this fast: samples lie sorted by node (`order`,
cut at `starts`), so that a node's sums stay in the cache; only the smaller of two children is summed, and its sibling's
sums are the parent's less those; and four samples are added at a time, in vector instructions.

`rows` is (n_samples, n_columns) int8: -1 where a feature is 1 (the mask of what is added), 0 elsewhere; columns from
n_features on are padding. Every node has two sums a feature, over its samples in which the feature is 1: where
`values` has one row (weights, for entropies), those of targets 0 and of targets 1, and a node's samples are sorted by
target, two groups a node; where it has two rows (gradients and hessians, for gains), one of each.

All kernels are in this one file, since numba's cache sees changes of the file alone that a function stands in.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

TOTAL_BITS = 51  # weights together are below 2^TOTAL_BITS; _MANTISSA allows no more
SCORE_UNITS = 2.0**32  # a node's entropy is rounded to multiples of 1 / SCORE_UNITS
_MANTISSA = 0x4338000000000000  # bits of the float64 1.5 * 2^52: the integer i added to them makes 1.5 * 2^52 + i
_MANTISSA_VALUE = 1.5 * 2.0**52
_ROOT_HALF_BITS = 0x3FE6A09E00000000  # bits of about sqrt(0.5)
_BIAS = 1023  # of a float64's exponent, which begins at bit 52
_TWO_BY_LN2 = 2.0 / math.log(2.0)

entry = njit(cache=True, error_model="numpy", nogil=True)
inner = njit(error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


@entry
def boost_trees(
    rows: np.ndarray,
    n_features: int,
    targets: np.ndarray,
    weights: np.ndarray,
    by_mass: bool,
    features: np.ndarray,
    tables: np.ndarray,
    errors: np.ndarray,
    decisions: np.ndarray,
) -> None:
    """Discrete AdaBoost of level-wise trees that minimize entropy; one tree a row of `features`.

    Fills features (n_trees, P) int64, tables (n_trees, 2^P) uint8 and errors (n_trees,) float64; decisions (n_samples,)
    int64 gets a bit of each tree, that of the first the most significant. `weights` (n_samples,) float64 are changed
    in place, for the next tree.
    """
    order, starts = _sorted_by_target(targets)
    values = np.empty((1, len(targets)), np.int64)
    wrong = np.empty(len(targets), np.uint8)
    decisions[:] = 0
    for t in range(len(features)):
        _to_integers(weights, values[0])
        totals = _grow(rows, n_features, order, starts, values, by_mass, 0.0, features[t])
        for leaf in range(len(totals)):
            tables[t, leaf] = totals[leaf, 1] > totals[leaf, 0]
        for i in range(len(targets)):
            output = tables[t, _leaf(rows[i], features[t])]
            decisions[i] = 2 * decisions[i] + output
            wrong[i] = output != targets[i]
        errors[t] = reweigh(weights, wrong)


@entry
def grow_by_gain(
    rows: np.ndarray, n_features: int, values: np.ndarray, unit: float, features: np.ndarray
) -> np.ndarray:
    """Features (P,) int64 of the tree of largest gain, filled; returns the leaves' sums (2^P, 2) int64 of both values.

    values (2, n_samples) int64: gradients and hessians in multiples of `unit`. Gain is the sum over the leaves of
    G^2 / (H + 1).
    """
    order = np.arange(len(rows))
    starts = np.array([0, len(rows)])
    return _grow(rows, n_features, order, starts, values, False, unit, features)


@entry
def leaves(rows: np.ndarray, features: np.ndarray, found: np.ndarray) -> None:
    """found[i] = the leaf that sample i falls into."""
    for i in range(len(rows)):
        found[i] = _leaf(rows[i], features)


@entry
def reweigh(weights: np.ndarray, wrong: np.ndarray) -> float:
    """The weighted error e, weights of `wrong` ones summed; then in place wrong ones *= 0.5/e, others *= 0.5/(1-e).

    A factor that would divide by 0 has nothing to act on, but what weighs too little to be summed: it is 1.
    """
    integers = np.empty(len(weights), np.int64)
    unit = _to_integers(weights, integers)
    total = 0
    for i in range(len(weights)):
        total += integers[i] * wrong[i]
    error = total * unit
    of_wrong = 0.5 / error if error > 0.0 else 1.0
    of_right = 0.5 / (1.0 - error) if error < 1.0 else 1.0
    for i in range(len(weights)):
        weights[i] *= of_wrong if wrong[i] else of_right
    return error


@inner
def _to_integers(weights: np.ndarray, integers: np.ndarray) -> float:
    """Round weights to multiples of the returned power of two: the smallest with which the largest weight of as many
    samples stays below 2^TOTAL_BITS."""
    largest = 0.0  # a loop, since array functions take long to compile
    for i in range(len(weights)):
        largest = max(largest, weights[i])
    exponent = math.frexp(largest)[1]
    shift = TOTAL_BITS - exponent
    n = len(weights)
    while n > 0:  # bit length of n
        n >>= 1
        shift -= 1
    scale = math.ldexp(1.0, shift)
    for i in range(len(weights)):
        integers[i] = np.int64(np.rint(weights[i] * scale))
    return math.ldexp(1.0, -shift)


@inner
def _sorted_by_target(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.empty(len(targets), np.int64)
    starts = np.zeros(3, np.int64)
    at = 0
    for y in range(2):
        for i in range(len(targets)):
            if targets[i] == y:
                order[at] = i
                at += 1
        starts[y + 1] = at
    return order, starts


@inner
def _leaf(row: np.ndarray, features: np.ndarray) -> int:
    leaf = 0
    for feature in features:
        leaf = 2 * leaf - row[feature]
    return leaf


@inner
def _grow(
    rows: np.ndarray,
    n_features: int,
    order: np.ndarray,
    starts: np.ndarray,
    values: np.ndarray,
    by_mass: bool,
    unit: float,
    features: np.ndarray,
) -> np.ndarray:
    """Choose `features`, one a level; returns both totals of every leaf. `order` and `starts` stay as they are."""
    n_levels, n_columns = len(features), rows.shape[1]
    sums = np.empty((1 << (n_levels - 1), 2, n_columns), np.int64)
    child_sums = np.empty_like(sums)
    scores = np.empty(n_columns)
    offered = np.ones(n_features, np.bool_)
    totals = _root_totals(order, starts, values)
    _sum_node(rows, order, starts, 0, values, sums[0])
    for level in range(n_levels):
        n_nodes = 1 << level
        if len(values) == 1:
            _entropies(sums[:n_nodes], totals, by_mass, scores)
            start = n_nodes * SCORE_UNITS
        else:
            _negative_gains(sums[:n_nodes], totals, unit, scores)
            start = np.inf
        feature = _first_minimum(scores, offered, start)
        features[level] = feature
        offered[feature] = False
        child_totals = np.empty((2 * n_nodes, 2), np.int64)
        for node in range(n_nodes):
            for channel in range(2):
                ones = sums[node, channel, feature]
                child_totals[2 * node, channel] = totals[node, channel] - ones
                child_totals[2 * node + 1, channel] = ones
        totals = child_totals
        if level + 1 < n_levels:
            order, starts = _split(rows, feature, order, starts, n_nodes, 3 - len(values))
            _sum_children(rows, order, starts, values, sums[:n_nodes], child_sums)
            sums, child_sums = child_sums, sums
    return totals


@inner
def _root_totals(order: np.ndarray, starts: np.ndarray, values: np.ndarray) -> np.ndarray:
    totals = np.zeros((1, 2), np.int64)
    for channel in range(2):
        row = channel % len(values)
        group = channel if len(values) == 1 else 0
        for i in range(starts[group], starts[group + 1]):
            totals[0, channel] += values[row, order[i]]
    return totals


@inner
def _first_minimum(scores: np.ndarray, offered: np.ndarray, start: float) -> int:
    """The first offered feature with the smallest score below `start`; the first offered one where there is none."""
    best = -1
    smallest = start
    for f in range(len(offered)):
        if offered[f] and best < 0:
            best = f
        if offered[f] and scores[f] < smallest:
            best = f
            smallest = scores[f]
    return best


@inner
def _split(
    rows: np.ndarray, feature: int, order: np.ndarray, starts: np.ndarray, n_nodes: int, n_groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sort the samples of every node by the feature, 0 before 1; inside a child its groups stay, in their order."""
    new_order = np.empty_like(order)
    new_starts = np.zeros(2 * n_nodes * n_groups + 1, np.int64)
    at = 0
    for node in range(n_nodes):
        for bit in range(2):
            for group in range(n_groups):
                key = node * n_groups + group
                for i in range(starts[key], starts[key + 1]):
                    if rows[order[i], feature] == -bit:
                        new_order[at] = order[i]
                        at += 1
                new_starts[(2 * node + bit) * n_groups + group + 1] = at
    return new_order, new_starts


@inner
def _sum_children(
    rows: np.ndarray,
    order: np.ndarray,
    starts: np.ndarray,
    values: np.ndarray,
    sums: np.ndarray,
    child_sums: np.ndarray,
) -> None:
    """Sums of both children of every node, of which the smaller one is gone through."""
    n_groups = 3 - len(values)
    for node in range(len(sums)):
        begin, end = starts[2 * node * n_groups], starts[(2 * node + 2) * n_groups]
        middle = starts[(2 * node + 1) * n_groups]
        small = 2 * node if middle - begin < end - middle else 2 * node + 1
        _sum_node(rows, order, starts, small, values, child_sums[small])
        for channel in range(2):  # a loop, since array expressions take long to compile
            parent, less, found = sums[node, channel], child_sums[small, channel], child_sums[small ^ 1, channel]
            for f in range(len(found)):
                found[f] = parent[f] - less[f]


@inner
def _sum_node(
    rows: np.ndarray, order: np.ndarray, starts: np.ndarray, node: int, values: np.ndarray, sums: np.ndarray
) -> None:
    """Both sums (2, n_columns) of a node."""
    sums[:] = 0
    for channel in range(2):
        key = 2 * node + channel if len(values) == 1 else node
        _add_rows(rows, order[starts[key] : starts[key + 1]], values[channel % len(values)], sums[channel])


@inner
def _add_rows(rows: np.ndarray, samples: np.ndarray, values: np.ndarray, sums: np.ndarray) -> None:
    """Add to sums[f] the values of all samples whose feature f is 1."""
    n_fours = len(samples) // 4 * 4
    for i in range(0, n_fours, 4):
        a, b, c, d = samples[i], samples[i + 1], samples[i + 2], samples[i + 3]
        value_a, value_b, value_c, value_d = values[a], values[b], values[c], values[d]
        for f in range(len(sums)):
            sums[f] += (
                (np.int64(rows[a, f]) & value_a)
                + (np.int64(rows[b, f]) & value_b)
                + (np.int64(rows[c, f]) & value_c)
                + (np.int64(rows[d, f]) & value_d)
            )
    for i in range(n_fours, len(samples)):
        sample, value = samples[i], values[samples[i]]
        for f in range(len(sums)):
            sums[f] += np.int64(rows[sample, f]) & value


@inner
def _entropies(sums: np.ndarray, totals: np.ndarray, by_mass: bool, scores: np.ndarray) -> None:
    """scores[f] = the conditional entropy of the target given feature f, summed over the nodes, in SCORE_UNITS.

    Each node is normalized by its own mass, and weighs its part of all mass where `by_mass`; one without mass adds 0.
    """
    n_columns = len(scores)
    scores[:] = 0.0
    whole = 0
    for node in range(len(sums)):
        whole += totals[node, 0] + totals[node, 1]
    entropies = np.empty(n_columns)
    masses = np.empty((6, n_columns), np.int64)
    work = np.empty((3, n_columns))
    for node in range(len(sums)):
        mass = totals[node, 0] + totals[node, 1]
        if mass == 0:
            continue
        for f in range(n_columns):  # a: target 0, b: target 1; index 1: the feature is 1
            a1, b1 = sums[node, 0, f], sums[node, 1, f]
            a0, b0 = totals[node, 0] - a1, totals[node, 1] - b1
            masses[0, f], masses[1, f], masses[2, f], masses[3, f] = a0, b0, a1, b1
            masses[4, f], masses[5, f] = a0 + b0, a1 + b1
        entropies[:] = 0.0
        for part in range(6):
            _add_v_log2_v(masses[part], 1.0 / mass, 1.0 if part >= 4 else -1.0, work, entropies)
        weight = SCORE_UNITS * (mass / whole) if by_mass else SCORE_UNITS
        for f in range(n_columns):
            scores[f] += np.rint(weight * entropies[f])


@inner
def _add_v_log2_v(masses: np.ndarray, inverse: float, sign: float, work: np.ndarray, found: np.ndarray) -> None:
    """found += sign * v * log2(v) of the shares v = masses * inverse, from 0 to 1; 0 * log2(0) is 0.

    The logarithm is our own, good to 1e-15: it has the same bits on every machine, and compiles to vector instructions.
    v = 2^e * m with m from sqrt(0.5) to sqrt(2), and ln(m) = 2 * artanh((m - 1) / (m + 1)).
    """
    shares, mantissas, exponents = work[0], work[1], work[2]
    share_bits, mantissa_bits, exponent_bits = shares.view(np.int64), mantissas.view(np.int64), exponents.view(np.int64)
    for f in range(len(found)):
        share_bits[f] = masses[f] + _MANTISSA
    for f in range(len(found)):
        shares[f] = (shares[f] - _MANTISSA_VALUE) * inverse
    for f in range(len(found)):
        biased = np.int64(np.uint64(share_bits[f] - _ROOT_HALF_BITS + (_BIAS << 52)) >> np.uint64(52))
        mantissa_bits[f] = share_bits[f] - ((biased - _BIAS) << 52)
        exponent_bits[f] = biased + _MANTISSA
    for f in range(len(found)):
        z = (mantissas[f] - 1.0) / (mantissas[f] + 1.0)
        s = z * z
        series = 1.0 / 17.0 + s * (1.0 / 19.0)
        series = 1.0 / 13.0 + s * (1.0 / 15.0 + s * series)
        series = 1.0 / 9.0 + s * (1.0 / 11.0 + s * series)
        series = 1.0 / 5.0 + s * (1.0 / 7.0 + s * series)
        series = 1.0 + s * (1.0 / 3.0 + s * series)
        log2 = exponents[f] - (_MANTISSA_VALUE + _BIAS) + _TWO_BY_LN2 * (z * series)
        found[f] += sign * shares[f] * log2


@inner
def _negative_gains(sums: np.ndarray, totals: np.ndarray, unit: float, scores: np.ndarray) -> None:
    """scores[f] = minus the sum over both children of all nodes of G^2 / (H + 1)."""
    scores[:] = 0.0
    for node in range(len(sums)):
        whole_g, whole_h = totals[node, 0], totals[node, 1]
        for f in range(len(scores)):
            g1, h1 = sums[node, 0, f] * unit, sums[node, 1, f] * unit
            g0, h0 = (whole_g - sums[node, 0, f]) * unit, (whole_h - sums[node, 1, f]) * unit
            scores[f] -= g1 * g1 / (h1 + 1.0) + g0 * g0 / (h0 + 1.0)
