"""Sparse machines, exactly: cycles, where they went, what was counted, what a machine is made of (docs/sparse.md).

Work is shared: a matrix is dealt once for all designs that agree in what that depends on, multiply phases are computed
once for all that differ in beats, buffers and clock; what is left for a design point is one call of a kernel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.families.sparse import Design
from sim.inventory import Inventory
from sim.kernels.receiver import next_ready
from sim.kernels.sparse import times
from sim.kernels.sparse.times import PRIME, SETTLE, run_times
from sim.parts.sparse import sparse_inventory
from sim.parts.sparse_columns import ACTIVITY, PHASES, Columns, LayerColumns, bounds, fitting, run_layer_on_all
from sim.parts.sparse_facts import Facts, alive_of, multiplied_of, n_overflows_of
from sim.parts.sparse_multiply import CAUSES, COUNTERS
from sim.run import LayerRun, Run, made
from workloads.kinds.matrices import Matrices
from workloads.mapping.sparse import n_vector_beats
from workloads.sparse.layer import SparseLayer

RUNS = Matrices
MODEL_VERSION = "1"  # bump by hand when the meaning of a row changes; explore adds a hash of the sources

_KEPT_INVENTORIES = 256

_NONE = np.zeros(0, np.int64)  # no arrivals, no receiver: nothing stalls
_NO_EVENTS = np.zeros((0, times.N_EVENTS), np.int64)


def simulate(designs: Sequence[Design], workload: Matrices) -> list[Run]:
    """One Run a design, in order: all layers, each from its own `start`. A layer that does not fit is a failed Run.

    Each layer is one call of a kernel for all designs; a few designs are simulated one at a time, which is faster for
    them. Runs are the same (docs/batched.md).
    """
    if len(designs) < _FEWEST_TOGETHER:
        return [simulate_one(design, workload) for design in designs]
    problems = misfits(designs, workload)
    places = [place for place, problem in enumerate(problems) if problem is None]
    found = iter(_together([designs[place] for place in places], workload))
    return [next(found) if problem is None else Run(failure=problem) for problem in problems]


def simulate_one(design: Design, workload: Matrices) -> Run:
    """The Run of one design, by itself: the scalar simulator that `simulate` equals."""
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


def misfits(designs: Sequence[Design], workload: Matrices) -> list[str | None]:
    """For each design, why a layer does not fit it; None where all do."""
    return fitting(designs, lambda design: _misfit(design, workload))


def inventory(design: Design, workload: Matrices | None = None) -> Inventory:
    """What the machine is made of, part by part; the same for all workloads."""
    unused = {"window": "queue_depth", "queue": "window"}[design.feed]
    return _inventory(replace(design, **_NOT_HARDWARE, **{unused: getattr(Design, unused)}))


def roofline_cycles(design: Design, layer: SparseLayer, n_macs: int) -> int:
    """Cycles that nothing goes below: all lanes multiply, or DRAM delivers values and activations, each once."""
    streamed = design.weights == "streamed"
    return max(
        bounds(layer, n_macs, design.n_macs, design.act_bits, design.value_bits, streamed, design.dram_bytes_per_cycle)
    )


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
    if problem := Facts.of(layer).refusal(design):
        raise InputError(f"{layer.name}: {problem}")
    arrivals = _NONE if beat_arrivals is None else np.ascontiguousarray(beat_arrivals, np.int64)
    receiver = _NONE if ready is None else next_ready(np.asarray(ready, bool))
    return _run_layer(design, layer, vectors, arrivals, receiver)


def timeline(design: Design, layer: SparseLayer, tiling: None = None) -> list[dict[str, Any]]:
    """What was loaded and ran when, as events `{track, name, start_cycle, end_cycle, layer, tile}` by track and time.

    `end_cycle` is the cycle after the last one; `tile` counts runs. InputError where the layer does not fit, or where a
    tiling is given: there is none.
    """
    facts = Facts.of(layer)
    if problem := facts.refusal(design):
        raise InputError(f"{layer.name}: {problem}")
    if tiling is not None:
        raise InputError(f"{layer.name}: wanted no tiling, as slices follow from the machine, got one; leave it out")
    multiplied = facts.multiplied(design)
    events = np.zeros((multiplied.cycles.size, times.N_EVENTS), np.int64)
    run_times(
        multiplied.cycles, facts.slice_beats(design), n_vector_beats(design, layer.width),
        facts.output_words(design), design.n_buffers, design.dram_latency_cycles, _NONE, _NONE, events,
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
    facts = Facts.of(layer)
    n_slices = len(facts.slices(design))
    return int(facts.slice_beats(design).sum()) + n_slices * layer.n_vectors * n_vector_beats(design, layer.width)


# What designs share.


_NOT_HARDWARE: dict[str, Any] = {
    name: getattr(Design, name) for name in ("sort_rows", "weights", "dram_latency_cycles", "clock_mhz", "node_nm")
}


@lru_cache(maxsize=_KEPT_INVENTORIES)
def _inventory(design: Design) -> Inventory:
    return sparse_inventory(design)


# Many design points.


_FEWEST_TOGETHER = 8  # measured: fewer are faster one at a time


def _together(designs: Sequence[Design], workload: Matrices) -> list[Run]:
    """The Run of each design; all layers fit."""
    if not designs:
        return []
    columns = Columns(designs)
    layers = [(layer, run_layer_on_all(columns, layer)) for layer in workload.layers]
    n_macs = columns.n_macs.tolist()
    runs_of_layers = [list(_layer_runs(layer, found, n_macs)) for layer, found in layers]
    if len(layers) == 1 and layers[0][0].repeat == 1:  # as in most sweeps: the network is its layer
        total, of_layer = layers[0][1], runs_of_layers[0]
        counts = [(run.phases, run.activity) for run in of_layer]
    else:
        total = LayerColumns(*(np.sum([la.repeat * found[i] for la, found in layers], axis=0) for i in range(4)))
        rows = zip(total.phases.tolist(), total.activity.tolist(), strict=True)
        counts = [(_named(PHASES, phases), _named(ACTIVITY, activity)) for phases, activity in rows]
    multiplying = total.phases[:, _CAUSES].sum(axis=1) * columns.n_macs
    return [
        made(
            Run, cycles=cycles, phases=phases, activity=activity, roofline_cycles=bound, layers=tuple(of_layers),
            stages=(), n_inferences=1, latency_cycles=None, initiation_interval=None,
            figures={"multiply_utilization": _share(activity["macs"], lane_cycles)}, energies_pj={}, failure=None,
        )
        for cycles, bound, (phases, activity), lane_cycles, *of_layers in zip(
            total.cycles.tolist(), total.roofline_cycles.tolist(), counts, multiplying.tolist(), *runs_of_layers,
            strict=True,
        )
    ]  # fmt: skip


_CAUSES = [PHASES.index(cause) for cause in CAUSES]


def _layer_runs(layer: SparseLayer, found: LayerColumns, n_lanes: list[int]) -> Iterator[LayerRun]:
    columns = [column.tolist() for column in found]
    for n_cycles, of_phases, counts, bound, n in zip(*columns, n_lanes, strict=True):
        n_macs = counts[0]  # the first counter
        yield made(
            LayerRun, name=layer.name, cycles=n_cycles, phases=_named(PHASES, of_phases),
            activity=_named(ACTIVITY, counts), roofline_cycles=bound, n_macs=n_macs,
            utilization=_share(n_macs, n * n_cycles), repeat=layer.repeat, tiling=None,
        )  # fmt: skip


def _named(names: Sequence[str], counts: list[int]) -> dict[str, int]:
    return dict(zip(names, counts))  # noqa: B905  rows of one table


# One design point.


def _misfit(design: Design, workload: Matrices) -> str | None:
    for layer in workload.layers:
        if problem := Facts.of(layer).refusal(design):
            return f"{layer.name}: {problem}"
    return None


def _run_layer(
    design: Design, layer: SparseLayer, vectors: np.ndarray | None, arrivals: np.ndarray, receiver: np.ndarray
) -> LayerRun:
    facts = Facts.of(layer)
    slices, slice_beats = facts.slices(design), facts.slice_beats(design)
    if vectors is None:
        multiplied, n_overflows = facts.multiplied(design), facts.n_overflows(design)
    else:
        multiplied = multiplied_of(design, slices, alive_of(layer, _checked(layer, vectors)))
        n_overflows = n_overflows_of(design, layer, slices, vectors)
    n_runs, n_vectors = multiplied.cycles.size, multiplied.cycles.shape[1]
    beats = n_vector_beats(design, layer.width)
    load_beats, vector_beats = int(slice_beats.sum()), n_runs * beats
    if len(arrivals) not in (0, load_beats + vector_beats):
        raise InputError(f"beat_arrivals: wanted {load_beats + vector_beats} cycles, one a beat, got {len(arrivals)}")
    latency = int(arrivals[0]) if len(arrivals) else design.dram_latency_cycles
    cycles, drain = run_times(
        multiplied.cycles, slice_beats, beats, facts.output_words(design), design.n_buffers, latency, arrivals,
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


def _total(names: Sequence[str], counts: Sequence[tuple[Mapping[str, int], int]]) -> dict[str, int]:
    if len(counts) == 1:  # as in most sweeps
        ((of, repeat),) = counts
        return {name: count * repeat for name, count in of.items()}
    return {name: sum(of[name] * repeat for of, repeat in counts) for name in names}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
