"""Accelerator families: one module each, found by listing this folder."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from designs.errors import InputError
from designs.spelling import nearest


def names() -> tuple[str, ...]:
    """Every family's name, in alphabetical order."""
    return _names_in(tuple(__path__))


@cache
def _names_in(folders: tuple[str, ...]) -> tuple[str, ...]:
    """Folders are looked at once: a search of a point at a time asks as often as it simulates."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(folders)))


def metrics(family: str) -> tuple[str, ...]:
    """The family's own columns of a result row, beside those of all families; InputError as `load`."""
    found: tuple[str, ...] = getattr(load(family), "METRICS", ())
    return found


def load(family: str) -> ModuleType:
    """The module of a family, which has the frozen dataclass `Design`. InputError where there is no such family."""
    known = names()
    if family not in known:
        raise InputError(f"family: wanted one of {', '.join(known)}, got {family!r}{nearest(family, known)}")
    return importlib.import_module(f"{__name__}.{family}")
