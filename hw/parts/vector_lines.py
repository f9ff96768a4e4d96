"""Walking the lines that a step of the vector unit loads (docs/vector.md, sections 3 and 4)."""

from __future__ import annotations

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from designs.families.tensor import Design
from hw.parts.lines import LineCounter, bytes_of
from hw.parts.memory_port import BEATS_BITS
from hw.parts.vector_types import (
    ENTRY_BITS,
    ID_BITS,
    PIXEL_BITS,
    TABLE_WORDS,
    WORDS_BITS,
    Operation,
    step_layout,
    vector_config_layout,
)

# What a step loads, in this order. A value of VectorLines.section has one of these bits set.
SECTIONS = data.StructLayout({"ids": 1, "x": 1, "z": 1, "params": 1, "table": 1})


NARROW, WIDE, PARAMS, TABLE, IDS = range(5)  # sizes of words


def line_beats(m: Module, design: Design, n_words: Value, word_bytes: Value, name: str) -> Value:
    """Beats of a line of so many words, rounded up to bursts."""
    burst = design.dram_burst_bytes
    n_bytes = Signal(unsigned(BEATS_BITS + 8), name=f"{name}_bytes")
    m.d.comb += n_bytes.eq(n_words * word_bytes)
    bursts = (n_bytes + (burst - 1)) >> exact_log2(burst)
    return bursts << exact_log2(burst // design.dram_bytes_per_cycle)


def word_sizes(design: Design) -> tuple[int, ...]:
    """Bytes of the words that are loaded: narrow, wide, parameters, table, ids."""
    bits = (design.act_word_bits, design.vector_word_bits, design.vector_param_word_bits, ENTRY_BITS, ID_BITS)
    return tuple(bytes_of(n) for n in bits)


class VectorLines(wiring.Component):
    """The lines of a step: ids, x, z, parameters, table.

    `start` in the cycle before the step is there; then `has_line`: there is a line, `section`, `size` (of word_sizes),
    `n_words`, `n_beats` describe it (latency 0); `advance` in its last cycle steps to the next, which is there in the
    following cycle (initiation interval 1). `first`, `row_last` and `last` are places in the section. `step_last`: the
    step's last line.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "step": In(step_layout()),
                "n_pixels": In(PIXEL_BITS),
                "start": In(1),
                "advance": In(1),
                "has_line": Out(1),
                "section": Out(SECTIONS),
                "size": Out(range(len(word_sizes(design)))),
                "n_words": Out(WORDS_BITS),
                "n_beats": Out(BEATS_BITS),
                "first": Out(1),
                "row_last": Out(1),
                "last": Out(1),
                "step_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, config, step, section = self._design, self.config, self.step, self.section
        m.submodules.counter = counter = LineCounter()
        sizes = word_sizes(design)
        gathers = config.operation == Operation.GATHER
        fresh = Signal()  # no line of this step is done
        rest, present, left, lowest = (Signal(SECTIONS.size) for _ in range(4))  # sets of sections
        m.d.comb += [
            present.eq(
                Cat(gathers, 1, config.operation == Operation.ADD, step.param_words != 0, step.load_table)
            ),
            left.eq(Mux(fresh, present, rest)),
            self.has_line.eq(left != 0),
            lowest.eq(left & -left),
            section.eq(lowest),
            counter.advance.eq(self.advance),
            self.first.eq(counter.first),
            self.row_last.eq(counter.row_last),
            self.last.eq(counter.last),
            self.step_last.eq(counter.last & (left == lowest)),
            self.n_beats.eq(line_beats(m, design, self.n_words, Array(sizes)[self.size], "line")),
        ]
        self._shapes(m, counter, gathers)
        with m.If(self.advance):
            m.d.sync += [fresh.eq(0), rest.eq(Mux(counter.last, left & ~lowest, left))]
        with m.If(self.start):
            m.d.sync += fresh.eq(1)
        return m

    def _shapes(self, m: Module, counter: LineCounter, gathers: Value) -> None:
        """Lines and words of the section."""
        config, step, section = self.config, self.step, self.section
        m.d.comb += [counter.rows.eq(1), counter.blocks.eq(1)]
        with m.If(section.ids):
            m.d.comb += [self.size.eq(IDS), counter.rows.eq(step.lines), self.n_words.eq(config.in_w)]
        with m.Elif(section.x & gathers):
            m.d.comb += [self.size.eq(config.x_wide), counter.rows.eq(self.n_pixels), self.n_words.eq(step.blocks)]
        with m.Elif(section.x | section.z):
            m.d.comb += [
                self.size.eq(Mux(section.x, config.x_wide, config.z_wide)),
                counter.rows.eq(step.lines),
                counter.blocks.eq(step.blocks),
                self.n_words.eq(config.in_w),
            ]
        with m.Elif(section.params):
            m.d.comb += [self.size.eq(PARAMS), self.n_words.eq(step.param_words)]
        with m.Else():
            m.d.comb += [self.size.eq(TABLE), self.n_words.eq(TABLE_WORDS)]
