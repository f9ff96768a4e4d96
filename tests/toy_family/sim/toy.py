"""The toy's simulator: ceil(MACs / lanes) cycles a layer, twice that where not pipelined; 64 lanes do not fit."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sim.inventory import Inventory, Part
from workloads.layer import Layer

MODEL_VERSION = "toy-1"


@dataclass(frozen=True, kw_only=True)
class ToyRun:
    cycles: int
    phases: dict[str, int]
    activity: dict[str, int]
    roofline_cycles: int
    name: str = ""
    n_macs: int = 0
    utilization: float = 0.0
    repeat: int = 1
    tiling: None = None
    layers: tuple[Any, ...] = ()
    failure: str | None = None


def simulate(designs: Sequence[Any], layers: Sequence[Layer]) -> list[ToyRun]:
    time.sleep(float(os.environ.get("TOY_SECONDS", "0")) * len(designs))
    return [_run(design, layers) for design in designs]


def misfits(designs: Sequence[Any], layers: Sequence[Layer]) -> list[str | None]:
    """Any toy holds any number."""
    return [None] * len(designs)


def inventory(design: Any) -> Inventory:
    return {
        "pe": (Part(kind="multiplier", count=design.lanes, bits=8, other_bits=8, operations={"macs": 1}),),
        "scratchpad": (Part(kind="sram", count=design.banks, bits=64, words=1024, reads={"reads": 1}),),
        "dram": (Part(kind="dram", bits=8, reads={"dram_read_bytes": 1}),),
    }


def _run(design: Any, layers: Sequence[Layer]) -> ToyRun:
    if design.lanes == 64:
        return ToyRun(
            cycles=0, phases={}, activity={}, roofline_cycles=0, failure="layer a: wanted 65 bytes, 64 available"
        )
    done = [_layer(design, layer) for layer in layers]
    return ToyRun(
        cycles=sum(run.cycles * run.repeat for run in done),
        phases={phase: sum(run.phases[phase] * run.repeat for run in done) for phase in ("compute", "stall")},
        activity={key: sum(run.activity[key] * run.repeat for run in done) for key in done[0].activity},
        roofline_cycles=sum(run.roofline_cycles * run.repeat for run in done),
        layers=tuple(done),
    )


def _layer(design: Any, layer: Layer) -> ToyRun:
    compute = max(1, -(-layer.n_macs // design.lanes))
    stall = 0 if design.pipelined else compute
    return ToyRun(
        cycles=compute + stall,
        phases={"compute": compute, "stall": stall},
        activity={"macs": layer.n_macs, "reads": compute, "dram_read_bytes": layer.n_weights},
        roofline_cycles=compute,
        name=layer.name,
        n_macs=layer.n_macs,
        utilization=layer.n_macs / design.lanes / (compute + stall),
        repeat=layer.repeat,
    )
