"""Pareto fronts: against the definition, with ties, failed rows and turned signs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explore.pareto import front_indices, pareto_front


def by_definition(costs: list[tuple[int, ...]]) -> list[int]:
    """Every row that none dominates; the first of equal ones."""

    def dominates(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    kept = [i for i, c in enumerate(costs) if not any(dominates(d, c) for d in costs) and c not in costs[:i]]
    return sorted(kept, key=lambda i: costs[i])


@pytest.mark.parametrize("n_objectives", [1, 2, 3, 4])
@given(data=st.data())
def test_the_front_is_exact(n_objectives: int, data: st.DataObject) -> None:
    rows = st.tuples(*[st.integers(0, 4)] * n_objectives)
    costs = data.draw(st.lists(rows, min_size=1, max_size=25))
    assert front_indices(np.array(costs)) == by_definition(costs)


def test_by_hand_with_ties_and_what_is_not_finite() -> None:
    costs = [(3, 1), (1, 3), (2, 2), (2, 2), (3, 3), (1, 4), (float("nan"), 0), (0, float("inf"))]
    assert front_indices(np.array(costs)) == [1, 2, 0]
    assert front_indices(np.empty((0, 2))) == [] == front_indices(np.empty((0, 3)))


def test_rows_failed_ones_and_metrics_of_which_more_is_better() -> None:
    rows = [
        {"name": "a", "cycles": 10, "utilization": 0.5},
        {"name": "b", "cycles": 10, "utilization": 0.9},
        {"name": "c", "cycles": None, "utilization": None},
        {"name": "d", "cycles": 5, "utilization": 0.1},
    ]
    assert [row["name"] for row in pareto_front(rows, ["cycles", "utilization"])] == ["d", "b"]
    assert [row["name"] for row in pareto_front(rows, ["cycles"])] == ["d"]
    assert pareto_front([], ["cycles"]) == [] == pareto_front(rows[2:3], ["cycles", "utilization"])
