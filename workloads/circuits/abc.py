"""Circuits made smaller or flatter by ABC (in the yosys wheel), at what gates cost under TFHE."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from designs.yosys import run_yosys
from workloads.circuits import circuit as c
from workloads.circuits.circuit import CONSTANT_0, CONSTANT_1, Circuit
from workloads.circuits.simplify import simplified

# Each of the ten gates of two inputs is one bootstrap, a MUX is two (docs/fhe.md, section 1), a NOT next to nothing.
AREA_OF_BOOTSTRAP = 100
_FUNCTIONS = {
    c.NOT: "(!A)",
    c.AND: "(A*B)",
    c.NAND: "(!(A*B))",
    c.OR: "(A+B)",
    c.NOR: "(!(A+B))",
    c.XOR: "((A*!B)+(!A*B))",
    c.XNOR: "((A*B)+(!A*!B))",
    c.ANDNY: "(!A*B)",
    c.ANDYN: "(A*!B)",
    c.ORNY: "(!A+B)",
    c.ORYN: "(A+!B)",
    c.MUX: "((A*B)+(!A*C))",
}
_PINS = "ABC"
# Yosys's own cells for the gates of a circuit, and which operand each pin takes.
_CELLS = {
    c.NOT: ("$_NOT_", "A"),
    c.AND: ("$_AND_", "AB"),
    c.NAND: ("$_NAND_", "AB"),
    c.OR: ("$_OR_", "AB"),
    c.NOR: ("$_NOR_", "AB"),
    c.XOR: ("$_XOR_", "AB"),
    c.XNOR: ("$_XNOR_", "AB"),
    c.ANDNY: ("$_ANDNOT_", "BA"),
    c.ANDYN: ("$_ANDNOT_", "AB"),
    c.ORNY: ("$_ORNOT_", "BA"),
    c.ORYN: ("$_ORNOT_", "AB"),
    c.MUX: ("$_MUX_", "SBA"),
}
_CONSTANT_CELLS = {"lockstep_zero": CONSTANT_0, "lockstep_one": CONSTANT_1}
_OPS = {f"lockstep_{name}": code for code, name in enumerate(c.OPS)}


def resynthesized(circuit: Circuit, commands: Sequence[str], *, seconds: float, with_mux: bool) -> Circuit:
    """What ABC makes of a circuit by `commands`, which end with mapped gates.

    TimeoutError where it takes longer than `seconds`; designs.yosys.YosysError where ABC fails.
    """
    with tempfile.TemporaryDirectory(prefix="lockstep_abc_") as name:
        folder = Path(name)
        (folder / "circuit.il").write_text(_rtlil(circuit))
        (folder / "tfhe.genlib").write_text(genlib(with_mux=with_mux))
        inline = ";".join(commands).replace(" ", ",")
        script = (
            f"read_rtlil circuit.il\nabc -genlib tfhe.genlib -script +{inline}\nopt_clean\nwrite_json mapped.json\n"
        )
        run_yosys(script, folder, seconds=seconds)
        module = json.loads((folder / "mapped.json").read_text())["modules"]["top"]
    return _circuit(circuit, module)


def genlib(*, with_mux: bool) -> str:
    """The cells in ABC's format: area 100 a bootstrap, a delay of one for all that bootstrap."""
    lines = ["GATE lockstep_zero 0 Y=CONST0;", "GATE lockstep_one 0 Y=CONST1;"]
    for op, function in _FUNCTIONS.items():
        area = max(int(c.N_BOOTSTRAPS[op]) * AREA_OF_BOOTSTRAP, 1)
        delay = 0.001 if op == c.NOT else 1.0
        if with_mux or op != c.MUX:
            pin = f"PIN * UNKNOWN 1 999 {delay} 0 {delay} 0"
            lines.append(f"GATE lockstep_{c.OPS[op]} {area} Y={function}; {pin}")
    return "\n".join(lines) + "\n"


def _rtlil(circuit: Circuit) -> str:
    """The circuit as a module `top` with inputs `i` and outputs `o`."""
    text = io.StringIO()
    text.write(f"module \\top\n  wire width {circuit.n_inputs} input 1 \\i\n")
    text.write(f"  wire width {len(circuit.outputs)} output 2 \\o\n  wire width {max(circuit.n_gates, 1)} \\g\n")

    def place(signal: int) -> str:
        return f"\\i [{signal}]" if signal < circuit.n_inputs else f"\\g [{signal - circuit.n_inputs}]"

    for index, (op, operands) in enumerate(zip(circuit.ops.tolist(), circuit.operands.tolist(), strict=True)):
        cell, pins = _CELLS[op]
        connections = "".join(
            f"    connect \\{pin} {place(signal)}\n" for pin, signal in zip(pins, operands, strict=False)
        )
        text.write(f"  cell {cell} $c{index}\n{connections}    connect \\Y \\g [{index}]\n  end\n")
    for index, signal in enumerate(circuit.outputs.tolist()):
        source = {CONSTANT_0: "1'0", CONSTANT_1: "1'1"}.get(signal) or place(signal)
        text.write(f"  connect \\o [{index}] {source}\n")
    text.write("end\n")
    return text.getvalue()


def _circuit(circuit: Circuit, module: dict) -> Circuit:
    """The mapped module with the ports of `circuit`."""
    constants = {"0": CONSTANT_0, "1": CONSTANT_1, "x": CONSTANT_0}
    made: dict[int | str, dict] = {cell["connections"]["Y"][0]: cell for cell in module["cells"].values()}
    number: dict[int | str, int] = {**constants}  # type: ignore[dict-item]
    for bit, cell in list(made.items()):
        if cell["type"] in _CONSTANT_CELLS:
            number[bit] = _CONSTANT_CELLS[cell["type"]]
    for index, bit in enumerate(module["ports"]["i"]["bits"]):
        number[bit] = index
    ops: list[int] = []
    operands: list[list[int]] = []

    def operands_of(cell: dict) -> list[int | str]:
        connections = cell["connections"]
        return [connections[pin][0] for pin in _PINS if pin in connections]

    outputs = module["ports"]["o"]["bits"]
    for root in outputs:
        stack = [root]
        while stack:
            bit = stack[-1]
            if bit in number:
                stack.pop()
                continue
            cell = made[bit]
            waiting = [operand for operand in operands_of(cell) if operand not in number]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            read = [number[operand] for operand in operands_of(cell)]
            ops.append(_OPS[cell["type"]])
            operands.append((read + [-1, -1])[:3])
            number[bit] = circuit.n_inputs + len(ops) - 1
    return simplified(
        circuit.name,
        circuit.inputs,
        circuit.output_ports,
        np.array(ops, np.uint8),
        np.array(operands, np.int32).reshape(-1, 3),
        np.array([number[bit] for bit in outputs], np.int32),
    )
