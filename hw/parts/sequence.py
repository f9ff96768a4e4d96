"""The order of a tile's issue cycles: a sequencer for each dataflow, with max pooling (docs/tensor.md, section 6)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.tensor_types import PASSES_BITS, tile_layout


def issue_layout(design: Design) -> data.StructLayout:
    """What happens in an issue cycle."""
    return data.StructLayout(
        {
            "act": unsigned(1),  # a pixel's word goes to the array (zero where the tap is outside)
            "vector": unsigned(1),  # a vector enters the array
            "weight": unsigned(1),  # a weight word is read
            "load": unsigned(1),  # first cycle of a fold
            "restart_sums": unsigned(1),  # the accumulator address starts again
            "from_zero": unsigned(1),  # the accumulator counts as zero
            "n_columns": unsigned(design.array_cols.bit_length()),  # columns with a channel: C in all but the last fold
            "last_product": unsigned(1),  # output stationary: end of a fold
            "last_row": unsigned(max((design.array_rows - 1).bit_length(), 1)),  # and its last row with a pixel
            "end_of_folds": unsigned(1),  # and the pixel fold ends with it
            "restart_weights": unsigned(1),  # output stationary: first weight of a pixel fold
            "end": unsigned(1),  # last issue cycle of the tile
        }
    )


class Sequencer(wiring.Component):
    """Walks the folds of a tile: steers Im2col (same names) and tells what each issue cycle does.

    `run` marks an issue cycle; those of a tile are consecutive. Base class: a dataflow fills in `_issue`.
    Latency: none from `run` and Im2col's flags to `issue` and the steps. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "run": In(1),
                "pooling": In(1),
                "tile": In(tile_layout()),
                **({"passes": In(PASSES_BITS)} if design.place_bits else {}),
                "exists": In(1),
                "last_pixel": In(1),
                "last_tap": In(1),
                "last_block": In(1),
                "step_pixel": Out(1),
                "restart_pixel": Out(1),
                "save_pixel": Out(1),
                "step_tap": Out(1),
                "step_block": Out(1),
                "issue": Out(issue_layout(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.run & self.pooling):
            self._pool(m)
        with m.Elif(self.run):
            m.d.comb += self.step_block.eq(self.step_tap & self.last_tap)
            self._issue(m)
        return m

    def _issue(self, m: Module) -> None:
        raise NotImplementedError

    def _pool(self, m: Module) -> None:
        """Block, pixel, tap."""
        m.d.comb += [
            self.step_tap.eq(1),
            self.step_pixel.eq(self.last_tap),
            self.step_block.eq(self.last_tap & self.last_pixel),
            self.restart_pixel.eq(self.last_tap & self.last_pixel),
            self.issue.end.eq(self.last_tap & self.last_pixel & self.last_block),
        ]

    def _walk_channels(self, m: Module, *, fold_end: Signal) -> Signal:
        """Signal: this is the last channel fold. Folds are walked again after the last."""
        cols, n_valid = self._design.array_cols, self.tile.n_valid
        channel = Signal(16)
        last_fold = Signal()
        m.d.comb += last_fold.eq(channel + cols >= n_valid)
        m.d.comb += self.issue.n_columns.eq(cols)
        with m.If(last_fold):
            m.d.comb += self.issue.n_columns.eq(n_valid - channel)
        with m.If(fold_end):
            m.d.sync += channel.eq(channel + cols)
            with m.If(last_fold):
                m.d.sync += channel.eq(0)
        return last_fold

    def _from_zero(self, m: Module, *, block_end: Value) -> None:
        """Weight and input stationary: the first k-block of a first tile. `block_end`: the last cycle of a k-block."""
        later = Signal()
        m.d.comb += self.issue.from_zero.eq(self.tile.first & ~later)
        with m.If(self.issue.end):
            m.d.sync += later.eq(0)
        with m.Elif(block_end):
            m.d.sync += later.eq(1)

    def _walk_passes(self, m: Module, last_fold_ends: Value) -> tuple[Value, Value]:
        """n:m weights: (end of a k-block, which is one pass over a tap; end of the tap's last)."""
        number, block_end, last_pass = Signal(PASSES_BITS), Signal(), Signal()
        m.d.comb += [block_end.eq(last_fold_ends), last_pass.eq(number + 1 == self.passes)]
        with m.If(block_end):
            m.d.sync += number.eq(Mux(last_pass, 0, number + 1))
        return block_end, block_end & last_pass


class WeightStationarySequencer(Sequencer):
    """k-block, channel fold; a fold is max(P, R) cycles: R weight words beside P pixels.

    With n:m weights a tap is `passes` k-blocks.
    """

    def _issue(self, m: Module) -> None:
        rows = self._design.array_rows
        q = Signal(range(rows + 1))  # stays at R
        first_fold = Signal(init=1)
        fold_end = Signal()
        m.d.comb += fold_end.eq((q >= rows - 1) & (self.last_pixel | ~self.exists))
        last_fold = self._walk_channels(m, fold_end=fold_end)
        if self._design.place_bits:
            block_end, tap_end = self._walk_passes(m, fold_end & last_fold)
        else:
            block_end, tap_end = self.step_tap, fold_end & last_fold  # a tap is one k-block
        self._from_zero(m, block_end=block_end)
        m.d.comb += [
            self.step_pixel.eq(1),
            self.restart_pixel.eq(fold_end),
            self.step_tap.eq(tap_end),
            self.issue.act.eq(self.exists),
            self.issue.vector.eq(self.exists),
            self.issue.weight.eq(q != rows),
            self.issue.load.eq(q == 0),
            self.issue.restart_sums.eq((q == 0) & first_fold),
            self.issue.end.eq(self.step_block & self.last_block),
        ]
        with m.If(fold_end):
            m.d.sync += [q.eq(0), first_fold.eq(last_fold)]
        with m.Elif(q != rows):
            m.d.sync += q.eq(q + 1)


class InputStationarySequencer(Sequencer):
    """k-block, pixel fold; a fold is max(n_valid, C) cycles: C pixels beside n_valid weight words."""

    def _issue(self, m: Module) -> None:
        cols, n_valid = self._design.array_cols, self.tile.n_valid
        q = Signal(16)
        first_fold = Signal(init=1)
        loading, fold_end, last_fold = Signal(), Signal(), Signal()
        self._from_zero(m, block_end=self.step_tap)
        m.d.comb += [
            loading.eq(q < cols),
            fold_end.eq((q >= cols - 1) & (q + 1 >= n_valid)),
            last_fold.eq(~self.exists | (loading & self.last_pixel)),
            self.step_pixel.eq(loading),
            self.restart_pixel.eq(fold_end & last_fold),
            self.step_tap.eq(fold_end & last_fold),
            self.issue.act.eq(loading),
            self.issue.vector.eq(q < n_valid),
            self.issue.weight.eq(q < n_valid),
            self.issue.load.eq(q == 0),
            self.issue.restart_sums.eq((q == 0) & first_fold),
            self.issue.end.eq(self.step_block & self.last_block),
        ]
        m.d.sync += q.eq(q + 1)
        with m.If(fold_end):
            m.d.sync += [q.eq(0), first_fold.eq(last_fold)]


class OutputStationarySequencer(Sequencer):
    """Pixel fold, channel fold, k-block, lane; a k-block is R cycles, in which R pixels are read."""

    def _issue(self, m: Module) -> None:
        rows = self._design.array_rows
        q = Signal(range(rows))
        last_seen = Signal(range(rows))
        first_of_pixels = Signal(init=1)
        block_end, fold_end, last_fold_ends, last_pixels = Signal(), Signal(), Signal(), Signal()
        last_fold = self._walk_channels(m, fold_end=fold_end)
        m.d.comb += [
            block_end.eq(q == rows - 1),
            fold_end.eq(self.step_block & self.last_block),
            last_fold_ends.eq(fold_end & last_fold),
            last_pixels.eq(~self.exists | self.last_pixel),
            self.step_pixel.eq(1),
            self.restart_pixel.eq(block_end & ~last_fold_ends),
            self.save_pixel.eq(last_fold_ends),
            self.step_tap.eq(block_end),
            self.issue.act.eq(1),
            self.issue.vector.eq(1),
            self.issue.weight.eq(1),
            self.issue.from_zero.eq(self.tile.first),
            self.issue.last_product.eq(fold_end),
            self.issue.last_row.eq(last_seen),
            self.issue.end_of_folds.eq(last_fold_ends),
            self.issue.restart_weights.eq(first_of_pixels),
            self.issue.end.eq(last_fold_ends & last_pixels),
        ]
        m.d.sync += [q.eq(q + 1), first_of_pixels.eq(last_fold_ends)]
        with m.If(block_end):
            m.d.sync += q.eq(0)
        with m.If(self.exists):
            m.d.sync += last_seen.eq(q)
            m.d.comb += self.issue.last_row.eq(q)


SEQUENCERS: dict[str, type[Sequencer]] = {
    "weight_stationary": WeightStationarySequencer,
    "input_stationary": InputStationarySequencer,
    "output_stationary": OutputStationarySequencer,
}
