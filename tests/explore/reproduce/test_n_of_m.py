"""Rows of the N:M table: counts by hand, small statistics, reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from explore.reproduce import Table, n_of_m


@pytest.fixture(scope="module")
def table() -> Table:
    """With few blocks; what is exact stays."""
    with pytest.MonkeyPatch.context() as patch:
        small = {text: replace(n_of_m.STATISTICS[text], n_blocks=200, n_programs=5) for text in ("1:2", "2:4")}
        patch.setattr(n_of_m, "STATISTICS", small)
        patch.setattr(n_of_m, "N_GRADIENT_BLOCKS", 20_000)
        quick = {text: count for text, count in n_of_m.BLOCKS.items() if text != "8:16"}  # whose count takes seconds
        patch.setattr(n_of_m, "BLOCKS", quick)
        told: list[tuple[str, int, int]] = []
        found = n_of_m.reproduce(lambda *what: told.append(what))
    assert [name for name, _, _ in told] == [
        "masks 1:2", "masks 2:4", "gradients normal", "gradients laplace", "gradients lognormal", "done",
    ]  # fmt: skip
    return found


def test_exact_rows_are_equal(table: Table) -> None:
    exact = [row for row in table.rows if row.certainty == n_of_m.EXACT]
    assert len(exact) == 3 * 3 + 5 and all(row.ours == row.published for row in exact)
    storage = [row for row in table.rows if "stored bits" in row.quantity]
    assert len(storage) == 10 and all(row.ours == pytest.approx(row.published, abs=5.1e-5) for row in storage)


def test_counts_by_hand(table: Table) -> None:
    ours = {row.quantity: row.ours for row in table.rows}
    assert ours["1:2: transposable masks of one block"] == 2  # the two permutations
    assert ours["1:4: transposable masks of one block"] == 24  # 4!
    assert ours["2:4: masks of an 8 x 8 block, N:M along rows"] == 6**16
    assert ours["2:4: masks of an 8 x 8 block, transposable"] == 90**4
    assert ours["2:4: masks of an 8 x 8 block, transposable by the closed form"] == (24 * 6) ** 4


def test_every_large_error_has_a_reason(table: Table) -> None:
    large = [row for row in table.rows if row.error is not None and abs(row.error) > 0.1]
    # 200 random blocks are fewer than the command's, and their smallest ratio another.
    assert {row.quantity for row in large if not row.differs_because} <= {
        f"{text}, 200 blocks: {what}"
        for text in ("1:2", "2:4")
        for what in ("greedy / best sum, smallest", "greedy is best", "greedy is incomplete")
    }
    # The closed form's over-count is such a row.
    assert any("beside the closed form" in row.quantity for row in large)


def test_gradients_are_near_the_theory(table: Table) -> None:
    rows = {row.quantity: row for row in table.rows}
    for kind in ("unbiased 1:2", "greedy 1:2"):
        error = rows[f"normal gradients: error / energy, {kind}"].error
        assert error is not None and abs(error) < 0.02
    zero = [row for row in table.rows if row.published == 0]
    assert len(zero) == 2 + 3 * 2 and all(row.ours is not None and row.ours < 1e-9 for row in zero)
