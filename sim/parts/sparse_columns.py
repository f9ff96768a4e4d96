"""Many sparse machines as columns: one layer on all of them (docs/batched.md).

Machines are told apart by what each step depends on: how rows are dealt, what feeds lanes, sizes of beats, sums. Each
step is done once for all that are alike in it, and what machines differ in is one call of a kernel for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from designs.families.sparse import Design
from sim.columns import grouped
from sim.kernels.sparse.times import PRIME, SETTLE, run_times_of_all
from sim.parts.sparse_facts import Facts
from sim.parts.sparse_multiply import CAUSES, COUNTERS
from workloads.mapping.sparse import n_vector_beats
from workloads.sparse.layer import SparseLayer

PHASES = ("latency", "load", "prime", *CAUSES, "settle", "drain")
ACTIVITY = (*COUNTERS, "outputs", "load_beats", "vector_beats", "overflows")

_NUMBERS = attrgetter(
    "n_macs", "double_buffered", "dram_latency_cycles", "value_bits", "act_bits", "dram_bytes_per_cycle"
)
# Fields that tell apart: of how rows are dealt, of what feeds lanes, of beats' sizes, of what fits.
_DEALING = attrgetter("n_macs", "n_sets", "sort_rows", "feed", "relative_bits", "accumulators", "lane_entries")
_FEEDING = attrgetter("feed", "window", "queue_depth", "skip_zeros")
_SIZES = attrgetter(
    "value_bits", "act_words", "accumulators", "feed", "relative_bits", "dram_bytes_per_cycle", "act_bits",
    "output_order",
)  # fmt: skip
_SUMS = attrgetter("act_bits", "acc_bits", "acc_overflow")
_FITTING = attrgetter("act_words", "value_bits", "act_bits", "requant_multiplier_bits", "weights")


class Columns:
    """Machines as columns, and which of them are alike in what."""

    def __init__(self, designs: Sequence[Design]) -> None:
        self.designs = designs
        numbers = np.array(list(map(_NUMBERS, designs)), np.int64).reshape(len(designs), 6)
        self.n_macs, self.double_buffered, self.dram_latency_cycles, self.value_bits, self.act_bits, self.dram_bytes = (
            np.ascontiguousarray(numbers.T)
        )
        self.streamed = np.array([design.weights == "streamed" for design in designs], np.int64)
        _, self.dealing = grouped(map(_DEALING, designs))
        firsts, self.sizes = grouped(map(_SIZES, designs))
        self.entries_per_beat = np.array([designs[first].entries_per_beat for first in firsts], np.int64)[self.sizes]
        firsts, which = grouped(map(_FEEDING, designs))
        self.feeding = grouped(_feeding(designs[first]) for first in firsts)[1][which]
        _, self.sums = grouped(map(_SUMS, designs))

    @property
    def n_buffers(self) -> np.ndarray:
        return 1 + self.double_buffered


def _feeding(design: Design) -> tuple[int, ...]:
    """What multiply phases depend on, of lanes and lists that are alike."""
    return (design.window,) if design.feed == "window" else (design.queue_depth, design.skip_zeros)


def fitting(designs: Sequence[Design], problem: Callable[[Design], str | None]) -> list[str | None]:
    """The problem of each design; of those that are alike in all that can be one, found once."""
    firsts, which = grouped((_FITTING(design), _DEALING(design)) for design in designs)
    problems = [problem(designs[first]) for first in firsts]
    return [problems[number] for number in which.tolist()]


class LayerColumns(NamedTuple):
    """One layer on n machines."""

    cycles: np.ndarray  # (n,) int64
    phases: np.ndarray  # (n, len(PHASES)) int64
    activity: np.ndarray  # (n, len(ACTIVITY)) int64
    roofline_cycles: np.ndarray  # (n,) int64


def run_layer_on_all(columns: Columns, layer: SparseLayer) -> LayerColumns:
    """One run of a layer that fits all machines, with its own vectors; nothing stalls."""
    facts, designs = Facts.of(layer), columns.designs
    dealt = _alike(columns.dealing)
    kept = [facts.slices(designs[first]) for first in dealt.firsts]  # alive until all is found
    n_slices = np.array([len(slices) for slices in kept], np.int64)[dealt.which]
    beats = _alike(columns.dealing, columns.sizes, columns.streamed)
    slice_beats = [facts.slice_beats(designs[first]) for first in beats.firsts]
    sized = _alike(columns.sizes)
    vector_beats = sized.spread([n_vector_beats(designs[first], layer.width) for first in sized.firsts])
    words = _alike(columns.dealing, columns.sizes)
    output_words = [facts.output_words(designs[first]) for first in words.firsts]
    fed = _alike(columns.dealing, columns.feeding, columns.entries_per_beat)
    multiplied = [facts.multiplied(designs[first]) for first in fed.firsts]
    added = _alike(columns.dealing, columns.sums)
    n_overflows = added.spread([facts.n_overflows(designs[first]) for first in added.firsts])

    cycles, drain = run_times_of_all(
        np.concatenate([one.cycles.ravel() for one in multiplied]), fed.places([one.cycles.size for one in multiplied]),
        np.concatenate(slice_beats), beats.places(list(map(len, slice_beats))),
        np.concatenate(output_words), words.places(list(map(len, output_words))),
        n_slices, layer.n_vectors, vector_beats, columns.n_buffers, columns.dram_latency_cycles,
    )  # fmt: skip
    counted, n_runs = fed.spread([one.counted for one in multiplied]), n_slices * layer.n_vectors
    phases = np.empty((len(designs), len(PHASES)), np.int64)
    phases[:, 0], phases[:, 2], phases[:, -2], phases[:, -1] = (
        columns.dram_latency_cycles, n_runs * PRIME, n_runs * SETTLE, drain,
    )  # fmt: skip
    phases[:, 3:-2] = fed.spread([one.causes for one in multiplied])
    phases[:, 1] = cycles - phases[:, 0] - phases[:, 2:].sum(axis=1)
    load_beats = beats.spread([int(each.sum()) for each in slice_beats])
    outputs = np.full(len(designs), layer.height * layer.n_vectors)
    activity = np.column_stack([counted, outputs, load_beats, n_runs * vector_beats, n_overflows])
    n_macs, c = counted[:, COUNTERS.index("macs")], columns
    of_lanes, of_dram = bounds(layer, n_macs, c.n_macs, c.act_bits, c.value_bits, c.streamed, c.dram_bytes)
    return LayerColumns(cycles, phases, activity, np.maximum(of_lanes, of_dram))


def bounds(
    layer: SparseLayer, n_macs: Any, n_lanes: Any, act_bits: Any, value_bits: Any, streamed: Any, dram_bytes: Any
) -> tuple[Any, Any]:
    """Cycles of lanes that all multiply; cycles of DRAM that delivers values and activations, each once.

    Of one machine numbers, of many columns.
    """
    bits = layer.n_vectors * layer.width * act_bits + streamed * (layer.matrix.nnz * value_bits + layer.height * 32)
    return -(-n_macs // n_lanes), -(-bits // (8 * dram_bytes))


class _Alike(NamedTuple):
    """Machines in classes."""

    firsts: list[int]  # a machine of each class
    which: np.ndarray  # (n,) int64: class of each machine

    def spread(self, values: Sequence[object]) -> np.ndarray:
        """Of each machine, from those of each class."""
        found: np.ndarray = np.array(values, np.int64)[self.which]
        return found

    def places(self, sizes: Sequence[int]) -> np.ndarray:
        """(n,) int64: where what each machine reads begins, when that of all classes comes one after the other."""
        return self.spread(np.cumsum([0, *sizes])[:-1].tolist())


def _alike(*columns: np.ndarray) -> _Alike:
    """Machines that are alike in all columns, of numbers from 0 on."""
    keys = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        keys = keys * (int(column.max(initial=0)) + 1) + column
    _, firsts, which = np.unique(keys, return_index=True, return_inverse=True)
    return _Alike(firsts.tolist(), which.reshape(-1))
