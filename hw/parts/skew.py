"""Delay lines: the same delay for a word, or one that grows from lane to lane."""

from __future__ import annotations

from typing import Literal

from amaranth.hdl import Module, Shape, Signal, Value
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
