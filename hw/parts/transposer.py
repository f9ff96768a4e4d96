"""Transposers: words of lanes in, lanes of words out."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class StreamTransposer(wiring.Component):
    """Square transposer of a stream: `size` words of `size` lanes in, then lane 0 of all of them, lane 1 and so on.

    One mesh of size x size registers serves as both halves: it fills from the top while the words before leave at the
    bottom, then from the left while they leave at the right. The words of a square (`valid`) come in consecutive
    cycles; between squares there may be gaps of any length, in which `word` is zero; zeros then come out. Latency: lane
    i is at `lanes` (lanes[p] of word p) size + 1 cycles after word i was at `word`. Initiation interval 1. No
    backpressure.
    """

    def __init__(self, *, shape: Shape, size: int) -> None:
        self._shape, self._size = shape, size
        word = data.ArrayLayout(shape, size)
        super().__init__({"valid": In(1), "word": In(word), "lanes": Out(word)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size, last = self._size, self._size - 1
        n_words = Signal(range(size))
        rightward = Signal()
        with m.If(self.valid):
            m.d.sync += n_words.eq(Mux(n_words == last, 0, n_words + 1))
            with m.If(n_words == last):
                m.d.sync += rightward.eq(~rightward)
        cells = [[Signal(self._shape, name=f"cell_{i}_{j}") for j in range(size)] for i in range(size)]
        for i in range(size):
            for j in range(size):
                # The first word in is the first out on the other side, and lane 0 leaves first.
                above = cells[i - 1][j] if i else self.word[last - j]
                left = cells[i][j - 1] if j else self.word[last - i]
                m.d.sync += cells[i][j].eq(Mux(rightward, left, above))
        for p in range(size):
            m.d.sync += self.lanes[p].eq(Mux(rightward, cells[last - p][last], cells[last][last - p]))
        return m


class TransposingRegisters(wiring.Component):
    """Register file of `n_words` words of `n_lanes` lanes, written across: one lane of `width` words at once.

    Latency: what is written in cycle x (`write`: lane `lane` of words `width * group` and up) is read from x + 1 on;
    `word` is the word `index` in the same cycle. Initiation interval 1. No backpressure.
    """

    def __init__(self, *, shape: Shape, n_words: int, n_lanes: int, width: int) -> None:
        self._shape, self._n_words, self._n_lanes, self._width = shape, n_words, n_lanes, width
        super().__init__(
            {
                "write": In(1),
                "lane": In(range(n_lanes)),
                "group": In(range(max(n_words // width, 2))),
                "values": In(data.ArrayLayout(shape, width)),
                "index": In(range(n_words)),
                "word": Out(data.ArrayLayout(shape, n_lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for lane in range(self._n_lanes):
            column = []
            for word in range(self._n_words):
                group, place = divmod(word, self._width)
                cell = Signal(self._shape, name=f"cell_{word}_{lane}", reset_less=True)
                with m.If(self.write & (self.lane == lane) & (self.group == group)):
                    m.d.sync += cell.eq(self.values[place])
                column.append(cell)
            with m.Switch(self.index):
                for word, cell in enumerate(column):
                    with m.Case(word):
                        m.d.comb += self.word[lane].eq(cell)
        return m
