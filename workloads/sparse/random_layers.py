"""Random pruned matrices and layers around them: named workloads, verification and tests."""

from __future__ import annotations

import math

import numpy as np

from designs.errors import InputError
from designs.spelling import nearest
from workloads.requantize import fixed_multiplier
from workloads.sparse.layer import SparseLayer, SparseNumbers, stored_range
from workloads.sparse.nonzeros import NonZeros, nonzeros

KINDS = ("iid", "rowvar", "skewed", "empty", "full")


def pruned_weights(height: int, width: int, sparsity: float, kind: str = "iid", seed: int = 1) -> np.ndarray:
    """(H, W) float64 normal weights, those pruned 0: kept are magnitudes above the quantile `sparsity` of all.

    `iid` weights are alike; of `rowvar` rows and columns differ in scale (log-normal, 0.3 and 0.2), of `skewed` rows
    differ widely (log-normal, 2); of `empty` each row and column is pruned as a whole with a chance of a quarter;
    `full` is not pruned and wants a sparsity of 0. InputError for another kind or sparsity.
    """
    if kind not in KINDS:
        raise InputError(f"kind of matrix: wanted one of {', '.join(KINDS)}, got {kind!r}{nearest(kind, KINDS)}")
    if not 0 <= sparsity <= (0 if kind == "full" else 1):
        wanted = "0, as full is not pruned" if kind == "full" else "0 to 1"
        raise InputError(f"sparsity: wanted {wanted}, got {sparsity:g}; it is the share of zeros")
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((height, width))
    if kind == "full":
        return weights
    if kind == "rowvar":
        # In this order: the figures of docs/sparse.md are those of these very draws.
        weights *= np.exp(0.3 * rng.standard_normal((height, 1)))
        weights *= np.exp(0.2 * rng.standard_normal((1, width)))
    elif kind == "skewed":
        weights *= np.exp(2.0 * rng.standard_normal((height, 1)))
    elif kind == "empty":
        weights[rng.random(height) < 0.25] = 0
        weights[:, rng.random(width) < 0.25] = 0
    threshold = np.quantile(np.abs(weights), sparsity, overwrite_input=True)
    weights[np.abs(weights) <= threshold] = 0
    return weights


def quantized(weights: np.ndarray, value_bits: int) -> NonZeros:
    """The weights as integers of `value_bits` bits, the largest magnitude the largest integer; none of them turns 0.

    One bit holds no positive integer: all weights are -1 then.
    """
    largest = float(np.abs(weights).max(initial=0))
    most = (1 << (value_bits - 1)) - 1
    if most == 0 or largest == 0:
        return nonzeros(-(weights != 0).astype(np.int64), value_bits)
    places = np.flatnonzero(weights)
    kept = weights.ravel()[places]
    magnitudes = np.maximum(np.rint(np.abs(kept) / largest * most), 1).astype(np.int64)
    values = np.where(kept < 0, -magnitudes, magnitudes)
    return NonZeros(shape=weights.shape, places=places, values=values, value_bits=value_bits)


def numbers_for(
    rng: np.random.Generator,
    matrix: NonZeros,
    *,
    act_bits: int = 8,
    multiplier_bits: int = 8,
    in_signed: bool = True,
    in_zero: int = 0,
    out_signed: bool = True,
    out_zero: int = 0,
) -> SparseNumbers:
    """Numbers with which the results of random activations spread over the stored range, and biases of their size."""
    rows = matrix.coordinates[0]
    squares = np.bincount(rows, weights=matrix.values.astype(np.float64) ** 2)
    spread = math.sqrt(squares.max(initial=0)) * 2.0**act_bits / math.sqrt(12)  # about that of the sums
    low, high = stored_range(act_bits, out_signed)
    scale = min((high - low) / (4 * spread), 1.0) if spread else 1.0
    multiplier, shift = fixed_multiplier(np.array([scale]), multiplier_bits)
    bias = np.rint(rng.standard_normal(matrix.shape[0]) * (spread + 1))
    return SparseNumbers(
        bias=np.clip(bias, *stored_range(32, True)).astype(np.int64),
        multiplier=int(multiplier[0]),
        shift=int(shift[0]),
        in_zero=in_zero,
        in_signed=in_signed,
        out_zero=out_zero,
        out_low=low,
        out_high=high,
    )


def random_layer(
    rng: np.random.Generator,
    *,
    value_bits: int = 8,
    act_bits: int = 8,
    multiplier_bits: int = 16,
    max_height: int = 40,
    max_width: int = 40,
    max_vectors: int = 3,
    kind: str | None = None,
) -> SparseLayer:
    """A small layer with vectors, odd in every way that a machine must bear; one of KINDS, any where None.

    Sparsity, share of zero activations, signs, zero points and bounds of results are random too.
    """
    height, width = int(rng.integers(1, max_height + 1)), int(rng.integers(1, max_width + 1))
    chosen = kind or str(rng.choice(KINDS))
    sparsity = 0.0 if chosen == "full" else float(rng.choice([0.0, 0.3, 0.6, 0.8, 0.95]))
    weights = pruned_weights(height, width, sparsity, chosen, seed=int(rng.integers(1 << 31)))
    matrix = quantized(weights, value_bits)
    in_signed, out_signed = (bool(flag) for flag in rng.integers(0, 2, 2))
    in_low, in_high = stored_range(act_bits, in_signed)
    out_low, out_high = stored_range(act_bits, out_signed)
    in_zero = 0 if rng.random() < 0.5 else int(rng.integers(in_low, in_high + 1))
    numbers = numbers_for(
        rng,
        matrix,
        act_bits=act_bits,
        multiplier_bits=multiplier_bits,
        in_signed=in_signed,
        in_zero=in_zero,
        out_signed=out_signed,
        out_zero=int(rng.integers(out_low, out_high + 1)),
    )
    n_vectors = int(rng.integers(1, max_vectors + 1))
    vectors = rng.integers(in_low, in_high + 1, (n_vectors, width))
    vectors[rng.random(vectors.shape) < rng.choice([0.0, 0.3, 0.7, 1.0])] = in_zero
    return SparseLayer(
        name=f"{chosen} {height}x{width}", matrix=matrix, n_vectors=n_vectors, vectors=vectors, numbers=numbers
    )
