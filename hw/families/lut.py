"""The LUT machine as a circuit (docs/lut.md): equal pipelines of look-up tables side by side."""

from __future__ import annotations

from amaranth.hdl import Module, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from designs.errors import InputError
from designs.families.lut import Design
from hw.parts.lut_pipeline import LutPipeline
from workloads.kinds.classification import Classification
from workloads.mapping.lut import Circuit, circuit_of
from workloads.mapping.lut_classifier import classifier_of


def build(design: Design, workload: Classification) -> wiring.Component:
    """The whole machine of `design` for the classifier that `workload` is or trains. Same two, same Verilog.

    Raises InputError where the workload does not fit the design.
    """
    return LutMachine(design, circuit_of(design, classifier_of(design, workload).netlist))


class LutMachine(wiring.Component):
    """`copies` pipelines that share nothing but the clock: streams `samples_<c>` and `answers_<c>` of each copy c.

    Each has latency, initiation interval and backpressure of `hw.parts.lut_pipeline.LutPipeline`. Elaboration
    raises InputError for a circuit without inputs or outputs: its streams would carry nothing.
    """

    def __init__(self, design: Design, circuit: Circuit) -> None:
        netlist = circuit.netlist
        self._copies, self._circuit = design.copies, circuit
        samples, answers = stream.Signature(unsigned(netlist.n_inputs)), stream.Signature(unsigned(netlist.n_outputs))
        super().__init__(
            {f"samples_{copy}": In(samples) for copy in range(design.copies)}
            | {f"answers_{copy}": Out(answers) for copy in range(design.copies)}
        )

    def elaborate(self, platform: object) -> Module:
        netlist = self._circuit.netlist
        if not netlist.n_inputs or not netlist.n_outputs:
            raise InputError(
                "circuit: wanted at least one input and one output, "
                f"got {netlist.n_inputs} inputs and {netlist.n_outputs} outputs"
            )
        m = Module()
        for copy in range(self._copies):
            m.submodules[f"copy_{copy}"] = pipeline = LutPipeline(self._circuit)
            connect(m, flipped(getattr(self, f"samples_{copy}")), pipeline.samples)
            connect(m, pipeline.answers, flipped(getattr(self, f"answers_{copy}")))
        return m
