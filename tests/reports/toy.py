"""Plausible result rows FOR TESTS OF THE REPORTS ONLY: a small analytic toy, not a model of any machine."""

from __future__ import annotations

import itertools
from typing import Any

LAYERS = (  # name, MACs, bytes that have to move, repeat
    ("stem", 118_013_952, 960_000, 1),
    ("stage1_conv", 115_605_504, 440_000, 4),
    ("stage2_conv", 115_605_504, 350_000, 3),
    ("stage3_conv", 115_605_504, 690_000, 3),
    ("stage4_conv", 115_605_504, 2_410_000, 3),
    ("max_pool", 0, 1_000_000, 1),
    ("classifier", 512_000, 514_000, 1),
)


def row(point: dict[str, Any], workload: str = "toy_net") -> dict[str, Any]:
    """One result row of the toy; small scratchpads with big arrays fail."""
    base = {
        "family": "tensor", "space": "toy", "point": point, "workload": workload, "workload_digest": "f00d" * 4,
        "model_version": "test-1", "seed": 0, "failure": None,
    }  # fmt: skip
    n_pes = point["array_rows"] * point["array_cols"]
    if point["scratchpad_bytes"] < 16 * n_pes:
        needed = 16 * n_pes
        return base | {
            "failure": f"layer stem: weight_scratchpad needs {needed} bytes, {point['scratchpad_bytes']} available"
        }
    layers = [_layer(point, n_pes, *layer) for layer in LAYERS]
    phases = {p: sum(la["phases"][p] * la["repeat"] for la in layers) for p in layers[0]["phases"]}
    activity = {a: sum(la["activity"][a] * la["repeat"] for la in layers) for a in layers[0]["activity"]}
    cycles = sum(phases.values())
    area = {"pe": 1200.0 * n_pes, "scratchpad": 3.1 * point["scratchpad_bytes"], "dma": 9000.0, "controller": 12000.0}
    energy = {
        "mac": 0.3 * activity["macs"],
        "scratchpad": 0.004 * activity["act_reads"] * n_pes * (point["scratchpad_bytes"] / 1024) ** 0.5,
        "dram": 160.0 * (activity["dram_read_bytes"] + activity["dram_write_bytes"]) / 4,
        "leakage": 4e-6 * sum(area.values()) * cycles,
    }  # fmt: skip
    n_macs = sum(la["n_macs"] * la["repeat"] for la in layers)
    return base | {
        "cycles": cycles, "phases": phases, "activity": activity, "latency_ns": cycles * 2.0,
        "area_um2": sum(area.values()), "area_breakdown_um2": area, "energy_pj": sum(energy.values()),
        "energy_breakdown_pj": energy, "utilization": n_macs / n_pes / cycles,
        "roofline_cycles": sum(la["roofline_cycles"] * la["repeat"] for la in layers), "layers": layers,
    }  # fmt: skip


def _layer(point: dict[str, Any], n_pes: int, name: str, n_macs: int, n_bytes: int, repeat: int) -> dict[str, Any]:
    passes = max(1, 200_000 // point["scratchpad_bytes"])
    traffic = int(n_bytes * passes**0.5)
    load = traffic // point["dram_bytes_per_cycle"]
    shape_loss = 1.0 if point["dataflow"] == "weight_stationary" else 1.12
    compute = int(n_macs / n_pes * (1 + (point["array_rows"] + point["array_cols"]) / 400) * shape_loss) + 50
    phases = {
        "start": 12, "compute": compute, "fill": load // 20 + 30, "stall_load": max(0, load - compute),
        "stall_output": compute // 40, "drain": point["array_rows"] + 60,
    }  # fmt: skip
    cycles = sum(phases.values())
    return {
        "name": name, "cycles": cycles, "phases": phases, "n_macs": n_macs, "repeat": repeat,
        "activity": {"macs": n_macs, "act_reads": compute, "dram_read_bytes": traffic * 3 // 4,
                     "dram_write_bytes": traffic - traffic * 3 // 4},
        "roofline_cycles": max(n_macs // n_pes, load), "utilization": n_macs / n_pes / cycles,
        "tiling": {"tile_h": 8, "tile_w": 8},
    }  # fmt: skip


def rows(workload: str = "toy_net") -> list[dict[str, Any]]:
    """A small grid: 5 x 5 arrays, two dataflows, three DRAM widths, two scratchpads; some points fail."""
    grid = itertools.product(
        (4, 8, 16, 32, 64), (4, 8, 16, 32, 64), ("weight_stationary", "output_stationary"), (4, 8, 32), (16384, 131072)
    )
    return [
        row(
            {"array_rows": r, "array_cols": c, "dataflow": flow, "dram_bytes_per_cycle": dram, "scratchpad_bytes": size,
             "clock_mhz": 500, "node_nm": 45},
            workload,
        )
        for r, c, flow, dram, size in grid
    ]  # fmt: skip
