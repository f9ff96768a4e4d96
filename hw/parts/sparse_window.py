"""The window of activations that all lanes share, and how they walk their lists along it (docs/sparse.md)."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from designs.families.sparse import Design
from hw.parts.array import tree
from hw.parts.operands import stored_value
from hw.parts.scratchpad import Buffers
from hw.parts.sparse_lanes import Lane, Lanes
from hw.parts.sparse_list import LaneList, entry_of, list_words, word_bits
from hw.parts.sparse_mac import MultiplyAccumulate
from hw.parts.sparse_types import NUMBER_BITS, config_layout, cut, load_layout, n_words, operand_bits


class Next(NamedTuple):
    """A column that may be there."""

    valid: Value
    column: Value


def first_column(m: Module, columns: list[Next]) -> Next:
    """The lowest of the columns that are there."""
    number = count()

    def lower(a: Next, b: Next) -> Next:
        # Signals of their own: an expression would be repeated at each of its places in the levels above.
        of_two = Next(Signal(name=f"any_{next(number)}"), Signal.like(a.column, name=f"lower_{next(number)}"))
        takes_first = a.valid & (~b.valid | (a.column <= b.column))
        m.d.comb += [of_two.valid.eq(a.valid | b.valid), of_two.column.eq(Mux(takes_first, a.column, b.column))]
        return of_two

    return tree(columns, lower)


class ActivationWindow(wiring.Component):
    """w banks, column c in bank c mod w: `window[b]` is the activation of the one column of bank b in the window.

    A beat of `load.section.vector` writes its M activations at once. `read` with the window's first column `head` in
    cycle x gives `window`, zero point subtracted, in x + 1, where it stays until the next read. Initiation interval 1.
    No backpressure. Columns past the vector's end are whatever was stored there before.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "load": In(load_layout(design)),
                "buf": In(1),
                "read": In(1),
                "head": In(design.column_bits),
                "window": Out(data.ArrayLayout(signed(operand_bits(design)), design.window)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design, load = self._design, self.load
        width, bits, per_beat = design.window, design.act_bits, design.acts_per_beat
        deep = max(1, per_beat // width)  # activations of one bank in a beat, which are a word of it
        beats_a_row = max(1, width // per_beat)  # beats that fill a word of every bank
        word, part = cut(load.index, beats_a_row)
        line, offset = cut(self.head, width)
        for bank in range(width):
            m.submodules[f"bank_{bank}"] = memory = Buffers(
                n_words=n_words(-(-design.act_words // max(width, per_beat))),
                word_bits=deep * bits,
                n_buffers=design.n_buffers,
            )
            write, read = memory.writes[0], memory.reads[0]
            address, slot = cut(line + (bank < offset), deep)
            chosen = Signal(exact_log2(deep), name=f"chosen_{bank}")
            first = bank % per_beat
            stored = Cat(
                load.beat.word_select(first + i * width, 8 * design.act_bytes)[:bits] for i in range(deep)
            )
            m.d.comb += [
                write.en.eq(load.section.vector & ((part == bank // per_beat) if beats_a_row > 1 else 1)),
                write.buf.eq(load.vector_buf),
                write.addr.eq(word),
                write.data.eq(stored),
                read.en.eq(self.read),
                read.buf.eq(self.buf),
                read.addr.eq(address),
            ]
            with m.If(self.read):
                m.d.sync += chosen.eq(slot)
            field = read.data if deep == 1 else read.data.word_select(chosen, bits)
            m.d.comb += self.window[bank].eq(stored_value(field, self.config.in_signed) - self.config.in_zero)
        return m


class WindowWalker(wiring.Component):
    """Walks a lane's list: in each `multiply` cycle its next entry is multiplied if its column is below `limit`.

    `prime_0` and `prime_1`, two cycles that follow each other, start it at the list's beginning. `following` (latency
    0), in prime_1 and multiply cycles, is the column of the entry that is next in the cycle after, and `more` is that
    there is one. An entry that is multiplied in cycle x is at `value`, `activation`, `tag` with `valid` in x + 1.
    `stall` and `idle`: in this multiply cycle the lane waits, or has no entry left. Initiation interval 1 entry.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "prime_0": In(1),
                "prime_1": In(1),
                "multiply": In(1),
                "limit": In(design.column_bits + 1),
                "window": In(data.ArrayLayout(signed(operand_bits(design)), design.window)),
                "length": In(NUMBER_BITS),
                "read": Out(1),
                "address": Out(range(list_words(design))),
                "word": In(word_bits(design)),
                "more": Out(1),
                "following": Out(design.column_bits),
                "valid": Out(1),
                "value": Out(signed(design.value_bits)),
                "activation": Out(signed(operand_bits(design))),
                "tag": Out(design.tag_bits),
                "stall": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        per_word = design.entries_per_beat
        held = Signal(self.word.shape(), reset_less=True)  # the word of the next entry; `word` is the one after it
        position, position_after = Signal(NUMBER_BITS + 1), Signal(NUMBER_BITS + 1)
        n_read = Signal(NUMBER_BITS + 1)
        slot = cut(position, per_word)[1]
        entry = entry_of(design, held, slot)
        there, fires, crosses = Signal(), Signal(), Signal()
        m.d.comb += [
            there.eq(position != self.length),
            fires.eq(self.multiply & there & (entry.column < self.limit)),
            crosses.eq(self.prime_1 | (fires & (slot == per_word - 1 if per_word > 1 else 1))),
            position_after.eq(Mux(self.prime_1, 0, position + fires)),
            self.more.eq(position_after != self.length),
            self.stall.eq(self.multiply & there & ~fires),
            self.idle.eq(self.multiply & ~there),
        ]
        after = entry_of(design, Mux(crosses, self.word, held), cut(position_after, per_word)[1])
        m.d.comb += self.following.eq(after.column)
        m.d.sync += position.eq(position_after)
        with m.If(crosses):
            m.d.sync += held.eq(self.word)
        # Word 0 is read in prime_0, word 1 in prime_1, and one more whenever a word is taken over; none past the end.
        due = Signal(NUMBER_BITS + 1)
        m.d.comb += [
            due.eq(Mux(self.prime_0, 0, n_read)),
            self.address.eq(due),
            self.read.eq((self.prime_0 | crosses) & ((due << exact_log2(per_word)) < self.length)),
        ]
        with m.If(self.prime_0 | crosses):
            m.d.sync += n_read.eq(due + 1)
        column = cut(entry.column, design.window)[1]
        activation = self.window[column] if design.window > 1 else self.window[0]
        m.d.sync += [
            self.valid.eq(fires),
            self.value.eq(entry.value),
            self.activation.eq(activation),
            self.tag.eq(entry.tag),
        ]
        return m


class WindowLane(Lane):
    """A lane whose list walks along the window: `limit`, `window`, `more`, `following` as in `WindowWalker`.

    An entry that is multiplied in cycle x is in its accumulator at the end of x + 2.
    """

    def __init__(self, design: Design) -> None:
        super().__init__(
            design,
            {
                "limit": In(design.column_bits + 1),
                "window": In(data.ArrayLayout(signed(operand_bits(design)), design.window)),
                "more": Out(1),
                "following": Out(design.column_bits),
            },
        )

    def walk(self, m: Module, entries: LaneList, mac: MultiplyAccumulate) -> None:
        m.submodules.walker = walker = WindowWalker(self.design)
        m.d.comb += [
            *(getattr(walker, name).eq(self.phase[name]) for name in ("prime_0", "prime_1", "multiply")),
            walker.limit.eq(self.limit),
            walker.window.eq(self.window),
            self.more.eq(walker.more),
            self.following.eq(walker.following),
            walker.length.eq(entries.length),
            walker.word.eq(entries.word),
            entries.read.eq(walker.read),
            entries.address.eq(walker.address),
            *(getattr(mac, name).eq(getattr(walker, name)) for name in ("valid", "value", "activation", "tag")),
            self.events.entry_read.eq(walker.read),
            self.events.window_stall.eq(walker.stall),
            self.events.idle.eq(walker.idle),
        ]


class WindowLanes(Lanes):
    """Lanes that share a window: its first column is the lowest of their next entries."""

    def feed(self, m: Module) -> list[WindowLane]:
        design = self.design
        m.submodules.window = window = ActivationWindow(design)
        lanes = [WindowLane(design) for _ in range(design.n_macs)]
        head = Signal(design.column_bits)
        limit = Signal(design.column_bits + 1)
        following = first_column(m, [Next(lane.more, lane.following) for lane in lanes])
        moves = self.phase.prime_1 | self.phase.multiply
        m.d.comb += [
            limit.eq(head + design.window),
            self.more.eq(following.valid),
            window.config.eq(self.config),
            window.load.eq(self.load),
            window.buf.eq(self.vector_buf),
            window.read.eq(moves),
            window.head.eq(following.column),
        ]
        with m.If(moves):
            m.d.sync += head.eq(following.column)
        with m.If(self.phase.multiply & ~self.more):  # all columns below the last limit have been in the window
            m.d.comb += self.act_reads.eq(Mux(limit < self.config.n_columns, limit, self.config.n_columns))
        for lane in lanes:
            m.d.comb += [lane.limit.eq(limit), lane.window.eq(window.window)]
        return lanes
