"""The sparse simulator against cases computed by hand, the cycle-by-cycle twin, and figures that others computed."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.errors import InputError
from designs.families.sparse import Design
from designs.technology import load_technology
from sim.cost import area_um2, energy_pj
from sim.families import sparse
from sim.parts.sparse_multiply import CAUSES
from sim.run import LayerRun
from tests.families.sparse_twin import difference, random_case
from workloads.kinds.matrices import Matrices, matrices_of
from workloads.load import load_workload
from workloads.mapping import sparse_lists
from workloads.sparse.layer import SparseLayer, SparseNumbers
from workloads.sparse.nonzeros import nonzeros

SEEDS = st.integers(0, 2**32 - 1)
TWO_LANES = Design(n_macs=2, n_sets=2, sort_rows=False, window=2, act_words=4)


def layer_of(rows: list[list[int]], vectors: list[list[int]]) -> SparseLayer:
    return SparseLayer(
        name="by hand",
        matrix=nonzeros(np.array(rows)),
        n_vectors=len(vectors),
        vectors=np.array(vectors),
        numbers=SparseNumbers(
            bias=np.zeros(len(rows), np.int64), multiplier=1, shift=0, in_zero=0, in_signed=True, out_zero=0,
            out_low=-128, out_high=127,
        ),
    )  # fmt: skip


def counted(run: LayerRun, *names: str) -> list[int]:
    return [run.activity[name] for name in names]


# Lane 0 has columns 0, 1, 2; lane 1 has column 3.
LISTS = layer_of([[1, 2, 3, 0], [0, 0, 0, 4]], [[1, 0, 1, 1]])
# Column 0: two entries in lane 0, none in lane 1; column 1: none in lane 0, one in lane 1.
COLUMNS = layer_of([[1, 0], [0, 0], [2, 0], [0, 3]], [[1, 1]])


@pytest.mark.parametrize(
    ("window", "multiply_cycles", "stalls", "idle"),
    [
        (1, 4, 3, 1),  # lane 1 waits for column 2 to be done
        (2, 3, 2, 0),  # lane 1 works with the last entry of lane 0
        (4, 3, 0, 2),
    ],
)
def test_window_by_hand(window: int, multiply_cycles: int, stalls: int, idle: int) -> None:
    # Beats: lengths, two lists, rows; one vector: taken in 40 to 44. Two words leave after 3 cycles of the drain.
    run = sparse.run_layer(replace(TWO_LANES, window=window), LISTS)
    assert run.cycles == 45 + 2 + multiply_cycles + 2 + (3 + 2)
    assert run.phases == {
        "latency": 40, "load": 5, "prime": 2, "multiply": 2, "stall_window": multiply_cycles - 3, "stall_queue": 0,
        "imbalance": 1, "settle": 2, "drain": 5,
    }  # fmt: skip
    assert run.activity == {
        "macs": 4, "padding_macs": 0, "window_stalls": stalls, "idle_lanes": idle, "empty_columns": 0,
        "queue_stalls": 0, "entry_reads": 2, "act_reads": 4, "acc_updates": 4, "outputs": 2, "load_beats": 4,
        "vector_beats": 1, "overflows": 0,
    }  # fmt: skip
    assert run.utilization == 4 / (2 * run.cycles)


@pytest.mark.parametrize(
    ("depth", "x", "multiply_cycles", "waits", "empty", "idle", "share", "stall"),
    [
        (1, [1, 1], 5, 2, 2, 5, 2, 2),  # broadcasts in 0 and 3, as lane 0 works in 1 and 2
        (2, [1, 1], 4, 0, 2, 3, 2, 1),  # in 0 and 1; lane 0 ends in 3
        (1, [1, 0], 3, 0, 1, 3, 1, 1),
        (1, [0, 0], 0, 0, 0, 0, 0, 0),
    ],
)
def test_queue_by_hand(
    depth: int, x: list[int], multiply_cycles: int, waits: int, empty: int, idle: int, share: int, stall: int
) -> None:
    run = sparse.run_layer(replace(TWO_LANES, feed="queue", queue_depth=depth), COLUMNS, np.array([x]))
    phases = [run.phases[name] for name in ("multiply", "stall_queue", "imbalance")]
    assert phases == [share, stall, multiply_cycles - share - stall]
    assert counted(run, "queue_stalls", "empty_columns", "idle_lanes") == [waits, empty, idle]
    assert counted(run, "macs", "act_reads") == [2 * x[0] + x[1], sum(x)]
    all_columns = sparse.run_layer(replace(TWO_LANES, feed="queue", skip_zeros=False), COLUMNS, np.array([x]))
    assert counted(all_columns, "macs", "act_reads") == [3, 2]


def test_padding_by_hand() -> None:
    # One lane; rows 0 and 5 in a column, 4 rows between them: of 1 bit, a gap stands for at most 1 row.
    column = layer_of([[1], [0], [0], [0], [0], [1]], [[1]])
    design = Design(n_macs=1, n_sets=1, sort_rows=False, feed="queue", relative_bits=1)
    run = sparse.run_layer(design, column)
    assert counted(run, "macs", "padding_macs", "acc_updates", "idle_lanes") == [2, 2, 4, 1]
    assert run.n_macs == 2


@pytest.mark.parametrize(
    ("fields", "n_vectors", "cycles"),
    [
        ({"weights": "resident"}, 1, 57 - 4),
        ({"output_order": "folded"}, 1, 57 - 1),
        ({}, 2, 57 + 12),  # the second vector's beat is taken while the first is multiplied
        ({"double_buffered": False}, 2, 57 + 12),  # in cycle 50, when the first has been multiplied
        ({"accumulators": 1, "n_macs": 1, "n_sets": 1}, 1, 64),
        # Two slices of a row: lengths, list, row; vector: taken in 40 to 43 and 44 to 47. Runs: 44, 2 + 3 + 2 + 4, and 55,
        # 2 + 1 + 2 + 4. With one buffer for each: a slice from 55 on, then a vector: run from 59 on.
        ({"accumulators": 1, "n_macs": 1, "n_sets": 1, "double_buffered": False}, 1, 68),
    ],
)
def test_runs_by_hand(fields: dict[str, object], n_vectors: int, cycles: int) -> None:
    assert LISTS.vectors is not None
    run = sparse.run_layer(replace(TWO_LANES, **fields), LISTS, np.repeat(LISTS.vectors, n_vectors, axis=0))  # type: ignore[arg-type]
    assert run.cycles == cycles == sum(run.phases.values())


def test_stalls_by_hand() -> None:
    # Taken in 1 to 4 and 9; run from 10; multiply 12 to 14, drain from 17, the first word is there in 20.
    arrivals, ready = np.array([0, 0, 0, 0, 9]), np.ones(23, bool)
    ready[20:22] = False
    run = sparse.run_layer(TWO_LANES, LISTS, beat_arrivals=arrivals, ready=ready)
    assert run.cycles == 24
    assert [run.phases[name] for name in ("latency", "load", "drain")] == [0, 10, 7]


def test_timeline_by_hand() -> None:
    assert LISTS.vectors is not None
    twice = replace(LISTS, n_vectors=2, vectors=np.repeat(LISTS.vectors, 2, axis=0))
    events = [(e["track"], e["name"], e["start_cycle"], e["end_cycle"]) for e in sparse.timeline(TWO_LANES, twice)]
    assert events == [
        ("slices", "lists of run 0", 40, 44),
        ("vectors", "vector of run 0", 44, 45), ("vectors", "vector of run 1", 45, 46),
        ("prime", "prime 0", 45, 47), ("prime", "prime 1", 57, 59),
        ("multiply", "multiply 0", 47, 50), ("multiply", "multiply 1", 59, 62),
        ("results", "settle and drain 0", 50, 57), ("results", "settle and drain 1", 62, 69),
    ]  # fmt: skip
    with pytest.raises(InputError, match="wanted no tiling"):
        sparse.timeline(TWO_LANES, twice, tiling=())  # type: ignore[arg-type]


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_timelines_end_with_the_run(seed: int) -> None:
    design, layer = random_case(seed)
    events, run = sparse.timeline(design, layer), sparse.run_layer(design, layer)
    assert max(event["end_cycle"] for event in events) == run.cycles
    of_tracks = dict.fromkeys(("prime", "multiply", "results", "vectors", "slices"), 0)
    for event in events:
        of_tracks[event["track"]] += event["end_cycle"] - event["start_cycle"]
    assert of_tracks["prime"] == run.phases["prime"]
    assert of_tracks["multiply"] == sum(run.phases[name] for name in CAUSES)
    assert of_tracks["results"] == run.phases["settle"] + run.phases["drain"]
    assert of_tracks["vectors"] >= run.activity["vector_beats"] and of_tracks["slices"] >= run.activity["load_beats"]


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_simulator_equals_the_twin(seed: int) -> None:
    assert difference(seed) is None


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_arrays_that_stall_nothing_change_nothing(seed: int) -> None:
    design, layer = random_case(seed)
    arrivals = design.dram_latency_cycles + np.arange(sparse.n_beats(design, layer))
    free = sparse.run_layer(design, layer)
    assert sparse.run_layer(design, layer, beat_arrivals=arrivals, ready=np.ones(free.cycles // 2, bool)) == free


def test_what_is_kept_goes_with_its_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    design, layer = random_case(0)
    before = sparse.run_layer(design, layer)
    wider = replace(design, window=32 if design.window != 32 else 16, queue_depth=design.queue_depth + 1)
    (fresh,) = sparse.simulate([wider], matrices_of((random_case(0)[1],), "fresh"))
    monkeypatch.setattr(sparse_lists, "_kept", sparse_lists._Kept())
    gc.collect()
    assert sparse.run_layer(design, layer) == before
    assert sparse.simulate([wider], matrices_of((layer,), "kept"))[0].layers == fresh.layers


# Figures that others computed.


def random_matrix(kind: str = "iid") -> Matrices:
    found = load_workload(f"sparse:512x512:0.77:{kind}")
    assert isinstance(found, Matrices)
    return found


def utilizations(designs: list[Design], workload: Matrices) -> list[float]:
    return [round(run.figures["multiply_utilization"], 3) for run in sparse.simulate(designs, workload)]


ROOMY = Design(lane_entries=65535, accumulators=512, act_words=32768)


@pytest.mark.parametrize(
    ("n_macs", "n_sets", "by_window"),
    [
        (1024, 8, {4: 0.460, 8: 0.866, 16: 0.981, 32: 0.998}),
        (256, 8, {1: 0.460, 2: 0.699, 4: 0.954, 8: 0.981}),
        (64, 64, {2: 0.618, 8: 0.887, 32: 0.981}),  # RCSC
        (64, 8, {2: 0.923, 8: 0.986}),
    ],
)
def test_finite_windows(n_macs: int, n_sets: int, by_window: dict[int, float]) -> None:
    """Utilization of 512 x 512, 77 % zeros, by a plain NumPy loop over cycles of another author."""
    designs = [replace(ROOMY, n_macs=n_macs, n_sets=n_sets, window=window) for window in by_window]
    assert utilizations(designs, random_matrix()) == list(by_window.values())


@pytest.mark.parametrize(
    ("n_macs", "csc", "rcsc", "sa_8", "sa_32"),
    [(64, 0.687, 0.958, 0.998, 0.982), (256, 0.512, 0.807, 0.998, 0.981), (1024, 0.204, 0.204, 0.998, 0.981)],
)
def test_windows_are_as_good_as_lists_where_columns_are_queued(
    n_macs: int, csc: float, rcsc: float, sa_8: float, sa_32: float
) -> None:
    """The share of the longest list is an upper bound, which the widest window nearly reaches in SA-RCSC."""
    designs = [
        replace(ROOMY, n_macs=n_macs, n_sets=n_macs, sort_rows=False, window=64),
        replace(ROOMY, n_macs=n_macs, n_sets=n_macs, window=64),
        replace(ROOMY, n_macs=n_macs, n_sets=8, window=64),
        replace(ROOMY, n_macs=n_macs, n_sets=32, window=64),
    ]
    workload = random_matrix("rowvar")
    longest = []
    for run in sparse.simulate(designs, workload):
        cycles = run.phases["multiply"] + run.phases["imbalance"]
        longest.append(round(run.activity["macs"] / (n_macs * cycles), 3))
    assert longest == [csc, rcsc, sa_8, sa_32]
    assert utilizations(designs, workload)[2:] == [sa_8, sa_32]


# The rest of the contract.


def test_layers_add_up_and_a_misfit_is_a_failed_run() -> None:
    pair = matrices_of((LISTS, replace(COLUMNS, repeat=3)), "pair")
    (run,) = sparse.simulate([TWO_LANES], pair)
    lists, columns = (sparse.run_layer(TWO_LANES, layer) for layer in (LISTS, COLUMNS))
    assert run.cycles == lists.cycles + 3 * columns.cycles
    assert run.figures["multiply_utilization"] == (4 + 3 * 3) / (2 * (3 + 3 * 2))
    narrow = replace(TWO_LANES, act_words=3)
    (problem,) = sparse.misfits([narrow], pair)
    assert problem is not None and problem.startswith("by hand: act_words: wanted 4 or more")
    assert sparse.simulate([narrow], pair)[0].failure == problem
    with pytest.raises(InputError, match="by hand: act_words"):
        sparse.run_layer(narrow, LISTS)


def test_arrays_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="beat_arrivals: wanted 5 cycles, one a beat, got 4"):
        sparse.run_layer(TWO_LANES, LISTS, beat_arrivals=np.arange(4))
    with pytest.raises(InputError, match=r"vectors: wanted \(n_vectors, 4\), got the shape \(1, 3\)"):
        sparse.run_layer(TWO_LANES, LISTS, np.zeros((1, 3), np.int64))


def test_what_a_machine_has_costs() -> None:
    prices = load_technology(45)
    window, queue = Design(), Design(feed="queue")
    (run,) = sparse.simulate([window], matrices_of((random_matrix().layers[0],), "one"))
    parts = sparse.inventory(window)
    entries = next(part for part in parts["entry_memory"] if part.kind == "sram")
    # 8 + 11 + 6 bits: 4 bytes, 4 entries a beat and word; 1024 entries; two buffers of 64 lanes.
    assert (entries.bits, entries.words, entries.count) == (100, 256, 128)
    energy = energy_pj(parts, run.activity, 1.0, prices)
    read_pj, write_pj = prices.sram_read_pj.at(3.125, 100), prices.sram_write_pj.at(3.125, 100)
    used = run.activity["entry_reads"] * read_pj + run.activity["load_beats"] * write_pj
    muxes = run.activity["entry_reads"] * 100 * prices.logic_pj["mux"]["ways"]
    assert energy["entry_memory"] == pytest.approx(used + muxes)
    assert "window" in parts and "queue" not in parts
    assert {"queue", "pointer_memory"} <= set(sparse.inventory(queue)) and "window" not in sparse.inventory(queue)
    assert area_um2(sparse.inventory(replace(window, weights="resident")), prices).keys() == area_um2(parts, prices).keys()
