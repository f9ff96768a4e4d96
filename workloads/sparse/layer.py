"""What a sparse machine is asked to run: a matrix of non-zeros times some vectors, and the integers around it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from designs.errors import InputError
from workloads.sparse.nonzeros import NonZeros


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseNumbers:
    """`clip(((sum of weight * (x - in_zero), + bias) * multiplier + half >> shift) + out_zero, out_low, out_high)`."""

    bias: np.ndarray  # (H,) int64, each fits int32
    multiplier: int  # 0 or more
    shift: int  # 0 to 63
    in_zero: int  # stored activation that means zero
    in_signed: bool  # stored activations are two's complement
    out_zero: int
    out_low: int  # bounds of stored results: they tell signedness too
    out_high: int


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseLayer:
    """H x W weights times `n_vectors` vectors of W stored activations each.

    Without `vectors` they are drawn to fit the machine (`activations`); `act_density` is then the share of elements
    that differ from in_zero. InputError where the parts do not fit each other.
    """

    name: str
    matrix: NonZeros  # (H, W)
    n_vectors: int = 1
    vectors: np.ndarray | None = None  # (n_vectors, W) int64
    act_density: float = 1.0
    numbers: SparseNumbers
    repeat: int = 1  # how many layers like this the workload has

    def __post_init__(self) -> None:
        if len(self.matrix.shape) != 2 or self.matrix.n_places == 0:
            raise InputError(f"{self.name}: wanted a matrix of at least 1 x 1, got the shape {self.matrix.shape}")
        if self.n_vectors < 1 or self.repeat < 1:
            raise InputError(f"{self.name}: wanted 1 vector and 1 run or more, got {self.n_vectors} and {self.repeat}")
        if not 0 <= self.act_density <= 1:
            raise InputError(f"{self.name}: act_density: wanted 0 to 1, got {self.act_density}; it is a share")
        if self.vectors is not None and self.vectors.shape != (self.n_vectors, self.width):
            raise InputError(
                f"{self.name}: vectors: wanted {self.n_vectors} x {self.width}, got {self.vectors.shape}; "
                "one row a vector"
            )
        bias = self.numbers.bias
        if bias.shape != (self.height,) or (bias.size and not -(1 << 31) <= bias.min() <= bias.max() < 1 << 31):
            raise InputError(f"{self.name}: bias: wanted {self.height} integers of 32 bits; one a row")
        if self.numbers.multiplier < 0 or not 0 <= self.numbers.shift <= 63:
            raise InputError(
                f"{self.name}: wanted a multiplier of 0 or more and a shift of 0 to 63, "
                f"got {self.numbers.multiplier} and {self.numbers.shift}"
            )

    @property
    def height(self) -> int:
        """Rows of the matrix: results of a vector."""
        return self.matrix.shape[0]

    @property
    def width(self) -> int:
        """Columns of the matrix: activations of a vector."""
        return self.matrix.shape[1]

    @property
    def n_macs(self) -> int:
        """Multiplications by non-zero weights, of one run of the layer."""
        return self.matrix.nnz * self.n_vectors


def stored_range(bits: int, signed: bool) -> tuple[int, int]:
    """The smallest and largest integer of so many bits."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def activations(layer: SparseLayer, act_bits: int) -> np.ndarray:
    """The layer's vectors, (n_vectors, W) int64; where it has none, random ones of `act_bits` bits, always the same.

    Of each random vector round(act_density * W) elements differ from in_zero, anywhere; any other stored value is as
    likely as the next. Places do not depend on act_bits.
    """
    if layer.vectors is not None:
        return layer.vectors
    rng = np.random.default_rng(zlib.crc32(layer.name.encode()))
    n_alive = round(layer.act_density * layer.width)
    alive = rng.permuted(np.tile(np.arange(layer.width) < n_alive, (layer.n_vectors, 1)), axis=1)
    low, high = stored_range(act_bits, layer.numbers.in_signed)
    drawn = rng.integers(low, high, alive.shape)
    drawn += drawn >= layer.numbers.in_zero  # any value but in_zero
    return np.where(alive, drawn, layer.numbers.in_zero)
