"""Ranks within a rung: by hand, and what must hold of any."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from explore.search.ranking import Outcome, best_first


def test_fronts_then_contributions_by_hand() -> None:
    """Scaled to 0..1 by (0, 0) and (4, 4): the first front is a, b, c; b adds the most, for a and c lie on the edge."""
    a, b, c, d, worst = (0.0, 4.0), (1.0, 1.0), (4.0, 0.0), (2.0, 2.0), (4.0, 4.0)
    assert best_first([Outcome(costs) for costs in (worst, a, d, b, c)]) == [3, 1, 4, 2, 0]


def test_what_adds_most_of_a_front_is_first() -> None:
    """Reference (10, 10), not of the front: (0, 9) adds 1 x 1 to (1, 8), which adds 4 x 1 ... computed by hand."""
    front = [(0.0, 9.0), (1.0, 8.0), (5.0, 2.0), (9.0, 0.0)]
    added = [1 * 1, 4 * 1, 4 * 6, 1 * 2]  # in units of the unscaled box
    order = best_first([Outcome(costs) for costs in (*front, (10.0, 10.0))])
    assert order == [*sorted(range(4), key=lambda i: -added[i]), 4]


def test_infeasible_ones_are_last_by_what_they_break() -> None:
    outcomes = [Outcome((0.0,), 2.0), Outcome((9.0,)), Outcome((0.0,), 0.5), Outcome((), math.inf), Outcome((3.0,))]
    assert best_first(outcomes) == [4, 1, 2, 0]  # the fourth did not run: it is left out


def test_equals_keep_their_order() -> None:
    assert best_first([Outcome((1.0, 2.0))] * 3) == [0, 1, 2]
    assert best_first([Outcome((1.0,))] * 3) == [0, 1, 2]
    assert best_first([]) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=25))
def test_nobody_is_before_who_dominates_it(costs: list[tuple[int, int, int]]) -> None:
    order = best_first([Outcome(tuple(map(float, one))) for one in costs])
    assert sorted(order) == list(range(len(costs)))
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            assert costs[i] == costs[j] or not all(b <= a for a, b in zip(costs[i], costs[j], strict=True))
