"""What array, output path and DRAM port do, counted (docs/tensor.md, section 8)."""

from __future__ import annotations

import numpy as np

from sim.kernels.compiled import inner
from sim.kernels.tensor import columns as c
from sim.kernels.tensor.times import ceil_div, line_bytes


@inner
def taps_inside(n_out: int, kernel: int, stride: int, offset: int, size: int) -> int:
    """Pairs (output position, tap) with 0 <= offset + position * stride + tap < size."""
    count = 0
    for tap in range(kernel):
        shift = offset + tap
        low = max(0, ceil_div(-shift, stride))
        high = min(n_out - 1, (size - 1 - shift) // stride)
        count += max(0, high - low + 1)
    return count


@inner
def add_compute_activity(
    activity: np.ndarray, kind: int, k_blocks: int, inside: int, pixels: int, n_valid: int,
    first: int, rows: int, cols: int, times: int,
) -> None:  # fmt: skip
    """Add what the array does for `times` tiles of `pixels` pixels, `inside` (pixel, k-block) taps in the image.

    `first` is 1 for the first tile of an output: its first k-block (OS: all of it) starts from zero. All k tiles of an
    output may be given as one first tile, where the accumulations of the later ones in OS are added apart.
    """
    channel_folds = ceil_div(n_valid, cols)
    if kind == c.POOLING:
        activity[c.ACT_READS] += inside * times
    elif kind == c.WEIGHT_STATIONARY:
        sums = channel_folds * pixels
        activity[c.MACS] += rows * cols * k_blocks * sums * times
        activity[c.ACT_READS] += inside * channel_folds * times
        activity[c.WEIGHT_READS] += k_blocks * channel_folds * rows * times
        activity[c.ACC_READS] += (k_blocks - first) * sums * times
        activity[c.ACC_WRITES] += k_blocks * sums * times
    elif kind == c.INPUT_STATIONARY:
        sums = ceil_div(pixels, cols) * n_valid
        activity[c.MACS] += rows * cols * k_blocks * sums * times
        activity[c.ACT_READS] += inside * times
        activity[c.WEIGHT_READS] += k_blocks * sums * times
        activity[c.ACC_READS] += (k_blocks - first) * sums * times
        activity[c.ACC_WRITES] += k_blocks * sums * times
    else:
        vectors = ceil_div(pixels, rows) * channel_folds * k_blocks * rows
        activity[c.MACS] += rows * cols * vectors * times
        activity[c.ACT_READS] += inside * channel_folds * times
        activity[c.WEIGHT_READS] += vectors * times
        activity[c.ACC_READS] += (0 if first else channel_folds * pixels) * times
        activity[c.ACC_WRITES] += channel_folds * pixels * times


@inner
def add_output_activity(
    activity: np.ndarray, kind: int, pixels: int, blocks: int, n_valid: int, residual: int, rows: int, cols: int,
    times: int,
) -> None:  # fmt: skip
    """Add what output path and store read and write for `times` outputs of `blocks` blocks of R channels."""
    lanes = min(rows, cols)
    if kind != c.POOLING:
        if kind == c.INPUT_STATIONARY:
            slices = ceil_div(pixels, cols) * n_valid * (cols // lanes)
        else:
            slices = pixels * ceil_div(n_valid, lanes)
        activity[c.ACC_READS] += slices * times
        activity[c.PARAM_READS] += slices * times
        activity[c.POST_OPS] += slices * lanes * times
    activity[c.OUT_WRITES] += blocks * pixels * times
    activity[c.OUT_READS] += blocks * pixels * (1 + residual) * times


@inner
def add_lines_read(
    activity: np.ndarray, counter: int, n_lines: int, n_words: int, word_bytes: int, burst_bytes: int
) -> None:
    """Add `n_lines` lines of `n_words` words read from DRAM into the memory of `counter`."""
    activity[counter] += n_lines * n_words
    activity[c.DRAM_READ_BYTES] += n_lines * line_bytes(n_words, word_bytes, burst_bytes)
    activity[c.DRAM_REQUESTS] += n_lines


@inner
def add_lines_written(activity: np.ndarray, n_lines: int, n_words: int, word_bytes: int, burst_bytes: int) -> None:
    """Add `n_lines` lines written to DRAM; their reads of the output buffer belong to the output."""
    activity[c.DRAM_WRITE_BYTES] += n_lines * line_bytes(n_words, word_bytes, burst_bytes)
    activity[c.DRAM_REQUESTS] += n_lines
