"""One copy of a LUT machine: stages of LUTs with banks between them."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.parts.lut_bank import LutBank
from hw.parts.lut_stage import LutStage, LutWires
from workloads.mapping.lut import Circuit


class LutPipeline(wiring.Component):
    """Classifies `samples`, input 0 the least significant bit, into `answers`, output 0 the least significant bit.

    Latency: a sample that is taken in cycle t is offered as answer in cycle t + `circuit.latency_cycles` where nothing
    stalls. Initiation interval: 1 cycle. Backpressure: each of the n_stages + 1 banks holds one sample, so `samples` is
    ready until all are full and the answer is not taken; a bubble closes as soon as something waits behind it.

    Submodules: `bank_0` to `bank_<n_stages>`, and `stage_1` to `stage_<n_stages>` of LUTs between them.
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
        m.submodules.inputs = source = LutWires(circuit.netlist.n_inputs, circuit.banks[0].tolist())
        m.d.comb += source.signals.eq(self.samples.payload)
        banks = []
        for number, signals in enumerate(circuit.banks):
            m.submodules[f"bank_{number}"] = bank = LutBank(len(signals))
            sink: LutStage | LutWires
            if number < circuit.n_stages:
                m.submodules[f"stage_{number + 1}"] = sink = LutStage(circuit, number + 1)
            else:
                m.submodules.outputs = sink = LutWires(len(signals), _places(circuit))
            if bank.n_bits:  # none where all outputs are constants
                m.d.comb += [bank.data_before.eq(source.result), sink.signals.eq(bank.data)]
            banks.append(bank)
            source = sink
        m.d.comb += self.answers.payload.eq(source.result)
        self._chain(m, banks)
        return m

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


def _places(circuit: Circuit) -> list[int]:
    """Where the last bank holds each output; constants as they are."""
    place = {int(signal): number for number, signal in enumerate(circuit.banks[-1])}
    return [place.get(signal, signal) for signal in circuit.netlist.outputs.tolist()]
