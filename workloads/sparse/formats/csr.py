"""Compressed sparse rows: z (b + kW) + (H + 1) k(z + 1) bits, with k = ceil(log2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from workloads.sparse.compressed import Compressed


@dataclass(frozen=True, kw_only=True)
class Csr(Compressed):
    """Row after row, columns ascending."""

    MAJOR: ClassVar[int] = 0


POINTS = (Csr(),)
