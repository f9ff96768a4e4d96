"""From accumulators to results: adder trees of the sets, bias, requantization, and the order in which results leave."""

from __future__ import annotations

import operator

from amaranth.hdl import Array, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from designs.families.sparse import Design
from hw.parts.array import tree
from hw.parts.overflow import clip
from hw.parts.requantizer import rounded
from hw.parts.sparse_rows import row_layout, rows_a_word
from hw.parts.sparse_types import BIAS_BITS, NUMBER_BITS, ROW_BITS, config_layout


def result_layout(design: Design) -> data.StructLayout:
    """A word of results: the stored activations of `n_sets` rows, or of one and that row's number in its slice."""
    number = {"row": unsigned(NUMBER_BITS)} if design.output_order == "restored" else {}
    return data.StructLayout({"values": data.ArrayLayout(unsigned(design.act_bits), rows_a_word(design))} | number)


class Drain(wiring.Component):
    """Reads the accumulators of a slice's rows, tag by tag, and offers their results.

    While `active`: rows of a word are read in a cycle, and cleared (`read_tag`, `clear`, `read_rows`, `first_row`);
    their word is offered three cycles later. Initiation interval 1 word. Backpressure: in a cycle in which a word is
    offered and not taken everything stands still. `done` in the cycle in which the last word is taken; `n_results` is
    how many results are read in a cycle.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        per_word = rows_a_word(design)
        super().__init__(
            {
                "config": In(config_layout(design)),
                "active": In(1),
                "n_rows": In(ROW_BITS),
                "read_tag": Out(design.tag_bits),
                "clear": Out(design.n_sets),
                "accumulators": In(data.ArrayLayout(signed(design.acc_bits), design.n_macs)),
                "read_rows": Out(1),
                "first_row": Out(ROW_BITS),
                "rows": In(data.ArrayLayout(row_layout(design), per_word)),
                "results": Out(stream.Signature(result_layout(design))),
                "n_results": Out(range(per_word + 1)),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, config, results = self._design, self.config, self.results
        per_word = rows_a_word(design)
        enable, reading = Signal(), Signal()
        following = Signal(ROW_BITS + 1)
        n_left = Signal(ROW_BITS)
        stages = [Signal(data.StructLayout({"there": 1, "last": 1}), name=f"stage_{i}") for i in range(4)]
        m.d.comb += [
            enable.eq(~results.valid | results.ready),
            n_left.eq(self.n_rows - self.first_row),
            reading.eq(self.active & (self.first_row < self.n_rows) & enable),
            following.eq(self.first_row + per_word),
            stages[0].there.eq(reading),
            stages[0].last.eq(following >= self.n_rows),
            self.read_rows.eq(reading),
            self.n_results.eq(Mux(reading, Mux(n_left < per_word, n_left, per_word), 0)),
            results.valid.eq(stages[3].there),
            self.done.eq(results.valid & results.ready & stages[3].last),
        ]
        with m.If(self.done):
            m.d.sync += self.first_row.eq(0)
        with m.Elif(reading):
            m.d.sync += self.first_row.eq(following)
        with m.If(enable):
            m.d.sync += [after.eq(before) for before, after in zip(stages, stages[1:], strict=False)]
        sums = self._sums(m, reading, enable)
        for i, total in enumerate(sums):
            biased = Signal(signed(max(len(total), BIAS_BITS) + 1), name=f"biased_{i}")
            scaled = Signal((biased * config.multiplier).shape(), name=f"scaled_{i}", reset_less=True)
            result = Signal(signed(design.act_bits + 2), name=f"result_{i}", reset_less=True)
            # Two bits more than any bound, so that what is cut off is beyond the bound with the zero point added, too.
            wide = Signal(signed(design.act_bits + 5), name=f"wide_{i}")
            m.d.comb += [
                biased.eq(total + self.rows[i].bias),
                wide.eq(rounded(scaled, config.shift, bits=design.act_bits + 4) + config.out_zero),
            ]
            with m.If(enable):
                m.d.sync += scaled.eq(biased * config.multiplier)
                m.d.sync += result.eq(clip(wide, config.out_low, config.out_high))
            m.d.comb += results.payload["values"][i].eq(result)
        if design.output_order == "restored":
            number = Signal(NUMBER_BITS, reset_less=True)
            with m.If(enable):
                m.d.sync += [number.eq(self.rows[0].number), results.payload.row.eq(number)]
        return m

    def _sums(self, m: Module, reading: Signal, enable: Signal) -> list[Signal]:
        """Exact sums of the ways of a set, registered: of all sets, or of the one whose turn it is."""
        design = self._design
        ways = design.ways
        trees = [
            tree([self.accumulators[s * ways + way] for way in range(ways)], operator.add)
            for s in range(design.n_sets)
        ]
        shape = signed(design.acc_bits + ceil_log2(ways))
        tag = Signal(design.tag_bits)
        m.d.comb += self.read_tag.eq(tag)
        if design.output_order == "folded":
            sums = [Signal(shape, name=f"sum_{s}", reset_less=True) for s in range(design.n_sets)]
            tag_done, chosen = reading, trees
            m.d.comb += self.clear.eq(reading.replicate(design.n_sets))
        else:
            turn = Signal(range(max(design.n_sets, 2)))
            sums = [Signal(shape, name="sum", reset_less=True)]
            tag_done = reading & (turn == design.n_sets - 1)
            chosen = [Array(trees)[turn] if design.n_sets > 1 else trees[0]]
            m.d.comb += self.clear.eq(reading << turn)
            with m.If(self.done):
                m.d.sync += turn.eq(0)
            with m.Elif(reading):
                m.d.sync += turn.eq(Mux(tag_done, 0, turn + 1))
        with m.If(self.done):
            m.d.sync += tag.eq(0)
        with m.Elif(tag_done):
            m.d.sync += tag.eq(tag + 1)
        with m.If(enable):
            m.d.sync += [total.eq(value) for total, value in zip(sums, chosen, strict=True)]
        return sums
