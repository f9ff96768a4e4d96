"""New configurations from a sampler: none twice, none that cannot be built."""

from __future__ import annotations

import random

from designs.errors import InputError
from designs.space import Space
from explore.search.domain import Choice, Domain
from explore.search.judge import Judge
from explore.search.sampler import Proposal, Sampler

PATIENCE = 8  # configurations known already that a sampler may propose in a row before one is chosen for it
MOST_REFUSED = 2000  # points that cannot be built, in a row, before the search ends


class Asking:
    """Asks a sampler until it names a configuration that is new and can be built.

    What is known already is dropped: the sampler was told its costs when they were found. After PATIENCE of these in a
    row, one that is not known is chosen for the sampler: a random neighbour of the last, else any.
    """

    def __init__(self, space: Space, domain: Domain, sampler: Sampler, judge: Judge, seed: int) -> None:
        self.n_refused = 0
        self.n_repeated = 0
        self.ended = ""  # why no further configuration will come
        self._space, self._domain, self._sampler, self._judge = space, domain, sampler, judge
        self._draws = random.Random(seed)
        self._seen: set[Choice] = set()
        self._n_found = 0

    def next(self) -> Proposal | None:
        """A new configuration; None where none is left, which `ended` then explains.

        InputError where none was ever found that can be built.
        """
        n_refused = n_repeated = 0
        reason = ""
        while not self.ended:
            if len(self._seen) == self._domain.n_points:
                self.ended = f"all {self._domain.n_points} points of the space are known"
            elif n_refused == MOST_REFUSED:
                self.ended = f"{MOST_REFUSED} points in a row cannot be built"
            if self.ended:
                break
            proposal = self._sampler.ask()
            if proposal.choice in self._seen:
                self.n_repeated += 1
                n_repeated += 1
                self._sampler.drop(proposal)
                if n_repeated < PATIENCE:
                    continue
                n_repeated = 0
                proposal = self._sampler.ask_for(self._unseen(proposal.choice), "step off a known point")
            self._seen.add(proposal.choice)
            refusal = self._space.refusal(self._domain.point(proposal.choice))
            if refusal is None:
                self._n_found += 1
                return proposal
            reason = str(refusal)
            self.n_refused += 1
            n_refused += 1
            self._sampler.tell(proposal, None, self._judge.of_refused().excesses)
        if not self._n_found:
            wanted = f"{self._space.name}: wanted points that can be built"
            raise InputError(f"{wanted}, got none ({self.ended}): {reason}")
        return None

    def _unseen(self, near: Choice) -> Choice:
        """A choice that is not known: there is one."""
        around = [choice for choice in self._domain.neighbours(near) if choice not in self._seen]
        if around:
            return self._draws.choice(around)
        if self._domain.n_points <= 4 * len(self._seen):
            return self._draws.choice([choice for choice in self._domain.choices() if choice not in self._seen])
        while (choice := self._domain.draw(self._draws)) in self._seen:
            pass
        return choice
