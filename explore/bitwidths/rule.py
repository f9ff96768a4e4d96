"""The memory-driven rule for microcontrollers (Rusci, Capotondi, Benini, MLSys 2020).

Activations: over the steps forward, then backward, and so on until each step's tensors fit the RAM, the widest of them
is halved, the largest of equally wide ones; going forward only where that is what the step writes, going backward only
where it is something it reads. Weights: while the flash is too small, of the tensors that can still be halved, those
whose share of all weight bytes is above the largest such share less 5 percentage points; the earliest of them is
halved.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from explore.bitwidths.allocation import Allocation, Shortfall, allocation
from workloads.bitwidths.problem import Bits, Problem, Step, TensorChoice

NAME = "rule"
SHARE_MARGIN = 0.05


def rule(problem: Problem, start: Bits | None = None) -> Allocation:
    """The rule's answer, from the widest widths or from those of `start`; it does not look at losses.

    It ends: every double sweep that does not finish halves a tensor. What it cannot fit may still have an answer: a
    shortfall of RAM is proven, one of flash only where constants do not grow with narrow tensors.
    """
    began = time.monotonic()
    bits = dict(problem.widest() if start is None else problem.complete(start))
    shortfall = _cut_activations(problem, bits) or _cut_weights(problem, bits)
    seconds = time.monotonic() - began
    if shortfall is not None:
        return Allocation(method=NAME, shortfall=shortfall, seconds=seconds)
    return allocation(problem, NAME, bits, n_evaluated=1, seconds=seconds)


def _cut_activations(problem: Problem, bits: dict[str, int]) -> Shortfall | None:
    limit = problem.ram_bytes
    if limit is None:
        return None
    forward = True
    while problem.ram_needed(bits).n_bytes > limit:
        for step in problem.steps if forward else problem.steps[::-1]:
            shortfall = _cut_step(problem, step, bits, limit, forward)
            if shortfall is not None:
                return shortfall
        forward = not forward
    return None


def _cut_step(problem: Problem, step: Step, bits: dict[str, int], limit: int, forward: bool) -> Shortfall | None:
    while (needed := problem.step_ram_bytes(step, bits)) > limit:
        cuttable = [name for name in (step.output, *step.held) if _can_halve(problem, name, bits)]
        if not cuttable:
            return Shortfall(limit="ram", needed_bytes=needed, limit_bytes=limit, step=step.name)
        widest = max(cuttable, key=lambda name: (bits[name], problem.by_name[name].n_elements))  # first: the output
        if (widest == step.output) != forward:
            return None  # left for the sweep the other way
        _halve(problem, problem.chooser(widest), bits)
    return None


def _cut_weights(problem: Problem, bits: dict[str, int]) -> Shortfall | None:
    limit = problem.flash_bytes
    if limit is None:
        return None
    weights = [problem.by_name[step.weights] for step in problem.steps if step.weights]
    while (needed := problem.flash_needed(bits)) > limit:
        chosen = _largest_share(problem, weights, bits)
        if chosen is None:
            return Shortfall(
                limit="flash", needed_bytes=needed, limit_bytes=limit, proven=_constants_are_fixed(problem)
            )
        _halve(problem, chosen, bits)
    return None


def _largest_share(problem: Problem, weights: Sequence[TensorChoice], bits: Bits) -> TensorChoice | None:
    """The earliest of the layers whose share is within the margin of the largest; None where none can be halved."""
    total_bits = sum(tensor.n_elements * bits[tensor.name] for tensor in weights)
    candidates = [
        (tensor, tensor.n_elements * bits[tensor.name] / total_bits)
        for tensor in weights
        if _can_halve(problem, tensor.name, bits)
    ]
    if not candidates:
        return None
    largest = max(share for _, share in candidates)
    return next(tensor for tensor, share in candidates if share == largest or share > largest - SHARE_MARGIN)


def _can_halve(problem: Problem, name: str, bits: Bits) -> bool:
    return bits[name] > problem.chooser(name).bits[0]


def _halve(problem: Problem, tensor: TensorChoice, bits: dict[str, int]) -> None:
    """To the next smaller width that is allowed: of 8, 4 and 2 that is half."""
    narrower = max(width for width in tensor.bits if width < bits[tensor.name])
    for other in problem.tensors:
        if problem.chooser(other.name) is tensor:
            bits[other.name] = narrower


def _constants_are_fixed(problem: Problem) -> bool:
    return all(step.narrow_bytes <= step.folded_bytes for step in problem.steps)
