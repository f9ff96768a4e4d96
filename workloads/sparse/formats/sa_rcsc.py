"""Set-associative RCSC: z (b + kW + k(ceil(H/S))) + N list lengths + H kH bits of permutation, with k = ceil(log2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from designs.errors import InputError
from workloads.sparse.format import at_least
from workloads.sparse.rearranged import Rearranged


@dataclass(frozen=True, kw_only=True)
class SaRcsc(Rearranged):
    """A row belongs to one of `sets` sets; each non-zero of it may stand in any of the set's lanes / sets ways.

    The name and what it earns are published (Park et al., OPTIMUS, MLSys 2020); the rules are our reconstruction, as in
    `rearranged`.
    """

    lanes: int = 512
    sets: int = 8
    folded: bool = False

    def __post_init__(self) -> None:
        at_least(self, "lanes", 1)
        at_least(self, "sets", 1)
        if self.lanes % self.sets:
            raise InputError(
                f"{self.name}: sets: wanted a divisor of the {self.lanes} lanes, got {self.sets}; "
                "all sets have as many ways"
            )

    @property
    def n_lists(self) -> int:
        return self.lanes

    @property
    def n_sets(self) -> int:
        return self.sets

    def on_engine(self, n_macs: int, n_sets: int) -> SaRcsc:
        return replace(self, lanes=n_macs, sets=n_sets)


POINTS = (SaRcsc(),)
