"""Cycles of lines, tiles and outputs (docs/tensor.md, sections 3, 6 and 7)."""

from __future__ import annotations

from sim.kernels.compiled import inner
from sim.kernels.tensor import columns as c

# Section 3: lines.


@inner
def ceil_div(a: int, b: int) -> int:
    """Smallest integer not below a / b."""
    return -((-a) // b)


@inner
def line_bytes(n_words: int, word_bytes: int, burst_bytes: int) -> int:
    """DRAM bytes of a line, padding included."""
    return ceil_div(n_words * word_bytes, burst_bytes) * burst_bytes


@inner
def read_cycles(n_words: int, word_bytes: int, beat_bytes: int, burst_bytes: int) -> int:
    """Cycles in which a line is read from DRAM and written to its memory."""
    useful = ceil_div(n_words * word_bytes, beat_bytes)
    padding = line_bytes(n_words, word_bytes, burst_bytes) // beat_bytes - useful
    return max(n_words, useful) + padding


@inner
def write_cycles(n_words: int, word_bytes: int, beat_bytes: int, burst_bytes: int) -> int:
    """Cycles in which a line is read from the output buffer and written to DRAM, without the first read."""
    useful = ceil_div(n_words * word_bytes, beat_bytes)
    padding = line_bytes(n_words, word_bytes, burst_bytes) // beat_bytes - useful
    one_more = 1 if useful > (n_words - 1) * word_bytes // beat_bytes + 1 else 0
    return max(useful, n_words + one_more) + padding


# docs/vector.md: weights that the vector unit makes.


@inner
def weights_fit(vector_words: int, rows: int, height: int, width: int, n_tokens: int, blocks: int) -> bool:
    """Whether the vector unit can make a line of weights: the rule of workloads.mapping.vector_weights.

    Its tokens lie in lines of `width` pixels, of which a block has `height`, and may begin at the end of one.
    """
    lines = min(height, (n_tokens + width - 2) // width + 1)
    words = blocks * max(lines * width, ceil_div(n_tokens, rows) * rows)
    return words <= vector_words and max(lines, blocks) <= c.MOST_IN_A_TILE


# Sections 6 and 7: issue cycles. `kind` is the dataflow, or c.POOLING.


@inner
def pixel_factor(kind: int, pixels: int, rows: int, cols: int) -> int:
    """The part of a tile's issue cycles that its pixels tell; the whole is k-blocks * pixel_factor * channel_factor."""
    if kind == c.WEIGHT_STATIONARY:
        return max(pixels, rows)
    if kind == c.INPUT_STATIONARY:
        return ceil_div(pixels, cols)
    if kind == c.OUTPUT_STATIONARY:
        return ceil_div(pixels, rows)
    return pixels


@inner
def channel_factor(kind: int, n_valid: int, rows: int, cols: int) -> int:
    """The part of a tile's issue cycles that its output channels tell."""
    if kind == c.WEIGHT_STATIONARY:
        return ceil_div(n_valid, cols)
    if kind == c.INPUT_STATIONARY:
        return max(n_valid, cols)
    if kind == c.OUTPUT_STATIONARY:
        return ceil_div(n_valid, cols) * rows
    return 1


@inner
def output_cycles(kind: int, pixels: int, blocks: int, word_lanes: int, rows: int, cols: int) -> int:
    """Issue cycles of the output path for one output of `blocks` blocks of `word_lanes` channels."""
    if kind == c.POOLING:
        return 1
    if kind == c.INPUT_STATIONARY:
        return ceil_div(pixels, cols) * blocks * (max(rows, cols) + cols)
    return blocks * pixels * (word_lanes // min(rows, cols))


@inner
def release_delay(kind: int, rows: int) -> int:
    """rho: cycles from the last issue cycle of a tile to the advance of `released`."""
    return rows + 1 if kind == c.OUTPUT_STATIONARY else 0


@inner
def complete_delay(kind: int, rows: int, cols: int) -> int:
    """delta: cycles from the last issue cycle of a tile to the advance of `completed`."""
    if kind == c.WEIGHT_STATIONARY:
        return rows + cols + 2
    if kind == c.INPUT_STATIONARY:
        return rows + cols + 3
    if kind == c.OUTPUT_STATIONARY:
        return 2 * rows + cols + 2
    return 2


@inner
def output_delay(kind: int) -> int:
    """Cycles from the last issue cycle of an output to the advance of `outputs`."""
    return 0 if kind == c.POOLING else 6


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
