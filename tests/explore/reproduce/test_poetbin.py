"""PoET-BiN: its counts come out of circuits that we build, and every published number says how it is known."""

from __future__ import annotations

import numpy as np
import pytest

from explore.reproduce import poetbin
from workloads import truth_tables
from workloads.builders.poetbin import CIFAR10, MNIST, SVHN, PoetBin, stand_in
from workloads.mapping.lut import map_netlist
from workloads.netlist import ROLES

SMALL = PoetBin(data="small", layer_sizes=(20, 30), tree_inputs=3, top_modules=3)


@pytest.mark.parametrize(
    ("shape", "trees", "votes", "n_nodes"),
    [(MNIST, 2560, 400, 3040), (CIFAR10, 3200, 480, 3760), (SVHN, 2160, 420, 2660)],
)
def test_nodes_of_the_papers_circuits(shape: PoetBin, trees: int, votes: int, n_nodes: int) -> None:
    netlist = stand_in(shape, n_samples=1, toggle_rate=0.5).netlist
    counts = dict(zip(ROLES, np.bincount(netlist.roles, minlength=len(ROLES)).tolist(), strict=True))
    assert counts == dict.fromkeys(ROLES, 0) | {"tree": trees, "mat": votes, "score": 80}
    assert netlist.n_luts == n_nodes


@pytest.mark.parametrize(("shape", "n_macs"), [(MNIST, 303_184), (CIFAR10, 19_202_128), (SVHN, 1_634_364)])
def test_multiplications_of_the_teachers(shape: PoetBin, n_macs: int) -> None:
    assert shape.n_macs == n_macs


def test_a_small_shape_by_hand() -> None:
    """30 neurons of 3 RINC-1 of 3 trees: 9 trees and 3 + 1 votes each, some of them equal by chance."""
    circuit = stand_in(SMALL, n_samples=4000, toggle_rate=0.25)
    roles = np.bincount(circuit.netlist.roles, minlength=len(ROLES))
    assert 200 <= roles[ROLES.index("tree")] <= 270 and 90 <= roles[ROLES.index("mat")] <= 120
    assert circuit.answer == "scores" and circuit.labels is None
    assert np.mean(circuit.samples[1:] != circuit.samples[:-1]) == pytest.approx(0.25, abs=0.01)
    again, other = (stand_in(SMALL, n_samples=1, toggle_rate=0.25, seed=seed) for seed in (0, 1))
    assert np.array_equal(again.netlist.tables, circuit.netlist.tables)
    assert not np.array_equal(again.netlist.tables, other.netlist.tables)


def test_every_member_of_a_vote_has_a_say() -> None:
    netlist = stand_in(MNIST, n_samples=1, toggle_rate=0.5).netlist
    votes = np.flatnonzero(netlist.roles == ROLES.index("mat")).tolist()
    for lut in votes:
        table = truth_tables.from_entries(netlist.table_of(lut))
        n = len(netlist.inputs_of(lut))
        assert n in (4, 8) and len(truth_tables.support(table, n)) == n


def test_wide_multiplexers_save_the_selecting_lut() -> None:
    circuit = stand_in(SVHN, n_samples=1, toggle_rate=0.5)
    assert poetbin.luts_with_wide_muxes(circuit) == map_netlist(circuit.netlist, 6).n_luts == 2660
    wide = PoetBin(data="wide", layer_sizes=(64, 10), tree_inputs=8, top_modules=1)
    circuit = stand_in(wide, n_samples=1, toggle_rate=0.5)
    trees = poetbin.luts_with_wide_muxes(circuit), map_netlist(circuit.netlist, 6).n_luts
    # 80 random trees of 8 inputs: 4 tables each, and a fifth LUT that selects where no multiplexer does.
    assert trees[0] >= 4 * 80 and trees[1] >= 5 * 80


def test_rows_of_svhn() -> None:
    (svhn,) = (one for one in poetbin.PUBLISHED if one.shape is SVHN)
    rows = {row.quantity: row for row in poetbin.rows_of(svhn)}
    assert rows["SVHN: LUT6 of the circuit (2,160 trees, 420 MATs, 80 score bits)"].error == 0
    luts = rows["SVHN: LUT6"]
    assert (luts.published, luts.ours, luts.certainty) == (2660, 2660, "recalled, medium certainty")
    arithmetic = rows["SVHN: float classifier, arithmetic only"]
    assert arithmetic.ours == pytest.approx(1_634_364 * 4.6e-6) and arithmetic.unit == "uJ"
    energy = rows["SVHN: energy of a classification at 10 ns"]
    assert energy.published == 4.1 and energy.certainty == "recalled, low certainty"
    assert energy.ours is not None and 0.01 < energy.ours < energy.published and "static" in energy.differs_because
    for missing in ("clock", "latency", "accuracy"):
        row = rows[f"SVHN: {missing}"]
        assert row.ours is None and row.published is not None and row.differs_because
    assert "--set top_modules=6" in rows["SVHN: accuracy"].differs_because
    for row in rows.values():
        assert row.certainty and row.source and (row.differs_because or row.error == pytest.approx(0, abs=1e-12))


def test_claims_of_the_abstract() -> None:
    """A million needs weights in DRAM; with SRAM the factor is some 5 x 10^4."""
    (cifar10,) = (one for one in poetbin.PUBLISHED if one.shape is CIFAR10)
    rows = list(poetbin._claims(cifar10, 1.0))
    off_chip, on_chip, fabric = rows[:3]
    assert off_chip.published == on_chip.published == 1e6 and off_chip.certainty == "in the abstract"
    assert off_chip.ours is not None and on_chip.ours is not None and fabric.ours is not None
    assert 5e5 < off_chip.ours < 2e6 and 1e4 < on_chip.ours < 1e5
    assert fabric.ours == pytest.approx(on_chip.ours * cifar10.energy_nj)
    assert "DRAM" in off_chip.differs_because and fabric.published is None
    assert [row.published for row in rows[3:]] == [1e3, 1e3, None]


def test_votes_of_two_are_refused() -> None:
    with pytest.raises(ValueError, match="two: wanted votes of 1 or of 3 and more, got 2"):
        PoetBin(data="two", layer_sizes=(20, 30), tree_inputs=3, top_modules=2)
