"""What a tensor machine is asked to run: one `Layer` for each pass over the array, and the arithmetic it is run in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

LayerKind = Literal["conv", "max_pool"]


@dataclass(frozen=True, kw_only=True)
class LayerNumbers:
    """The integers of a layer. Shape-only layers (`Layer.numbers is None`) have none and can be timed but not run.

    A matrix product is a 1x1 convolution. `weights` is (out_channels, in_channels // groups, kernel_h, kernel_w) with
    its zero point already subtracted; it is None for max pooling, and where a vector layer makes the weights. A zero
    point of the input is subtracted before the MAC, so padding contributes nothing. `scale` is float32
    `s_in * s_w[channel] / s_out`, one entry or one per output channel. The residual, where there is one, is a tensor
    of the output's shape that is added after requantization:
    `(y - out_zero) * residual_scales[0] + (r - residual_zero) * residual_scales[1]`, then `+ sum_zero`, then clipped.
    """

    weights: np.ndarray | None
    bias: np.ndarray | None  # int64 (out_channels,), each value fits int32, at scale s_in * s_w[channel]
    scale: np.ndarray | None  # float32, (1,) or (out_channels,)
    in_zero: int
    in_low: int  # smallest and largest stored input value: tells signedness and width
    in_high: int
    out_zero: int
    out_low: int  # clip bounds after requantization (ReLU is a bound)
    out_high: int
    residual_zero: int = 0
    residual_low: int = 0
    residual_high: int = 0
    residual_scales: tuple[float, float] = (1.0, 1.0)  # float32: s_y / s_sum, s_r / s_sum
    sum_zero: int = 0
    sum_low: int = 0
    sum_high: int = 0


@dataclass(frozen=True, kw_only=True)
class Place:
    """The part of a stored tensor that a layer reads or writes: some of its images, channels or lines.

    `channel` is where a block of the machine starts (a multiple of act_lanes), so that the part lies in one piece. A
    part of some lines begins `line` lines into each block, and its blocks are `lines` lines apart.
    """

    n_images: int  # of the stored tensor
    channels: int  # of the stored tensor
    image: int = 0  # first image of the part
    channel: int = 0  # first channel of the part
    lines: int = 0  # of the stored tensor; 0: as many as the part has
    line: int = 0  # first line of the part


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One pass of a tensor machine, in the shape of a convolution or a max pooling.

    Average pooling is a convolution with weights of one and `groups == in_channels`; an addition of two tensors that
    could not be fused is a 1x1 convolution with weights of one and a residual; a matrix product (M, K) x (K, N) is a
    1x1 convolution over M pixels laid out as `in_h` lines of `in_w` pixels (see `matrix_lines`).
    """

    name: str
    kind: LayerKind
    n_images: int = 1
    in_h: int
    in_w: int
    in_channels: int
    out_h: int
    out_w: int
    out_channels: int
    kernel_h: int = 1
    kernel_w: int = 1
    stride_h: int = 1
    stride_w: int = 1
    pad_top: int = 0
    pad_left: int = 0
    groups: int = 1
    shared_weights: bool = False  # every group has the same weights (average pooling): they are loaded once
    residual: bool = False
    in_bits: int = 8
    weight_bits: int = 8
    out_bits: int = 8
    weight_n_of_m: tuple[int, int] = (1, 1)  # weights kept of every m input channels; of layers without numbers
    repeat: int = 1  # how many layers of this very shape the network has; only shape-only layers are merged
    inputs: tuple[str, ...] = ()  # tensors read: the input, then the residual
    output: str = ""
    weights_from: str = ""  # tensor that a `to_weights` vector layer makes; "": the weights are constants
    in_place: Place | None = None  # where the input lies in the tensor of its name; None: it is the whole
    out_place: Place | None = None
    numbers: LayerNumbers | None = None

    @property
    def n_macs(self) -> int:
        """Multiplications the layer needs, without padding of any kind; 0 for max pooling."""
        if self.kind == "max_pool":
            return 0
        outputs = self.n_images * self.out_h * self.out_w * self.out_channels
        return outputs * (self.in_channels // self.groups) * self.kernel_h * self.kernel_w

    @property
    def n_weights(self) -> int:
        """Weights the layer holds, bias not counted; 0 for max pooling."""
        if self.kind == "max_pool":
            return 0
        return self.out_channels * (self.in_channels // self.groups) * self.kernel_h * self.kernel_w


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """How a machine adds and rounds. The interpreter computes exactly this, overflow by overflow.

    The products of one output are added in the order (channel block, kernel row, kernel column, lane), where a channel
    block is `lanes` consecutive input channels. `order` says what meets the `accumulator_bits` wide register:
    - "product": each product in turn (output stationary). After every `tile_blocks` channel blocks the register is
      added to the memory accumulator, itself under the same overflow rule, and starts again from zero.
    - "block": the exact sum of the up to `lanes` products of one (block, row, column), in turn. Where `n_of_m` is
      (n, m) with n < m, one sum after the other: each takes the next n non-zero weights of every m channels.
    Every addition whose exact result does not fit counts as one overflow.
    """

    accumulator_bits: int = 32
    overflow: Literal["wrap", "saturate"] = "wrap"
    order: Literal["product", "block"] = "block"
    lanes: int = 16
    tile_blocks: int = 1 << 30
    n_of_m: tuple[int, int] = (1, 1)
    requantize: Literal["multiplier_shift", "shift"] = "multiplier_shift"
    multiplier_bits: int = 16


def matrix_lines(n_rows: int, *, most: int = 64) -> tuple[int, int]:
    """(lines, pixels a line) that hold the rows of a matrix as pixels of an image; lines * pixels >= n_rows.

    A line is the unit of a DRAM transfer. Up to `most` rows are one line; beyond, the length between `most // 2` and
    `most` that pads least, the longest of equals.
    """
    if n_rows <= most:
        return 1, n_rows
    pixels = min(range(most, most // 2 - 1, -1), key=lambda p: -(-n_rows // p) * p)
    return -(-n_rows // pixels), pixels
