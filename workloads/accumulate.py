"""The exact sums of a convolution, and the sums that an accumulator of limited width makes of the same products."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view

from workloads.layer import Arithmetic

_EXACT_FLOAT64 = 1 << 53  # integers of smaller magnitude are exact in float64, so BLAS sums them exactly


def windows(
    x: np.ndarray, kernel: tuple[int, int], strides: tuple[int, int], pads: tuple[int, int, int, int], fill: int
) -> np.ndarray:
    """View (N, C, out_h, out_w, kernel_h, kernel_w) of x (N, C, H, W) padded (top, left, bottom, right) with `fill`."""
    top, left, bottom, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    return sliding_window_view(padded, kernel, axis=(2, 3))[:, :, :: strides[0], :: strides[1]]


def matmul_exact(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b of int64 arrays, exact where the sums fit int64."""
    if a.size == 0 or b.size == 0:
        return a @ b
    bound = int(np.abs(a).max()) * int(np.abs(b).max()) * a.shape[-1]
    if bound < _EXACT_FLOAT64:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a @ b


def conv_exact(
    x: np.ndarray, weights: np.ndarray, strides: tuple[int, int], pads: tuple[int, int, int, int], groups: int
) -> np.ndarray:
    """Exact sums (N, M, out_h, out_w), int64, of x (N, C, H, W) and weights (M, C // groups, kh, kw); padding is 0."""
    n, m = x.shape[0], weights.shape[0]
    view = windows(x, weights.shape[2:], strides, pads, 0)
    out_h, out_w = view.shape[2:4]
    depth = weights.shape[1]
    acc = np.empty((n, m, out_h, out_w), np.int64)
    per_group = m // groups
    for group in range(groups):
        part = view[:, group * depth : (group + 1) * depth]
        columns = part.transpose(0, 2, 3, 1, 4, 5).reshape(n * out_h * out_w, -1)
        rows = weights[group * per_group : (group + 1) * per_group].reshape(per_group, -1)
        sums = matmul_exact(columns, rows.T).reshape(n, out_h, out_w, per_group)
        acc[:, group * per_group : (group + 1) * per_group] = sums.transpose(0, 3, 1, 2)
    return acc


def conv_accumulated(
    x: np.ndarray,
    weights: np.ndarray,
    strides: tuple[int, int],
    pads: tuple[int, int, int, int],
    groups: int,
    arithmetic: Arithmetic,
) -> tuple[np.ndarray, int]:
    """(sums, n_overflows) of `conv_exact`, in an accumulator that adds as `arithmetic` says.

    Outputs whose sum of magnitudes fits cannot overflow in any order; only the others are added one by one.
    """
    acc = conv_exact(x, weights, strides, pads, groups)
    high = (1 << (arithmetic.accumulator_bits - 1)) - 1
    depth = weights[0].size
    bound = int(np.abs(x).max(initial=0)) * int(np.abs(weights).max(initial=0)) * depth
    if bound <= high:
        return acc, 0
    risky = conv_exact(np.abs(x), np.abs(weights), strides, pads, groups) > high
    if not risky.any():
        return acc, 0
    top, left, bottom, right = pads
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    n_overflows = _add_in_order(
        acc,
        risky,
        np.ascontiguousarray(padded.transpose(0, 2, 3, 1), np.int64),  # channels are read one after the other
        np.ascontiguousarray(weights.transpose(0, 2, 3, 1), np.int64),
        strides[0],
        strides[1],
        groups,
        arithmetic.accumulator_bits,
        arithmetic.overflow == "saturate",
        arithmetic.order == "product",
        arithmetic.lanes,
        arithmetic.tile_blocks,
        *arithmetic.n_of_m,
    )
    return acc, int(n_overflows)


@njit(cache=True)
def _fit(value, bits, saturate):  # type: ignore[no-untyped-def]
    """(value that the register holds, 1 if `value` did not fit)."""
    high = (np.int64(1) << (bits - 1)) - 1
    low = -high - 1
    if low <= value <= high:
        return value, 0
    if saturate:
        return (high if value > high else low), 1
    return ((value - low) & ((np.int64(1) << bits) - 1)) + low, 1


@njit(cache=True)
def _add_in_order(  # type: ignore[no-untyped-def]
    acc, risky, x, weights, stride_h, stride_w, groups, bits, saturate, by_product, lanes, tile_blocks, kept, of
):
    """Overwrite the risky entries of acc with what the accumulator holds; answer the overflows counted.

    x is (N, H, W, C) and padded, weights are (M, kernel_h, kernel_w, C // groups). Products with zero weights (other
    groups) or padding are 0 and never overflow, so whole other groups are left out; blocks and tiles are those of the
    whole input all the same. By blocks, each group of `of` lanes gives `kept` of its weights that are not zero to each
    sum, so that a block has as many sums as its fullest group needs; 1 of 1: all to one.
    """
    n, m, out_h, out_w = acc.shape
    kernel_h, kernel_w, depth = weights.shape[1:]
    n_overflows = 0
    for image in range(n):
        for channel in range(m):
            first = channel // (m // groups) * depth
            for oy in range(out_h):
                for ox in range(out_w):
                    if not risky[image, channel, oy, ox]:
                        continue
                    memory = np.int64(0)
                    register = np.int64(0)
                    tile = first // lanes // tile_blocks
                    for block in range(first // lanes, (first + depth - 1) // lanes + 1):
                        if by_product and block // tile_blocks != tile:
                            memory, over = _fit(memory + register, bits, saturate)
                            n_overflows += over
                            register = np.int64(0)
                            tile = block // tile_blocks
                        low = max(block * lanes, first)
                        high = min((block + 1) * lanes, first + depth)
                        for r in range(kernel_h):
                            for c in range(kernel_w):
                                n_passes, done = 1, 0
                                while done < n_passes:
                                    total = np.int64(0)
                                    in_group = 0
                                    for i in range(low, high):
                                        weight = weights[channel, r, c, i - first]
                                        if of > 1 and i % of == 0:
                                            in_group = 0
                                        if of > 1 and weight != 0:
                                            in_group += 1
                                            n_passes = max(n_passes, (in_group + kept - 1) // kept)
                                            if (in_group - 1) // kept != done:
                                                continue
                                        product = x[image, oy * stride_h + r, ox * stride_w + c, i] * weight
                                        if by_product:
                                            register, over = _fit(register + product, bits, saturate)
                                            n_overflows += over
                                        else:
                                            total += product
                                    if not by_product:
                                        memory, over = _fit(memory + total, bits, saturate)
                                        n_overflows += over
                                    done += 1
                    if by_product:
                        memory, over = _fit(memory + register, bits, saturate)
                        n_overflows += over
                    acc[image, channel, oy, ox] = memory
    return n_overflows
