"""A circuit on the RTL of one bootstrapping machine: encrypted, run, decrypted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from designs.errors import InputError
from designs.families.fhe import Design
from explore.families.fhe.cases import stalled
from explore.families.fhe.expected import differences, expected_of
from explore.verify import Difference, NetworkResult
from hw.bench.fhe import ProgramRun, Stimulus, fhe_verilog, run_programs
from hw.bench.simulator import SimulatorName
from workloads.circuits.circuit import CONSTANT_1, Circuit
from workloads.circuits.evaluate import run_circuit
from workloads.circuits.negations import output_sources
from workloads.mapping.fhe import program_of
from workloads.tfhe.keys import Ciphertexts, SecretKey, decrypt_bits, encrypt_bits, generate_keys


def verify_network(
    design: Design,
    workload: Circuit,
    n_images: int,
    *,
    simulator: SimulatorName | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> NetworkResult:
    """Run the circuit on `n_images` random inputs, encrypted, back to back and again with stalls.

    Ciphertexts, cycles and activity are compared, and decrypted outputs with the circuit in clear text: parameters with
    so much noise that a bit turns are a difference, too. Keys are new ones from a seed, for tests only. Raises
    InputError where n_images is below 1 or the circuit does not fit the machine.
    """
    if n_images < 1:
        raise InputError(f"images: wanted at least 1, got {n_images}")
    program, verilog, rng = program_of(design, workload), fhe_verilog(design), np.random.default_rng(0)
    secret, key = generate_keys(design.parameters, seed=0)
    inputs = rng.integers(2, size=(n_images, workload.n_inputs), dtype=np.uint8)
    outputs = run_circuit(workload, inputs)
    found: list[Difference] = []
    simulated_cycles = rtl_cycles = 0
    for sample in range(n_images):
        encrypted = encrypt_bits(secret, inputs[sample], seed=sample + 1).words
        free = Stimulus(program=program, key=key, inputs=encrypted)
        cases = {"back to back": free, "stalls on all streams": stalled(design, free, rng)}
        with tempfile.TemporaryDirectory(prefix="lockstep-network-") as folder:
            runs = run_programs(
                design, tuple(cases.values()), work_dir=Path(folder), simulator=simulator, verilog=verilog
            )
        for (traffic, stimulus), run in zip(cases.items(), runs, strict=True):
            expected = expected_of(design, stimulus)
            of_case = differences(design, program, expected, run)
            if not any(one.what == "outputs" for one in of_case):
                of_case += _wrong_bits(workload, secret, encrypted, run, outputs[sample])
            found += [replace(one, where=f"input {sample}, {traffic}: {one.where}") for one in of_case]
            simulated_cycles += expected.cycles
            rtl_cycles += run.cycles
        if progress:
            progress(1, n_images)
    return NetworkResult(
        workload=workload.name,
        n_samples=n_images,
        n_cases=2 * n_images,
        labels=None,
        expected_labels=None,
        true_labels=None,
        n_overflows=None,
        simulated_cycles=simulated_cycles,
        rtl_cycles=rtl_cycles,
        differences=tuple(found),
    )


def _wrong_bits(
    circuit: Circuit, secret: SecretKey, inputs: np.ndarray, run: ProgramRun, wanted: np.ndarray
) -> tuple[Difference, ...]:
    """The first output bit that decrypts to another value than the circuit gives in clear text."""
    got = _decrypted(circuit, secret, inputs, run)
    wrong = np.flatnonzero(got != wanted)
    if not len(wrong):
        return ()
    bit = int(wrong[0])
    where = f"output bit {bit}; {len(wrong)} of {len(wanted)} decrypt wrong"
    return (Difference(what="decrypted outputs", expected=int(wanted[bit]), rtl=int(got[bit]), where=where),)


def _decrypted(circuit: Circuit, secret: SecretKey, inputs: np.ndarray, run: ProgramRun) -> np.ndarray:
    source, negated = output_sources(circuit)
    signals = np.zeros((circuit.n_inputs + circuit.n_gates, inputs.shape[1]), np.uint32)
    signals[: len(inputs)] = inputs
    for number, words in run.ciphertexts.items():
        signals[number] = words
    bits = decrypt_bits(secret, Ciphertexts(key_id=secret.key_id, n_messages=0, words=signals[np.maximum(source, 0)]))
    bits = bits.astype(np.uint8) ^ negated
    return np.where(source >= 0, bits, source == CONSTANT_1).astype(np.uint8)
