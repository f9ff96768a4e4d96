"""Walking the lines of a transfer: which comes next, how long it is, where it lies (docs/tensor.md, sections 3, 5)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from designs.families.tensor import Design
from hw.parts.memory_port import BEATS_BITS
from hw.parts.tensor_types import ADDRESS_BITS, config_layout, tile_layout

COUNT_BITS = 12  # rows and blocks of a descriptor
LINE_WORDS_BITS = 12  # words of an activation or output line
# What a tile loads, in this order. A value of LineWalker.section has one of these bits set.
SECTIONS = data.StructLayout({"act": 1, "weights": 1, "params": 1, "residual": 1})


def bytes_of(word_bits: int) -> int:
    """Bytes that a word takes in DRAM."""
    return -(-word_bits // 8)


def words_bits(design: Design) -> int:
    """Bits that count the words of any line or section."""
    most = max((1 << LINE_WORDS_BITS) - 1, design.act_words, design.weight_words, design.param_words, design.out_words)
    return bits_for(most)


class LineCounter(wiring.Component):
    """Counts lines, block outer, row inner; `advance` (combinational, latency 0) ends the current one."""

    def __init__(self) -> None:
        super().__init__(
            {
                "rows": In(COUNT_BITS),
                "blocks": In(COUNT_BITS),
                "advance": In(1),
                "first": Out(1),
                "row_last": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        row, block = Signal(COUNT_BITS), Signal(COUNT_BITS)
        m.d.comb += [
            self.first.eq((row == 0) & (block == 0)),
            self.row_last.eq(row + 1 == self.rows),
            self.last.eq(self.row_last & (block + 1 == self.blocks)),
        ]
        with m.If(self.advance):
            m.d.sync += row.eq(Mux(self.row_last, 0, row + 1))
            with m.If(self.row_last):
                m.d.sync += block.eq(Mux(self.last, 0, block + 1))
        return m


class LineAddress(wiring.Component):
    """Byte address of the current line (latency 0 from `base` at the first line, registered afterwards)."""

    def __init__(self) -> None:
        super().__init__(
            {
                "base": In(ADDRESS_BITS),
                "line_bytes": In(ADDRESS_BITS),
                "block_bytes": In(ADDRESS_BITS),
                "first": In(1),
                "row_last": In(1),
                "advance": In(1),
                "address": Out(ADDRESS_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        following, block, block_start = (Signal(ADDRESS_BITS) for _ in range(3))
        m.d.comb += [
            self.address.eq(Mux(self.first, self.base, following)),
            block_start.eq(Mux(self.first, self.base, block)),
        ]
        with m.If(self.advance):
            m.d.sync += block.eq(block_start)
            with m.If(self.row_last):
                m.d.sync += [following.eq(block_start + self.block_bytes), block.eq(block_start + self.block_bytes)]
            with m.Else():
                m.d.sync += following.eq(self.address + self.line_bytes)
        return m


class LineWalker(wiring.Component):
    """The lines of a tile's loads: activations, weights, parameters, residual.

    `has_line` (latency 0 from `tile`): there is a line; `section`, `n_words`, `n_beats` describe it; `advance` in its
    last cycle steps to the next, which is there in the following cycle (initiation interval 1). `first`, `row_last` and
    `last` are places in the section, `tile_last` is the tile's last line, after which the next tile may be there.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "tile": In(tile_layout()),
                "advance": In(1),
                "has_line": Out(1),
                "section": Out(SECTIONS),
                "n_words": Out(words_bits(design)),
                "n_beats": Out(BEATS_BITS),
                "first": Out(1),
                "row_last": Out(1),
                "last": Out(1),
                "tile_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, tile, config, section = self._design, self.tile, self.config, self.section
        m.submodules.counter = counter = LineCounter()
        present, left, rest, lowest = (Signal(4) for _ in range(4))  # sets of sections
        walking = Signal()
        m.d.comb += [
            present.eq(
                (tile.load_act & (tile.act_rows != 0))
                | tile.load_weights << 1
                | tile.load_params << 2
                | tile.load_residual << 3
            ),
            left.eq(Mux(walking, rest, present)),
            self.has_line.eq(left != 0),
            lowest.eq(left & -left),
            section.eq(lowest),
            counter.rows.eq(1),
            counter.blocks.eq(1),
            counter.advance.eq(self.advance),
            self.first.eq(counter.first),
            self.row_last.eq(counter.row_last),
            self.last.eq(counter.last),
            self.tile_last.eq(counter.last & (left == lowest)),
        ]
        with m.If(section.act):
            m.d.comb += [
                counter.rows.eq(tile.act_rows),
                counter.blocks.eq(tile.blocks),
                self.n_words.eq(config.in_w),
                self.n_beats.eq(config.act_line_beats),
            ]
        with m.Elif(section.weights):
            m.d.comb += self._one_line(tile.weight_words, design.weight_word_bits)
        with m.Elif(section.params):
            m.d.comb += self._one_line(tile.param_words, design.param_word_bits)
        with m.Else():
            m.d.comb += [
                counter.rows.eq(tile.rows),
                counter.blocks.eq(tile.residual_blocks),
                self.n_words.eq(config.out_w),
                self.n_beats.eq(config.out_line_beats),
            ]
        with m.If(self.advance):
            m.d.sync += walking.eq(~self.tile_last)
            m.d.sync += rest.eq(Mux(counter.last, left & ~lowest, left))
        return m

    def _one_line(self, n_words, word_bits: int):  # type: ignore[no-untyped-def]
        """The one line of `n_words` words: its words and its beats, rounded up to bursts."""
        burst = self._design.dram_burst_bytes
        n_bytes = Signal(unsigned(BEATS_BITS + 8))
        bursts = (n_bytes + (burst - 1)) >> exact_log2(burst)
        beats_a_burst = burst // self._design.dram_bytes_per_cycle
        return [
            n_bytes.eq(n_words[: len(self.n_words)] * bytes_of(word_bits)),
            self.n_words.eq(n_words),
            self.n_beats.eq(bursts << exact_log2(beats_a_burst)),
        ]
