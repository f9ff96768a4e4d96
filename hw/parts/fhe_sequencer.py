"""What a station does in each cycle of a job (docs/fhe.md, section 3)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.parts.fhe_steps import step_layout


class Sequencer(wiring.Component):
    """Words 0.. of each of `n_passes` passes, which start `interval` cycles after one another.

    Latency: `start` in cycle x; `step` is that of pass t, word w in cycle x + t interval + w, the first in x itself. A
    job keeps the station (n_passes - 1) interval + n_words cycles: `busy` is high in all of them but the first, and
    `start` comes only while it is low; `last` is high in the last one. `step.place` is the job's number mod 2. `cells`
    is `cells_in` of cycle x for the whole job; `passes` is the same in the first cycle of each pass, 0 in others.
    """

    def __init__(self, *, n_passes: int, n_words: int, interval: int, n_cells: int) -> None:
        self._n_passes, self._n_words, self._interval = n_passes, n_words, interval
        super().__init__(
            {
                "start": In(1),
                "cells_in": In(range(n_cells + 1)),
                "busy": Out(1),
                "step": Out(step_layout(n_passes=n_passes, n_words=n_words)),
                "last": Out(1),
                "cells": Out(range(n_cells + 1)),
                "passes": Out(range(n_cells + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step, index, place = self.step, Signal(range(self._n_passes)), Signal()
        cycle, cells = Signal(range(self._interval)), Signal(self.cells.shape())  # cycle of the pass
        active = self.start | self.busy
        m.d.comb += [
            step.valid.eq(active & (cycle < self._n_words)),
            step.index.eq(index),
            step.word.eq(cycle),
            step.place.eq(place),
            self.last.eq(active & (index == self._n_passes - 1) & (cycle == self._n_words - 1)),
            self.cells.eq(Mux(self.start, self.cells_in, cells)),
            self.passes.eq(Mux(active & (cycle == 0), self.cells, 0)),
        ]
        m.d.sync += cells.eq(self.cells)
        with m.If(self.last):
            m.d.sync += [self.busy.eq(0), index.eq(0), cycle.eq(0), place.eq(~place)]
        with m.Elif(active):
            m.d.sync += [self.busy.eq(1), cycle.eq(cycle + 1)]
            with m.If(cycle == self._interval - 1):
                m.d.sync += [cycle.eq(0), index.eq(index + 1)]
        return m


class Handover(wiring.Component):
    """Two places between a station that fills them and one that takes them, in turn.

    `filled` (the first station starts the job that completes a place) in cycle x: the next one may start on it,
    `has_job`, from cycle x + `fill_cycles` on, or as much earlier as `early` says. `taken` in cycle y: the place is
    free again, `has_room`, from cycle y + `drain_cycles` on. Both are 1 or more. `filled` comes only with `has_room`,
    `taken` with `has_job`. `cells_in` goes with the job, to `cells_out` (valid with `has_job`).
    """

    def __init__(self, *, fill_cycles: int, drain_cycles: int, n_cells: int, most_early: int = 0) -> None:
        self._fill_cycles, self._drain_cycles = fill_cycles, drain_cycles
        super().__init__(
            {
                "filled": In(1),
                "taken": In(1),
                "early": In(range(most_early + 1)),
                "has_room": Out(1),
                "has_job": Out(1),
                "cells_in": In(range(n_cells + 1)),
                "cells_out": Out(range(n_cells + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        to_fill, to_take = Signal(), Signal()
        for place in range(2):
            full, cells = Signal(name=f"full_{place}"), Signal(self.cells_in.shape(), name=f"cells_{place}")
            left = Signal(range(max(self._fill_cycles, self._drain_cycles)), name=f"left_{place}")
            with m.If(left != 0):
                m.d.sync += left.eq(left - 1)
            with m.If(to_fill == place):
                m.d.comb += self.has_room.eq(~full & (left == 0))
                with m.If(self.filled):
                    m.d.sync += [full.eq(1), left.eq(self._fill_cycles - 1), cells.eq(self.cells_in)]
            with m.If(to_take == place):
                m.d.comb += [self.has_job.eq(full & (left <= self.early)), self.cells_out.eq(cells)]
                with m.If(self.taken):
                    m.d.sync += [full.eq(0), left.eq(self._drain_cycles - 1)]
        m.d.sync += [to_fill.eq(to_fill ^ self.filled), to_take.eq(to_take ^ self.taken)]
        return m
