"""Tensor machines, exactly: cycles, where they went, what was counted, what a machine is made of (docs/tensor.md)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from sim import accuracy as _accuracy
from sim.inventory import Inventory
from sim.kernels.tensor import columns as c
from sim.kernels.tensor import vector_columns as v
from sim.kernels.tensor.program import run_program as _run_program
from sim.kernels.tensor.search import run_batch
from sim.kernels.tensor.vector import run_vector_batch
from sim.parts.tensor import tensor_inventory
from sim.run import LayerRun, Run, made, with_stages
from sim.vector_layers import (
    VectorRoofline,
    vector_design_numbers,
    vector_layer_numbers,
    vector_timeline,
)
from workloads.kinds.network import Network
from workloads.layer import Arithmetic, Layer
from workloads.mapping.n_of_m import kept_macs, passes
from workloads.mapping.numbers import arithmetic, bind_numbers
from workloads.mapping.program import LayerConfig, Program
from workloads.mapping.tensor import Tiling, build_program, layer_refusal, out_word_bits, place_refusal, refusal
from workloads.mapping.vector import build_vector_program, vector_layer_refusal, vector_refusal
from workloads.mapping.vector_numbers import bind_vector_numbers, vector_arithmetic
from workloads.mapping.vector_weights import product_mismatch, smallest_cached_tiling
from workloads.reference import run_layer as run_reference
from workloads.vector_layer import Job, VectorArithmetic, VectorLayer

RUNS = Network  # the kind of workload
MODEL_VERSION = "1"  # bump by hand when the meaning of a row changes; explore adds a hash of the sources

_DATAFLOWS = {
    "weight_stationary": c.WEIGHT_STATIONARY,
    "input_stationary": c.INPUT_STATIONARY,
    "output_stationary": c.OUTPUT_STATIONARY,
}


# Of a machine with a vector unit; one without has the array's alone.
_PHASES = (*c.PHASES, *v.PHASES[1:])
_ACTIVITY = (*c.ACTIVITY, *(name for name in v.ACTIVITY if name not in c.ACTIVITY))


def simulate(designs: Sequence[Design], workload: Network, tilings: Sequence[Tiling | None] | None = None) -> list[Run]:
    """One Run a design, in order, and its stages; see `simulate_layers`."""
    runs = simulate_layers(designs, workload.layers, tilings)
    return [with_stages(run, workload.stages) for run in runs]


def simulate_layers(
    designs: Sequence[Design], layers: Sequence[Job], tilings: Sequence[Tiling | None] | None = None
) -> list[Run]:
    """One Run a design, in order; designs of one `n_of_m` are one call of the compiled kernels.

    Layers of the array are cut by the tiling of the same place in `tilings`; where that is None, by the best one that
    fits (fewest cycles, then fewest DRAM bytes) of the lattice of `search.list_candidates`. Layers of the vector unit
    have no tiling; where they make weights, these are cut as their product is, and the best tiling of the product is
    that with which both together take fewest cycles. A layer that does not fit makes its Run a failed one.
    """
    if not designs:
        return []
    jobs = _jobs_of(layers, tilings)
    if jobs.problem is not None:
        return [Run(failure=jobs.problem)] * len(designs)
    runs: dict[int, Run] = {}
    for n_of_m in dict.fromkeys(design.n_of_m for design in designs):
        of_pattern = [d for d, design in enumerate(designs) if design.n_of_m == n_of_m]
        cycles, phases, activity, chosen = _run_jobs([designs[d] for d in of_pattern], jobs)
        for i, d in enumerate(of_pattern):
            runs[d] = _run(designs[d], jobs, cycles[i], phases[i], activity[i], chosen[i])
    return [runs[d] for d in range(len(designs))]


def _jobs_of(layers: Sequence[Job], tilings: Sequence[Tiling | None] | None) -> _Jobs:
    """The jobs of some layers. Those of a network without pinned tilings are kept while the next few are asked for.

    A network is known by the identity of its tuple of layers, which its `_Jobs` hold.
    """
    if tilings is not None:
        if len(tilings) != len(layers):
            raise InputError(
                f"tilings: wanted one for each of {len(layers)} layers, got {len(tilings)}; None means search"
            )
        return _Jobs(layers, tilings)
    if not isinstance(layers, tuple):
        return _Jobs(layers, [None] * len(layers))
    found = _JOBS.pop(id(layers), None) or _Jobs(layers, [None] * len(layers))
    _JOBS[id(layers)] = found  # the latest last
    if len(_JOBS) > _MOST_JOBS:
        del _JOBS[next(iter(_JOBS))]
    return found


_JOBS: dict[int, _Jobs] = {}
_MOST_JOBS = 8  # a search by parts asks for a few networks in turn


class _Jobs:
    """The layers of a network: which are the array's, which the vector unit's, and who makes whose weights."""

    def __init__(self, layers: Sequence[Job], pinned: Sequence[Tiling | None]) -> None:
        self.layers, self.pinned = tuple(layers), pinned
        self.array = [i for i, layer in enumerate(layers) if isinstance(layer, Layer)]
        self.vector = [i for i, layer in enumerate(layers) if isinstance(layer, VectorLayer)]
        self.rooflines = [_Roofline(layer) if isinstance(layer, Layer) else VectorRoofline(layer) for layer in layers]
        self.product: dict[int, int] = {}  # of a layer that makes weights: who reads them
        self.source: dict[int, VectorLayer] = {}  # of a layer whose weights are made: who makes them
        named = {layer.name: i for i, layer in enumerate(layers) if isinstance(layer, Layer)}
        for i, layer in enumerate(layers):
            if isinstance(layer, VectorLayer) and layer.kind == "to_weights" and layer.product in named:
                self.product[i] = named[layer.product]
                self.source[named[layer.product]] = layer
        self.repeats = np.array([layer.repeat for layer in layers], dtype=np.int64)
        self.places = any(layer.in_place or layer.out_place for layer in layers)
        self._distinct: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = {}

    @cached_property
    def problem(self) -> str | None:
        """Why no machine runs the layers, as one line; None where machines may."""
        for layer in self.layers:
            if found := layer_refusal(layer) if isinstance(layer, Layer) else vector_layer_refusal(layer):
                return found
        for index in self.vector:
            if found := product_mismatch(self.layers[index], self.product_of(index)):  # type: ignore[arg-type]
                return found
        return None

    def product_of(self, index: int) -> Layer | None:
        """Who reads the weights that the layer makes."""
        found = self.layers[self.product[index]] if index in self.product else None
        assert not isinstance(found, VectorLayer)
        return found

    def passes(self, index: int, design: Design) -> int:
        """How often the design computes the k-blocks of a layer of the array."""
        roofline = self.rooflines[index]
        assert isinstance(roofline, _Roofline)
        return roofline.of_pattern(design)[0]

    def distinct(self, design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Layers of the array that differ: their numbers, pinned tilings, who makes their weights; and which is which.

        Heads of attention and layers of a transformer are alike, and each is searched once. The numbers hold for all
        designs of the same `n_of_m`.
        """
        if design.n_of_m not in self._distinct:
            self._distinct[design.n_of_m] = self._find_distinct(design)
        return self._distinct[design.n_of_m]

    def _find_distinct(self, design: Design) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        rows = np.zeros((len(self.array), c.N_LAYER + 4 + v.N_LAYER), dtype=np.int64)
        for row, index in zip(rows, self.array, strict=True):
            layer, source = self.layers[index], self.source.get(index)
            assert isinstance(layer, Layer)
            row[: c.N_LAYER] = layer_numbers(layer, source, self.passes(index, design))
            row[c.N_LAYER : c.N_LAYER + 4] = _tiling_numbers(self.pinned[index])
            if source is not None:
                row[c.N_LAYER + 4 :] = vector_layer_numbers(source)
        found, inverse = np.unique(rows, axis=0, return_inverse=True)
        # Contiguous, as all arrays that the kernels are compiled for.
        layers, pinned, sources = map(np.ascontiguousarray, np.split(found, (c.N_LAYER, c.N_LAYER + 4), axis=1))
        return layers, pinned, sources, inverse.reshape(-1)

    @cached_property
    def vector_numbers(self) -> np.ndarray:
        """(layers of the vector unit, v.N_LAYER)."""
        rows = [vector_layer_numbers(self.layers[i]) for i in self.vector]  # type: ignore[arg-type]
        return np.array(rows, dtype=np.int64).reshape(len(rows), v.N_LAYER)

    def refusal(self, design: Design, index: int, tiling: Tiling | None) -> str | None:
        """Why the design cannot run a layer, as one line; None where it can."""
        layer = self.layers[index]
        if isinstance(layer, VectorLayer):
            return vector_refusal(design, layer, self.product_of(index), tiling)
        problem = refusal(design, layer, tiling)
        if problem is None and index in self.source:
            problem = vector_refusal(design, self.source[index], layer, tiling)
        return problem


def _run_jobs(
    designs: Sequence[Design], jobs: _Jobs
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(cycles, phases, activity, tilings) of every layer on every design, all of one `n_of_m`.

    Cycles are -1 where a layer does not fit.
    """
    shape = len(designs), len(jobs.layers)
    cycles = np.zeros(shape, dtype=np.int64)
    phases = np.zeros((*shape, len(_PHASES)), dtype=np.int64)
    activity = np.zeros((*shape, len(_ACTIVITY)), dtype=np.int64)
    chosen = np.zeros((*shape, 4), dtype=np.int64)
    numbers = np.array([design_numbers(design) for design in designs], dtype=np.int64)
    vector_numbers = np.array([vector_design_numbers(design) for design in designs], dtype=np.int64)
    layers, pinned, sources, inverse = jobs.distinct(designs[0])
    of_array = run_batch(numbers, layers, np.repeat(pinned[None], len(designs), axis=0), vector_numbers, sources)
    cycles[:, jobs.array], chosen[:, jobs.array] = of_array[0][:, inverse], of_array[3][:, inverse]
    phases[:, jobs.array, : c.N_PHASES] = of_array[1][:, inverse]
    activity[:, jobs.array, : c.N_ACTIVITY] = of_array[2][:, inverse]
    if jobs.vector:
        tilings = np.stack([chosen[:, jobs.product.get(i, i)] for i in jobs.vector], axis=1)
        tilings[cycles[:, [jobs.product.get(i, i) for i in jobs.vector]] < 0] = 0  # its product has none
        of_vector = run_vector_batch(vector_numbers, jobs.vector_numbers, tilings)
        cycles[:, jobs.vector] = of_vector[0]
        at = np.ix_(range(len(designs)), jobs.vector, [_PHASES.index(name) for name in v.PHASES])
        phases[at] = of_vector[1]
        at = np.ix_(range(len(designs)), jobs.vector, [_ACTIVITY.index(name) for name in v.ACTIVITY])
        activity[at] = of_vector[2]
    return cycles, phases, activity, chosen


def misfits(designs: Sequence[Design], workload: Network) -> list[str | None]:
    """For each design, why the numbers of a layer do not fit it; None where they do. Shapes fit every machine."""
    with_numbers = [layer for layer in workload.layers if layer.numbers is not None]
    answers = []
    for design in designs:
        key = (workload.digest, *(getattr(design, name) for name in _NUMBER_FIELDS))
        if key not in _MISFITS:
            _MISFITS[key] = next((problem for layer in with_numbers if (problem := _misfit(design, layer))), None)
        answers.append(_MISFITS[key])
    return answers


# What bind_numbers and bind_vector_numbers look at: designs that agree in these hold the same numbers.
_NUMBER_FIELDS = (
    "act_bits", "weight_bits", "requant", "requant_granularity", "requant_multiplier_bits", "wide_bits",
    "vector_functions", "vector_softmax",
)  # fmt: skip

# By digest of the workload and those fields, for the batches of a sweep: an answer takes a look at all weights.
_MISFITS: dict[tuple[object, ...], str | None] = {}


def _misfit(design: Design, layer: Job) -> str | None:
    try:
        if isinstance(layer, VectorLayer):
            bind_vector_numbers(design, layer)
        else:
            bind_numbers(design, layer)
    except InputError as error:
        return str(error)
    return None


def inventory(design: Design, workload: Network | None = None) -> Inventory:
    """What the machine is made of, part by part; the same for all workloads."""
    return tensor_inventory(design)


def roofline_cycles(design: Design, layer: Job) -> int:
    """Cycles that no schedule goes below: all PEs or lanes busy with the layer, or DRAM busy with every byte once."""
    return (_Roofline(layer) if isinstance(layer, Layer) else VectorRoofline(layer)).cycles(design)


def run_program(design: Design, program: Program, layer: Layer | None = None) -> LayerRun:
    """The run of an explicit program, as its machine executes it; `layer` gives name, MACs and roofline."""
    cycles, phases, activity, _, _ = _events(design, program)
    n_macs, n_kept = (layer.n_macs, kept_macs(design, layer)) if layer else (0, 0)
    return LayerRun(
        name=layer.name if layer else "",
        cycles=cycles,
        phases=dict(zip(c.PHASES, phases.tolist(), strict=True)),
        activity=dict(zip(c.ACTIVITY, activity.tolist(), strict=True)),
        roofline_cycles=roofline_cycles(design, layer) if layer else 0,
        n_macs=n_macs,
        utilization=n_kept / (design.array_rows * design.array_cols * cycles),
    )


def run_with_numbers(
    design: Design, layer: Layer, tiling: Tiling, x: np.ndarray, residual: np.ndarray | None = None
) -> tuple[np.ndarray, LayerRun]:
    """(stored outputs, run) of a layer with numbers; the run's activity has `overflows`.

    x is (n_images, in_channels, in_h, in_w), the outputs and `residual` (n_images, out_channels, out_h, out_w).
    """
    run = run_program(design, build_program(design, layer, tiling), layer)
    y, n_overflows = run_reference(layer, x, residual, arithmetic(design, tiling.blocks))
    counted = {**run.activity, "overflows": n_overflows}
    return y, LayerRun(**{**vars(run), "activity": counted, "repeat": layer.repeat, "tiling": tiling})


def accuracy(design: Design, run: Run, workload: Network) -> _accuracy.Accuracy | None:
    """What the workload answers in the machine's arithmetic; None where it has no labelled images."""
    return _accuracy.measure(workload, arithmetics(design, run)) if _accuracy.has_labels(workload) else None


def arithmetics(design: Design, run: Run) -> tuple[Arithmetic | VectorArithmetic, ...]:
    """How each layer of a run adds and rounds; layers without a tiling are those of the vector unit."""
    return tuple(
        arithmetic(design, layer.tiling.blocks) if layer.tiling else vector_arithmetic(design) for layer in run.layers
    )


def timeline(design: Design, layer: Job, tiling: Tiling | None = None) -> list[dict[str, Any]]:
    """What each engine did and when, as events `{track, name, start_cycle, end_cycle, layer, tile}` by track and time.

    `end_cycle` is the cycle after the last one. `tile` counts tiles (of a vector layer: steps); for outputs and stores
    it counts outputs. Without a tiling, the best one is taken. Layers that make weights have none without a product.
    """
    if isinstance(layer, VectorLayer):
        return vector_timeline(design, build_vector_program(design, layer), layer)
    if tiling is None:
        (run,) = simulate_layers([design], [layer])
        if run.failure is not None:
            raise InputError(run.failure)
        tiling = run.layers[0].tiling
    program = build_program(design, layer, tiling)
    _, _, _, of_tiles, of_outputs = _events(design, program)
    found = []
    for track, name, events, column in (
        ("request", "request", of_tiles, 0),
        ("dma", "load", of_tiles, 2),
        ("dma", "store", of_outputs, 2),
        ("compute", "compute", of_tiles, 4),
        ("output path", "output", of_outputs, 0),
    ):
        for index, event in enumerate(events.tolist()):
            found.append(
                {
                    "track": track,
                    "name": f"{name} {index}",
                    "start_cycle": event[column],
                    "end_cycle": event[column + 1] + 1,
                    "layer": layer.name,
                    "tile": index,
                }
            )
    return found


def design_numbers(design: Design) -> list[int]:
    """A design as the kernels take it (columns.ROWS and so on)."""
    return [
        design.array_rows,
        design.array_cols,
        _DATAFLOWS[design.dataflow],
        -(-design.act_word_bits // 8),
        -(-design.weight_word_bits // 8),
        -(-design.param_word_bits // 8),
        design.n_buffers,
        design.act_words,
        design.weight_words,
        design.acc_words,
        design.out_words,
        design.param_words,
        design.dram_bytes_per_cycle,
        design.dram_latency_cycles,
        design.dram_burst_bytes,
        design.vector_words if design.vector_lanes else 0,
        design.act_lanes,
        design.channel_unit,
        design.act_bits,
        -(-design.act_lanes * design.wide_bits // 8),
    ]


_TOKENS_ARE = {"": 0, "keys": c.CHANNELS_OUT, "values": c.CHANNELS_IN}


def layer_numbers(layer: Layer, source: VectorLayer | None = None, n_passes: int = 1) -> list[int]:
    """A layer as the kernels take it (columns.L_POOLING and so on); `source` makes its weights, where any does."""
    return [
        layer.kind == "max_pool",
        layer.n_images,
        layer.in_h,
        layer.in_w,
        layer.in_channels,
        layer.out_h,
        layer.out_w,
        layer.out_channels,
        layer.kernel_h,
        layer.kernel_w,
        layer.stride_h,
        layer.stride_w,
        layer.pad_top,
        layer.pad_left,
        layer.groups,
        layer.shared_weights,
        layer.residual,
        *((_TOKENS_ARE[source.role], source.in_h, source.in_w, source.cached) if source else (0, 0, 0, 0)),
        layer.out_bits,
        n_passes,
    ]


def _tiling_numbers(tiling: Tiling | None) -> list[int]:
    if tiling is None:
        return [0, 0, 0, 0]
    order = c.ROWS_OUTER if tiling.order == "rows_outer" else c.CHANNELS_OUTER
    rows = tiling.rows if tiling.rows > 0 else -1  # 0 asks for a search
    return [rows, tiling.blocks, tiling.channels, order]


def _config_numbers(config: LayerConfig) -> list[int]:
    return [
        config.pooling,
        config.kernel_h,
        config.kernel_w,
        config.stride_h,
        config.stride_w,
        config.pad_left,
        config.in_w,
        config.out_w,
        config.residual,
        config.out_wide,
        config.passes,
    ]


def _events(design: Design, program: Program) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    config = np.array(_config_numbers(program.config), dtype=np.int64)
    found = _run_program(np.array(design_numbers(design), dtype=np.int64), config, program.tiles, program.outputs)
    if found[0] < 0:
        raise InputError("program: wanted waits that can be satisfied, got one in which all engines wait for ever")
    return found


def _run(
    design: Design, jobs: _Jobs, cycles: np.ndarray, phases: np.ndarray, activity: np.ndarray, chosen: np.ndarray
) -> Run:
    """The Run of one design from the rows of the kernels' answers."""
    if problem := _failure(design, jobs, cycles):
        return Run(failure=problem)
    with_vector_unit = design.vector_lanes > 0
    phase_names = _PHASES if with_vector_unit else c.PHASES
    names = _ACTIVITY if with_vector_unit else c.ACTIVITY
    phases, activity = phases[:, : len(phase_names)], activity[:, : len(names)]
    n_pes = design.array_rows * design.array_cols
    runs = [
        made(
            LayerRun,
            name=layer.name,
            cycles=n_cycles,
            phases=of_phases,
            activity=counts,
            roofline_cycles=roofline.cycles(design),
            n_macs=roofline.n_macs,
            utilization=_n_kept(design, roofline) / (n_pes * n_cycles) if n_cycles else 0.0,
            repeat=layer.repeat,
            tiling=_tiling(numbers) if isinstance(layer, Layer) else None,
        )
        for layer, roofline, n_cycles, of_phases, counts, numbers in zip(
            jobs.layers, jobs.rooflines, cycles.tolist(), _named(phase_names, phases), _named(names, activity),
            chosen.tolist(), strict=True,
        )  # fmt: skip
    ]
    return made(
        Run,
        cycles=int(jobs.repeats @ cycles),
        phases=dict(zip(phase_names, (jobs.repeats @ phases).tolist(), strict=True)),
        activity=dict(zip(names, (jobs.repeats @ activity).tolist(), strict=True)),
        roofline_cycles=sum(run.roofline_cycles * run.repeat for run in runs),
        layers=tuple(runs),
        stages=(),
        n_inferences=1,
        latency_cycles=None,
        initiation_interval=None,
        figures={},
        energies_pj={},
        failure=None,
    )


def _named(names: Sequence[str], rows: np.ndarray) -> list[dict[str, int]]:
    """A dict of each row; equal rows share one, for a transformer has hundreds of jobs and few that differ."""
    found: dict[bytes, dict[str, int]] = {}
    for row in rows:
        if (key := row.tobytes()) not in found:
            found[key] = dict(zip(names, row.tolist(), strict=True))
    return [found[row.tobytes()] for row in rows]


def _tiling(numbers: list[int]) -> Tiling:
    rows, blocks, channels, order = numbers
    return Tiling(rows=rows, blocks=blocks, channels=channels, order="channels_outer" if order else "rows_outer")


def _failure(design: Design, jobs: _Jobs, cycles: np.ndarray) -> str | None:
    """Why a layer does not fit; None where all do."""
    if jobs.places:
        for layer in jobs.layers:
            if problem := place_refusal(design, layer.name, layer.in_place, layer.out_place):
                return problem
    failed = [i for i in jobs.array if cycles[i] < 0] + [i for i in jobs.vector if cycles[i] < 0]
    if not failed:
        return None
    index = failed[0]
    tiling = jobs.pinned[jobs.product.get(index, index)]
    problem = jobs.refusal(design, index, tiling or _cache_tiling(design, jobs, index))
    if problem is None:
        name = jobs.layers[index].name
        raise RuntimeError(f"{name}: no tiling was found for {design}, but {tiling or 'the smallest'} fits")
    return problem


def _cache_tiling(design: Design, jobs: _Jobs, index: int) -> Tiling | None:
    """The smallest tiling that a cached product may have; None where it may have any."""
    source, layer = jobs.source.get(index), jobs.layers[index]
    if source is None or not source.cached or not isinstance(layer, Layer):
        return None
    return smallest_cached_tiling(design, layer, source.role)


class _Roofline:
    """What a layer needs whatever the machine: MACs, and values that cross the DRAM port at least once.

    An n:m machine computes n of every m products in each of its passes; it reads as many weights, with their places.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer, self.n_macs = layer, layer.n_macs
        self._of_pattern: dict[str, tuple[int, int]] = {}
        rows = _touched(layer.in_h, layer.out_h, layer.kernel_h, layer.stride_h, layer.pad_top)
        columns = _touched(layer.in_w, layer.out_w, layer.kernel_w, layer.stride_w, layer.pad_left)
        n_outputs = layer.n_images * layer.out_channels * layer.out_h * layer.out_w
        self.n_inputs = layer.n_images * layer.in_channels * rows * columns
        self.n_stored = n_outputs * (1 + layer.residual)
        self.n_weights = layer.n_weights // (layer.groups if layer.shared_weights else 1)
        self.n_channels = layer.out_channels if layer.kind == "conv" else 0

    def cycles(self, design: Design) -> int:
        n, m = self.of_pattern(design)[0] * design.kept_lanes, design.group_lanes  # of m products, in all passes
        bits = self.n_inputs * design.act_bits + self.n_stored * out_word_bits(design, self.layer) // design.act_lanes
        bits += -(-self.n_weights * n // m) * (design.weight_bits + design.place_bits)
        bits += self.n_channels * (32 + design.channel_scale_bits)
        n_bytes, n_pes = -(-bits // 8), design.array_rows * design.array_cols
        return max(-(-self.n_macs * n // (m * n_pes)), -(-n_bytes // design.dram_bytes_per_cycle))

    def of_pattern(self, design: Design) -> tuple[int, int]:
        """(passes, MACs that cannot be left out) of the layer on an n:m machine."""
        if design.n_of_m not in self._of_pattern:
            self._of_pattern[design.n_of_m] = passes(design, self.layer), kept_macs(design, self.layer)
        return self._of_pattern[design.n_of_m]


def _n_kept(design: Design, roofline: _Roofline | VectorRoofline) -> int:
    return roofline.of_pattern(design)[1] if isinstance(roofline, _Roofline) else roofline.n_macs


def _touched(n_in: int, n_out: int, kernel: int, stride: int, pad: int) -> int:
    """Input positions that at least one tap of one output position reads."""
    if kernel >= stride:
        return max(0, min(n_in, (n_out - 1) * stride + kernel - pad) - max(0, -pad))
    return sum(0 <= place * stride + tap - pad < n_in for place in range(n_out) for tap in range(kernel))
