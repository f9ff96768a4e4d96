from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from designs.errors import DesignError, InputError
from designs.tfhe_parameters import SETS
from tests.workloads.tfhe.small import TINY, WIDE
from tests.workloads.tfhe.test_polynomials import plain_product
from workloads.tfhe import keys as module
from workloads.tfhe.keys import (
    check_parameters,
    decrypt_bits,
    decrypt_integers,
    encrypt_bits,
    encrypt_integers,
    generate_keys,
    phases,
)
from workloads.tfhe.random_source import RandomSource


@pytest.mark.parametrize("at_once", [1 << 22, 64])
def test_rows_of_the_bootstrapping_key_hold_the_bits_of_the_lwe_key(at_once, monkeypatch):
    """b - sum of masks times key is s_i 2^(32-pg) at the row's own column, times that column's key where it is a mask."""
    monkeypatch.setattr(module, "_WORDS_AT_ONCE", at_once)
    p = replace(WIDE, glwe_noise=2.0**-24)
    secret, key = generate_keys(p, seed=1)
    errors = []
    for i, step in enumerate(key.bootstrap_key):
        for column in range(3):
            for level in range(4):
                row, weight = step[column, level], np.uint32(1 << (32 - 8 * (level + 1)))
                masked = sum(plain_product(s, mask) for s, mask in zip(secret.glwe, row[:2], strict=True))
                message = np.zeros(32, np.uint32)
                if column < 2:
                    message -= secret.lwe[i] * weight * secret.glwe[column]
                else:
                    message[0] = secret.lwe[i] * weight
                errors.append((row[2] - masked - message).view(np.int32) / 2**32)
    assert np.std(errors) == pytest.approx(2.0**-24, rel=0.1) and abs(np.mean(errors)) < 2.0**-28


def test_rows_of_the_key_switching_key_hold_the_bits_of_the_glwe_key():
    secret, key = generate_keys(TINY, seed=2)
    weights = 1 << (32 - 2 * np.arange(1, 7, dtype=np.int64))
    expected = secret.glwe.reshape(-1, 1) * weights
    errors = (phases(secret, key.key_switch_key) - expected).astype(np.uint32).view(np.int32) / 2**32
    assert np.std(errors) == pytest.approx(2.0**-20, rel=0.15)


def test_a_seed_gives_the_same_insecure_keys_and_no_seed_others():
    (first, _), (again, _), (one, _), (other, _) = (generate_keys(TINY, seed) for seed in (5, 5, None, None))
    assert first.insecure and not one.insecure
    assert np.array_equal(first.glwe, again.glwe) and first.key_id == again.key_id
    assert one.key_id != other.key_id and not np.array_equal(one.glwe, other.glwe)
    assert "INSECURE" in repr(first) and "INSECURE" not in repr(one)


def test_encryptions_of_one_bit_differ():
    secret, _ = generate_keys(TINY, seed=5)
    one, other = encrypt_bits(secret, np.array(1)), encrypt_bits(secret, np.array(1))
    assert not np.array_equal(one.words, other.words) and decrypt_bits(secret, one) == decrypt_bits(secret, other) == 1


def test_a_seed_is_for_insecure_keys_only():
    secret, _ = generate_keys(TINY)
    for encrypt in (lambda: encrypt_bits(secret, np.array([1]), seed=1), lambda: encrypt_integers(secret, np.array([1]), 4, 1)):
        with pytest.raises(InputError, match="seed: wanted none with a key that is not insecure, got one"):
            encrypt()


def test_noise_is_normal_and_bits_are_even():
    source = RandomSource(seed=6)
    noise = source.noise(2.0**-8, 20_000).view(np.int32) / 2.0**24
    assert kstest(noise, "norm").pvalue > 0.01
    assert source.noise(0.0, 5).tolist() == [0] * 5
    assert np.mean(source.bits(20_001)) == pytest.approx(0.5, abs=0.02)
    assert source.words(3, 5).shape == (3, 5) and source.words(3, 5).dtype == np.uint32


def test_the_tails_of_noise_are_finite():
    source = RandomSource()
    ends = [bytes(8), b"\xff" * 8, (1).to_bytes(8, "little")]
    found = []
    for end in ends:
        source.bytes = lambda _n, end=end: end
        found.append(source.noise(2.0**-8, 1).view(np.int32)[0] / 2.0**24)
    assert found[0] == pytest.approx(8.374, abs=0.001) and found[2] == -found[0]  # sign and size
    assert abs(found[1]) < 1e-6


def test_integers_with_padding():
    secret, _ = generate_keys(WIDE, seed=3)
    encrypted = encrypt_integers(secret, np.arange(8), 8)
    assert decrypt_integers(secret, encrypted).tolist() == list(range(8))
    doubled = replace(encrypted, words=2 * encrypted.words)
    assert decrypt_integers(secret, doubled).tolist() == list(range(0, 16, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lwe_dimension": 1}, "lwe_dimension: wanted 2 to 4095, got 1"),
        ({"ring_degree": 96}, "ring_degree: wanted a power of two, got 96"),
        ({"decomposition_levels": 6}, "decomposition_levels: wanted at most 32 bits of digits in all, got 36"),
        ({"key_switch_base_bits": 6}, "key_switch_levels: wanted at most 32 bits of digits in all, got 36"),
        ({"glwe_noise": 0.5}, "glwe_noise: wanted a share of the torus, 0 or more and below 0.25, got 0.5"),
    ],
)
def test_parameters_that_no_key_has(change, message):
    with pytest.raises(DesignError, match=message):
        generate_keys(replace(TINY, **change))


def test_every_named_set_can_have_keys():
    for named in SETS.values():
        check_parameters(named.parameters)


def test_refusals():
    secret, _ = generate_keys(TINY, seed=5)
    bits, integers = encrypt_bits(secret, np.array([0])), encrypt_integers(secret, np.array([0]), 4)
    for call, message in [
        (lambda: encrypt_bits(secret, np.array([0, 2])), "bits: wanted 0 and 1 only"),
        (lambda: encrypt_integers(secret, np.array([4]), 4), "integers: wanted 0 to 3"),
        (lambda: encrypt_integers(secret, np.array([0.5]), 4), "integers: wanted 0 to 3"),
        (lambda: encrypt_integers(secret, np.array([0]), 64), "n_messages: wanted a power of two, 2 to 32 .*, got 64"),
        (lambda: decrypt_bits(secret, integers), "wanted bits, got integers"),
        (lambda: decrypt_integers(secret, bits), "wanted integers, got bits"),
        (lambda: phases(secret, bits.words[:, 1:]), "wanted 17 words for this key, got 16"),
    ]:
        with pytest.raises(InputError, match=message):
            call()
