"""`lockstep compress`: a search without trainings, whose network every command takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import lockstep
from designs.errors import InputError
from lockstep import compressing, show_compress
from lockstep.cli import app
from workloads.compression.layers import weighted_layers
from workloads.digits import network as digits_network
from workloads.files import load_graph, save_graph
from workloads.load import load_workload


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The shipped network under another name: its weights are taken as they are."""
    path = tmp_path / "mine.npz"
    save_graph(load_workload("digits_cnn").graph, path)  # type: ignore[attr-defined]
    return path


def small(given: Path, **settings: Any) -> dict[str, Any]:
    pinned: dict[str, Any] = {"weight_bits": 8, "n_of_m": "1:1"}
    return lockstep.compress(
        str(given), "compression", **{"accuracy_floor": 0.9, "minimize": "bytes", "budget": 3, "trainer": "none"}
        | settings, **pinned,
    )  # fmt: skip


def test_what_is_written_is_what_was_told(given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explore.compression.search.POOL", 12)
    monkeypatch.setattr(digits_network, "train", None)  # nothing is trained
    found = small(given, output=tmp_path / "compressed.npz")
    assert found["validation_was_seen"] and len(found["trials"]) == 3
    compressed = found["compressed"]
    assert compressed["validation_accuracy"] >= 0.9
    assert compressed["bytes"] < found["reference"]["bytes"]
    assert found["ratios"]["bytes"] == found["reference"]["bytes"] / compressed["bytes"]
    graph = load_graph(tmp_path / "compressed.npz")
    assert [layer.weights.bits for layer in weighted_layers(graph)] == [
        layer["weight_bits"] for layer in compressed["layers"]
    ]
    row = lockstep.simulate("compression", str(tmp_path / "compressed.npz"), weight_bits=8, n_of_m="1:1")
    assert row["cycles"] == compressed["cycles"]
    assert row["accuracy"] == found["labels"]["top1_after"]
    low, high = found["test"]["interval"]
    assert low < found["labels"]["top1_after"] < high and found["test"]["n_images"] == 450
    assert found["test"]["keeps_floor"] == (found["labels"]["top1_after"] >= 0.9)
    text = show_compress.compressed(found)
    assert f"95 % interval {low:.3f} to {high:.3f}; these 450 images chose nothing" in text
    assert f"bytes        {found['reference']['bytes']:,} -> {compressed['bytes']:,}" in text
    assert "were trained on them" in text


def test_a_floor_that_nothing_keeps(given: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explore.compression.search.POOL", 12)
    command = ["compress", str(given), "--on", "compression", "--set", "weight_bits=8", "--set", "n_of_m=1:1",
               "--floor", "1", "--budget", "1", "--trainer", "none", "--json"]  # fmt: skip
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 1
    found = json.loads(answer.stdout)
    assert found["compressed"] is None and found["labels"] is None
    assert "no trial keeps the floor" in show_compress.compressed(found)


def test_networks_whose_accuracy_is_not_known() -> None:
    with pytest.raises(InputError, match="resnet18: wanted a traced network that reads a digit"):
        lockstep.compress("resnet18", "compression", accuracy_floor=0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accuracy_floor": None}, "floor: wanted 0 to 1, got None"),
        ({"minimize": "cycle"}, r"minimize: wanted one of cycles, bytes, energy, got 'cycle' \(did you mean 'cycles'\?\)"),
        ({"budget": 1.5}, "budget: wanted 1 to 10, got 1.5"),
        ({"trainer": "ste"}, "trainer: wanted one of straight_through, lc, none, got 'ste'"),
        ({"seed": -1}, "seed: wanted 0 to 4294967295, got -1"),
        ({"output": "a.onnx"}, "a.onnx: wanted a name that ends in .npz or .json, got '.onnx'"),
        ({"output": "none/a.npz"}, "none/a.npz: wanted a file to write to, got: No such file or directory; name another"),
    ],
)
def test_bad_arguments_before_anything_is_trained(
    arguments: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digits_network, "train", None)
    monkeypatch.setattr("explore.compression.subject.subject_of", None)
    with pytest.raises(InputError, match=f"^{message}$"):
        lockstep.compress("digits_cnn", "compression", **{"accuracy_floor": 0.9} | arguments)


def test_intervals_of_shares() -> None:
    """None right of ten: the upper end is 1 - 0.025 ** (1 / 10) (Clopper and Pearson)."""
    found = compressing._test(0, 10, 0.5)
    assert found["interval"] == pytest.approx([0.0, 1 - 0.025**0.1]) and not found["keeps_floor"]
    assert compressing._test(5, 10, 0.5)["keeps_floor"]
