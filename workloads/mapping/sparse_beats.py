"""The bytes that a sparse machine is fed, beat by beat (docs/sparse.md 2)."""

from __future__ import annotations

import numpy as np

from designs.families.sparse import Design
from workloads.mapping.sparse_lists import Slice, list_starts
from workloads.sparse.layer import SparseLayer


def slice_beats(design: Design, layer: SparseLayer, slice_: Slice) -> np.ndarray:
    """(n_slice_beats, B) uint8: list lengths, pointers where there are queues, lists, rows; spare bytes are 0."""
    lengths = _beats(_bytes(slice_.lengths, 2), design.lengths_per_beat, design.dram_bytes_per_cycle)
    parts = [lengths, _list_beats(design, slice_), _row_beats(design, layer, slice_)]
    if slice_.pointers is not None:
        parts.insert(1, _pointer_beats(design, slice_.pointers))
    return np.concatenate(parts)


def vector_beats(design: Design, x: np.ndarray) -> np.ndarray:
    """(n_vector_beats, B) uint8 of one vector of W stored activations: the low act_bits of each, spare bits 0."""
    stored = np.asarray(x, np.int64) & ((1 << design.act_bits) - 1)
    return _beats(_bytes(stored, design.act_bytes), design.acts_per_beat, design.dram_bytes_per_cycle)


def n_slice_beats(design: Design, slice_: Slice, width: int) -> int:
    """Beats of a slice of a matrix of `width` columns, none of them made."""
    n_beats = _ceil(design.n_macs, design.lengths_per_beat)
    if design.feed == "queue":
        n_beats += design.n_macs * _ceil(width + 1, design.lengths_per_beat)
    n_beats += int((-(-slice_.lengths // design.entries_per_beat)).sum())
    return n_beats + _ceil(slice_.n_rows, design.rows_per_beat) * design.beats_per_row


def n_vector_beats(design: Design, width: int) -> int:
    """Beats of a vector of `width` activations."""
    return _ceil(width, design.acts_per_beat)


def _pointer_beats(design: Design, pointers: np.ndarray) -> np.ndarray:
    n_macs, n_pointers = pointers.shape
    filled = np.zeros((n_macs, _ceil(n_pointers, design.lengths_per_beat) * design.lengths_per_beat), np.int64)
    filled[:, :n_pointers] = pointers
    return _beats(_bytes(filled.ravel(), 2), design.lengths_per_beat, design.dram_bytes_per_cycle)


def _list_beats(design: Design, slice_: Slice) -> np.ndarray:
    value_bits, column_bits = design.value_bits, design.column_bits if design.feed == "window" else 0
    entries = slice_.values & ((1 << value_bits) - 1)
    if column_bits:
        entries = entries | slice_.columns << value_bits
    entries = entries | slice_.tags << (value_bits + column_bits)
    per_beat = design.entries_per_beat
    words = -(-slice_.lengths // per_beat)
    ends = np.cumsum(words)
    inside = np.arange(slice_.n_entries) - np.repeat(list_starts(slice_)[:-1], slice_.lengths)
    places = np.repeat((ends - words) * per_beat, slice_.lengths) + inside
    padded = np.zeros(int(ends[-1]) * per_beat, np.int64)
    padded[places] = entries
    return _beats(_bytes(padded, design.entry_bytes), per_beat, design.dram_bytes_per_cycle)


def _row_beats(design: Design, layer: SparseLayer, slice_: Slice) -> np.ndarray:
    rows = _bytes(layer.numbers.bias[slice_.first_row + slice_.permutation], 4)
    if design.output_order == "restored":
        rows = np.concatenate([rows, _bytes(slice_.permutation, 2)], axis=1)
    if design.beats_per_row == 1:
        return _beats(rows, design.rows_per_beat, design.dram_bytes_per_cycle)
    wide = np.zeros((len(rows), design.beats_per_row * design.dram_bytes_per_cycle), np.uint8)
    wide[:, : design.row_bytes] = rows
    return wide.reshape(-1, design.dram_bytes_per_cycle)


def _bytes(numbers: np.ndarray, n_bytes: int) -> np.ndarray:
    """(n, n_bytes) uint8: the low bytes of each number, the lowest first."""
    return np.ascontiguousarray(numbers, "<i8").view(np.uint8).reshape(-1, 8)[:, :n_bytes]


def _beats(items: np.ndarray, per_beat: int, beat_bytes: int) -> np.ndarray:
    """(n_beats, beat_bytes) uint8 of items (n, item bytes), `per_beat` one after the other in each beat."""
    n, item_bytes = items.shape
    n_beats = _ceil(n, per_beat)
    filled = np.zeros((n_beats * per_beat, item_bytes), np.uint8)
    filled[:n] = items
    beats = np.zeros((n_beats, beat_bytes), np.uint8)
    beats[:, : per_beat * item_bytes] = filled.reshape(n_beats, per_beat * item_bytes)
    return beats


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
