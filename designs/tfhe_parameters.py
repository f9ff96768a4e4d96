"""Parameter sets of TFHE gate bootstrapping, as published, with where they were read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a key is made for. Torus words have 32 bits; noises are standard deviations as a share of the torus."""

    lwe_dimension: int  # n
    glwe_dimension: int  # k
    ring_degree: int  # N, a power of two
    decomposition_levels: int  # l
    decomposition_base_bits: int  # g: base 2^g
    key_switch_levels: int  # t
    key_switch_base_bits: int  # h: base 2^h
    lwe_noise: float  # of LWE ciphertexts and of the key-switching key
    glwe_noise: float  # of the bootstrapping key


# (field, lowest, highest): beyond, no key is made and no machine built.
PARAMETER_RANGES = (
    ("lwe_dimension", 2, 4095),
    ("glwe_dimension", 1, 7),
    ("ring_degree", 16, 16384),
    ("decomposition_levels", 1, 32),
    ("decomposition_base_bits", 1, 30),
    ("key_switch_levels", 1, 32),
    ("key_switch_base_bits", 1, 16),
)


@dataclass(frozen=True, kw_only=True)
class NamedParameters:
    """A published set: what its authors say about it, and where that was read."""

    parameters: Parameters
    about: str
    source: str


_TFHE_LIB = "tfhe/tfhe at 9373b5d, src/libtfhe/tfhe_gate_bootstrapping.cpp"
_TFHE_RS = "zama-ai/tfhe-rs at 11a245d (1.7.0), tfhe/src/boolean/parameters"
_TFHE_LIB_2016 = Parameters(
    lwe_dimension=500, glwe_dimension=1, ring_degree=1024, decomposition_levels=2, decomposition_base_bits=10,
    key_switch_levels=8, key_switch_base_bits=2, lwe_noise=2.44e-5, glwe_noise=7.18e-9,
)  # fmt: skip

SETS = {
    "tfhe_lib_128": NamedParameters(
        parameters=Parameters(
            lwe_dimension=630, glwe_dimension=1, ring_degree=1024, decomposition_levels=3, decomposition_base_bits=7,
            key_switch_levels=8, key_switch_base_bits=2, lwe_noise=2.0**-15, glwe_noise=2.0**-25,
        ),
        about="default of the TFHE library (CGGI19): 129 bits by its own estimate, about 120 by tfhe-rs's",
        source=_TFHE_LIB,
    ),
    "tfhe_lib_110": NamedParameters(
        parameters=_TFHE_LIB_2016,
        about="the TFHE library's set of 2016 under the name that accelerator papers give it; the same as tfhe_lib_80",
        source=_TFHE_LIB,
    ),
    "tfhe_lib_80": NamedParameters(
        parameters=_TFHE_LIB_2016,
        about="the TFHE library's set of 2016, 80 bits by its own estimate of 2020",
        source=_TFHE_LIB,
    ),
    "tfhe_rs_boolean": NamedParameters(
        parameters=Parameters(
            lwe_dimension=805, glwe_dimension=3, ring_degree=512, decomposition_levels=2, decomposition_base_bits=10,
            key_switch_levels=5, key_switch_base_bits=3, lwe_noise=5.8615896642671336e-6,
            glwe_noise=9.315272083503367e-10,
        ),
        about="tfhe-rs boolean DEFAULT_PARAMETERS, 132 bits, failure 2^-64 by its authors",
        source=_TFHE_RS,
    ),
}  # fmt: skip
