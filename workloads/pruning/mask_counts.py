"""How many masks of a kind there are (mask diversity, Hubara et al., NeurIPS 2021): exact integers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import comb, factorial, prod

from designs.errors import InputError
from workloads.pruning.n_of_m import NOfM


@dataclass(frozen=True, kw_only=True)
class MaskCounts:
    """Masks of a side x side block with n / m of its entries kept."""

    pattern: NOfM
    side: int
    unstructured: int  # any entries
    structured: int  # n of every m along rows
    transposable: int  # n in every row and column of every m x m block: exact
    closed_form: int  # the paper's count of those, which is too large for 1 < n < m


def count_masks(pattern: NOfM, side: int) -> MaskCounts:
    """InputError where `side` is no multiple of m."""
    n, m = pattern.n, pattern.m
    if side < 1 or side % m:
        raise InputError(f"side: wanted a multiple of {m} for {pattern}, got {side}; try {max(1, side // m) * m}")
    n_blocks = (side // m) ** 2
    return MaskCounts(
        pattern=pattern,
        side=side,
        unstructured=comb(side * side, side * side * n // m),
        structured=comb(m, n) ** (side * side // m),
        transposable=transposable_masks(pattern) ** n_blocks,
        closed_form=transposable_masks_closed_form(pattern) ** n_blocks,
    )


def transposable_masks_closed_form(pattern: NOfM) -> int:
    """m! (m - 1)! ... (m - n + 1)! per m x m block: n permutations one after the other, not all of them apart.

    Exact for n = 1 only: the order of the permutations is counted too, and not every choice of the first ones leaves
    (m - i)! for the next.
    """
    return prod(factorial(pattern.m - i) for i in range(pattern.n))


@cache
def transposable_masks(pattern: NOfM) -> int:
    """0/1 matrices of m x m with n in every row and column, counted exactly.

    The upper half of the rows leaves columns with some sums, the lower half must fill them up to n. What counts of the
    sums is how many columns have each (a profile), so all columns of equal sum are treated together.
    """
    n, m = pattern.n, pattern.m
    upper = _profiles(m // 2, n, m)
    lower = upper if m % 2 == 0 else _profiles(m - m // 2, n, m)
    # each profile's matrices fall evenly on the orders of its columns, and an order above fixes the one below
    return sum(ways * lower[profile[::-1]] // _orders(profile) for profile, ways in upper.items())


def _profiles(n_rows: int, n: int, m: int) -> Counter[tuple[int, ...]]:
    """profile -> matrices of n_rows x m with n in every row; profile[k] columns have sum k, none more than n."""
    found = Counter({(m,) + (0,) * n: 1})
    for _ in range(n_rows):
        found = _with_a_row(found, n)
    return found


def _with_a_row(profiles: Counter[tuple[int, ...]], n: int) -> Counter[tuple[int, ...]]:
    """One more row: level by level, `rising` columns of sum k get a one and are k + 1 from now on."""
    states = Counter({(profile, 0, n): ways for profile, ways in profiles.items()})  # profile, risen into k, ones left
    for k in range(n):
        following: Counter[tuple[tuple[int, ...], int, int]] = Counter()
        for (profile, risen, left), ways in states.items():
            most = min(left, profile[k])
            least = max(0, left - sum(profile[k + 1 : n]))  # the levels above take what is left
            for rising in range(least, most + 1):
                level = profile[k] - rising + risen
                changed = profile[:k] + (level,) + profile[k + 1 :]
                following[changed, rising, left - rising] += ways * comb(profile[k], rising)
        states = following
    found: Counter[tuple[int, ...]] = Counter()
    for (profile, risen, _), ways in states.items():
        found[profile[:n] + (profile[n] + risen,)] += ways
    return found


def _orders(profile: tuple[int, ...]) -> int:
    """In how many orders columns of these sums can stand."""
    return factorial(sum(profile)) // prod(factorial(count) for count in profile)
