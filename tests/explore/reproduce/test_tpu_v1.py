"""TPU v1's rooflines, stand-ins and where the time of a run goes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from explore.reproduce import Table, tpu_v1
from sim.families import tensor
from workloads.builders.shapes import matrix_product

BY_NAME = {workload.name: workload for workload in tpu_v1.WORKLOADS}


def test_rooflines_by_hand() -> None:
    # 2 x 34e9 bytes/s x 200 multiplications a byte; the peak is 2 x 65,536 x 700e6.
    assert tpu_v1.roofline_tops(BY_NAME["MLP0"]) == pytest.approx(13.6)
    assert tpu_v1.roofline_tops(BY_NAME["CNN1"]) == pytest.approx(91.7504)
    bound = [workload.name for workload in tpu_v1.WORKLOADS if tpu_v1.is_memory_bound(workload)]
    assert bound == ["MLP0", "MLP1", "LSTM0", "LSTM1"]


@pytest.mark.parametrize("name", tpu_v1.SIMULATED)
def test_stand_ins_have_the_published_weights_and_batch(name: str) -> None:
    workload, layer = BY_NAME[name], tpu_v1.layer_of(BY_NAME[name])
    assert layer.n_weights * layer.repeat == pytest.approx(workload.weights_m * 1e6, rel=0.05)
    assert layer.in_channels == layer.out_channels == (600 if name == "LSTM1" else layer.in_channels // 256 * 256)
    # Multiplications a weight byte: batch times pixels, up to pixels that fill lines.
    pixels = layer.n_images * layer.out_h * layer.out_w
    assert workload.intensity == workload.batch * (workload.image or 1) ** 2
    assert pixels == pytest.approx(workload.intensity, rel=0.02)


def test_the_machine_reads_as_the_tpu() -> None:
    design = tpu_v1.design_of(tpu_v1.BUS_BYTES, tpu_v1.MEMORY_CLOCK_MHZ)
    design.check()
    assert design.dram_bytes_per_cycle * design.clock_mhz / 1000 == pytest.approx(tpu_v1.DRAM_GB_S, rel=0.001)
    assert design.acc_words == 2048  # 4096 accumulators of 256 sums of 32 bits, twice half of them


def test_shares_of_one_tile_by_hand() -> None:
    """A batch of 64 against one tile: 256 issue cycles, 64 of them with an activation."""
    layer = matrix_product("tile", 64, 256, 256)
    design = tpu_v1.design_of(64, 350)
    (run,) = tensor.simulate_layers([design], [layer])
    assert run.phases["compute"] == 256
    found = tpu_v1.shares(layer, run, design)
    assert found.active == found.useful == pytest.approx(100 * 64 / 2 / run.cycles)  # a cycle of 350 MHz is two
    assert found.shift == pytest.approx(3 * found.active)
    assert found.tops == pytest.approx(2 * 64 * 256 * 256 / (run.cycles / 350e6) / 1e12)
    # DRAM: weights, 64 words of activations in and out, biases and scales; a beat has 64 bytes.
    param_bytes = 256 * (32 + 16 + 6) // 8
    n_beats = (256 * 256 + 2 * 64 * 256 + param_bytes) / 64
    assert found.overlapped_tops == pytest.approx(2 * 64 * 256 * 256 / (n_beats / 350e6) / 1e12)
    total = found.active + found.weight_stall + found.shift + found.emptying
    assert total == pytest.approx(100) and 0 < found.emptying < 100


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    few = tuple(replace(one, n_layers=1, weights_m=0.6 if one.image else 0.36) for one in tpu_v1.WORKLOADS)
    monkeypatch.setattr(tpu_v1, "WORKLOADS", few)
    told: list[tuple[str, int, int]] = []
    table = tpu_v1.reproduce(lambda *what: told.append(what))
    assert isinstance(table, Table)
    assert told[-1] == ("done", 5, 5) and [name for name, _, _ in told[:-1]] == list(tpu_v1.SIMULATED)
    assert len(table.rows) == 6 + 5 * 6
    assert [row.quantity for row in table.rows if row.error and abs(row.error) > 0.1 and not row.differs_because] == []
    assert sum("44.8 GB/s" in remark for remark in table.remarks) == 1
