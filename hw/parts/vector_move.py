"""to_weights: activations into the order in which the array reads weights (docs/vector.md, section 5)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.operands import stored_value
from hw.parts.overflow import narrowed
from hw.parts.transposer import StreamTransposer
from hw.parts.vector_items import WordSequence
from hw.parts.vector_types import PIXEL_BITS, step_layout, vector_config_layout


class VectorMove(wiring.Component):
    """Reads words of x, a word a cycle, and writes them to y as weights, transposed where `config` says so.

    `start` in cycle x: `valid` from x + 1 on, one word a cycle, with `read` and `address` where its token is present;
    `word` is what was read in the cycle before. `write`, `place` and `result` follow 2 cycles after `valid`, transposed
    array_rows + 2; `done` is high with the last. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        address = range(design.vector_words)
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "step": In(step_layout()),
                "n_pixels": In(PIXEL_BITS),
                "start": In(1),
                "valid": Out(1),
                "read": Out(1),
                "address": Out(address),
                "word": In(design.vector_word_bits),
                "write": Out(1),
                "place": Out(address),
                "result": Out(design.vector_result_word_bits),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, config = self._design, self.config
        rows = design.array_rows
        m.submodules.reads = reads = WordSequence(design)
        m.submodules.writes = writes = WordSequence(design)
        started = Signal(rows + 2)  # a pass began so many cycles ago
        read, present = Signal(), Signal()
        m.d.sync += [started.eq(Cat(self.start, started)), read.eq(reads.valid), present.eq(reads.present)]
        for sequence in (reads, writes):
            m.d.comb += [sequence.step.eq(self.step), sequence.n_pixels.eq(self.n_pixels)]
        m.d.comb += [
            reads.start.eq(self.start),
            writes.start.eq(Mux(config.transposed, started[rows + 1], started[1])),
            self.valid.eq(reads.valid),
            self.read.eq(reads.valid & reads.present),
            self.address.eq(reads.address),
            self.write.eq(writes.valid & (writes.present | config.transposed | ~config.drop)),
            self.place.eq(writes.place),
            self.done.eq(writes.valid & writes.final),
        ]
        weights = data.ArrayLayout(signed(design.weight_bits), rows)
        m.submodules.transposer = transposer = StreamTransposer(shape=signed(design.weight_bits), size=rows)
        fresh, straight = Signal(weights), Signal(weights, reset_less=True)
        for lane in range(rows):
            value = stored_value(self.word.word_select(lane, design.edge_bits), config.x_signed) - config.x_zero
            m.d.comb += fresh[lane].eq(Mux(read & present, narrowed(value, design.weight_bits), 0))
        m.d.sync += straight.eq(fresh)
        m.d.comb += [transposer.valid.eq(read & config.transposed), transposer.word.eq(fresh)]
        lane_bits = design.vector_result_word_bits // rows
        for lane in range(rows):
            weight = Mux(config.transposed, transposer.lanes[lane], straight[lane]).as_unsigned()
            m.d.comb += self.result[lane * lane_bits : (lane + 1) * lane_bits].eq(weight)
        return m
