"""The sparse machine's RTL: what its docstrings promise, timing by hand from docs/sparse.md, same text, clean lint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from designs.families.sparse import Design
from hw.bench.sparse import MISSING, LayerRun, Stimulus, n_stream_beats, run_layers, sparse_verilog
from hw.parts.sparse_broadcast import Compaction
from hw.verilog import lint
from workloads.sparse.layer import SparseLayer, SparseNumbers
from workloads.sparse.nonzeros import nonzeros

SMALL = Design(
    n_macs=2, n_sets=1, window=2, accumulators=2, lane_entries=16, act_words=16, dram_latency_cycles=5
)
QUEUE = replace(SMALL, n_macs=1, feed="queue", queue_depth=1)


def layer_of(weights: list[list[int]], vectors: list[list[int]], bias: list[int] | None = None, **numbers: Any) -> SparseLayer:
    """Results are the sums themselves, clipped to 8 signed bits."""
    plain = {"multiplier": 1, "shift": 0, "in_zero": 0, "in_signed": True, "out_zero": 0, "out_low": -128, "out_high": 127}
    return SparseLayer(
        name="by hand",
        matrix=nonzeros(np.array(weights)),
        n_vectors=len(vectors),
        vectors=np.array(vectors),
        numbers=SparseNumbers(bias=np.array(bias or [0] * len(weights)), **plain | numbers),
    )


# Lane 0: columns 0 and 3, lane 1: column 1. Slice: lengths, two lists, rows: four beats; a vector is one.
TWO_ROWS = [[1, 2, 0, 0], [0, 0, 0, 3]]


def run(design: Design, layer: SparseLayer, folder: Path, **traffic: Any) -> LayerRun:
    return run_layers(design, [Stimulus(layer=layer, **traffic)], work_dir=folder)[0]


@pytest.mark.parametrize(
    "design",
    [
        SMALL,
        replace(SMALL, n_macs=6, n_sets=3, output_order="folded", window=8, dram_bytes_per_cycle=4, act_bits=12),
        replace(QUEUE, relative_bits=1, n_macs=3, n_sets=3, output_order="folded"),
        replace(QUEUE, dram_bytes_per_cycle=2, value_bits=4, act_bits=16, weights="resident", double_buffered=False),
        Design(n_macs=1, n_sets=1, window=1, accumulators=1, lane_entries=1, act_words=1, value_bits=1, act_bits=1),
    ],
    ids=["small", "wide entries", "gaps", "narrow beats", "smallest"],
)
def test_same_text_and_clean_lint(design: Design) -> None:
    design.check()
    text = sparse_verilog(design)
    assert text == sparse_verilog(design)
    assert lint(text, top="sparse_machine") == []


def test_equal_lanes_share_their_modules() -> None:
    four, eight = (sparse_verilog(replace(SMALL, n_macs=n)).count("\nmodule ") for n in (4, 8))
    assert four == eight


@settings(max_examples=15)
@given(st.lists(st.booleans(), min_size=16, max_size=16), st.sampled_from([1, 2, 8, 16]))
def test_compaction_keeps_order(kept: list[bool], n_elements: int) -> None:
    dut, found = Compaction(element_bits=8, n_elements=n_elements), []

    async def bench(ctx: Any) -> None:
        ctx.set(dut.keep, sum(keep << i for i, keep in enumerate(kept[:n_elements])))
        for i in range(n_elements):
            ctx.set(dut.elements[i], 100 + i)
        found.extend([ctx.get(dut.n_kept), *(ctx.get(dut.packed[i]) for i in range(n_elements))])

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    wanted = [100 + i for i in range(n_elements) if kept[i]]
    assert found[0] == len(wanted) and found[1 : 1 + len(wanted)] == wanted


@pytest.mark.rtl
def test_timing_and_activity_by_hand(tmp_path: Path) -> None:
    """Beats in 5 to 9, prime in 10, 11, columns 0 and 1 in 12, 3 in 13, settle, drain from 16 on: words in 19, 20."""
    found = run(SMALL, layer_of(TWO_ROWS, [[10, 20, 30, -40]], [5, -1]), tmp_path)
    assert found.outputs.tolist() == [[1 * 10 + 2 * 20 + 5, -121]]
    assert found.beat_cycles.tolist() == [5, 6, 7, 8, 9]
    assert found.word_cycles.tolist() == [19, 20] and found.cycles == 21
    assert found.phases == {"prime": 2, "multiply": 2, "settle": 2, "drain": 5}
    nothing = ("padding_macs", "window_stalls", "empty_columns", "queue_stalls", "overflows")
    assert found.activity == dict.fromkeys(nothing, 0) | {
        "macs": 3, "idle_lanes": 1, "entry_reads": 2, "act_reads": 4, "acc_updates": 3, "outputs": 2,
        "load_beats": 4, "vector_beats": 1,
    }  # fmt: skip


@pytest.mark.rtl
def test_a_window_of_one_stalls(tmp_path: Path) -> None:
    """Columns 0, 1 and 3 one after the other: lane 1 waits in the first cycle, and is idle in the last."""
    found = run(replace(SMALL, window=1), layer_of(TWO_ROWS, [[1, 1, 1, 1]]), tmp_path)
    assert found.phases["multiply"] == 3
    assert (found.activity["window_stalls"], found.activity["idle_lanes"]) == (2, 1)


@pytest.mark.rtl
def test_queue_timing_by_hand(tmp_path: Path) -> None:
    """Column 0 has two entries, 1 none, 2 one: broadcasts in multiply cycles 0, 3, 5, the last work in 6."""
    found = run(QUEUE, layer_of([[1, 0, 0], [2, 0, 3]], [[7, 8, 9]]), tmp_path)
    assert found.outputs.tolist() == [[7, 41]]
    assert found.word_cycles.tolist() == [24, 25]
    assert found.phases["multiply"] == 7
    names = ("macs", "idle_lanes", "empty_columns", "queue_stalls", "act_reads", "entry_reads", "load_beats")
    assert [found.activity[name] for name in names] == [3, 3, 1, 3, 3, 1, 4]


@pytest.mark.rtl
@pytest.mark.parametrize(("double_buffered", "beats"), [(True, [9, 10, 14, 25]), (False, [9, 14, 25, 36])])
def test_vectors_wait_for_a_free_buffer(double_buffered: bool, beats: list[int], tmp_path: Path) -> None:
    """Runs start in cycles 10, 21, 32, 43; their multiply phases end in 13, 24, 35, 46."""
    layer = layer_of(TWO_ROWS, [[1, 1, 1, 1]] * 4)
    found = run(replace(SMALL, double_buffered=double_buffered), layer, tmp_path)
    assert found.beat_cycles[4:].tolist() == beats
    assert found.word_cycles.tolist() == [19, 20, 30, 31, 41, 42, 52, 53]


@pytest.mark.rtl
def test_a_slice_waits_for_a_free_buffer(tmp_path: Path) -> None:
    """Two slices of two rows: one buffer is free from the cycle after the last word of slice 0 on, another at once."""
    layer = layer_of(TWO_ROWS * 2, [[1, 1, 1, 1]])
    for double_buffered, first_beat in ((True, 10), (False, 21)):
        found = run(replace(SMALL, double_buffered=double_buffered), layer, tmp_path / str(double_buffered))
        assert found.beat_cycles[5] == first_beat and found.outputs.tolist() == [[3, 3, 3, 3]]


@pytest.mark.rtl
def test_backpressure(tmp_path: Path) -> None:
    """A word that waits keeps all behind it where it is; before there is one, the receiver does not matter."""
    layer = layer_of(TWO_ROWS, [[1, 1, 1, 1]])
    between = np.ones(40, bool)
    between[20:30] = False
    stalls = (np.zeros(19, bool), np.zeros(26, bool), between)
    runs = run_layers(SMALL, [Stimulus(layer=layer, ready=ready) for ready in stalls], work_dir=tmp_path)
    assert [found.word_cycles.tolist() for found in runs] == [[19, 20], [26, 27], [19, 30]]
    assert [found.outputs.tolist() for found in runs] == [[[3, 3]]] * 3


@pytest.mark.rtl
def test_late_beats(tmp_path: Path) -> None:
    layer = layer_of(TWO_ROWS, [[1, 1, 1, 1]])
    found = run(SMALL, layer, tmp_path, beat_arrivals=np.array([1, 7, 8, 20, 20]))
    assert found.beat_cycles.tolist() == [1, 7, 8, 20, 21] and found.word_cycles.tolist() == [31, 32]


@pytest.mark.rtl
def test_resident_lists_and_several_layers_on_one_machine(tmp_path: Path) -> None:
    """Their beats come before `start`; an empty matrix has no multiply phase; nothing stays from the layer before."""
    design = replace(SMALL, weights="resident")
    layers = [layer_of(TWO_ROWS, [[1, 1, 1, 1]]), layer_of([[0, 0]], [[1, 1]], [9]), layer_of([[4], [0]], [[2]])]
    assert [n_stream_beats(design, layer) for layer in layers] == [1, 1, 1]
    runs = run_layers(design, [Stimulus(layer=layer) for layer in layers], work_dir=tmp_path)
    assert [found.outputs.tolist() for found in runs] == [[[3, 3]], [[9]], [[8, 0]]]
    # Vector in 5, prime in 6 and 7, two, no or one cycle of multiplying, two of settling, three of the pipeline.
    assert [found.word_cycles.tolist() for found in runs] == [[15, 16], [13], [14, 15]]
    assert [found.activity["load_beats"] for found in runs] == [0, 0, 0]


@pytest.mark.rtl
def test_a_result_that_does_not_come_is_seen(tmp_path: Path) -> None:
    """Rows are told by the machine: with numbers that it was not given, some result is missing."""
    layer = layer_of(TWO_ROWS[::-1], [[1, 1, 1, 1]])  # sorted: row 1 leaves first
    assert run(SMALL, layer, tmp_path / "good").outputs.tolist() == [[3, 3]]
    text = sparse_verilog(SMALL)
    wrong = text.replace("rows[47:32] : number", "16'd0 : number")  # each word says that it is row 0's
    assert wrong != text
    found = run_layers(SMALL, [Stimulus(layer=layer)], work_dir=tmp_path / "wrong", verilog=wrong)[0]
    assert found.outputs.tolist() == [[3, MISSING]]
