"""Netlists on a fabric: functions kept, few LUTs, levels, stages and banks as docs/lut.md has them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.lut import Design
from designs.yosys import run_yosys
from tests.workloads.test_optimize import netlist_of
from workloads import truth_tables
from workloads.arithmetic import argmax, at_least, count_ones
from workloads.importers.blif import write_blif
from workloads.mapping.lut import Circuit, circuit_of, levels_of, map_netlist
from workloads.mapping.lut_packing import _matching, n_packed, pairs
from workloads.netlist import CONSTANT_1, Netlist, run_netlist
from workloads.netlist_builder import NetlistBuilder, check
from workloads.optimize import optimize
from workloads.random_netlists import random_netlist

AND, OR, XOR = [0, 0, 0, 1], [0, 1, 1, 1], [0, 1, 1, 0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 25), st.integers(1, 8), st.integers(3, 6))
def test_mapping_keeps_functions(seed: int, n_inputs: int, n_luts: int, max_inputs: int, lut_inputs: int) -> None:
    netlist = random_netlist(np.random.default_rng(seed), n_inputs, n_luts, max_inputs)
    mapped = map_netlist(netlist, lut_inputs)
    check(mapped)
    assert (np.diff(mapped.fanin_start) <= lut_inputs).all()
    x = np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs) & 1
    assert (run_netlist(mapped, x) == run_netlist(netlist, x)).all()
    assert (mapped.input_names, mapped.output_names) == (netlist.input_names, netlist.output_names)


# Cutting into stages.


def plain_banks(circuit: Circuit) -> list[list[int]]:
    """Each bank by its definition, signal by signal."""
    netlist = circuit.netlist
    stage = [0] * netlist.n_inputs + circuit.stages.tolist()
    readers: list[set[int]] = [set() for _ in stage]
    for lut in range(netlist.n_luts):
        for signal in netlist.inputs_of(lut):
            readers[signal].add(int(circuit.stages[lut]))
    outputs = set(netlist.outputs.tolist())
    return [
        [s for s in range(len(stage)) if stage[s] <= bank and (s in outputs or any(r > bank for r in readers[s]))]
        for bank in range(circuit.n_stages + 1)
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(0, 40), st.integers(0, 4))
def test_levels_stages_and_banks(seed: int, n_inputs: int, n_luts: int, levels_per_stage: int) -> None:
    netlist = random_netlist(np.random.default_rng(seed), n_inputs, n_luts, 6)
    circuit = circuit_of(Design(levels_per_stage=levels_per_stage), netlist)
    mapped = circuit.netlist
    level = [0] * mapped.n_inputs
    for lut in range(mapped.n_luts):
        level.append(1 + max(level[signal] for signal in mapped.inputs_of(lut)))
    assert circuit.levels.tolist() == level[mapped.n_inputs :] and circuit.levels.dtype == np.int32
    depth = max(level)
    m = levels_per_stage
    assert circuit.n_levels == depth
    assert circuit.n_stages == (max(1, -(-depth // m)) if m else 1) and circuit.latency_cycles == circuit.n_stages + 1
    assert circuit.stages.tolist() == [-(-one // m) if m else 1 for one in circuit.levels]
    assert [bank.tolist() for bank in circuit.banks] == plain_banks(circuit)
    assert circuit.banks[-1].tolist() == sorted({s for s in mapped.outputs.tolist() if s >= 0})


def test_banks_by_hand() -> None:
    """y0 = ((x0 ^ x1 ^ x2 ^ x3) of one level in LUT4) ^ x4 ^ x5; x5 is an output too, and 1."""
    parity = [bin(index).count("1") & 1 for index in range(16)]
    netlist = netlist_of(7, [([0, 1, 2, 3], parity), ([7, 4, 5], [parity[i] for i in range(8)])], [8, 5, CONSTANT_1])
    circuit = circuit_of(Design(lut_inputs=4, levels_per_stage=1), netlist)
    assert circuit.n_stages == 2 and circuit.levels.tolist() == [1, 2]
    assert [bank.tolist() for bank in circuit.banks] == [[0, 1, 2, 3, 4, 5], [4, 5, 7], [5, 8]]  # nobody reads x6
    together = circuit_of(Design(lut_inputs=4), netlist)
    assert together.n_stages == 1 and [bank.tolist() for bank in together.banks] == [[0, 1, 2, 3, 4, 5], [5, 8]]


def test_a_circuit_of_wires_has_one_stage() -> None:
    circuit = circuit_of(Design(levels_per_stage=1), netlist_of(2, [], [1, CONSTANT_1]))
    assert circuit.n_stages == 1 and [bank.tolist() for bank in circuit.banks] == [[1], [1]]
    assert circuit.n_luts_physical == 0


# Fracturable LUTs.


def test_packing_by_hand() -> None:
    luts = [([0, 1, 2], [0, 1] * 4), ([2, 3, 4], [0, 1] * 4), ([5, 6, 7], [0, 1] * 4), ([0, 1, 2, 3, 4, 5], [1] * 64)]
    netlist = netlist_of(8, luts, [8, 9, 10, 11])
    assert pairs(netlist, 6).tolist() == [[0, 1]]  # together five inputs; the third would make six, the fourth has six
    assert n_packed(netlist, 6) == 3
    assert n_packed(netlist_of(8, luts[:3], [8]), 5) == 3


def test_the_design_says_whether_luts_are_packed() -> None:
    netlist = netlist_of(4, [([0, 1], AND), ([0, 1], XOR), ([2, 3], OR)], [4, 5, 6])
    assert circuit_of(Design(), netlist).n_luts_physical == 3
    assert circuit_of(Design(fracturable=True), netlist).n_luts_physical == 2


def most_pairs(left: int, adjacent: list[int]) -> int:
    """Pairs of a maximum matching of the vertices in the set `left`, by trying everything."""
    if not left:
        return 0
    vertex = left.bit_length() - 1
    left ^= 1 << vertex
    found = most_pairs(left, adjacent)
    for other in range(vertex):
        if left & adjacent[vertex] & 1 << other:
            found = max(found, 1 + most_pairs(left ^ (1 << other), adjacent))
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 11), st.sampled_from([0.15, 0.25, 0.4]))
def test_the_matching_is_maximum(seed: int, n: int, density: float) -> None:
    graph = np.triu(np.random.default_rng(seed).random((n, n)) < density, 1)
    graph |= graph.T
    mates = _matching(np.cumsum([0, *graph.sum(axis=1)]), np.nonzero(graph)[1].astype(np.int32))
    paired = np.flatnonzero(mates >= 0)
    assert (mates[mates[paired]] == paired).all() and graph[paired, mates[paired]].all()
    adjacent = [sum(1 << int(b) for b in np.flatnonzero(row)) for row in graph]
    assert len(paired) // 2 == most_pairs((1 << n) - 1, adjacent)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 6))
def test_pairs_fit_together(seed: int, lut_inputs: int) -> None:
    netlist = random_netlist(np.random.default_rng(seed), 10, 40, lut_inputs)
    found = pairs(netlist, lut_inputs)
    assert len(set(found.ravel().tolist())) == found.size
    for a, b in found:
        assert len({*netlist.inputs_of(a), *netlist.inputs_of(b)}) < lut_inputs


# Counts.


def poetbin(classes: int, per_class: int, modules: int, inputs: int) -> Netlist:
    """The shape of a PoET-BiN classifier with random tables: trees, MATs, a MAT on top, 8 score bits a class."""
    rng = np.random.default_rng(0)
    luts: list[tuple[list[int], list[int]]] = []

    def add(fanin: list[int]) -> int:
        table = 0
        while len(truth_tables.support(table, len(fanin))) < len(fanin):
            table = truth_tables.from_entries(rng.integers(0, 2, 1 << len(fanin)))
        luts.append((fanin, truth_tables.to_entries(table, len(fanin)).tolist()))
        return 512 + len(luts) - 1

    def module() -> int:
        return add([add(rng.choice(512, inputs, replace=False).tolist()) for _ in range(inputs)])

    scores: list[int] = []
    for _ in range(classes):
        tops = [add([module() for _ in range(modules)]) for _ in range(per_class)]
        scores += [add(tops) for _ in range(8)]
    return netlist_of(512, luts, scores)


@pytest.mark.parametrize(
    ("per_class", "modules", "inputs", "luts"), [(8, 4, 8, 3040), (8, 5, 8, 3760), (6, 6, 6, 2660)]
)
def test_sizes_of_poetbin(per_class: int, modules: int, inputs: int, luts: int) -> None:
    """MNIST, CIFAR-10 and SVHN as published: neurons * (trees + modules + 1) + 8 score bits of each of 10 classes."""
    netlist = poetbin(10, per_class, modules, inputs)
    assert netlist.n_luts == 10 * per_class * (modules * inputs + modules + 1) + 80 == luts
    assert optimize(netlist).n_luts == luts  # random tables: nothing to save


@pytest.mark.parametrize(
    ("per_class", "modules", "inputs", "lut6"),
    [
        (
            8,
            4,
            8,
            8 * (4 * 9 * 5 + 1) + 8 * 5,
        ),  # a random LUT8 is four LUT6 and a multiplexer; the MAT on top has 4 inputs
        (8, 5, 8, 8 * (5 * 9 * 5 + 1) + 8 * 5),
        (6, 6, 6, 6 * (6 * 7 + 1) + 8),
    ],
)
def test_sizes_of_poetbin_as_lut6(per_class: int, modules: int, inputs: int, lut6: int) -> None:
    """One class of each; a MAT of random bits may now and then need a LUT less."""
    mapped = map_netlist(poetbin(1, per_class, modules, inputs), 6).n_luts
    assert 0.98 * lut6 <= mapped <= lut6


def boosted(trees: int, classes: int = 10, pixels: int = 64) -> Netlist:
    """Comparators of 5-bit pixels with 3 thresholds, random trees of 6 inputs, popcounts, argmax."""
    rng = np.random.default_rng(0)
    builder = NetlistBuilder([f"x{index}" for index in range(5 * pixels)])
    features = [
        at_least(builder, range(5 * pixel, 5 * pixel + 5), threshold, "encoder")
        for pixel in range(pixels)
        for threshold in (4, 8, 12)
    ]
    scores = []
    for _ in range(classes):
        votes = [builder.lut(rng.choice(features, 6, False), rng.integers(0, 2, 64), "tree") for _ in range(trees)]
        scores.append(count_ones(builder, votes, "sum"))
    index = argmax(builder, scores, signed=False, role="argmax")
    return builder.finish([(f"y{place}", signal) for place, signal in enumerate(index)])


@pytest.mark.parametrize(("trees", "most"), [(12, 268), (20, 433), (30, 623)])
def test_sizes_of_boosted_classifiers(trees: int, most: int) -> None:
    """Without the comparators, whose number depends on the data: trees, popcounts (10, 17, 26 each), argmax (48, 63)."""
    mapped = map_netlist(boosted(trees), 6)
    assert (mapped.roles != 0).sum() <= most
    assert levels_of(mapped).max() <= 20


def test_points_that_share_a_netlist_are_quick() -> None:
    netlist = random_netlist(np.random.default_rng(0), 300, 3000, 6, shape="wide", n_outputs=2000)
    circuit_of(Design(levels_per_stage=1), netlist)
    start = time.process_time()
    for levels_per_stage in range(10):
        circuit_of(Design(levels_per_stage=levels_per_stage), netlist)
    assert (time.process_time() - start) / 10 < 0.05
    assert map_netlist(replace(netlist), 6) is map_netlist(netlist, 6)  # found by content
    assert map_netlist(replace(netlist, outputs=netlist.outputs[::-1].copy()), 6) is not map_netlist(netlist, 6)


@pytest.mark.rtl
@pytest.mark.parametrize("lut_inputs", [4, 6])
def test_yosys_as_a_referee(tmp_path: Path, lut_inputs: int) -> None:
    """abc's mapper takes no fewer LUTs for a classifier, and at most a tenth fewer for random logic, which it restructures."""
    rng = np.random.default_rng(3)
    logic = random_netlist(rng, 12, 30, 8, shape="mixed")
    for netlist, most in ((boosted(3, classes=5, pixels=16), 1.0), (logic, 1.1)):
        write_blif(netlist, tmp_path / "in.blif", "top")
        run_yosys(
            f"read_blif in.blif\ntechmap\nopt -fast\nabc -lut {lut_inputs}\nopt_clean\n"
            "tee -q -o luts.txt select -count t:$lut\n",
            tmp_path,
        )
        theirs = int((tmp_path / "luts.txt").read_text().split()[0])
        assert map_netlist(netlist, lut_inputs).n_luts <= most * theirs
