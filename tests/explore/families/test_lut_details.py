"""What a page asks of LUT machines beside their rows."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import workloads.classifiers
from designs.families.lut import Design
from explore.evaluate import evaluate
from explore.families.lut import details as module
from explore.families.lut.details import details, formula_luts
from workloads.classifiers.baselines import Baseline
from workloads.classifiers.data import data_set
from workloads.load import load_workload

MAJORITY = str(Path(workloads.classifiers.__file__).parent / "examples" / "majority.blif")


@pytest.mark.parametrize(
    ("fields", "n_classes", "expected"),
    [
        # Table of PoET-BiN's own shapes: 80 (32 + 4 + 1) + 80, 80 (40 + 5 + 1) + 80, 60 (36 + 6 + 1) + 80.
        ({"tree_inputs": 8, "rinc_levels": 2, "top_modules": 4, "neurons_per_class": 8, "score_bits": 8}, 10,
         {"tree": 2560, "mat": 400, "score": 80}),
        ({"tree_inputs": 8, "rinc_levels": 2, "top_modules": 5, "neurons_per_class": 8, "score_bits": 8}, 10,
         {"tree": 3200, "mat": 480, "score": 80}),
        ({"tree_inputs": 6, "rinc_levels": 2, "neurons_per_class": 6, "score_bits": 8}, 10,
         {"tree": 2160, "mat": 420, "score": 80}),
        ({"rinc_levels": 0, "neurons_per_class": 2, "score_bits": 3}, 4, {"tree": 8, "mat": 0, "score": 12}),
        ({"rinc_levels": 3, "tree_inputs": 2, "neurons_per_class": 1, "score_bits": 1}, 2,
         {"tree": 16, "mat": 14, "score": 2}),
        ({"classifier": "boosted", "trees_per_class": 12, "score_bits": 3}, 10, {"tree": 360}),
    ],
)  # fmt: skip
def test_luts_by_formula(fields, n_classes, expected):
    assert formula_luts(Design(**fields), n_classes) == expected


@pytest.fixture
def row():
    design = Design(levels_per_stage=1)
    (found,) = evaluate("lut", [asdict(design)], load_workload(MAJORITY))
    return {**found, "workload": MAJORITY}


def test_a_finished_circuit_has_no_formula_and_nothing_beside(row):
    (found,) = details([row])
    assert found["circuit"]["formula"] is None and found["baselines"] == []
    assert sum(found["circuit"]["mapped"].values()) == found["circuit"]["n_physical"] == row["luts"]


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"model_version": "lut-0"}, "the rows were made by another version"),
        ({"workload_digest": "0"}, "is another workload now"),
        ({"workload": "nowhere.blif"}, "the workload is not at hand: "),
    ],
)
def test_what_cannot_be_told_says_why(row, change, missing):
    (found,) = details([{**row, **change}])
    assert list(found) == ["missing"] and missing in found["missing"]


def test_perceptrons_are_trained_once(monkeypatch, tmp_path, capsys):
    calls = []

    def trained(bits):
        def train(data, encoding):
            calls.append(bits)
            return Baseline(name=f"{bits} bits", layer_sizes=(4, 3, 2), weight_bits=bits, accuracy=0.75)

        return train

    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(module, "float_perceptron", trained(32))
    monkeypatch.setattr(module, "binary_perceptron", trained(1))
    features, labels = np.array([[0, 1], [1, 0]], np.uint8), np.array([0, 1])
    data = data_set("tiny", (features, labels), (features, labels), feature_bits=1, n_classes=2)
    design = Design()
    first = module._baselines(design, "stillmaker_baas", data)
    assert module._baselines(design, "stillmaker_baas", data) == first and calls == [32, 1]
    assert [(one["name"], one["weights"]) for one in first] == [
        ("32 bits", "sram"), ("32 bits", "dram"), ("1 bits", "sram"), ("1 bits", "dram"),
    ]  # fmt: skip
    assert first[0]["energy_breakdown_pj"]["arithmetic"] == pytest.approx(18 * 4.6)
    assert "training two perceptrons on tiny" in capsys.readouterr().err
