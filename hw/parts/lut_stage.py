"""The LUTs between two banks of a LUT machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from workloads.mapping.lut import Circuit
from workloads.netlist import CONSTANT_1


class LutStage(wiring.Component):
    """Stage s of a circuit: from the data of bank s - 1 (`signals`) to what bank s takes over (`result`).

    Combinational: latency 0, no state, no backpressure. Elaborates into a Verilog module of its own, `luts`, which the
    platform is given (hw/verilog.py); its wire `values` has the stage's LUTs in the order of their numbers.

    That module is one function of the bank, LUT after LUT. As an assignment a LUT, or as cells, every change of a LUT
    is an event that all readers of its vector see: 500 LUTs of random tables in five levels then cost Icarus 12 to 94
    ms a cycle instead of 1. Synthesis finds the tables in `table >> {inputs}` (hw/synthesis.py).
    """

    def __init__(self, circuit: Circuit, stage: int) -> None:
        self._circuit, self._stage = circuit, stage
        self._luts = luts_of_stage(circuit, stage)
        self._n_signals = len(circuit.banks[stage - 1])
        widths = {"signals": self._n_signals, "result": len(circuit.banks[stage])}
        super().__init__({name: (In if name == "signals" else Out)(n) for name, n in widths.items() if n})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self.signature.members:  # a circuit whose outputs are constants has stages of nothing
            m.submodules.luts = _instance(platform, "lut_stage", self, "".join(self._logic()))
        return m

    def _logic(self) -> Iterator[str]:
        netlist, bank = self._circuit.netlist, self._circuit.banks[self._stage]
        before = self._circuit.banks[self._stage - 1].tolist()
        names = {signal: f"held[{place}]" for place, signal in enumerate(before)}
        if len(self._luts):
            yield f"  wire [{len(self._luts) - 1}:0] values;\n"
            yield f"  function [{len(self._luts) - 1}:0] lut;\n    input [{self._n_signals - 1}:0] held;\n    begin\n"
            for place, number in enumerate(self._luts.tolist()):
                fanin = [names[signal] for signal in netlist.inputs_of(number).tolist()]
                yield f"      lut[{place}] = {look_up(_integer(netlist.table_of(number)), fanin)};\n"
                names[netlist.n_inputs + number] = f"lut[{place}]"
            yield "    end\n  endfunction\n  assign values = lut(signals);\n"
        if len(bank):
            names |= {signal: f"signals[{place}]" for place, signal in enumerate(before)}
            picked = [names[signal].replace("lut[", "values[") for signal in bank.tolist()]
            yield f"  assign result = {_joined(picked)};\n"


class LutWires(wiring.Component):
    """Bit i of `result` is bit `picked[i]` of `signals`, or a constant (workloads/netlist.py). Latency 0."""

    def __init__(self, n_signals: int, picked: Sequence[int]) -> None:
        self._n_signals, self._picked = n_signals, picked
        widths = {"signals": n_signals, "result": len(picked)}
        super().__init__({name: (In if name == "signals" else Out)(n) for name, n in widths.items() if n})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = [f"signals[{place}]" if place >= 0 else f"1'b{int(place == CONSTANT_1)}" for place in self._picked]
        wires = f"  assign result = {_joined(bits)};\n"
        if bits:
            m.submodules.wires = _instance(platform, "lut_wires", self, wires)
        return m


def _instance(platform: Any, kind: str, part: wiring.Component, logic: str) -> Instance:
    """A Verilog module with the ports of `part` around `logic`, and its instance."""
    widths = {name: (member.flow, len(getattr(part, name))) for name, member in part.signature.members.items()}
    declared = (f"  {'input' if flow is In else 'output'} [{n - 1}:0] {name};\n" for name, (flow, n) in widths.items())
    body = f"({', '.join(widths)});\n{''.join(declared)}{logic}endmodule\n"
    module = f"{kind}_{hashlib.sha256(body.encode()).hexdigest()[:16]}"  # equal ones share it
    platform.add_file(f"{module}.v", f"module {module}{body}")
    return Instance(
        module, **{f"{'i' if flow is In else 'o'}_{name}": getattr(part, name) for name, (flow, _) in widths.items()}
    )


def _joined(bits: Sequence[str]) -> str:
    return f"{{{', '.join(reversed(bits))}}}"


def luts_of_stage(circuit: Circuit, stage: int) -> np.ndarray:
    """The LUTs of a stage, in the order of the bits of its `values`: a LUT reads lower numbers only."""
    return np.flatnonzero(circuit.stages == stage)


def look_up(table: int, signals: Sequence[str]) -> str:
    """Verilog of a LUT: entry `{signals[-1], ..., signals[0]}` of `table`, entry 0 its least significant bit."""
    n_entries = 1 << len(signals)
    return f"{n_entries}'h{table:0{-(-n_entries // 4)}x} >> {_joined(signals)}"


def _integer(table: np.ndarray) -> int:
    return int.from_bytes(np.packbits(table, bitorder="little").tobytes(), "little")
