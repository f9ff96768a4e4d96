"""Spaces as samplers see them: every point once, moves by one axis, axes that are not active."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from designs.space import Space, load_space
from explore.search.domain import Choice, Domain, is_ordered
from tests import toy_family

CONDITIONAL = """
family: toy
workload: gemm:6x5x4
minimize: [area_um2, latency_ns]
design:
  lanes: [8, 16, 32]
  pipelined: [true, false]
  banks: {values: [1, 2, 4], when: {lanes: [16, 32]}}
  order: {values: [rows_first, columns_first], when: {banks: [2]}}
"""  # banks default to 2: 2 x (1 x 2 + 2 x (1 + 2 + 1)) points


@pytest.fixture
def conditional(tmp_path: Path) -> Space:
    toy_family.install()
    (tmp_path / "conditional.yaml").write_text(CONDITIONAL)
    return load_space(tmp_path / "conditional.yaml")


def test_choices_are_the_points_of_the_space(conditional: Space) -> None:
    domain = Domain(conditional)
    assert domain.n_points == conditional.n_points == 20
    choices = list(domain.choices())
    assert [domain.point(choice) for choice in choices] == conditional.points()
    assert all(domain.canonical(choice) == choice for choice in choices)


def test_axes_that_are_not_active_keep_the_default(conditional: Space) -> None:
    domain = Domain(conditional)
    assert domain.ordered == (True, False, True, False)
    assert domain.canonical((0, 1, 2, 1)) == (0, 1, 0, 1)  # 8 lanes: banks are 2, so the order is chosen
    assert domain.point((0, 1, 2, 1)) == domain.point((0, 1, 0, 1))
    assert domain.point((0, 1, 2, 1))["banks"] == 2 and domain.point((0, 1, 2, 1))["order"] == "columns_first"
    assert domain.active((1, 0, 2, 1)) == (True, True, True, False)
    assert domain.point((1, 0, 2, 1))["order"] == "rows_first"


def test_draws_reach_every_point_and_no_other(conditional: Space) -> None:
    domain = Domain(conditional)
    draws = random.Random(0)
    assert {domain.draw(draws) for _ in range(2000)} == set(domain.choices())


def test_neighbours_by_hand(conditional: Space) -> None:
    domain = Domain(conditional)
    assert domain.neighbours((0, 0, 0, 1)) == [(1, 0, 0, 0), (0, 1, 0, 1), (0, 0, 0, 0)]
    assert domain.neighbours((1, 0, 1, 0)) == [(0, 0, 0, 0), (2, 0, 1, 0), (1, 1, 1, 0), (1, 0, 0, 0), (1, 0, 2, 0), (1, 0, 1, 1)]


def test_every_point_is_reached_by_neighbours(conditional: Space) -> None:
    domain = Domain(conditional)
    edge: list[Choice] = [(0, 0, 0, 0)]
    found = set(edge)
    while edge:
        edge = [near for choice in edge for near in domain.neighbours(choice) if near not in found]
        found |= set(edge)
    assert found == set(domain.choices())


def test_order() -> None:
    assert is_ordered((1, 2, 8)) and is_ordered((0.5, 0.25)) and is_ordered(range(1, 10**12))
    assert not is_ordered((1, 8, 2)) and not is_ordered((True, False)) and not is_ordered(("a", "b"))


def test_wide_ranges_are_not_listed(tmp_path: Path) -> None:
    toy_family.install()
    (tmp_path / "s.yaml").write_text("family: toy\ndesign: {clock_mhz: {range: [1, 1000000000000]}, banks: [1, 2]}\n")
    domain = Domain(load_space(tmp_path / "s.yaml"))
    assert domain.n_points == 2 * 10**12 and domain.point((10**12 - 1, 0))["clock_mhz"] == 10**12
    assert domain.neighbours((7, 0)) == [(6, 0), (8, 0), (7, 1)]
