"""Small TFHE machines for tests of parts."""

from __future__ import annotations

from typing import Any

from designs.families.fhe import Design

_SMALL = {
    "parameter_set": "custom", "lwe_dimension": 2, "glwe_dimension": 1, "ring_degree": 16, "decomposition_levels": 1,
    "decomposition_base_bits": 4, "key_switch_levels": 1, "key_switch_base_bits": 1, "lwe_noise": 1e-5,
    "glwe_noise": 1e-9, "key_switch_lanes": 1, "ciphertext_words_per_cycle": 1, "key_residues_per_cycle": 1,
    "key_columns": 1, "ntt_ranks": 2, "coefficients_per_cycle": 4, "batch": 1,
}  # fmt: skip


def machine(**fields: Any) -> Design:
    """A machine of the smallest sizes but for `fields`; raises DesignError where it cannot be built."""
    design = Design(**_SMALL | fields)
    design.check()
    return design
