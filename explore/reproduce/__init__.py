"""Published results beside ours: one module each, found by listing this folder (`lockstep reproduce NAME`).

A module has `TITLE` and `SUMMARY` (a line, a sentence or two) and `reproduce(progress) -> Table | Comparison`;
`progress` is told (what is done, steps done, steps in all) and may be None. Where a module's `reproduce` also takes
`place`, `--place` asks for the clock after place and route.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any, Literal

import numpy as np

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
    """Numbers of a publication, one by one."""

    rows: tuple[Quantity, ...]
    remarks: tuple[str, ...] = ()  # sentences below the table

    def document(self) -> dict[str, Any]:
        """Plain data: rows by the names of Quantity's fields."""
        rows = [asdict(row) | {"error": row.error} for row in self.rows]
        return {"rows": rows, "remarks": list(self.remarks)}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A column of a comparison."""

    name: str  # its key in rows; letters, digits and _
    title: str
    style: Literal["percent", "count", "number"]  # a share of 1, a whole number, three digits


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A figure that was taken once or several times."""

    mean: float
    sd: float | None = None  # None: taken once

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """Mean and standard deviation (n - 1) of one value or more."""
        return cls(mean=float(np.mean(values)), sd=float(np.std(values, ddof=1)) if len(values) > 1 else None)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of a comparison: one design with its figures; measures without one are left out."""

    design: str
    origin: str  # "ours", or where the figures come from
    figures: Mapping[str, Sample] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Designs side by side, ours and others'."""

    measures: tuple[Measure, ...]
    rows: tuple[Entry, ...]
    remarks: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """Plain data: a row has design, origin, remark, and for each measure its mean and <measure>_sd, or None."""
        rows = [
            {"design": row.design, "origin": row.origin}
            | {key: value for measure in self.measures for key, value in _figure(row, measure.name).items()}
            | {"remark": row.remark}
            for row in self.rows
        ]
        return {"measures": [asdict(one) for one in self.measures], "rows": rows, "remarks": list(self.remarks)}


def _figure(row: Entry, name: str) -> dict[str, float | None]:
    sample = row.figures.get(name)
    return {name: sample.mean if sample else None, f"{name}_sd": sample.sd if sample else None}


def names() -> tuple[str, ...]:
    """Every reproduction's name, in alphabetical order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def load(name: str) -> ModuleType:
    """The module of a reproduction, `-` and `_` being the same; InputError where there is none of that name."""
    name = name.replace("-", "_")
    if name not in names():
        known = ", ".join(names()) or "there are none"
        raise InputError(f"reproduce: wanted one of {known}, got {shown(name)}{nearest(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")
