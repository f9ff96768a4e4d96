"""The output path: from accumulators to words of the output buffer (docs/tensor.md, section 7)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.output_sequence import SliceSequencer, TransposedSequencer, step_layout
from hw.parts.requantizer import BIAS_BITS, SHIFT_BITS, RequantizeLane, ResidualLane
from hw.parts.scratchpad import read_signature, write_signature
from hw.parts.skew import delayed
from hw.parts.tensor_types import COUNTER_BITS, config_layout, output_layout
from hw.parts.transposer import TransposingRegisters

LATENCY_CYCLES = 6  # from the issue cycle of a word's last slice to its write


class OutputPath(wiring.Component):
    """Requantizes outputs in order.

    An output starts in the first cycle in which it is seen and what it waits for is there; its S issue cycles are
    consecutive, and `output_take` is 1 in the last, e. The next may start in e + 1. `done` comes in e + 6, with the
    last write; in pooling, where nothing is left to do, S = 1 and `done` comes in e. Initiation interval: one issue
    cycle a cycle. Backpressure: only before an output, by its waits.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        out_port = {"n_words": design.out_words, "word_bits": design.out_word_bits}
        super().__init__(
            {
                "config": In(config_layout(design)),
                "output": In(output_layout()),
                "output_valid": In(1),
                "output_take": Out(1),
                "stores": In(COUNTER_BITS),
                "completed": In(COUNTER_BITS),
                "done": Out(1),
                "acc_read": Out(read_signature(n_words=design.acc_words, word_bits=design.acc_word_bits)),
                "param_read": Out(read_signature(n_words=design.param_words, word_bits=design.param_word_bits)),
                "residual_read": Out(read_signature(**out_port)),
                "write": Out(write_signature(**out_port)),
                "post": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        transposed = design.dataflow == "input_stationary"
        m.submodules.sequencer = sequencer = (TransposedSequencer if transposed else SliceSequencer)(design)
        m.d.comb += [sequencer.config.eq(self.config), sequencer.output.eq(self.output)]
        step = sequencer.step
        sequencer_run = self._start(m, step)
        m.d.comb += sequencer.run.eq(sequencer_run)
        steps = self._pipeline(m, step)
        m.d.comb += [
            self.post.eq(step.post),
            self.acc_read.en.eq(step.post),
            self.acc_read.buf.eq(self.output.acc_buf),
            self.acc_read.addr.eq(step.acc_addr),
            self.param_read.en.eq(step.post),
            self.param_read.buf.eq(self.output.param_buf),
            self.param_read.addr.eq(step.param_addr),
        ]
        values = self._requantize(m, steps[1], transposed)
        if transposed:
            values, stored = self._transpose(m, steps[4], values), self.residual_read.data
        else:
            stored = self._slice(self.residual_read.data, steps[4]["index"], design.act_lanes // len(values))
        self._finish(m, steps, values, stored)
        return m

    def _start(self, m: Module, step: data.View) -> Signal:
        busy, run, sequenced = Signal(), Signal(), Signal()
        ready = (self.completed >= self.output.wait_tiles) & (self.stores >= self.output.wait_stores)
        m.d.comb += [
            run.eq(self.output_valid & (busy | ready)),
            sequenced.eq(run & ~self.config.pooling),
            self.output_take.eq(Mux(self.config.pooling, run, step.end)),
        ]
        m.d.sync += busy.eq(sequenced & ~step.end)
        return sequenced

    def _pipeline(self, m: Module, step: data.View) -> list[dict[str, Value]]:
        """What is known of the step that was issued 0, 1, ... 6 cycles ago: each field as far as it is used."""
        buf = self.output.out_buf
        fields = {name: step[name] for name in step_layout(self._design).members} | {"out_buf": buf}
        steps: list[dict[str, Value]] = [{} for _ in range(LATENCY_CYCLES + 1)]
        for name, last_use in _LAST_USES.items():
            for cycle, value in enumerate(delayed(m, fields[name], last_use, name=name)):
                steps[cycle][name] = value
        m.d.comb += self.done.eq(Mux(self.config.pooling, self.output_take, steps[LATENCY_CYCLES]["end"]))
        return steps

    @staticmethod
    def _slice(word: Value, index: Value, n_slices: int) -> Value:
        return word.word_select(index, len(word) // n_slices) if n_slices > 1 else word

    def _requantize(self, m: Module, step: dict[str, Value], transposed: bool) -> list[Value]:
        """Results of g lanes, 4 cycles after the issue cycle."""
        design = self._design
        lanes = design.post_lanes
        accs = self._slice(self.acc_read.data, step["acc_slice"], design.array_cols // lanes)
        param_bits = BIAS_BITS + design.channel_scale_bits
        values = []
        for i in range(lanes):
            m.submodules[f"requantize_{i}"] = lane = RequantizeLane(design)
            index = step["param_lane"] if transposed else i
            field = self.param_read.data.word_select(index, param_bits)
            m.d.comb += [
                lane.config.eq(self.config),
                lane.acc.eq(accs.word_select(i, design.acc_bits)),
                lane.bias.eq(field[:BIAS_BITS]),
            ]
            if design.channel_scale_bits:
                m.d.comb += [lane.multiplier.eq(field[BIAS_BITS:-SHIFT_BITS]), lane.shift.eq(field[-SHIFT_BITS:])]
            values.append(lane.y)
        return values

    def _transpose(self, m: Module, step: dict[str, Value], values: list[Value]) -> list[Value]:
        design = self._design
        m.submodules.transposer = registers = TransposingRegisters(
            shape=signed(design.edge_bits + 2), n_words=design.array_cols, n_lanes=design.array_rows, width=len(values)
        )
        m.d.comb += [
            registers.write.eq(step["post"]),
            registers.lane.eq(step["channel"]),
            registers.group.eq(step["acc_slice"]),
            registers.index.eq(step["index"]),
            *(registers.values[i].eq(value) for i, value in enumerate(values)),
        ]
        return [registers.word[i] for i in range(design.array_rows)]

    def _finish(self, m: Module, steps: list[dict[str, Value]], values: list[Value], stored: Value) -> None:
        design = self._design
        m.d.comb += [
            self.residual_read.en.eq(steps[3]["begin"] & self.config.residual),
            self.residual_read.buf.eq(steps[3]["out_buf"]),
            self.residual_read.addr.eq(steps[3]["out_addr"]),
        ]
        outs = []
        for i, value in enumerate(values):
            m.submodules[f"residual_{i}"] = lane = ResidualLane(design)
            m.d.comb += [
                lane.config.eq(self.config),
                lane.y.eq(value),
                lane.r.eq(stored.word_select(i, design.edge_bits)),
                lane.keep.eq(i < steps[4]["n_keep"]),
            ]
            outs.append(lane.out)
        # The slices of a word come one a cycle: those before the last are as many cycles old.
        slices = delayed(m, Cat(*outs), design.act_lanes // len(outs) - 1, name="slice", reset_less=True)
        m.d.comb += [
            self.write.en.eq(steps[6]["write"]),
            self.write.buf.eq(steps[6]["out_buf"]),
            self.write.addr.eq(steps[6]["out_addr"]),
            self.write.data.eq(Cat(*reversed(slices))),
        ]


_LAST_USES = {
    "post": 4, "acc_slice": 4, "param_lane": 1, "channel": 4, "index": 4, "begin": 3, "n_keep": 4,
    "write": 6, "out_addr": 6, "out_buf": 6, "end": 6,
}  # fmt: skip
