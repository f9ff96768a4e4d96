"""The simulator of bootstrapping machines against cases computed by hand, the cycle-by-cycle twin, and its own bounds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.fhe import Design
from designs.technology import load_technology
from explore.evaluate import evaluate
from lockstep.api import simulate
from sim.cost import energy_pj
from sim.families import fhe
from sim.run import Run
from tests.families.fhe_cases import SMALLEST
from tests.families.fhe_twin import difference, one_batch, program_of_cells, random_case
from workloads.circuits.circuit import MUX, NOT, Circuit
from workloads.circuits.random_circuits import random_circuit
from workloads.mapping.fhe import Program, program_of

SEEDS = st.integers(0, 2**32 - 1)

# Two words a polynomial and one job a station and step: ROT takes 4 + 2 cycles to F_0, whose 4 passes are 5 cycles apart and
# store 18 cycles after the start; MAC 1 after that; I_0 3 + 1 later, WB 18 + 2, the last word 2 + 1: a step is 52 cycles.
TINY = Design(
    parameter_set="custom", lwe_dimension=2, glwe_dimension=1, ring_degree=16, decomposition_levels=1,
    decomposition_base_bits=4, key_switch_levels=1, key_switch_base_bits=1, lwe_noise=2.0**-20, glwe_noise=2.0**-30,
    modulus_bits=48, coefficients_per_cycle=8, rotators=2, decomposers=1, key_columns=2, inverse_ntts=2, ntt_ranks=1,
    multiplier_stages=1, cores=1, batch=2, key_rows=2, key_residues_per_cycle=32, key_switch_lanes=1, key_switchers=1,
    ciphertext_words_per_cycle=1, memory_latency_cycles=10,
)  # fmt: skip


def phases(run: Run) -> dict[str, int]:
    return {name: cycles for name, cycles in run.phases.items() if cycles}


def test_one_gate_by_hand() -> None:
    TINY.check()
    run = fhe.run_program(TINY, one_batch(1, 1))
    # LOAD 1 to 18 (two ciphertexts of 3 beats from cycle 11 on), keys in 10 to 13, INIT 19, ROT 21, the last word of step 0
    # in 73 and of step 1 in 125, EXTRACT 126 to 129, 48 beats of key switch from 130 on, ks_end 180, beats in 183 to 185.
    assert run.cycles == 186
    assert phases(run) == {
        "load": 19, "init": 2, "compute": 2 * 17, "pipeline_latency": 107 - 2 - 34, "extract": 4, "drain": 56,
    }  # fmt: skip
    assert run.activity == {
        "rotated": 2 * 32, "digits": 2 * 32, "butterflies": 2 * 16 * 4, "inverse_butterflies": 2 * 16 * 4,
        "key_macs": 2 * 64, "transform_updates": 2 * 32, "accumulated": 2 * 32, "started": 32, "extracted": 17,
        "key_switch_macs": 48, "linear_words": 6, "key_beats": 4, "key_switch_beats": 48, "read_beats": 6,
        "write_beats": 3, "bootstraps": 1,
    }  # fmt: skip


def test_two_slots_hide_the_pipeline_by_hand() -> None:
    # ROT in 23 and 25 (INIT takes 4 cycles, 19 to 22); F_0 in 29 and, 17 later, 46; so the second slot is 17 behind.
    run = fhe.run_program(replace(TINY, memory_latency_cycles=4), one_batch(2, 1))
    # LOAD 1 + 4 + 12 - 1 + 2 = 18, INIT 19; slot 0 stores in 23 + 52 and 23 + 104, slot 1 17 later.
    assert run.phases["init"] == 4 and run.phases["compute"] == 2 * 34
    assert run.phases["pipeline_latency"] == (23 + 104 + 17 - 19 + 1) - 4 - 68


def test_a_key_that_is_late_stalls_by_hand() -> None:
    # Rows of 128 beats: two are there in 137 and 265; MAC of step 0 starts in 293, so row 2 comes in 295 to 422 and MAC of
    # step 2 starts in 423 instead of 397.
    design = replace(TINY, lwe_dimension=3, decomposition_levels=2, decomposers=2, key_residues_per_cycle=1)
    run = fhe.run_program(design, one_batch(1, 1))
    assert run.phases["stall_key"] == 26
    assert run.phases["load"] == 21 and run.phases["key_fill"] == 265 - 20  # load_end 1 + 10 + 8 - 1 + 2
    assert fhe.run_program(replace(design, key_rows=3), one_batch(1, 1)).phases["stall_key"] == 0  # resident


def test_a_batch_waits_for_operands_by_hand() -> None:
    program = two_batches(after=0)
    free, bound = (fhe.run_program(TINY, one) for one in (program, two_batches(after=1)))
    # Batch 0 is stored in 185 (as above). Alone, batch 1 is loaded in 19 to 36, long before EXTRACT ends in 129; bound, it
    # is loaded in 186 to 203 and INIT is in 204.
    assert free.phases["stall_operands"] == 0
    assert bound.phases["stall_operands"] == 203 - 129
    assert bound.cycles == 204 - 19 + 186
    # Free, INIT is in 130 and EXTRACT wants 237; batch 0 is stored in 185, so nothing waits.
    assert free.cycles == 130 - 19 + 186


def test_extraction_waits_for_the_key_switch_by_hand() -> None:
    # Twice the levels: 96 beats, ks_end 228, stored in 233; EXTRACT of batch 1 could be in 237. Four times: 192, 324, 329.
    for levels, waits in ((2, 0), (4, 329 - 236)):
        run = fhe.run_program(replace(TINY, key_switch_levels=levels), two_batches(after=0))
        assert run.phases["stall_key_switch"] == waits


def two_batches(after: int) -> Program:
    return program_of_cells(np.array([1, 1]), np.array([0, after]), np.ones(2, bool), 1)


def test_stalled_streams_by_hand() -> None:
    late = fhe.run_program(TINY, one_batch(1, 1), read_arrivals=np.arange(6) + 14)
    assert late.cycles == 186 + 3 and late.phases["load"] == 22
    keys = fhe.run_program(TINY, one_batch(1, 1), key_arrivals=np.array([1, 2, 3, 40]))
    assert keys.cycles == 186 + 22 and keys.phases["key_fill"] == 22  # INIT in 41
    every_third = np.arange(48) * 3 + 1
    switch = fhe.run_program(TINY, one_batch(1, 1), key_switch_arrivals=every_third + 200)
    assert switch.cycles == 186 + (200 + 47 * 3 + 1) - 177  # the last beat was taken in 177
    ready = np.zeros(190, bool)
    ready[184] = True
    assert fhe.run_program(TINY, one_batch(1, 1), write_ready=ready).cycles == 192  # in 184, 190, 191


@settings(max_examples=12)
@given(seed=SEEDS)
def test_simulator_is_the_stepped_machine(seed: int) -> None:
    assert difference(seed) is None


@settings(max_examples=40)
@given(seed=SEEDS)
def test_nothing_is_faster_than_the_roofline_and_stalls_only_cost(seed: int) -> None:
    design, program = random_case(seed)
    free = fhe.run_program(design, program)
    assert sum(free.phases.values()) == free.cycles >= free.roofline_cycles > 0
    beats = fhe.stream_beats(design, fhe.batches_of(program, design.cores))
    late = 1 + design.memory_latency_cycles + np.arange(beats["key_beats"])
    assert fhe.run_program(design, program, key_arrivals=late - 1).cycles == free.cycles
    assert fhe.run_program(design, program, key_arrivals=late + 10).cycles >= free.cycles


def test_latency_of_a_batch_is_what_it_takes_alone() -> None:
    for seed in range(20):
        design, _ = random_case(seed)
        run = fhe.run_program(design, one_batch(design.batch, design.cores))
        # Cycle 0 is that of `start`; the ring is filled while the batch is loaded, or after.
        assert fhe.bootstrap_latency_cycles(design) == run.cycles - 1 - run.phases["key_fill"]


def test_real_parameters_are_golden() -> None:
    """Stepped by the twin once: `run_twin(Design(batch=2), one_batch(2, 1), {})` took as many cycles."""
    run = fhe.run_program(Design(batch=2), one_batch(2, 1))
    assert run.cycles == 947_344


def test_runs_of_a_circuit_and_their_figures() -> None:
    circuit = random_circuit(3, 300, width=40)
    (run,) = fhe.simulate([Design()], circuit)
    n = circuit.n_bootstraps
    assert run.activity["bootstraps"] == n
    assert run.figures["bootstraps_per_s"] == pytest.approx(n / (run.cycles * 1e-9))
    (row,) = evaluate("fhe", [{}], circuit)
    energy = sum(energy_pj(fhe.inventory(Design()), run.activity, float(run.cycles), load_technology(45)).values())
    assert row["bootstrap_energy_pj"] == pytest.approx(energy / n)
    assert row["latency_ns"] == run.cycles and row["utilization"] == run.layers[0].utilization


def test_designs_that_differ_in_more_than_the_schedule_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit, made = random_circuit(4, 50, width=8), []

    def counted(design: Design, of_circuit: Circuit) -> Program:
        made.append(design.batch)
        return program_of(design, of_circuit)

    monkeypatch.setattr(fhe, "program_of", counted)
    designs = [Design(clock_mhz=clock, key_rows=rows) for clock in (500, 1000) for rows in (2, 8)]
    fhe.simulate([*designs, replace(designs[0], batch=4)], circuit)
    assert made == [8, 4]


def test_misfits_say_why_in_one_line() -> None:
    muxes = random_circuit(5, 40, mux_share=1.0, not_share=0.0)
    assert (muxes.ops == MUX).all()
    nots = random_circuit(6, 5, mux_share=0.0, not_share=1.0)
    assert (nots.ops == NOT).all()
    for circuit in (muxes, nots):
        (why,) = fhe.misfits([SMALLEST], circuit)
        (run,) = fhe.simulate([SMALLEST], circuit)
        assert why is not None and "\n" not in why and "wanted" in why and run.failure == why
    assert fhe.misfits([TINY], muxes) == [None]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"key_arrivals": np.ones(3, int)}, "key_beats: wanted 4 cycles"),
        ({"read_arrivals": np.zeros(6, int)}, "read_beats: wanted 6 cycles of 1 or more"),
        ({"key_switch_arrivals": np.ones((48, 1), int)}, "key_switch_beats: wanted 48 cycles"),
    ],
)
def test_arrivals_of_another_length_are_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        fhe.run_program(TINY, one_batch(1, 1), **given)


def test_programs_that_never_end_are_refused() -> None:
    waits = two_batches(after=2)
    with pytest.raises(InputError, match="after: wanted batches that were before"):
        fhe.run_program(TINY, waits)
    empty = program_of_cells(np.array([1, 1]), np.zeros(2, int), np.array([True, False]), 1)
    with pytest.raises(InputError, match="operands: wanted some in every batch, got none in batch 1"):
        fhe.run_program(TINY, empty)


def test_timeline_has_every_batch_on_every_track() -> None:
    circuit = random_circuit(8, 60, width=10)
    (run,) = fhe.simulate([TINY], circuit)
    events = fhe.timeline(TINY, circuit)
    tracks = {event["track"] for event in events}
    assert tracks == {"load", "rotation", "extract", "key switch", "store"}
    n_batches = max(event["tile"] for event in events) + 1
    assert len(events) == 5 * n_batches
    assert all(0 < event["start_cycle"] < event["end_cycle"] <= run.cycles for event in events)
    assert max(event["end_cycle"] for event in events) == run.cycles
    for track in tracks:
        times = [(e["start_cycle"], e["end_cycle"]) for e in events if e["track"] == track]
        assert all(end <= start for (_, end), (start, _) in zip(times, times[1:], strict=False))
    with pytest.raises(InputError, match="wanted no tiling"):
        fhe.timeline(TINY, circuit, tiling=())  # type: ignore[arg-type]


def test_a_simulation_writes_the_timeline_of_its_batches(tmp_path: Path) -> None:
    row = simulate("fhe_small", "adder:2", timeline=tmp_path / "run.json")
    found = json.loads((tmp_path / "run.json").read_text())
    spans = [event for event in found["traceEvents"] if event["ph"] == "X"]
    assert {event["cat"] for event in spans} == {"load", "rotation", "extract", "key switch", "store"}
    last_us = max(event["ts"] + event["dur"] for event in spans)
    assert last_us == pytest.approx(row["latency_ns"] / 1e3)
