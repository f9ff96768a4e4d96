"""Plausible rows of LUT machines FOR TESTS OF THE REPORTS ONLY: made up, not those of any circuit."""

from __future__ import annotations

from typing import Any

N_SAMPLES = 450


def row(luts: int, n_wrong: int, levels_per_stage: int = 0, workload: str = "digits", **point: Any) -> dict[str, Any]:
    """One row: 12 levels of LUTs, `n_wrong` of 450 samples answered wrongly."""
    n_stages = -(-12 // levels_per_stage) if levels_per_stage else 1
    area = {"tree": 600.0 * luts, "register": 5.0 * 100 * n_stages}
    energy = {"tree": 0.02 * luts, "register": 2.0 * n_stages, "leakage": 0.01 * luts}
    return {
        "family": "lut", "space": "toy", "workload": workload, "workload_digest": "beef" * 4, "model_version": "lut-1",
        "seed": None, "failure": None,
        "point": {"rinc_levels": 1, "levels_per_stage": levels_per_stage, "lut_inputs": 6, "clock_mhz": 100,
                  "node_nm": 45, **point},
        "cycles": N_SAMPLES + n_stages + 1, "phases": {"fill": n_stages + 1, "compute": N_SAMPLES},
        "activity": {"lut_toggles": 10 * luts}, "n_inferences": N_SAMPLES, "latency_ns": 10.0 * (n_stages + 1),
        "area_um2": sum(area.values()), "area_breakdown_um2": area, "energy_pj": sum(energy.values()),
        "energy_breakdown_pj": energy, "utilization": 0.9, "roofline_cycles": N_SAMPLES, "layers": [],
        "accuracy": 1 - n_wrong / N_SAMPLES, "luts": luts, "flip_flops": 100 * n_stages, "lut_levels": 12,
        "throughput_per_s": 1e8,
    }  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Three classifiers, each cut in three ways."""
    sizes = ((100, 60, 0), (400, 15, 1), (1200, 8, 2))
    return [row(luts, wrong, m, rinc_levels=level) for luts, wrong, level in sizes for m in (0, 2, 4)]


def details() -> dict[str, Any]:
    """What a page tells beside a row of 400 LUTs."""
    return {
        "circuit": {
            "formula": {"tree": 180, "mat": 30, "score": 80},
            "built": {"encoder": 120, "tree": 150, "mat": 25, "score": 75, "argmax": 60},
            "mapped": {"encoder": 110, "tree": 150, "mat": 20, "score": 70, "argmax": 50},
            "n_physical": 400,
        },
        "training": {"train_seconds": 2.5, "teacher_accuracy": 0.98, "accuracy": 435 / 450},
        "baselines": [
            {"name": "float MLP", "weights": "sram", "layer_sizes": [158, 128, 10], "accuracy": 439 / 450,
             "energy_breakdown_pj": {"arithmetic": 1000.0, "weights": 2000.0, "leakage": 200.0}},
        ],
    }  # fmt: skip
