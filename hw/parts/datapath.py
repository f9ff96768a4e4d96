"""From an issue cycle to sums with an accumulator address: reads, delayed controls and the array, for each dataflow."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.array import OutputStationaryArray, StationaryArray
from hw.parts.operands import activations, weights
from hw.parts.pe import activation_shape, sum_bits
from hw.parts.scratchpad import read_signature
from hw.parts.sequence import issue_layout
from hw.parts.skew import delayed
from hw.parts.tensor_types import config_layout, tile_layout
from hw.parts.transposer import StreamTransposer


class Datapath(wiring.Component):
    """Takes issue cycles (`run`, never in pooling), gives rows of sums to the accumulators.

    `act_word` is the activation word of the issue cycle before, `inside` tells of this one. Latency from an issue
    cycle, for each dataflow: see docs/tensor.md, section 6. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design, *, bits: int) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "tile": In(tile_layout()),
                "run": In(1),
                "issue": In(issue_layout(design)),
                "inside": In(1),
                "act_word": In(design.act_word_bits),
                "weight_read": Out(read_signature(n_words=design.weight_words, word_bits=design.weight_word_bits)),
                "released": Out(1),
                "sums": Out(data.ArrayLayout(signed(bits), design.array_cols)),
                "valid": Out(1),
                "addr": Out(range(design.acc_words)),
                "buf": Out(1),
                "from_zero": Out(1),
                "complete": Out(1),
                "overflow": Out(range(design.array_rows * design.array_cols + 1)),
            }
        )

    def _activations(self, m: Module) -> list[Value]:
        """Operands, in the cycle after the issue cycle."""
        inside = Signal()
        m.d.sync += inside.eq(self.run & self.issue.act & self.inside)
        return activations(
            self._design, self.act_word, inside=inside, is_signed=self.config.in_signed, zero=self.config.in_zero
        )


class StationaryDatapath(Datapath):
    """Weight and input stationary. Sums come R + C + 1 (WS) or R + C + 2 (IS) cycles after the issue cycle."""

    def __init__(self, design: Design) -> None:
        super().__init__(design, bits=sum_bits(design, design.array_rows))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        weight_stays = design.dataflow == "weight_stationary"
        m.submodules.array = array = StationaryArray(design)
        self._read_weights(m, weight_stays)
        operands = self._activations(m)
        held = Signal(data.ArrayLayout(activation_shape(design), design.act_lanes), reset_less=True)
        m.d.sync += [held[i].eq(operands[i]) for i in range(design.act_lanes)]
        load = delayed(m, self.run & self.issue.load, 1 if weight_stays else 2, name="load")[-1]
        m.d.comb += array.load.eq(load)
        if weight_stays:
            n_columns = Signal(self.issue.n_columns.shape())
            m.d.sync += n_columns.eq(self.issue.n_columns)
            lanes = weights(design, self.weight_read.data, n_columns=n_columns)
            m.d.comb += [array.stationary[c].eq(lanes[c]) for c in range(design.array_cols)]
            m.d.comb += array.moving.eq(held)
        else:
            word = delayed(m, self.weight_read.data, 2, name="weight_word", reset_less=True)[-1]
            m.d.comb += array.stationary.eq(held)
            m.d.comb += [array.moving[r].eq(lane) for r, lane in enumerate(weights(design, word))]
        m.d.comb += self.sums.eq(array.sums)
        self._address(m, design.array_rows + design.array_cols + (1 if weight_stays else 2))
        return m

    def _read_weights(self, m: Module, weight_stays: bool) -> None:
        """Words in order; input stationary reads those of a k-block again for each of its pixel folds."""
        addr, base = Signal(self.weight_read.addr.shape()), Signal(self.weight_read.addr.shape())
        fold_begins = self.run & self.issue.load & ~self.issue.restart_sums
        m.d.comb += [
            self.weight_read.en.eq(self.run & self.issue.weight),
            self.weight_read.buf.eq(self.tile.weight_buf),
            self.weight_read.addr.eq(addr),
            self.released.eq(self.run & self.issue.end),
        ]
        if not weight_stays:
            with m.If(fold_begins):
                m.d.comb += self.weight_read.addr.eq(base)
            with m.If(self.run & self.issue.restart_sums):
                m.d.sync += base.eq(addr)
        with m.If(self.run & self.issue.end):
            m.d.sync += [addr.eq(0), base.eq(0)]
        with m.Elif(self.weight_read.en):
            m.d.sync += addr.eq(self.weight_read.addr + 1)

    def _address(self, m: Module, n_cycles: int) -> None:
        issue = self.issue
        flags = Cat(issue.vector, issue.end, issue.restart_sums, issue.from_zero) & self.run.replicate(4)
        control = delayed(m, Cat(flags, self.tile.acc_buf), n_cycles, name="control")[-1]
        valid, complete, restart, from_zero, buf = control
        addr = Signal(self.addr.shape())
        m.d.comb += [
            self.valid.eq(valid),
            self.complete.eq(complete),
            self.from_zero.eq(from_zero),
            self.buf.eq(buf),
            self.addr.eq(Mux(restart, 0, addr)),
        ]
        with m.If(valid):
            m.d.sync += addr.eq(self.addr + 1)


class OutputStationaryDatapath(Datapath):
    """Output stationary. Row 0 of sums comes R + C + 2 cycles after its fold's last issue cycle, then a row a cycle."""

    def __init__(self, design: Design) -> None:
        super().__init__(design, bits=design.acc_bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        design = self._design
        m.submodules.array = array = OutputStationaryArray(design)
        m.submodules.transposer = transposer = StreamTransposer(shape=activation_shape(design), size=design.array_rows)
        m.d.sync += transposer.valid.eq(self.run)
        m.d.comb += [transposer.word[r].eq(lane) for r, lane in enumerate(self._activations(m))]
        m.d.comb += [array.activations.eq(transposer.lanes), self.sums.eq(array.sums), self.overflow.eq(array.overflow)]
        self._read_weights(m, array)
        self._address(m, array)
        return m

    def _read_weights(self, m: Module, array: OutputStationaryArray) -> None:
        """R + 1 cycles after the issue cycle: when the transposer gives the lane that meets the word."""
        design, issue = self._design, self.issue
        flags = Cat(issue.weight, issue.end, issue.restart_weights, issue.last_product) & self.run.replicate(4)
        fields = [flags, self.tile.weight_buf, *([issue.n_columns] if design.weight_bits == 1 else [])]
        control = delayed(m, Cat(*fields), design.array_rows + 1, name="control")[-1]
        weight, end, restart, last, buf = control[:5]
        addr = Signal(self.weight_read.addr.shape())
        m.d.comb += [
            self.weight_read.en.eq(weight),
            self.weight_read.buf.eq(buf),
            self.weight_read.addr.eq(Mux(restart, 0, addr)),
            self.released.eq(end),
        ]
        with m.If(weight):
            m.d.sync += addr.eq(self.weight_read.addr + 1)
        n_columns = Signal(issue.n_columns.shape())
        m.d.sync += [array.last.eq(last), n_columns.eq(control[5:])]
        lanes = weights(design, self.weight_read.data, n_columns=n_columns)
        m.d.comb += [array.weights[c].eq(lanes[c]) for c in range(design.array_cols)]

    def _address(self, m: Module, array: OutputStationaryArray) -> None:
        """A fold's address waits in a queue until its sums leave the array."""
        design, issue, rows = self._design, self.issue, self._design.array_rows
        fold = data.StructLayout(
            {
                "addr": self.addr.shape(),
                "last_row": issue.last_row.shape(),
                "from_zero": unsigned(1),
                "buf": unsigned(1),
                "complete": unsigned(1),
            }
        )
        n_folds = (rows + design.array_cols + 2) // rows + 2
        m.submodules.folds = folds = SyncFIFO(width=fold.size, depth=n_folds)
        issued, leaving, now = Signal(fold), Signal(fold), Signal(fold)
        row, busy = Signal(range(rows)), Signal()
        m.d.comb += [
            issued.addr.eq(self._fold_address(m)),
            issued.last_row.eq(issue.last_row),
            issued.from_zero.eq(issue.from_zero),
            issued.buf.eq(self.tile.acc_buf),
            issued.complete.eq(issue.end),
            folds.w_en.eq(self.run & issue.last_product),
            folds.w_data.eq(issued),
            folds.r_en.eq(array.first_row),
            now.eq(leaving),
            self.valid.eq((array.first_row | busy) & (row <= now.last_row)),
            self.addr.eq(now.addr),
            self.from_zero.eq(now.from_zero),
            self.buf.eq(now.buf),
            self.complete.eq((row == rows - 1) & now.complete),
        ]
        with m.If(array.first_row):
            m.d.comb += now.eq(folds.r_data)
        with m.If(array.first_row | busy):
            m.d.sync += [row.eq(row + 1), busy.eq(1), leaving.eq(now), leaving.addr.eq(now.addr + 1)]
            with m.If(row == rows - 1):
                m.d.sync += [row.eq(0), busy.eq(0)]

    def _fold_address(self, m: Module) -> Signal:
        """channel fold * P + first pixel of the fold, for channel folds inside pixel folds."""
        addr = Signal(self.addr.shape(), name="fold_addr")
        pixel, n_pixels = Signal(addr.shape()), Signal(addr.shape())
        next_pixel = pixel + self._design.array_rows
        # Of a tile that is seen in cycle x its product is used from x + 1 on: a fold has at least 2 cycles.
        m.d.sync += n_pixels.eq(self.tile.rows * self.config.out_w)
        with m.If(self.run & self.issue.last_product):
            m.d.sync += addr.eq(addr + n_pixels)
            with m.If(self.issue.end_of_folds):
                m.d.sync += [pixel.eq(next_pixel), addr.eq(next_pixel)]
            with m.If(self.issue.end):
                m.d.sync += [pixel.eq(0), addr.eq(0)]
        return addr


def datapath(design: Design) -> Datapath:
    """The datapath of the design's dataflow."""
    stationary = design.dataflow != "output_stationary"
    return StationaryDatapath(design) if stationary else OutputStationaryDatapath(design)
