"""How many queries a run needs, so that its tail latency can be trusted: the rule of MLPerf Inference."""

from __future__ import annotations

import math
from fractions import Fraction

from scipy.stats import norm

from designs.errors import InputError

CONFIDENCE = 0.99
BLOCK = 1 << 13  # numbers of queries are multiples of this


def n_queries_needed(percentile: float) -> int:
    """Queries for which the share above the percentile is known to a twentieth of itself, with 99 % confidence.

    Reddi et al. 2020: z^2 q (1 - q) / m^2 with a margin m of (1 - q) / 20 and z = 2.576, rounded up.
    90, 95, 97 and 99 give 23,886, 50,426, 85,812 and 262,742.
    """
    q = share_below(percentile)
    z = float(norm.ppf((1 + CONFIDENCE) / 2))
    return math.ceil(z**2 * float(q * (1 - q) / ((1 - q) / 20) ** 2))


def n_queries(percentile: float) -> int:
    """Queries of a run: what is needed, rounded up to a multiple of 8,192 (24,576, 57,344, 90,112 and 270,336)."""
    return -(-n_queries_needed(percentile) // BLOCK) * BLOCK


def share_below(percentile: float) -> Fraction:
    """The exact share that a percentile such as 99 or 99.9 stands for; InputError outside 50 to 99.99."""
    if not 50 <= percentile <= 99.99:
        raise InputError(f"percentile: wanted 50 to 99.99, got {percentile:g}")
    return Fraction(str(percentile)) / 100


def most_late(n: int, percentile: float) -> int:
    """How many of n queries may be later than a bound that their percentile keeps: those above rank ceil(q n)."""
    return n - math.ceil(share_below(percentile) * n)
