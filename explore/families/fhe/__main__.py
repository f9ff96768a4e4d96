"""Long verification of bootstrapping machines: `python -m explore.families.fhe --set tfhe_lib_128 --steps 2`.

A complete NAND, then a MUX, on a machine with the polynomials, digits and key-switch digits of a published set, whose
LWE dimension alone is cut to `--steps` (a blind rotation has as many equal steps): bits, cycles and counters of the RTL
against definition and simulator. Prints every case; exit status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

import numpy as np

from designs.families.fhe import Design
from designs.tfhe_parameters import SETS
from explore.families.fhe.cases import Case, run_cases
from hw.bench.fhe import Stimulus
from workloads.circuits.checks import circuit_of
from workloads.circuits.circuit import MUX, NAND, Port
from workloads.mapping.fhe import program_of
from workloads.tfhe.keys import encrypt_bits, generate_keys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m explore.families.fhe", description=__doc__.partition("\n")[0])
    parser.add_argument("--set", choices=sorted(SETS), default="tfhe_lib_128", dest="parameter_set")
    parser.add_argument("--steps", type=int, default=2, help="LWE dimension, 2 or more")
    parser.add_argument("--simulator", choices=("icarus", "verilator"), default=None)
    arguments = parser.parse_args()
    design = shortened(arguments.parameter_set, arguments.steps)
    n_differences = 0
    for result in run_cases(design, cases(design), point=asdict(design), simulator=arguments.simulator):
        n_differences += len(result.differences)
        told = result.differences or "equal"
        print(f"{arguments.parameter_set}, n = {arguments.steps}: {result.layer}: {result.rtl_cycles} cycles, {told}")
    return 1 if n_differences else 0


def shortened(parameter_set: str, n_steps: int) -> Design:
    """A machine of two slots for the set with so many steps; all digits at once, all else one by one."""
    p = SETS[parameter_set].parameters
    design = Design(
        **{**asdict(p), "lwe_dimension": n_steps}, parameter_set="custom", modulus_bits=64,
        coefficients_per_cycle=32, rotators=1, decomposers=p.decomposition_levels, key_columns=1, inverse_ntts=1,
        ntt_ranks=2, multiplier_stages=4, batch=2, key_rows=2, key_residues_per_cycle=32, key_switch_lanes=n_steps,
        key_switchers=1, ciphertext_words_per_cycle=1, memory_latency_cycles=20,
    )  # fmt: skip
    design.check()
    return design


def cases(design: Design) -> list[Case]:
    """NAND of two encrypted bits, and then a MUX with its result: two batches."""
    secret, key = generate_keys(design.parameters, seed=1)
    inputs = encrypt_bits(secret, np.array([1, 0], np.uint8), seed=2).words
    circuit = circuit_of(
        "NAND, then MUX", (Port(name="x", bits=2),), (Port(name="y", bits=1),), np.array([NAND, MUX], np.uint8),
        np.array([[0, 1, -1], [2, 0, 1]], np.int32), np.array([3], np.int32),
    )  # fmt: skip
    return [Case(what=circuit.name, stimulus=Stimulus(program=program_of(design, circuit), key=key, inputs=inputs))]


if __name__ == "__main__":
    sys.exit(main())
