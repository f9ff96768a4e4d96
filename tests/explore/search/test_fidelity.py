"""Rank correlations of parts, what is doubted and what is refused; ASHA over shares as the loop sees it."""

from __future__ import annotations

import math
import random

import pytest

from designs.space import load_space
from explore.search.fidelity import Fidelity, fidelity_of
from explore.search.scheduler import Halving
from explore.search.search import search
from workloads.load import load_workload


def test_correlations_by_hand() -> None:
    """Spearman's: 1 - 6 sum d^2 / (n (n^2 - 1)); ranks 1234 and 2143 differ by 1 each: 1 - 24 / 60."""
    found = fidelity_of(
        0.25, [(1, 5, 0), (2, 5, 1), (3, 5, 2), (4, 5, 3)], [(20, 1, 0), (10, 2, 1), (40, 3, 2), (30, 4, 9)]
    )
    assert found.correlations[0] == pytest.approx(0.6)
    assert math.isnan(found.correlations[1])
    assert found.correlations[2] == pytest.approx(1.0)
    assert found.least == pytest.approx(0.6) and found.n_trials == 4


def test_what_is_doubted_and_what_is_refused() -> None:
    assert not Fidelity(0.25, 7, (-1.0,)).is_doubtful  # too few to say anything
    assert Fidelity(0.25, 8, (0.4, 1.0)).is_doubtful and not Fidelity(0.25, 8, (0.4, 1.0)).is_refuted
    assert not Fidelity(0.25, 8, (0.6, 1.0)).is_doubtful
    assert Fidelity(0.25, 8, (-1.0,)).is_refuted is True  # no number of numpy's: it goes into JSON
    # Fisher: atanh(0.3) + 1.645 sqrt(1.06 / 97) = 0.481 < atanh(0.5) = 0.549; with 30 trials 0.636 is above.
    assert Fidelity(0.25, 100, (0.3,)).is_refuted and not Fidelity(0.25, 30, (0.3,)).is_refuted
    # 45 trials: 0.571 alone is above, so is 0.621 as one of two (quantile 1.960); 55 trials: 0.544 and 0.589.
    assert not Fidelity(0.25, 45, (0.3,)).is_refuted
    assert Fidelity(0.25, 55, (0.3,)).is_refuted and Fidelity(0.25, 55, (0.3, math.nan)).is_refuted
    assert not Fidelity(0.25, 55, (0.3, 0.9)).is_refuted
    assert not Fidelity(0.25, 100, (math.nan,)).is_doubtful
    assert not fidelity_of(0.25, [(1.0,)], [(2.0,)]).is_doubtful


def test_a_part_that_tells_the_opposite_is_refused() -> None:
    """Costs on a sixteenth are turned round: once eight were simulated on both, new trials begin at a quarter."""
    scheduler, draws = Halving(4), random.Random(0)
    truth: dict[int, float] = {}
    shares = []
    for _ in range(400):
        ask = scheduler.next()
        assert ask is not None
        if ask.trial not in truth:
            truth[ask.trial] = draws.random()
            shares.append(ask.share)
        cost = -truth[ask.trial] if ask.share < 0.1 else truth[ask.trial]
        scheduler.report(ask.trial, ask.share, (cost,), 0.0)
    assert shares[0] == 1 / 16 and shares[-1] == 1 / 4
    assert sorted(shares) == shares
    of_16, of_4 = scheduler.fidelities
    assert of_16.is_refuted and of_16.correlations == (pytest.approx(-1.0),)
    assert of_4.correlations == (pytest.approx(1.0),)


def test_a_search_by_parts_is_the_same_twice_and_keeps_its_budget() -> None:
    space, workload = load_space("resnet50_search"), load_workload("resnet50")
    one, two = (search(space, workload, budget=6, sampler="random", seed=3, scheduler=Halving(4)) for _ in range(2))
    assert [(each.trial, each.share, each.row["point"]) for each in one.evaluations] == [
        (each.trial, each.share, each.row["point"]) for each in two.evaluations
    ]
    assert one.work <= 6 < one.work + 1
    by_share = {share: [e.trial for e in one.evaluations if e.share == share] for share in (1 / 16, 1 / 4, 1.0)}
    for lower, higher in ((1 / 16, 1 / 4), (1 / 4, 1.0)):
        assert set(by_share[higher]) <= set(by_share[lower])  # promoted, never begun there
        assert 0 < len(by_share[higher]) <= len(by_share[lower])
    names = {e.share: e.row["workload"] for e in one.evaluations}
    assert names == {1 / 16: "resnet50[1/16]", 1 / 4: "resnet50[1/4]", 1.0: "resnet50"}
    assert all(e.origin.startswith("promoted to rung") == (e.share > 1 / 16) for e in one.evaluations)
    assert {each.share for each in one.fidelities} == {1 / 16, 1 / 4}
