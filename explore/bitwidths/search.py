"""Search for widths, where losses are dear or do not add up: Optuna's TPE over starts that the rule makes fit.

The sampler proposes a width for each tensor; the memory-driven rule cuts the proposal down until the limits are kept,
so that every evaluation is of a choice that fits. The first proposal is the rule's own start, all widths at their
largest: the answer is never worse than the rule's.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import optuna

from designs.errors import InputError
from explore.bitwidths.allocation import Allocation, allocation
from explore.bitwidths.integer_program import least_shortfall
from explore.bitwidths.rule import rule
from explore.progress import Steps
from workloads.bitwidths.problem import Bits, Problem

NAME = "search"
BUDGET = 100
_TRIALS_PER_EVALUATION = 20  # proposals that come to what is known cost nothing, but there is an end


def search(
    problem: Problem, evaluate: Callable[[Bits], float] | None = None, *, budget: int = BUDGET, seed: int = 0,
    progress: Steps | None = None,
) -> Allocation:  # fmt: skip
    """The best of `budget` different choices that keep the limits; fewer where that many are not come across.

    `evaluate` tells the loss of a choice (widths of all tensors); None: the additive loss of the problem. The same seed
    gives the same answer. InputError where there is no loss, or a budget below 1.
    """
    began = time.monotonic()
    if budget < 1:
        raise InputError(f"budget: wanted 1 evaluation or more, got {budget}")
    if evaluate is None and problem.free and not problem.losses:
        raise InputError(f"{problem.name}: wanted losses to make least, got none")
    shortfall = least_shortfall(problem)
    if shortfall is not None:
        return Allocation(method=NAME, shortfall=shortfall, seconds=time.monotonic() - began)
    known = _evaluated(problem, evaluate or problem.loss, budget, seed, progress)
    if not known:
        told = rule(problem, problem.narrowest()).shortfall
        return Allocation(method=NAME, shortfall=told, seconds=time.monotonic() - began)
    best = min(known, key=lambda widths: known[widths])
    chosen = {tensor.name: width for tensor, width in zip(problem.free, best, strict=True)}
    return allocation(
        problem, NAME, chosen, n_evaluated=len(known), seconds=time.monotonic() - began,
        measured_loss=None if evaluate is None else known[best],
    )  # fmt: skip


def _evaluated(
    problem: Problem, evaluate: Callable[[Bits], float], budget: int, seed: int, progress: Steps | None
) -> dict[tuple[int, ...], float]:
    """Loss of each choice that was come across, by the widths of the free tensors, in order."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        tensor.name: optuna.distributions.CategoricalDistribution(tensor.bits) for tensor in problem.free
    }
    study.enqueue_trial({tensor.name: tensor.bits[-1] for tensor in problem.free})
    known: dict[tuple[int, ...], float] = {}
    budget = min(budget, problem.n_combinations)
    for _ in range(budget * _TRIALS_PER_EVALUATION):
        trial = study.ask(distributions)
        fitted = rule(problem, trial.params).bits
        if not fitted:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        widths = tuple(fitted[tensor.name] for tensor in problem.free)
        if widths not in known:
            known[widths] = evaluate(fitted)
            if progress is not None:
                progress("search", len(known), budget)
        study.tell(trial, known[widths])
        if len(known) == budget:
            break
    return known
