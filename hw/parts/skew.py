"""Delay lines: the same delay for a word, or one that grows from lane to lane or from row to row."""

from __future__ import annotations

from typing import Literal

from amaranth.hdl import Cat, Module, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

Lane = Literal["lowest", "highest"]


def delayed(m: Module, value: Value, n_cycles: int, *, name: str, reset_less: bool = False) -> list[Value]:
    """`value` after 0, 1, ... `n_cycles` cycles: registers `{name}_1` and so on in `m`."""
    stages = [value]
    for number in range(1, n_cycles + 1):
        stage = Signal(value.shape(), name=f"{name}_{number}", reset_less=reset_less)
        m.d.sync += stage.eq(stages[-1])
        stages.append(stage)
    return stages


class Skew(wiring.Component):
    """Triangular delay of the lanes of a word.

    Latency: lane i by i cycles where `first` is "lowest", by n_lanes - 1 - i where it is "highest". Initiation interval
    1. No backpressure.
    """

    def __init__(self, *, shape: Shape, n_lanes: int, first: Lane, reset_less: bool = True) -> None:
        self._n_lanes, self._first, self._reset_less = n_lanes, first, reset_less
        word = data.ArrayLayout(shape, n_lanes)
        super().__init__({"early": In(word), "late": Out(word)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for lane in range(self._n_lanes):
            n_cycles = lane if self._first == "lowest" else self._n_lanes - 1 - lane
            stages = delayed(m, self.early[lane], n_cycles, name=f"lane_{lane}", reset_less=self._reset_less)
            m.d.comb += self.late[lane].eq(stages[-1])
        return m


class GroupSkew(wiring.Component):
    """Triangular delay for rows that see several lanes each: rows `[q * n, q * n + n)` see lanes `[q * m, q * m + m)`.

    `early` has the lanes, `late` the `m` lanes of each row. Latency: row r by r cycles; the rows of a group are taps of
    one delay line. Initiation interval 1. No backpressure.
    """

    def __init__(self, *, shape: Shape, n_groups: int, rows_a_group: int, lanes_a_group: int) -> None:
        self._n_groups, self._rows, self._lanes = n_groups, rows_a_group, lanes_a_group
        super().__init__(
            {
                "early": In(data.ArrayLayout(shape, n_groups * lanes_a_group)),
                "late": Out(data.ArrayLayout(data.ArrayLayout(shape, lanes_a_group), n_groups * rows_a_group)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for group in range(self._n_groups):
            lanes = Cat(self.early[group * self._lanes + place] for place in range(self._lanes))
            first = group * self._rows
            stages = delayed(m, lanes, first + self._rows - 1, name=f"group_{group}", reset_less=True)
            m.d.comb += [self.late[row].eq(stages[row]) for row in range(first, first + self._rows)]
        return m
