"""Keys of TFHE, and what is encrypted under them. A simulator's functional model: no audited library (docs/tfhe.md).

LWE ciphertexts are rows of n + 1 uint32, a[0..n-1] and b = <a, s> + message + noise modulo 2^32.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from designs.errors import DesignError, InputError
from designs.ranges import check_powers_of_two, check_ranges
from designs.tfhe_parameters import PARAMETER_RANGES, Parameters
from workloads.tfhe.gates import EIGHTH
from workloads.tfhe.polynomials import sum_of_products
from workloads.tfhe.random_source import RandomSource

KEY_ID_BYTES = 16
_WORDS_AT_ONCE = 1 << 22  # of masks while a key is made: some 300 MB with their transforms


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SecretKey:
    """What decrypts. Its repr shows no secret."""

    parameters: Parameters
    key_id: bytes  # public and random: evaluation keys and ciphertexts carry it
    insecure: bool  # made from a seed
    lwe: np.ndarray  # (n,) uint8, bits
    glwe: np.ndarray  # (k, N) uint8, bits

    def __repr__(self) -> str:
        return f"SecretKey({_label(self.key_id, self.insecure)})"

    @property
    def extracted(self) -> np.ndarray:
        """s': the GLWE key as the key of extracted ciphertexts, (kN,) uint8."""
        return self.glwe.reshape(-1)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class EvaluationKey:
    """What computes on ciphertexts, and may be given away.

    DesignError for parameters no key can have, InputError for arrays that do not fit them.
    """

    parameters: Parameters
    key_id: bytes
    insecure: bool
    bootstrap_key: np.ndarray  # (n, k+1, l, k+1, N) uint32 [step, component, level - 1, column, coefficient]
    key_switch_key: np.ndarray  # (kN, t, n+1) uint32: row (x, y-1) encrypts s'_x 2^(32-yh)

    def __post_init__(self) -> None:
        check_parameters(self.parameters)
        for name, shape in (
            ("bootstrap_key", bootstrap_key_shape(self.parameters)),
            ("key_switch_key", key_switch_key_shape(self.parameters)),
        ):
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.uint32:
                raise InputError(
                    f"{name}: wanted uint32 of shape {shape} for its parameters, got {array.dtype} of {array.shape}; "
                    "take the key that was made with these parameters"
                )

    def __repr__(self) -> str:
        return f"EvaluationKey({_label(self.key_id, self.insecure)}, {self.parameters})"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Ciphertexts:
    """Encrypted bits (+-1/8), or integers 0..n_messages - 1 (m/(2 n_messages), a padding bit above)."""

    key_id: bytes
    n_messages: int  # 0: bits
    words: np.ndarray  # (.., n + 1) uint32

    def __repr__(self) -> str:
        what = f"integers below {self.n_messages}" if self.n_messages else "bits"
        return f"Ciphertexts({self.words.shape[:-1]} {what} of key {self.key_id.hex()})"


class HasKeyId(Protocol):
    """A key, or what works with one."""

    @property
    def key_id(self) -> bytes: ...


def check_parameters(parameters: Parameters) -> None:
    """Raise DesignError, naming the field, where no key can be made for these parameters."""
    check_ranges(parameters, PARAMETER_RANGES)
    check_powers_of_two(parameters, ("ring_degree",))
    for levels, base_bits in (
        ("decomposition_levels", "decomposition_base_bits"),
        ("key_switch_levels", "key_switch_base_bits"),
    ):
        bits = getattr(parameters, levels) * getattr(parameters, base_bits)
        if bits > 32:
            raise DesignError(levels, f"wanted at most 32 bits of digits in all, got {bits}; take fewer or smaller")
    for name in ("lwe_noise", "glwe_noise"):
        value = getattr(parameters, name)
        if not (math.isfinite(value) and 0 <= value < 0.25):
            raise DesignError(name, f"wanted a share of the torus, 0 or more and below 0.25, got {value}")


def bootstrap_key_shape(parameters: Parameters) -> tuple[int, ...]:
    p = parameters
    return p.lwe_dimension, p.glwe_dimension + 1, p.decomposition_levels, p.glwe_dimension + 1, p.ring_degree


def key_switch_key_shape(parameters: Parameters) -> tuple[int, ...]:
    p = parameters
    return p.glwe_dimension * p.ring_degree, p.key_switch_levels, p.lwe_dimension + 1


def generate_keys(parameters: Parameters, seed: int | None = None) -> tuple[SecretKey, EvaluationKey]:
    """A new pair of keys from os.urandom; from a seed, for tests, labelled insecure. DesignError for bad parameters."""
    check_parameters(parameters)
    p, source = parameters, RandomSource(seed)
    secret = SecretKey(
        parameters=p, key_id=source.bytes(KEY_ID_BYTES), insecure=source.insecure,
        lwe=source.bits(p.lwe_dimension), glwe=source.bits(p.glwe_dimension, p.ring_degree),
    )  # fmt: skip
    return secret, EvaluationKey(
        parameters=p, key_id=secret.key_id, insecure=secret.insecure,
        bootstrap_key=_bootstrap_key(secret, source), key_switch_key=_key_switch_key(secret, source),
    )  # fmt: skip


def encrypt_words(secret: SecretKey, messages: np.ndarray, source: RandomSource) -> np.ndarray:
    """LWE ciphertexts (.., n + 1) of torus words (..) under the LWE key, with the set's noise."""
    return _encrypt_lwe(secret.lwe, messages, secret.parameters.lwe_noise, source)


def phases(secret: SecretKey, words: np.ndarray, extracted: bool = False) -> np.ndarray:
    """b - <a, s> of ciphertexts (.., n + 1), message and noise together, as int64 in -2^31..2^31 - 1.

    `extracted`: of ciphertexts (.., kN + 1) under the GLWE key. InputError where their width is not the key's.
    """
    key = secret.extracted if extracted else secret.lwe
    if words.shape[-1] != len(key) + 1:
        raise InputError(f"ciphertext: wanted {len(key) + 1} words for this key, got {words.shape[-1]}; take its own")
    found = words[..., -1:] - words[..., :-1] @ key[:, None].astype(np.uint32)
    return found.view(np.int32)[..., 0].astype(np.int64)


def encrypt_bits(secret: SecretKey, bits: np.ndarray, seed: int | None = None) -> Ciphertexts:
    """Bits (.., 0 or 1, of any integer type or bool) as +-1/8. A seed is for tests, and for insecure keys only."""
    _check_seed(secret, seed)
    bits = np.asarray(bits)
    if not np.isin(bits, (0, 1)).all():
        raise InputError("bits: wanted 0 and 1 only, got others; encrypt integers with encrypt_integers")
    messages = np.where(bits.astype(bool), np.uint32(EIGHTH), np.uint32(2**32 - EIGHTH))
    return Ciphertexts(key_id=secret.key_id, n_messages=0, words=encrypt_words(secret, messages, RandomSource(seed)))


def decrypt_bits(secret: SecretKey, ciphertexts: Ciphertexts) -> np.ndarray:
    """uint8 0 and 1. InputError for ciphertexts of another key or of integers."""
    check_key(secret, ciphertexts)
    if ciphertexts.n_messages:
        raise InputError("ciphertext: wanted bits, got integers; decrypt them with decrypt_integers")
    return (phases(secret, ciphertexts.words) > 0).astype(np.uint8)


def encrypt_integers(secret: SecretKey, values: np.ndarray, n_messages: int, seed: int | None = None) -> Ciphertexts:
    """Integers 0..n_messages - 1 as m/(2 n_messages) of the torus: the top bit is padding, 0. Seed: encrypt_bits."""
    _check_seed(secret, seed)
    values = np.asarray(values)
    check_message_space(n_messages, secret.parameters)
    if values.dtype.kind not in "iu" or not ((values >= 0) & (values < n_messages)).all():
        raise InputError(f"integers: wanted 0 to {n_messages - 1}, got others; take more messages or smaller values")
    words = encrypt_words(secret, encode_integers(values, n_messages), RandomSource(seed))
    return Ciphertexts(key_id=secret.key_id, n_messages=n_messages, words=words)


def decrypt_integers(secret: SecretKey, ciphertexts: Ciphertexts) -> np.ndarray:
    """int64 in 0..2 n_messages - 1; from n_messages on the padding bit is set: a sum that went over.

    InputError for ciphertexts of another key or of bits.
    """
    check_key(secret, ciphertexts)
    if not ciphertexts.n_messages:
        raise InputError("ciphertext: wanted integers, got bits; decrypt them with decrypt_bits")
    step = 2**31 // ciphertexts.n_messages
    return (phases(secret, ciphertexts.words) + step // 2) // step % (2 * ciphertexts.n_messages)


def check_key(key: HasKeyId, ciphertexts: Ciphertexts) -> None:
    """Raise InputError for ciphertexts of another key pair."""
    if ciphertexts.key_id != key.key_id:
        wanted, got = key.key_id.hex(), ciphertexts.key_id.hex()
        raise InputError(f"ciphertext: wanted one of key {wanted}, got one of {got}; take its own key")


def encode_integers(values: np.ndarray, n_messages: int) -> np.ndarray:
    """Torus words of integers 0..n_messages - 1."""
    return (np.asarray(values, np.int64) * (2**31 // n_messages)).astype(np.uint32)


def check_message_space(n_messages: int, parameters: Parameters) -> None:
    """Raise InputError where so many messages cannot be told apart by a table: a power of two, 2 to N/2."""
    most = parameters.ring_degree // 2
    if n_messages < 2 or n_messages > most or n_messages & (n_messages - 1):
        raise InputError(f"n_messages: wanted a power of two, 2 to {most} (half of ring_degree), got {n_messages}")


def _check_seed(secret: SecretKey, seed: int | None) -> None:
    """Who knows the seed of a ciphertext reads it, and two of one seed tell their difference: not with a real key."""
    if seed is not None and not secret.insecure:
        raise InputError("seed: wanted none with a key that is not insecure, got one; leave it out")


def _encrypt_lwe(key: np.ndarray, messages: np.ndarray, deviation: float, source: RandomSource) -> np.ndarray:
    messages = np.asarray(messages, np.uint32)
    words = np.empty((*messages.shape, len(key) + 1), np.uint32)
    words[..., :-1] = source.words(*messages.shape, len(key))
    words[..., -1:] = words[..., :-1] @ key[:, None].astype(np.uint32) + messages[..., None]
    words[..., -1:] += source.noise(deviation, *messages.shape, 1)
    return words


def _bootstrap_key(secret: SecretKey, source: RandomSource) -> np.ndarray:
    """Row (j, p) of step i: a GLWE encryption of 0, plus s_i 2^(32-pg) in the constant coefficient of column j."""
    p = secret.parameters
    key = np.empty(bootstrap_key_shape(p), np.uint32)
    rows = key.reshape(-1, p.glwe_dimension + 1, p.ring_degree)
    at_once = max(1, _WORDS_AT_ONCE // (p.glwe_dimension * p.ring_degree))
    for low in range(0, len(rows), at_once):
        _fill_with_zeros(rows[low : low + at_once], secret, source)
    for level in range(p.decomposition_levels):
        weight = np.uint32(1 << (32 - (level + 1) * p.decomposition_base_bits))
        for column in range(p.glwe_dimension + 1):
            key[:, column, level, column, 0] += secret.lwe * weight
    return key


def _fill_with_zeros(rows: np.ndarray, secret: SecretKey, source: RandomSource) -> None:
    """GLWE encryptions of 0 into rows (.., k + 1, N): uniform masks, and their products with the key plus noise."""
    n_rows, columns, ring_degree = rows.shape
    masks = source.words(columns - 1, n_rows, ring_degree)
    rows[:, :-1] = masks.swapaxes(0, 1)
    rows[:, -1] = sum_of_products(secret.glwe[None].astype(np.int64), masks)[0]
    rows[:, -1] += source.noise(secret.parameters.glwe_noise, n_rows, ring_degree)


def _key_switch_key(secret: SecretKey, source: RandomSource) -> np.ndarray:
    p = secret.parameters
    weights = 1 << (32 - (np.arange(p.key_switch_levels, dtype=np.int64) + 1) * p.key_switch_base_bits)
    messages = (secret.extracted[:, None] * weights).astype(np.uint32)
    return _encrypt_lwe(secret.lwe, messages, p.lwe_noise, source)


def _label(key_id: bytes, insecure: bool) -> str:
    return f"{key_id.hex()}{', INSECURE: made from a seed' if insecure else ''}"
