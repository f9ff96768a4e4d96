"""Eyeriss' traffic: entries, words and times of reading by hand, and the table."""

from __future__ import annotations

import numpy as np
import pytest

from explore.reproduce import Table, eyeriss_rlc

BY_NAME = {layer.name: layer for layer in eyeriss_rlc.PUBLISHED}


def test_three_entries_are_a_word() -> None:
    assert [eyeriss_rlc.packed_bits(n) for n in (0, 1, 3, 4)] == [0, 64, 64, 128]


@pytest.mark.parametrize(("n_zeros", "entries"), [(0, 1), (31, 1), (32, 2), (63, 2), (64, 3)])
def test_a_run_has_at_most_31_zeros(n_zeros: int, entries: int) -> None:
    mask = np.zeros((1, n_zeros + 1), bool)
    mask[0, -1] = True
    assert eyeriss_rlc.n_entries(mask) == entries


def test_how_often_values_are_read() -> None:
    # conv1: 8 strips of 7 output rows, each of 6 x 4 + 11 = 35 input rows; its filters are read for 4 images x 8 strips.
    assert BY_NAME["conv1"].input_reads == pytest.approx(8 * 35 / 227) and BY_NAME["conv1"].weight_reads == 32
    # conv2 and conv3: 128 of a group's and 384 output channels, 64 at a time.
    assert (BY_NAME["conv2"].input_reads, BY_NAME["conv2"].weight_reads) == (2, 4)
    assert (BY_NAME["conv3"].input_reads, BY_NAME["conv3"].weight_reads) == (6, 1)
    assert [layer.n_weights for layer in eyeriss_rlc.PUBLISHED] == [34_848, 307_200, 884_736, 663_552, 442_368]


def test_traffic_of_a_dense_layer_by_hand() -> None:
    """Every value is an entry: 64 bits for three of them in place of 48."""
    layer = eyeriss_rlc.Published(
        name="small", in_side=3, in_channels=4, kernel=1, stride=1, out_side=3, out_channels=8, groups=1,
        resident_channels=4, resident_images=2, resident_rows=3, in_density=1.1, out_density=1.1,
        model_ratio=1, chip_ratio=1, chip_mb=1,
    )  # fmt: skip
    found = eyeriss_rlc.traffic(layer, np.random.default_rng(0))
    inputs, outputs = 4 * 4 * 9, 4 * 8 * 9
    assert found.weights == 4 * 8 * 2 * 2  # read twice, two bytes each
    assert found.maps == 2 * (2 * inputs + outputs)
    assert found.compressed_maps == 8 / 3 * (2 * inputs + outputs)
    assert found.fmap_saving == pytest.approx(-1 / 3)
    assert found.ratio == (found.weights + found.maps) / (found.weights + found.compressed_maps)


def test_the_table() -> None:
    told: list[tuple[str, int, int]] = []
    table = eyeriss_rlc.reproduce(lambda *what: told.append(what))
    assert isinstance(table, Table) and told[-1] == ("done", 5, 5)
    assert len(table.rows) == 5 * 3 + 2 + 1
    # The chip's own claims are met within a tenth.
    assert all(row.error is not None and abs(row.error) < 0.1 and row.differs_because for row in table.rows)
    assert eyeriss_rlc.reproduce() == table  # the same draws
