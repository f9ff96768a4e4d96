"""Compressed sparse columns: z (b + kH) + (W + 1) k(z + 1) bits, with k = ceil(log2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workloads.sparse.compressed import Compressed


@dataclass(frozen=True, kw_only=True)
class Csc(Compressed):
    """Column after column, rows ascending: a zero activation skips a whole column."""

    MAJOR: ClassVar[int] = 1


POINTS = (Csc(),)
