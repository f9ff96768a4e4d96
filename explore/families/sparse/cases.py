"""Random matrices on the RTL of a sparse machine, against the definition of the results and the simulator."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.families.sparse import Design
from designs.space import Point
from explore.verify import CaseResult, Difference
from hw.bench.simulator import SimulatorName
from hw.bench.sparse import LayerRun, Stimulus, n_stream_beats, run_layers, sparse_verilog
from sim.families import sparse as simulator_of_sparse
from workloads.mapping.sparse import reference, refusal, slices_of
from workloads.sparse.layer import SparseLayer, activations
from workloads.sparse.random_layers import KINDS, random_layer

_TINY, _SMALL, _LARGE, _TALL = 3, 16, 64, 300  # most rows and columns of random matrices
_TALL_DRAWS = 10
_DRAWS = 200  # random layers tried before a machine counts as too small for any
_MOST_MACS = 5000  # multiplications of a case: its RTL runs for seconds at most
_MULTIPLY = ("multiply", "stall_window", "stall_queue", "imbalance")  # parts of the multiply phase


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A layer, and when its beats and results may move (as `hw.bench.sparse.Stimulus`)."""

    traffic: str
    stimulus: Stimulus

    @property
    def layer(self) -> SparseLayer:
        return self.stimulus.layer


@dataclass(frozen=True, kw_only=True, eq=False)
class Expected:
    """What a run should give."""

    outputs: np.ndarray  # (n_vectors, H), by definition
    cycles: int
    activity: Mapping[str, int]  # of the simulator, but overflows by definition
    phases: dict[str, int]  # as the RTL counts them


def verify_point(
    design: Design,
    *,
    point: Point,
    index: int,
    seed: int,
    simulator: SimulatorName | None,
    waves_dir: Path | None,
) -> tuple[CaseResult, ...]:
    """Layers of `draw_layers`, each without stalls and once more with beats and a receiver that wait."""
    rng = np.random.default_rng([seed, index])
    cases = [case for layer in draw_layers(design, rng) for case in (free(layer), stalled(design, layer, rng))]
    verilog = sparse_verilog(design)
    stimuli = [case.stimulus for case in cases]
    with tempfile.TemporaryDirectory(prefix="lockstep-verify-") as folder:
        runs = run_layers(design, stimuli, work_dir=Path(folder), simulator=simulator, verilog=verilog)
    results = tuple(
        compare(design, case, run, index=index, point=point, waves=waves_dir)
        for case, run in zip(cases, runs, strict=True)
    )
    if waves_dir is not None and any(result.differences for result in results):
        folder_of_waves = _waves(waves_dir, index)
        run_layers(design, stimuli, work_dir=folder_of_waves, simulator=simulator, verilog=verilog, waves=True)
    return results


def draw_layers(design: Design, rng: np.random.Generator) -> list[SparseLayer]:
    """Random layers that fit the machine: one of each kind of matrix, one of them large, a tall one and a tiny one.

    The tall one is cut into slices, where the machine takes several and the draws find one.
    """
    large = int(rng.integers(len(KINDS)))
    sizes = [(kind, _LARGE if number == large else _SMALL) for number, kind in enumerate(KINDS)]
    layers = [_draw(design, rng, kind, size, size) for kind, size in [*sizes, (None, _TINY)]]
    tall = min(3 * design.accumulators * design.n_sets, _TALL)
    for _ in range(_TALL_DRAWS):
        layer = _draw(design, rng, None, tall, _SMALL)
        if len(slices_of(design, layer)) > 1:
            break
    return [*layers, layer]


def _draw(design: Design, rng: np.random.Generator, kind: str | None, max_height: int, max_width: int) -> SparseLayer:
    for _ in range(_DRAWS):
        layer = random_layer(
            rng,
            value_bits=design.value_bits,
            act_bits=design.act_bits,
            multiplier_bits=design.requant_multiplier_bits,
            max_height=max_height,
            max_width=min(max_width, design.act_words),
            kind=kind,
        )
        if layer.n_macs <= _MOST_MACS and refusal(design, layer) is None:
            return layer
    raise InputError(f"verify: wanted a random layer that fits the lanes, none of {_DRAWS} did; raise lane_entries")


def free(layer: SparseLayer) -> Case:
    """Beats as early as they can come, and a receiver that never waits."""
    return Case(traffic="back to back", stimulus=Stimulus(layer=layer))


def stalled(design: Design, layer: SparseLayer, rng: np.random.Generator) -> Case:
    """Beats that come in bursts with gaps between them, and a receiver that pauses."""
    n_beats = n_stream_beats(design, layer)
    gaps = np.where(rng.random(n_beats) < rng.choice([0.02, 0.3]), rng.geometric(rng.choice([0.1, 0.5]), n_beats), 0)
    ready = np.repeat(rng.random(4096) < rng.choice([0.2, 0.5, 0.9]), int(rng.integers(1, 5)))
    arrivals = design.dram_latency_cycles + np.arange(n_beats) + np.cumsum(gaps)
    return Case(traffic="stalls on both sides", stimulus=Stimulus(layer=layer, beat_arrivals=arrivals, ready=ready))


def expected_of(design: Design, case: Case) -> Expected:
    """Results by docs/sparse.md section 1, cycles, activity and phases by the simulator."""
    layer, stimulus = case.layer, case.stimulus
    vectors = activations(layer, design.act_bits)
    outputs, n_overflows = reference(design, layer, vectors)
    simulated = simulator_of_sparse.run_layer(
        design, layer, vectors, beat_arrivals=stimulus.beat_arrivals, ready=stimulus.ready
    )
    phases = {name: simulated.phases.get(name, 0) for name in ("prime", "settle", "drain")}
    phases["multiply"] = sum(simulated.phases.get(name, 0) for name in _MULTIPLY)
    activity = {**simulated.activity, "overflows": n_overflows}
    return Expected(outputs=outputs, cycles=simulated.cycles, activity=activity, phases=phases)


def compare(
    design: Design, case: Case, run: LayerRun, *, index: int, point: Point, waves: Path | None
) -> CaseResult:
    """One case on the RTL beside what was expected."""
    expected = expected_of(design, case)
    found = differences(expected, run)
    return CaseResult(
        point=index,
        design=point,
        layer=f"{describe(design, case.layer)}, {case.traffic}",
        n_tiles=len(slices_of(design, case.layer)),
        n_outputs=run.outputs.size,
        simulated_cycles=expected.cycles,
        rtl_cycles=run.cycles,
        outputs_equal=not any(one.what == "outputs" for one in found),
        activity_equal=not any(one.what in run.activity for one in found),
        overflows=run.activity["overflows"],
        differences=found,
        waves=str(_waves(waves, index)) if waves is not None and found else None,
    )


def describe(design: Design, layer: SparseLayer) -> str:
    """One line: the matrix, its vectors and slices."""
    n_slices, share = len(slices_of(design, layer)), layer.matrix.nnz / layer.matrix.n_places
    return f"{layer.name}, {share:.0%} non-zeros, vectors: {layer.n_vectors}, slices: {n_slices}"


def differences(expected: Expected, run: LayerRun) -> tuple[Difference, ...]:
    """Outputs, cycles, each counter of activity and each phase that differs."""
    found = []
    wrong = expected.outputs != run.outputs
    if wrong.any():
        vector, row = (int(place) for place in np.argwhere(wrong)[0])
        found.append(
            Difference(
                what="outputs",
                expected=int(expected.outputs[vector, row]),
                rtl=int(run.outputs[vector, row]),
                where=f"vector {vector}, row {row}; {int(wrong.sum())} differ",
            )
        )
    if expected.cycles != run.cycles:
        found.append(Difference(what="cycles", expected=expected.cycles, rtl=run.cycles, where="the last word"))
    phases = ({f"{name} phase": n for name, n in side.items()} for side in (expected.phases, run.phases))
    for of_simulator, of_rtl in ((expected.activity, run.activity), tuple(phases)):
        for name in sorted(set(of_simulator) | set(of_rtl)):
            wanted, counted = of_simulator.get(name), of_rtl.get(name)
            if wanted != counted:
                found.append(Difference(what=name, expected=str(wanted), rtl=str(counted), where="the whole run"))
    return tuple(found)


def _waves(folder: Path, index: int) -> Path:
    return folder / f"point{index}"
