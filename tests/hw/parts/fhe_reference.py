"""docs/fhe.md, section 1, in Python's integers: what the circuit's parts are held to."""

from __future__ import annotations

import random
from collections.abc import Sequence

from designs.families.fhe import Design
from designs.moduli import modulus, root_of_unity

WORD = 1 << 32


def z_powers(bits: int, ring_degree: int) -> list[int]:
    """z(x): psi to the power of x with its bits reversed, by the definition."""
    psi, n_bits = root_of_unity(bits, 2 * ring_degree), ring_degree.bit_length() - 1
    return [pow(psi, int(f"{x:0{n_bits}b}"[::-1], 2), modulus(bits)) for x in range(ring_degree)]


def forward(values: Sequence[int], bits: int) -> list[int]:
    """The transform stage by stage, in constant geometry."""
    n, p = len(values), modulus(bits)
    z, now = z_powers(bits, n), [value % p for value in values]
    for stage in range(n.bit_length() - 1):
        after = [0] * n
        for i in range(n // 2):
            u, v = now[i], now[i + n // 2] * z[(1 << stage) + i % (1 << stage)]
            after[2 * i], after[2 * i + 1] = (u + v) % p, (u - v) % p
        now = after
    return now


def inverse(values: Sequence[int], bits: int) -> list[int]:
    """N times the inverse transform."""
    n, p = len(values), modulus(bits)
    z, now = z_powers(bits, n), list(values)
    inverses = [pow(value, -1, p) for value in z]
    for stage in reversed(range(n.bit_length() - 1)):
        after = [0] * n
        for i in range(n // 2):
            u, v = now[2 * i], now[2 * i + 1]
            after[i], after[i + n // 2] = (u + v) % p, (u - v) * inverses[(1 << stage) + i % (1 << stage)] % p
        now = after
    return now


def negacyclic(a: Sequence[int], b: Sequence[int]) -> list[int]:
    """The product modulo X^N + 1 of integer polynomials, by the definition."""
    n, result = len(a), [0] * len(a)
    for x, left in enumerate(a):
        if left:
            for y, right in enumerate(b):
                result[(x + y) % n] += left * right if x + y < n else -left * right
    return result


def signed(word: int) -> int:
    """A word of 32 bits read as signed."""
    return word - WORD if word >> 31 else word


def rotated_difference(accumulator: Sequence[int], exponent: int) -> list[int]:
    """X^exponent times the polynomial, minus the polynomial."""
    n, result = len(accumulator), []
    for y in range(n):
        at = (y - exponent) % (2 * n)
        turned = accumulator[at] if at < n else -accumulator[at - n]
        result.append((turned - accumulator[y]) % WORD)
    return result


def digits(word: int, levels: int, base_bits: int) -> list[int]:
    """Signed digits of a word, level 1 first."""
    half = 1 << (base_bits - 1)
    x = word + sum(half << (32 - p * base_bits) for p in range(1, levels + 1))
    return [((x >> (32 - p * base_bits)) & (2 * half - 1)) - half for p in range(1, levels + 1)]


Polynomial = list[int]
Row = list[list[list[Polynomial]]]  # component j, level p - 1, column c


def external_product(design: Design, difference: Sequence[Polynomial], row: Row) -> list[Polynomial]:
    """sum over j, p of digit_(j,p) * row[j][p][c], negacyclic, for each column c, modulo 2^32."""
    p = design.parameters
    sums = [[0] * p.ring_degree for _ in range(p.glwe_dimension + 1)]
    for component, polynomial in enumerate(difference):
        cut = [digits(word, p.decomposition_levels, p.decomposition_base_bits) for word in polynomial]
        for level in range(p.decomposition_levels):
            for column, total in enumerate(sums):
                words = [signed(word) for word in row[component][level][column]]
                for y, value in enumerate(negacyclic([digit[level] for digit in cut], words)):
                    total[y] += value
    return [[value % WORD for value in total] for total in sums]


def transformed(row: Row, bits: int) -> Row:
    """A row as the machine is given it: 1/N forward(row mod p) mod p."""
    p, n = modulus(bits), len(row[0][0][0])
    share = pow(n, -1, p)
    return [
        [[[value * share % p for value in forward([signed(w) for w in words], bits)] for words in level] for level in part]
        for part in row
    ]


def random_row(design: Design, rng: random.Random) -> Row:
    """Uniform words."""
    p = design.parameters
    columns = p.glwe_dimension + 1
    return [
        [[[rng.randrange(WORD) for _ in range(p.ring_degree)] for _ in range(columns)] for _ in range(p.decomposition_levels)]
        for _ in range(columns)
    ]
