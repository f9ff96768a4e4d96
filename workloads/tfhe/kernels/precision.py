"""How finely sums of products are cut so that doubles give them exactly: by proof, or by measurement.

With u = 2^-53, one level of the transform adds a relative error of at most 8u to each of its paths (a product by a
factor that is itself within 2u, or by sqrt(i), and a sum, each of two parts), sqrt(2) 8u in the 2-norm. For digits d
and a key polynomial b of N words, so for each of the R products of a sum, |error| <= |d|_2 |b|_2 (2 * 12 L + 8 L + R +
8) u, L = log2(N/2) levels: two forward transforms in the 2-norm; the inverse path by path, whose input has a 1-norm of
at most |d|_2 |b|_2 N/2 (Cauchy and Schwarz); the rest for products, sums and what is of second order in u. (The
argument of Percival, Math. Comp. 72, 2003, and of Brent, Percival and Zimmermann, Math. Comp. 76, 2007 [R], with this
transform's constants.)

Both factors can be cut. A digit of g bits is a high part and unsigned low parts, with the key's row times a power of
two, modulo 2^32, for each. A word of the key is a sum of signed pieces times powers of two; each has its own sum and
inverse.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from designs.tfhe_parameters import Parameters

UNIT = 2.0**-53
PROVEN_ERROR = 0.25  # a proof must bound the distance from an integer by this; below 0.5 would do
MEASURED_ERROR = 0.25  # the largest distance that is taken as right when there is no proof


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Parts a digit is cut in, and pieces a word of the key is cut in."""

    digit_parts: int
    key_pieces: int


@dataclass(frozen=True, kw_only=True)
class Digit:
    """A part of a gadget digit: ((x >> shift) & (2^bits - 1)) - bias, times 2^scale_bits of the key's level."""

    level: int  # from 0
    shift: int
    bits: int
    bias: int
    scale_bits: int

    @property
    def largest(self) -> int:
        """Bound of its size."""
        return self.bias or (1 << self.bits) - 1


UNCUT = Cut(digit_parts=1, key_pieces=1)


def digits_of(parameters: Parameters, n_parts: int) -> list[Digit]:
    """The gadget's digits, each in `n_parts` parts of nearly equal bits, the highest signed."""
    found = []
    g = parameters.decomposition_base_bits
    for level in range(parameters.decomposition_levels):
        low = 32 - (level + 1) * g
        for start, end in _cuts(g, n_parts):
            bits = end - start
            bias = 1 << (bits - 1) if end == g else 0
            found.append(Digit(level=level, shift=low + start, bits=bits, bias=bias, scale_bits=start))
    return found


def piece_starts(n_pieces: int) -> list[int]:
    """The bit at which each piece of a word of the key starts."""
    return [start for start, _ in _cuts(32, n_pieces)]


def _cuts(n_bits: int, n_parts: int) -> list[tuple[int, int]]:
    edges = [n_bits * part // n_parts for part in range(n_parts + 1)]
    return list(itertools.pairwise(edges))


def proven_error(parameters: Parameters, cut: Cut) -> float:
    """Bound of the distance between any computed coefficient of a sum and the integer that it stands for."""
    n = parameters.ring_degree
    n_levels = n.bit_length() - 2
    digits = digits_of(parameters, cut.digit_parts)
    n_products = (parameters.glwe_dimension + 1) * len(digits)
    piece = max(2.0 ** (end - start - 1) for start, end in _cuts(32, cut.key_pieces))
    norms = sum(n * digit.largest * piece for digit in digits) * (parameters.glwe_dimension + 1)
    return norms * (32 * n_levels + n_products + 8) * UNIT


def proven_cut(parameters: Parameters) -> Cut:
    """The cut with the fewest transforms whose error is proven to be small enough."""
    g, levels = parameters.decomposition_base_bits, parameters.decomposition_levels
    cuts = [Cut(digit_parts=parts, key_pieces=pieces) for parts in range(1, g + 1) for pieces in range(1, 33)]
    cuts.sort(key=lambda cut: (levels * cut.digit_parts + cut.key_pieces, cut.key_pieces))
    return next(cut for cut in cuts if proven_error(parameters, cut) <= PROVEN_ERROR)
