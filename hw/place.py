"""Place and route of generated Verilog with nextpnr: the clock of a circuit inside a real FPGA, after routing.

A circuit with wide ports has more of them than a device has pins, so it stands in a frame: every input comes from its
own flip-flop (one shift register, filled through one pin), every output ends in its own flip-flop (kept, read by
nobody). All paths of the circuit then run from register to register, as they would between its neighbours in a larger
design, and no way to a pin or through a pad is in its clock. The frame has no logic, so no path of its own is slow:
its flip-flops are the one thing that it adds, and `Placement` counts without them.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from designs.cache import warm_up
from designs.errors import InputError
from designs.yosys import run_yosys
from hw.synthesis import Synthesis, synthesize_in

PlaceTarget = Literal["ecp5", "ice40"]


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device as nextpnr calls it."""

    name: str
    switches: tuple[str, ...]
    n_luts: int  # LUT4s, each with a flip-flop
    n_dsps: int
    n_brams: int


# Smallest first; the fastest speed grade of each family. An LFE5U-12F is the die of the 25F.
DEVICES: dict[PlaceTarget, tuple[Device, ...]] = {
    "ecp5": (
        Device(name="LFE5U-25F-8", switches=("--25k", "--speed", "8"), n_luts=24288, n_dsps=28, n_brams=56),
        Device(name="LFE5U-45F-8", switches=("--45k", "--speed", "8"), n_luts=43848, n_dsps=72, n_brams=108),
        Device(name="LFE5U-85F-8", switches=("--85k", "--speed", "8"), n_luts=83640, n_dsps=156, n_brams=208),
    ),
    "ice40": (
        Device(name="iCE40HX1K", switches=("--hx1k",), n_luts=1280, n_dsps=0, n_brams=16),
        Device(name="iCE40HX8K", switches=("--hx8k",), n_luts=7680, n_dsps=0, n_brams=32),
    ),
}
# A logic cell holds a LUT and a flip-flop only where one feeds the other, which nobody knows before packing.
_TOO_SMALL = re.compile(
    r"no BELs remaining|Unable to place cell|failed to place|Unable to find legal placement", re.IGNORECASE
)
_TARGET_MHZ = 500  # more than any circuit reaches here: the tool never stops for having met its aim
_FRAME = "lockstep_frame"
# A row of flip-flops without enable and reset.
_FLIP_FLOPS: dict[PlaceTarget, str] = {
    "ecp5": '  (* keep *) TRELLIS_FF #(.GSR("DISABLED"), .CEMUX("1"), .CLKMUX("CLK"), .REGSET("RESET")) '
    "{name} [{last}:0] (.CLK(clk), .LSR(1'b0), .DI({d}), .Q({q}));",
    "ice40": "  (* keep *) SB_DFF {name} [{last}:0] (.C(clk), .D({d}), .Q({q}));",
}


class PlacementError(RuntimeError):
    """nextpnr failed on generated RTL: a fault of Lockstep, not of the user's input."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A circuit placed and routed in its frame. Counts are the circuit's, without the frame."""

    target: PlaceTarget
    device: str
    tool: str
    seed: int
    fmax_mhz: float  # of the routed circuit
    critical_path_ns: float  # 1000 / fmax_mhz: clock to output, logic, wires, setup
    critical_luts: int  # LUTs and multiplexers on that path
    routing_share: float  # of the critical path: wires
    luts: int
    flip_flops: int
    n_port_bits: int  # flip-flops of the frame
    utilization: Mapping[str, tuple[int, int]]  # cell -> used, available; with the frame
    seconds: float


def place_and_route(
    verilog: str, top: str, *, target: PlaceTarget, device: str | None = None, seed: int = 1
) -> Placement:
    """Synthesize module `top` (one clock `clk`), place and route it in a frame of registers (see above).

    `device` is a name of DEVICES, None the smallest that the circuit fits. Same Verilog, device, seed and tools give
    the same Placement but for `seconds`. Raises InputError for an unknown target or device, for a circuit that fits
    none, and where nextpnr is not installed; PlacementError where it fails.
    """
    if target not in get_args(PlaceTarget):
        raise InputError(f"target: wanted one of {', '.join(get_args(PlaceTarget))}, got {target}")
    command = _nextpnr(target)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lockstep_place_") as name:
        folder = Path(name)
        found = synthesize_in(folder, verilog, top, target=target, flatten=True)
        n_port_bits = _frame(folder, top, target)
        chosen = _place(folder, [*command, *_switches(target, seed)], _devices(target, device, found, n_port_bits))
        report = json.loads((folder / "report.json").read_text())
    clock = _clock(report)
    fmax_mhz = float(report["fmax"][clock]["achieved"])
    delays, n_luts = _critical_path(report, clock)
    return Placement(
        target=target,
        device=chosen.name,
        tool=f"{found.tool}, {_version(target)}",
        seed=seed,
        fmax_mhz=fmax_mhz,
        critical_path_ns=1000 / fmax_mhz,
        critical_luts=n_luts,
        routing_share=delays.get("routing", 0.0) / sum(delays.values()),
        luts=found.luts or 0,
        flip_flops=found.flip_flops,
        n_port_bits=n_port_bits,
        utilization={
            name: (used["used"], used["available"])
            for name, used in sorted(report["utilization"].items())
            if used["used"]
        },
        seconds=time.monotonic() - began,
    )


def _frame(folder: Path, top: str, target: PlaceTarget) -> int:
    """Put synthesized.il into its frame, as framed.json; the bits of its ports but the clock."""
    ports = f"read_rtlil synthesized.il\nselect -module {top}\nwrite_json -selected ports.json\n"
    run_yosys(ports, folder)
    module = json.loads((folder / "ports.json").read_text())["modules"][top]
    widths: dict[str, list[tuple[str, int]]] = {"input": [], "output": []}
    for name, port in module["ports"].items():
        if name != "clk":
            widths[port["direction"]].append((name, len(port["bits"])))
    (folder / "frame.v").write_text(frame_verilog(top, widths["input"], widths["output"], target))
    run_yosys(
        f"read_rtlil synthesized.il\nread_verilog frame.v\nhierarchy -top {_FRAME}\nflatten\nopt_clean\n"
        "delete t:$scopeinfo\nwrite_json framed.json\n",
        folder,
    )
    return sum(width for _, width in (*widths["input"], *widths["output"]))


def frame_verilog(
    top: str, inputs: Sequence[tuple[str, int]], outputs: Sequence[tuple[str, int]], target: PlaceTarget
) -> str:
    """Verilog of the frame of a module with ports (name, bits) and a clock `clk`; its only pins are clk and serial."""
    n_in, n_out = (sum(width for _, width in ports) for ports in (inputs, outputs))
    connections, low = [], {"given": 0, "found": 0}
    for vector, ports in (("given", inputs), ("found", outputs)):
        for name, width in ports:
            connections.append(f"    .{name}({vector}[{low[vector] + width - 1}:{low[vector]}])")
            low[vector] += width
    lines = [f"module {_FRAME}(input clk, input serial);"]
    flip_flop = _FLIP_FLOPS[target]  # cells of the family: the frame is not synthesized
    if n_in:
        before = "serial" if n_in == 1 else f"{{given[{n_in - 2}:0], serial}}"
        lines += [f"  wire [{n_in - 1}:0] given;", flip_flop.format(name="shift", last=n_in - 1, d=before, q="given")]
    if n_out:
        lines += [f"  wire [{n_out - 1}:0] found, taken;"]
        lines += [flip_flop.format(name="take", last=n_out - 1, d="found", q="taken")]
    lines += [f"  {top} circuit (", ",\n".join(["    .clk(clk)", *connections]), "  );", "endmodule", ""]
    return "\n".join(lines)


def _devices(target: PlaceTarget, name: str | None, found: Synthesis, n_port_bits: int) -> list[Device]:
    """The devices to try, smallest first: those that could hold the circuit, or the one that was named."""
    names = ", ".join(device.name for device in DEVICES[target])
    if name is not None:
        chosen = [device for device in DEVICES[target] if device.name == name]
        if not chosen:
            raise InputError(f"device: wanted one of {names}, got {name}")
        return chosen
    n_cells = max(found.luts or 0, found.flip_flops + n_port_bits)
    needed = (n_cells, found.dsps or 0, found.brams or 0)
    fitting = [
        device
        for device in DEVICES[target]
        if all(n <= there for n, there in zip(needed, (device.n_luts, device.n_dsps, device.n_brams), strict=True))
    ]
    if not fitting:
        sizes = f"{n_cells} LUTs or flip-flops, {needed[1]} DSPs, {needed[2]:g} block RAMs"
        raise InputError(f"{target}: wanted a circuit that fits one of {names}, got {sizes}; make the design smaller")
    return fitting


def _place(folder: Path, command: Sequence[str], devices: Sequence[Device]) -> Device:
    """Run nextpnr on the first of `devices` that holds the circuit; report.json then is of that one."""
    for device in devices:
        message = _failure([*command, *device.switches], folder)
        if message is None:
            return device
        if not _TOO_SMALL.search(message):
            raise PlacementError(f"nextpnr: {message}")
    raise InputError(f"{devices[-1].name}: wanted a circuit that fits it, got a larger one: {message}")


def _switches(target: PlaceTarget, seed: int) -> list[str]:
    open_pins = ["--lpf-allow-unconstrained"] if target == "ecp5" else []
    aim = ["--freq", str(_TARGET_MHZ), "--timing-allow-fail", "--seed", str(seed)]
    return ["--json", "framed.json", "--report", "report.json", "-q", *aim, *open_pins]


def _nextpnr(target: PlaceTarget) -> list[str]:
    package = f"yowasp_nextpnr_{target}"
    if importlib.util.find_spec(package) is None:
        raise InputError(f"place and route: wanted the package {package}, got none; pip install 'lockstep[place]'")
    run = f"import sys, {package} as n; sys.exit(n.run_nextpnr_{target}(sys.argv[1:]))"
    command = [sys.executable, "-c", run]
    _warm_up(target, tuple(command))
    return command


@functools.cache
def _warm_up(target: PlaceTarget, command: tuple[str, ...]) -> None:
    """Compile the wheel at its first use on this machine, with a message on stderr."""
    warm_up(f"yowasp-nextpnr-{target}", [*command, "--version"], seconds=10)


@functools.cache
def _version(target: PlaceTarget) -> str:
    done = subprocess.run([*_nextpnr(target), "--version"], text=True, capture_output=True, check=False)
    text = done.stdout + done.stderr
    return text[text.index("Version ") + len("Version ") :].split(")")[0]


def _failure(command: Sequence[str], folder: Path) -> str | None:
    """Run nextpnr; its first error, None where there is none."""
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    if done.returncode == 0:
        return None
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    message = next((line for line in lines if line.startswith("ERROR: ")), lines[-1] if lines else "no message")
    return message.removeprefix("ERROR: ")


def _clock(report: Mapping[str, Any]) -> str:
    """The circuit's clock among the report's: it has one, under the name that buffers gave it."""
    clocks = list(report["fmax"])
    if len(clocks) != 1:
        raise PlacementError(f"nextpnr: wanted one clock, got {', '.join(clocks) or 'none'}")
    return clocks[0]


def _critical_path(report: Mapping[str, Any], clock: str) -> tuple[dict[str, float], int]:
    """Of the slowest path between registers of `clock`: ns by kind of delay, and the logic cells on it."""
    for path in report["critical_paths"]:
        if path["from"].endswith(clock) and path["to"].endswith(clock):
            delays: dict[str, float] = {}
            for step in path["path"]:
                delays[step["type"]] = delays.get(step["type"], 0.0) + float(step["delay"])
            return delays, sum(step["type"] == "logic" for step in path["path"])
    raise PlacementError(f"nextpnr: wanted a critical path of {clock}, got none")
