"""Where keys and noise come from: the operating system's cryptographic generator, or a seed for tests."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from scipy.special import ndtri


class RandomSource:
    """Uniform bits and words, and Gaussian torus words. Without a seed every bit is from os.urandom.

    `insecure` says that a seed was given: whoever knows it has the secret key.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.insecure = seed is not None
        self.bytes: Callable[[int], bytes] = os.urandom if seed is None else np.random.default_rng(seed).bytes

    def __repr__(self) -> str:
        return f"RandomSource({'insecure: seeded' if self.insecure else 'os.urandom'})"

    def words(self, *shape: int) -> np.ndarray:
        """Uniform uint32."""
        return np.frombuffer(bytearray(self.bytes(4 * int(np.prod(shape)))), "<u4").reshape(shape)

    def bits(self, *shape: int) -> np.ndarray:
        """Uniform bits, uint8."""
        n_bits = int(np.prod(shape))
        return np.unpackbits(np.frombuffer(self.bytes(-(-n_bits // 8)), np.uint8), count=n_bits).reshape(shape)

    def noise(self, deviation: float, *shape: int) -> np.ndarray:
        """Gaussian torus words, uint32: a normal variate times `deviation` 2^32, rounded to the nearest integer.

        The variate is the inverse of the normal distribution at (u + 1/2) 2^-54, u of 53 uniform bits, with the sign
        of another bit: the tails beyond 8.37 deviations, 2^-54 in all, are cut, and double precision is the resolution.
        """
        uniform = np.frombuffer(self.bytes(8 * int(np.prod(shape))), "<u8").reshape(shape)
        magnitudes = -ndtri(((uniform >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-54)
        signs = 1.0 - 2.0 * (uniform & np.uint64(1)).astype(np.float64)
        return np.rint(signs * magnitudes * (deviation * 2.0**32)).astype(np.int64).astype(np.uint32)
