"""Sparse formats: one module each, found by listing this folder.

A format's module has its class, a frozen dataclass that inherits from `workloads.sparse.format.Format`, and
`POINTS: tuple[Format, ...]`: the parameters with which `lockstep formats` shows it.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from designs.errors import InputError
from designs.spelling import nearest
from workloads.sparse.format import Format


def names() -> tuple[str, ...]:
    """Every format's name, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load(name: str) -> ModuleType:
    """The module of a format; InputError where there is no such format."""
    known = names()
    if name not in known:
        raise InputError(f"format: wanted one of {', '.join(known)}, got {name!r}{nearest(name, known)}")
    return importlib.import_module(f"{__name__}.{name}")


def points() -> tuple[Format, ...]:
    """All formats with the parameters that tables show."""
    return tuple(point for name in names() for point in load(name).POINTS)
