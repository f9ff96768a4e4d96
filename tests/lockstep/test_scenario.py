"""`lockstep scenario`: one command for several designs, one document, a figure, bad input in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lockstep
from designs.errors import InputError
from lockstep import cli

FAST = ("-w", "gemm:8x16x8", "--queries", "300", "--bound-ms", "0.01", "--interval-ms", "0.01")
THREE = ("small=tensor:array_rows=4,array_cols=4", "tensor:array_rows=8,array_cols=8", "tensor")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["scenario", *arguments])
    out, error = capsys.readouterr()
    return code, out, error


def test_a_table_of_three_designs_is_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *THREE, *FAST, "--max-batch", "2")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == [
        "design",
        "area",
        "single",
        "stream",
        "streams",
        "server",
        "p99",
        "batch",
        "busy",
        "offline",
    ]
    assert [line.split()[0] for line in lines[2:5]] == ["small", "tensor:array_rows=8,array_cols=8", "tensor"]
    assert "the largest rate at which 99 % of 300 queries take at most 10.0 µs (seed 0)" in out


def test_the_document_says_all_and_follows_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (*THREE[:2], *FAST, "--scenario", "server", "--percentile", "97", "--json", "--set", "clock_mhz=250")
    code, out, error = run(capsys, *arguments)
    found = json.loads(out)
    assert (code, error) == (0, "")
    assert [system["accelerators"] for system in found["systems"]] == [["small"], ["tensor:array_rows=8,array_cols=8"]]
    assert [design["point"]["clock_mhz"] for design in found["designs"]] == [250, 250]
    first = found["systems"][0]
    assert first["offline"] is None and first["server"]["percentile"] == 97 and first["server"]["rate_per_s"] > 0
    assert found["designs"][0]["busy_ns"] == [pytest.approx(first["server"]["latency_ns"], rel=10)]
    assert json.loads(run(capsys, *arguments)[1]) == found
    assert json.loads(run(capsys, *arguments, "--seed", "1")[1])["systems"] != found["systems"]


def test_different_designs_behind_one_queue(capsys: pytest.CaptureFixture[str]) -> None:
    alone, together = (
        json.loads(run(capsys, *THREE[:2], *FAST, "--scenario", "offline", "--json", *more)[1])["systems"]
        for more in ((), ("--together", "--accelerators", "2"))
    )
    assert len(alone) == 2 and len(together) == 1 and len(together[0]["accelerators"]) == 4
    of_all = 2 * sum(system["offline"]["throughput_per_s"] for system in alone)
    assert together[0]["offline"]["throughput_per_s"] == pytest.approx(of_all, rel=0.05)


def test_the_front_of_a_store(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    store = tmp_path / "results.sqlite"
    swept = lockstep.sweep("tensor", "gemm:8x16x8", store=store, dataflow="output_stationary", array_cols=8,
                           act_bits=8, weight_bits=8, acc_bits=32, requant="shift", acc_overflow="wrap",
                           requant_granularity="per_tensor", dram_latency_cycles=4)  # fmt: skip
    code, out, _ = run(capsys, str(store), *FAST[2:], "--scenario", "single_stream", "--json")
    found = json.loads(out)
    assert code == 0 and 1 < len(found["systems"]) <= len(swept.rows)
    latencies = [system["single_stream"]["latency_ns"] for system in found["systems"]]
    assert latencies == sorted(latencies)
    assert {design["workload"] for design in found["designs"]} == {"gemm:8x16x8"}
    code, _, error = run(capsys, str(store), "-w", "gemm:1x1x1")
    assert code == 2 and "results.sqlite: wanted rows of gemm:1x1x1, got rows of gemm:8x16x8" in error


def test_a_figure_is_drawn_where_it_is_asked_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = run(capsys, *THREE[:2], *FAST, "--scenario", "server", "--report", str(tmp_path / "page"))
    assert code == 0 and out.endswith(f"written: {tmp_path}/page/tail_latency.png\n")
    svg = (tmp_path / "page" / "tail_latency.svg").read_text()
    assert "99th percentile of latency" in svg and "small" in svg and "bound" in svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tensr",), "tensr: wanted a design space"),
        (("tensor:array_rows",), "tensor:array_rows: wanted a design space"),
        (("tensor:array_row=4",), "--set array_row: wanted a parameter of tensor"),
        (("tensor", "--scenario", "sever"), "--scenario: wanted single_stream, multi_stream, server, offline or all"),
        (("tensor", "--percentile", "100"), "percentile: wanted 50 to 99.99, got 100"),
        (
            ("tensor", "lut", "--together", "--scenario", "offline", "--max-batch", "1"),
            "--together: wanted one workload",
        ),
        (("poetbin_digits.sqlite",), "poetbin_digits.sqlite: wanted a results store, got no such file"),
        (
            ("tensor", "-w", "bert_base_layer", "--max-batch", "2", "--set", "act_scratchpad_bytes=1048576"),
            "bert_base_layer",
        ),
    ],
)
def test_bad_input_is_one_line(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str) -> None:
    code, out, error = run(capsys, *arguments)
    assert code == 2 and out == "" and message in error.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accelerators": 1.5}, "--accelerators: wanted 1 to 1024, got 1.5"),
        ({"accelerators": 10**20}, "--accelerators: wanted 1 to 1024, got 100000000000000000000"),
        ({"bound_ms": None}, r"--bound-ms: wanted 1e-06 to 1e\+09, got None"),
        ({"scenarios": []}, "--scenario: wanted one of single_stream, .* or more, got none"),
    ],
)
def test_bad_arguments_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        lockstep.scenario("tensor", **arguments)


def test_a_report_has_to_be_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr("lockstep.scenarios.scenario", None)  # told before anything is simulated
    code, out, error = run(capsys, "tensor", "--report", "file", *FAST)
    assert (code, out) == (2, "") and "file: wanted a folder for the report, got a file" in error


def test_a_scenario_beside_all_has_to_exist(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = run(capsys, "tensor", "--scenario", "all", "--scenario", "sever", *FAST)
    assert (code, out) == (2, "") and "got 'sever' (did you mean 'server'?)" in error
