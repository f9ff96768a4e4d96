"""`lockstep allocate`: one document, a table, a file that runs, infeasible limits, bad input in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lockstep
from designs.errors import InputError
from explore import kept
from lockstep import cli
from lockstep.allocating import bytes_of

MOBILENET = "mobilenet_v1:0.75:224"
FEW = ("--images", "32")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept, "cache_dir", lambda: tmp_path / "cache")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["allocate", *arguments])
    out, error = capsys.readouterr()
    return code, out, error


def test_sizes() -> None:
    sizes = {"2MB": 2_000_000, "512kB": 512_000, "2048000": 2_048_000, "1.5MiB": 3 << 19, "0.1 kB": 100, "7B": 7}
    assert {text: bytes_of(text, "--flash") for text in sizes} == sizes
    for text in ("2mb", "", "-1", "1e6", "2 TB"):
        with pytest.raises(InputError, match="--flash .*: wanted bytes such as 512kB, 2MB or 1.5MiB"):
            bytes_of(text, "--flash")


def test_mobilenet_by_all_methods(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(
        capsys, MOBILENET, "--flash", "2MB", "--ram", "512kB", "--method", "all", "--budget", "3", "--json"
    )
    found = json.loads(out)
    assert code == 0 and error == "" and found["feasible"] and "a proxy" in found["loss_is"]
    answers = {answer["method"]: answer for answer in found["answers"]}
    assert list(answers) == ["rule", "integer_program", "search"] and "too many" in found["remarks"][0]
    assert answers["integer_program"]["is_optimal"]
    for answer in answers.values():
        assert answer["flash_bytes"] <= 2_000_000 and answer["ram_bytes"] <= 512_000
        assert answer["loss"] >= answers["integer_program"]["loss"] and answer["measured"] is None


def test_the_network_that_is_read_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(lockstep.__file__).parent.parent / "workloads" / "digits" / "digits_cnn.npz"
    Path("mine.npz").write_bytes(shipped.read_bytes())
    for command in ("allocate", "compress"):
        options = {"allocate": ["--flash", "8kB"], "compress": ["--floor", "0.9"]}[command]
        assert cli.main([command, "mine.npz", *options, "-o", "./mine.npz"]) == 2
        assert "mine.npz: wanted another file to write to than the one that is read" in capsys.readouterr().err
    assert Path("mine.npz").read_bytes() == shipped.read_bytes()


def test_infeasible_exits_with_1_and_says_by_how_much(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, MOBILENET, "--ram", "100kB", "--method", "rule")
    assert code == 1
    assert "rule: infeasible: RAM in conv0: at least 225,792 bytes, 125,792 more than the 100,000 there are" in out
    code, out, _ = run(capsys, "mobilenet_v1", "--flash", "1MiB", "--json")
    (answer,) = json.loads(out)["answers"]
    short = answer["shortfall"]
    assert code == 1 and (short["limit"], short["proven"]) == ("flash", True)
    assert short["over_bytes"] == short["needed_bytes"] - (1 << 20) > 0


def test_a_network_with_numbers_is_written_and_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "digits_cnn", "--flash", "12kB", *FEW, "-o", "narrow.npz")
    assert code == 0 and "written: narrow.npz" in out and "optimum of the loss" in out and "test accuracy" in out
    row = lockstep.simulate("tensor", "narrow.npz", requant_granularity="per_channel", array_rows=8)
    told = lockstep.allocate("digits_cnn", flash_bytes=12_000, images=32)
    assert row["accuracy"] == told["answers"][0]["measured"]["test_accuracy"] > 0.9
    graph = lockstep.load_workload("narrow.npz").graph  # type: ignore[attr-defined]
    assert {t.name: t.bits for t in graph.tensors if t.bits < 8} == {
        name: bits for name, bits in told["answers"][0]["bits"].items() if bits < 8
    }


def test_shifts_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A machine that only shifts computes what one with multipliers does."""
    code, _, _ = run(capsys, "digits_cnn", "--method", "rule", "--scales", "power_of_two", *FEW, "-o", "shifts.json")
    assert code == 0
    rows = [lockstep.simulate("tensor", "shifts.json", requant=style) for style in ("shift", "multiplier_shift")]
    assert rows[0]["accuracy"] == rows[1]["accuracy"] > 0.95


def test_nothing_is_written_where_nothing_fits(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "digits_cnn", "--flash", "1kB", "--method", "rule", *FEW, "-o", "none.npz")
    assert code == 1 and not Path("none.npz").exists() and "infeasible: flash" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet18"], "resnet18: wanted layers in a row"),
        (["digits_transformer"], "wanted an op of a convolutional network"),
        (["sigmoid_table"], "workload: wanted a path or one of"),
        ([MOBILENET, "--flash", "2 apples"], "--flash 2 apples: wanted bytes"),
        ([MOBILENET, "-o", "x.npz"], "x.npz: wanted a network with numbers"),
        ([MOBILENET, "--scales", "power_of_two"], "scales: wanted free"),
        (["digits_cnn", "--method", "all", "-o", "x.npz"], "x.npz: wanted one --method"),
        (["digits_cnn", "-o", "x.onnx", *FEW], "x.onnx: wanted a name that ends in .npz or .json"),
        ([MOBILENET, "--method", "brute_force"], "take --method integer_program"),
        (["majority.blif"], "majority.blif"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, *arguments)
    assert code == 2 and out == "" and message in error and error.count("\n") == 1


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0 and "Examples: lockstep allocate " in out and "--json" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"flash_bytes": "2MB"}, "flash bytes: wanted 0 or more, got '2MB'"),
        ({"ram_bytes": float("nan")}, "ram bytes: wanted 0 or more, got nan"),
        ({"method": None}, "method: wanted one of rule, .*, got None"),
        ({"widths": []}, r"widths: wanted some of 2, 4, 8, got \[\]"),
        ({"seed": 1 << 32, "method": "search"}, "seed: wanted 0 to 4294967295, got 4294967296"),
        ({"images": 0}, "images: wanted 1 or more, got 0"),
        ({"time_limit_s": float("nan")}, r"time limit: wanted 0.1 to 1e\+09, got nan"),
    ],
)
def test_bad_arguments_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        lockstep.allocate("digits_cnn", **arguments)
