"""Cycles of N:M products by hand, and the table."""

from __future__ import annotations

from explore.reproduce import Table, sparse_tensor_core
from explore.reproduce.sparse_tensor_core import CASES


def test_multiplying_by_hand() -> None:
    # WS: 1024 / 32 blocks of 32 channels, 512 / 32 folds, 512 pixels each; 64 channels a block with 2:4.
    assert sparse_tensor_core.simulate(CASES["dense"]).phases["compute"] == 32 * 16 * 512
    assert sparse_tensor_core.simulate(CASES["2:4"]).phases["compute"] == 16 * 16 * 512
    # Dense weights on it: two passes over each of 16 blocks.
    assert sparse_tensor_core.simulate(CASES["dense weights on 2:4"]).phases["compute"] == 16 * 2 * 16 * 512


def test_the_table() -> None:
    told: list[tuple[str, int, int]] = []
    table = sparse_tensor_core.reproduce(lambda *what: told.append(what))
    assert isinstance(table, Table) and told[-1] == ("done", len(CASES), len(CASES))
    ours = {row.quantity: row.ours for row in table.rows}
    assert ours["2:4 / dense, multiplying"] == 0.5
    assert ours["2:8 weights / 2:4 weights on an array of 2:4, multiplying"] == 1
    narrow = ours["2:4 / dense, whole run with 16 bytes of DRAM a cycle"]
    assert narrow is not None and 0.5 < narrow < 1
    assert all(row.differs_because for row in table.rows if row.error is not None and abs(row.error) > 0.1)
