from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from tests.workloads.tfhe.small import TINY, WIDE
from tests.workloads.tfhe.test_reference import TRUTH
from workloads.circuits import circuit as c
from workloads.tfhe import reference
from workloads.tfhe.keys import (
    decrypt_bits,
    decrypt_integers,
    encrypt_bits,
    encrypt_integers,
    generate_keys,
)
from workloads.tfhe.scheme import Evaluator, ReferenceEngine, evaluate_gates, table_polynomials, weighted_sum

SECRET, KEY = generate_keys(TINY, seed=5)
EVALUATOR = Evaluator(KEY)


@pytest.mark.parametrize("engine", [ReferenceEngine(KEY), EVALUATOR.engine], ids=["reference", "kernels"])
@given(st.lists(st.integers(0, len(c.OPS) - 1), max_size=9), st.integers(0, 2**32))
@settings(max_examples=8, deadline=None)
def test_mixed_gates_equal_the_reference_one_by_one(engine, ops, seed):
    bits = np.random.default_rng(seed).integers(0, 2, (3, len(ops)))
    words = [encrypt_bits(SECRET, row, seed=seed + place).words for place, row in enumerate(bits)]
    result = evaluate_gates(engine, np.array(ops, np.uint8), *words)
    assert result.shape == (len(ops), 17) and result.dtype == np.uint32
    for i, op in enumerate(ops):
        operands = tuple(w[i : i + 1] for w in words[: c.N_OPERANDS[op]])
        assert np.array_equal(result[i : i + 1], reference.gate(op, operands, KEY))


@pytest.mark.parametrize("op", range(len(c.OPS)), ids=c.OPS)
def test_gates_of_the_evaluator(op):
    n = int(c.N_OPERANDS[op])
    bits = np.array(np.meshgrid(*[[0, 1]] * n, indexing="ij"))
    result = EVALUATOR.gate(op, *(encrypt_bits(SECRET, b) for b in bits))
    assert result.words.shape == (*[2] * n, 17)
    assert np.array_equal(decrypt_bits(SECRET, result), np.vectorize(TRUTH[op])(*bits))


def test_tables_of_integers():
    secret, key = generate_keys(replace(WIDE, ring_degree=256), seed=7)
    evaluator, values = Evaluator(key, "exact"), np.arange(4)
    encrypted = encrypt_integers(secret, values, 4)
    squares = evaluator.apply_table(encrypted, values**2, n_results=16)
    assert squares.n_messages == 16 and decrypt_integers(secret, squares).tolist() == [0, 1, 4, 9]
    tables = (values[:, None] + values) % 4  # one for each operand
    assert decrypt_integers(secret, evaluator.apply_table(encrypted, tables)).tolist() == [0, 2, 0, 2]
    halves = evaluator.apply_table(squares, np.arange(16) % 2, n_results=2)
    assert decrypt_integers(secret, halves).tolist() == [0, 1, 0, 1]


def test_weighted_sums_of_integers_and_a_table_of_two():
    secret, key = generate_keys(replace(WIDE, ring_degree=256), seed=7)
    high, low = np.divmod(np.arange(9), 3)
    a, b = (encrypt_integers(secret, x, 16, seed=seed) for seed, x in enumerate((high, low)))
    joined = weighted_sum([a, b], [3, 1])
    assert decrypt_integers(secret, joined).tolist() == list(range(9))
    assert decrypt_integers(secret, weighted_sum([joined], [-1], 20)).tolist() == [20 - x for x in range(9)]
    table = np.array([x // 3 * (x % 3) for x in range(16)])
    assert np.array_equal(decrypt_integers(secret, Evaluator(key).apply_table(joined, table)), high * low)


def test_table_polynomial_by_hand():
    table = np.array([10, 20], np.uint32)
    assert table_polynomials(table, 8).view(np.int32).tolist() == [10, 10, 20, 20, 20, 20, -10, -10]
    assert table_polynomials(np.array([[1, 2], [3, 4]], np.uint32), 4).view(np.int32).tolist() == [[1, 2, 2, -1], [3, 4, 4, -3]]


@pytest.mark.parametrize("phase_index", range(32))
def test_every_phase_reads_the_nearest_message(phase_index):
    secret, key = generate_keys(WIDE, seed=7)  # N = 32: 64 indices, messages at multiples of 8
    lwe = np.zeros((1, 13), np.uint32)
    lwe[0, -1] = ((phase_index - 4) % 64) << 26
    table = np.array([1 << 20, 2 << 20, 3 << 20, 4 << 20], np.uint32)
    extracted = reference.bootstrap(lwe, table_polynomials(table, 32), key)
    assert extracted[0, -1] == table[(phase_index - 4 + 4) // 8]  # no mask: the accumulator is only turned


def refused(match):
    return pytest.raises(InputError, match=match)


def test_refusals():
    bits, integers = encrypt_bits(SECRET, np.array([0, 1])), encrypt_integers(SECRET, np.array([1]), 4)
    other = encrypt_bits(generate_keys(TINY, seed=6)[0], np.array([0, 1]))
    with refused("ciphertext: wanted one of key [0-9a-f]{32}, got one of"):
        EVALUATOR.gate(c.AND, bits, other)
    with refused("and: wanted 2 operands, got 1"):
        EVALUATOR.gate(c.AND, bits)
    with refused("and: wanted bits of one shape"):
        EVALUATOR.gate(c.AND, integers, integers)
    with refused("table: wanted operands that are integers, got bits"):
        EVALUATOR.apply_table(bits, np.arange(4))
    with refused("table: wanted 4 integers"):
        EVALUATOR.apply_table(integers, np.arange(5))
    with refused("table: wanted results 0 to 1, got 0 to 3"):
        EVALUATOR.apply_table(integers, np.arange(4), n_results=2)
    with refused("sum: wanted integers of one kind and shape, got .* bits of key"):
        weighted_sum([integers, bits], [1, 1])
    words = bits.words
    with refused("gates: wanted a row of codes 0 to 11"):
        evaluate_gates(EVALUATOR.engine, np.array([1, 12]), words, words, words)
    with refused("gates: wanted 1 ciphertexts"):
        evaluate_gates(EVALUATOR.engine, np.array([1]), words, words, words)
    with refused("ciphertext: wanted uint32 of 17 words"):
        evaluate_gates(EVALUATOR.engine, np.array([1, 1]), words, words[:, 1:], words)
