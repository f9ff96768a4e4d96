"""What a simulator answers: where the cycles of a layer, and of a whole workload, went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LayerRun:
    """One layer on one machine, run once; a network that has it `repeat` times pays for it as often."""

    name: str
    cycles: int
    phases: Mapping[str, int]  # cause -> cycles; they add up to `cycles`
    activity: Mapping[str, int]  # action -> count
    roofline_cycles: int  # no machine with this array and this DRAM port can need fewer
    n_macs: int  # multiplications that the layer needs, padding not counted
    utilization: float  # n_macs, without those that the machine leaves out, over what the array could have done
    repeat: int = 1
    tiling: Any = None  # the family's own tiling (a dataclass), None where it has none


@dataclass(frozen=True, kw_only=True)
class Run:
    """A workload on one machine; of a network the sum over its layers, each times its `repeat`.

    Where it does not fit, `failure` says what and why in one line, and there are no numbers.
    """

    cycles: int = 0
    phases: Mapping[str, int] = field(default_factory=dict)
    activity: Mapping[str, int] = field(default_factory=dict)
    roofline_cycles: int = 0
    layers: tuple[LayerRun, ...] = ()  # () where the workload has none
    n_inferences: int = 1  # samples that the run went through
    latency_cycles: int | None = None  # of one inference where nothing stalls; None: all of `cycles`
    initiation_interval: float | None = None  # cycles from one inference to the next, of all copies together
    figures: Mapping[str, float] = field(default_factory=dict)  # METRICS of the family's designs module
    failure: str | None = None
