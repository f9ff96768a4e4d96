"""Sparse machines, exactly: cycles, where they went, what was counted, what a machine is made of (docs/sparse.md).

Work is shared: a matrix is dealt once for all designs that agree in what that depends on, multiply phases are computed
once for all that differ in beats, buffers and clock; what is left for a design point is one call of a kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np

from designs.errors import InputError
from designs.families.sparse import Design
from sim.inventory import Inventory
from sim.kernels.receiver import next_ready
from sim.kernels.sparse import times
from sim.kernels.sparse.times import PRIME, SETTLE, run_times
from sim.parts.sparse import sparse_inventory
from sim.parts.sparse_multiply import CAUSES, COUNTERS, Multiplied, multiply
from sim.run import LayerRun, Run
from workloads.kinds.matrices import Matrices
from workloads.mapping.sparse import Slice, n_slice_beats, n_vector_beats, reference, refusal, slices_of
from workloads.sparse.layer import SparseLayer, activations

RUNS = Matrices
MODEL_VERSION = "1"  # bump by hand when the meaning of a row changes; explore adds a hash of the sources

PHASES = ("latency", "load", "prime", *CAUSES, "settle", "drain")
ACTIVITY = (*COUNTERS, "outputs", "load_beats", "vector_beats", "overflows")

_KEPT_INVENTORIES = 256

_NONE = np.zeros(0, np.int64)  # no arrivals, no receiver: nothing stalls
_NO_EVENTS = np.zeros((0, times.N_EVENTS), np.int64)

_T = TypeVar("_T")


def simulate(designs: Sequence[Design], workload: Matrices) -> list[Run]:
    """One Run a design, in order: all layers, each from its own `start`. A layer that does not fit is a failed Run."""
    return [_simulate(design, workload) for design in designs]


def misfits(designs: Sequence[Design], workload: Matrices) -> list[str | None]:
    """For each design, why a layer does not fit it; None where all do."""
    return [_misfit(design, workload) for design in designs]


def inventory(design: Design, workload: Matrices | None = None) -> Inventory:
    """What the machine is made of, part by part; the same for all workloads."""
    unused = {"window": "queue_depth", "queue": "window"}[design.feed]
    return _inventory(replace(design, **_NOT_HARDWARE, **{unused: getattr(Design, unused)}))


def roofline_cycles(design: Design, layer: SparseLayer, n_macs: int) -> int:
    """Cycles that nothing goes below: all lanes multiply, or DRAM delivers values and activations, each once."""
    bits = layer.n_vectors * layer.width * design.act_bits
    if design.weights == "streamed":
        bits += layer.matrix.nnz * design.value_bits + layer.height * 32
    return max(-(-n_macs // design.n_macs), -(-bits // (8 * design.dram_bytes_per_cycle)))


def run_layer(
    design: Design,
    layer: SparseLayer,
    vectors: np.ndarray | None = None,
    *,
    beat_arrivals: np.ndarray | None = None,
    ready: np.ndarray | None = None,
) -> LayerRun:
    """One run of a layer with its vectors, or with others (n_vectors, W) of stored activations.

    `beat_arrivals` (n_beats,) is the first cycle in which each beat is offered (None: L + its number), `ready` (n,)
    bool the cycles in which the receiver takes a word (None, and after its end: always). InputError where the layer
    does not fit or an array has another shape.
    """
    if problem := _Facts.of(layer).refusal(design):
        raise InputError(f"{layer.name}: {problem}")
    arrivals = _NONE if beat_arrivals is None else np.ascontiguousarray(beat_arrivals, np.int64)
    receiver = _NONE if ready is None else next_ready(np.asarray(ready, bool))
    return _run_layer(design, layer, vectors, arrivals, receiver)


def timeline(design: Design, layer: SparseLayer, tiling: None = None) -> list[dict[str, Any]]:
    """What was loaded and ran when, as events `{track, name, start_cycle, end_cycle, layer, tile}` by track and time.

    `end_cycle` is the cycle after the last one; `tile` counts runs. InputError where the layer does not fit, or where a
    tiling is given: there is none.
    """
    facts = _Facts.of(layer)
    if problem := facts.refusal(design):
        raise InputError(f"{layer.name}: {problem}")
    if tiling is not None:
        raise InputError(f"{layer.name}: wanted no tiling, as slices follow from the machine, got one; leave it out")
    multiplied, slices = facts.multiplied(design), facts.slices(design)
    events = np.zeros((multiplied.cycles.size, times.N_EVENTS), np.int64)
    run_times(
        multiplied.cycles, facts.slice_beats(design), n_vector_beats(design, layer.width),
        _output_words(design, slices), design.n_buffers, design.dram_latency_cycles, _NONE, _NONE, events,
    )  # fmt: skip
    found = []
    for track, name, first, end in _TRACKS:
        for run, cycles in enumerate(events.tolist()):
            start_cycle, end_cycle = cycles[first], cycles[end] + (end in _LAST_CYCLES)
            if start_cycle >= 0 and end_cycle > start_cycle:
                found.append(
                    {
                        "track": track,
                        "name": f"{name} {run}",
                        "start_cycle": start_cycle,
                        "end_cycle": end_cycle,
                        "layer": layer.name,
                        "tile": run,
                    }
                )
    return found


_TRACKS = (  # track, what, column of its first cycle, column of its end
    ("slices", "lists of run", times.SLICE_FIRST, times.SLICE_LAST),
    ("vectors", "vector of run", times.VECTOR_FIRST, times.VECTOR_LAST),
    ("prime", "prime", times.STARTED, times.PRIMED),
    ("multiply", "multiply", times.PRIMED, times.MULTIPLIED),
    ("results", "settle and drain", times.MULTIPLIED, times.ENDED),
)
_LAST_CYCLES = (times.SLICE_LAST, times.VECTOR_LAST, times.ENDED)  # others are the first cycles after


def n_beats(design: Design, layer: SparseLayer) -> int:
    """Beats of one run of the layer."""
    facts = _Facts.of(layer)
    n_slices = len(facts.slices(design))
    return int(facts.slice_beats(design).sum()) + n_slices * layer.n_vectors * n_vector_beats(design, layer.width)


# What designs share.


_NOT_HARDWARE: dict[str, Any] = {
    name: getattr(Design, name) for name in ("sort_rows", "weights", "dram_latency_cycles", "clock_mhz", "node_nm")
}


@lru_cache(maxsize=_KEPT_INVENTORIES)
def _inventory(design: Design) -> Inventory:
    return sparse_inventory(design)


class _Facts:
    """What was found about a layer, by the fields of a design that it depends on; it goes when the layer goes."""

    _KEPT: WeakKeyDictionary[SparseLayer, _Facts] = WeakKeyDictionary()

    _NUMBERS = attrgetter("act_words", "value_bits", "act_bits", "requant_multiplier_bits", "weights")
    _DEALING = attrgetter("n_macs", "n_sets", "sort_rows", "feed", "gap_bits", "accumulators", "lane_entries")
    _BEATS = attrgetter("entries_per_beat", "lengths_per_beat", "rows_per_beat", "beats_per_row")
    _FEEDS = {
        "window": attrgetter("window", "entries_per_beat"),
        "queue": attrgetter("queue_depth", "skip_zeros", "entries_per_beat"),
    }  # fmt: skip
    _SUMS = attrgetter("act_bits", "acc_bits", "acc_overflow")

    def __init__(self, layer: SparseLayer) -> None:
        self._layer = ref(layer)  # whoever asks holds it
        self._slices: dict[Hashable, tuple[ReferenceType[Slice], ...]] = {}
        self._found: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, layer: SparseLayer) -> _Facts:
        found = cls._KEPT.get(layer)
        if found is None:
            found = cls._KEPT[layer] = cls(layer)
        return found

    @property
    def layer(self) -> SparseLayer:
        layer = self._layer()
        assert layer is not None
        return layer

    def refusal(self, design: Design) -> str | None:
        key = ("refusal", self._NUMBERS(design), self._DEALING(design))
        return self._once(key, lambda: refusal(design, self.layer))

    def slices(self, design: Design) -> tuple[Slice, ...]:
        """Kept for as long as the mapping keeps them."""
        key = self._DEALING(design)
        kept = tuple(one() for one in self._slices.get(key, ()))
        alive = tuple(one for one in kept if one is not None)
        if not kept or len(alive) < len(kept):
            alive = slices_of(design, self.layer)
            self._slices[key] = tuple(ref(one) for one in alive)
        return alive

    def slice_beats(self, design: Design) -> np.ndarray:
        """(n_slices,) int64; zeros where they were loaded before."""
        if design.weights == "resident":
            return np.zeros(len(self.slices(design)), np.int64)
        width = self.layer.width
        return self._once(
            ("beats", self._DEALING(design), self._BEATS(design)),
            lambda: np.array([n_slice_beats(design, one, width) for one in self.slices(design)], np.int64),
        )

    def alive(self, design: Design) -> np.ndarray:
        """(n_vectors, W) bool: which activations are not zero, whatever their bits."""
        return self._once("alive", lambda: _alive(self.layer, activations(self.layer, design.act_bits)))

    def multiplied(self, design: Design) -> Multiplied:
        """Of all slices with the layer's own vectors."""
        key = ("multiplied", self._DEALING(design), self._FEEDS[design.feed](design))
        return self._once(key, lambda: _multiplied(design, self.slices(design), self.alive(design)))

    def n_overflows(self, design: Design) -> int:
        """With the layer's own vectors."""
        key = ("overflows", self._DEALING(design), self._SUMS(design))
        return self._once(key, lambda: _n_overflows(design, self.layer, self.slices(design), None))

    def _once(self, key: Hashable, find: Callable[[], _T]) -> _T:
        if key not in self._found:
            self._found[key] = find()
        found: _T = self._found[key]
        return found


def _alive(layer: SparseLayer, vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors != layer.numbers.in_zero)


def _multiplied(design: Design, slices: Sequence[Slice], alive: np.ndarray) -> Multiplied:
    """Of all slices together; `cycles` are (n_slices, n_vectors)."""
    found = [multiply(design, one, alive) for one in slices]
    return Multiplied(
        np.stack([one.cycles for one in found]),
        np.sum([one.counted for one in found], axis=0),
        np.sum([one.causes for one in found], axis=0),
    )


def _n_overflows(design: Design, layer: SparseLayer, slices: Sequence[Slice], vectors: np.ndarray | None) -> int:
    """Lane additions that do not fit. Where no sum of a whole list could reach the bounds, none is looked at."""
    longest = max(int(one.lengths.max()) for one in slices)
    largest = int(np.abs(layer.matrix.values).max(initial=0)) * ((1 << design.act_bits) - 1)
    if longest * largest < 1 << (design.acc_bits - 1):
        return 0
    return reference(design, layer, activations(layer, design.act_bits) if vectors is None else vectors)[1]


# One design point.


def _simulate(design: Design, workload: Matrices) -> Run:
    if problem := _misfit(design, workload):
        return Run(failure=problem)
    layers = tuple(_run_layer(design, layer, None, _NONE, _NONE) for layer in workload.layers)
    activity = _total(ACTIVITY, [(layer.activity, layer.repeat) for layer in layers])
    phases = _total(PHASES, [(layer.phases, layer.repeat) for layer in layers])
    multiply_cycles = sum(phases[cause] for cause in CAUSES)
    return Run(
        cycles=sum(layer.cycles * layer.repeat for layer in layers),
        phases=phases,
        activity=activity,
        roofline_cycles=sum(layer.roofline_cycles * layer.repeat for layer in layers),
        layers=layers,
        figures={"multiply_utilization": _share(activity["macs"], design.n_macs * multiply_cycles)},
    )


def _misfit(design: Design, workload: Matrices) -> str | None:
    for layer in workload.layers:
        if problem := _Facts.of(layer).refusal(design):
            return f"{layer.name}: {problem}"
    return None


def _run_layer(
    design: Design, layer: SparseLayer, vectors: np.ndarray | None, arrivals: np.ndarray, receiver: np.ndarray
) -> LayerRun:
    facts = _Facts.of(layer)
    slices, slice_beats = facts.slices(design), facts.slice_beats(design)
    if vectors is None:
        multiplied, n_overflows = facts.multiplied(design), facts.n_overflows(design)
    else:
        multiplied = _multiplied(design, slices, _alive(layer, _checked(layer, vectors)))
        n_overflows = _n_overflows(design, layer, slices, vectors)
    n_runs, n_vectors = multiplied.cycles.size, multiplied.cycles.shape[1]
    beats = n_vector_beats(design, layer.width)
    load_beats, vector_beats = int(slice_beats.sum()), n_runs * beats
    if len(arrivals) not in (0, load_beats + vector_beats):
        raise InputError(f"beat_arrivals: wanted {load_beats + vector_beats} cycles, one a beat, got {len(arrivals)}")
    latency = int(arrivals[0]) if len(arrivals) else design.dram_latency_cycles
    cycles, drain = run_times(
        multiplied.cycles, slice_beats, beats, _output_words(design, slices), design.n_buffers, latency, arrivals,
        receiver, _NO_EVENTS,
    )  # fmt: skip
    phases = {"prime": n_runs * PRIME, **dict(zip(CAUSES, multiplied.causes.tolist(), strict=True))}
    phases |= {"settle": n_runs * SETTLE, "drain": int(drain)}
    load = int(cycles) - latency - sum(phases.values())
    activity = dict(zip(COUNTERS, multiplied.counted.tolist(), strict=True))
    n_macs = activity["macs"]
    return LayerRun(
        name=layer.name,
        cycles=int(cycles),
        phases={"latency": latency, "load": load, **phases},
        activity={
            **activity,
            "outputs": layer.height * n_vectors,
            "load_beats": load_beats,
            "vector_beats": vector_beats,
            "overflows": n_overflows,
        },
        roofline_cycles=roofline_cycles(design, layer, n_macs),
        n_macs=n_macs,
        utilization=_share(n_macs, design.n_macs * int(cycles)),
        repeat=layer.repeat,
    )


def _checked(layer: SparseLayer, vectors: np.ndarray) -> np.ndarray:
    if vectors.ndim != 2 or not len(vectors) or vectors.shape[1] != layer.width:
        raise InputError(
            f"{layer.name}: vectors: wanted (n_vectors, {layer.width}), got the shape {vectors.shape}; one row a vector"
        )
    return vectors


def _output_words(design: Design, slices: Sequence[Slice]) -> np.ndarray:
    """(n_slices,) int64: words of one run's results."""
    results = design.n_sets if design.output_order == "folded" else 1
    return np.array([-(-one.n_rows // results) for one in slices], dtype=np.int64)


def _total(names: Sequence[str], counts: Sequence[tuple[Mapping[str, int], int]]) -> dict[str, int]:
    if len(counts) == 1:  # as in most sweeps
        ((of, repeat),) = counts
        return {name: count * repeat for name, count in of.items()}
    return {name: sum(of[name] * repeat for of, repeat in counts) for name in names}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
