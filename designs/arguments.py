"""Arguments of the Python API, which come as whatever the caller has: checked once, said in one line."""

from __future__ import annotations

from collections.abc import Collection
from numbers import Integral, Real

from designs.errors import InputError
from designs.spelling import nearest, shown

MOST_SEED = 2**32 - 1  # what every generator takes that searches draw from: numpy's oldest takes no more


def expect_whole(where: str, value: object, low: int, high: int | None = None) -> None:
    """InputError for what is no whole number of `low` to `high` (None: of any size)."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        whole = int(value)
        if low <= whole and (high is None or whole <= high):
            return
    limits = f"{low} or more" if high is None else f"{low} to {high}"
    raise InputError(f"{where}: wanted {limits}, got {shown(value)}")


def expect_real(where: str, value: object, low: float, high: float) -> None:
    """InputError for what is no number of `low` to `high`; nan is none."""
    if not (isinstance(value, Real) and not isinstance(value, bool) and low <= float(value) <= high):
        told = f"{value:g}" if isinstance(value, float) else shown(value)
        raise InputError(f"{where}: wanted {low:g} to {high:g}, got {told}")


def expect_one_of(where: str, value: object, known: Collection[str]) -> None:
    """InputError, with the nearest right spelling, for what is none of these words."""
    if not isinstance(value, str) or value not in known:
        hint = nearest(value, known) if isinstance(value, str) else ""
        raise InputError(f"{where}: wanted one of {', '.join(known)}, got {shown(value)}{hint}")


def expect_seed(seed: object) -> None:
    """InputError for what is no whole number of 0 to 2^32 - 1."""
    expect_whole("seed", seed, 0, MOST_SEED)
