"""What `tests/test_families.py` runs the fhe family on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from designs.families.fhe import Design
from tests.families.fhe_twin import random_design_that_fits
from workloads.circuits.circuit import Circuit
from workloads.circuits.random_circuits import random_circuit

SMALLEST = Design(
    parameter_set="custom", lwe_dimension=3, glwe_dimension=1, ring_degree=16, decomposition_levels=1,
    decomposition_base_bits=4, key_switch_levels=1, key_switch_base_bits=1, lwe_noise=2.0**-20, glwe_noise=2.0**-30,
    modulus_bits=44, coefficients_per_cycle=2, rotators=1, decomposers=1, key_columns=1, inverse_ntts=1, ntt_ranks=1,
    multiplier_stages=1, cores=1, batch=1, key_rows=2, key_residues_per_cycle=1, key_switch_lanes=1, key_switchers=1,
    ciphertext_words_per_cycle=1, memory_latency_cycles=1,
)  # fmt: skip
WORKLOAD: Circuit = random_circuit(7, 12, width=3, n_inputs=4, mux_share=0.0)  # a MUX would need two slots
VERIFIED = "fhe_small", {  # a space and what is pinned for a quick verification
    "lwe_dimension": 4, "glwe_dimension": 1, "ring_degree": 16, "decomposition_levels": 2, "cores": 1, "batch": 2
}  # fmt: skip

_MORE: dict[str, Any] = {
    "lwe_dimension": 700,
    "glwe_dimension": 3,
    "ring_degree": 2048,
    "decomposition_levels": 4,
    "key_switch_levels": 9,
    "coefficients_per_cycle": 32,
    "rotators": 2,
    "decomposers": 3,
    "inverse_ntts": 2,
    "multiplier_stages": 6,
    "cores": 2,
    "batch": 16,
    "key_rows": 4,
    "key_residues_per_cycle": 64,
    "key_switch_lanes": 128,
    "key_switchers": 2,
    "ciphertext_words_per_cycle": 16,
}


def more_hardware() -> dict[str, tuple[Design, Design]]:
    """What was added -> (design, the same with more of it)."""
    base = Design(key_residues_per_cycle=16, batch=8)
    found = {name: (base, replace(base, **{name: value})) for name, value in _MORE.items()}
    found["key_columns"] = replace(base, key_columns=1), base
    found["ntt_ranks"] = replace(base, ntt_ranks=5), base
    found["modulus_bits"] = replace(base, modulus_bits=50), base
    return found


def random_case(seed: int) -> tuple[Design, Circuit, dict[str, Any]]:
    """(design, workload that fits it, further arguments of `simulate`)."""
    rng = np.random.default_rng(seed)
    design = random_design_that_fits(rng)
    share = 0.2 if design.batch > 1 else 0.0
    return design, random_circuit(seed, int(rng.integers(3, 60)), mux_share=share, not_share=0.1), {}
