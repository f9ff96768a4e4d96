"""Bootstrapping machines: RTL == definition == simulator, and machines that differ from what was asked for are reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from designs.families.fhe import Design
from designs.space import load_space
from explore.families.fhe import verify_network, verify_point
from explore.families.fhe.cases import random_program
from explore.families.fhe.expected import differences, expected_of, results_of
from explore.verify import MISSING
from hw.bench.fhe import ProgramRun, Stimulus, fhe_verilog, n_stream_beats, run_programs
from hw.families.fhe import BootstrappingMachine
from tests.families.fhe_cases import SMALLEST
from workloads.circuits.circuit import NOT
from workloads.circuits.named import named_circuit
from workloads.circuits.random_circuits import random_circuit
from workloads.mapping.fhe import program_of
from workloads.tfhe.keys import encrypt_bits, generate_keys
from workloads.tfhe.reference import gate

# k = 2, three digits at once, three results on two key switchers, rows that come slower than they are used.
MANY = Design(
    parameter_set="custom", lwe_dimension=3, glwe_dimension=2, ring_degree=16, decomposition_levels=3,
    decomposition_base_bits=5, key_switch_levels=2, key_switch_base_bits=4, lwe_noise=1e-7, glwe_noise=1e-9,
    modulus_bits=56, coefficients_per_cycle=8, rotators=1, decomposers=3, key_columns=3, inverse_ntts=1, ntt_ranks=3,
    multiplier_stages=3, cores=1, batch=3, key_rows=2, key_residues_per_cycle=3, key_switch_lanes=2, key_switchers=2,
    ciphertext_words_per_cycle=1, memory_latency_cycles=9,
)  # fmt: skip
# One slot, three cores, the whole key on chip.
RESIDENT = replace(
    MANY, lwe_dimension=5, glwe_dimension=1, decomposition_levels=2, coefficients_per_cycle=2, decomposers=1,
    rotators=2, key_columns=1, inverse_ntts=2, cores=3, batch=1, key_rows=7, key_residues_per_cycle=4,
    key_switch_lanes=4, key_switchers=1, ciphertext_words_per_cycle=2, memory_latency_cycles=1, modulus_bits=48,
)  # fmt: skip


@pytest.mark.rtl
@pytest.mark.parametrize("design", [SMALLEST, MANY, RESIDENT], ids=["smallest", "many", "resident"])
def test_random_gates_are_equal(design: Design) -> None:
    design.check()
    results = verify_point(design, point={}, index=2, seed=5, simulator=None, waves_dir=None)
    assert [result.layer.rsplit(", ")[-1] for result in results] == ["back to back", *["stalls on all streams"] * 2]
    assert [result.differences for result in results] == [()] * 3
    assert all(result.rtl_cycles == result.simulated_cycles > 0 < result.n_outputs for result in results)
    assert results[1].rtl_cycles >= results[0].rtl_cycles


@pytest.mark.parametrize("seed", range(20))
def test_drawn_programs_read_what_is_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = random_program(replace(MANY, cores=2), rng, 4)
    makers = program.valid & ~program.holds
    assert sorted(program.result[makers]) == list(range(4, 4 + makers.sum()))
    n_known = 4
    for batch in range(2):
        cells = slice(program.first_cell[batch], program.first_cell[batch + 1])
        limit = 4 if program.after[batch] < batch else n_known
        assert (program.operands[cells] < limit).all() and makers[cells].any()
        n_known += int(makers[cells].sum())
    held = np.flatnonzero(program.holds)
    assert makers[held + 2].all() and ((program.factors != 0).any(axis=1) == program.valid).all()


def test_expected_ciphertexts_are_those_of_gates() -> None:
    """A circuit with every kind of gate: the program's results against the reference, gate by gate, NOTs included."""
    circuit = random_circuit(1, 40, n_inputs=4, mux_share=0.2, not_share=0.2)
    secret, key = generate_keys(MANY.parameters, seed=1)
    inputs = encrypt_bits(secret, np.array([0, 1, 1, 0], np.uint8), seed=2).words
    signals = list(inputs)
    for op, operands in zip(circuit.ops.tolist(), circuit.operands.tolist(), strict=True):
        signals.append(gate(op, tuple(signals[number][None] for number in operands if number >= 0), key)[0])
    found = results_of(MANY, Stimulus(program=program_of(MANY, circuit), key=key, inputs=inputs))
    assert sorted(found) == [4 + number for number in np.flatnonzero(circuit.ops != NOT)]
    assert all((found[number] == signals[number]).all() for number in found)


@pytest.fixture(scope="module")
def gates() -> Stimulus:
    """Five gates in two batches of RESIDENT."""
    circuit = random_circuit(3, 5, width=3, n_inputs=4, mux_share=0.0, not_share=0.0)
    secret, key = generate_keys(RESIDENT.parameters, seed=4)
    inputs = encrypt_bits(secret, np.array([1, 0, 1, 1], np.uint8), seed=5).words
    return Stimulus(program=program_of(RESIDENT, circuit), key=key, inputs=inputs)


def test_a_bit_a_cycle_and_a_count_are_told(gates: Stimulus) -> None:
    expected = expected_of(RESIDENT, gates)
    right = ProgramRun(
        ciphertexts=dict(expected.ciphertexts), cycles=expected.cycles, activity=dict(expected.activity)
    )
    program = gates.program
    assert differences(RESIDENT, program, expected, right) == ()
    cell = int(np.flatnonzero(program.valid)[-1])
    number, core = int(program.result[cell]), cell - int(program.first_cell[-2])
    words = expected.ciphertexts[number].copy()
    words[3] ^= 1 << 7
    wrong = ProgramRun(
        ciphertexts={**expected.ciphertexts, number: words},
        cycles=expected.cycles - 1,
        activity={**expected.activity, "key_macs": expected.activity["key_macs"] + 1},
    )
    bit, cycle, count = differences(RESIDENT, program, expected, wrong)
    assert (bit.what, bit.expected) == ("outputs", int(words[3]) ^ 1 << 7)
    last = len(program.slots) - 1
    assert bit.where == f"batch {last}, slot 0, core {core}, ciphertext {number}, word 3; 1 differ"
    assert (cycle.what, cycle.expected, cycle.rtl) == ("cycles", expected.cycles, expected.cycles - 1)
    assert count.what == "key_macs"
    lost = replace(right, ciphertexts={n: row for n, row in expected.ciphertexts.items() if n != number})
    assert differences(RESIDENT, program, expected, lost)[0].rtl == MISSING
    uncounted = replace(right, activity={n: x for n, x in expected.activity.items() if n != "digits"})
    assert [(one.what, one.rtl) for one in differences(RESIDENT, program, expected, uncounted)] == [("digits", MISSING)]


@pytest.mark.rtl
def test_another_machine_is_seen(gates: Stimulus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of its key turned, one register more in its multipliers, and cells counted once a slot."""
    turned = gates.key.bootstrap_key.copy()
    turned[2, 1, 0, 0, 5] ^= 1 << 27
    given = replace(gates, key=replace(gates.key, bootstrap_key=turned))
    monkeypatch.setattr(BootstrappingMachine, "_cells", lambda self, m, station, name: station.first_word)
    verilog = fhe_verilog(replace(RESIDENT, multiplier_stages=4))
    (run,) = run_programs(RESIDENT, [given], work_dir=tmp_path, verilog=verilog)
    told = {one.what for one in differences(RESIDENT, gates.program, expected_of(RESIDENT, gates), run)}
    assert told == {"outputs", "cycles", "started", "extracted", "bootstraps"}


@pytest.mark.rtl
def test_a_circuit_on_one_machine() -> None:
    """Encrypted, on the RTL, decrypted."""
    told: list[tuple[int, int]] = []
    space = load_space("fhe_small").pin({"cores": 2, "batch": 3, "coefficients_per_cycle": 2})
    circuit = named_circuit("adder:2")
    assert circuit is not None
    found = verify_network(
        space.design(space.first_point()), circuit, 1, progress=lambda n_new, n_all: told.append((n_new, n_all))
    )
    assert found.differences == () and found.rtl_cycles == found.simulated_cycles > 100
    assert (found.n_samples, found.n_cases, found.labels, told) == (1, 2, None, [(1, 1)])


def test_what_cannot_run_is_refused(gates: Stimulus, tmp_path: Path) -> None:
    circuit = named_circuit("adder:2")
    assert circuit is not None
    with pytest.raises(InputError, match="images: wanted at least 1, got 0"):
        verify_network(RESIDENT, circuit, 0)
    beats = n_stream_beats(RESIDENT, gates.program)["read"]
    late = replace(gates, read_arrivals=np.arange(beats + 1))
    with pytest.raises(ValueError, match=f"read_arrivals: wanted one for each of {beats} beats, got {beats + 1}"):
        run_programs(RESIDENT, [late], work_dir=tmp_path, verilog="")
    with pytest.raises(ValueError, match="key: wanted one of"):
        run_programs(MANY, [gates], work_dir=tmp_path, verilog="")


