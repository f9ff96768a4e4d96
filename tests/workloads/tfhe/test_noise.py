import math
from dataclasses import replace

import numpy as np
import pytest

from designs.errors import InputError
from designs.tfhe_parameters import SETS
from tests.workloads.tfhe import truth_tables
from tests.workloads.tfhe.small import TINY
from workloads.circuits import circuit as c
from workloads.tfhe import noise, reference
from workloads.tfhe.gates import LINEAR, VALUE
from workloads.tfhe.keys import encrypt_bits, generate_keys, phases
from workloads.tfhe.scheme import Evaluator

P = SETS["tfhe_lib_128"].parameters
# Cutting 14 bits away is what errs in the first, the key's noise in the second, the key switch in the third.
CUT = replace(TINY, decomposition_levels=2, decomposition_base_bits=7, lwe_noise=2.0**-24, glwe_noise=2.0**-30)
STEPS = replace(TINY, lwe_noise=2.0**-24, glwe_noise=2.0**-22)
KEY_SWITCH = replace(TINY, lwe_noise=2.0**-15)


@pytest.mark.parametrize("parameters", [CUT, STEPS, KEY_SWITCH], ids=["cut", "steps", "key_switch"])
def test_measured_noise_is_the_formulas(parameters):
    """Mean squares over 12 keys of 256 results each, of these keys and over keys."""
    measured, of_keys = [], []
    for seed in range(12):
        secret, key = generate_keys(parameters, seed=seed)
        bits = np.random.default_rng(seed).integers(0, 2, (2, 256))
        a, b = (encrypt_bits(secret, row, seed=100 + 2 * seed + place).words for place, row in enumerate(bits))
        ideal = np.where(bits[0] & bits[1], -0.125, 0.125)
        errors = phases(secret, reference.gate(c.NAND, (a, b), key)) / 2**32 - ideal
        measured.append(np.mean(errors**2))
        of_keys.append(noise.noise_of_key(secret, key).deviation ** 2)
    assert np.mean(measured) == pytest.approx(np.mean(of_keys), rel=0.15)
    assert np.mean(of_keys) == pytest.approx(noise.output_variance(parameters), rel=0.25)


def test_each_cause_prevails_where_it_should():
    def cut_share(p):
        return 1 - noise._steps_variance(p) / noise.rotation_variance(p)

    assert cut_share(CUT) > 0.9 and cut_share(STEPS) < 0.15
    assert noise.key_switch_variance(KEY_SWITCH) > 10 * noise.rotation_variance(KEY_SWITCH)


def test_variances_of_the_default_set_by_hand():
    steps = 630 * 2 * 3 * 1024 * (1 - 1 / 2048) * (2**14 + 2) / 12 * (2.0**-50 + 2.0**-64 / 12)
    cut_mean = (2**11 - 1) / 2 * 2.0**-32
    cut = 315 * ((1 + 512) * (2.0**22 - 1) / 12 * 2.0**-64 + cut_mean**2 * ((2**20 + 2) / 12 + 256))
    cut += cut_mean**2 * (512**2 + 256 - (2**20 + 2) / 12 - 256)  # the last step is not turned
    assert noise.rotation_variance(P) == pytest.approx(steps + cut, rel=1e-12)
    switched = 1024 * 8 * 1.5 * (2.0**-30 + 2.0**-64 / 12) + 512 * (2.0**32 + 2) / 12 * 2.0**-64
    assert noise.key_switch_variance(P) == pytest.approx(switched, rel=1e-12)
    last = cut_mean**2 * (512**2 + 256)  # which a MUX has twice, not two of it
    assert noise.output_variance(P, c.MUX) == pytest.approx(2 * (steps + cut) + 2 * last + switched, rel=1e-12)
    with pytest.raises(ValueError, match="a NOT keeps"):
        noise.output_variance(P, c.NOT)
    assert noise.modulus_switch_variance(P) == pytest.approx(316 / 12 / 2048**2, rel=1e-9)


def test_the_mean_of_the_cut_over_all_keys_of_a_tiny_ring():
    """Every binary key of N = 4, k = 2, against the closed form; coefficients by hand for one."""
    p = replace(TINY, ring_degree=4, glwe_dimension=2)
    keys = (np.arange(256)[:, None] >> np.arange(8) & 1).reshape(-1, 2, 4)
    squares = [np.mean(noise._cut_means(p, key) ** 2) for key in keys]
    assert np.mean(squares) == pytest.approx(noise._turned_cut_square(p), rel=1e-12)
    firsts = [noise._cut_means(p, key)[0] ** 2 for key in keys]
    assert np.mean(firsts) == pytest.approx(noise._last_cut_square(p), rel=1e-12)
    one = noise._cut_means(replace(p, glwe_dimension=1), np.array([[1, 0, 1, 1]], np.uint8)) / noise._cut_mean(p)
    assert one.tolist() == [1 - (1 - 2), 1 - (1 - 2), 1 - (2 - 1), 1 - 3]


def test_failure_probabilities_do_not_underflow():
    assert -300 < noise.failure_log2(P) < -150
    quiet = replace(P, lwe_noise=2.0**-28, glwe_noise=2.0**-30, decomposition_levels=4, ring_degree=16384)
    assert -math.inf < noise.gate_failure_log2(quiet, c.AND) < -10_000


def test_failures_of_gates():
    and_, xor, mux = (noise.gate_failure_log2(P, op) for op in (c.AND, c.XOR, c.MUX))
    assert xor < and_ and mux == and_ + 1
    assert noise.gate_failure_log2(P, c.NOT) == -math.inf
    assert noise.failure_log2(P) == noise.gate_failure_log2(P, c.MUX, c.MUX) > mux
    assert noise.gate_failure_log2(P, c.AND, None) < and_
    operands = 2 * noise.output_variance(P) + 2 * noise.shared_variance(P)
    deviation = math.sqrt(operands + noise.modulus_switch_variance(P))
    tails = math.erfc((0.125 - 0.25 / 1024) / deviation / math.sqrt(2)) / 2
    assert and_ == pytest.approx(math.log2(tails), rel=1e-9)  # the far side, at 3/8, is nothing beside it


@pytest.mark.parametrize(("op", "lwe_noise"), [(c.AND, 0.04), (c.OR, 0.05), (c.XOR, 0.04)], ids=["and", "or", "xor"])
def test_gates_fail_as_often_as_the_formula_says(op, lwe_noise):
    """On fresh ciphertexts of an absurd noise, read before the key switch; half an exponent is 3 % of this ring's 1/8."""
    noisy = replace(TINY, lwe_noise=lwe_noise)
    secret, key = generate_keys(noisy, seed=8)
    bits = np.random.default_rng(8).integers(0, 2, (2, 8192))
    a, b = (encrypt_bits(secret, row, seed=seed).words for seed, row in enumerate(bits))
    test = np.full(64, VALUE, np.uint32)
    extracted = Evaluator(key).engine.bootstrap(reference.linear(a, b, *LINEAR[op]), test)
    found = phases(secret, extracted, extracted=True) > 0
    n_wrong = np.count_nonzero(found != {c.AND: bits[0] & bits[1], c.OR: bits[0] | bits[1], c.XOR: bits[0] ^ bits[1]}[op])
    expected = 8192 * 2 ** noise.gate_failure_log2(noisy, op, None)
    assert 100 < expected < 1000 and n_wrong == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_results_of_one_key_share_a_part_of_their_noise():
    means = [noise.noise_of_key(*generate_keys(KEY_SWITCH, seed=seed)).mean for seed in range(40)]
    assert np.mean(np.square(means)) == pytest.approx(noise.shared_variance(KEY_SWITCH), rel=0.6)
    assert noise.shared_variance(KEY_SWITCH, c.MUX) > noise.shared_variance(KEY_SWITCH)


def test_more_messages_fail_more_often():
    failures = [noise.table_failure_log2(P, n) for n in (2, 4, 8, 16, 256)]
    assert failures == sorted(failures) and failures[0] < -100 and failures[-1] <= 0
    with pytest.raises(InputError, match="n_messages: wanted a power of two, 2 to 512"):
        noise.table_failure_log2(P, 1024)


def test_a_published_set_is_as_noisy_as_the_formula_says():
    secret, key = generate_keys(SETS["tfhe_lib_80"].parameters)
    found = truth_tables.measure(secret, Evaluator(key).engine, c.NAND, 96, 2, lambda _: None)
    assert found.n_wrong == 0 and found.deviation == pytest.approx(noise.noise_of_key(secret, key).deviation, rel=0.35)
