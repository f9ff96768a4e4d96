"""One copy of a LUT machine: levels of LUTs with banks of registers between its stages."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from amaranth.hdl import Module, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.lut_bank import LutBank
from hw.parts.lut_level import LutLevel, LutWires, vectors_of
from workloads.mapping.lut import Circuit


class LutPipeline(wiring.Component):
    """Classifies `samples`, input 0 the least significant bit, into `answers`, output 0 the least significant bit.

    Latency: a sample that is taken in cycle t is offered as answer in cycle t + `circuit.latency_cycles` where nothing
    stalls. Initiation interval: 1 cycle. Backpressure: each of the n_stages + 1 banks holds one sample, so `samples` is
    ready until all are full and the answer is not taken; a bubble closes as soon as something waits behind it.

    Submodules: `bank_0` to `bank_<n_stages>`, `level_1` to `level_<n_levels>` of LUTs between them, and the wires
    `into_bank_0` to `into_bank_<n_stages>` and `into_answers`.
    """

    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        super().__init__(
            {
                "samples": In(stream.Signature(unsigned(circuit.netlist.n_inputs))),
                "answers": Out(stream.Signature(unsigned(circuit.netlist.n_outputs))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        circuit = self._circuit
        held: dict[str, Value] = {"bank": self.samples.payload}  # as vectors_of
        banks = []
        for stage, signals in enumerate(circuit.banks):
            self._add_levels(m, stage, held)
            m.submodules[f"bank_{stage}"] = bank = LutBank(len(signals))
            if bank.n_bits:  # none where all outputs are constants
                m.submodules[f"into_bank_{stage}"] = wires = LutWires(vectors_of(circuit, stage), signals.tolist())
                _connect(m, wires, held)
                m.d.comb += bank.data_before.eq(wires.picked)
                held = {"bank": bank.data}
            banks.append(bank)
        outputs = circuit.netlist.outputs.tolist()
        m.submodules.into_answers = wires = LutWires(vectors_of(circuit, circuit.n_stages + 1), outputs)
        _connect(m, wires, held)
        m.d.comb += self.answers.payload.eq(wires.picked)
        self._chain(m, banks)
        return m

    def _add_levels(self, m: Module, stage: int, held: dict[str, Value]) -> None:
        """The levels of a stage, which read the bank before it and one another; adds their values to `held`."""
        for level in np.unique(self._circuit.levels[self._circuit.stages == stage]).tolist():
            m.submodules[f"level_{level}"] = luts = LutLevel(self._circuit, level)
            _connect(m, luts, held)
            held[f"values_{level}"] = luts.values

    def _chain(self, m: Module, banks: list[LutBank]) -> None:
        """Valid flags run from samples to answers, room runs the other way."""
        m.d.comb += [
            banks[0].valid_before.eq(self.samples.valid),
            self.samples.ready.eq(banks[0].room),
            self.answers.valid.eq(banks[-1].valid),
            banks[-1].room_after.eq(self.answers.ready),
        ]
        for before, after in pairwise(banks):
            m.d.comb += [after.valid_before.eq(before.valid), before.room_after.eq(after.room)]


def _connect(m: Module, part: LutLevel | LutWires, held: dict[str, Value]) -> None:
    m.d.comb += [getattr(part, name).eq(held[name]) for name in part.reads]
