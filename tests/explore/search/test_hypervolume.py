"""Costs and hypervolumes, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs import families
from designs.errors import InputError
from designs.objectives import METRICS
from explore.search.hypervolume import Box, cost, costs, grown, hypervolume, is_logarithmic, share_of_front, trace

ENDS = np.array([[1.0, 3.0], [2.0, 1.0]])
MIDDLE = np.array([1.5, 2.0])


def test_costs() -> None:
    assert cost("latency_ns", 1000.0) == 3 and cost("area_um2", 0.01) == -2
    assert cost("tokens_per_s", 100.0) == -2  # more is better
    assert cost("accuracy", 0.5) == -0.5 and cost("overflows", 0) == 0
    assert math.isnan(cost("latency_ns", None))
    with pytest.raises(InputError, match="^energy_pj: wanted a number above 0 to search by, got 0; "):
        cost("energy_pj", 0.0)
    found = costs([{"cycles": 10, "accuracy": 1}, {"cycles": None, "accuracy": 0}], ("cycles", "accuracy"))
    assert found[0].tolist() == [1, -1] and math.isnan(found[1, 0]) and found[1, 1] == 0
    assert costs([], ("cycles", "accuracy")).shape == (0, 2)


def test_every_metric_that_is_neither_a_share_nor_a_count_is_a_logarithm() -> None:
    own = {name for family in families.names() for name in families.metrics(family)}
    plain = {name for name in {*METRICS, *own} if not is_logarithmic(name)}
    assert {"accuracy", "utilization", "multiply_utilization", "overflows"} <= plain
    assert not any(name.endswith(("_ns", "_pj", "_um2", "cycles")) for name in plain)


def test_the_box_around_points() -> None:
    box = Box.around(np.vstack([ENDS, [np.nan, 9.0]]))
    assert box == Box((1.0, 1.0), (2.0, 3.0))
    assert box.scaled(np.array([[1.5, 2.0], [0.0, 9.0]])).tolist() == [[0.5, 0.5], [0.0, 1.0]]
    assert hypervolume(ENDS, box) == 0  # each is the worst of something
    assert hypervolume(np.vstack([ENDS, MIDDLE]), box) == 0.25
    with pytest.raises(InputError, match="at least one feasible point"):
        Box.around(np.full((3, 2), np.nan))


def test_the_box_of_a_known_front() -> None:
    front = np.vstack([ENDS, MIDDLE])
    box = Box.of_front(front)
    assert box.ideal == (1, 1) and box.reference == pytest.approx((2.1, 3.2))
    # In elevenths: 5 wide and 1 high, 5 wide and 6 high, 1 wide and 11 high.
    assert hypervolume(front, box) == pytest.approx(46 / 121)
    assert share_of_front(front, front) == pytest.approx(1)
    assert share_of_front(ENDS, front) == pytest.approx((10 * 1 + 1 * 11) / 46)
    assert share_of_front(np.empty((0, 2)), front) == 0


def test_an_objective_that_is_the_same_everywhere_does_not_count() -> None:
    box = Box((1.0, 5.0), (3.0, 5.0))
    assert hypervolume(np.array([[2.0, 5.0]]), box) == 0.5
    assert hypervolume(np.array([[2.0, 5.1]]), box) == 0


def test_one_objective() -> None:
    assert hypervolume(np.array([[2.0], [1.5]]), Box((1.0,), (2.0,))) == 0.5


def test_a_trace_by_hand() -> None:
    told = np.vstack([ENDS[0], [np.nan, np.nan], MIDDLE, MIDDLE, [1.25, 1.0]])
    assert trace(told, Box((1.0, 1.0), (2.0, 3.0))).tolist() == [0, 0, 0.25, 0.25, 0.75]
    assert grown(ENDS, np.array([2.0, 1.0])) is ENDS


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=8))
def test_the_volume_is_the_share_of_cells_that_points_dominate(points: list[tuple[int, int, int]]) -> None:
    box = Box((0.0, 0.0, 0.0), (4.0, 4.0, 4.0))
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3)
    dominated = [any((np.array(point) <= cell).all() for point in points) for cell in cells]
    told = np.array(points, dtype=float)
    assert hypervolume(told, box) == pytest.approx(np.mean(dominated))
    assert trace(told, box)[-1] == pytest.approx(np.mean(dominated))
