"""A bootstrapping machine of the family fhe as a device: shares take the cycles that its simulator tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from designs.families.fhe import Design
from sim.families.fhe import simulate
from workloads.circuits.named import independent_nands


@dataclass(frozen=True, kw_only=True, eq=False)
class Machine:
    """One machine. A share of n bootstraps takes what n NANDs of inputs take, from `start` to the last word stored."""

    name: str
    design: Design

    @property
    def n_workers(self) -> int:
        return self.design.cores * self.design.batch

    @cached_property
    def bootstraps_per_s(self) -> float:
        """Of full batches, one after the other: what another one adds to several."""
        several, more = self.share_s(self.n_workers * np.array([6, 7]))
        return self.n_workers / float(more - several)

    def share_s(self, n_bootstraps: np.ndarray) -> np.ndarray:
        found, where = np.unique(n_bootstraps, return_inverse=True)
        cycles = np.array([_cycles(self.design, int(n)) for n in found])
        return (cycles / (self.design.clock_mhz * 1e6))[where]


@lru_cache(maxsize=1 << 12)
def _cycles(design: Design, n_bootstraps: int) -> int:
    if not n_bootstraps:
        return 0
    (run,) = simulate([design], independent_nands(n_bootstraps))
    if run.failure is not None:
        raise RuntimeError(f"{n_bootstraps} NANDs: {run.failure}")
    return run.cycles
