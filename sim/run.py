"""What a simulator answers: where the cycles of a layer, and of a whole workload, went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from workloads.stages import Stage

_T = TypeVar("_T")


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
class StageRun:
    """A stage of a network on one machine, such as a prefill or all steps of a decode: the sum over its layers."""

    name: str
    n_steps: int  # that follow one another: tokens that each sequence is given
    n_sequences: int  # that each step works on
    cycles: int
    phases: Mapping[str, int]
    activity: Mapping[str, int]
    roofline_cycles: int
    n_macs: int


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
    stages: tuple[StageRun, ...] = ()  # in order, where the workload has stages; every layer is one's
    n_inferences: int = 1  # samples that the run went through
    latency_cycles: int | None = None  # of one inference where nothing stalls; None: all of `cycles`
    initiation_interval: float | None = None  # cycles from one inference to the next, of all copies together
    figures: Mapping[str, float] = field(default_factory=dict)  # METRICS of the family's designs module
    energies_pj: Mapping[str, int] = field(default_factory=dict)  # others of them: the run's energy in pJ over so many
    failure: str | None = None


def made(kind: type[_T], **fields: Any) -> _T:
    """kind(**fields) of one of the classes above, every field given; for batches, whose time goes to this.

    A frozen dataclass's own `__init__` sets each field by a call, and takes three times as long.
    """
    found = object.__new__(kind)
    object.__setattr__(found, "__dict__", fields)
    return found


def with_stages(run: Run, stages: Sequence[Stage]) -> Run:
    """The run with what each stage of its network takes; a failed run, or one without stages, as it is."""
    if run.failure is not None or not stages:
        return run
    return replace(run, stages=tuple(_stage_run(stage, run) for stage in stages))


def _stage_run(stage: Stage, run: Run) -> StageRun:
    layers = [layer for layer in run.layers if layer.name.startswith(f"{stage.name}.")]
    repeats = np.array([layer.repeat for layer in layers], dtype=np.int64)

    def total(rows: list[list[int]]) -> list[int]:
        found: list[int] = (repeats @ np.array(rows, dtype=np.int64)).tolist()
        return found

    cycles, roofline_cycles, n_macs = total([[la.cycles, la.roofline_cycles, la.n_macs] for la in layers])
    return StageRun(
        name=stage.name,
        n_steps=stage.n_steps,
        n_sequences=stage.n_sequences,
        cycles=cycles,
        phases=dict(zip(run.phases, total([list(la.phases.values()) for la in layers]), strict=True)),
        activity=dict(zip(run.activity, total([list(la.activity.values()) for la in layers]), strict=True)),
        roofline_cycles=roofline_cycles,
        n_macs=n_macs,
    )
