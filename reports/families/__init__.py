"""What pages of a family have of their own: one module each, found by listing this folder, all of it optional.

A module may define any of these; what it lacks is taken from `reports.generic`, which says what each is for:
`plans`, `tables`, `notes`, `explanations`, `only_point`, `COLUMNS`, `PRICES`, `FIGURES`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from reports import generic


def names() -> tuple[str, ...]:
    """Families with pages of their own kind, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def of(family: str, name: str) -> Any:
    """`name` as the family's pages have it."""
    module = importlib.import_module(f"{__name__}.{family}") if family in names() else generic
    return getattr(module, name, getattr(generic, name))


def figure_names() -> set[str]:
    """Stems of all figures that a page of any family may have."""
    return {name for family in ("", *names()) for name in of(family, "FIGURES")}
