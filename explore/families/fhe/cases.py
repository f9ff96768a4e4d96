"""Random gates on the RTL of a bootstrapping machine, against the definition of the ciphertexts and the simulator."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designs.families.fhe import Design
from designs.space import Point
from explore.families.fhe.expected import differences, expected_of
from explore.verify import CaseResult
from hw.bench.fhe import ProgramRun, Stimulus, fhe_verilog, n_stream_beats, run_programs
from hw.bench.simulator import SimulatorName
from workloads.circuits.circuit import Circuit
from workloads.circuits.random_circuits import random_circuit
from workloads.mapping.fhe import Program, program_of
from workloads.tfhe.keys import encrypt_bits, generate_keys

_MOST_HALVES = 5  # of batches: gates of a random circuit


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A program, and when its beats may move (as `hw.bench.fhe.Stimulus`)."""

    what: str
    stimulus: Stimulus


def verify_point(
    design: Design,
    *,
    point: Point,
    index: int,
    seed: int,
    simulator: SimulatorName | None,
    waves_dir: Path | None,
) -> tuple[CaseResult, ...]:
    """The cases of `draw_cases` on one machine, one after the other."""
    cases = draw_cases(design, np.random.default_rng([seed, index]))
    return run_cases(design, cases, point=point, index=index, simulator=simulator, waves_dir=waves_dir)


def run_cases(
    design: Design,
    cases: Sequence[Case],
    *,
    point: Point,
    index: int = 0,
    simulator: SimulatorName | None = None,
    waves_dir: Path | None = None,
) -> tuple[CaseResult, ...]:
    """The cases on one machine, one after the other."""
    verilog = fhe_verilog(design)
    stimuli = [case.stimulus for case in cases]
    with tempfile.TemporaryDirectory(prefix="lockstep-verify-") as folder:
        runs = run_programs(design, stimuli, work_dir=Path(folder), simulator=simulator, verilog=verilog)
    results = tuple(
        compare(design, case, run, index=index, point=point, waves=waves_dir)
        for case, run in zip(cases, runs, strict=True)
    )
    if waves_dir is not None and any(result.differences for result in results):
        folder_of_waves = _waves(waves_dir, index)
        run_programs(design, stimuli, work_dir=folder_of_waves, simulator=simulator, verilog=verilog, waves=True)
    return results


def draw_cases(design: Design, rng: np.random.Generator) -> list[Case]:
    """New keys (from a seed: for tests only), and under them

    - a random circuit of every gate, in batches that wait for one another, back to back and with stalls of all streams;
    - a random program: cells that are empty, hold, have one operand, any factors and any words, with stalls again.
    """
    _, key = keys = generate_keys(design.parameters, seed=int(rng.integers(2**32)))
    n_cells = design.batch * design.cores
    circuit = _draw_circuit(rng, n_cells, mux_share=0.2 if design.batch > 1 else 0.0)
    program = program_of(design, circuit)
    inputs = encrypt_bits(keys[0], rng.integers(2, size=circuit.n_inputs, dtype=np.uint8), seed=1).words
    what = f"{circuit.n_gates} gates in {len(program.slots)} batches"
    free = Stimulus(program=program, key=key, inputs=inputs)
    words = rng.integers(2**32, size=(4, design.parameters.lwe_dimension + 1), dtype=np.uint32)
    drawn = random_program(design, rng, len(words))
    return [
        Case(what=f"{what}, back to back", stimulus=free),
        Case(what=f"{what}, stalls on all streams", stimulus=stalled(design, free, rng)),
        Case(
            what=f"{int(drawn.valid.sum())} random cells in {len(drawn.slots)} batches, stalls on all streams",
            stimulus=stalled(design, Stimulus(program=drawn, key=key, inputs=words), rng),
        ),
    ]


def _draw_circuit(rng: np.random.Generator, n_cells: int, mux_share: float) -> Circuit:
    """A circuit of a few batches; not one of NOTs alone, in which nothing is to be done."""
    while True:
        circuit = random_circuit(
            int(rng.integers(2**32)),
            1 + int(rng.integers(_MOST_HALVES * n_cells // 2)),
            width=1 + int(rng.integers(2 * n_cells)),
            n_inputs=int(rng.integers(1, 6)),
            mux_share=mux_share,
            not_share=0.2,
        )
        if circuit.n_bootstraps:
            return circuit


def random_program(design: Design, rng: np.random.Generator, n_inputs: int) -> Program:
    """Two batches of any slots: operands, factors, constants, values and posts at random, cells empty or holding."""
    slots = rng.integers(1, design.batch + 1, size=2)
    first_cell = np.concatenate([[0], np.cumsum(slots * design.cores)])
    n_cells = int(first_cell[-1])
    valid = rng.random(n_cells) < 0.7
    valid[first_cell[:-1]] = True  # nothing is no batch
    cell = np.arange(n_cells)
    batch = np.searchsorted(first_cell, cell, side="right") - 1
    following = np.minimum(cell + design.cores, n_cells - 1)
    inside = cell + design.cores < first_cell[batch + 1]
    holds = valid & inside & valid[following] & (rng.random(n_cells) < 0.3)
    holds[following[holds]] = False  # one is added to the next, and no third
    stores = valid & ~holds
    result = np.where(stores, n_inputs + np.cumsum(stores) - 1, 0).astype(np.int32)
    n_first = int(stores[: first_cell[1]].sum())  # results of the first batch, that the second one may read
    after = np.array([0, int(rng.integers(2))])
    readable = np.where(batch == 0, n_inputs, n_inputs + after[1] * n_first)
    factors = rng.integers(-2, 3, size=(n_cells, 2)).astype(np.int8)
    factors[(factors == 0).all(axis=1), 0] = -1
    factors *= valid[:, None]
    operands = np.where(factors != 0, rng.integers(readable[:, None], size=(n_cells, 2)), 0)
    words = np.where(valid, rng.integers(2**32, size=(3, n_cells), dtype=np.uint32), np.uint32(0))
    return Program(
        slots=slots, after=after, first_cell=first_cell, valid=valid, holds=holds, factors=factors, constant=words[0],
        value=words[1], post=words[2], operands=operands.astype(np.int32), result=result,
    )  # fmt: skip


def stalled(design: Design, free: Stimulus, rng: np.random.Generator) -> Stimulus:
    """The same program; each stream comes in bursts with gaps between them, and memory pauses taking results."""
    beats = n_stream_beats(design, free.program)
    latency = design.memory_latency_cycles
    ready = np.repeat(rng.random(2048) < rng.choice([0.2, 0.5, 0.9]), int(rng.integers(1, 5)))
    return Stimulus(
        program=free.program,
        key=free.key,
        inputs=free.inputs,
        bootstrap_key_arrivals=latency + _bursts(rng, beats["bootstrap_key"]),
        key_switch_key_arrivals=latency + _bursts(rng, beats["key_switch_key"]),
        read_arrivals=1 + _bursts(rng, beats["read"]),
        write_ready=ready,
    )


def _bursts(rng: np.random.Generator, n_beats: int) -> np.ndarray:
    share, mean = rng.choice([0.02, 0.1]), rng.choice([0.2, 0.5])
    gaps = np.where(rng.random(n_beats) < share, rng.geometric(mean, n_beats), 0)
    return np.arange(n_beats) + np.cumsum(gaps)


def compare(
    design: Design, case: Case, run: ProgramRun, *, index: int, point: Point, waves: Path | None
) -> CaseResult:
    """One case on the RTL beside what was expected."""
    program, expected = case.stimulus.program, expected_of(design, case.stimulus)
    found = differences(design, program, expected, run)
    return CaseResult(
        point=index,
        design=point,
        layer=case.what,
        n_tiles=len(program.slots),
        n_outputs=sum(words.size for words in expected.ciphertexts.values()),
        simulated_cycles=expected.cycles,
        rtl_cycles=run.cycles,
        outputs_equal=not any(one.what == "outputs" for one in found),
        activity_equal=not any(one.what in run.activity for one in found),
        overflows=0,
        differences=found,
        waves=str(_waves(waves, index)) if waves is not None and found else None,
    )


def _waves(folder: Path, index: int) -> Path:
    return folder / f"point{index}"
