"""Primes of number-theoretic transforms: 2^e - 2^f + 1, where 2^e = 2^f - 1 makes the remainder cheap."""

from __future__ import annotations

from functools import lru_cache

# e -> f. x = high 2^e + low has the remainder of high 2^f - high + low, so an f well below e needs few folds; a ring
# degree below 2^f has roots. 64 is Goldilocks.
EXPONENTS = {32: 20, 36: 20, 44: 14, 48: 20, 50: 14, 52: 20, 56: 24, 60: 18, 64: 32}


def modulus(bits: int) -> int:
    """The prime of so many bits."""
    return (1 << bits) - (1 << EXPONENTS[bits]) + 1


@lru_cache(maxsize=64)
def root_of_unity(bits: int, order: int) -> int:
    """psi: the power (p - 1)/order of the smallest x >= 2 whose power has exactly this order, a power of two."""
    p = modulus(bits)
    if (p - 1) % order:
        raise ValueError(f"no root of order {order} modulo {p}")
    for base in range(2, p):
        root = pow(base, (p - 1) // order, p)
        if pow(root, order // 2, p) == p - 1:
            return root
    raise AssertionError("a prime has a generator")
