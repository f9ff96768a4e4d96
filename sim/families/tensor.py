"""Tensor machines, exactly: cycles, where they went, what was counted, what a machine is made of (docs/tensor.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from designs.errors import InputError
from designs.families.tensor import Design
from sim import accuracy as _accuracy
from sim.inventory import Inventory
from sim.kernels.tensor import columns as c
from sim.kernels.tensor.program import run_program as _run_program
from sim.kernels.tensor.search import run_batch
from sim.parts.tensor import tensor_inventory
from sim.run import LayerRun, Run
from workloads.kinds.network import Network
from workloads.layer import Arithmetic, Layer
from workloads.mapping.numbers import arithmetic, bind_numbers
from workloads.mapping.program import LayerConfig, Program
from workloads.mapping.tensor import Tiling, build_program, layer_refusal, refusal
from workloads.reference import run_layer as run_reference

RUNS = Network  # the kind of workload
MODEL_VERSION = "1"  # bump by hand when the meaning of a row changes; explore adds a hash of the sources

_DATAFLOWS = {
    "weight_stationary": c.WEIGHT_STATIONARY,
    "input_stationary": c.INPUT_STATIONARY,
    "output_stationary": c.OUTPUT_STATIONARY,
}


def simulate(designs: Sequence[Design], workload: Network, tilings: Sequence[Tiling | None] | None = None) -> list[Run]:
    """One Run a design, in order; see `simulate_layers`."""
    return simulate_layers(designs, workload.layers, tilings)


def simulate_layers(
    designs: Sequence[Design], layers: Sequence[Layer], tilings: Sequence[Tiling | None] | None = None
) -> list[Run]:
    """One Run a design, in order; the whole batch is one call of the compiled kernel.

    Layers are cut by the tiling of the same place in `tilings`; where that is None, by the best one that fits (fewest
    cycles, then fewest DRAM bytes) of the lattice of `search.list_candidates`. A layer that does not fit makes its Run
    a failed one.
    """
    if not designs:
        return []
    pinned: list[Tiling | None] = list(tilings) if tilings is not None else [None] * len(layers)
    if len(pinned) != len(layers):
        raise InputError(f"tilings: wanted one for each of {len(layers)} layers, got {len(pinned)}; None means search")
    for layer in layers:
        if problem := layer_refusal(layer):
            return [Run(failure=problem)] * len(designs)
    numbers = np.array([layer_numbers(layer) for layer in layers], dtype=np.int64).reshape(len(layers), c.N_LAYER)
    tiling_numbers = np.array([_tiling_numbers(t) for t in pinned], dtype=np.int64).reshape(len(layers), 4)
    cycles, phases, activity, chosen, _ = run_batch(
        np.array([design_numbers(design) for design in designs], dtype=np.int64),
        numbers,
        np.repeat(tiling_numbers[None], len(designs), axis=0),
    )
    rooflines = [_Roofline(layer) for layer in layers]
    return [
        _run(design, layers, rooflines, pinned, cycles[d], phases[d], activity[d], chosen[d])
        for d, design in enumerate(designs)
    ]


def misfits(designs: Sequence[Design], workload: Network) -> list[str | None]:
    """For each design, why the numbers of a layer do not fit it; None where they do. Shapes fit every machine."""
    with_numbers = [layer for layer in workload.layers if layer.numbers is not None]
    found: dict[tuple[object, ...], str | None] = {}
    answers = []
    for design in designs:
        key = tuple(getattr(design, name) for name in _NUMBER_FIELDS)
        if key not in found:
            found[key] = next((problem for layer in with_numbers if (problem := _misfit(design, layer))), None)
        answers.append(found[key])
    return answers


# What bind_numbers looks at: designs that agree in these hold the same numbers.
_NUMBER_FIELDS = ("act_bits", "weight_bits", "requant", "requant_granularity", "requant_multiplier_bits")


def _misfit(design: Design, layer: Layer) -> str | None:
    try:
        bind_numbers(design, layer)
    except InputError as error:
        return str(error)
    return None


def inventory(design: Design, workload: Network | None = None) -> Inventory:
    """What the machine is made of, part by part; the same for all workloads."""
    return tensor_inventory(design)


def roofline_cycles(design: Design, layer: Layer) -> int:
    """Cycles that no schedule goes below: all PEs busy with the layer's MACs, or DRAM busy with every byte once."""
    return _Roofline(layer).cycles(design)


def run_program(design: Design, program: Program, layer: Layer | None = None) -> LayerRun:
    """The run of an explicit program, as its machine executes it; `layer` gives name, MACs and roofline."""
    cycles, phases, activity, _, _ = _events(design, program)
    n_macs = layer.n_macs if layer else 0
    return LayerRun(
        name=layer.name if layer else "",
        cycles=cycles,
        phases=dict(zip(c.PHASES, phases.tolist(), strict=True)),
        activity=dict(zip(c.ACTIVITY, activity.tolist(), strict=True)),
        roofline_cycles=roofline_cycles(design, layer) if layer else 0,
        n_macs=n_macs,
        utilization=n_macs / (design.array_rows * design.array_cols * cycles),
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


def arithmetics(design: Design, run: Run) -> tuple[Arithmetic, ...]:
    """How each layer of a run adds and rounds."""
    return tuple(arithmetic(design, layer.tiling.blocks if layer.tiling else 1) for layer in run.layers)


def timeline(design: Design, layer: Layer, tiling: Tiling | None = None) -> list[dict[str, Any]]:
    """What each engine did and when, as events `{track, name, start_cycle, end_cycle, layer, tile}` by track and time.

    `end_cycle` is the cycle after the last one. `tile` counts tiles; for outputs and stores it counts outputs.
    Without a tiling, the best one is taken.
    """
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
    ]


def layer_numbers(layer: Layer) -> list[int]:
    """A layer as the kernels take it (columns.L_POOLING and so on)."""
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
    ]


def _events(design: Design, program: Program) -> tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    config = np.array(_config_numbers(program.config), dtype=np.int64)
    found = _run_program(np.array(design_numbers(design), dtype=np.int64), config, program.tiles, program.outputs)
    if found[0] < 0:
        raise InputError("program: wanted waits that can be satisfied, got one in which all engines wait for ever")
    return found


def _run(
    design: Design,
    layers: Sequence[Layer],
    rooflines: Sequence[_Roofline],
    pinned: Sequence[Tiling | None],
    cycles: np.ndarray,
    phases: np.ndarray,
    activity: np.ndarray,
    chosen: np.ndarray,
) -> Run:
    """The Run of one design from the rows of the kernel's answer."""
    if (cycles < 0).any():
        index = int(np.argmax(cycles < 0))
        return Run(failure=_failure(design, layers[index], pinned[index]))
    n_pes = design.array_rows * design.array_cols
    runs = [
        LayerRun(
            name=layer.name,
            cycles=n_cycles,
            phases=dict(zip(c.PHASES, of_phases, strict=True)),
            activity=dict(zip(c.ACTIVITY, counts, strict=True)),
            roofline_cycles=roofline.cycles(design),
            n_macs=roofline.n_macs,
            utilization=roofline.n_macs / (n_pes * n_cycles),
            repeat=layer.repeat,
            tiling=Tiling(
                rows=rows, blocks=blocks, channels=channels, order="channels_outer" if order else "rows_outer"
            ),
        )
        for layer, roofline, n_cycles, of_phases, counts, (rows, blocks, channels, order) in zip(
            layers, rooflines, cycles.tolist(), phases.tolist(), activity.tolist(), chosen.tolist(), strict=True
        )
    ]
    repeats = np.array([layer.repeat for layer in layers], dtype=np.int64)
    return Run(
        cycles=int(repeats @ cycles),
        phases=dict(zip(c.PHASES, (repeats @ phases).tolist(), strict=True)),
        activity=dict(zip(c.ACTIVITY, (repeats @ activity).tolist(), strict=True)),
        roofline_cycles=sum(run.roofline_cycles * run.repeat for run in runs),
        layers=tuple(runs),
    )


def _failure(design: Design, layer: Layer, tiling: Tiling | None) -> str:
    problem = refusal(design, layer, tiling)
    if problem is None:
        raise RuntimeError(f"{layer.name}: no tiling was found for {design}, but {tiling or 'the smallest'} fits")
    return problem


class _Roofline:
    """What a layer needs whatever the machine: MACs, and values that cross the DRAM port at least once."""

    def __init__(self, layer: Layer) -> None:
        self.n_macs = layer.n_macs
        rows = _touched(layer.in_h, layer.out_h, layer.kernel_h, layer.stride_h, layer.pad_top)
        columns = _touched(layer.in_w, layer.out_w, layer.kernel_w, layer.stride_w, layer.pad_left)
        n_outputs = layer.n_images * layer.out_channels * layer.out_h * layer.out_w
        self.n_activations = layer.n_images * layer.in_channels * rows * columns + n_outputs * (1 + layer.residual)
        self.n_weights = layer.n_weights // (layer.groups if layer.shared_weights else 1)
        self.n_channels = layer.out_channels if layer.kind == "conv" else 0

    def cycles(self, design: Design) -> int:
        bits = self.n_activations * design.act_bits + self.n_weights * design.weight_bits
        bits += self.n_channels * (32 + design.channel_scale_bits)
        n_bytes = -(-bits // 8)
        return max(
            -(-self.n_macs // (design.array_rows * design.array_cols)), -(-n_bytes // design.dram_bytes_per_cycle)
        )


def _touched(n_in: int, n_out: int, kernel: int, stride: int, pad: int) -> int:
    """Input positions that at least one tap of one output position reads."""
    if kernel >= stride:
        return max(0, min(n_in, (n_out - 1) * stride + kernel - pad) - max(0, -pad))
    return sum(0 <= place * stride + tap - pad < n_in for place in range(n_out) for tap in range(kernel))
