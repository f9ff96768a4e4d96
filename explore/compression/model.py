"""The model of accuracy: the probability that a choice keeps the floor, from the few that were tried.

A Gaussian process over the logarithms of what compression does to each layer's weights. How labels are lost is not
known beforehand: as the errors, as their square, or doubling with each bit less; under the logarithm all of these are
near to a line, and differ by its slope.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from scipy.stats import norm


class Tried(NamedTuple):
    """One network that was run on the validation images."""

    errors: np.ndarray  # |w - compressed w| / |w| by layer; the reference: zeros
    n_wrong: int


def chances(pool: np.ndarray, tried: list[Tried], n_images: int, n_allowed: int, seed: int = 0) -> np.ndarray:
    """The probability, for each choice of `pool` (n, layers: its errors), of at most `n_allowed` wrong labels.

    The log odds of a wrong label are modelled (half a label added on both sides), by a Gaussian process of a Matern
    5/2 kernel, a linear one and noise over `log(error + least error of the pool)`, in standard deviations of the pool.
    What compresses each layer at least as much as one that was tried and failed is given no more than the probability
    that the one tried would keep the floor on images drawn anew: a hard exclusion would take noise for truth.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

    x, z = _features(pool, np.array([one.errors for one in tried]))
    model = GaussianProcessRegressor(
        ConstantKernel(1.0, (1e-2, 1e2)) * Matern(2.0, (0.5, 20.0), nu=2.5)
        + ConstantKernel(1.0, (1e-2, 1e2)) * DotProduct(1.0, "fixed")
        + WhiteKernel(0.1, (1e-2, 1.0)),
        normalize_y=True, random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound of a length scale is a good answer too
        model.fit(x, _log_odds(np.array([float(one.n_wrong) for one in tried]), n_images))
    mean, deviation = model.predict(z, return_std=True)
    most = _log_odds(np.array(n_allowed + 0.5), n_images)
    found: np.ndarray = norm.cdf((most - mean) / np.maximum(deviation, 1e-9))
    for one in tried:
        if one.n_wrong > n_allowed:
            further = np.all(pool >= one.errors * (1 - 1e-9), axis=1)
            found[further] = np.minimum(found[further], _again(one.n_wrong, n_images, n_allowed))
    return found


def _features(pool: np.ndarray, tried: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(those of the tried, those of the pool): logarithms from the pool's least on, in its standard deviations."""
    small = 1e-6 * pool.max(axis=0)  # a rounding error is no error
    least = np.min(np.where(pool > small, pool, np.inf), axis=0)
    least = np.where(np.isfinite(least), least, 1.0)
    start = np.log(pool.min(axis=0) + least)
    x, z = np.log(tried + least) - start, np.log(pool + least) - start
    spread = z.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1.0)
    return x / spread, z / spread


def _log_odds(n_wrong: np.ndarray, n_images: int) -> np.ndarray:
    return np.asarray(np.log(n_wrong + 0.5) - np.log(np.maximum(n_images - n_wrong, 0.0) + 0.5))


def _again(n_wrong: int, n_images: int, n_allowed: int) -> float:
    """The probability of at most `n_allowed` wrong in a second draw: both draws binomial, by the normal law."""
    share = min((n_wrong + 0.5) / (n_images + 1), 1.0)
    return float(norm.cdf((n_allowed + 0.5 - n_wrong) / np.sqrt(2 * n_images * share * (1 - share) + 0.5)))
