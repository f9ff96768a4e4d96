"""What a search found: plain data, for tables, figures and pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from explore.evaluate import Row
from explore.search.fidelity import Fidelity


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One simulated point of a search, in the order in which it was asked for."""

    row: Row  # an ordinary result row; of a part of the workload where `share` is below 1
    share: float = 1.0  # fidelity: share of the workload's work that was simulated, in (0, 1]
    trial: int = 0  # the configuration, counted from 0: with multi-fidelity one is evaluated at several shares
    origin: str = ""  # how it was found, in a few words: "random start", "tpe", "generation 3", "promoted to rung 2"
    feasible: bool = True  # ran, and keeps every constraint


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """One search: one sampler, one seed."""

    space: str
    family: str
    workload: str
    sampler: str  # a name of explore.search.samplers, with "+asha" behind it where that chose
    seed: int
    budget: float  # full evaluations' worth of simulated work that was allowed
    objectives: tuple[str, ...]  # metrics, canonical names; designs.objectives tells which are maximized
    constraints: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    n_refused: int  # points asked for that cannot be built: they cost nothing and are told to the sampler
    n_repeated: int  # points asked for that had been evaluated: answered from memory, not counted
    computed: int  # simulated now
    cached: int  # found in the store
    seconds: float
    pareto_front: tuple[Row, ...]  # of the feasible full evaluations; sorted by the first objective
    importance: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # objective -> axis -> share; add to 1
    fidelities: tuple[Fidelity, ...] = ()  # of each share below 1 that was simulated: how it ranks designs
    ended: str = ""  # why it ended before its budget was used; empty where it did not

    @property
    def work(self) -> float:
        """Simulated work in full evaluations: the sum of all shares."""
        return sum(evaluation.share for evaluation in self.evaluations)
