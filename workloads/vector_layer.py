"""What a vector unit is asked to run (docs/vector.md): softmax, normalizations, GELU, what else is no product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from workloads.functions.choice import I_BERT, FunctionChoice
from workloads.layer import Layer, Place

VectorKind = Literal["softmax", "layer_norm", "range_norm", "gelu", "requantize", "add", "gather", "to_weights"]
Role = Literal["", "keys", "values"]


@dataclass(frozen=True, kw_only=True)
class VectorNumbers:
    """Scales, zero points and bounds of the edges of a vector layer, and its constants.

    A stored q of an edge means `(q - zero) * scale`. The registers of a machine follow from these
    (`workloads.vector_numbers.bind`). What softmax stores is an unsigned fraction: `out_scale` is 2**-out_bits and
    `out_zero` 0. What to_weights makes has no zero point: out_zero is 0, out_low and out_high bound the weights.
    """

    x_zero: int
    x_low: int  # smallest and largest stored value: tells signedness and width
    x_high: int
    out_zero: int
    out_low: int  # clip bounds of the result
    out_high: int
    x_scale: float = 1.0  # scales are float32 values
    out_scale: float = 1.0
    z_scale: float = 1.0  # second source of an addition
    z_zero: int = 0
    z_low: int = 0
    z_high: int = 0
    gain: np.ndarray | None = None  # float64 (channels,): gamma of a normalization; None: 1
    offset: np.ndarray | None = None  # float64 (channels,): beta; None: 0
    table: np.ndarray | None = None  # int64 (n_table_rows, channels): stored rows that gather copies


@dataclass(frozen=True, kw_only=True)
class VectorLayer:
    """One job of the vector unit: an operation on matrices whose rows are tokens and whose columns are channels.

    A matrix lies as an image of `in_h` lines of `in_w` pixels (token = line * in_w + pixel) and `channels` channels;
    several matrices are images one after the other. Rows of softmax and normalizations are the channels of a token.

    - softmax: with `causal`, token t takes the first `t + 1 + causal_offset` columns only; the others become 0.
    - add: x and z, two tensors of one shape. gather: the input is token ids (n_images, 1, in_h, in_w).
    - to_weights: the first `n_tokens` tokens become the weights of the product named `product`: with the role `keys`,
      its output channels are tokens and its input channels `channels`; with `values` the other way round.
    """

    name: str
    kind: VectorKind
    n_images: int = 1
    in_h: int
    in_w: int
    channels: int
    in_bits: int = 8  # gather: of the table
    z_bits: int = 8
    out_bits: int = 8
    causal: bool = False
    causal_offset: int = 0
    n_table_rows: int = 0  # gather: rows of the table
    role: Role = ""
    product: str = ""
    n_tokens: int = 0
    first_token: int = 0  # to_weights: weights of tokens before it lie there already (a cache)
    cached: bool = False  # to_weights: the tiles of the product hold whole groups of tokens (docs/vector.md, section 6)
    repeat: int = 1  # how many layers of this very shape the network has; only shape-only layers are merged
    inputs: tuple[str, ...] = ()  # tensors read: x, then z
    output: str = ""
    in_place: Place | None = None  # where x lies in the tensor of its name; None: it is the whole
    out_place: Place | None = None
    numbers: VectorNumbers | None = None

    @property
    def n_macs(self) -> int:
        """The array has nothing to multiply: 0."""
        return 0

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(n_images, channels, in_h, in_w) of x, and of the result but for to_weights."""
        return self.n_images, self.channels, self.in_h, self.in_w


@dataclass(frozen=True, kw_only=True)
class VectorArithmetic:
    """Which integer functions a vector unit has, and how wide the multipliers of its requantizers are."""

    functions: FunctionChoice = I_BERT
    multiplier_bits: int = 16


Job: TypeAlias = Layer | VectorLayer  # what a tensor machine runs, one after the other
