"""The ladder on a small model, and what goes into it."""

from __future__ import annotations

import pytest

from explore.reproduce import optimus
from workloads.builders.transformers import Model
from workloads.sparse.transformer import pruned_transformer, runs, translation

SMALL = Model(width=32, n_heads=2, inner=64, n_layers=2, n_decoder_layers=2)


def test_lengths_are_like_wmt() -> None:
    lengths = optimus.sentence_lengths()
    assert len(lengths) == 16 and list(lengths) == sorted(lengths)
    assert 26 < sum(lengths) / len(lengths) < 28


def test_runs_of_a_translation_by_hand() -> None:
    assert list(runs("encoder", "up", 5, 3, skipping=True)) == [(5, 1)]
    assert list(runs("decoder", "up", 5, 3, skipping=True)) == [(1, 3)]
    assert list(runs("decoder", "up", 5, 3, skipping=False)) == [(1, 1), (2, 1), (3, 1)]
    assert list(runs("decoder", "cross_key", 5, 3, skipping=True)) == [(5, 1)]
    assert list(runs("decoder", "cross_key", 5, 3, skipping=False)) == [(5, 3)]


def test_multiplications_are_those_of_the_formula() -> None:
    n, m, d, f, layers = 5, 3, SMALL.width, SMALL.inner, 2
    dense = pruned_transformer(SMALL, 0.0)
    kept = dense.layers["encoder", "query"].matrix.nnz / d**2  # the smallest weight is not above the quantile 0
    assert kept > 0.998
    for skipping, tokens, projected in ((True, m, 1), (False, m * (m + 1) // 2, m)):
        n_macs = sum(layer.n_macs * layer.repeat for layer in translation(dense, n, m, skipping=skipping))
        formula = layers * (n * (4 * d * d + 2 * d * f) + tokens * (6 * d * d + 2 * d * f) + projected * 2 * n * d * d)
        assert formula * 0.998 < n_macs <= formula


def test_a_ladder_of_a_small_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimus, "LANES", (16,))
    monkeypatch.setattr(optimus, "N_LENGTHS", 2)
    monkeypatch.setattr(optimus, "_pruned", lambda sparsity: pruned_transformer(SMALL, sparsity))
    small = tuple(
        optimus.Rung(**{**vars(rung), "sets": min(rung.sets, 4)})  # 32 sets want 32 lanes
        for rung in optimus.LADDER
    )
    monkeypatch.setattr(optimus, "LADDER", small)
    found = [optimus.measure(rung, 16) for rung in small]
    # the last two steps: 4 results a cycle leave slower than 16, which a small matrix feels
    assert all(earlier.cycles > later.cycles for earlier, later in zip(found[:4], found[1:4], strict=False))
    assert found[5].cycles <= found[4].cycles and found[4].utilization > found[3].utilization
    steps: list[tuple[str, int, int]] = []
    table = optimus.reproduce(lambda *step: steps.append(step))
    by_name = {row.quantity: row for row in table.rows}
    total = by_name["16 lanes: latency, all steps after CSC without skipping"]
    assert total.ours == pytest.approx(found[1].cycles / found[-1].cycles) and total.published == 16.01
    assert all(row.differs_because for row in table.rows if row.error is not None and abs(row.error) > 0.1)
    assert steps[-1] == ("ladder", 6, 6)
