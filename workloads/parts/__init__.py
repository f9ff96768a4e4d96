"""A share of a workload's work, as a workload of the same kind: what multi-fidelity search simulates first.

Kinds that can be cut have a module here, named as in `workloads/kinds/`, with

- `part(workload, share: Fraction, name) -> Part`: at most `share` by every measure of the work that its simulators do;
  InputError where the workload cannot be cut that far.

docs/search.md, section 4, says how each kind is cut.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from designs.errors import InputError
from workloads import kinds
from workloads.load import Workload

_FINEST = 1 << 20  # shares are taken to be fractions with a denominator of at most this


@dataclass(frozen=True, kw_only=True)
class Part:
    """A workload that has some of another's work."""

    workload: Workload
    measures: Mapping[str, Fraction]  # of each measure of simulated work, the share that is left
    scale: float = 1.0  # the whole's cycles and energy over the part's, as estimated; 1 where repeats make up for it

    @property
    def share_done(self) -> float:
        """The largest of the measures: at most the share that was asked for."""
        return float(max(self.measures.values()))


def part_of(workload: Workload, share: float | Fraction) -> Part:
    """A workload of the same kind with at most `share` of the work, named `resnet50[1/16]`; the same every time.

    With a share of 1 it is the workload itself. InputError for a share that is not in (0, 1], a kind that cannot be cut
    and a workload that cannot be cut so far.
    """
    exact = Fraction(share).limit_denominator(_FINEST) if 0 < share <= 1 else Fraction(0)
    if not exact:
        raise InputError(f"share: wanted a share of the work above 0 and up to 1, got {share}; 1 is all of it")
    if exact == 1:
        return Part(workload=workload, measures={"whole": exact})
    module = kinds.module_for(workload, sys.modules[__name__], "cut", "search without --asha")
    found: Part = module.part(workload, exact, f"{workload.name}[{exact}]")
    assert max(found.measures.values()) <= exact
    return found
