"""EIE's layers: shapes and densities as published; queues as a model of another author has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explore.reproduce import Table, eie
from sim.families import sparse

BY_NAME = {published.name: published for published in eie.PUBLISHED}


@pytest.mark.parametrize(
    ("name", "efficiencies"),
    [("NT-We", (0.387, 0.502, 0.600, 0.650, 0.672)), ("NT-Wd", (0.931, 0.960, 0.978, 0.986, 0.986))],
)
def test_fifos_on_random_masks(name: str, efficiencies: tuple[float, ...]) -> None:
    """FIFOs of 1, 2, 4, 8 and 16 places, on other draws of the same masks."""
    layer = eie.layer_of(BY_NAME[name])
    for places, efficiency in zip((1, 2, 4, 8, 16), efficiencies, strict=True):
        assert eie.efficiency(sparse.run_layer(eie.design_of(places), layer)) == pytest.approx(efficiency, abs=0.004)


def test_layers_are_as_published() -> None:
    published = replace(BY_NAME["VGG-8"], height=130)
    layer = eie.layer_of(published)
    assert layer.matrix.shape == (130, 4096)
    assert layer.matrix.nnz == pytest.approx(0.23 * 130 * 4096, rel=0.01)
    assert (np.diff(layer.matrix.places) > 0).all() and layer.matrix.places[-1] < layer.matrix.n_places
    run = sparse.run_layer(eie.design_of(8), layer)
    assert run.activity["act_reads"] == round(0.411 * 4096)


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(replace(BY_NAME[name], height=64) for name in ("NT-We", "NT-LSTM"))
    monkeypatch.setattr(eie, "PUBLISHED", small)
    told: list[tuple[str, int, int]] = []
    table = eie.reproduce(lambda *what: told.append(what))
    assert isinstance(table, Table)
    assert told == [("NT-We", 0, 2), ("NT-LSTM", 1, 2), ("done", 2, 2)]
    assert [row.published for row in table.rows] == [5.2, 8.0, 6.5, 7.5]
    # One row a lane: a column costs a lane a cycle, whether or not it has an entry, and the first comes in cycle 1.
    assert [row.ours for row in table.rows[1::2]] == [(4096 + 1) / 800, (1201 + 1) / 800]
    assert table.rows[0].ours == pytest.approx(0.10 * 4096 / 800, rel=0.02)
