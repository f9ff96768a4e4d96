import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.tfhe.small import TINY, WIDE
from workloads.circuits import circuit as c
from workloads.tfhe import reference
from workloads.tfhe.keys import encrypt_bits, generate_keys, phases

TRUTH = {
    c.NOT: lambda a: 1 - a,
    c.AND: lambda a, b: a & b,
    c.NAND: lambda a, b: 1 - (a & b),
    c.OR: lambda a, b: a | b,
    c.NOR: lambda a, b: 1 - (a | b),
    c.XOR: lambda a, b: a ^ b,
    c.XNOR: lambda a, b: 1 - (a ^ b),
    c.ANDNY: lambda a, b: (1 - a) & b,
    c.ANDYN: lambda a, b: a & (1 - b),
    c.ORNY: lambda a, b: (1 - a) | b,
    c.ORYN: lambda a, b: a | (1 - b),
    c.MUX: lambda s, a, b: a if s else b,
}


@pytest.mark.parametrize("parameters", [TINY, WIDE], ids=["tiny", "wide"])
@pytest.mark.parametrize("op", range(len(c.OPS)), ids=c.OPS)
def test_gates_have_their_truth_tables(parameters, op):
    secret, key = generate_keys(parameters, seed=op)
    rows = np.array(list(itertools.product((0, 1), repeat=int(c.N_OPERANDS[op]))))
    operands = tuple(encrypt_bits(secret, column, seed=i).words for i, column in enumerate(rows.T))
    result = phases(secret, reference.gate(op, operands, key)) > 0
    assert result.tolist() == [bool(TRUTH[op](*map(int, row))) for row in rows]


def test_modulus_switch_rounds_and_wraps():
    words = np.array([0, 2**20 - 1, 2**20, 2**21, 2**32 - 2**20 - 1, 2**32 - 2**20, 2**32 - 1], np.uint32)
    assert reference.modulus_switch(words, 1024).tolist() == [0, 0, 1, 1, 2047, 0, 0]


def test_digits_by_hand():
    # Base 4, two levels, cut below 2^28: 2^28 = 0 2^30 + 1 2^28; 3 2^28 = 1 2^30 - 1 2^28; all ones is -1 cut to -1 2^28.
    words = np.array([2**28, 3 * 2**28, 2**28 - 1, 2**32 - 1, 2**31], np.uint32)
    assert reference.decompose(words, 2, 2).tolist() == [[0, 1, 0, 0, -2], [1, -1, 0, -1, 0]]


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=8), st.data())
@settings(max_examples=50, deadline=None)
def test_digits_are_small_and_add_up_to_the_word_without_its_low_bits(words, data):
    base_bits = data.draw(st.integers(1, 30))
    levels = data.draw(st.integers(1, 32 // base_bits))
    digits = reference.decompose(np.array(words, np.uint32), levels, base_bits)
    assert digits.min() >= -(1 << base_bits - 1) and digits.max() < 1 << base_bits - 1
    weights = [1 << (32 - level * base_bits) for level in range(1, levels + 1)]
    cut = 1 << (32 - levels * base_bits)
    for index, word in enumerate(words):
        total = sum(int(digit) * weight for digit, weight in zip(digits[:, index], weights, strict=True))
        assert (word - total) % 2**32 == word % cut


def test_extraction_takes_the_constant_coefficient():
    accumulators = np.array([[[1, 2, 3, 4], [5, 6, 7, 8]]], np.uint32)
    assert reference.extract(accumulators).view(np.int32).tolist() == [[1, -4, -3, -2, 5]]


def test_a_rotation_without_mask_rotates_the_test_polynomial_by_b():
    _, key = generate_keys(TINY, seed=1)
    ciphertexts = np.zeros((3, 17), np.uint32)
    ciphertexts[:, -1] = np.array([0, 3, 64 + 5]) << 25  # exponents 0, 3, 69 of 128
    test = np.arange(100, 164, dtype=np.uint32)
    got = reference.bootstrap(ciphertexts, test, key)[:, -1].view(np.int32)
    assert got.tolist() == [100, 103, -105]


def test_key_switch_of_a_ciphertext_without_mask_keeps_its_message():
    _, key = generate_keys(TINY, seed=1)
    extracted = np.zeros((1, 65), np.uint32)
    extracted[0, -1] = 12345
    assert reference.key_switch(extracted, key.key_switch_key, TINY).tolist() == [[0] * 16 + [12345]]


def test_batches_equal_their_parts():
    secret, key = generate_keys(WIDE, seed=2)
    a = encrypt_bits(secret, np.array([0, 1, 1]), seed=3).words
    b = encrypt_bits(secret, np.array([1, 0, 1]), seed=4).words
    whole = reference.gate(c.XOR, (a, b), key)
    parts = [reference.gate(c.XOR, (a[i : i + 1], b[i : i + 1]), key) for i in range(3)]
    assert np.array_equal(whole, np.concatenate(parts))
