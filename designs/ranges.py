"""Whole numbers that a design takes: what nearly every family's `Design.check` begins with."""

from __future__ import annotations

from collections.abc import Iterable

from designs.errors import DesignError


def check_ranges(design: object, ranges: Iterable[tuple[str, int, int]]) -> None:
    """Raise DesignError for the first field of `ranges`, (field, lowest, highest), that lies outside."""
    for field, low, high in ranges:
        value = getattr(design, field)
        if not low <= value <= high:
            raise DesignError(field, f"wanted {low} to {high}, got {value}")


def check_powers_of_two(design: object, fields: Iterable[str]) -> None:
    """Raise DesignError for the first of some fields of 1 or more that is no power of two."""
    for field in fields:
        value = getattr(design, field)
        if value & (value - 1):
            raise DesignError(field, f"wanted a power of two, got {value}")
