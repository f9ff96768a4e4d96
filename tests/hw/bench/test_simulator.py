"""The runner of benches: what it returns, what it keeps, how it fails."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import numpy as np
import pytest

from designs.errors import InputError
from hw.bench import simulator
from hw.verilog import emit_verilog
from tests.hw.circuits import Countdown

MODULE = "tests.hw.bench.cocotb_countdown"
LENGTHS = [1, 2, 7, 15]
TOTALS = [3 * sum(range(n)) for n in LENGTHS]


@pytest.fixture(scope="module")
def verilog() -> str:
    return emit_verilog(Countdown(), top="countdown")


def run(verilog: str, work_dir: Path, **options: object) -> dict:
    arguments = options.pop("arguments", {"lengths": LENGTHS})
    return simulator.run_bench(
        verilog, top="countdown", module=MODULE, work_dir=work_dir, arguments=arguments, **options
    )


@pytest.mark.rtl
def test_state_machine_runs_and_results_come_back(verilog: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    assert run(verilog, tmp_path) == {"cycles": LENGTHS}
    assert np.load(tmp_path / "totals.npz")["totals"].tolist() == TOTALS
    assert capfd.readouterr().out == ""


@pytest.mark.rtl
def test_failure_of_the_bench_is_raised_with_its_message(verilog: str, tmp_path: Path) -> None:
    with pytest.raises(simulator.BenchError, match="told to fail"):
        run(verilog, tmp_path, arguments={"lengths": [1], "fail": True})


@pytest.mark.rtl
def test_processes_share_one_build(verilog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path / "cache"))
    if simulator.find_simulator().name == "verilator":
        pytest.skip("a fresh build with Verilator takes half a minute")
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda i: run(verilog, tmp_path / str(i)), range(3)))
    assert results == [{"cycles": LENGTHS}] * 3
    assert len([path for path in (tmp_path / "cache" / "builds").iterdir() if path.is_dir()]) == 1


@pytest.mark.rtl
def test_waves_are_left_in_the_work_folder(verilog: str, tmp_path: Path) -> None:
    if simulator.find_simulator().name == "verilator":
        pytest.skip("a fresh build with Verilator takes half a minute")
    run(verilog, tmp_path, waves=True)
    assert (tmp_path / "countdown.fst").stat().st_size > 0


@pytest.mark.rtl
def test_a_hanging_bench_is_stopped(verilog: str, tmp_path: Path) -> None:
    with pytest.raises(simulator.BenchError, match=r"longer than 0\.01 s"):
        run(verilog, tmp_path, timeout_seconds=0.01)


@pytest.mark.rtl
def test_verilog_that_does_not_compile_names_the_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(simulator.BenchError, match="could not build countdown"):
        run("module countdown(; endmodule", tmp_path)


def test_missing_tools_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("LOCKSTEP_SIMULATOR", raising=False)
    simulator._icarus.cache_clear()
    simulator._verilator.cache_clear()
    try:
        with pytest.raises(InputError, match=r"needs g\+\+, make, perl: apt-get install iverilog") as caught:
            simulator.find_simulator()
        assert "\n" not in str(caught.value)
    finally:
        simulator._icarus.cache_clear()
        simulator._verilator.cache_clear()


def test_unknown_simulator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_SIMULATOR", "modelsim")
    with pytest.raises(InputError, match="wanted icarus or verilator, got modelsim"):
        simulator.find_simulator()
