"""Which item comes next: the order of item passes and of to_weights (docs/vector.md, section 5)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.vector_types import COUNT_BITS, PIXEL_BITS, TOKEN_BITS, WORDS_BITS, step_layout, vector_config_layout


def item_layout(design: Design) -> data.StructLayout:
    """An item: the slice of a word, and where it is in its row."""
    return data.StructLayout(
        {
            "address": range(design.vector_words),
            "slice": range(max(design.vector_slices, 2)),
            "number": range(design.vector_param_words),  # of the slice in its row: its parameter word
            "row": range(max(design.vector_rows, 2)),
            "first": 1,  # of its row
            "last": 1,
            "final": 1,  # the pass's last
            "take": design.vector_lanes,  # lanes that take part in the row
            "keep": design.vector_lanes,  # lanes that are columns
        }
    )


class ItemSequence(wiring.Component):
    """Items of a pass: rows outer, then blocks, then slices.

    `start` in cycle x: `valid` and the first `item` from x + 1 on, one item a cycle; `item.final` is the pass's last.
    No backpressure. `config`, `step` and `n_pixels` are steady meanwhile.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(vector_config_layout(design)),
                "step": In(step_layout()),
                "n_pixels": In(PIXEL_BITS),
                "start": In(1),
                "valid": Out(1),
                "item": Out(item_layout(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, step, item = self._design, self.step, self.item
        row, block = Signal(PIXEL_BITS), Signal(COUNT_BITS)
        slice_last, block_last = Signal(), Signal()
        m.d.comb += [
            slice_last.eq(item.slice == design.vector_slices - 1),
            block_last.eq(block + 1 == step.blocks),
            item.row.eq(row),
            item.first.eq((block == 0) & (item.slice == 0)),
            item.last.eq(block_last & slice_last),
            item.final.eq(item.last & (row + 1 == self.n_pixels)),
        ]
        self._lanes(m)
        with m.If(self.start):
            m.d.sync += [
                self.valid.eq(1), row.eq(0), block.eq(0), item.slice.eq(0), item.number.eq(0), item.address.eq(0)
            ]  # fmt: skip
        with m.Elif(self.valid):
            m.d.sync += [item.slice.eq(Mux(slice_last, 0, item.slice + 1)), item.number.eq(item.number + 1)]
            with m.If(slice_last):
                m.d.sync += [block.eq(block + 1), item.address.eq(item.address + self.n_pixels)]
            with m.If(item.last):
                m.d.sync += [row.eq(row + 1), block.eq(0), item.number.eq(0), item.address.eq(row + 1)]
            with m.If(item.final):
                m.d.sync += self.valid.eq(0)
        return m

    def _lanes(self, m: Module) -> None:
        """Which lanes are columns, and which of them take part in the row."""
        step, config, lanes = self.step, self.config, self._design.vector_lanes
        left = Signal(signed(TOKEN_BITS + 1))  # columns from the item's first lane on
        seen, seen_at_start = Signal(signed(TOKEN_BITS + 2)), Signal(signed(TOKEN_BITS + 2))  # those a causal row sees
        row_seen = Signal(signed(TOKEN_BITS + 2))
        m.d.comb += [
            self.item.keep[lane].eq(left > lane) for lane in range(lanes)
        ]
        m.d.comb += [
            self.item.take[lane].eq((left > lane) & (~config.causal | (seen > lane))) for lane in range(lanes)
        ]
        m.d.comb += seen_at_start.eq(step.first_token + config.causal_offset + 1)
        with m.If(self.start):
            m.d.sync += [left.eq(step.n_cols), seen.eq(seen_at_start), row_seen.eq(seen_at_start)]
        with m.Elif(self.item.last):
            m.d.sync += [left.eq(step.n_cols), seen.eq(row_seen + 1), row_seen.eq(row_seen + 1)]
        with m.Else():
            m.d.sync += [left.eq(left - lanes), seen.eq(seen - lanes)]


class WordSequence(wiring.Component):
    """Words of to_weights: blocks outer, then groups of array_rows tokens, then the words of a group.

    `start` in cycle x: `valid` and the first word from x + 1 on, one a cycle; `final` is the last. `address` is where
    its token lies in x (where it is `present`), `place` where the word goes in y. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "step": In(step_layout()),
                "n_pixels": In(PIXEL_BITS),
                "start": In(1),
                "valid": Out(1),
                "present": Out(1),
                "address": Out(range(design.vector_words)),
                "place": Out(range(design.vector_words)),
                "final": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, step = self._design.array_rows, self.step
        word, group, block = Signal(range(rows)), Signal(COUNT_BITS), Signal(COUNT_BITS)
        token = Signal(TOKEN_BITS + 1)
        first, place_of_block, place_of_group = (Signal(WORDS_BITS) for _ in range(3))
        word_last, group_last = Signal(), Signal()
        m.d.comb += [
            word_last.eq(word == rows - 1),
            group_last.eq(word_last & (group + 1 == step.groups)),
            self.final.eq(group_last & (block + 1 == step.blocks)),
            self.present.eq(token < step.n_tokens),
            self.address.eq(first + token),
            self.place.eq(place_of_group + word),
        ]
        with m.If(self.start):
            m.d.sync += [self.valid.eq(1), word.eq(0), group.eq(0), block.eq(0), token.eq(0), first.eq(step.skip)]
            m.d.sync += [place_of_block.eq(0), place_of_group.eq(0)]
        with m.Elif(self.valid):
            m.d.sync += [word.eq(Mux(word_last, 0, word + 1)), token.eq(token + 1)]
            with m.If(word_last):
                m.d.sync += [group.eq(group + 1), place_of_group.eq(place_of_group + step.group_stride)]
            with m.If(group_last):
                m.d.sync += [group.eq(0), token.eq(0), block.eq(block + 1), first.eq(first + self.n_pixels)]
                m.d.sync += [place_of_block.eq(place_of_block + step.block_stride)]
                m.d.sync += [place_of_group.eq(place_of_block + step.block_stride)]
            with m.If(self.final):
                m.d.sync += self.valid.eq(0)
        return m
