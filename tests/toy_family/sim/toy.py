"""The toy's simulator: ceil(MACs / lanes) cycles a layer, twice that where not pipelined; 64 lanes do not fit."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from sim.inventory import Inventory, Part
from sim.run import LayerRun, Run
from workloads.kinds.network import Network
from workloads.layer import Layer

RUNS = Network
MODEL_VERSION = os.environ.get("TOY_VERSION", "toy-1")


def simulate(designs: Sequence[Any], workload: Network) -> list[Run]:
    time.sleep(float(os.environ.get("TOY_SECONDS", "0")) * len(designs))
    if any(str(design.lanes) == os.environ.get("TOY_DEADLY_LANES") for design in designs):
        os.kill(os.getpid(), signal.SIGKILL)
    return [_run(design, workload.layers) for design in designs]


def misfits(designs: Sequence[Any], workload: Network) -> list[str | None]:
    """Any toy holds any number."""
    return [None] * len(designs)


def inventory(design: Any, workload: Network) -> Inventory:
    return {
        "pe": (Part(kind="multiplier", count=design.lanes, bits=8, other_bits=8, operations={"macs": 1}),),
        "scratchpad": (Part(kind="sram", count=design.banks, bits=64, words=1024, reads={"reads": 1}),),
        "dram": (Part(kind="dram", bits=8, reads={"dram_read_bytes": 1}),),
    }


def _run(design: Any, layers: Sequence[Layer]) -> Run:
    if design.lanes == 64:
        return Run(failure="layer a: wanted 65 bytes, 64 available")
    done = [_layer(design, layer) for layer in layers]
    return Run(
        cycles=sum(run.cycles * run.repeat for run in done),
        phases={phase: sum(run.phases[phase] * run.repeat for run in done) for phase in ("compute", "stall")},
        activity={key: sum(run.activity[key] * run.repeat for run in done) for key in done[0].activity},
        roofline_cycles=sum(run.roofline_cycles * run.repeat for run in done),
        layers=tuple(done),
        figures={"multiplications_a_lane": done[0].n_macs / design.lanes},
    )


def _layer(design: Any, layer: Layer) -> LayerRun:
    compute = max(1, -(-layer.n_macs // design.lanes))
    stall = 0 if design.pipelined else compute
    return LayerRun(
        cycles=compute + stall,
        phases={"compute": compute, "stall": stall},
        activity={"macs": layer.n_macs, "reads": compute, "dram_read_bytes": layer.n_weights},
        roofline_cycles=compute,
        name=layer.name,
        n_macs=layer.n_macs,
        utilization=layer.n_macs / design.lanes / (compute + stall),
        repeat=layer.repeat,
    )
