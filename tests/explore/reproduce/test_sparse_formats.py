"""The tables of sizes and of utilization, cell by cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explore.reproduce import sparse_formats
from explore.reproduce.sparse_formats import differs


@pytest.fixture(scope="module")
def rows() -> dict[str, float | None]:
    table = sparse_formats.reproduce()
    n_rows = 6 * 10 + 5 * 2 + 12 * 4 + 10
    assert len(table.rows) == n_rows
    assert table.remarks[0].startswith(f"{n_rows} figures") and "0 differ" in table.remarks[0]
    assert [row.quantity for row in table.rows if row.error is None or abs(row.error) > 0.02] == []
    return {row.quantity: row.ours for row in table.rows}


def test_sizes_by_hand(rows: dict[str, float | None]) -> None:
    # 60,420 non-zeros or so: a bitmap is a bit a place, and a value.
    mask = sparse_formats.random_mask(0.23)
    assert rows["size of bitmap, density 0.23"] == (mask.nnz * 8 + 512 * 512) / (512 * 512 * 8)
    assert rows["size of COO, density 0.23"] == mask.nnz * (8 + 9 + 9) / (512 * 512 * 8)
    assert rows["size of 2:4, an index a value"] == 2 * (8 + 2) / 32
    assert rows["size of 2:4, the number of the pattern"] == (2 * 8 + 3) / 32  # C(4, 2) = 6 patterns


def test_utilization_by_hand(rows: dict[str, float | None]) -> None:
    # A lane for each row, and more lanes than rows: the longest row is the time of all.
    matrix = sparse_formats.pruned("iid")
    longest = int(np.bincount(matrix.coordinates[0]).max())
    assert rows["utilization of 512 multipliers, iid, RCSC"] == matrix.nnz / (512 * longest)
    assert rows["utilization of 2048 multipliers, iid, RCSC"] == matrix.nnz / (2048 * longest)
    assert rows["utilization of 1024 multipliers, iid, 512 sets (1,024 accumulators)"] == pytest.approx(0.796, abs=5e-4)


def test_a_wrong_cell_is_seen() -> None:
    row = sparse_formats._cell("one", 0.593, 0.5935)
    assert not differs(row, 3) and differs(replace(row, ours=0.5936), 3) and differs(replace(row, ours=None), 3)
    assert differs(row, 4)
