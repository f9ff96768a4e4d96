"""Utilization on the simulated machine, with and without a window."""

from __future__ import annotations

import numpy as np
import pytest

from explore.reproduce import Table, sa_rcsc
from sim.families import sparse
from workloads.kinds.matrices import matrices_of
from workloads.sparse.layer import SparseLayer
from workloads.sparse.nonzeros import nonzeros
from workloads.sparse.random_layers import numbers_for, pruned_weights, quantized


def test_a_window_by_hand() -> None:
    """Two lanes, a row each: columns 0, 1 and 2, 3. A window of 1 lets them work in turn, one of 4 at a time."""
    matrix = nonzeros([[1, 1, 0, 0], [0, 0, 1, 1]])
    numbers = numbers_for(np.random.default_rng(0), matrix)
    workload = matrices_of((SparseLayer(name="small", matrix=matrix, numbers=numbers),), "small")
    designs = [sa_rcsc.design_of(2, 0, True, window) for window in (1, 4)]
    in_turn, together = sparse.simulate(designs, workload)
    assert in_turn.figures["multiply_utilization"] == 4 / (2 * 4) and together.figures["multiply_utilization"] == 1
    assert sa_rcsc.without_window(in_turn, 2) == sa_rcsc.without_window(together, 2) == 1


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {key: value for key, value in sa_rcsc.UTILIZATION.items() if key in (("iid", 256), ("rowvar", 64))}
    monkeypatch.setattr(sa_rcsc, "UTILIZATION", few)
    told: list[tuple[str, int, int]] = []
    table = sa_rcsc.reproduce(lambda *what: told.append(what))
    assert isinstance(table, Table) and told[-1] == ("done", 3, 3)
    assert len(table.rows) == 2 * 4 + 13
    assert table.remarks[0].startswith("21 figures") and not any(row.differs_because for row in table.rows)
    assert all(row.error is not None and abs(row.error) < 0.002 for row in table.rows)


def test_a_window_makes_lanes_of_a_lone_way_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of RCSC with 256 lanes, lists are balanced and not level: a window of 64 costs some."""
    monkeypatch.setattr(sa_rcsc, "UTILIZATION", {("iid", 256): sa_rcsc.UTILIZATION["iid", 256]})
    monkeypatch.setattr(sa_rcsc, "WIDEST", 64)
    (far,) = [row for row in sa_rcsc.reproduce().rows if row.differs_because]
    assert far.quantity == "utilization of 256 multipliers, iid, RCSC" and "ours is 0.994" in far.differs_because


def test_the_matrix_is_that_of_the_script() -> None:
    assert quantized(pruned_weights(512, 512, 0.77), 8).nnz == sa_rcsc.weights("iid").layers[0].matrix.nnz == 60293
