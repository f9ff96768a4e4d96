"""What TFHE's operations mean, bit by bit, in plain numpy (docs/fhe.md, section 1). Everything else must equal it.

LWE ciphertexts are uint32 rows a[0..n-1], b; accumulators are (k + 1, N) uint32; batches come first. Products are exact
modulo 2^32 (workloads/tfhe/polynomials.py).
"""

from __future__ import annotations

import numpy as np

from designs.tfhe_parameters import Parameters
from workloads.circuits import circuit as c
from workloads.tfhe.gates import LINEAR, MUX_PARTS, MUX_POST, VALUE
from workloads.tfhe.keys import EvaluationKey
from workloads.tfhe.polynomials import rotate, sum_of_products


def linear(a: np.ndarray, b: np.ndarray, factor_a: int, factor_b: int, constant: int) -> np.ndarray:
    """factor_a a + factor_b b + (0, .., 0, constant) of ciphertexts (.., n + 1)."""
    result = a * np.uint32(factor_a % 2**32) + b * np.uint32(factor_b % 2**32)
    result[..., -1:] += np.uint32(constant % 2**32)
    return result


def modulus_switch(words: np.ndarray, ring_degree: int) -> np.ndarray:
    """Torus words rounded to exponents, int64 in 0..2N - 1."""
    shift = 32 - ring_degree.bit_length()  # 31 - S
    return ((words + np.uint32(1 << (shift - 1))) >> np.uint32(shift)).astype(np.int64)


def decompose(words: np.ndarray, levels: int, base_bits: int) -> np.ndarray:
    """Signed digits of words (.., N), cut below the last level: (.., levels, N) int64, level 1 first.

    Digits are in -2^(g-1)..2^(g-1) - 1; the cut is towards minus infinity.
    """
    half = 1 << (base_bits - 1)
    shifts = [32 - level * base_bits for level in range(1, levels + 1)]
    raised = words + np.uint32(sum(half << shift for shift in shifts) % 2**32)
    digits = [((raised >> np.uint32(shift)) & np.uint32(2 * half - 1)).astype(np.int64) - half for shift in shifts]
    return np.stack(digits, axis=-2)


def external_product(row: np.ndarray, accumulators: np.ndarray, base_bits: int) -> np.ndarray:
    """Row of the bootstrapping key (k+1, l, k+1, N) times accumulators (batch, k+1, N): sums of digit_jp row_jpc."""
    columns, levels, _, ring_degree = row.shape
    digits = decompose(accumulators, levels, base_bits)
    return sum_of_products(
        digits.reshape(-1, columns * levels, ring_degree), row.reshape(columns * levels, columns, ring_degree)
    )


def blind_rotate(ciphertexts: np.ndarray, tests: np.ndarray, bootstrap_key: np.ndarray, p: Parameters) -> np.ndarray:
    """Accumulators (batch, k+1, N): X^-phase times the test polynomials, under the GLWE key.

    ciphertexts: (batch, n + 1) after the linear part; tests: (N,) or (batch, N) uint32.
    """
    exponents = modulus_switch(ciphertexts, p.ring_degree)
    accumulators = np.zeros((len(ciphertexts), p.glwe_dimension + 1, p.ring_degree), np.uint32)
    accumulators[:, -1] = rotate(np.broadcast_to(tests, (len(ciphertexts), p.ring_degree)), -exponents[:, -1])
    for row, exponent in zip(bootstrap_key, exponents[:, :-1].T, strict=True):
        difference = rotate(accumulators, exponent) - accumulators
        accumulators += external_product(row, difference, p.decomposition_base_bits)
    return accumulators


def extract(accumulators: np.ndarray) -> np.ndarray:
    """The constant coefficients of accumulators (batch, k+1, N) as ciphertexts (batch, kN + 1)."""
    masks = accumulators[:, :-1]
    turned = np.concatenate([masks[..., :1], -masks[..., :0:-1]], axis=-1)
    return np.concatenate([turned.reshape(len(masks), -1), accumulators[:, -1, :1]], axis=-1)


def key_switch(extracted: np.ndarray, key_switch_key: np.ndarray, p: Parameters) -> np.ndarray:
    """Ciphertexts (batch, kN + 1) under the GLWE key as (batch, n + 1) under the LWE key."""
    cut_bits = 32 - p.key_switch_levels * p.key_switch_base_bits
    rounding = np.uint32(1 << (cut_bits - 1) if cut_bits else 0)
    digits = decompose(extracted[:, :-1] + rounding, p.key_switch_levels, p.key_switch_base_bits)
    rows = key_switch_key.swapaxes(0, 1).reshape(-1, p.lwe_dimension + 1)  # level by level, as the digits
    result = -(digits.reshape(len(extracted), -1).astype(np.uint32) @ rows)
    result[:, -1] += extracted[:, -1]
    return result


def bootstrap(ciphertexts: np.ndarray, tests: np.ndarray, key: EvaluationKey) -> np.ndarray:
    """Blind rotation and extraction: (batch, n + 1) and test polynomials (N,) or (batch, N) give (batch, kN + 1)."""
    return extract(blind_rotate(ciphertexts, tests, key.bootstrap_key, key.parameters))


def gate(op: int, operands: tuple[np.ndarray, ...], key: EvaluationKey) -> np.ndarray:
    """Ciphertexts (batch, n + 1) of a gate of circuits (workloads/circuits/circuit.py) on bits (batch, n + 1) each."""
    test = np.full(key.parameters.ring_degree, VALUE, np.uint32)
    if op == c.NOT:
        return -operands[0]
    if op == c.MUX:
        select, *chosen = operands
        parts = [
            bootstrap(linear(select, x, *LINEAR[part]), test, key) for part, x in zip(MUX_PARTS, chosen, strict=True)
        ]
        extracted = parts[0] + parts[1]
        extracted[:, -1] += np.uint32(MUX_POST)
    else:
        a, b = operands
        extracted = bootstrap(linear(a, b, *LINEAR[op]), test, key)
    return key_switch(extracted, key.key_switch_key, key.parameters)
