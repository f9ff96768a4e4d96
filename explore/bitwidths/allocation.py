"""What a method answers: a width for each tensor, or which limit cannot be kept and by how much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from workloads.bitwidths.problem import Bits, Problem


@dataclass(frozen=True, kw_only=True)
class Shortfall:
    """A limit that is not kept."""

    limit: Literal["flash", "ram"]
    needed_bytes: int  # the least there is where `proven`, else the least that the method came to
    limit_bytes: int
    step: str = ""  # where RAM is short
    proven: bool = True  # no choice of widths keeps the limits

    @property
    def over_bytes(self) -> int:
        """What is missing."""
        return self.needed_bytes - self.limit_bytes


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """An answer; with a shortfall it has no widths."""

    method: str
    bits: Mapping[str, int] = field(default_factory=dict)  # of every tensor of the problem
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    ram_step: str = ""  # the step that needs most RAM
    loss: float | None = None  # additive; None where the problem has none
    is_optimal: bool = False  # no choice that keeps the limits has less of this loss
    bound: float | None = None  # proven: no choice has less loss
    gap: float | None = None  # (loss - bound) / |loss|, as the solver tells
    n_evaluated: int = 0  # choices whose loss was looked up or measured
    seconds: float = 0.0
    shortfall: Shortfall | None = None
    measured_loss: float | None = None  # of the search over measured losses: that of the answer


def allocation(problem: Problem, method: str, bits: Bits, **more: object) -> Allocation:
    """The answer with all that follows from its widths."""
    complete = problem.complete(bits)
    peak = problem.ram_needed(complete)
    return Allocation(
        method=method, bits=complete, flash_bytes=problem.flash_needed(complete), ram_bytes=peak.n_bytes,
        ram_step=peak.step, loss=problem.loss(complete) if problem.losses or not problem.free else None, **more,  # type: ignore[arg-type]
    )  # fmt: skip
