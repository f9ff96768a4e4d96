"""Bootstrapping and key switching of batches, bit for bit as docs/fhe.md, section 1, defines them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np

from designs.errors import InputError
from designs.tfhe_parameters import Parameters
from workloads.tfhe.kernels.butterflies import FINEST_ROUNDED
from workloads.tfhe.kernels.precision import (
    MEASURED_ERROR,
    UNCUT,
    Cut,
    digits_of,
    piece_starts,
    proven_cut,
)
from workloads.tfhe.kernels.rotation import rotate, transform_polynomials
from workloads.tfhe.kernels.switching import cut_digits, subtract_products
from workloads.tfhe.kernels.transform import Transform, aligned, transform_of

Arithmetic = Literal["fast", "exact"]

TILE_WORDS = 32  # of the key-switching key, side by side in memory
POINTS_A_CALL = 1 << 24  # n * N * gates of one call of the kernel: a second or so, so that a caller can be interrupted


class Engine:
    """Both keys, prepared for one kind of arithmetic. All methods may be called by any number of threads at once.

    "exact" cuts digits and key until doubles give each sum exactly, by proof (precision.py). "fast" leaves them whole,
    measures how far sums are from integers, and repeats a batch exactly when that is more than MEASURED_ERROR.
    """

    def __init__(
        self,
        parameters: Parameters,
        bootstrap_key: np.ndarray,
        key_switch_key: np.ndarray,
        arithmetic: Arithmetic = "fast",
    ) -> None:
        """bootstrap_key uint32 (n, k+1, l, k+1, N); key_switch_key uint32 (kN, t, n+1). Other shapes: InputError."""
        p = parameters
        _check_parameters(p)
        k1, words = p.glwe_dimension + 1, p.glwe_dimension * p.ring_degree
        rows = (p.lwe_dimension, k1, p.decomposition_levels, k1, p.ring_degree)
        _check("bootstrapping key", bootstrap_key, rows)
        _check("key-switching key", key_switch_key, (words, p.key_switch_levels, p.lwe_dimension + 1))
        if arithmetic not in ("fast", "exact"):
            raise InputError(f"arithmetic: wanted fast or exact, got {arithmetic}")
        self.parameters = p
        self.arithmetic = arithmetic
        self.n_repeated = 0  # batches that "fast" had to repeat
        self._bootstrap_key = bootstrap_key
        self._lock = threading.Lock()
        self._proven: _Rotation | None = None
        self._transform = transform_of(p.ring_degree)
        self._rotation = self._exact() if arithmetic == "exact" else _Rotation(p, bootstrap_key, UNCUT, self._transform)
        self._tiles = _tiled(key_switch_key.reshape(-1, p.lwe_dimension + 1))

    def bootstrap(self, lwe: np.ndarray, test_polynomials: np.ndarray) -> np.ndarray:
        """Modulus switch, blind rotation and extraction.

        lwe uint32 (batch, n+1), after the linear part; test_polynomials uint32 (N,) or (batch, N). Returns uint32
        (batch, kN+1). Word y of ACC_k starts as +- test[(y + bbar) mod N], minus where (y + bbar) mod 2N >= N. Other
        shapes: InputError.
        """
        p = self.parameters
        tests = self._tests(lwe, test_polynomials)
        degree, a_call = p.ring_degree, max(1, POINTS_A_CALL // (p.lwe_dimension * p.ring_degree))
        shift = 32 - degree.bit_length()
        switched = ((lwe + np.uint32(1 << (shift - 1))) >> np.uint32(shift)).astype(np.int64)
        rotated = [
            self._rotate(switched[start : start + a_call], tests[start : start + a_call])
            for start in range(0, len(lwe), a_call)
        ]
        parts = [extract(accumulators) for accumulators in rotated]
        return np.concatenate(parts) if parts else np.zeros((0, p.glwe_dimension * degree + 1), dtype=np.uint32)

    def key_switch(self, extracted: np.ndarray) -> np.ndarray:
        """uint32 (batch, kN+1) under the GLWE key's coefficients to (batch, n+1). Other shapes: InputError."""
        p = self.parameters
        words = p.glwe_dimension * p.ring_degree
        _check("extracted ciphertexts", extracted, (len(extracted), words + 1))
        digits = np.empty((len(extracted), words * p.key_switch_levels), dtype=np.int32)
        cut_digits(np.ascontiguousarray(extracted[:, :words]), p.key_switch_levels, p.key_switch_base_bits, digits)
        out = aligned((len(extracted), self._tiles.shape[0], TILE_WORDS), np.uint32)
        subtract_products(digits, self._tiles, out)
        answer = out.reshape(len(extracted), self._tiles.shape[0] * TILE_WORDS)[:, : p.lwe_dimension + 1].copy()
        answer[:, -1] += extracted[:, -1]
        return answer

    def run(self, lwe: np.ndarray, test_polynomials: np.ndarray, n_threads: int = 1) -> np.ndarray:
        """`bootstrap`, then `key_switch`, the batch shared out to threads: uint32 (batch, n+1)."""
        tests = self._tests(lwe, test_polynomials)
        shares = [share for share in np.array_split(np.arange(len(lwe)), max(1, n_threads)) if len(share)]

        def one(share: np.ndarray) -> np.ndarray:
            return self.key_switch(self.bootstrap(lwe[share], tests[share]))

        if len(shares) < 2:
            return self.key_switch(self.bootstrap(lwe, tests))
        with ThreadPoolExecutor(len(shares)) as pool:
            return np.concatenate(list(pool.map(one, shares)))

    def _tests(self, lwe: np.ndarray, test_polynomials: np.ndarray) -> np.ndarray:
        p = self.parameters
        _check("ciphertexts", lwe, (len(lwe), p.lwe_dimension + 1))
        wanted = (len(lwe), p.ring_degree) if test_polynomials.ndim == 2 else (p.ring_degree,)
        _check("test polynomials", test_polynomials, wanted)
        return np.broadcast_to(test_polynomials, (len(lwe), p.ring_degree))

    def _rotate(self, switched: np.ndarray, tests: np.ndarray) -> np.ndarray:
        accumulators, error, size = self._rotation.run(switched, tests)
        if self.arithmetic == "fast" and not (error <= MEASURED_ERROR and size < FINEST_ROUNDED):
            with self._lock:
                self.n_repeated += 1
            accumulators, _, _ = self._exact().run(switched, tests)
        return accumulators

    def _exact(self) -> _Rotation:
        with self._lock:
            if self._proven is None:
                cut = proven_cut(self.parameters)
                self._proven = _Rotation(self.parameters, self._bootstrap_key, cut, self._transform)
            return self._proven


class _Rotation:
    """The transformed bootstrapping key for one way of cutting digits and key."""

    def __init__(self, parameters: Parameters, key: np.ndarray, cut: Cut, transform: Transform) -> None:
        self._parameters = p = parameters
        self._transform = transform
        k1 = p.glwe_dimension + 1
        digits = digits_of(p, cut.digit_parts)
        starts = piece_starts(cut.key_pieces)
        self._levels = np.array([(d.shift, (1 << d.bits) - 1, d.bias) for d in digits], dtype=np.int64)
        self._offset = sum(1 << (digit.shift + digit.bits - 1) for digit in digits if digit.bias)
        self._shifts = np.array(starts * k1, dtype=np.int64)
        leaves, columns = transform.n_points // len(transform.lanes) ** 2, k1 * len(starts)
        shape = (p.lwe_dimension, leaves, columns, k1, len(digits), p.ring_degree // leaves)
        self._key = aligned(shape, np.float64)
        for step in range(p.lwe_dimension):
            for number, digit in enumerate(digits):
                scaled = key[step, :, digit.level] << np.uint32(digit.scale_bits)
                pieces = np.stack(_pieces(scaled, starts), axis=2).reshape(k1 * columns, p.ring_degree)
                points = np.empty(pieces.shape)
                transform_polynomials(transform.lanes, pieces, points, transform.passes, transform.factors)
                self._key[step, :, :, :, number] = points.reshape(k1, columns, leaves, -1).transpose(2, 1, 0, 3)

    def run(self, switched: np.ndarray, tests: np.ndarray) -> tuple[np.ndarray, float, float]:
        """(accumulators uint32 (batch, k+1, N), largest distance of a sum from an integer, largest size of a sum)."""
        p, transform = self._parameters, self._transform
        degree, width = p.ring_degree, len(transform.lanes)
        accumulators = aligned((len(switched), p.glwe_dimension + 1, degree + 2 * width), np.uint32)
        turned = (np.arange(degree) + switched[:, -1:]) % (2 * degree)
        shifted = np.take_along_axis(tests, turned % degree, axis=1)
        accumulators[:, -1, :degree] = np.where(turned < degree, shifted, np.uint32(0) - shifted)
        worst = np.zeros((2, width))
        scratch = aligned((len(self._shifts) + (p.glwe_dimension + 1) * len(self._levels) + 1, degree), np.float64)
        rotate(
            transform.lanes, np.ascontiguousarray(switched[:, :-1]), accumulators, self._key, self._levels,
            self._offset, self._shifts, scratch, transform.passes, transform.factors, worst,
        )  # fmt: skip
        return accumulators[:, :, :degree], float(worst[0].max()), float(worst[1].max())


def extract(accumulators: np.ndarray) -> np.ndarray:
    """The LWE ciphertext of coefficient 0: uint32 (batch, k+1, N) to (batch, kN+1)."""
    batch, k1, degree = accumulators.shape
    masks = accumulators[:, :-1]
    turned = np.concatenate([masks[..., :1], np.uint32(0) - masks[..., :0:-1]], axis=-1)
    return np.concatenate([turned.reshape(batch, (k1 - 1) * degree), accumulators[:, -1, :1]], axis=1)


def _pieces(words: np.ndarray, starts: list[int]) -> list[np.ndarray]:
    """uint32 to int32 arrays: words = sum of pieces << start, modulo 2^32; pieces of b bits in two's complement."""
    pieces, rest = [], words.astype(np.int64)
    for start, end in zip(starts, [*starts[1:], 32], strict=True):
        half = 1 << (end - start - 1)
        low = ((rest + half) & (2 * half - 1)) - half
        pieces.append(low.astype(np.int32))
        rest = (rest - low) >> (end - start)
    return pieces


def _tiled(key: np.ndarray) -> np.ndarray:
    """(rows, words) to (tiles, rows, TILE_WORDS), padded with zeros."""
    rows, words = key.shape
    padded = np.zeros((rows, -(-words // TILE_WORDS) * TILE_WORDS), dtype=np.uint32)
    padded[:, :words] = key
    tiles = aligned((padded.shape[1] // TILE_WORDS, rows, TILE_WORDS), np.uint32)
    tiles[:] = padded.reshape(rows, -1, TILE_WORDS).transpose(1, 0, 2)
    return tiles


def _check(what: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype != np.uint32:
        wanted = f"uint32 {shape}"
        raise InputError(f"{what}: wanted {wanted}, got {array.dtype} {array.shape}; make it for the parameters")


def _check_parameters(p: Parameters) -> None:
    degree = p.ring_degree
    if not (16 <= degree <= 16384 and degree & (degree - 1) == 0):
        raise InputError(f"ring_degree: wanted a power of two from 16 to 16384, got {degree}")
    for name, levels, bits in (
        ("decomposition", p.decomposition_levels, p.decomposition_base_bits),
        ("key_switch", p.key_switch_levels, p.key_switch_base_bits),
    ):
        if not (levels >= 1 and bits >= 1 and levels * bits <= 32):
            raise InputError(f"{name}: wanted levels x base bits from 1 to 32, got {levels} x {bits}")
    if p.lwe_dimension < 1 or p.glwe_dimension < 1:
        raise InputError(f"dimensions: wanted 1 or more, got n = {p.lwe_dimension}, k = {p.glwe_dimension}")
