"""Skipping: multiplications by hand for one length, and fewer cycles."""

from __future__ import annotations

import pytest

from explore.reproduce import skipping


def test_multiplications_of_ten_tokens() -> None:
    n, d, f, layers = 10, 512, 2048, 6
    encoder, naive = skipping.macs(n, naive=True)
    assert encoder == layers * (n * (4 * d * d + 2 * d * f) + 2 * n * n * d)
    squares = sum(t * t for t in range(1, n + 1))
    assert naive == layers * (55 * (6 * d * d + 2 * d * f) + n * 2 * n * d * d + 2 * d * squares + 2 * 55 * n * d)


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skipping, "TOTALS", {10: skipping.TOTALS[10]})
    table = skipping.reproduce()
    by_name = {row.quantity: row for row in table.rows}
    assert all(row.error is None or abs(row.error) < 0.002 for row in table.rows)
    anew, cached, ratio = (
        by_name[f"10 tokens, {what}"].ours
        for what in ("all positions anew: cycles", "cached: cycles", "fewer cycles")
    )
    assert anew is not None and cached is not None and ratio == pytest.approx(anew / cached) and 1 < ratio < 3.9
    assert table.rows[-1].error == 0
