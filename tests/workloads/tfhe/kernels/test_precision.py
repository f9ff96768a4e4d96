from dataclasses import replace

import numpy as np
import pytest

from designs.tfhe_parameters import SETS
from tests.workloads.tfhe.kernels.test_engine import parameters, random_keys, random_words
from workloads.tfhe import reference
from workloads.tfhe.kernels import engine
from workloads.tfhe.kernels.engine import Engine
from workloads.tfhe.kernels.precision import (
    PROVEN_ERROR,
    UNCUT,
    Cut,
    digits_of,
    piece_starts,
    proven_cut,
    proven_error,
)
from workloads.tfhe.kernels.transform import transform_of


@pytest.mark.parametrize("name", SETS)
def test_published_sets_need_the_key_in_two_pieces(name):
    p = SETS[name].parameters
    assert proven_cut(p) == Cut(digit_parts=1, key_pieces=2)
    assert proven_error(p, UNCUT) > PROVEN_ERROR >= proven_error(p, proven_cut(p))


@pytest.mark.parametrize(("levels", "base_bits", "n_parts"), [(3, 7, 1), (2, 10, 3), (1, 32, 5), (4, 8, 8)])
def test_parts_of_digits_add_up_to_the_digits(levels, base_bits, n_parts):
    p = parameters(levels=levels, base_bits=base_bits)
    words = random_words((200,), 1)
    parts = digits_of(p, n_parts)
    offset = sum(1 << (part.shift + part.bits - 1) for part in parts if part.bias)
    raised = (words.astype(np.int64) + offset) % 2**32
    total = np.zeros((levels, 200), dtype=np.int64)
    for part in parts:
        value = ((raised >> part.shift) & ((1 << part.bits) - 1)) - part.bias
        assert np.abs(value).max() <= part.largest
        total[part.level] += value << part.scale_bits
    assert np.array_equal(total, reference.decompose(words, levels, base_bits))


@pytest.mark.parametrize("n_pieces", [1, 2, 3, 5, 32])
def test_pieces_of_words_add_up_to_the_words(n_pieces):
    words = np.concatenate([random_words((200,), 2), np.array([0, 1, 2**31 - 1, 2**31, 2**32 - 1], dtype=np.uint32)])
    starts = piece_starts(n_pieces)
    pieces = engine._pieces(words, starts)
    total = sum(piece.astype(np.int64) << start for piece, start in zip(pieces, starts, strict=True))
    assert np.array_equal(total % 2**32, words)
    widths = np.diff([*starts, 32])
    assert all(np.abs(piece.astype(np.int64)).max() <= 1 << (width - 1) for piece, width in zip(pieces, widths, strict=True))


@pytest.mark.parametrize("cut", [UNCUT, Cut(digit_parts=1, key_pieces=2), Cut(digit_parts=2, key_pieces=2)])
def test_measured_errors_stay_below_the_proven_ones(cut):
    p = replace(SETS["tfhe_lib_80"].parameters, lwe_dimension=8)
    bootstrap_key, _ = random_keys(p)
    rotation = engine._Rotation(p, bootstrap_key, cut, transform_of(p.ring_degree))
    switched = np.random.default_rng(3).integers(0, 2 * p.ring_degree, (2, p.lwe_dimension + 1))
    _, error, size = rotation.run(switched, random_words((2, p.ring_degree), 4))
    assert error <= proven_error(p, cut)
    assert 2**20 < size < 2**53


@pytest.mark.parametrize("width", [2, 8])
def test_vectors_of_other_cpus_give_the_same_words(width, monkeypatch):
    monkeypatch.setattr(engine, "transform_of", lambda degree: transform_of(degree, (0,) * width))
    for degree in (128, 1024):
        p = parameters(n=2, degree=degree)
        keys = random_keys(p)
        lwe, tests = random_words((2, 3), 5), random_words((2, degree), 6)
        want = reference.extract(reference.blind_rotate(lwe, tests, keys[0], p))
        assert np.array_equal(Engine(p, *keys).bootstrap(lwe, tests), want)
