import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.tfhe.polynomials import _forward, _halves, _inverse, error_bound, rotate, sum_of_products


def plain_product(factors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The definition: X^N = -1, and integers that wrap at 2^32."""
    ring_degree = len(words)
    result = np.zeros(ring_degree, np.uint32)
    for shift, factor in enumerate(factors.astype(np.int64).astype(np.uint32)):
        result[shift:] += factor * words[: ring_degree - shift]
        result[:shift] -= factor * words[ring_degree - shift :]
    return result


def test_products_by_hand():
    words = np.array([[[5, 0, 0, 2**32 - 1]]], np.uint32)  # 5 - X^3
    factors = np.array([[[0, 2, 0, 0]]])  # 2 X
    assert sum_of_products(factors, words).tolist() == [[[2, 10, 0, 0]]]  # 10 X - 2 X^4 = 10 X + 2


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_sums_of_products_are_exact(data):
    ring_degree = 2 ** data.draw(st.integers(1, 8))
    n_batch, n_rows, n_columns = (data.draw(st.integers(1, 3)) for _ in range(3))
    magnitude = 2 ** data.draw(st.integers(0, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    factors = rng.integers(-magnitude, magnitude, (n_batch, n_rows, ring_degree), endpoint=True)
    words = rng.integers(0, 2**32, (n_rows, n_columns, ring_degree), dtype=np.uint32)
    got = sum_of_products(factors, words)
    for batch in range(n_batch):
        for column in range(n_columns):
            products = [plain_product(factors[batch, row], words[row, column]) for row in range(n_rows)]
            assert np.array_equal(got[batch, column], np.sum(products, axis=0, dtype=np.uint32))


@pytest.mark.parametrize(("ring_degree", "digit_bits"), [(1024, 7), (1024, 10), (2048, 23), (16384, 16)])
def test_extreme_values_at_real_degrees_are_exact(ring_degree, digit_bits):
    factors = np.full((1, 1, ring_degree), -(1 << digit_bits - 1))
    words = np.full((1, 1, ring_degree), 2**31, np.uint32)
    words[0, 0, ::3] = 2**31 - 1
    assert np.array_equal(sum_of_products(factors, words)[0, 0], plain_product(factors[0, 0], words[0, 0]))


@pytest.mark.parametrize("ring_degree", [2, 64, 1024, 16384])
def test_the_error_is_far_below_its_bound(ring_degree):
    rng = np.random.default_rng(ring_degree)
    factors = rng.integers(-1024, 1025, (1, ring_degree))
    halves = rng.integers(-(2**15), 2**15, (1, ring_degree))
    sums = _inverse(_forward(factors) * _forward(halves))
    exact = plain_product(factors[0], halves[0].astype(np.uint32)).view(np.int32)
    rounded = np.rint(sums[0])
    assert np.array_equal(rounded.astype(np.int64).astype(np.int32), exact)
    assert np.abs(sums[0] - rounded).max() <= error_bound(1, ring_degree, 1024)


def test_halves_are_small_and_give_the_words_back():
    words = np.array([0, 1, 2**15 - 1, 2**15, 2**16, 2**31 - 1, 2**31, 2**32 - 1], np.uint32)
    low, high = _halves(words)
    assert max(abs(low).max(), abs(high).max()) <= 2**15
    assert np.array_equal((low + (high << 16)).astype(np.uint32), words)


def test_products_whose_error_is_not_bounded_are_refused():
    assert error_bound(2, 1024, 512) < 2**-10 < 0.25 < error_bound(32, 16384, 1024)
    with pytest.raises(ValueError, match="error is below 1/4"):
        sum_of_products(np.full((1, 32, 16384), 1024), np.zeros((32, 1, 16384), np.uint32))


def test_rotation_by_hand():
    words = np.array([[1, 2, 3, 4]] * 4, np.uint32)
    rotated = rotate(words, np.array([1, -1, 4, 9])).view(np.int32)
    assert rotated.tolist() == [[-4, 1, 2, 3], [2, 3, 4, -1], [-1, -2, -3, -4], [-4, 1, 2, 3]]
