"""Speed-ups of training steps with masks."""

from __future__ import annotations

import pytest

from explore.reproduce import Table
from explore.reproduce import training_masks as t
from workloads.builders.training import PRODUCTS


def test_arithmetic_of_the_papers() -> None:
    assert [t.expected(PRODUCTS[:n]) for n in range(4)] == pytest.approx([1, 1.2, 1.5, 2.0])


@pytest.mark.parametrize(("n_pruned", "speed_up"), [(0, 1.0), (1, 1.2), (2, 1.5), (3, 2.0)])
def test_simulated_speed_ups_approach_them(n_pruned: int, speed_up: float) -> None:
    """The larger the products, the nearer: what is not halved is per layer and per tile."""
    errors = []
    for sizes in ((128, 128, 128), (1024, 512, 512)):
        found = t.cycles(t.DENSE, (), sizes) / t.cycles(t.SPARSE, PRODUCTS[:n_pruned], sizes)
        errors.append(abs(found / speed_up - 1))
    assert errors[1] < 0.005 and errors[1] < errors[0] < 0.15


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t, "M", 256)
    told: list[tuple[str, int, int]] = []
    table = t.reproduce(lambda *what: told.append(what))
    assert isinstance(table, Table)
    assert [row.published for row in table.rows] == pytest.approx([1.2, 1.5, 2.0, 1.0, 2.0])
    assert all(row.error is not None and abs(row.error) < 0.02 for row in table.rows[:4])
    assert table.rows[4].ours is not None and table.rows[4].ours < 1.8
    assert [done for _, done, _ in told] == [0, 1, 2, 3, 4, 5] and {of for *_, of in told} == {5}
