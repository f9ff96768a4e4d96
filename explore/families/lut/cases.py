"""Random circuits and samples on the RTL of a LUT machine, against the netlist's meaning and the simulator."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designs.families.lut import Design
from designs.space import Point
from explore.verify import CaseResult, Difference
from hw.bench.lut import SamplesRun, Stimulus, lut_verilog, run_samples
from hw.bench.simulator import SimulatorName
from sim.families.lut import run_with_numbers
from workloads.classifiers.classifier import Classifier
from workloads.mapping.lut import Circuit, circuit_of
from workloads.netlist import run_netlist
from workloads.random_netlists import SHAPES, random_netlist

N_VECTORS = 400
N_CIRCUITS = 2  # of a point
_MOST_LUTS = 500
_MOST_TABLE_INPUTS = 8  # of a LUT before it is mapped: more than a fabric has


@dataclass(frozen=True, kw_only=True, eq=False)
class Traffic:
    """When samples and readers of a run are there."""

    name: str
    gaps: np.ndarray | None
    ready: np.ndarray | None


def verify_point(
    design: Design,
    *,
    point: Point,
    index: int,
    seed: int,
    simulator: SimulatorName | None,
    waves_dir: Path | None,
    n_vectors: int = N_VECTORS,
) -> tuple[CaseResult, ...]:
    """Random circuits with `n_vectors` samples in all, back to back and once more with stalls on both sides."""
    rng = np.random.default_rng([seed, index])
    results: list[CaseResult] = []
    for number in range(N_CIRCUITS):
        n_samples = -(-n_vectors // N_CIRCUITS)
        classifier = random_classifier(rng, n_samples, large=bool(number))
        traffics = (Traffic(name="back to back", gaps=None, ready=None), random_stalls(rng, n_samples))
        waves = None if waves_dir is None else waves_dir / f"point{index}_{number}"
        results += verify_classifier(
            design, classifier, traffics, point=point, index=index, simulator=simulator, waves=waves
        )
    return tuple(results)


def random_classifier(rng: np.random.Generator, n_samples: int, *, large: bool = False) -> Classifier:
    """A random netlist with random samples; `large`: of some hundred LUTs after mapping, else of any size."""
    n_inputs = int(rng.integers(32 if large else 1, 65))
    n_luts = int(rng.integers(_MOST_LUTS // 2 if large else 1, _MOST_LUTS + 1))
    netlist = random_netlist(
        rng,
        n_inputs,
        n_luts,
        int(rng.integers(6 if large else 1, _MOST_TABLE_INPUTS + 1)),
        n_outputs=n_luts // 2 if large else int(rng.integers(1, n_luts + 2)),
        shape=str(rng.choice(SHAPES)),
    )
    samples = rng.integers(0, 2, (n_samples, n_inputs)).astype(np.uint8)
    return Classifier(netlist=netlist, samples=samples, labels=None, answer="bits")


def random_stalls(rng: np.random.Generator, n_samples: int) -> Traffic:
    """Gaps of 0 to 3 cycles before samples, and readers that wait in some cycles of a short pattern."""
    ready = rng.integers(0, 2, int(rng.integers(2, 12)))
    ready[rng.integers(len(ready))] = 1
    gaps = rng.integers(0, 4, n_samples) * rng.integers(0, 2, n_samples)
    return Traffic(name="stalls on both sides", gaps=gaps, ready=ready)


def verify_classifier(
    design: Design,
    classifier: Classifier,
    traffics: tuple[Traffic, ...],
    *,
    point: Point,
    index: int,
    simulator: SimulatorName | None,
    waves: Path | None,
) -> list[CaseResult]:
    """All samples of a classifier on the RTL, once for each traffic; where they differ, `waves` gets the waveforms."""
    circuit = circuit_of(design, classifier.netlist)
    verilog = lut_verilog(design, circuit)
    stimuli = [Stimulus(samples=classifier.samples, gaps=t.gaps, ready=t.ready) for t in traffics]
    with tempfile.TemporaryDirectory(prefix="lockstep-verify-") as folder:
        runs = run_samples(design, circuit, stimuli, work_dir=Path(folder), simulator=simulator, verilog=verilog)
    found = [differences(design, classifier, t, run) for t, run in zip(traffics, runs, strict=True)]
    if waves is not None and any(found):
        run_samples(design, circuit, stimuli, work_dir=waves, simulator=simulator, verilog=verilog, waves=True)
    return [
        CaseResult(
            point=index,
            design=point,
            layer=f"{describe(circuit)}, {traffic.name}",
            n_tiles=None,
            n_outputs=run.outputs.size,
            simulated_cycles=_simulated_cycles(design, classifier, traffic),
            rtl_cycles=run.cycles,
            outputs_equal=not any(one.what == "outputs" for one in of_run),
            activity_equal=not any(one.what in run.activity for one in of_run),
            overflows=0,
            differences=of_run,
            waves=str(waves) if waves is not None and of_run else None,
        )
        for traffic, run, of_run in zip(traffics, runs, found, strict=True)
    ]


def describe(circuit: Circuit) -> str:
    """The size of a circuit, short."""
    netlist = circuit.netlist
    return (
        f"{netlist.n_inputs} inputs, {netlist.n_luts} LUTs, {netlist.n_outputs} outputs, "
        f"{circuit.n_levels} levels in {circuit.n_stages} stages"
    )


def _simulated_cycles(design: Design, classifier: Classifier, traffic: Traffic) -> int:
    return int(run_with_numbers(design, classifier, traffic.gaps, traffic.ready).answer_cycles.max()) + 1


def differences(design: Design, classifier: Classifier, traffic: Traffic, run: SamplesRun) -> tuple[Difference, ...]:
    """RTL against the original netlist (bits), against the simulator (cycle of every sample, activity).

    Without stalls also against docs/lut.md itself: latency of every sample, one sample a cycle and copy, cycles in all.
    """
    simulated = run_with_numbers(design, classifier, traffic.gaps, traffic.ready)
    expected: dict[str, np.ndarray] = {
        "outputs": run_netlist(classifier.netlist, classifier.samples),
        "accept cycle": simulated.accept_cycles,
        "answer cycle": simulated.answer_cycles,
    }
    got = {"outputs": run.outputs, "accept cycle": run.accept_cycles, "answer cycle": run.answer_cycles}
    found = [one for what in expected if (one := _first(what, expected[what], got[what]))]
    if one := _first("simulated outputs", expected["outputs"], simulated.outputs):
        found.append(one)
    if traffic.gaps is None and traffic.ready is None:
        taken = np.arange(len(classifier.samples)) // design.copies
        latency_cycles = circuit_of(design, classifier.netlist).latency_cycles
        found += [one for one in (
            _first("initiation interval", taken, run.accept_cycles),
            _first("latency", np.full(len(taken), latency_cycles), run.answer_cycles - run.accept_cycles),
        ) if one]  # fmt: skip
    cycles = int(simulated.answer_cycles.max()) + 1
    if cycles != run.cycles:
        found.append(Difference(what="cycles", expected=cycles, rtl=run.cycles, where="the last answer"))
    for name in sorted(set(simulated.activity) | set(run.activity)):
        wanted, counted = simulated.activity.get(name), run.activity.get(name)
        if wanted != counted:
            found.append(Difference(what=name, expected=str(wanted), rtl=str(counted), where="the whole run"))
    return tuple(found)


def _first(what: str, expected: np.ndarray, got: np.ndarray) -> Difference | None:
    """The first sample in which two arrays differ."""
    wrong = expected != got
    if not wrong.any():
        return None
    at = tuple(int(place) for place in np.argwhere(wrong)[0])
    where = f"sample {at[0]}" + (f", output {at[1]}" if len(at) > 1 else "") + f"; {int(wrong.sum())} differ"
    return Difference(what=what, expected=int(expected[at]), rtl=int(got[at]), where=where)
