"""Published results beside ours: one module each, found by listing this folder (`lockstep reproduce NAME`).

A module has `TITLE` and `SUMMARY` (a line, a sentence or two) and `reproduce(progress) -> Table`; `progress` is told
(what is done, steps done, steps in all) and may be None.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from designs.errors import InputError
from designs.spelling import nearest, shown

Progress = Callable[[str, int, int], None]  # what is done, steps done, steps in all


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of a publication, and ours."""

    quantity: str
    unit: str  # empty for counts
    published: float | None  # None where the publication has no such number
    certainty: str  # how the published number is known, as "abstract" or "recalled"; empty where there is none
    source: str  # where it stands
    ours: float | None  # None where Lockstep cannot tell
    differs_because: str = ""  # one sentence; empty where the two are equal

    @property
    def error(self) -> float | None:
        """ours / published - 1; None where one of the two is missing or the published one is 0."""
        if self.ours is None or not self.published:
            return None
        return self.ours / self.published - 1


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a reproduction answers."""

    rows: tuple[Quantity, ...]


def names() -> tuple[str, ...]:
    """Every reproduction's name, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load(name: str) -> ModuleType:
    """The module of a reproduction; InputError where there is none of that name."""
    if name not in names():
        known = ", ".join(names()) or "there are none"
        raise InputError(f"reproduce: wanted one of {known}, got {shown(name)}{nearest(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")
