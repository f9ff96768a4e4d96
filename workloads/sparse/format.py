"""The one interface of sparse formats: encode, decode, iterate, stored bits and metadata bits."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from designs.errors import InputError
from workloads.sparse.nonzeros import NonZeros

Entries = tuple[tuple[np.ndarray, ...], np.ndarray]
"""One coordinate array an axis (rows, columns), and the values."""


class Field(NamedTuple):
    """Numbers that are stored with the same width each."""

    numbers: np.ndarray  # 1-D, int64; unsigned and below 2^bits, but for values
    bits: int

    @property
    def stored_bits(self) -> int:
        return self.numbers.size * self.bits


class Size(NamedTuple):
    """What a format's formula says of a matrix."""

    n_values: int  # stored, padding zeros included
    value_bits: int
    metadata_bits: int
    n_padding: int  # stored values that are zeros

    @property
    def stored_bits(self) -> int:
        return self.n_values * self.value_bits + self.metadata_bits


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoded:
    """A matrix as a format stores it: arrays with their widths. Shape and widths belong to the format's header."""

    format: Format  # its open parameters are chosen
    shape: tuple[int, ...]
    values: Field  # two's complement; 0 is padding
    metadata: Mapping[str, Field]
    elsewhere: Mapping[str, np.ndarray] = field(default_factory=dict)  # a decoder gets it from outside: not counted

    @property
    def metadata_bits(self) -> int:
        return sum(part.stored_bits for part in self.metadata.values())

    @property
    def stored_bits(self) -> int:
        """Bits of all arrays: equal to the formula, `format.size(...)`."""
        return self.values.stored_bits + self.metadata_bits

    @property
    def n_padding(self) -> int:
        """Values that are stored and are zero."""
        return self.values.numbers.size - int(np.count_nonzero(self.values.numbers))

    def iterate(self) -> Entries:
        """Coordinates and values of the non-zeros in the order in which they are stored; padding is left out."""
        coordinates, values = self.format.entries(self)
        alive = values != 0
        return tuple(axis[alive] for axis in coordinates), values[alive]

    def decode(self) -> np.ndarray:
        """The whole matrix, zeros included: int64 of `shape`."""
        coordinates, values = self.iterate()
        dense = np.zeros(self.shape, np.int64)
        dense[coordinates] = values
        return dense


@dataclass(frozen=True, kw_only=True)
class Format(ABC):
    """A format with its parameters. Its name is its module's; `lockstep formats` lists the module's POINTS."""

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    @property
    def label(self) -> str:
        """The name and the parameters: `bsr block=4`; of a flag its name where it is set."""
        chosen = [(key, value) for key, value in dataclasses.asdict(self).items() if value is not False]
        return " ".join([self.name, *(key if value is True else f"{key}={value}" for key, value in chosen)])

    def fitted(self, matrix: NonZeros) -> Format:
        """The format with its open parameters chosen for this matrix; itself where none is open."""
        return self

    def on_engine(self, n_macs: int, n_sets: int) -> Format:
        """The format for an engine of `n_macs` lanes in `n_sets` sets; itself where it does not deal to lanes."""
        return self

    def utilization(self, matrix: NonZeros) -> float | None:
        """Share of an engine's multiplications that are by non-zeros, where no lane ever waits for an activation.

        It is nnz / (lanes * longest list), padding counted as any entry. None where the format does not say which lane
        takes what, or no lane has anything; InputError as `size`.
        """
        return None

    @abstractmethod
    def size(self, matrix: NonZeros) -> Size:
        """The bits by the format's formula, from counts alone; InputError where the format cannot hold the matrix."""

    @abstractmethod
    def encode(self, matrix: NonZeros) -> Encoded:
        """The arrays that are stored; InputError where the format cannot hold the matrix."""

    @abstractmethod
    def entries(self, encoded: Encoded) -> Entries:
        """Coordinates and values in stored order, with or without padding; coordinates of a value 0 mean nothing."""


def index_bits(n: int) -> int:
    """ceil(log2(n)): the width of an index that has `n` values; 0 where there is nothing to choose."""
    return max(n - 1, 0).bit_length()


def of_matrix(format_: Format, matrix: NonZeros) -> tuple[int, int]:
    """(rows, columns); InputError where there are more dimensions."""
    if len(matrix.shape) != 2:
        raise InputError(
            f"{format_.name}: wanted a matrix, got {len(matrix.shape)} dimensions; take csf, or reshape it to two"
        )
    return matrix.shape[0], matrix.shape[1]


def at_least(format_: Format, parameter: str, low: int, high: int | None = None) -> None:
    """InputError where a parameter of a format is out of bounds."""
    got = getattr(format_, parameter)
    if got < low or (high is not None and got > high):
        wanted = f"{low} or more" if high is None else f"{low} to {high}"
        raise InputError(f"{format_.name}: {parameter}: wanted {wanted}, got {got}; choose another")


def share(n: int, n_places: int) -> float | None:
    """n / n_places; None where there are no places."""
    return n / n_places if n_places else None


def starts(counts: np.ndarray) -> np.ndarray:
    """Where each of consecutive groups begins, and where the last one ends: (n + 1,) int64."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
