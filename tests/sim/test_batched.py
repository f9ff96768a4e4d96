"""Many designs in one call against one design at a time: the same Runs, whatever they share (docs/batched.md)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.fhe import Design as FheDesign
from designs.families.lut import Design as LutDesign
from sim.columns import grouped, row_keys, shared
from sim.families import fhe, lut, sparse
from sim.parts import fhe_columns
from sim.run import LayerRun, Run, made
from tests.families.fhe_twin import random_design_that_fits
from tests.families.lut_cases import random_case as random_circuit_case
from tests.families.sparse_twin import random_case
from workloads.circuits.random_circuits import random_circuit
from workloads.kinds.matrices import matrices_of
from workloads.sparse.layer import SparseLayer

SEEDS = st.integers(0, 2**32 - 1)


def check(module: Any, designs: Sequence[Any], workload: Any) -> None:
    """Equal Runs, counts as Python's integers, in any order of designs."""
    together = module.simulate(designs, workload)
    assert together == [module.simulate_one(design, workload) for design in designs]
    assert module.simulate(designs[::-1], workload)[::-1] == together
    for run in together:
        assert vars(run).keys() == {field.name for field in fields(Run)}
        for layer in run.layers:
            assert vars(layer).keys() == {field.name for field in fields(LayerRun)}
        for counts in (run.phases, run.activity, *(layer.phases for layer in run.layers)):
            assert all(type(count) is int for count in counts.values())
        assert sum(run.phases.values()) == run.cycles


def test_groups_in_order_of_appearance() -> None:
    firsts, which = grouped(["b", "a", "b", "c", "a"])
    assert (firsts, which.tolist()) == ([0, 1, 3], [0, 1, 0, 2, 1])
    assert shared(["xx", "y", "zz"], len, ord_of_first).tolist() == [ord("x"), ord("y"), ord("x")]
    keys = row_keys(np.array([[1, 2], [2, 1], [1, 2]]))
    assert keys[0] == keys[2] != keys[1]


def ord_of_first(text: str) -> int:
    return ord(text[0])


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_bootstrapping_machines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    designs = [random_design_that_fits(rng) for _ in range(int(rng.integers(4, 10)))]
    # Some in which a MUX does not fit: those are failed runs among the others.
    check(fhe, designs, random_circuit(seed, int(rng.integers(3, 60)), mux_share=float(rng.choice([0, 0.2]))))


@settings(max_examples=12, deadline=None)
@given(SEEDS)
def test_sparse_machines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = [random_case(int(rng.integers(1 << 32)))[1] for _ in range(int(rng.integers(1, 4)))]
    drawn = [random_case(int(rng.integers(1 << 32)))[0] for _ in range(4)]
    # Machines that share what they are fed from, or only how rows are dealt; some of them do not fit a layer.
    changes: dict[str, Any] = {
        "window": [1, 4, 16], "queue_depth": [1, 3], "double_buffered": [True, False], "dram_latency_cycles": [1, 40],
        "output_order": ["folded", "restored"], "acc_bits": [10, 32], "lane_entries": [20, 65535],
        "weights": ["streamed", "resident"],
    }  # fmt: skip
    designs = [
        replace(design, **{name: values[rng.integers(len(values))] for name, values in changes.items()})
        for design in drawn
        for _ in range(3)
    ]
    roomy = [replace(design, act_words=4096, value_bits=16, act_bits=16, dram_bytes_per_cycle=64) for design in designs]
    check(sparse, roomy + designs, matrices_of(tuple(named(layers)), "drawn"))


def named(layers: list[SparseLayer]) -> Iterator[SparseLayer]:
    for number, layer in enumerate(layers):
        yield replace(layer, name=f"layer {number}", repeat=number + 1)


@settings(max_examples=8, deadline=None)
@given(SEEDS)
def test_lut_machines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, workload, _ = random_circuit_case(seed)
    changes: dict[str, Any] = {
        "copies": range(1, 17), "clock_mhz": [50, 100], "lut_inputs": [4, 6], "levels_per_stage": [0, 1]
    }  # fmt: skip
    check(lut, [LutDesign(**{k: int(rng.choice(v)) for k, v in changes.items()}) for _ in range(12)], workload)


def test_runs_that_are_made_are_those_of_their_class() -> None:
    some = {"name": "a", "cycles": 1, "phases": {}, "activity": {}, "roofline_cycles": 1, "n_macs": 2}
    given_ = {**some, "utilization": 0.5, "repeat": 3, "tiling": None}
    assert made(LayerRun, **given_) == LayerRun(**given_)  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        made(LayerRun, **given_).cycles = 2  # type: ignore[misc]


def test_counters_that_64_bits_do_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    designs = [FheDesign(batch=batch) for batch in (2, 4, 8, 16)]
    circuit = random_circuit(1, 9, mux_share=0.0)
    wanted = fhe.simulate(designs, circuit)
    monkeypatch.setattr(fhe, "_MOST_COUNTED", 1.0)
    monkeypatch.setattr(fhe, "run_machines", None)
    assert fhe.simulate(designs, circuit) == wanted


def test_rotations_are_timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    designs = [FheDesign(multiplier_stages=7, memory_latency_cycles=cycles) for cycles in (3, 5, 7, 9)]
    circuit = random_circuit(2, 9, mux_share=0.0)
    wanted = fhe.simulate(designs, circuit)
    monkeypatch.setattr(fhe_columns, "rotation_lengths", None)
    assert fhe.simulate(designs, circuit) == wanted
