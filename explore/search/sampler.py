"""What a sampler is: it proposes the next configuration and learns from what became of the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from explore.search.domain import Choice

N_START = 20  # configurations drawn before a model is fitted: about two for each axis of a usual space


class Proposal(NamedTuple):
    """A configuration to try."""

    choice: Choice
    origin: str  # how it was found, in a few words
    ticket: Any  # the sampler's own


class Sampler(Protocol):
    """Proposes and learns. Deterministic: a function of its seed and of the order and content of calls."""

    def ask(self) -> Proposal:
        """The next configuration; may be one that was proposed before."""

    def ask_for(self, choice: Choice, origin: str) -> Proposal:
        """A configuration that the loop chose, to be told as if it had been proposed."""

    def tell(self, proposal: Proposal, costs: Sequence[float] | None, excesses: Sequence[float]) -> None:
        """What a proposal came to: `costs` to be minimized, None where it did not run or cannot be built.

        `excesses`: one a constraint, always as many; above 0 is by how much it is broken.
        """

    def tell_more(self, proposal: Proposal, costs: Sequence[float] | None, excesses: Sequence[float]) -> None:
        """What a proposal that was told already comes to on a larger share of the workload."""

    def drop(self, proposal: Proposal) -> None:
        """The proposal was known before: nothing is to be learned."""
