"""Layers and programs of the vector unit as its kernels take them, their rooflines and their runs (docs/vector.md)."""

from __future__ import annotations

from typing import Any

import numpy as np

from designs.families.tensor import Design
from sim.kernels.tensor import columns as c
from sim.kernels.tensor import vector_columns as v
from sim.kernels.tensor.vector import run_steps
from sim.run import LayerRun
from workloads.mapping.tensor import ceil_div
from workloads.mapping.vector import TABLE_BITS, TABLE_WORDS, has_table
from workloads.mapping.vector_numbers import NORMS
from workloads.mapping.vector_program import VectorConfig, VectorOperation, VectorProgram
from workloads.vector_layer import VectorLayer

_DATAFLOWS = {
    "weight_stationary": c.WEIGHT_STATIONARY,
    "input_stationary": c.INPUT_STATIONARY,
    "output_stationary": c.OUTPUT_STATIONARY,
}
_ROLES = {"": 0, "keys": v.KEYS, "values": v.VALUES}


def vector_design_numbers(design: Design) -> list[int]:
    """A design as the kernels of the vector unit take it (vector_columns.ROWS and so on)."""
    return [
        design.array_rows,
        design.array_cols,
        _DATAFLOWS[design.dataflow],
        design.act_bits,
        design.wide_bits,
        design.weight_bits,
        -(-design.weight_word_bits // 8),
        -(-design.vector_param_word_bits // 8),
        design.vector_lanes,
        design.vector_stages,
        design.vector_divider_bits,
        design.vector_words,
        design.vector_rows,
        design.vector_param_words,
        design.vector_functions == "table",
        design.vector_softmax == "ita",
        design.dram_bytes_per_cycle,
        design.dram_latency_cycles,
        design.dram_burst_bytes,
    ]


def vector_layer_numbers(layer: VectorLayer) -> list[int]:
    """A vector layer as the kernels take it (vector_columns.OPERATION and so on)."""
    return [
        VectorOperation[layer.kind.upper()],
        layer.n_images,
        layer.in_h,
        layer.in_w,
        layer.channels,
        layer.in_bits,
        layer.z_bits,
        layer.out_bits,
        _ROLES[layer.role],
        layer.n_tokens,
        layer.first_token,
    ]


def run_vector_program(design: Design, program: VectorProgram, layer: VectorLayer | None = None) -> LayerRun:
    """The run of an explicit vector program; `layer` gives name and roofline."""
    cycles, phases, activity, _ = _run(design, program)
    return LayerRun(
        name=layer.name if layer else "",
        cycles=cycles,
        phases=dict(zip(v.PHASES, phases.tolist(), strict=True)),
        activity=dict(zip(v.ACTIVITY, activity.tolist(), strict=True)),
        roofline_cycles=VectorRoofline(layer).cycles(design) if layer else 0,
        n_macs=0,
        utilization=0.0,
    )


def vector_timeline(design: Design, program: VectorProgram, layer: VectorLayer) -> list[dict[str, Any]]:
    """Load, compute and store of each step, as events `{track, name, start_cycle, end_cycle, layer, tile}`."""
    *_, ends = _run(design, program)
    found = []
    for column, (track, name) in enumerate((("dma", "load"), ("vector unit", "compute"), ("dma", "store"))):
        for index, of_step in enumerate(ends.tolist()):
            if column:
                start = of_step[column - 1]
            else:
                start = ends[index - 1, -1].item() if index else 1
            found.append(
                {
                    "track": track,
                    "name": f"{name} {index}",
                    "start_cycle": start,
                    "end_cycle": of_step[column],
                    "layer": layer.name,
                    "tile": index,
                }
            )
    return found


class VectorRoofline:
    """What a vector layer needs whatever the schedule: values through the lanes, and across the DRAM port once."""

    def __init__(self, layer: VectorLayer) -> None:
        self.layer = layer
        self.n_macs = 0
        self.n_rows = layer.n_images * layer.in_h * layer.in_w
        if layer.kind == "to_weights":  # tokens that are new; what lies there already need not move
            self.n_rows = layer.n_tokens - layer.first_token
        self.n_values = self.n_rows * layer.channels

    def cycles(self, design: Design) -> int:
        """Cycles that no schedule goes below."""
        if not design.vector_lanes:
            return 0
        beats = ceil_div(ceil_div(self._bits(design), 8), design.dram_bytes_per_cycle)
        lanes = design.array_rows if self.layer.kind == "to_weights" else design.vector_lanes
        return max(beats, ceil_div(self.n_values * self._passes(design), lanes))

    def _bits(self, design: Design) -> int:
        layer = self.layer
        bits = self.n_values * design.stored_bits(layer.in_bits)
        if layer.kind == "to_weights":
            return bits + self.n_values * design.weight_bits
        bits += self.n_values * design.stored_bits(layer.out_bits)
        if layer.kind == "add":
            bits += self.n_values * design.stored_bits(layer.z_bits)
        if layer.kind == "gather":
            bits += self.n_rows * 32
        if layer.kind in NORMS:
            bits += layer.channels * (design.vector_param_word_bits // design.vector_lanes)
        return bits + (TABLE_WORDS * TABLE_BITS if has_table(design, layer) else 0)

    def _passes(self, design: Design) -> int:
        if self.layer.kind == "softmax":
            return 2 if design.vector_softmax == "ita" else 3
        return {"layer_norm": 3, "range_norm": 2}.get(self.layer.kind, 1)


def _config_numbers(config: VectorConfig) -> list[int]:
    return [
        config.operation,
        config.in_w,
        config.x_wide,
        config.z_wide,
        config.y_wide,
        config.transposed,
        config.drop,
    ]


def _run(design: Design, program: VectorProgram) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(cycles, phases, activity, ends of load, compute and store of each step)."""
    phases, activity = np.zeros(v.N_PHASES, dtype=np.int64), np.zeros(v.N_ACTIVITY, dtype=np.int64)
    ends = np.zeros((len(program.steps), 3), dtype=np.int64)
    numbers = np.array(vector_design_numbers(design), dtype=np.int64)
    config = np.array(_config_numbers(program.config), dtype=np.int64)
    cycles = run_steps(numbers, config, program.steps, phases, activity, ends)
    return int(cycles), phases, activity, ends
