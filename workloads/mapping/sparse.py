"""What a sparse machine executes: slices of rows as lists of lanes, their beats, and the result (docs/sparse.md)."""

from __future__ import annotations

import numpy as np
from numba import njit

from designs.errors import InputError
from designs.families.sparse import Design
from workloads.mapping.sparse_beats import n_slice_beats, n_vector_beats, slice_beats, vector_beats
from workloads.mapping.sparse_lists import Slice, extent, list_starts, longest_list, slice_of
from workloads.requantize import requantize
from workloads.sparse.layer import SparseLayer, stored_range

__all__ = [
    "Slice",
    "list_starts",
    "n_slice_beats",
    "n_vector_beats",
    "reference",
    "refusal",
    "slice_beats",
    "slices_of",
    "vector_beats",
]


def slices_of(design: Design, layer: SparseLayer) -> tuple[Slice, ...]:
    """The slices in order; equal machines and machines that differ elsewhere share them. InputError as `refusal`."""
    reason = _number_refusal(design, layer)
    slices, too_long = ((), None) if reason else _sliced(design, layer)
    if reason := reason or too_long or _resident_refusal(design, slices):
        raise InputError(f"{layer.name}: {reason}")
    return slices


def refusal(design: Design, layer: SparseLayer) -> str | None:
    """Why the machine cannot run the layer, in one line that begins with what to change; None where it can."""
    if reason := _number_refusal(design, layer):
        return reason
    slices, too_long = _sliced(design, layer)
    return too_long or _resident_refusal(design, slices)


def reference(design: Design, layer: SparseLayer, vectors: np.ndarray) -> tuple[np.ndarray, int]:
    """(outputs (n_vectors, H) int64, overflows) of stored vectors (n_vectors, W), in the machine's order of additions.

    Each lane adds its entries in list order to the accumulator of the entry's tag; each addition whose exact result
    does not fit acc_bits counts one overflow. All after that is exact. InputError as `refusal`.
    """
    numbers = layer.numbers
    centred = np.ascontiguousarray(vectors, np.int64) - numbers.in_zero
    sums = np.empty((len(centred), layer.height), np.int64)
    n_overflows = 0
    for one in slices_of(design, layer):
        of_positions, n_over = _accumulate(
            centred, list_starts(one), one.values, one.columns, one.accumulators_of_entries,
            one.n_rows, design.n_sets, design.acc_bits, design.acc_overflow == "saturate",
        )  # fmt: skip
        sums[:, one.first_row + one.permutation] = of_positions
        n_overflows += int(n_over)
    outputs = requantize(
        sums + numbers.bias, numbers.multiplier, numbers.shift, numbers.out_zero, numbers.out_low, numbers.out_high
    )
    return outputs, n_overflows


def _sliced(design: Design, layer: SparseLayer) -> tuple[tuple[Slice, ...], str | None]:
    """The slices, or why one row alone does not fit: rows are halved until all slices do."""
    bounds = extent(layer.matrix).row_starts
    n_rows = layer.height
    while True:
        firsts = range(0, layer.height, n_rows)
        counts = (np.diff(bounds[first : first + n_rows + 1]) for first in firsts)
        if n_rows <= design.accumulators * design.n_sets and all(
            longest_list(design, of_rows) <= design.lane_entries for of_rows in counts
        ):
            slices = tuple(
                slice_of(design, layer.matrix, first, min(n_rows, layer.height - first)) for first in firsts
            )
            if all(one.lengths.max() <= design.lane_entries for one in slices):  # padding included
                return slices, None
        if n_rows == 1:
            return (), (
                f"lane_entries: wanted room for the entries of one row in the {design.ways} lanes of a set, "
                f"got {design.lane_entries} a lane; raise it"
            )
        n_rows = -(-n_rows // 2)


def _resident_refusal(design: Design, slices: tuple[Slice, ...]) -> str | None:
    if design.weights == "resident" and len(slices) > 1:
        return f"weights: wanted streamed for a matrix of {len(slices)} slices, got resident; or raise lane_entries"
    return None


def _number_refusal(design: Design, layer: SparseLayer) -> str | None:
    """Why sizes and integers of the layer do not fit the machine's widths."""
    numbers, weights = layer.numbers, extent(layer.matrix)
    if layer.width > design.act_words:
        return f"act_words: wanted {layer.width} or more for as many columns, got {design.act_words}; raise it"
    low, high = stored_range(design.value_bits, signed=True)
    if not low <= weights.lowest <= weights.highest <= high:
        found = f"{weights.lowest} to {weights.highest}"
        return f"value_bits: wanted room for weights of {found}, got {design.value_bits}; raise it"
    if numbers.multiplier >> design.requant_multiplier_bits:
        return (
            f"requant_multiplier_bits: wanted {numbers.multiplier.bit_length()} or more for the multiplier "
            f"{numbers.multiplier}, got {design.requant_multiplier_bits}; raise it"
        )
    given = [numbers.in_zero] if layer.vectors is None else [numbers.in_zero, layer.vectors.min(), layer.vectors.max()]
    results = [numbers.out_zero, numbers.out_low, numbers.out_high]
    for what, extremes, signed in (("activations", given, numbers.in_signed), ("results", results, min(results) < 0)):
        low, high = stored_range(design.act_bits, signed)
        if not low <= min(extremes) <= max(extremes) <= high:
            found = f"{min(extremes)} to {max(extremes)}"
            return f"act_bits: wanted room for {what} of {found}, got {design.act_bits} ({low} to {high}); raise it"
    return None


@njit(cache=True)
def _fit(value, bits, saturate):  # type: ignore[no-untyped-def]
    """(value that the accumulator holds, 1 if `value` did not fit).

    As in workloads/accumulate.py, and not called there: machine code is only renewed when its own file changes.
    """
    high = (np.int64(1) << (bits - 1)) - 1
    low = -high - 1
    if low <= value <= high:
        return value, 0
    if saturate:
        return (high if value > high else low), 1
    return ((value - low) & ((np.int64(1) << bits) - 1)) + low, 1


@njit(cache=True)
def _accumulate(x, starts, values, columns, tags, n_rows, n_sets, bits, saturate):  # type: ignore[no-untyped-def]
    """(sums (n_vectors, n_rows) in the order of positions, overflows) of centred vectors x (n_vectors, W)."""
    n_macs = len(starts) - 1
    ways = n_macs // n_sets
    n_overflows = 0
    sums = np.zeros((len(x), n_rows), np.int64)
    accumulators = np.empty((n_rows + n_sets - 1) // n_sets, np.int64)
    for vector in range(len(x)):
        for lane in range(n_macs):
            accumulators[:] = 0
            for entry in range(starts[lane], starts[lane + 1]):
                total = accumulators[tags[entry]] + values[entry] * x[vector, columns[entry]]
                accumulators[tags[entry]], over = _fit(total, bits, saturate)
                n_overflows += over
            for tag in range(len(accumulators)):
                position = tag * n_sets + lane // ways
                if position < n_rows:
                    sums[vector, position] += accumulators[tag]
    return sums, n_overflows
