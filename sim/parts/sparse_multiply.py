"""Multiply phases of a sparse machine: cycles of each run, and what is counted (docs/sparse.md, sections 3 to 5).

What does not depend on the machine's times is kept with the slice it belongs to, and goes when the slice goes: the
points of a sweep share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from designs.families.sparse import Design
from sim.kernels.sparse import queue
from sim.kernels.sparse.queue import multiply_queue
from sim.kernels.sparse.window import multiply_window, runs_of_lists
from workloads.mapping.sparse import Slice

COUNTERS = (
    "macs",
    "padding_macs",
    "window_stalls",
    "idle_lanes",
    "empty_columns",
    "queue_stalls",
    "entry_reads",
    "act_reads",
    "acc_updates",
)
CAUSES = ("multiply", "stall_window", "stall_queue", "imbalance")  # what multiply cycles went to


class Multiplied(NamedTuple):
    """The multiply phases of one slice with some vectors."""

    cycles: np.ndarray  # (n_vectors,) int64
    counted: np.ndarray  # (len(COUNTERS),) int64, over all vectors
    causes: np.ndarray  # (len(CAUSES),) int64: they add up to the sum of `cycles`


def multiply(design: Design, slice_: Slice, alive: np.ndarray) -> Multiplied:
    """All runs of a slice; `alive` (n_vectors, W) bool tells activations that are not zero."""
    kept = _KEPT.get(slice_)
    if kept is None:
        kept = _KEPT[slice_] = _Lists(slice_.lengths, slice_.columns, slice_.is_padding, slice_.pointers)
    return _window(design, kept, alive) if design.feed == "window" else _queue(design, kept, alive)


@dataclass(eq=False)
class _Lists:
    """The lists of a slice, arranged for the kernels when they are first asked for. It does not hold the slice."""

    lengths: np.ndarray
    columns: np.ndarray
    is_padding: np.ndarray
    pointers: np.ndarray | None

    def __post_init__(self) -> None:
        self.windows: dict[int, tuple[int, int, int]] = {}

    @cached_property
    def runs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The lists column after column."""
        return runs_of_lists(self.lengths, self.columns, int(self.columns.max(initial=-1)) + 1)

    def window(self, window: int) -> tuple[int, int, int]:
        """(cycles, sum of the cycles until each lane has ended, last head) of any vector."""
        if window not in self.windows:
            self.windows[window] = multiply_window(*self.runs, len(self.lengths), window)
        return self.windows[window]

    @cached_property
    def by_column(self) -> np.ndarray:
        """(W + 1, N) int32: the first entry of each lane in each column."""
        assert self.pointers is not None
        return np.ascontiguousarray(self.pointers.T, dtype=np.int32)

    @cached_property
    def column_totals(self) -> np.ndarray:
        """(W, 3) int64 of each column: entries, padding among them, lanes without any."""
        counts = np.diff(self.by_column, axis=0)
        padding = np.bincount(self.columns[self.is_padding != 0], minlength=len(counts))
        return np.stack([counts.sum(axis=1, dtype=np.int64), padding, (counts == 0).sum(axis=1)], axis=1)


_KEPT: WeakKeyDictionary[Slice, _Lists] = WeakKeyDictionary()


def _window(design: Design, lists: _Lists, alive: np.ndarray) -> Multiplied:
    """The same for every vector: zeros are multiplied too."""
    n_vectors, n_columns = alive.shape
    cycles, lane_cycles, head = lists.window(design.window)
    n_entries, longest = len(lists.columns), int(lists.lengths.max())
    n_words = int((-(-lists.lengths // design.entries_per_beat)).sum())
    act_reads = min(n_columns, head + design.window) if cycles else 0
    share = -(-n_entries // design.n_macs)
    counted = {
        "macs": n_entries,
        "window_stalls": lane_cycles - n_entries,
        "idle_lanes": design.n_macs * cycles - lane_cycles,
        "entry_reads": n_words,
        "act_reads": act_reads,
        "acc_updates": n_entries,
    }
    causes = {"multiply": share, "stall_window": cycles - longest, "imbalance": longest - share}
    return Multiplied(
        np.full(n_vectors, cycles, np.int64), n_vectors * _row(counted, COUNTERS), n_vectors * _row(causes, CAUSES)
    )


def _queue(design: Design, lists: _Lists, alive: np.ndarray) -> Multiplied:
    n_vectors = len(alive)
    if not design.skip_zeros or alive.all():  # all vectors alike
        alive = np.ones((1, alive.shape[1]), bool)
    word_shift = design.entries_per_beat.bit_length() - 1
    found = multiply_queue(lists.by_column, alive, design.queue_depth, word_shift)
    entries, padding, empty = (alive @ lists.column_totals).T
    cycles, longest = found[:, queue.CYCLES], found[:, queue.LONGEST]
    share = -(-entries // design.n_macs)
    counted = {
        "macs": entries - padding,
        "padding_macs": padding,
        "idle_lanes": design.n_macs * cycles - entries - empty,
        "empty_columns": empty,
        "queue_stalls": found[:, queue.QUEUE_STALLS],
        "entry_reads": found[:, queue.ENTRY_READS],
        "act_reads": found[:, queue.BROADCASTS],
        "acc_updates": entries,
    }
    causes = {"multiply": share, "stall_queue": cycles - longest, "imbalance": longest - share}
    times = n_vectors // len(alive)
    return Multiplied(
        np.tile(cycles, times),
        times * _row({name: counts.sum() for name, counts in counted.items()}, COUNTERS),
        times * _row({name: counts.sum() for name, counts in causes.items()}, CAUSES),
    )


def _row(values: dict[str, int], names: tuple[str, ...]) -> np.ndarray:
    return np.array([values.get(name, 0) for name in names], dtype=np.int64)
