"""The compute engine: starts tiles, issues their cycles, and brings sums into the accumulators."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.accumulators import AccumulatorUnit
from hw.parts.datapath import datapath
from hw.parts.im2col import Im2col
from hw.parts.pooling import MaxPool
from hw.parts.scratchpad import read_signature, write_signature
from hw.parts.sequence import SEQUENCERS
from hw.parts.tensor_types import COUNTER_BITS, config_layout, tile_layout

_STEPS = ("step_pixel", "restart_pixel", "save_pixel", "step_tap", "step_block")
_FLAGS = ("exists", "last_pixel", "last_tap", "last_block")


class ComputeEngine(wiring.Component):
    """Runs tiles in order (docs/tensor.md, sections 5 and 6).

    A tile starts in the first cycle in which it is seen and what it waits for is there; its F * Q issue cycles are
    consecutive, and `tile_take` is 1 in the last, e. The next tile may start in e + 1. `released` comes in e + rho,
    `completed` in e + delta. `overflow` lags by up to 3 cycles after the addition. Initiation interval: one issue cycle
    a cycle. Backpressure: only before a tile, by its waits.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        n_pes, cols = design.array_rows * design.array_cols, design.array_cols
        acc_port = {"n_words": design.acc_words, "word_bits": design.acc_word_bits}
        super().__init__(
            {
                "config": In(config_layout(design)),
                "tile": In(tile_layout()),
                "tile_valid": In(1),
                "tile_take": Out(1),
                "loaded": In(COUNTER_BITS),
                "outputs": In(COUNTER_BITS),
                "stores": In(COUNTER_BITS),
                "released": Out(1),
                "completed": Out(1),
                "act_read": Out(read_signature(n_words=design.act_words, word_bits=design.act_word_bits)),
                "weight_read": Out(read_signature(n_words=design.weight_words, word_bits=design.weight_word_bits)),
                "acc_read": Out(read_signature(**acc_port)),
                "acc_write": Out(write_signature(**acc_port)),
                "pool_write": Out(write_signature(n_words=design.out_words, word_bits=design.out_word_bits)),
                "step": Out(1),
                "overflow": Out(range(n_pes + cols + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.im2col = im2col = Im2col(design, keeps_base=design.dataflow == "output_stationary")
        m.submodules.sequencer = sequencer = SEQUENCERS[design.dataflow](design)
        m.submodules.datapath = path = datapath(design)
        m.submodules.accumulate = unit = AccumulatorUnit(design, sum_bits=path.sums.shape().elem_shape.width)
        m.submodules.pool = pool = MaxPool(design)
        issue, pooling = sequencer.issue, self.config.pooling
        run = self._start(m, issue.end)
        m.d.comb += [
            im2col.config.eq(self.config),
            im2col.tile.eq(self.tile),
            im2col.end.eq(issue.end),
            sequencer.run.eq(run),
            sequencer.pooling.eq(pooling),
            sequencer.tile.eq(self.tile),
            *(getattr(im2col, name).eq(getattr(sequencer, name)) for name in _STEPS),
            *(getattr(sequencer, name).eq(getattr(im2col, name)) for name in _FLAGS),
            self.act_read.en.eq(im2col.inside & (issue.act | (run & pooling))),
            self.act_read.buf.eq(self.tile.act_buf),
            self.act_read.addr.eq(im2col.addr),
            self.step.eq(issue.vector),
        ]
        if design.place_bits:
            m.d.comb += sequencer.passes.eq(self.config.passes)
        m.d.comb += [
            path.config.eq(self.config),
            path.tile.eq(self.tile),
            path.run.eq(run & ~pooling),
            path.issue.eq(issue),
            path.inside.eq(im2col.inside),
            path.act_word.eq(self.act_read.data),
            *(getattr(unit, name).eq(getattr(path, name)) for name in _ROW),
        ]
        m.d.comb += [
            pool.is_signed.eq(self.config.in_signed),
            pool.step.eq(run & pooling),
            pool.first.eq(im2col.first_tap),
            pool.last.eq(im2col.last_tap),
            pool.inside.eq(im2col.inside),
            pool.end.eq(issue.end),
            pool.buf.eq(self.tile.out_buf),
            pool.word.eq(self.act_read.data),
        ]
        wiring.connect(m, path.weight_read, wiring.flipped(self.weight_read))
        wiring.connect(m, unit.read, wiring.flipped(self.acc_read))
        wiring.connect(m, unit.write, wiring.flipped(self.acc_write))
        wiring.connect(m, pool.write, wiring.flipped(self.pool_write))
        m.d.comb += [
            self.released.eq(Mux(pooling, issue.end, path.released)),
            self.completed.eq(Mux(pooling, pool.completed, unit.completed)),
            self.overflow.eq(path.overflow + unit.overflow),
        ]
        return m

    def _start(self, m: Module, end: Signal) -> Signal:
        """Issue cycles: all from the first in which the tile may start to its last."""
        n_started, busy, run = Signal(COUNTER_BITS), Signal(), Signal()
        ready = (
            (self.loaded > n_started)
            & (self.outputs >= self.tile.compute_wait_outputs)
            & (self.stores >= self.tile.compute_wait_stores)
        )
        m.d.comb += [run.eq(self.tile_valid & (busy | ready)), self.tile_take.eq(end)]
        m.d.sync += busy.eq(run & ~end)
        with m.If(end):
            m.d.sync += n_started.eq(n_started + 1)
        return run


_ROW = ("valid", "sums", "addr", "buf", "from_zero", "complete")
