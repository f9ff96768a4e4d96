"""Thermometer codes, noise and shifts, by hand."""

import numpy as np

from workloads.classifiers.data import DataSet, data_set, digits
from workloads.classifiers.encode import noisy, shifted, thermometer


def _data(features: object, *, bits: int, shape: tuple[int, int, int] | None = None) -> DataSet:
    array = np.array(features)
    pair = (array, np.arange(len(array)) % 2)
    return data_set("small", pair, pair, feature_bits=bits, n_classes=2, image_shape=shape)


def test_digits_have_thresholds_4_8_12_and_only_bits_that_differ() -> None:
    encoding = thermometer(digits(), 3)
    assert set(encoding.thresholds) == {4, 8, 12}
    bits = encoding.encode(digits().features_train)
    assert encoding.n_bits == 158 and (bits.min(axis=0) == 0).all() and (bits.max(axis=0) == 1).all()
    assert [thermometer(digits(), n).n_bits for n in (1, 7)] == [53, 366]


def test_bits_are_comparisons() -> None:
    encoding = thermometer(_data([[0, 4], [8, 4], [16, 4], [5, 12]], bits=5, shape=(1, 1, 2)), 3)
    assert list(zip(encoding.features, encoding.thresholds, strict=True)) == [(0, 4), (0, 8), (0, 12), (1, 8), (1, 12)]
    assert encoding.encode(np.array([[8, 7], [3, 12]])).tolist() == [[1, 1, 0, 0, 0], [0, 0, 0, 1, 1]]


def test_features_of_different_scales_have_thresholds_of_their_own() -> None:
    encoding = thermometer(_data([[1, 100], [2, 200], [3, 300], [4, 400]], bits=9), 1)
    assert list(zip(encoding.features, encoding.thresholds, strict=True)) == [(0, 3), (1, 250)]


def test_binary_features_are_bits_already() -> None:
    encoding = thermometer(_data([[0, 1, 1], [1, 1, 0]], bits=1), 3)
    assert encoding.features.tolist() == [0, 2] and encoding.thresholds.tolist() == [1, 1]


def test_noise_stays_in_range_and_off_the_background() -> None:
    images = np.tile(np.arange(17, dtype=np.uint8), (500, 1))
    moved = noisy(images, 16, np.random.default_rng(0)).astype(int)
    assert (moved[:, 0] == 0).all() and moved.min() >= 0 and moved.max() == 16
    difference = (moved - images)[:, 7:10]
    assert abs(difference.mean()) < 0.2 and 1.9 < difference.std() < 2.15  # sd 2, rounded


def test_shifts_are_by_one_pixel_with_zeros_coming_in() -> None:
    image = np.arange(1, 13, dtype=np.uint8).reshape(1, 2, 2, 3)
    padded = np.pad(image[0], ((0, 0), (1, 1), (1, 1)))
    expected = {padded[:, y : y + 2, x : x + 3].tobytes() for y in range(3) for x in range(3)}
    found = shifted(np.repeat(image.reshape(1, -1), 200, axis=0), (2, 2, 3), np.random.default_rng(0))
    assert {row.tobytes() for row in found} == expected


def test_only_a_share_of_the_images_is_shifted() -> None:
    images = np.ones((4000, 1), np.uint8)
    moved = shifted(images, (1, 1, 1), np.random.default_rng(0), 0.3)
    assert 0.23 < 1 - moved.mean() < 0.3  # 0.3 times 8 of 9 moves
