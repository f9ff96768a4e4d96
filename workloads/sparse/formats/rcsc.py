"""Rearranged CSC (RCSC): z (b + kW + k(ceil(H/N))) + N list lengths + H kH bits of permutation, with k = ceil(log2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from workloads.sparse.format import at_least
from workloads.sparse.rearranged import Rearranged


@dataclass(frozen=True, kw_only=True)
class Rcsc(Rearranged):
    """Rows sorted by non-zeros and dealt to `lanes` lists, one a MAC: SA-RCSC with one way a set.

    That RCSC balances rows is published (TCAD 39(9), 2020); how it does is our reconstruction, as in `rearranged`.
    """

    lanes: int = 256
    folded: bool = False

    def __post_init__(self) -> None:
        at_least(self, "lanes", 1)

    @property
    def n_lists(self) -> int:
        return self.lanes

    @property
    def n_sets(self) -> int:
        return self.lanes

    def on_engine(self, n_macs: int, n_sets: int) -> Rcsc:
        return replace(self, lanes=n_macs)


POINTS = (Rcsc(),)
