"""What a page shows of a study beside its points: figures that are planned, and tables of its family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from reports.tables import Table


class Plan(NamedTuple):
    """How one figure of the page comes about: its data (None: not possible), and why that can be."""

    name: str  # stem of its files
    title: str
    data: Any
    takeaway: Callable[[Any], str]
    draw: Callable[[Any], Figure]
    why_not: str


class FamilyTable(NamedTuple):
    """A table of a family's own, with a title, and a remark below that."""

    title: str
    remark: str
    table: Table
