"""TFHE machines: gate bootstrapping with streamed keys (machine: docs/fhe.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from operator import attrgetter
from typing import Literal

from designs.errors import DesignError
from designs.moduli import EXPONENTS, modulus
from designs.ranges import check_powers_of_two, check_ranges
from designs.tfhe_parameters import PARAMETER_RANGES, SETS, Parameters


@dataclass(frozen=True, kw_only=True)
class Design:
    """One bootstrapping machine. Every field is a YAML key of `family: fhe`.

    Fields of Parameters (lwe_dimension .. glwe_noise) are those of the named set; what is given here replaces them, and
    all are needed where the set is `custom`.
    """

    parameter_set: Literal["tfhe_lib_80", "tfhe_lib_110", "tfhe_lib_128", "tfhe_rs_boolean", "custom"] = "tfhe_lib_128"
    lwe_dimension: int = 0  # n, words of a ciphertext less one and steps of a blind rotation; 0: the set's
    glwe_dimension: int = 0  # k, polynomials of an accumulator less one; 0: the set's
    ring_degree: int = 0  # N, coefficients of a polynomial, a power of two; 0: the set's
    decomposition_levels: int = 0  # l, digits of a coefficient; 0: the set's
    decomposition_base_bits: int = 0  # g, bits of a digit; 0: the set's
    key_switch_levels: int = 0  # t, digits of a coefficient in the key switch; 0: the set's
    key_switch_base_bits: int = 0  # h, bits of such a digit; 0: the set's
    lwe_noise: float = 0.0  # standard deviation of LWE noise as a share of the torus; 0: the set's
    glwe_noise: float = 0.0  # the same of the bootstrapping key; 0: the set's
    modulus_bits: Literal[32, 36, 44, 48, 50, 52, 56, 60, 64] = 64  # width of the transforms' prime, designs/moduli.py
    coefficients_per_cycle: int = 16  # P, of each polynomial in every station, a power of two; P/2 butterflies a rank
    rotators: int = 1  # r, accumulator polynomials read at once, a divisor of k + 1
    decomposers: int = 1  # d, digits that each rotator makes at once, a divisor of l; r d transforms in parallel
    key_columns: int = 2  # m, polynomials of the sum made at once, a divisor of k + 1; r d m P multipliers
    inverse_ntts: int = 1  # v, inverse transforms side by side, a divisor of k + 1
    ntt_ranks: int = 10  # R, ranks of butterflies in a transform; log2 N of them stream one word a cycle
    multiplier_stages: int = 4  # A, registers in a modular multiplier
    cores: int = 1  # C, copies of the whole datapath that share the key streams
    batch: int = 8  # B, slots: ciphertexts of a core that each take their turn with a key row
    key_rows: int = 2  # K, rows of the bootstrapping key on chip; lwe_dimension or more keep all of it
    key_residues_per_cycle: int = 32  # E, of the bootstrapping key from memory, a divisor of r d m P
    key_switch_lanes: int = 64  # V, words of the key-switching key a cycle and multipliers of a key switcher
    key_switchers: int = 1  # U, ciphertexts of a core that are key-switched at once
    ciphertext_words_per_cycle: int = 8  # D, of ciphertexts read and written, a divisor of key_switch_lanes
    memory_latency_cycles: int = 100  # M, from a request to its first beat, and from the start to the keys' first
    schedule: Literal["critical_path", "wide_first"] = "critical_path"  # which gates of a circuit go first
    clock_mhz: int = 1000  # clock of machine and memory ports
    node_nm: int = 45  # technology node, see designs/technology

    def check(self) -> None:
        """Raise DesignError, naming the field and the remedy, where the machine cannot be built."""
        for name in _OF_PARAMETERS if self.parameter_set == "custom" else ():
            if not getattr(self, name):
                raise DesignError(name, "wanted a value, as parameter_set is custom, got 0; give one")
        for name in ("lwe_noise", "glwe_noise"):
            if not 0 <= getattr(self, name) < 0.25:
                raise DesignError(name, f"wanted a share of the torus below 0.25, got {getattr(self, name)}")
        check_ranges(self, _RANGES)
        check_ranges(self.with_parameters(), PARAMETER_RANGES)
        check_powers_of_two(self.with_parameters(), ("ring_degree", "coefficients_per_cycle"))
        self._check_divisors()
        self._check_bits()

    def _check_divisors(self) -> None:
        p = self.parameters
        columns = p.glwe_dimension + 1
        multiplied = self.digit_polynomials * self.key_columns * self.coefficients_per_cycle
        for name, whole, what in (
            ("rotators", columns, "glwe_dimension + 1"),
            ("decomposers", p.decomposition_levels, "decomposition_levels"),
            ("key_columns", columns, "glwe_dimension + 1"),
            ("inverse_ntts", columns, "glwe_dimension + 1"),
            ("key_residues_per_cycle", multiplied, "rotators x decomposers x key_columns x coefficients_per_cycle"),
            ("ciphertext_words_per_cycle", self.key_switch_lanes, "key_switch_lanes"),
        ):
            if whole % getattr(self, name):
                raise DesignError(name, f"wanted a divisor of {what} ({whole}), got {getattr(self, name)}")
        for name, most, what in (
            ("coefficients_per_cycle", p.ring_degree // 2, "half of ring_degree"),
            ("ntt_ranks", self.n_stages, "log2 of ring_degree"),
            ("key_switch_lanes", p.lwe_dimension, "lwe_dimension"),
        ):
            if getattr(self, name) > most:
                raise DesignError(name, f"wanted at most {what} ({most}), got {getattr(self, name)}")

    def _check_bits(self) -> None:
        p = self.parameters
        for name, bits in (
            ("decomposition_levels", p.decomposition_levels * p.decomposition_base_bits),
            ("key_switch_levels", p.key_switch_levels * p.key_switch_base_bits),
        ):
            if bits > 32:
                raise DesignError(name, f"wanted at most 32 bits of digits in all, got {bits}; take fewer")
        fits = [bits for bits in EXPONENTS if self._exact_with(bits)]
        if self.modulus_bits not in fits:
            raise DesignError(
                "modulus_bits",
                f"wanted one of {', '.join(map(str, fits)) or 'none'}: a prime that has roots for ring degree "
                f"{p.ring_degree} and is above 24 standard deviations of the sums, got {self.modulus_bits}",
            )

    def _exact_with(self, bits: int) -> bool:
        """Whether sums stay below half the prime (docs/fhe.md, section 1): roots exist, 12 standard deviations."""
        p = self.parameters
        deviation = math.sqrt((p.glwe_dimension + 1) * p.decomposition_levels * p.ring_degree / 36)
        bound = 12 * deviation * 2.0 ** (31 + p.decomposition_base_bits)
        return EXPONENTS[bits] > self.n_stages and modulus(bits) / 2 >= bound

    # Derived sizes: the one place where both readings of the machine take them from.

    @property
    def parameters(self) -> Parameters:
        """The set's, with what is given here instead."""
        return _parameters(self.parameter_set, *_PARAMETERS_OF(self))

    def with_parameters(self) -> Design:
        """The same machine with every parameter written out."""
        return replace(self, **vars(self.parameters))

    @property
    def n_stages(self) -> int:
        """S: stages of a transform."""
        return self.parameters.ring_degree.bit_length() - 1

    @property
    def poly_words(self) -> int:
        """W: words of a polynomial."""
        return self.parameters.ring_degree // self.coefficients_per_cycle

    @property
    def digit_polynomials(self) -> int:
        """Q: digit polynomials that go side by side."""
        return self.rotators * self.decomposers

    @property
    def n_groups(self) -> int:
        """G: groups of digit polynomials in a step of one ciphertext."""
        p = self.parameters
        return (p.glwe_dimension + 1) // self.rotators * (p.decomposition_levels // self.decomposers)

    @property
    def column_passes(self) -> int:
        """Passes of the key multiplication over a group."""
        return (self.parameters.glwe_dimension + 1) // self.key_columns

    @property
    def inverse_groups(self) -> int:
        """Jobs of the inverse transform in a step of one ciphertext."""
        return (self.parameters.glwe_dimension + 1) // self.inverse_ntts

    @property
    def rank_stages(self) -> tuple[int, ...]:
        """Stages of the transform that each rank does."""
        stages, ranks = self.n_stages, self.ntt_ranks
        return tuple((y + 1) * stages // ranks - y * stages // ranks for y in range(ranks))

    @property
    def residue_bytes(self) -> int:
        """Bytes of a residue in memory."""
        return -(-self.modulus_bits // 8)

    @property
    def row_beats(self) -> int:
        """Beats of a row of the bootstrapping key."""
        p = self.parameters
        return (p.glwe_dimension + 1) ** 2 * p.decomposition_levels * p.ring_degree // self.key_residues_per_cycle

    @property
    def ciphertext_beats(self) -> int:
        """c_D: beats of a ciphertext."""
        return -(-(self.parameters.lwe_dimension + 1) // self.ciphertext_words_per_cycle)

    @property
    def key_switch_chunks(self) -> int:
        """c_V: beats of a row of the key-switching key."""
        return -(-(self.parameters.lwe_dimension + 1) // self.key_switch_lanes)

    @property
    def resident(self) -> bool:
        """Whether the whole bootstrapping key stays on chip."""
        return self.key_rows >= self.parameters.lwe_dimension


# Columns of a result row beside those of all families.
METRICS = ("bootstraps_per_s", "bootstrap_latency_ns", "bootstrap_energy_pj", "failure_log2")

_OF_PARAMETERS = tuple(field.name for field in fields(Parameters))
_PARAMETERS_OF = attrgetter(*_OF_PARAMETERS)


@lru_cache(maxsize=1 << 12)  # every size that follows from them asks
def _parameters(parameter_set: str, *given: int | float) -> Parameters:
    found = dict(zip(_OF_PARAMETERS, given, strict=True))
    if parameter_set != "custom":
        named = SETS[parameter_set].parameters
        found = {name: value or getattr(named, name) for name, value in found.items()}
    return Parameters(**found)  # type: ignore[arg-type]


_RANGES = (
    ("coefficients_per_cycle", 2, 8192),
    ("rotators", 1, 8),
    ("decomposers", 1, 32),
    ("key_columns", 1, 8),
    ("inverse_ntts", 1, 8),
    ("ntt_ranks", 1, 14),
    ("multiplier_stages", 1, 16),
    ("cores", 1, 1024),
    ("batch", 1, 256),
    ("key_rows", 2, 4096),
    ("key_residues_per_cycle", 1, 65536),
    ("key_switch_lanes", 1, 4096),
    ("key_switchers", 1, 256),
    ("ciphertext_words_per_cycle", 1, 4096),
    ("memory_latency_cycles", 1, 4095),
    ("clock_mhz", 1, 10000),
)
