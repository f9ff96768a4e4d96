"""The toy's parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from designs.errors import DesignError

METRICS = ("multiplications_a_lane",)


@dataclass(frozen=True, kw_only=True)
class Design:
    lanes: int = 8
    banks: int = 2
    order: Literal["rows_first", "columns_first"] = "rows_first"
    pipelined: bool = True
    label: str = "plain"
    clock_mhz: int = 1000
    node_nm: int = 45

    def check(self) -> None:
        if not 1 <= self.lanes <= 64:
            raise DesignError("lanes", f"wanted 1 to 64, got {self.lanes}")
        if self.lanes % self.banks:
            raise DesignError("banks", f"wanted a divisor of lanes ({self.lanes}), got {self.banks}")
