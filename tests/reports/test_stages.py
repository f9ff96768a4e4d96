"""Pages of networks that run in stages: prefill beside decode, a roofline of both, energy with the vector unit."""

from __future__ import annotations

from typing import Any

import pytest

from reports import style
from reports.families import tensor
from reports.figures import layers, roofline, shares, stages, stalls
from reports.page import write_report
from reports.stages import joined_steps, share, stage_of, stages_of
from reports.study import Chosen, studies
from reports.tables import layer_table, points_table, stage_table
from reports.units import metric_name, metric_text

PHASES = {"start": 2, "compute": 6, "vector_load": 1, "vector_compute": 1}


def layer(name: str, *, macs: int, n_bytes: int, cycles: int = 10, repeat: int = 1, ops: int = 0) -> dict[str, Any]:
    phases = {phase: cycles * n // 10 for phase, n in PHASES.items()}
    return {
        "name": name, "repeat": repeat, "cycles": cycles, "phases": phases, "n_macs": macs, "roofline_cycles": cycles // 2,
        "utilization": macs / cycles / 256, "tiling": {"rows": 1} if macs else None,
        "activity": {"dram_read_bytes": n_bytes, "dram_write_bytes": 0, "vector_ops": ops},
    }  # fmt: skip


def stage(name: str, n_steps: int, cycles: int, energy: float, n_sequences: int = 1) -> dict[str, Any]:
    return {
        "name": name, "n_steps": n_steps, "n_sequences": n_sequences, "cycles": cycles,
        "phases": {phase: cycles * n // 10 for phase, n in PHASES.items()}, "latency_ns": cycles * 2e3,
        "energy_pj": energy, "energy_breakdown_pj": {"dram": 0.9 * energy, "vector_lanes": 0.06 * energy,
                                                     "vector_buffers": 0.04 * energy},
        "roofline_cycles": cycles // 2, "n_macs": 640 * n_steps, "dram_bytes": 320 * n_steps,
    }  # fmt: skip


def row(lanes: int = 4, slower: int = 1) -> dict[str, Any]:
    layers = [
        layer("prefill.up", macs=20_000, n_bytes=100, cycles=100 * slower),
        layer("prefill.gelu", macs=0, n_bytes=200, cycles=100 * slower, ops=200),
        layer("decode.up", macs=500, n_bytes=600, repeat=4),
        layer("decode.8.scores", macs=80, n_bytes=80, repeat=2),
        layer("decode.9.scores", macs=100, n_bytes=90, cycles=20, repeat=2),
        layer("decode.9.keys", macs=0, n_bytes=90),
    ]
    cycles = sum(one["cycles"] * one["repeat"] for one in layers)
    of_stages = [stage("prefill", 1, 200 * slower, 1e6), stage("decode", 2, cycles - 200 * slower, 4e6, 2)]
    parts = {"dram": 4.5e6, "pe": 1e5, **{f"part_{n}": 1e5 + n for n in range(7)}, "vector_lanes": 3e4, "vector_mover": 2e4}
    return {
        "family": "tensor", "space": "edge", "workload": "gpt2_small:generate=8+3:batch=2", "workload_digest": "f00d" * 4,
        "model_version": "t", "scaling": "", "seed": None, "failure": None, "n_inferences": 1,
        "point": {"array_rows": 16, "array_cols": 16, "dram_bytes_per_cycle": 8, "act_bits": 8, "vector_lanes": lanes,
                  "clock_mhz": 500, "node_nm": 45},
        "cycles": cycles, "latency_ns": 2e3 * cycles, "area_um2": 1e6 * lanes, "energy_pj": sum(parts.values()),
        "edp_pj_ns": 1.0, "phases": {phase: cycles * n // 10 for phase, n in PHASES.items()}, "utilization": 0.1,
        "activity": {}, "roofline_cycles": cycles // 2, "layers": layers, "stages": of_stages,
        "area_breakdown_um2": {"pe": 5e5, "vector_lanes": 1e6 * lanes - 5e5}, "energy_breakdown_pj": parts,
        "prefill_ns": of_stages[0]["latency_ns"], "decode_ns_per_token": of_stages[1]["latency_ns"] / 2,
        "tokens_per_s": 4e9 / of_stages[1]["latency_ns"],
    }  # fmt: skip


POINTS = [Chosen("A", ("fastest",), row(8)), Chosen("B", ("smallest",), row(4, slower=3))]


def test_share_of_a_token() -> None:
    prefill, decode = (share(one) for one in stages_of(row()))
    assert (prefill.per_token, prefill.latency_ns, prefill.energy_pj) == (False, 4e5, 1e6)
    cycles = stages_of(row())[1]["cycles"]
    assert (decode.per_token, decode.latency_ns, decode.energy_pj) == (True, cycles * 1e3, 1e6)  # 2 steps, 4 tokens
    assert sum(decode.phases.values()) == pytest.approx(decode.latency_ns, rel=0.02)
    assert sum(decode.energy_breakdown_pj.values()) == pytest.approx(1e6)


def test_layers_of_steps_are_joined() -> None:
    joined = joined_steps(row()["layers"])
    assert [one["name"] for one in joined] == [
        "prefill.up", "prefill.gelu", "decode.up", "decode.scores", "decode.9.keys",
    ]  # fmt: skip
    scores = joined[3]
    assert (scores["repeat"], scores["cycles"], scores["n_macs"], scores["activity"]["dram_read_bytes"]) == (4, 15, 90, 85)
    assert scores["utilization"] == pytest.approx((80 + 100) / 30 / 256) and scores["tiling"] == {"rows": 1}
    assert stage_of(scores, stages_of(row())) == "decode" and stage_of(scores, []) == ""
    assert "decode.scores" in layer_table(row()).console()


def test_two_panels_each_with_its_own_unit() -> None:
    data = stages.stages_data(POINTS, "latency")
    assert data is not None and data.bars == ["A  fastest", "B  smallest"]
    assert [panel.title for panel in data.panels] == ["Prefill (µs)", "Decode, per token (µs)"]
    assert [round(sum(amounts)) for amounts in data.panels[0].amounts] == [400, 1200]
    assert stages.takeaway(data).startswith("Prefill takes 400 µs in A (60 % compute), up to 1,200 µs in B. Decode of a token")
    energy = stages.stages_data(POINTS, "energy", tensor._grouped)
    assert energy is not None and energy.parts == ["dram", "vector_unit"]
    assert energy.panels[1].amounts[0] == pytest.approx([0.9, 0.1]) and energy.panels[1].unit.label == "µJ"
    one_stage = POINTS[0].row | {"stages": POINTS[0].row["stages"][:1]}
    assert stages.stages_data([Chosen("A", ("only point",), one_stage)], "latency") is None
    with style.house_style():
        assert len(stages.draw(data).axes) == 2


def test_roofline_of_stages_and_of_the_vector_unit() -> None:
    data = roofline.roofline_data(POINTS, POINTS[0])
    assert data is not None and data.stages == ("prefill", "decode") and data.n_lanes == 8
    assert {(one.name, one.stage, one.is_vector) for one in data.layers} == {
        ("prefill.up", "prefill", False), ("prefill.gelu", "prefill", True), ("decode.up ×4", "decode", False),
        ("decode.scores ×4", "decode", False),
    }  # fmt: skip
    gelu = next(one for one in data.layers if one.is_vector)
    assert (gelu.intensity, gelu.per_cycle) == (1.0, 2.0)
    told = roofline.takeaway(data)
    assert told.startswith("Memory bound in A: none of 1 products of prefill and 2 of 2 products of decode; the best,")
    assert told.endswith("Not shown: 1 job without arithmetic.")
    with style.house_style():
        figure = roofline.draw(data)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "prefill of A", "decode of A", "vector unit (8 lanes, dashed)",
    ]  # fmt: skip
    no_stages = data._replace(stages=())
    names = [name for _, _, name in roofline._groups(no_stages, roofline.own_roof(no_stages))]
    assert names == ["compute-bound layers of A", "memory-bound layers of A"]


def test_the_vector_unit_is_never_among_the_others() -> None:
    data = shares.shares_data(POINTS, "energy_breakdown_pj", grouped=tensor._grouped)
    assert data is not None and data.parts[-2:] == ["vector_unit", "other"] and len(data.parts) == 7
    assert data.shares[0][-2] == pytest.approx(5e4 / POINTS[0].row["energy_pj"])
    assert all(sum(of_bar) == pytest.approx(1) for of_bar in data.shares)


def test_a_vector_unit_that_computes_is_no_loss() -> None:
    told = layers.takeaway(layers.layers_data(row(slower=10)))
    assert "the array computes in 60 % of all cycles, the vector unit in 10 %, and the largest loss is start (20 %)." in told
    gelu = [cells for cells in layer_table(row()).rows if cells[0].text == "prefill.gelu"]
    assert gelu[0][7].text == "start 20 %"
    assert "the largest loss is start" in stalls.takeaway(stalls.stalls_data([row(), row(2), row(8)]))


def test_tables_name_what_stages_take() -> None:
    rows = [point.row for point in POINTS]
    table = points_table(rows, [])
    assert table.columns[-3:] == ["prefill latency", "decode latency per token", "decoded tokens"]
    assert points_table([rows[0] | dict.fromkeys(("prefill_ns", "decode_ns_per_token", "tokens_per_s"))], []).columns[-1] == "cycles"
    lines = stage_table(rows[0]).console().splitlines()
    assert len(lines) == 4 and "2.00" in lines[2] and lines[3].split()[:3] == ["decode", "2", "1,280"]
    assert metric_name("decode_pj_per_token") == "decode energy per token"
    assert metric_text(2.5e6, "decode_ns_per_token") == "2.50 ms" and metric_text(120.0, "tokens_per_s") == "120 /s"


def test_the_page_has_all_of_it(tmp_path) -> None:
    page = write_report([row(8), row(4, slower=3)], tmp_path / "page", title="t", command="c").read_text("utf-8")
    stems = {path.stem for path in (tmp_path / "page" / "figures").iterdir()}
    assert {"front_prefill_decode", "stage_latency", "stage_energy", "roofline"} <= stems
    assert "Stage by stage: Point" in page and "a layer that differs from step to step" in page.lower()
    n_bytes = 2 * 2 * 12 * 10 * 768  # keys and values of 2 sequences in 12 layers, the last token left out
    assert f"take {n_bytes // 1024}\N{NO-BREAK SPACE}KiB at 8 bits after the last token" in page
    plain = row(8) | {"stages": [], "workload": "resnet18"}
    for name in ("prefill_ns", "decode_ns_per_token", "tokens_per_s"):
        del plain[name]
    other = write_report([plain, plain | {"point": plain["point"] | {"vector_lanes": 2}}], tmp_path / "other", title="t", command="c")
    text = other.read_text("utf-8")
    assert "Stage by stage" not in text and "Keys and values of all" not in text
    assert not any("stage" in path.stem for path in (tmp_path / "other" / "figures").iterdir())
    assert studies([plain])[0].objectives == ("latency_ns", "area_um2", "energy_pj")
