"""The search: never worse than the rule, the optimum of small problems, the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings

from designs.errors import InputError
from explore.bitwidths.brute_force import brute_force
from explore.bitwidths.rule import rule
from explore.bitwidths.search import search
from tests.explore.bitwidths.test_methods import problems
from tests.explore.bitwidths.test_rule import chain
from workloads.bitwidths.problem import Problem


def small() -> Problem:
    problem = chain(10, 100, 60, 40, 10, ram=95, flash=100, weights=(40, 50, 60))
    losses = {t.name: {2: 5.0 + i, 4: 1.0 + i % 3, 8: 0.0} for i, t in enumerate(problem.free)}
    return replace(problem, losses=losses, loss_is="numbers")


@settings(max_examples=12, deadline=None)
@given(problems())
def test_never_worse_than_the_rule_never_better_than_the_optimum(problem: Problem) -> None:
    exact, simple, found = brute_force(problem), rule(problem), search(problem, budget=6)
    if exact.shortfall is not None:
        assert found.shortfall == exact.shortfall
    elif found.shortfall is None:
        assert problem.fits(found.bits) and found.n_evaluated <= 6
        assert exact.loss is not None and found.loss is not None and found.loss >= exact.loss
        if simple.shortfall is None:
            assert simple.loss is not None and found.loss <= simple.loss


def test_finds_the_optimum_of_a_small_problem() -> None:
    problem = small()
    found = search(problem, budget=80)
    assert found.loss == brute_force(problem).loss
    assert rule(problem).loss is not None and found.loss is not None and found.loss < rule(problem).loss  # type: ignore[operator]


def test_the_same_seed_the_same_answer_and_progress() -> None:
    problem, told = small(), []
    one = search(problem, budget=10, seed=3, progress=lambda what, n_done, n_all: told.append((what, n_done, n_all)))
    assert one.bits == search(problem, budget=10, seed=3).bits
    assert told == [("search", i, 10) for i in range(1, 11)] and one.n_evaluated == 10


def test_another_loss_than_the_additive_one() -> None:
    """A loss that two narrow tensors share: the search sees it, the table does not."""
    problem = small()

    def evaluate(bits: Mapping[str, int]) -> float:
        return problem.loss(bits) + 100.0 * (bits["a1"] == 4 and bits["w0"] == 4)

    found = search(problem, evaluate, budget=60)
    assert found.measured_loss == evaluate(found.bits)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="budget: wanted 1 evaluation or more, got 0"):
        search(small(), budget=0)
    with pytest.raises(InputError, match="chain: wanted losses"):
        search(chain(1, 1, 1, ram=None))
