"""How noisy results are, and how often a gate fails. Variances are in squares of the torus (1 is the whole torus).

Source: Chillotti, Gama, Georgieva, Izabachene, "TFHE: fast fully homomorphic encryption over the torus", J. Cryptology
33 (2020), the theorem on gate bootstrapping [recalled]; it bounds. What is computed here is what the machine of
docs/fhe.md does on average over keys and ciphertexts [D: derived, and held to measurement by the tests]:

- A step adds (k+1) l N products of a digit and a noise. Digits are uniform in -B/2..B/2 - 1: mean square
  (B^2 + 2)/12.
- Digits are cut below 2^(32-lg), towards minus infinity (as in the TFHE library; tfhe-rs rounds). A step whose key bit
  is 1 subtracts the phase of what was cut, e_k - sum_j e_j S_j, e uniform in 0..2^(32-lg) - 1. Beside its variance this
  has a mean: in coefficient y, E[e] (1 - sum_j (sum_{x<=y} S_jx - sum_{x>y} S_jx)). Later steps turn it by uniform
  exponents, so one of its coefficients arrives, with a random sign, and its mean square over y adds to the variance.
  Only the last step with key bit 1 is turned no more: of it, coefficient 0 arrives. For N of hundreds this mean is most
  of what cutting does.
- The key switch adds kN t products of a digit and a noise, and the rounding of kN words times key bits.
- The modulus switch rounds b, and n words times key bits. Index 0 counts as positive, so margins lose half an exponent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from designs.tfhe_parameters import Parameters
from workloads.circuits import circuit as c
from workloads.tfhe.gates import LINEAR
from workloads.tfhe.keys import EvaluationKey, SecretKey, check_message_space, phases

_WORD = 2.0**-32  # of the torus


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Of a ciphertext: phase less message, in units of the torus."""

    mean: float
    variance: float

    @property
    def deviation(self) -> float:
        """Root of the mean square: what decisions see."""
        return math.sqrt(self.variance + self.mean**2)


def rotation_variance(p: Parameters) -> float:
    """Of an extracted ciphertext, over keys and ciphertexts."""
    weight, last = p.lwe_dimension / 2, 1.0
    cut = weight * (1 + p.glwe_dimension * p.ring_degree / 2) * _cut_variance(p)
    return _steps_variance(p) + cut + (weight - last) * _turned_cut_square(p) + last * _last_cut_square(p)


def key_switch_variance(p: Parameters) -> float:
    """What a key switch adds, over keys and ciphertexts."""
    n_words = p.glwe_dimension * p.ring_degree
    products = n_words * p.key_switch_levels * _digit_square(p.key_switch_base_bits) * _rounded(p.lwe_noise)
    return products + n_words / 2 * _rounding_square(32 - p.key_switch_levels * p.key_switch_base_bits)


def output_variance(p: Parameters, op: int = c.NAND) -> float:
    """Of a gate's result, whatever its operands: a MUX adds two rotations. ValueError for NOT: that of its operand."""
    last, n_rotations = _last_cut_square(p), _n_rotations(op)
    return n_rotations * (rotation_variance(p) - last) + n_rotations**2 * last + key_switch_variance(p)


def shared_variance(p: Parameters, op: int = c.NAND) -> float:
    """Of the part of output_variance that is the same in all results under one key: over keys alone."""
    n_products = p.glwe_dimension * p.ring_degree * p.key_switch_levels
    return n_products / 4 * _rounded(p.lwe_noise) + _n_rotations(op) ** 2 * _last_cut_square(p)


def modulus_switch_variance(p: Parameters) -> float:
    """What rounding to exponents adds, over keys and ciphertexts."""
    return (1 + p.lwe_dimension / 2) * _rounding_square(32 - p.ring_degree.bit_length())


def noise_of_key(secret: SecretKey, key: EvaluationKey, op: int = c.NAND) -> Noise:
    """Of a gate's results with these very keys, over ciphertexts: a key's own noise does not average out.

    Digits have mean -1/2, so that the sum of all noises in the key-switching key shifts every result. NOT: ValueError.
    """
    n_rotations, rotation = _n_rotations(op), _rotation_of_key(secret)
    switch = _key_switch_of_key(secret, key.key_switch_key)
    return Noise(
        mean=n_rotations * rotation.mean + switch.mean, variance=n_rotations * rotation.variance + switch.variance
    )


def _n_rotations(op: int) -> int:
    if op == c.NOT:
        raise ValueError("a NOT keeps the noise of its operand")
    return int(c.N_BOOTSTRAPS[op])


def _rotation_of_key(secret: SecretKey) -> Noise:
    p, weight = secret.parameters, int(secret.lwe.sum())
    cut = _cut_means(p, secret.glwe)
    varying = weight * (1 + int(secret.glwe.sum())) * _cut_variance(p)
    turned = max(weight - 1, 0) * float(np.mean(cut**2))
    return Noise(mean=-float(cut[0]) if weight else 0.0, variance=_steps_variance(p) + varying + turned)


def _key_switch_of_key(secret: SecretKey, key_switch_key: np.ndarray) -> Noise:
    p, errors = secret.parameters, _key_switch_errors(secret, key_switch_key)
    products = (4.0**p.key_switch_base_bits - 1) / 12 * float(np.sum(errors**2))
    rounding = int(secret.glwe.sum()) * _rounding_square(32 - p.key_switch_levels * p.key_switch_base_bits)
    return Noise(mean=float(errors.sum()) / 2, variance=products + rounding)


def gate_failure_log2(p: Parameters, op: int, operand_op: int | None = c.NAND) -> float:
    """log2 of the probability, over keys and ciphertexts, that a gate's result is wrong. NOT: -inf.

    Operands are results of gates `operand_op`, None: freshly encrypted. Two of one key share a part of their noise,
    which is taken to add, whatever signs NOTs gave it. An operand that is read twice by a gate is not covered.
    """
    if op == c.NOT:
        return -math.inf
    if op == c.MUX:  # either of its two rotations
        return 1.0 + gate_failure_log2(p, c.AND, operand_op)
    factor_a, factor_b, _constant = LINEAR[op]
    operand, shared = _rounded(p.lwe_noise), 0.0
    if operand_op is not None:
        operand, shared = output_variance(p, operand_op), shared_variance(p, operand_op)
    inputs = (factor_a**2 + factor_b**2) * operand + 2 * abs(factor_a * factor_b) * shared
    margin = 0.125 * abs(factor_a)  # of operands +-1/8: 1/8 from 0 or 1/2, and 1/4 where they are doubled
    return _tails_log2((margin, 0.5 - margin), inputs + modulus_switch_variance(p), p)


def failure_log2(p: Parameters) -> float:
    """log2 of the failure probability of the worst gate with the worst operands: results of MUXes."""
    return max(gate_failure_log2(p, op, c.MUX) for op in range(len(c.OPS)))


def table_failure_log2(p: Parameters, n_messages: int, operand_variance: float | None = None) -> float:
    """log2 of the probability that a table of integers is read at a wrong place.

    `operand_variance`: of its operand, unless given that of a table's result; a sum of x results has x times it and
    x (x - 1) times shared_variance.
    InputError for a number of messages that the ring cannot tell apart.
    """
    check_message_space(n_messages, p)
    operand = output_variance(p) if operand_variance is None else operand_variance
    return _tails_log2((0.25 / n_messages,) * 2, operand + modulus_switch_variance(p), p)


def _tails_log2(margins: tuple[float, float], variance: float, p: Parameters) -> float:
    """log2 of the probability that a normal error exceeds either margin less half an exponent."""
    below, above = (log_ndtr(-(margin - 0.25 / p.ring_degree) / math.sqrt(variance)) for margin in margins)
    return min(0.0, float(np.logaddexp(below, above)) / math.log(2))


def _steps_variance(p: Parameters) -> float:
    """The sum over all steps of digits times noises of the bootstrapping key; exponent 0, one in 2N, has no digits."""
    n_products = p.lwe_dimension * (p.glwe_dimension + 1) * p.decomposition_levels * p.ring_degree
    moved = 1 - 0.5 / p.ring_degree
    return moved * n_products * _digit_square(p.decomposition_base_bits) * _rounded(p.glwe_noise)


def _cut_bits(p: Parameters) -> int:
    return 32 - p.decomposition_levels * p.decomposition_base_bits


def _cut_variance(p: Parameters) -> float:
    return (4.0 ** _cut_bits(p) - 1) / 12 * _WORD**2


def _cut_mean(p: Parameters) -> float:
    return (2.0 ** _cut_bits(p) - 1) / 2 * _WORD


def _turned_cut_square(p: Parameters) -> float:
    """Mean square of all coefficients of the cut's mean, over uniform GLWE keys."""
    k, ring_degree = p.glwe_dimension, p.ring_degree
    return _cut_mean(p) ** 2 * (1 - k + k**2 * (ring_degree**2 + 2) / 12 + k * ring_degree / 4)


def _last_cut_square(p: Parameters) -> float:
    """The same of coefficient 0."""
    k, ring_degree = p.glwe_dimension, p.ring_degree
    return _cut_mean(p) ** 2 * ((1 + k * (ring_degree / 2 - 1)) ** 2 + k * ring_degree / 4)


def _cut_means(p: Parameters, glwe: np.ndarray) -> np.ndarray:
    """(N,): the mean of the cut's phase in each coefficient, under this key."""
    up_to = np.cumsum(glwe.astype(np.int64), axis=1)
    return _cut_mean(p) * (1.0 - (2 * up_to - up_to[:, -1:]).sum(axis=0))


def _digit_square(base_bits: int) -> float:
    return (4.0**base_bits + 2) / 12


def _rounding_square(cut_bits: int) -> float:
    """Mean square of rounding so many bits away; 0 bits round nothing."""
    return (4.0**cut_bits + 2) / 12 * _WORD**2 if cut_bits else 0.0


def _rounded(deviation: float) -> float:
    """Variance of noise that was rounded to words."""
    return deviation**2 + _WORD**2 / 12 if deviation else 0.0


def _key_switch_errors(secret: SecretKey, key_switch_key: np.ndarray) -> np.ndarray:
    p = secret.parameters
    weights = 1 << (32 - (np.arange(p.key_switch_levels, dtype=np.int64) + 1) * p.key_switch_base_bits)
    messages = secret.extracted[:, None] * weights
    errors = (phases(secret, key_switch_key) - messages).astype(np.uint32).view(np.int32)
    return errors * _WORD
