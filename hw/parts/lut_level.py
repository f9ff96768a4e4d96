"""What stands between two banks of a LUT machine: levels of LUTs, and the wires that pick signals."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Instance
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from workloads.mapping.lut import Circuit
from workloads.netlist import CONSTANT_1


class LutLevel(wiring.Component):
    """The LUTs of level l: `values`, in the order of their numbers.

    Reads whole vectors of `vectors_of(circuit, stage)`, those that it needs, as ports of the same names. Combinational:
    latency 0, no state, no backpressure. It is a Verilog module of its own (see `_instance`).

    That module is one function of the vectors, LUT after LUT. As an assignment a LUT, or as cells, every change of a
    LUT is an event that all readers of its vector see: 500 LUTs of random tables in five levels then cost Icarus 12 to
    94 ms a cycle instead of 1. Synthesis finds the tables in `table >> {inputs}` (hw/synthesis.py).
    """

    def __init__(self, circuit: Circuit, level: int) -> None:
        self._netlist, self._luts = circuit.netlist, luts_of_level(circuit, level)
        self._fanin = [circuit.netlist.inputs_of(lut).tolist() for lut in self._luts.tolist()]
        vectors = vectors_of(circuit, int(circuit.stages[self._luts[0]]))
        self.reads, self._names = _read(vectors, {signal for fanin in self._fanin for signal in fanin})
        super().__init__({name: In(n) for name, n in self.reads.items()} | {"values": Out(len(self._luts))})

    def elaborate(self, platform: Any) -> Instance:
        arguments = "".join(f"    input [{n - 1}:0] of_{name};\n" for name, n in self.reads.items())
        tables = [_integer(self._netlist.table_of(lut)) for lut in self._luts.tolist()]
        reads = [[f"of_{self._names[signal]}" for signal in fanin] for fanin in self._fanin]
        body = "".join(
            f"      lut[{place}] = {look_up(table, read)};\n"
            for place, (table, read) in enumerate(zip(tables, reads, strict=True))
        )
        function = f"  function [{len(tables) - 1}:0] lut;\n{arguments}    begin\n{body}    end\n  endfunction\n"
        return _instance(platform, "lut_level", self, f"{function}  assign values = lut({', '.join(self.reads)});\n")


class LutWires(wiring.Component):
    """`picked`: signals (n_picked of them, at least one) or constants out of vectors, read as `LutLevel` reads them.

    Latency 0. A Verilog module of its own, as Amaranth and yosys would write an assignment for each bit.
    """

    def __init__(self, vectors: Mapping[str, np.ndarray], signals: Sequence[int]) -> None:
        self._signals = signals
        self.reads, self._names = _read(vectors, set(signals))
        super().__init__({name: In(n) for name, n in self.reads.items()} | {"picked": Out(len(signals))})

    def elaborate(self, platform: Any) -> Instance:
        bits = [self._names.get(signal, f"1'b{int(signal == CONSTANT_1)}") for signal in self._signals]
        between = ",\n    "  # Verilator refuses lines of more than 40,000 tokens
        return _instance(platform, "lut_wires", self, f"  assign picked = {_joined(bits, between)};\n")


def _instance(platform: Any, kind: str, part: wiring.Component, logic: str) -> Instance:
    """A Verilog module with the ports of `part` around `logic`, given to the platform (hw/verilog.py), as an instance.

    It is named after its text, so that equal ones are one.
    """
    widths = {name: (member.flow, len(getattr(part, name))) for name, member in part.signature.members.items()}
    declared = (f"  {'input' if flow is In else 'output'} [{n - 1}:0] {name};\n" for name, (flow, n) in widths.items())
    body = f"({', '.join(widths)});\n{''.join(declared)}{logic}endmodule\n"
    module = f"{kind}_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
    platform.add_file(f"{module}.v", f"module {module}{body}")
    return Instance(
        module, **{f"{'i' if flow is In else 'o'}_{name}": getattr(part, name) for name, (flow, _) in widths.items()}
    )


def luts_of_level(circuit: Circuit, level: int) -> np.ndarray:
    """The LUTs of a level (1 to n_levels), in the order of the bits of its `values`."""
    return np.flatnonzero(circuit.levels == level)


def vectors_of(circuit: Circuit, stage: int) -> dict[str, np.ndarray]:
    """What can be read in a stage, with the signals of each: `bank`, before it, and `values_<l>` of its levels.

    Stage 0 has the inputs of the machine there; stage n_stages + 1, the reader of the answers, the last bank.
    """
    first = circuit.netlist.n_inputs
    vectors = {"bank": circuit.banks[stage - 1] if stage else np.arange(first)}
    for level in np.unique(circuit.levels[circuit.stages == stage]).tolist():
        vectors[f"values_{level}"] = first + luts_of_level(circuit, level)
    return vectors


def _read(vectors: Mapping[str, np.ndarray], signals: set[int]) -> tuple[dict[str, int], dict[int, str]]:
    """(width of each vector that has one of `signals`, Verilog of each of them: the bit of its vector)."""
    names = {s: f"{name}[{place}]" for name, held in vectors.items() for place, s in enumerate(held.tolist())}
    names = {signal: names[signal] for signal in sorted(signals) if signal >= 0}
    used = {name.partition("[")[0] for name in names.values()}
    return {name: len(held) for name, held in vectors.items() if name in used}, names


def _joined(bits: Sequence[str], between: str = ", ") -> str:
    return f"{{{between.join(reversed(bits))}}}"


def look_up(table: int, signals: Sequence[str]) -> str:
    """Verilog of a LUT: entry `{signals[-1], ..., signals[0]}` of `table`, entry 0 its least significant bit."""
    n_entries = 1 << len(signals)
    return f"{n_entries}'h{table:0{-(-n_entries // 4)}x} >> {_joined(signals)}"


def _integer(table: np.ndarray) -> int:
    return int.from_bytes(np.packbits(table, bitorder="little").tobytes(), "little")
