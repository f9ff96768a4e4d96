"""Binary features of integer ones: thermometer codes, and the noise that makes more training samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.classifiers.data import DataSet


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """Bit i of a sample is 1 where feature `features[i]` is at least `thresholds[i]`; bits of a feature ascend."""

    features: np.ndarray  # (n_bits,) int64
    thresholds: np.ndarray  # (n_bits,) int64, at least 1

    @property
    def n_bits(self) -> int:
        return len(self.features)

    def encode(self, features: np.ndarray) -> np.ndarray:
        """(n_samples, n_features) unsigned integers -> (n_samples, n_bits) uint8 of 0 and 1."""
        return (features[:, self.features] >= self.thresholds).astype(np.uint8)


def thermometer(data: DataSet, n_thresholds: int) -> Encoding:
    """Thresholds of every feature, from the training samples; a bit that is the same in all of them is left out.

    Binary features are bits already. Pixels share one scale: their thresholds are spaced evenly from 0 to the largest
    pixel. Features of other kinds have each their own: quantiles of what the feature takes.
    """
    if data.feature_bits == 1:
        table = np.ones((data.n_features, 1), np.int64)
    elif data.image_shape is not None:
        largest = int(data.features_train.max())
        even = np.ceil(largest * np.arange(1, n_thresholds + 1) / (n_thresholds + 1))
        table = np.tile(even.astype(np.int64), (data.n_features, 1))
    else:
        shares = np.arange(1, n_thresholds + 1) / (n_thresholds + 1)
        table = np.ceil(np.quantile(data.features_train, shares, axis=0)).astype(np.int64).T
    pairs = sorted({(f, max(1, int(t))) for f, row in enumerate(table) for t in row})
    features, thresholds = np.array(pairs, np.int64).T
    whole = Encoding(features=features, thresholds=thresholds)
    ones = whole.encode(data.features_train).sum(axis=0, dtype=np.int64)
    told = (ones > 0) & (ones < len(data.features_train))
    return Encoding(features=features[told], thresholds=thresholds[told])


def noisy(images: np.ndarray, highest: int, rng: np.random.Generator) -> np.ndarray:
    """Images of pixels 0 to `highest` with Gaussian noise, sd 1/8 of the range, rounded, on all that are not 0.

    Background stays background: noise there would switch on bits that no real image has.
    """
    noise = np.rint(rng.normal(0, highest / 8, images.shape)).astype(np.int64)
    moved = np.clip(images.astype(np.int64) + noise, 0, highest)
    return np.where(images > 0, moved, 0).astype(images.dtype)


def shifted(
    images: np.ndarray, image_shape: tuple[int, int, int], rng: np.random.Generator, share: float = 1.0
) -> np.ndarray:
    """Images (n, pixels), a `share` of them moved by -1, 0 or 1 pixel both ways at random, the border filled with 0."""
    channels, height, width = image_shape
    planes = images.reshape(-1, channels, height, width)
    padded = np.pad(planes, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moves = np.where(rng.random(len(images)) < share, rng.integers(0, 9, len(images)), 4)  # 4: stays
    found = np.empty_like(planes)
    for move in range(9):
        top, left = divmod(move, 3)
        chosen = moves == move
        found[chosen] = padded[chosen, :, top : top + height, left : left + width]
    return found.reshape(images.shape)
