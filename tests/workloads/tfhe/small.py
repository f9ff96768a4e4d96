"""Parameters of tests: as small as a gate stays right, and no security whatsoever."""

from designs.tfhe_parameters import Parameters

TINY = Parameters(
    lwe_dimension=16, glwe_dimension=1, ring_degree=64, decomposition_levels=3, decomposition_base_bits=6,
    key_switch_levels=6, key_switch_base_bits=2, lwe_noise=2.0**-20, glwe_noise=2.0**-28,
)  # fmt: skip
# More polynomials, digits that fill the word.
WIDE = Parameters(
    lwe_dimension=12, glwe_dimension=2, ring_degree=32, decomposition_levels=4, decomposition_base_bits=8,
    key_switch_levels=8, key_switch_base_bits=4, lwe_noise=2.0**-22, glwe_noise=2.0**-30,
)  # fmt: skip
