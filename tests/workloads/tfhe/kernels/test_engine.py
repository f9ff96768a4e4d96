from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.tfhe_parameters import SETS, Parameters
from tests.workloads.tfhe.small import TINY, WIDE
from workloads.tfhe import reference
from workloads.tfhe.kernels.engine import Engine


def parameters(n=3, k=1, degree=16, levels=2, base_bits=8, switch_levels=4, switch_base_bits=2):
    return Parameters(
        lwe_dimension=n, glwe_dimension=k, ring_degree=degree, decomposition_levels=levels,
        decomposition_base_bits=base_bits, key_switch_levels=switch_levels, key_switch_base_bits=switch_base_bits,
        lwe_noise=0.0, glwe_noise=0.0,
    )  # fmt: skip


def random_words(shape, seed):
    return np.random.default_rng(seed).integers(0, 2**32, shape, dtype=np.uint32)


def random_keys(p, seed=0):
    """Words of the keys' shapes: the engine's arithmetic does not ask what they mean."""
    k1 = p.glwe_dimension + 1
    bootstrap = random_words((p.lwe_dimension, k1, p.decomposition_levels, k1, p.ring_degree), seed)
    return bootstrap, random_words(
        (p.glwe_dimension * p.ring_degree, p.key_switch_levels, p.lwe_dimension + 1), seed + 1
    )


def assert_equals_reference(p, arithmetic, n_gates, seed=0):
    keys = random_keys(p, seed)
    engine = Engine(p, *keys, arithmetic)
    lwe, tests = random_words((n_gates, p.lwe_dimension + 1), seed + 2), random_words((n_gates, p.ring_degree), seed + 3)
    extracted = engine.bootstrap(lwe, tests)
    assert np.array_equal(extracted, reference.extract(reference.blind_rotate(lwe, tests, keys[0], p)))
    switched = engine.key_switch(extracted)
    assert np.array_equal(switched, reference.key_switch(extracted, keys[1], p))
    assert np.array_equal(switched, engine.run(lwe, tests, 2))
    return engine


@pytest.mark.parametrize("arithmetic", ["fast", "exact"])
@given(st.data())
@settings(max_examples=12, deadline=None)
def test_equals_the_reference(arithmetic, data):
    base_bits, switch_base_bits = data.draw(st.integers(1, 32)), data.draw(st.integers(1, 32))
    p = parameters(
        n=data.draw(st.integers(1, 4)),
        k=data.draw(st.integers(1, 3)),
        degree=data.draw(st.sampled_from([16, 32, 64, 128])),
        levels=data.draw(st.integers(1, min(4, 32 // base_bits))),
        base_bits=base_bits,
        switch_levels=data.draw(st.integers(1, min(8, 32 // switch_base_bits))),
        switch_base_bits=switch_base_bits,
    )
    assert_equals_reference(p, arithmetic, n_gates=data.draw(st.integers(1, 5)), seed=data.draw(st.integers(0, 99)))


@pytest.mark.parametrize("arithmetic", ["fast", "exact"])
@pytest.mark.parametrize("degree", [256, 512, 1024, 2048, 4096, 8192, 16384])
def test_every_degree(arithmetic, degree):
    assert_equals_reference(parameters(n=1, degree=degree, levels=2, base_bits=7), arithmetic, n_gates=1)


@pytest.mark.parametrize(("levels", "base_bits", "repeats"), [(3, 7, False), (1, 24, True), (1, 32, True), (2, 16, True)])
def test_fast_repeats_exactly_what_doubles_cannot_hold(levels, base_bits, repeats):
    engine = assert_equals_reference(parameters(degree=512, levels=levels, base_bits=base_bits), "fast", n_gates=2)
    assert (engine.n_repeated > 0) == repeats


def test_sums_of_the_largest_words_are_exact():
    """Digits of the largest size against keys of the largest size: every product of one sign in every sum."""
    p = parameters(n=2, degree=1024, levels=1, base_bits=10)
    bootstrap_key, key_switch_key = random_keys(p)
    bootstrap_key[:] = 2**31
    lwe = np.zeros((1, 3), dtype=np.uint32)
    lwe[0, :2] = np.uint32(1024 << 21)  # X^1024 = -1: the difference is -2 ACC
    tests = np.full(1024, 2**30, dtype=np.uint32)  # -2 ACC is -2^31: digits of -2^9
    want = reference.extract(reference.blind_rotate(lwe, tests, bootstrap_key, p))
    for arithmetic in ("fast", "exact"):
        assert np.array_equal(Engine(p, bootstrap_key, key_switch_key, arithmetic).bootstrap(lwe, tests), want)


@pytest.mark.parametrize("name", ["tfhe_lib_128", "tfhe_lib_80", "tfhe_rs_boolean"])
def test_published_sets_fast_is_exact_and_never_repeats(name):
    p = replace(SETS[name].parameters, lwe_dimension=40)  # of the steps, a few; everything else as published
    keys = random_keys(p)
    lwe = random_words((3, p.lwe_dimension + 1), 5)
    test = np.full(p.ring_degree, 2**29, dtype=np.uint32)
    fast, exact = Engine(p, *keys, "fast"), Engine(p, *keys, "exact")
    assert np.array_equal(fast.run(lwe, test), exact.run(lwe, test))
    assert fast.n_repeated == 0


@pytest.mark.parametrize("p", [TINY, WIDE], ids=["tiny", "wide"])
def test_one_engine_serves_many_threads(p):
    engine = Engine(p, *random_keys(p))
    test = random_words((p.ring_degree,), 9)
    batches = [random_words((1 + index % 3, p.lwe_dimension + 1), 20 + index) for index in range(12)]
    alone = [engine.run(batch, test) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda batch: engine.run(batch, test), batches))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_threads_that_all_need_the_exact_key_get_one():
    p = parameters(degree=64, levels=1, base_bits=32)
    keys = random_keys(p)
    engine = Engine(p, *keys)
    lwe, test = random_words((8, 4), 1), random_words((64,), 2)
    assert np.array_equal(engine.run(lwe, test, 4), Engine(p, *keys, "exact").run(lwe, test))
    assert engine.n_repeated == 4


def test_an_empty_batch_and_one_share_of_more_threads_than_gates():
    engine = Engine(TINY, *random_keys(TINY))
    test = random_words((64,), 0)
    assert engine.run(np.zeros((0, 17), dtype=np.uint32), test, 2).shape == (0, 17)
    lwe = random_words((3, 17), 1)
    assert np.array_equal(engine.run(lwe, test, 8), engine.run(lwe, test, 1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ring_degree": 48}, "ring_degree: wanted a power of two from 16 to 16384, got 48"),
        ({"ring_degree": 8}, "ring_degree: wanted a power of two from 16 to 16384, got 8"),
        ({"decomposition_base_bits": 17}, "decomposition: wanted levels x base bits from 1 to 32, got 2 x 17"),
        ({"key_switch_levels": 0}, "key_switch: wanted levels x base bits from 1 to 32, got 0 x 2"),
        ({"glwe_dimension": 0}, "dimensions: wanted 1 or more, got n = 3, k = 0"),
        (
            {"lwe_dimension": 4},
            "bootstrapping key: wanted uint32 (4, 2, 2, 2, 16), got uint32 (3, 2, 2, 2, 16); make it for the parameters",
        ),
        (
            {"key_switch_levels": 5},
            "key-switching key: wanted uint32 (16, 5, 4), got uint32 (16, 4, 4); make it for the parameters",
        ),
    ],
)
def test_parameters_and_keys_that_do_not_match_are_refused(changed, message):
    with pytest.raises(InputError) as refused:
        Engine(replace(parameters(), **changed), *random_keys(parameters()))
    assert str(refused.value) == message


def test_batches_that_do_not_match_are_refused():
    engine = Engine(parameters(), *random_keys(parameters()))
    lwe, test = random_words((2, 4), 0), random_words((16,), 0)
    with pytest.raises(InputError, match="ciphertexts: wanted uint32"):
        engine.bootstrap(lwe[:, :3], test)
    with pytest.raises(InputError, match="ciphertexts: wanted uint32"):
        engine.bootstrap(lwe.astype(np.int64), test)
    with pytest.raises(InputError, match="test polynomials: wanted uint32"):
        engine.bootstrap(lwe, test[:8])
    with pytest.raises(InputError, match="test polynomials: wanted uint32"):
        engine.run(lwe, random_words((3, 16), 0))
    with pytest.raises(InputError, match="extracted ciphertexts: wanted uint32"):
        engine.key_switch(lwe)
    with pytest.raises(InputError, match="arithmetic: wanted fast or exact, got quick"):
        Engine(parameters(), *random_keys(parameters()), "quick")
