"""The order of an output's issue cycles: accumulator words in, output words out (docs/tensor.md, section 7)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from designs.families.tensor import Design
from hw.parts.tensor_types import config_layout, output_layout


def step_layout(design: Design) -> data.StructLayout:
    """What an issue cycle of the output path does: requantizes a slice (`post`), finishes a word, or both."""
    rows, cols, lanes = design.array_rows, design.array_cols, design.post_lanes
    n_slices = design.act_lanes // lanes
    return data.StructLayout(
        {
            "post": unsigned(1),  # a slice with a channel < n_valid
            "acc_addr": unsigned(_bits(design.acc_words)),
            "acc_slice": unsigned(_bits(cols // lanes)),  # which lanes of the accumulator word
            "param_addr": unsigned(_bits(design.param_words)),
            "param_lane": unsigned(_bits(lanes)),  # transposed: the channel's place in its parameter word
            "channel": unsigned(_bits(rows)),  # transposed: the channel's place in the output word
            "index": unsigned(_bits(max(n_slices, cols))),  # slice of the word; transposed: pixel of the fold
            "begin": unsigned(1),  # the word's residual is read
            "write": unsigned(1),  # the word is written
            "out_addr": unsigned(_bits(design.out_words)),
            "n_keep": unsigned(rows.bit_length()),  # lanes with a channel < n_valid; transposed: of the whole word
            "end": unsigned(1),
        }
    )


def _bits(n: int) -> int:
    return max((n - 1).bit_length(), 1)


class OutputSequencer(wiring.Component):
    """Steps of an output, one for each cycle of `run`; those of an output are consecutive.

    Latency: none from `run` to `step`. Initiation interval 1. No backpressure.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "config": In(config_layout(design)),
                "output": In(output_layout()),
                "run": In(1),
                "step": Out(step_layout(design)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Seen in cycle x, the product is used from x + 1 on.
        n_pixels = Signal(range(self._design.out_words + 1))
        m.d.sync += n_pixels.eq(self.output.rows * self.config.out_w)
        with m.If(self.run):
            self._issue(m, n_pixels)
        return m

    def _issue(self, m: Module, n_pixels: Signal) -> None:
        raise NotImplementedError


class SliceSequencer(OutputSequencer):
    """Weight and output stationary: block, pixel, slice of g channels."""

    def _issue(self, m: Module, n_pixels: Signal) -> None:
        design, step, lanes = self._design, self.step, self._design.post_lanes
        n_slices = design.act_lanes // lanes
        slice_, block, param = Signal(_bits(n_slices)), Signal(12), Signal(step.param_addr.shape())
        out_col, out_row, out_addr = Signal(12), Signal(12), Signal(step.out_addr.shape())
        last_slice, line_end, last_pixel = Signal(), Signal(), Signal()
        n_left = self.output.n_valid - param * lanes
        m.d.comb += [
            last_slice.eq(slice_ == n_slices - 1),
            line_end.eq(out_col + 1 == self.config.out_w),
            last_pixel.eq(line_end & (out_row + 1 == self.output.rows)),
            step.post.eq(n_left > 0),
            step.n_keep.eq(Mux(n_left < 0, 0, Mux(n_left > lanes, lanes, n_left))),
            step.param_addr.eq(param),
            step.index.eq(slice_),
            step.begin.eq(slice_ == 0),
            step.write.eq(last_slice),
            step.out_addr.eq(out_addr),
            step.end.eq(last_slice & last_pixel & (block + 1 == self.output.blocks)),
        ]
        m.d.sync += [slice_.eq(slice_ + 1), param.eq(param + 1)]
        with m.If(last_slice):
            m.d.sync += [slice_.eq(0), param.eq(param - (n_slices - 1)), out_addr.eq(out_addr + 1)]
            m.d.sync += out_col.eq(Mux(line_end, 0, out_col + 1))
            with m.If(line_end):
                m.d.sync += out_row.eq(Mux(last_pixel, 0, out_row + 1))
            with m.If(last_pixel):
                m.d.sync += [block.eq(block + 1), param.eq(param + 1)]
        with m.If(step.end):
            m.d.sync += [block.eq(0), param.eq(0), out_addr.eq(0)]
        if n_slices > 1:
            self._address_across_folds(m, n_pixels, last_slice, last_pixel)
        else:
            self._address_inside_folds(m, last_pixel)

    def _address_across_folds(self, m: Module, n_pixels: Signal, last_slice: Value, last_pixel: Value) -> None:
        """The slices of a pixel lie in channel folds P words apart; in each fold C/g of them are side by side."""
        step = self.step
        pixel, before = Signal(step.acc_addr.shape()), Signal(step.acc_addr.shape())
        to_fold, last_word = self._walk_parts(m, n_pixels, last_slice, last_pixel)
        m.d.comb += step.acc_addr.eq(Mux(step.begin, pixel, before + to_fold))
        m.d.sync += before.eq(step.acc_addr)
        with m.If(step.end):
            m.d.sync += pixel.eq(0)
        with m.Elif(last_slice):
            m.d.sync += pixel.eq(Mux(last_pixel, last_word, pixel) + 1)

    def _walk_parts(self, m: Module, n_pixels: Signal, last_slice: Value, last_pixel: Value) -> tuple[Value, Value]:
        """(how far this slice's word is from that of the slice before, the word before that of the next block).

        Where a fold holds several slices, a block may begin and end inside a fold: the slice's place in its fold goes
        on from block to block, and starts for each pixel where the block does.
        """
        step, n_parts = self.step, self._design.array_cols // self._design.post_lanes
        if n_parts == 1:
            return n_pixels, step.acc_addr
        part, first_part = Signal(_bits(n_parts)), Signal(_bits(n_parts))
        next_part = Mux(part == n_parts - 1, 0, part + 1)
        m.d.comb += step.acc_slice.eq(part)
        m.d.sync += part.eq(next_part)
        with m.If(last_slice):
            m.d.sync += part.eq(first_part)
            with m.If(last_pixel):
                m.d.sync += [part.eq(next_part), first_part.eq(next_part)]
        with m.If(step.end):
            m.d.sync += [part.eq(0), first_part.eq(0)]
        last_word = Mux(next_part == 0, step.acc_addr, step.acc_addr - n_pixels)
        return Mux(part == 0, n_pixels, 0), last_word

    def _address_inside_folds(self, m: Module, last_pixel: Value) -> None:
        """R <= C: a channel fold holds C/R blocks, each a slice of its words."""
        step, n_blocks = self.step, self._design.array_cols // self._design.array_rows
        addr, fold = Signal(step.acc_addr.shape()), Signal(step.acc_addr.shape())
        part = Signal(_bits(n_blocks))
        m.d.comb += [step.acc_addr.eq(addr), step.acc_slice.eq(part)]
        m.d.sync += addr.eq(addr + 1)
        with m.If(last_pixel):
            m.d.sync += [addr.eq(fold), part.eq(part + 1)]
            with m.If(part == n_blocks - 1):
                m.d.sync += [addr.eq(addr + 1), fold.eq(addr + 1), part.eq(0)]
        with m.If(step.end):
            m.d.sync += [addr.eq(0), fold.eq(0), part.eq(0)]


class TransposedSequencer(OutputSequencer):
    """Input stationary: pixel fold, block: R channels x C/g slices of pixels, then C pixels are emitted."""

    def _issue(self, m: Module, n_pixels: Signal) -> None:
        design, step = self._design, self.step
        rows, cols = design.array_rows, design.array_cols
        emitting, pixel, block = Signal(), Signal(range(cols)), Signal(12)
        fold, line = Signal(range(design.out_words + cols + 1)), Signal(step.out_addr.shape())  # line: block * P
        param, acc_addr = Signal(step.param_addr.shape()), Signal(step.acc_addr.shape())
        last_emit, last_block, n_left = Signal(), Signal(), self.output.n_valid - block * rows
        m.d.comb += [
            last_block.eq(block + 1 == self.output.blocks),
            last_emit.eq(emitting & (pixel == cols - 1)),
            step.n_keep.eq(Mux(n_left > rows, rows, n_left)),
            step.begin.eq(emitting & (fold + pixel < n_pixels)),
            step.write.eq(step.begin),
            step.out_addr.eq(line + fold + pixel),
            step.end.eq(last_emit & last_block & (fold + cols >= n_pixels)),
        ]
        with m.If(emitting):
            m.d.comb += step.index.eq(pixel)
            m.d.sync += pixel.eq(pixel + 1)
        with m.Else():
            self._walk_slices(m, emitting, param, acc_addr)
        with m.If(last_emit):
            m.d.sync += [emitting.eq(0), pixel.eq(0), block.eq(block + 1), line.eq(line + n_pixels)]
            with m.If(last_block):
                m.d.sync += [block.eq(0), line.eq(0), fold.eq(fold + cols), param.eq(0)]
        with m.If(step.end):
            m.d.sync += [fold.eq(0), acc_addr.eq(0)]

    def _walk_slices(self, m: Module, emitting: Signal, param: Signal, acc_addr: Signal) -> None:
        design, step, lanes = self._design, self.step, self._design.post_lanes
        n_slices = design.array_cols // lanes
        channel, lane, slice_ = Signal(range(design.array_rows)), Signal(range(lanes)), Signal(_bits(n_slices))
        m.d.comb += [
            step.post.eq(param * lanes + lane < self.output.n_valid),
            step.acc_addr.eq(acc_addr),
            step.acc_slice.eq(slice_),
            step.param_addr.eq(param),
            step.param_lane.eq(lane),
            step.channel.eq(channel),
        ]
        m.d.sync += slice_.eq(slice_ + 1)
        with m.If(slice_ == n_slices - 1):
            m.d.sync += [slice_.eq(0), channel.eq(channel + 1), lane.eq(lane + 1), acc_addr.eq(acc_addr + step.post)]
            with m.If(lane == lanes - 1):
                m.d.sync += [lane.eq(0), param.eq(param + 1)]
            with m.If(channel == design.array_rows - 1):
                m.d.sync += [channel.eq(0), emitting.eq(1)]
